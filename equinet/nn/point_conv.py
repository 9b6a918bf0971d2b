r"""Convolutions on points at any positions.

.. math:: [K \star f]_i = \frac{1}{\sqrt{\bar N}} \sum_{j \in N(i)} K(x_j - x_i)\, f_j, \qquad
          K(x) = \sum_k \varphi_k(|x|) \sum_J K_{kJ} Y_J(x / |x|) \quad (V4)

where the K_kJ are the equivariant kernels with learned weights and the phi_k are learned functions
of the distance.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor, nn

from equinet.field import FieldType, Points
from equinet.harmonics import Angular, Harmonics, angular_coefficients, angular_harmonics
from equinet.nn.edge_paths import EdgeConv, EdgeHarmonics, EdgePaths, irrep_bases
from equinet.nn.radial_network import RadialNetwork
from equinet.nn.steerable import Steerable
from equinet.nn.type_checks import check_over
from equinet.numerics.arguments import check_integer, check_memory, check_number, is_integer
from equinet.numerics.pages import explained
from equinet.ops import IrrepMap, irrep_product
from equinet.rep import Block, Fibre
from equinet.steerable import DirectionKernels, SampledKernels, kernel_basis
from equinet.steerable.kernel_bases import names

# For groups whose irreps have no degree, fine enough to tell the elements of a cube's group apart.
_FINITE_LMAX = 3


class PointConv(Steerable, EdgeConv):
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
        self._maps = _maps(out_type.fibre, self._paths, features)
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
        found, norms = super().constants(dtype), harmonic_norms(self.lmax, self.n)
        found["turned"] = (found["kernels"].view(-1, len(norms)) * norms).mT
        return found | irrep_bases(self.in_type.fibre, self.out_type.fibre)

    def turns(self) -> Tensor:
        return self.get_buffer("turned")

    def scales(self) -> None:
        """Sums over the neighbours come first, as they do not need the weights."""

    def mixed(self, z: Tensor, features: int) -> Tensor:
        return irrep_product(self._maps, z, self._matrices(), self.out_type.fibre.dim)

    def _matrices(self) -> Tensor:
        """For each irrep of the output (copies, (radial function, kernel, copy)), in a row."""
        shapes, columns = [shape[:3] for shape in self._plan.shapes], len(self._plan.into.dims)
        weights = self.weight.split([math.prod(shape) for shape in shapes], 1)
        parts = [
            weight.unflatten(1, shape).permute(1, 0, 3, 2).flatten(2)
            for weight, shape in zip(weights, shapes, strict=True)
        ]
        rows = [torch.cat(parts[i : i + columns], 2) for i in range(0, len(parts), columns)]
        return torch.cat([row.flatten() for row in rows])


def _maps(fibre: Fibre, paths: EdgePaths, features: int) -> list[IrrepMap]:
    """Those of the irreps of the output where a path ends."""
    found, places, ends, out = [], paths.places(features), paths.fibre.counts, 0
    for psi, copies in fibre.counts.items():
        if psi in places:
            sizes = psi.dim, copies, ends[psi], features
            found.append(IrrepMap(*sizes, *places[psi], out))
        out += copies * psi.dim
    return found


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
            explained(
                f"lmax: there is no kernel but zero from {names(basis.fibre_in)} to "
                f"{names(basis.fibre_out)} up to degree {lmax}",
                "guide/pitfalls.md#dead-paths",
            )
        )
    return sampled.scaled()
