"""What layers on points take of a graph: its edges, checked, the vectors along them, an order."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from equinet.field.graph import Graph
from equinet.numerics.values import check_floating, check_numbers
from equinet.ops import EdgeOrder
from equinet.ops.edge_plan import sorted_edges
from equinet.ops.precision import is_autocast

Positions = Tensor | tuple[Tensor, Tensor]  # of both ends of edges, where they are other points

_PADDED = "; of a list padded with -1 take edges[:, (edges >= 0).all(0)], and the same shifts"


@runtime_checkable
class Neighbours(Protocol):
    """What ``transforms.Graph`` is here: edges and shifts of something that each point has."""

    def of(self, x: Tensor, end: int = 0) -> tuple[Tensor, Tensor | None]:
        """Both, or ValueError if ``x`` is of other points than those where edges start, or end."""
        ...


class PointLayer(Protocol):
    """What ``edge_vectors`` asks of a layer."""

    n: int


class Edges(NamedTuple):
    """The edges of a graph: the vectors x_j - x_i along them, and their order for sums."""

    vectors: Tensor
    order: EdgeOrder


def edges_of(
    layer: PointLayer,
    x: Tensor,
    positions: Positions,
    edges: Tensor | Neighbours,
    shifts: Tensor | None,
) -> Edges:
    """What sums over the neighbours take, after a check of it.

    Args:
        layer: that takes them.
        x: its fields at the points where edges start, checked.
        positions: of the points.
        edges: as ``PointConv`` takes them.
        shifts: along the edges, or None.
    Returns:
        The vectors, and the edges sorted, or in the order that a graph has.
    Raises:
        ValueError: for another shape or device, and for an edge to no point.
        TypeError: for another dtype than that of the layer.
    """
    found, vectors = edge_vectors(layer, x, positions, edges, shifts)
    starts, ends = ends_of(positions)
    targets = None if starts is ends else ends.shape[0]
    known = getattr(edges, "order", None) if isinstance(edges, Neighbours) else None
    return Edges(vectors, sorted_edges(found, x.shape[0], targets, known))


def neighbours_of(
    x: Tensor, edges: Tensor | Neighbours, shifts: Tensor | None, end: int = 0
) -> tuple[Tensor, Tensor | None]:
    """Edges and shifts, of a graph or as they are given.

    Args:
        x: the features.
        edges: a ``transforms.Graph``, or int64 ``(2, count)``.
        shifts: ``(count, n)``, or None.
        end: at which points the features are, 0 where edges start, 1 where they end.
    Returns:
        Both as tensors.
    Raises:
        ValueError: if a graph is of other points, or shifts come beside it.
    """
    if not isinstance(edges, Neighbours):
        return edges, shifts
    if shifts is not None:
        raise ValueError("shifts: expected none beside a graph, which has its own")
    return edges.of(x, end)


def ends_of(positions: Positions) -> tuple[Tensor, Tensor]:
    """Where edges start, and where they end.

    Args:
        positions: of all points, or of both ends.
    Returns:
        Both.
    Raises:
        ValueError: if it is a row of anything but two.
    """
    if not isinstance(positions, tuple | list):
        return positions, positions
    if len(positions) != 2:
        raise ValueError(f"positions: expected a tensor or a pair, got {len(positions)}")
    return positions[0], positions[1]


def edge_vectors(
    layer: PointLayer,
    x: Tensor,
    positions: Positions,
    edges: Tensor | Neighbours,
    shifts: Tensor | None,
    end: int = 0,
) -> tuple[Tensor, Tensor]:
    """The edges, and the vectors x_j - x_i + shift along them, after a check of all.

    Args:
        layer: that takes them.
        x: its fields, checked.
        positions: of the points.
        edges: as ``PointConv`` takes them.
        shifts: along the edges, or None.
        end: at which points the fields are, 0 where edges start, 1 where they end.
    Returns:
        ``(2, count)`` and ``(count, n)``.
    Raises:
        ValueError: for another shape or device, and for an edge to no point.
        TypeError: for another dtype than that of the layer.
    """
    points, what = x.shape[0], "the numbers of neighbour and point"
    if isinstance(edges, Graph) and edges.sources is not None:
        positions = edges.pair(positions)  # the positions of one end alone would fit at times
    pair = ends_of(positions)
    found, shifts = neighbours_of(x, edges, shifts, end)
    _check_vectors(layer, x, "positions", pair[end], points)
    if pair[0] is not pair[1]:
        _check_vectors(layer, x, "positions", pair[1 - end])
        check_numbers("edges", found, what, (2, "count"), x, padded=_PADDED)
        for row, one in zip(found, pair, strict=True):
            check_numbers("edges", row, what, ("count",), x, one.shape[0])
    elif not _is_checked(edges, found, x):
        check_numbers("edges", found, what, (2, "count"), x, points, _PADDED)
    if shifts is not None:
        _check_vectors(layer, x, "shifts", shifts, found.shape[1])
    source, target = found
    # index_select refuses a negative number in a traced program too, where indexing takes it.
    r = pair[0].index_select(0, source) - pair[1].index_select(0, target)
    return found, r if shifts is None else r + shifts


def _is_checked(edges: Tensor | Neighbours, found: Tensor, x: Tensor) -> bool:
    """Whether they are the edges of a graph of the same points, which has checked their numbers."""
    return isinstance(edges, Graph) and edges.sources is None and found.device == x.device


def _check_vectors(
    layer: PointLayer, x: Tensor, name: str, vectors: Tensor, count: int | None = None
) -> None:
    """Raise unless these are vectors, of the dtype and on the device of the fields."""
    kind = type(layer).__name__
    check_floating(name, vectors, layer.n)
    if vectors.dim() != 2 or count is not None and vectors.shape[0] != count:
        wanted = "any" if count is None else count
        raise ValueError(f"{name}: expected ({wanted}, {layer.n}), got {tuple(vectors.shape)}")
    if vectors.device != x.device:
        raise ValueError(
            f"{name}: expected a tensor on {x.device}, where this {kind} is, got one on "
            f"{vectors.device}"
        )
    if vectors.dtype != x.dtype and not is_autocast(x):
        raise TypeError(
            f"{name}: expected {x.dtype} as this {kind}, got {vectors.dtype}; use "
            f"{name}.to({x.dtype})"
        )


def length(r: Tensor) -> Tensor:
    """|r|, with gradient 0 at 0."""
    squares = (r * r).sum(-1)
    off = squares > 0
    return torch.where(off, torch.where(off, squares, torch.ones_like(squares)).sqrt(), squares)
