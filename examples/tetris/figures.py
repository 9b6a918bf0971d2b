"""Pictures: the pieces, and the accuracy of the four networks."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from examples.common.figures import save

from .data import PIECES, training_pieces, voxels


def accuracy_figure(path: Path, cells: Mapping[str, Sequence[float]]) -> None:
    """The accuracy of each network: a bar for the mean and a dot for each run."""
    figure = Figure(figsize=(1.5 * len(cells) + 1, 3.4), layout="constrained")
    panel = figure.subplots()
    for place, values in enumerate(cells.values()):
        panel.bar(place, np.mean(values), width=0.6, color="C0", alpha=0.5)
        panel.plot([place] * len(values), values, "o", color="C0", markersize=4)
    panel.axhline(1 / len(PIECES), color="0.5", linewidth=0.8, linestyle="--")
    panel.text(len(cells) - 0.4, 1 / len(PIECES), "chance", va="bottom", ha="left", fontsize=8)
    panel.set_xticks(range(len(cells)), list(cells))
    panel.set(ylabel="accuracy in random orientations", ylim=(0, 1.04), xlim=(-0.6, len(cells)))
    save(figure, path)


def pieces_figure(path: Path, seed: int = 0) -> None:
    """The pieces as they are defined, and below as a training with this seed sees them.

    Drawn with finer voxels than those of the training.
    """
    size, side = 22, 4
    pieces, seen = torch.arange(len(PIECES)), training_pieces(seed, size, side)
    upright = voxels(pieces, torch.eye(3).expand(len(pieces), 3, 3), size, side)
    figure = Figure(figsize=(1.5 * len(PIECES), 3.4), layout="constrained")
    for row, volumes in enumerate((upright[:, 0], seen.make(pieces, 0)[0][:, 0])):
        for column, (name, volume) in enumerate(zip(PIECES, volumes, strict=True)):
            place = 1 + row * len(PIECES) + column
            panel = figure.add_subplot(2, len(PIECES), place, projection="3d")
            panel.voxels(volume.numpy() > 0.5, facecolors="C0", edgecolor="0.3", linewidth=0.1)
            panel.set(xlim=(3, 19), ylim=(3, 19), zlim=(3, 19))
            # matplotlib has no types for mplot3d: an integer is guessed from the default
            panel.set_box_aspect((1, 1, 1), zoom=1.5)  # pyright: ignore[reportArgumentType]
            panel.set_axis_off()
            if row == 0:
                panel.set_title(name, fontsize=9)
    save(figure, path)
