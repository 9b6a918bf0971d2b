"""Pictures of trainings: learning curves and confusion matrices."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure, FigureBase
from matplotlib.ticker import MaxNLocator

from .errors import InputError


def save(figure: FigureBase, path: Path) -> None:
    """Write a picture, and make the folder for it.

    Raises:
        InputError: if it cannot be written, or its name ends in nothing that says how.
    """
    assert isinstance(figure, Figure), "a part of a figure is not written by itself"
    kinds = sorted(figure.canvas.get_supported_filetypes())
    if path.suffix[1:].lower() not in kinds:
        raise InputError(f"out: expected a picture, .{' .'.join(kinds)}, got {path}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)
    except OSError as error:
        raise InputError(f"out: {path} cannot be written: {error}") from error


def curves_figure(
    path: Path,
    histories: Mapping[str, Sequence[Mapping[str, Any]]],
    names: Mapping[str, str],
    chance: float | None = None,
) -> None:
    """Accuracy against epochs, one panel per training.

    Args:
        path: of the picture to write.
        histories: the ``history`` of each result, by title.
        names: what to draw, such as ``{"train_accuracy": "training", "rotated": "test, rotated"}``.
        chance: accuracy of guessing.
    """
    figure = Figure(figsize=(4.2 * len(histories), 3.4), layout="constrained")
    axes = figure.subplots(1, len(histories), squeeze=False, sharey=True)[0]
    for panel, (title, history) in zip(axes, histories.items(), strict=True):
        epochs = [line["epoch"] for line in history]
        for key, name in names.items():
            panel.plot(epochs, [line[key] for line in history], ".-", label=name)
        if chance is not None:
            panel.axhline(chance, color="0.7", linewidth=0.8, label="chance")
        panel.set(title=title, xlabel="epoch", ylim=(0, 1.02))
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(alpha=0.3)
    axes[0].set_ylabel("accuracy")
    axes[0].legend(fontsize=8)
    save(figure, path)


def confusion_figure(
    path: Path,
    matrices: Mapping[str, Sequence[Sequence[int]]],
    classes: Sequence[str] | None = None,
) -> None:
    """Confusion matrices side by side: row the truth, column the answer, in per cent of the row.

    Args:
        path: of the picture to write.
        matrices: counts, by title.
        classes: names of the classes (default: their numbers).
    """
    n = len(next(iter(matrices.values())))
    size = max(4.4, 0.4 * n)
    figure = Figure(figsize=(size * len(matrices), size + 0.2), layout="constrained")
    panels = figure.subplots(1, len(matrices), squeeze=False)[0]
    for panel, (title, counts) in zip(panels, matrices.items(), strict=True):
        matrix = np.asarray(counts, dtype=float)
        share = 100 * matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
        panel.imshow(share, cmap="Blues", vmin=0, vmax=100)
        for row, column in np.argwhere(share >= 0.5):
            color = "white" if share[row, column] > 50 else "black"
            text = f"{share[row, column]:.0f}"
            panel.text(column, row, text, ha="center", va="center", fontsize=7, color=color)
        panel.set(title=title, xlabel="read", ylabel="true", xticks=range(n), yticks=range(n))
        if classes is not None:
            panel.set_xticklabels(classes, rotation=90, fontsize=8)
            panel.set_yticklabels(classes, fontsize=8)
    save(figure, path)
