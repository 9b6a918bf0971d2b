"""A picture of the pieces, and of what a trained network makes of them."""

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from examples.common.figures import save
from examples.tetris.data import PIECES

from .data import pieces, turned
from .models import Reader


def pieces_figure(path: Path, network: Reader | None, copies: int = 20) -> None:
    """The points of each piece, joined where cubes touch, and its odd scalar in many orientations.

    Args:
        path: of the picture to write.
        network: a trained one with an odd scalar, or None for the pieces alone.
        copies: orientations of each piece.
    """
    rows = 1 if network is None else 2
    figure = Figure(figsize=(1.4 * len(PIECES), 1.9 * rows), layout="constrained")
    centred = pieces() - pieces().mean(1, keepdim=True)
    for column, (name, points) in enumerate(zip(PIECES, centred.numpy(), strict=True)):
        panel = figure.add_subplot(rows, len(PIECES), column + 1, projection="3d")
        for i, j in np.argwhere(np.triu(np.linalg.norm(points[:, None] - points, axis=2) == 1)):
            panel.plot(*points[[i, j]].T, color="0.5")
        panel.plot(*points.T, "o", color="C0", markersize=5)
        panel.set_box_aspect((1, 1, 1), zoom=1.4)  # pyright: ignore[reportArgumentType]
        panel.set(xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), zlim=(-1.2, 1.2), title=name)
        panel.set_axis_off()
    if network is not None:
        seen, labels = turned(copies, torch.Generator().manual_seed(0))
        with torch.no_grad():
            odd = network.invariants(seen)[:, 7]
        panel = figure.add_subplot(rows, 1, 2)
        panel.axhline(0, color="0.7", linewidth=0.8)
        panel.plot(labels.numpy(), odd.numpy(), "o", color="C0", alpha=0.4)
        panel.set_xticks(range(len(PIECES)), list(PIECES), fontsize=8)
        panel.set(ylabel=f"odd scalar, {copies} orientations", xlim=(-0.5, len(PIECES) - 0.5))
    save(figure, path)
