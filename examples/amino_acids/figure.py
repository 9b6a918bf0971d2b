"""A picture of environments: the atoms, and what the networks read."""

from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure

from examples.common.figures import save

from .data import CELL, RADIUS, SIZE, Environments, density
from .pdb import ELEMENTS, RESIDUES

COLORS = ("0.35", "tab:blue", "tab:red", "goldenrod")  # of ELEMENTS


def environments_figure(path: Path, environments: Environments, chosen: Sequence[int]) -> None:
    """A column for each environment: its atoms from the front, then the density of each element.

    Densities are summed along z; x is to the right and y upwards, in angstrom.

    Args:
        path: of the picture to write.
        environments: from which to draw.
        chosen: their numbers.
    """
    rows, n = 1 + len(ELEMENTS), len(chosen)
    figure = Figure(figsize=(1.7 * n + 0.5, 1.7 * rows + 0.3), layout="constrained")
    axes = figure.subplots(rows, n, squeeze=False, sharex=True, sharey=True)
    grids = density(environments, torch.tensor(list(chosen)))
    edge = SIZE * CELL / 2
    for column, number in enumerate(chosen):
        positions, elements, _ = (x.numpy() for x in environments.take(torch.tensor([number])))
        behind = positions[:, 2].argsort()
        axes[0, column].scatter(
            positions[behind, 0],
            positions[behind, 1],
            c=[COLORS[e] for e in elements[behind].tolist()],
            s=9,
            linewidths=0,
        )
        axes[0, column].set_title(RESIDUES[int(environments.labels[number])], fontsize=10)
        for row, grid in enumerate(grids[column], start=1):
            axes[row, column].imshow(
                grid.sum(-1).T.numpy(),
                origin="lower",
                extent=(-edge, edge, -edge, edge),
                cmap="magma",
            )
    for axis in axes.flat:
        axis.set_aspect("equal")
        axis.set(xlim=(-edge, edge), ylim=(-edge, edge), xticks=(-10, 0, 10), yticks=(-10, 0, 10))
        axis.tick_params(labelsize=7)
    for row, name in enumerate([f"atoms within {RADIUS:g} Å", *ELEMENTS]):
        axes[row, 0].set_ylabel(name, fontsize=9)
    save(figure, path)
