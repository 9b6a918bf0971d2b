r"""Convolutions on points at any positions.

.. math:: [K \star f]_i = \frac{1}{\sqrt{\bar N}} \sum_{j \in N(i)} K(x_j - x_i)\, f_j, \qquad
          K(x) = \sum_k \varphi_k(|x|) \sum_J K_{kJ} Y_J(x / |x|) \quad (V4)

where the K_kJ are the equivariant kernels with learned weights and the phi_k are learned functions
of the distance.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equinet.field import FieldType, Points
from equinet.harmonics import Angular, Harmonics, angular_coefficients, angular_harmonics
from equinet.nn.module import check_place, randn
from equinet.nn.steerable import Steerable
from equinet.nn.type_checks import check_over
from equinet.numerics.arguments import check_integer, check_memory, check_number, is_integer, is_row
from equinet.numerics.values import check_floating, check_numbers
from equinet.ops import full_precision
from equinet.rep import Block
from equinet.steerable import DirectionKernels, SampledKernels, kernel_basis
from equinet.steerable.kernel_bases import names

# For groups whose irreps have no degree, fine enough to tell the elements of a cube's group apart.
_FINITE_LMAX = 3

_PADDED = "; of a list padded with -1 take edges[:, (edges >= 0).all(0)], and the same shifts"


class RadialNetwork(nn.Module):
    r"""Learned functions of the distance, which fall smoothly to zero at a cutoff.

    .. math:: \varphi(r) = u(r / c)\, \mathrm{MLP}(b(r)), \qquad
              u(t) = (1 - t)^3 (1 + 3 t + 6 t^2) \quad (V5)

    where the b are Gaussians at equal distances.

    Args:
        cutoff: c, in units of length.
        features: number of functions.
        hidden: widths of the hidden layers; without any, phi = u b.
        basis: number of Gaussians.
        generator: for the initial weights.
        device, dtype: of the weights, as in ``torch.nn``.
    Raises:
        TypeError: if ``hidden`` is no row.
        ValueError: for a number out of range.
    Shape:
        ``(...)`` to ``(..., features)``, of second moment about 1.
    """

    def __init__(
        self,
        cutoff: float,
        features: int = 16,
        hidden: tuple[int, ...] = (32,),
        basis: int = 8,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.cutoff = check_number(cutoff, "cutoff", above=0)
        self.features = check_integer(features, "features")
        self.basis = check_integer(basis, "basis")
        if not is_row(hidden):
            raise TypeError(f"hidden: expected widths of layers, got {hidden!r}")
        widths = (basis, *(check_integer(width, "hidden") for width in hidden), features)
        weights = sum(math.prod(pair) for pair in itertools.pairwise(widths))
        check_memory(weights, "hidden", f"layers of widths {widths}")
        check_place(device, dtype)
        self.weights = nn.ParameterList(
            torch.empty(wide, narrow, device=device, dtype=dtype)
            for narrow, wide in zip(widths[:-1], widths[1:], strict=True)
        )
        self.reset_parameters(generator)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the initial weights anew, as the constructor does."""
        with torch.no_grad():
            for weight in self.weights:
                start = randn(*weight.shape, generator=generator)
                weight.copy_(start / math.sqrt(weight.shape[1]))

    def forward(self, r: Tensor) -> Tensor:
        check_floating("r", r)
        t = (r / self.cutoff).clamp(max=1)[..., None]
        step = 1 / (self.basis + 1)
        centres = torch.arange(1, self.basis + 1, dtype=r.dtype, device=r.device) * step
        # The sum of their squares is about 1.12 / 2 * sqrt(pi) everywhere, and then 1 a function.
        y = torch.exp(-(((t - centres) / step) ** 2) / 2) * math.sqrt(self.basis / 1.2533)
        for i, weight in enumerate(self.weights):
            y = F.linear(y if i == 0 else F.silu(y) / 0.5967, weight)  # SiLU's second moment
        return y * (1 - t) ** 3 * (1 + 3 * t + 6 * t * t)

    def extra_repr(self) -> str:
        return f"cutoff={self.cutoff}, features={self.features}, basis={self.basis}"


