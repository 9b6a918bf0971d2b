r"""All equivariant kernels between two fibres.

In: representations, steered functions and points. Out: the noun KernelBasis.

A kernel K: R^n -> Hom(rho_in, rho_out) gives an equivariant convolution if and only if

.. math:: K(h x) = \rho_{out}(h)\, K(x)\, \rho_{in}(h)^{-1}, \qquad h \in H \quad (K4)

Written in irreps, and with functions f(h x) = psi_k(h) f(x), this says that the coefficients of
K = sum_m C_{oim} f_m are an invariant tensor of psi_out x psi_in x psi_k. So all kernels are

.. math:: K(x) = Q_{out} \Bigl[ \sum_{f, C} w\, \sum_m C_{\cdot\cdot m}\, f_m(x) \Bigr] Q_{in}^{-1},
          \qquad C \in \mathrm{Hom}_H(\psi_{in} \otimes \psi_k, \psi_{out}) \quad (K5)

with one free weight for each pair of irreps in the fibres, each f and each C. The C are the
Clebsch-Gordan coefficients of H (the theorem of Wigner and Eckart).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from equinet.group import Group
from equinet.harmonics import FilterGrid, SteeredFunctions
from equinet.harmonics.filter_grids import check_grid
from equinet.numerics.cached import cached
from equinet.numerics.frozen import constant
from equinet.numerics.pages import explained
from equinet.ops import Plan
from equinet.rep import Block, Fibre, Irrep, Representation, clebsch_gordan, fibre
from equinet.steerable.expansion import IrrepPair, assemble, constants, plan

# A function vanishes on a grid if its norm is below this part of the largest value of any: (K6)
# would make a filter of its rounding.
_VANISHING = 1e-4


@dataclass(frozen=True)
class KernelBasis:
    """A basis of all kernels (K4) between two fibres that are made of given functions.

    Attributes:
        fibre_in: where the kernels map from.
        fibre_out: where they map to.
        functions: the steered functions; their group is that of the fibres.
    """

    fibre_in: Fibre
    fibre_out: Fibre
    functions: SteeredFunctions

    def __post_init__(self) -> None:
        for name, side in (("fibre_in", self.fibre_in), ("fibre_out", self.fibre_out)):
            if not isinstance(side, Fibre):
                raise TypeError(f"{name}: expected a Fibre, got {type(side).__name__}")
        if not isinstance(getattr(self.functions, "group", None), Group):
            raise TypeError(
                "functions: expected steered functions, such as harmonics.Harmonics, got "
                f"{type(self.functions).__name__}"
            )
        for name, group in (
            ("blocks_in", self.fibre_in.group),
            ("blocks_out", self.fibre_out.group),
        ):
            if group != self.functions.group:
                raise ValueError(
                    f"{name}: expected representations of {self.functions.group}, which steers "
                    f"the functions, got some of {group}"
                )

    @property
    def group(self) -> Group:
        """H."""
        return self.functions.group

    @constant
    def counts(self) -> dict[IrrepPair, int]:
        """The number of kernels between one copy of each pair of irreps, where it is not 0."""
        return _pair_counts(self.fibre_in, self.fibre_out, self.functions.counts)

    @property
    def dim(self) -> int:
        """The number of kernels, which is the number of weights."""
        return _total(self.fibre_in, self.fibre_out, self.counts)

    def at(self, points: Tensor) -> SampledKernels:
        """The kernels at ``points`` ``(..., n)``, as they are, differentiable in the points."""
        return self.made_of(self.functions(points), points.shape[:-1])

    def on(self, grid: FilterGrid) -> SampledKernels:
        r"""The kernels at the taps of a filter, float64, scaled for initialisation.

        The functions are what ``SteeredFunctions.on`` says, without those that vanish on the taps.
        With independent weights of variance 1, a convolution with inputs of variance 1 has outputs
        of variance 1, in the mean over the components of an irrep, and in every component if H maps
        the taps to each other (and Q_out is orthogonal). To that end each kernel has the norm

        .. math:: \sum_{oip} K_{oip}^2 = d_{out} / N_{out} \quad (K6)

        where N_out is the number of kernels that end in one copy of psi_out.

        Raises:
            TypeError: if ``grid`` is no ``FilterGrid``.
            ValueError: if no kernel but zero is left.
        """
        check_grid(grid)
        pairs = {
            (psi_out, psi_in): kernels
            for psi_out in self.fibre_out.counts
            for psi_in in self.fibre_in.counts
            if len(kernels := _pair_on(psi_in, psi_out, self.functions, grid))
        }
        points = grid.points.shape[:-1]
        sampled = SampledKernels(self.fibre_in, self.fibre_out, points, pairs)
        if not sampled.dim:
            raise ValueError(
                explained(
                    f"grid: there is no kernel but zero from {names(self.fibre_in)} to "
                    f"{names(self.fibre_out)} on a filter of size {grid.size}",
                    "guide/pitfalls.md#dead-paths",
                )
            )
        return sampled.scaled()

    def made_of(self, values: dict[Irrep, Tensor], points: Sequence[int]) -> SampledKernels:
        """The kernels made of given values of steered functions, or of their coefficients.

        Args:
            values: for each irrep ``(count, dim, *points)``.
            points: the shape of the points, or of the coefficients.
        Returns:
            The kernels at these points, or their coefficients.
        """
        pairs = {
            (psi_out, psi_in): _pair(psi_in, psi_out, values)
            for psi_out, psi_in in _pair_counts(
                self.fibre_in, self.fibre_out, {psi: len(value) for psi, value in values.items()}
            )
        }
        return SampledKernels(self.fibre_in, self.fibre_out, torch.Size(points), pairs)


def names(fibre: Fibre) -> str:
    """The blocks of a fibre, for people."""
    return " + ".join(f"{mul}x {rho.name}" for mul, rho in fibre.blocks)


def _pair(psi_in: Irrep, psi_out: Irrep, values: dict[Irrep, Tensor]) -> Tensor:
    """The kernels between one copy of each irrep, ``(count, d_out, d_in, *points)``."""
    parts = [
        torch.einsum("bikm,am...->baki...", coupling.to(value), value).flatten(0, 1)
        for psi, value in values.items()
        if len(coupling := invariants(psi_in, psi_out, psi))
    ]
    return torch.cat(parts) if parts else torch.empty(0)


@cached(256)
def _pair_on(
    psi_in: Irrep, psi_out: Irrep, functions: SteeredFunctions, grid: FilterGrid
) -> Tensor:
    """The kernels at the taps of a filter; a deep network asks for the same ones in every layer."""
    return _pair(psi_in, psi_out, _values_on(functions, grid))


@cached(64)
def _values_on(functions: SteeredFunctions, grid: FilterGrid) -> dict[Irrep, Tensor]:
    """The samples of the functions that do not vanish at all taps."""
    found = {}
    whole = functions.on(grid)
    largest = max((float(value.abs().max()) for value in whole.values()), default=0.0)
    for psi, value in whole.items():
        kept = value.flatten(1).norm(dim=1) > _VANISHING * largest
        if kept.any():
            found[psi] = value[kept]
    return found


def invariants(psi_in: Irrep, psi_out: Irrep, psi: Irrep) -> Tensor:
    """The invariant tensors of psi_in x psi_out x psi.

    Args:
        psi_in: irrep of H that a kernel maps from.
        psi_out: that it maps to.
        psi: of the functions.
    Returns:
        Of norm 1, ``(count, d_in, d_out, d)``.
    """
    return clebsch_gordan(psi_in, psi, psi_out).transpose(2, 3)


@cached()
def _invariant_count(psi_in: Irrep, psi_out: Irrep, psi: Irrep) -> int:
    return len(invariants(psi_in, psi_out, psi))


def _pair_counts(
    fibre_in: Fibre, fibre_out: Fibre, functions: dict[Irrep, int]
) -> dict[IrrepPair, int]:
    found = {}
    for psi_out in fibre_out.counts:
        for psi_in in fibre_in.counts:
            count = sum(
                many * _invariant_count(psi_in, psi_out, psi) for psi, many in functions.items()
            )
            if count:
                found[psi_out, psi_in] = count
    return found


def _total(fibre_in: Fibre, fibre_out: Fibre, counts: dict[IrrepPair, int]) -> int:
    return sum(
        fibre_out.counts[psi_out] * fibre_in.counts[psi_in] * count
        for (psi_out, psi_in), count in counts.items()
    )


@dataclass(frozen=True, eq=False)
class SampledKernels:
    """The kernels of a basis at points, pair of irreps by pair of irreps.

    Attributes:
        fibre_in: where the kernels map from.
        fibre_out: where they map to.
        points: shape of the points.
        pairs: for (psi_out, psi_in) the kernels between one copy of each,
            ``(count, d_out, d_in, *points)``.
    """

    fibre_in: Fibre
    fibre_out: Fibre
    points: torch.Size
    pairs: dict[IrrepPair, Tensor]

    @property
    def dim(self) -> int:
        """The number of kernels, which is the number of weights."""
        return sum(math.prod(shape) for shape in self.weight_shapes.values())

    @property
    def weight_shapes(self) -> dict[IrrepPair, tuple[int, int, int]]:
        """Shapes of the weights, (copies of psi_out, copies of psi_in, kernels) for each pair."""
        counts_in, counts_out = self.fibre_in.counts, self.fibre_out.counts
        return {
            (psi_out, psi_in): (counts_out[psi_out], counts_in[psi_in], len(kernels))
            for (psi_out, psi_in), kernels in self.pairs.items()
        }

    def to(self, like: Tensor | torch.dtype | torch.device) -> SampledKernels:
        """The same kernels in another dtype or on another device, as ``Tensor.to``."""
        pairs = {pair: kernels.to(like) for pair, kernels in self.pairs.items()}
        return SampledKernels(self.fibre_in, self.fibre_out, self.points, pairs)

    def scaled(self) -> SampledKernels:
        """The same kernels with the norms (K6)."""
        total: dict[Irrep, int] = {}
        for (psi_out, _), (_, copies_in, count) in self.weight_shapes.items():
            total[psi_out] = total.get(psi_out, 0) + copies_in * count
        pairs = {}
        for (psi_out, psi_in), kernels in self.pairs.items():
            norm = kernels.flatten(1).norm(dim=1).view(-1, *[1] * (kernels.dim() - 1))
            pairs[psi_out, psi_in] = kernels * math.sqrt(psi_out.dim / total[psi_out]) / norm
        return SampledKernels(self.fibre_in, self.fibre_out, self.points, pairs)

    def expand(self, weights: Sequence[Tensor]) -> Tensor:
        """The kernel with the given weights (K5).

        Args:
            weights: one tensor for each pair, of the shapes of ``weight_shapes``, in order.
        Returns:
            ``(dim_out, dim_in, *points)``.
        Raises:
            ValueError: if they have other shapes.
        """
        shapes = [tuple(weight.shape) for weight in weights]
        if shapes != list(self.weight_shapes.values()):
            raise ValueError(
                f"weights: expected tensors of shapes {list(self.weight_shapes.values())}, got "
                f"{shapes}"
            )
        if not self.pairs:
            return self._zeros(self.fibre_out.dim, self.fibre_in.dim)
        return assemble(self.plan, self.constants, weights)

    @property
    def plan(self) -> Plan:
        """Where the blocks of a filter stand, for ``assemble``."""
        counts = {pair: len(kernels) for pair, kernels in self.pairs.items()}
        return plan(self.fibre_out, self.fibre_in, counts, self.points)

    @property
    def constants(self) -> dict[str, Tensor]:
        """The constants of a filter, for ``assemble``."""
        return constants(self.plan, self.fibre_out, self.fibre_in, list(self.pairs.values()))

    def dense(self) -> Tensor:
        """Every kernel by itself, ``(dim, dim_out, dim_in, *points)``; for pictures and tests."""
        shapes, found = self.weight_shapes.items(), []
        for i, (_, shape) in enumerate(shapes):
            for j in range(math.prod(shape)):
                weights = [self.pairs[pair].new_zeros(s) for pair, s in shapes]
                weights[i].view(-1)[j] = 1
                found.append(self.expand(weights))
        if not found:
            return self._zeros(0, self.fibre_out.dim, self.fibre_in.dim)
        return torch.stack(found)

    def _zeros(self, *size: int) -> Tensor:
        return torch.zeros(*size, *self.points, dtype=torch.float64)


def kernel_basis(
    blocks_in: Representation | Iterable[Block],
    blocks_out: Representation | Iterable[Block],
    functions: SteeredFunctions,
) -> KernelBasis:
    """All equivariant kernels from one fibre to another that are made of some functions.

    Args:
        blocks_in: a representation, or the blocks (multiplicity, representation) of a field type.
        blocks_out: likewise.
        functions: ``harmonics.Harmonics`` or ``harmonics.Pixels``.
    Returns:
        The basis.
    Raises:
        ValueError: if the group of the fibres does not steer the functions.

    Example:
        >>> from equinet.group import so3
        >>> from equinet.harmonics import Harmonics, filter_grid, gaussian_shells
        >>> from equinet.rep import irrep
        >>> functions = Harmonics(so3(), gaussian_shells(2))
        >>> basis = kernel_basis(irrep(so3(), 1), irrep(so3(), 1), functions)
        >>> basis.dim, basis.on(filter_grid(5, 3)).dense().shape
        (7, torch.Size([7, 3, 3, 125]))
    """
    return KernelBasis(fibre(blocks_in), fibre(blocks_out), functions)
