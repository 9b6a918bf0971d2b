"""Pictures of results: test errors of all networks, and digits that were read."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from examples.common.figures import save


def errors_figure(path: Path, errors: Mapping[str, Sequence[float]]) -> None:
    """The test error of each network, in per cent: a bar for the mean and a dot for each run."""
    figure = Figure(figsize=(1.1 * len(errors) + 1.4, 3.2), layout="constrained")
    panel = figure.subplots()
    for place, values in enumerate(errors.values()):
        percent = 100 * np.asarray(values)
        panel.bar(place, percent.mean(), width=0.6, color="C0", alpha=0.5)
        panel.plot(np.full(len(percent), place), percent, "o", color="C0", markersize=4)
        panel.annotate(
            f"{percent.mean():.2f}",
            (place, percent.max()),
            (0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=9,
        )
    panel.set_xticks(range(len(errors)), list(errors))
    panel.set_ylabel("test error, %")
    panel.margins(y=0.15)
    panel.set_ylim(bottom=0)
    save(figure, path)


def digits_figure(path: Path, images: np.ndarray, captions: Sequence[str]) -> None:
    """Pictures in rows of ten, a line under each.

    Args:
        path: of the picture to write.
        images: (n, 28, 28).
        captions: n lines.
    """
    columns = 10
    rows = max(1, -(-len(images) // columns))
    figure = Figure(figsize=(columns, 1.25 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in axes:
        panel.set_axis_off()
    for panel, image, caption in zip(axes, images, captions, strict=False):
        panel.imshow(image, cmap="gray_r", interpolation="nearest")
        panel.set_title(caption, fontsize=7, y=-0.25)
    save(figure, path)