class PointConv(Steerable):
    r"""Steerable convolution on points, along the edges of a neighbour list (V4).

    Args:
        in_type: fields over ``Points`` in R^1, R^2 or R^3.
        out_type: fields over the same ``Points``.
        radial: the functions phi of the distance, ``(edges,)`` to ``(edges, radial.features)``:
            ``RadialNetwork``, or a module of yours with the attribute ``features``.
        neighbours: the mean number of neighbours of a point, which keeps the variance.
        lmax: largest degree of the harmonics; by default all that the irreps of a continuous group
            can use, 3 for a finite group.
        bias: add a learned constant to the invariant channels of the output.
        generator: for the initial weights.
        device, dtype: of the module and of ``radial``, as in ``torch.nn``.
    Shape:
        x ``(points, channels in)``, positions ``(points, n)``, edges int64 ``(2, count)`` with rows
        j, the neighbour, and i, and shifts ``(count, n)``, which are added to x_j - x_i (for
        neighbours in another cell of a crystal), to ``(points, channels out)``. See
        ``transforms.radius_graph``; a batch is the clouds in a row. On a GPU the check that the
        edges are numbers of points waits for them.
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
        return {**super().constants(dtype), "norms": harmonic_norms(self.lmax, self.n)}

    def forward(
        self, x: Tensor, positions: Tensor, edges: Tensor, shifts: Tensor | None = None
    ) -> Tensor:
        """The convolved features.

        Args:
            x: ``(points, channels in)``.
            positions: ``(points, n)``.
            edges: int64 ``(2, count)``, rows j, the neighbour, and i.
            shifts: ``(count, n)``, added to x_j - x_i, for neighbours in another cell.
        Returns:
            ``(points, channels out)``.
        """
        self.check(x)
        r, (source, target) = edge_vectors(self, x, positions, edges, shifts), edges
        features = x.index_select(0, source)
        radial = self.radial(length(r)).to(x.dtype)
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


class PointLayer(Protocol):
    """What ``edge_vectors`` asks of a layer."""

    n: int
    weight: nn.Parameter


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
    layer: PointLayer, x: Tensor, positions: Tensor, edges: Tensor, shifts: Tensor | None
) -> Tensor:
    """The vectors x_j - x_i + shift along the edges, after a check of them.

    Args:
        layer: that takes them.
        x: its fields.
        positions: of the points.
        edges: as ``PointConv`` takes them.
        shifts: along the edges, or None.
    Returns:
        ``(count, n)``.
    Raises:
        ValueError: for another shape or device, and for an edge to no point.
        TypeError: for another dtype than that of the layer.
    """
    points = x.shape[0]
    _check_vectors(layer, "positions", positions, points)
    check_numbers(
        "edges", edges, "the numbers of neighbour and point", (2, "count"), x, points, _PADDED
    )
    if shifts is not None:
        _check_vectors(layer, "shifts", shifts, edges.shape[1])
    source, target = edges
    # index_select refuses a negative number in a traced program too, where indexing takes it.
    r = positions.index_select(0, source) - positions.index_select(0, target)
    return r if shifts is None else r + shifts


def _check_vectors(layer: PointLayer, name: str, vectors: Tensor, count: int) -> None:
    """Raise unless these are vectors, of the dtype and on the device of the weights."""
    own, kind = layer.weight, type(layer).__name__
    check_floating(name, vectors)
    if vectors.dim() != 2 or vectors.shape[0] != count or vectors.shape[1] != layer.n:
        raise ValueError(f"{name}: expected ({count}, {layer.n}), got {tuple(vectors.shape)}")
    if vectors.device != own.device:
        raise ValueError(
            f"{name}: expected a tensor on {own.device}, where this {kind} is, got one on "
            f"{vectors.device}"
        )
    if vectors.dtype != own.dtype and not torch.is_autocast_enabled(own.device.type):
        raise TypeError(
            f"{name}: expected {own.dtype} as this {kind}, got {vectors.dtype}; use "
            f"{name}.to({own.dtype})"
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
