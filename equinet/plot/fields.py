"""Feature maps on the plane, in space and on the sphere."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import singledispatch

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import FigureBase
from torch import Tensor

from equinet.field import FieldType, Plane, Space, Sphere, Volume
from equinet.plot.canvas import (
    COLOURS,
    STRENGTHS,
    WIDTH,
    array,
    arrows,
    largest,
    mosaic,
    new_axes,
)
from equinet.plot.slices import PLANES, cut
from equinet.rep import Representation, vector

Part = tuple[str, Representation, slice]  # one copy of a representation: title, rho, channels


def field(field_type: FieldType, x: Tensor, *, figure: FigureBase | None = None) -> FigureBase:
    """Feature maps; every field is drawn on one colour scale throughout the batch.

    On the plane there is a row for each sample and a column for each copy of a representation: the
    vector representation as arrows over the length of the vectors, others as images of their
    components. In space there is a row for each of these and a column for each of the planes
    through the middle; a vector is drawn as the arrows of its components in the plane over the one
    out of the plane. On the sphere each channel is a map in Mollweide's projection, pole up, with
    alpha growing to the right, as seen from outside.

    Args:
        field_type: over a ``Plane``, a ``Volume`` or a ``Sphere``.
        x: ``field_type.shape(batch, *sizes)``.
        figure: where to draw; by default a new one.
    Returns:
        The figure that was drawn into.
    Raises:
        TypeError: if ``x`` is not real floating.
        ValueError: if its shape is another one, or the fields are over another space, or sampled
            on SO(3).

    Example:
        >>> import torch
        >>> arrows = Plane("C4").fields("1x trivial + 1x vector")
        >>> [ax.get_title() for ax in field(arrows, torch.rand(1, 3, 8, 8)).axes]
        ['trivial', 'vector']
    """
    field_type.check(x)
    if not len(x):
        raise ValueError("x: expected at least one sample, got an empty batch")
    return _drawn(field_type.space, field_type, array(x), figure)


@singledispatch
def _drawn(
    space: Space, field_type: FieldType, x: np.ndarray, figure: FigureBase | None
) -> FigureBase:
    raise ValueError(
        "field_type: expected fields over a Plane, a Volume or the points of a Sphere, got "
        f"{field_type!r}"
    )


def copies_of(field_type: FieldType) -> Iterator[Part]:
    """One after the other, with their channels."""
    for (mul, rho), channels in zip(field_type.blocks, field_type.slices, strict=True):
        for copy in range(mul):
            start = channels.start + copy * rho.dim
            title = rho.name if mul == 1 else f"{rho.name}, {copy + 1}"
            yield title, rho, slice(start, start + rho.dim)


@_drawn.register
def _on_plane(
    space: Plane, field_type: FieldType, x: np.ndarray, figure: FigureBase | None
) -> FigureBase:
    parts = list(copies_of(field_type))
    height, width = x.shape[2:]
    dx, dy = space.spacing
    half = (width * dx / 2, height * dy / 2)
    side = min(2.2, WIDTH / len(parts))
    figure, axes = new_axes(figure, len(x), len(parts), (side, side * half[1] / half[0]), head=0.25)
    for column, (title, rho, channels) in enumerate(parts):
        values = x[:, channels]
        are_vectors = rho == vector(space.group)
        limit = largest(np.hypot(*values.swapaxes(0, 1)) if are_vectors else values)
        for row, sample in zip(axes, values, strict=True):
            ax = row[column]
            if are_vectors:
                mosaic(ax, np.hypot(*sample)[None], 1, half, 1.6 * limit, STRENGTHS)
                arrows(ax, sample, half, limit)
            else:
                mosaic(ax, sample, math.ceil(math.sqrt(rho.dim)), half, limit)
        axes[0][column].set_title(title, fontsize=9, pad=4)
    return figure


@_drawn.register
def _in_space(
    space: Volume, field_type: FieldType, x: np.ndarray, figure: FigureBase | None
) -> FigureBase:
    images, halves, names = cut(x, space.spacing)
    parts = list(copies_of(field_type))
    figure, axes = new_axes(figure, len(x) * len(parts), 3, (2.1, 2.0))
    for row, panels in enumerate(axes):
        sample, (title, rho, channels) = row // len(parts), parts[row % len(parts)]
        are_vectors = rho == vector(space.group)
        limit = largest(x[:, channels])
        for p, ax in enumerate(panels):
            shown, half = images[p][sample, channels], halves[p]
            if are_vectors:
                right, up, normal = PLANES[p].axes
                mosaic(ax, shown[[normal]], 1, half, 1.6 * limit)
                arrows(ax, shown[[right, up]], half, limit)
            else:
                mosaic(ax, shown, math.ceil(math.sqrt(rho.dim)), half, limit)
            ax.set_title(names[p], fontsize=9, pad=4)
            _name_axes(ax, PLANES[p].right, PLANES[p].up)
        panels[0].set_title(title, fontsize=9, pad=4, loc="left")
    return figure


def _name_axes(ax: Axes, right: str, up: str) -> None:
    ax.set_xlabel(f"${right}$", fontsize=9, labelpad=1)
    ax.set_ylabel(f"${up}$", fontsize=9, labelpad=3)


@_drawn.register
def _on_sphere(
    space: Sphere, field_type: FieldType, x: np.ndarray, figure: FigureBase | None
) -> FigureBase:
    if field_type.is_sampled:
        raise ValueError(
            f"field_type: expected fields on the points of {space}, got {field_type!r}"
        )
    _, channels, size, around = x.shape
    names = [
        title if rho.dim == 1 else f"{title}, component {i + 1}"
        for title, rho, _ in copies_of(field_type)
        for i in range(rho.dim)
    ]
    side = min(3.4, WIDTH / channels)
    figure, axes = new_axes(
        figure, len(x), channels, (side, side / 2), head=0.3, projection="mollweide"
    )
    # The grid has a point in the middle of each cell; alpha = 0, the first, is in the middle.
    longitude = np.linspace(-math.pi, math.pi, around + 1)
    latitude = math.pi / 2 - np.arange(size + 1) * math.pi / size
    for row, sample in zip(axes, x, strict=True):
        for channel, ax in enumerate(row):
            limit = largest(x[:, channel])
            ax.pcolormesh(
                longitude,
                latitude,
                np.roll(sample[channel], around // 2, axis=-1),
                cmap=COLOURS,
                norm=Normalize(-limit, limit),
                rasterized=True,
            )
            ax.set_xticks([])
            ax.set_yticks([])
    for ax, name in zip(axes[0], names, strict=True):
        ax.set_title(name, fontsize=9, pad=4)
    return figure
