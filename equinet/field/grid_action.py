"""How an element of H moves a field on a grid: by a permutation of its points, or between them.

In: grids, field types, group elements and feature maps. Out: moved feature maps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from equinet.field.fibre_action import turn_fibres
from equinet.field.field_type import FieldType
from equinet.field.permute import Exchange, exchange, exchanges
from equinet.field.resampling import resample, snap
from equinet.numerics.values import is_differentiated

if TYPE_CHECKING:
    from equinet.field.grid import Grid


def move(space: Grid, field_type: FieldType, g: Tensor, x: Tensor, order: int) -> Tensor:
    """Fetch every value from where it was, then mix the components of each fibre.

    Args:
        space: the grid.
        field_type: of ``x``, over it.
        g: ``(n, n)`` or ``(batch, n, n)``.
        x: ``(batch, channel, *sizes)``.
        order: of the interpolation, for elements that are no symmetry of the grid.
    Returns:
        As ``x``.
    """
    sizes = tuple(x.shape[2:])
    # The rounding of g; that of a coordinate is larger by its distance from the centre.
    tolerance = (16 if g.element_size() > 2 else 1) * torch.finfo(g.dtype).eps
    # A derivative by g needs all its neighbours.
    if not is_differentiated(g) and x.numel():
        matrices = source_matrices(space, g.to(torch.float64))
        found = exchanges(matrices.cpu(), sizes, tolerance)
        kept = [one for one in found if one is not None]
        if len(kept) == len(found):
            return turn_fibres(field_type, g, exchange(x, kept))
        if kept:
            return _some_exactly(space, field_type, g, x, order, found)
    sources = source_coordinates(space, g.to(x.device, torch.float64), sizes)
    moved = resample(x, snap(sources, tolerance * max(1, *sizes)), order)
    return turn_fibres(field_type, g, moved)


def _some_exactly(
    space: Grid,
    field_type: FieldType,
    g: Tensor,
    x: Tensor,
    order: int,
    found: list[Exchange | None],
) -> Tensor:
    """Samples whose elements are symmetries of the grid by themselves, then the others."""
    parts, numbers = [], []
    for exact in (True, False):
        rows = [i for i, one in enumerate(found) if (one is not None) == exact]
        parts.append(move(space, field_type, g[rows], x[rows], order))
        numbers += rows
    order_of = torch.tensor(numbers, device=x.device).argsort()
    return torch.cat(parts).index_select(0, order_of)


def source_matrices(space: Grid, g: Tensor) -> Tensor:
    """What g^-1 makes of offsets from the centre, in units of the index.

    Args:
        space: the grid.
        g: ``(n, n)`` or ``(batch, n, n)``, in units of length along x, y, z.
    Returns:
        ``(1 or batch, n, n)``, on offsets along the axes of a feature map.
    """
    inverse = (g if g.dim() == 3 else g[None]).mT
    # From (x, y, z) in units of length to the axes of the tensor in units of the index.
    axes = list(space.coordinates)
    signs = g.new_tensor(space.signs)
    spacing = g.new_tensor([space.spacing[k] for k in axes])
    return inverse[:, axes][:, :, axes] * signs[:, None] * signs * (spacing / spacing[:, None])


def source_coordinates(space: Grid, g: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Where g^-1 takes each grid point, in units of the index.

    Args:
        space: the grid.
        g: ``(n, n)`` or ``(batch, n, n)``.
        sizes: of the axes of the grid.
    Returns:
        ``(1 or batch, *sizes, n)``, in the dtype and on the device of ``g``.
    """
    matrix = source_matrices(space, g)
    ranges = [torch.arange(size, dtype=g.dtype, device=g.device) for size in sizes]
    centre = g.new_tensor([(size - 1) / 2 for size in sizes])
    offsets = torch.stack(torch.meshgrid(*ranges, indexing="ij"), -1) - centre
    moved = offsets.reshape(1, -1, len(sizes)) @ matrix.mT + centre
    return moved.reshape(len(matrix), *sizes, len(sizes))
