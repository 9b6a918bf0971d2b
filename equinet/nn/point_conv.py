r"""Convolutions on points at any positions.

.. math:: [K \star f]_i = \frac{1}{\sqrt{\bar N}} \sum_{j \in N(i)} K(x_j - x_i)\, f_j, \qquad
          K(x) = \sum_k \varphi_k(|x|) \sum_J K_{kJ} Y_J(x / |x|) \quad (V4)

where the K_kJ are the equivariant kernels with learned weights and the phi_k are learned functions
of the distance.
"""

from __future__ import annotations

import functools
import math
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from equinet.field import FieldType, Points
from equinet.harmonics import Angular, Harmonics, angular_coefficients, angular_harmonics
from equinet.nn.edge_paths import EdgeHarmonics, EdgePaths, irrep_bases
from equinet.nn.radial_network import RadialNetwork
from equinet.nn.steerable import Steerable
from equinet.nn.type_checks import check_over
from equinet.numerics.arguments import check_integer, check_memory, check_number, is_integer
from equinet.numerics.values import check_floating, check_numbers
from equinet.ops import EdgeOrder, edge_order, edge_sum, full_precision
from equinet.rep import Block
from equinet.steerable import DirectionKernels, SampledKernels, kernel_basis
from equinet.steerable.kernel_bases import names

# For groups whose irreps have no degree, fine enough to tell the elements of a cube's group apart.
_FINITE_LMAX = 3

Positions = Tensor | tuple[Tensor, Tensor]  # of both ends of edges, where they are other points

_PADDED = "; of a list padded with -1 take edges[:, (edges >= 0).all(0)], and the same shifts"


@runtime_checkable
class Neighbours(Protocol):
    """What ``transforms.Graph`` is here: edges and shifts of something that each point has."""

    def of(self, x: Tensor, end: int = 0) -> tuple[Tensor, Tensor | None]:
        """Both, or ValueError if ``x`` is of other points than those where edges start, or end."""
        ...


