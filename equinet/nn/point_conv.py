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
from equinet.nn.radial_network import RadialNetwork
from equinet.nn.steerable import Steerable
from equinet.nn.type_checks import check_over
from equinet.numerics.arguments import check_integer, check_memory, check_number, is_integer
from equinet.numerics.values import check_floating, check_numbers
from equinet.ops import full_precision
from equinet.rep import Block
from equinet.steerable import DirectionKernels, SampledKernels, kernel_basis
from equinet.steerable.kernel_bases import names

# For groups whose irreps have no degree, fine enough to tell the elements of a cube's group apart.
_FINITE_LMAX = 3

_PADDED = "; of a list padded with -1 take edges[:, (edges >= 0).all(0)], and the same shifts"


@runtime_checkable
class Neighbours(Protocol):
    """What ``transforms.Graph`` is here: edges and shifts of something that each point has."""

    def of(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Both, or ValueError if ``x`` is of other points."""
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
        self.lmax, self.n = lmax, group.n
        sample = functools.partial(_coefficients, in_type.blocks, out_type.blocks, lmax)
        gain = 1 / math.sqrt(features * neighbours)
        super().__init__(in_type, out_type, sample, features, bias, gain, generator)
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
        sizes = [y.shape[-1] for y in angular_harmonics(self.lmax, torch.zeros(1, self.n))]
        # Times these, every harmonic has second moment 1 in a random direction.
        sizes = torch.tensor(sizes, dtype=torch.float64)
        return {
            **super().constants(dtype),
            "norms": sizes.sqrt().repeat_interleave(sizes.long()),
        }

    def forward(
        self,
        x: Tensor,
        positions: Tensor,
        edges: Tensor | Neighbours,
        shifts: Tensor | None = None,
        *,
        attributes: Tensor | None = None,
    ) -> Tensor:
        """The convolved features.

        Args:
            x: ``(points, channels in)``.
            positions: ``(points, n)``.
            edges: a ``transforms.Graph``, or int64 ``(2, count)``, rows j, the neighbour, and i.
            shifts: ``(count, n)``, added to x_j - x_i, for neighbours in another cell.
            attributes: what the functions of the distance take besides it, ``(count, ...)``.
        Returns:
            ``(points, channels out)``.
        """
        self.check(x)
        if isinstance(edges, Neighbours):
            edges, shifts = edges.of(x)
        self._check_edges(x, positions, edges, shifts)
        source, target = edges
        # index_select refuses a negative number in a traced program too, where indexing takes it.
        r = positions.index_select(0, source) - positions.index_select(0, target)
        r = r if shifts is None else r + shifts
        features = x.index_select(0, source)
        given = () if attributes is None else (attributes,)
        radial = self.radial(_length(r), *given).to(x.dtype)
        harmonics = torch.cat(angular_harmonics(self.lmax, r), -1) * self.get_buffer("norms")
        harmonics = harmonics.to(x.dtype)
        # Sums over the neighbours come first, as they do not need the filter: (m, point, k, in).
        sums = torch.stack(
            [
                x.new_zeros(x.shape[0], radial.shape[1], x.shape[1]).index_add(
                    0, target, (radial * y[:, None])[:, :, None] * features[:, None]
                )
                for y in harmonics.unbind(-1)
            ]
        )
        with full_precision(x):
            filters, bias = self.dense().unflatten(0, (radial.shape[1], -1)), self.shift()
            y = torch.einsum("mpki,koim->po", sums.to(filters.dtype), filters)
        return (y if bias is None else y + bias).to(x.dtype)

    def _check_edges(
        self, x: Tensor, positions: Tensor, edges: Tensor, shifts: Tensor | None
    ) -> None:
        points = x.shape[0]
        self._check_vectors("positions", positions, points)
        check_numbers(
            "edges", edges, "the numbers of neighbour and point", (2, "count"), x, points, _PADDED
        )
        if shifts is not None:
            self._check_vectors("shifts", shifts, edges.shape[1])

    def _check_vectors(self, name: str, vectors: Tensor, count: int) -> None:
        """Raise unless these are vectors, of the dtype and on the device of the weights."""
        own = self.weight
        check_floating(name, vectors)
        if vectors.dim() != 2 or vectors.shape[0] != count or vectors.shape[1] != self.n:
            raise ValueError(f"{name}: expected ({count}, {self.n}), got {tuple(vectors.shape)}")
        if vectors.device != own.device:
            raise ValueError(
                f"{name}: expected a tensor on {own.device}, where this PointConv is, got one on "
                f"{vectors.device}"
            )
        if vectors.dtype != own.dtype and not torch.is_autocast_enabled(own.device.type):
            raise TypeError(
                f"{name}: expected {own.dtype} as this PointConv, got {vectors.dtype}; use "
                f"{name}.to({own.dtype})"
            )


def _coefficients(
    blocks_in: tuple[Block, ...], blocks_out: tuple[Block, ...], lmax: int
) -> SampledKernels:
    """The kernels as coefficients of the angular harmonics."""
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


def _length(r: Tensor) -> Tensor:
    """|r|, with gradient 0 at 0."""
    squares = (r * r).sum(-1)
    off = squares > 0
    return torch.where(off, torch.where(off, squares, torch.ones_like(squares)).sqrt(), squares)
