"""What all pictures share: figures, colours, images side by side, arrows."""

from __future__ import annotations

import io
import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, FigureBase
from matplotlib.patches import Rectangle
from torch import Tensor

COLOURS = "RdBu_r"  # zero is white, positive is red, negative is blue
STRENGTHS = "Blues"  # of what has no sign
INK = "0.15"
WIDTH = 7.2  # of a page, in inches
GAP = 0.12  # between images side by side, in parts of an image

Half = tuple[float, float]  # half the width and half the height of an image, in data units


class Picture(Figure):
    """A figure that a notebook shows without pyplot, which would keep a global list of figures."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def new_axes(
    figure: FigureBase | None,
    rows: int,
    columns: int,
    size: tuple[float, float],
    *,
    head: float = 0.0,
    count: int | None = None,
    projection: str | None = None,
) -> tuple[FigureBase, list[list[Axes]]]:
    """Rows of axes in the given figure, or in a new one.

    Args:
        figure: where to draw; None for a new figure.
        rows: of axes.
        columns: of axes.
        size: width and height of one of the axes in a new figure, in inches.
        head: height of what stands above the first row, in inches.
        count: how many axes there are, if the last row is not full.
        projection: of the axes.
    Returns:
        The figure, and its axes, a list for each row.
    """
    if figure is None:
        height = rows * size[1] + head
        figure = Picture(figsize=(columns * size[0], height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, subplot_kw={"projection": projection})
    for i in range(rows * columns if count is None else count, rows * columns):
        axes.flat[i].remove()
    return figure, axes.tolist()


def array(x: Tensor) -> np.ndarray:
    """The numbers of a tensor, float64, wherever it was."""
    return x.detach().cpu().double().numpy()


def largest(values: np.ndarray) -> float:
    """The largest absolute value, but not zero, so that it can scale colours."""
    return float(np.abs(values).max(initial=0.0)) or 1.0


def bare(ax: Axes) -> None:
    """Equal aspect, no frame, no ticks."""
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.tick_params(length=0, labelsize=8)
    for spine in ax.spines.values():
        spine.set_visible(False)


def place(number: int, columns: int, half: Half) -> tuple[float, float]:
    """The centre of the image of this number, row by row, the first at (0, 0)."""
    row, column = divmod(number, columns)
    step = 2 * (1 + GAP)
    return column * step * half[0], -row * step * half[1]


def mosaic(
    ax: Axes, images: np.ndarray, columns: int, half: Half, limit: float, colours: str = COLOURS
) -> None:
    """Images side by side on one colour scale, row by row.

    Args:
        ax: where.
        images: ``(count, height, width)``, rows run downwards.
        columns: images in a row.
        half: half the width and height of one image in data units.
        limit: the value of the strongest colour.
        colours: name of the colour map.
    """
    low = 0.0 if colours == STRENGTHS else -limit
    for number, values in enumerate(images):
        x, y = place(number, columns, half)
        edges = (x - half[0], x + half[0], y - half[1], y + half[1])
        ax.imshow(values, cmap=colours, norm=Normalize(low, limit), extent=edges)
        ax.add_patch(
            Rectangle((edges[0], edges[2]), 2 * half[0], 2 * half[1], fill=False, ec="0.7", lw=0.6)
        )
    frame(ax, len(images), columns, half)


def frame(ax: Axes, count: int, columns: int, half: Half) -> None:
    """The limits that show ``count`` images, without ticks."""
    bare(ax)
    right, _ = place(min(count, columns) - 1, columns, half)
    _, bottom = place(count - 1, columns, half)
    margin = 0.04 * max(half)
    ax.set_xlim(-half[0] - margin, right + half[0] + margin)
    ax.set_ylim(bottom - half[1] - margin, half[1] + margin)


def number_components(ax: Axes, rows: int, columns: int, half: Half) -> None:
    """Numbers, from 1, at the rows and columns of a matrix of images."""
    if rows > 1:
        ax.set_yticks([place(i * columns, columns, half)[1] for i in range(rows)])
        ax.set_yticklabels([str(i + 1) for i in range(rows)])
    if columns > 1:
        ax.set_xticks([place(j, columns, half)[0] for j in range(columns)])
        ax.set_xticklabels([str(j + 1) for j in range(columns)])


def arrows(ax: Axes, vectors: np.ndarray, half: Half, limit: float, across: int = 14) -> None:
    """Arrows on every few pixels of an image; one of length ``limit`` is as long as 1.2 cells.

    Args:
        ax: where.
        vectors: ``(2, height, width)``, the components to the right and upwards.
        half: half the width and height of the image in data units.
        limit: the length of the longest arrow.
        across: the most arrows along an axis.
    """
    _, height, width = vectors.shape
    step = math.ceil(max(height, width) / across)
    rows = np.arange((height - 1) % step // 2, height, step)
    columns = np.arange((width - 1) % step // 2, width, step)
    x = (2 * columns + 1 - width) / width * half[0]
    y = -(2 * rows + 1 - height) / height * half[1]
    u, v = vectors[:, rows][:, :, columns]
    cell = step * 2 * max(half) / max(height, width)
    mesh_x, mesh_y = np.meshgrid(x, y)
    ax.quiver(
        mesh_x, mesh_y, u, v, color=INK, angles="xy", scale_units="xy", pivot="mid",
        scale=limit / (1.2 * cell), units="xy", width=0.09 * cell, headwidth=3.6, headlength=4,
        headaxislength=3.6, minlength=0.5, zorder=3,
    )  # fmt: skip