class PointConv(Steerable):
    r"""Steerable convolution on points, along the edges of a neighbour list (V4).

    Args:
        in_type: fields over ``Points`` in R^1, R^2 or R^3.
        out_type: fields over the same ``Points``.
        radial: the functions phi of the distance, ``(edges,)`` to ``(edges, radial.features)``:
            ``RadialNetwork``, or a module of yours with the attribute ``features``. Attributes of
            the edges are its second argument.
        neighbours: the mean number of neighbours of a point, which keeps the variance.
        lmax: largest degree of the harmonics; by default all that the irreps of a continuous group
            can use, 3 for a finite group.
        bias: add a learned constant to the invariant channels of the output.
        generator: for the initial weights.
        device, dtype: of the module and of ``radial``, as in ``torch.nn``.
    Shape:
        x ``(points, channels in)``, positions ``(points, n)``, edges int64 ``(2, count)`` with rows
        j, the neighbour, and i, and shifts ``(count, n)``, which are added to x_j - x_i (for
        neighbours in another cell of a crystal), to ``(points, channels out)``. A Graph of
        ``transforms.radius_graph`` may stand for both; a batch is the clouds in a row. Where
        ``radial`` takes attributes of the edges, ``attributes=`` passes them, ``(count,
        attributes)``. On a GPU the check that the edges are numbers of points waits for them.

        Where the j are other points than the i, as atoms with ghosts around them or a finer level
        are, x is of the former and positions are a pair, ``((sources, n), (targets, n))``: the
        result is ``(targets, channels out)``. ``transforms.neighbour_graph`` has such edges.
    Raises:
        ValueError: for types over another space, an argument out of range, and if there is no
            kernel but zero; in ``forward`` for another shape, and for an edge to no point.
    """

    lacking = "its harmonics end at too low a degree"

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        radial: nn.Module,
        *,
        neighbours: float,
        lmax: int | None = None,
        bias: bool = True,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        features, lmax = check_point_layer(in_type, out_type, radial, neighbours, lmax)
        self.lmax, self.n = lmax, in_type.space.fibre_group.n
        sample = functools.partial(direction_kernels, in_type.blocks, out_type.blocks, lmax)
        gain = 1 / math.sqrt(features * neighbours)
        super().__init__(in_type, out_type, sample, features, bias, gain, generator)
        with torch.device("cpu"):
            self._paths = EdgePaths(sample())
        self.harmonics = EdgeHarmonics(lmax, self.n)
        self.radial = radial
        self.place(device, dtype)

    def kernel_space(self) -> DirectionKernels:
        """For each radial function, all functions of the direction."""
        return DirectionKernels(*self.fibres(), self.lmax, filters=len(self.weight))

    def meaning(self) -> str:
        """And which functions of the distance the learned ones are made of."""
        own = isinstance(self.radial, RadialNetwork)
        return f"{super().meaning()}, {self.radial.extra_repr()}" if own else super().meaning()

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        norms = harmonic_norms(self.lmax, self.n)
        bases = irrep_bases(self.in_type.fibre, self.out_type.fibre)
        return {**super().constants(dtype), "norms": norms, **bases}

    def forward(
        self,
        x: Tensor,
        positions: Positions,
        edges: Tensor | Neighbours,
        shifts: Tensor | None = None,
        *,
        attributes: Tensor | None = None,
    ) -> Tensor:
        """The convolved features.

        Args:
            x: ``(points, channels in)``.
            positions: ``(points, n)``; of both ends as a pair where they are other points.
            edges: a ``transforms.Graph``, or int64 ``(2, count)``, rows j, the neighbour, and i.
            shifts: ``(count, n)``, added to x_j - x_i, for neighbours in another cell.
            attributes: what the functions of the distance take besides it, ``(count, ...)``.
        Returns:
            ``(points, channels out)``.
        """
        self.check(x)
        found, shifts = neighbours_of(x, edges, shifts)
        r = edge_vectors(self, x, positions, found, shifts)
        dtype, into, out = self.weight.dtype, *map(self._buffers.get, ("into", "out_of"))
        given = () if attributes is None else (attributes,)
        distances, harmonics = self.harmonics(r)
        radial = self.radial(distances, *given).to(dtype)
        with full_precision(x):
            features = x.to(dtype) if into is None else x.to(dtype) @ into.mT
            order = order_of(edges, found, x.shape[0], ends_of(positions)[1].shape[0])
            norms = self.get_buffer("norms")
            turns = self.kernels.view(-1, len(norms)) * norms
            kernels = harmonics.mT.to(dtype) @ turns.mT
            # Sums over the neighbours come first, as they do not need the weights.
            z = edge_sum(self._paths.plan, features, kernels, radial, None, order)
            parts = self._paths.by_irrep(z, radial.shape[1])
            y, bias = self._paths.mixed(parts, self._matrices()), self.shift()
            y = y if out is None else y @ out.mT
            return (y if bias is None else y + bias).to(x.dtype)

    def _matrices(self) -> list[Tensor]:
        """The weights for each irrep of the output, (radial function, kernel, copy) by copies."""
        shapes, columns = [shape[:3] for shape in self._plan.shapes], len(self._plan.into.dims)
        weights = self.weight.split([math.prod(shape) for shape in shapes], 1)
        parts = [
            weight.unflatten(1, shape).permute(0, 3, 2, 1).flatten(1, 2)
            for weight, shape in zip(weights, shapes, strict=True)
        ]
        rows = [torch.cat(parts[i : i + columns], 1) for i in range(0, len(parts), columns)]
        return [row.flatten(0, 1) for row, live in zip(rows, self._paths.live, strict=True) if live]


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
        ValueError: if a graph is of other points.
    """
    return edges.of(x, end) if isinstance(edges, Neighbours) else (edges, shifts)


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


def order_of(edges: Tensor | Neighbours, found: Tensor, sources: int, targets: int) -> EdgeOrder:
    """The edges sorted, or in the order that a graph has.

    Args:
        edges: a ``transforms.Graph``, or int64 ``(2, count)``.
        found: the edges themselves.
        sources: the number of points where they start.
        targets: of those where they end.
    Returns:
        What ``edge_sum`` takes.
    """
    known = getattr(edges, "order", None) if isinstance(edges, Neighbours) else None
    return edge_order(found, sources, targets, known)


class PointLayer(Protocol):
    """What ``edge_vectors`` asks of a layer."""

    n: int


def check_point_layer(
    in_type: FieldType,
    out_type: FieldType,
    radial: nn.Module,
    neighbours: float,
    lmax: int | None,
) -> tuple[int, int]:
    """Check the arguments of a layer whose kernels are functions of the distance and direction.

    Args:
        in_type: as ``PointConv`` takes it, and so the others.
        out_type: of the output.
        radial: the functions of the distance.
        neighbours: their mean number.
        lmax: the largest degree, or None.
    Returns:
        The number of radial functions, and the largest degree of the harmonics.
    Raises:
        ValueError: for types over another space, and for an argument out of range.
    """
    check_over(Points, in_type, out_type)
    features = getattr(radial, "features", None)
    if not is_integer(features):
        raise ValueError(
            "radial: expected a module with the attribute features, the number of its "
            f"functions, got {type(radial).__name__}"
        )
    check_number(neighbours, "neighbours", above=0)
    group = in_type.space.fibre_group
    if lmax is None:
        most = [max(rho.degree for _, rho in t.blocks) for t in (in_type, out_type)]
        lmax = _FINITE_LMAX if group.is_finite else sum(most)
    check_integer(lmax, "lmax", least=0)
    harmonics = (lmax + 1) ** (group.n - 1)
    check_memory(harmonics**2, "lmax", f"products of {harmonics} harmonics")
    return features, lmax


def harmonic_norms(lmax: int, n: int) -> Tensor:
    """Times these, every harmonic up to a degree has second moment 1 in a random direction."""
    sizes = [y.shape[-1] for y in angular_harmonics(lmax, torch.zeros(1, n))]
    sizes = torch.tensor(sizes, dtype=torch.float64)
    return sizes.sqrt().repeat_interleave(sizes.long())


def edge_vectors(
    layer: PointLayer,
    x: Tensor,
    positions: Positions,
    edges: Tensor,
    shifts: Tensor | None,
    end: int = 0,
) -> Tensor:
    """The vectors x_j - x_i + shift along the edges, after a check of them.

    Args:
        layer: that takes them.
        x: its fields, checked.
        positions: of the points.
        edges: as ``PointConv`` takes them.
        shifts: along the edges, or None.
        end: at which points the fields are, 0 where edges start, 1 where they end.
    Returns:
        ``(count, n)``.
    Raises:
        ValueError: for another shape or device, and for an edge to no point.
        TypeError: for another dtype than that of the layer.
    """
    points, pair, what = x.shape[0], ends_of(positions), "the numbers of neighbour and point"
    _check_vectors(layer, x, "positions", pair[end], points)
    if pair[0] is pair[1]:
        check_numbers("edges", edges, what, (2, "count"), x, points, _PADDED)
    else:
        _check_vectors(layer, x, "positions", pair[1 - end])
        check_numbers("edges", edges, what, (2, "count"), x, padded=_PADDED)
        for row, one in zip(edges, pair, strict=True):
            check_numbers("edges", row, what, ("count",), x, one.shape[0])
    if shifts is not None:
        _check_vectors(layer, x, "shifts", shifts, edges.shape[1])
    source, target = edges
    # index_select refuses a negative number in a traced program too, where indexing takes it.
    r = pair[0].index_select(0, source) - pair[1].index_select(0, target)
    return r if shifts is None else r + shifts


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
    if vectors.dtype != x.dtype and not torch.is_autocast_enabled(x.device.type):
        raise TypeError(
            f"{name}: expected {x.dtype} as this {kind}, got {vectors.dtype}; use "
            f"{name}.to({x.dtype})"
        )


def direction_kernels(
    blocks_in: tuple[Block, ...], blocks_out: tuple[Block, ...], lmax: int
) -> SampledKernels:
    """The kernels between two fibres as coefficients of the angular harmonics.

    Args:
        blocks_in: of the fields that go in.
        blocks_out: of those that come out.
        lmax: the largest degree of the harmonics.
    Returns:
        Kernels whose points are the harmonics, with the norms of ``SampledKernels.scaled``.
    Raises:
        ValueError: if there is no kernel but zero.
    """
    group = blocks_in[0][1].group
    basis = kernel_basis(blocks_in, blocks_out, Harmonics(group, Angular(lmax)))
    values = angular_coefficients(group, lmax)
    count = next(iter(values.values())).shape[-1]
    sampled = basis.made_of(values, (count,))
    if not sampled.dim:
        raise ValueError(
            f"lmax: there is no kernel but zero from {names(basis.fibre_in)} to "
            f"{names(basis.fibre_out)} up to degree {lmax}"
        )
    return sampled.scaled()


def length(r: Tensor) -> Tensor:
    """|r|, with gradient 0 at 0."""
    squares = (r * r).sum(-1)
    off = squares > 0
    return torch.where(off, torch.where(off, squares, torch.ones_like(squares)).sqrt(), squares)
