r"""Functions on the sphere as surfaces: the distance from the centre is \|f\|, the colour its sign.

The surfaces are projected here, in parallel, onto axes of the plane: so several stand side by side
in one picture and are seen from the same direction. The polar axis y points up.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import FigureBase
from matplotlib.patches import Rectangle
from torch import Tensor

from equinet.harmonics import spherical_harmonics
from equinet.numerics.arguments import check_integer
from equinet.plot.canvas import COLOURS, INK, WIDTH, array, bare, frame, new_axes, place

# Seen from the right, from above and from the front. Rows: to the right, upwards, to the eye.
_EYE = np.array([0.45, 0.42, 0.79])
_RIGHT = np.cross([0.0, 1.0, 0.0], _EYE)
VIEW = np.stack([v / np.linalg.norm(v) for v in (_RIGHT, np.cross(_EYE, _RIGHT), _EYE)])
_LIGHT = np.array([-0.35, 0.6, 0.72])

_BETA, _ALPHA = 37, 72  # points along a meridian and around


def sphere_mesh() -> Tensor:
    """Directions, float64 ``(37, 73, 3)``: beta from pole to pole, alpha around and back."""
    beta = torch.linspace(0, math.pi, _BETA, dtype=torch.float64)[:, None]
    alpha = torch.linspace(0, 2 * math.pi, _ALPHA + 1, dtype=torch.float64)
    height = beta.cos().expand(-1, len(alpha))
    return torch.stack([beta.sin() * alpha.sin(), height, beta.sin() * alpha.cos()], -1)


def lobes(
    ax: Axes, values: np.ndarray, columns: int, limit: float, *, framed: bool = False
) -> PolyCollection:
    """Surfaces side by side, row by row.

    Args:
        ax: where.
        values: of the functions on ``sphere_mesh``, ``(count, 37, 73)``.
        columns: surfaces in a row.
        limit: the value whose distance from the centre is 1, half of the width of a cell.
        framed: draw the frames of the cells.
    Returns:
        The surfaces, which have been added to ``ax``.
    """
    parts = [_surface(value / limit) for value in values]
    centres = np.array([place(i, columns, (1.0, 1.0)) for i in range(len(values))])
    quads = np.concatenate([p[0] + c for p, c in zip(parts, centres, strict=True)])
    colours = np.concatenate([p[1] for p in parts])
    # The edges close the seams that smoothing leaves between quads.
    surface = PolyCollection(
        list(quads), facecolors=colours, edgecolors=colours, linewidths=0.6, rasterized=True
    )
    ax.add_collection(surface)
    for x, y in centres if framed else ():
        ax.add_patch(Rectangle((x - 1, y - 1), 2, 2, fill=False, ec="0.85", lw=0.6, zorder=0))
    frame(ax, len(values), columns, (1.0, 1.0))
    return surface


def _surface(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Projected quads, the farthest first, ``(quads, 4, 2)``, and their colours."""
    vertices = np.abs(values)[..., None] * array(sphere_mesh()) @ VIEW.T
    corners = np.stack(
        [vertices[:-1, :-1], vertices[1:, :-1], vertices[1:, 1:], vertices[:-1, 1:]], 2
    ).reshape(-1, 4, 3)
    normal = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    light = np.clip(normal @ (_LIGHT / np.linalg.norm(_LIGHT)), 0, 1)
    positive = values[:-1, :-1] + values[1:, 1:] + values[1:, :-1] + values[:-1, 1:] > 0
    base = np.where(positive.reshape(-1, 1), *(colormaps[COLOURS](c)[:3] for c in (0.86, 0.14)))
    shine = 0.35 * light[:, None] ** 12
    colour = base * (0.55 + 0.5 * light[:, None])
    colour = np.clip(colour + shine * (1 - colour), 0, 1)
    facing = normal[:, 2] > 0
    order = np.argsort(corners[facing].mean(1)[:, 2])
    return corners[facing][order][..., :2], colour[facing][order]


def triad(ax: Axes, x: float, y: float, length: float) -> None:
    """The axes x, y, z as seen in the pictures, from the point (x, y)."""
    for name, (right, up) in zip("xyz", VIEW[:2].T * length, strict=True):
        ax.annotate(
            "", (x + right, y + up), (x, y), annotation_clip=False,
            arrowprops={"arrowstyle": "-|>", "color": "0.45", "lw": 0.9, "mutation_scale": 7,
                        "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip
        ax.text(
            x + 1.28 * right, y + 1.28 * up, name, ha="center", va="center", fontsize=7.5,
            style="italic", color=INK,
        )  # fmt: skip


def harmonics(lmax: int, *, figure: FigureBase | None = None) -> FigureBase:
    r"""The spherical harmonics up to degree ``lmax``, a row each, m = -l, ..., l.

    The distance of a surface from its centre is \|Y_lm\|, red where Y_lm > 0 and blue where
    Y_lm < 0. Every surface has the same size.

    Args:
        lmax: largest degree, inclusive.
        figure: where to draw; by default a new one.
    Returns:
        The figure that was drawn into.
    Raises:
        ValueError: if ``lmax`` is not an integer >= 0.

    Example:
        >>> harmonics(2).axes[0].get_title()
        'spherical harmonics $Y_{lm}$'
    """
    check_integer(lmax, "lmax", 0)
    width = 2 * lmax + 1
    side = min(WIDTH / width, 1.2)
    size = (max(width * side, 2.4) + 0.4, (lmax + 1) * side + 0.6)
    figure, ((ax,),) = new_axes(figure, 1, 1, size)
    values = array(spherical_harmonics(lmax, sphere_mesh())).transpose(2, 0, 1)
    cells = np.zeros((lmax + 1, width, *values.shape[1:]))
    for l in range(lmax + 1):
        rows = values[l * l : (l + 1) ** 2]
        cells[l, lmax - l : lmax + l + 1] = rows / np.abs(rows).max((1, 2), keepdims=True)
    lobes(ax, cells.reshape(-1, *values.shape[1:]), width, 1.08)
    bare(ax)
    ax.set_title("spherical harmonics $Y_{lm}$", fontsize=10)
    half = (1.0, 1.0)
    ax.set_xticks([place(i, width, half)[0] for i in range(width)])
    ax.set_xticklabels([f"{m}".replace("-", "\N{MINUS SIGN}") for m in range(-lmax, lmax + 1)])
    ax.set_yticks([place(l * width, width, half)[1] for l in range(lmax + 1)])
    ax.set_yticklabels([str(l) for l in range(lmax + 1)])
    ax.set_xlabel("m", style="italic")
    ax.set_ylabel("l", style="italic", rotation=0, labelpad=10)
    if lmax:
        triad(ax, 0.0, 0.0, 0.7)
    return figure
