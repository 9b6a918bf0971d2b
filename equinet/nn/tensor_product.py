"""Learned products of fields."""

import math
from itertools import combinations_with_replacement
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from equinet.field import FieldType
from equinet.nn.dead_ends import warn_of_dead_ends
from equinet.nn.layout import laid_out
from equinet.nn.meaning import fingerprint
from equinet.nn.module import EquivariantModule, randn
from equinet.numerics.cached import on_cpu
from equinet.ops import full_precision
from equinet.rep import Irrep, change_blocks, clebsch_gordan


class Pair(NamedTuple):
    """Products of two irreps of the input.

    Attributes:
        left: of these each copy takes part, ``copies`` of them; the rarer irrep of the two.
        right: of these a learned sum takes part for each copy on the left.
        copies: multiplicity of ``left``.
        others: multiplicity of ``right``.
        paths: for each irrep of the output its number and how many products lead there.
    """

    left: int
    right: int
    copies: int
    others: int
    paths: tuple[tuple[int, int], ...]


class TensorProduct(EquivariantModule):
    r"""A learned bilinear map of the input with itself.

    .. math:: z^k_o = \sum_{i \le j} \sum_p \sum_u W^p_{ou}\,
              C^p\Bigl(x^i_u, \sum_v V^{ij}_{uv} x^j_v\Bigr)

    x^i_u is copy u of irrep i in the input, counted over all blocks; C^p are all equivariant maps
    from irreps i and j to irrep k (``rep.clebsch_gordan``). The second factor is mixed first, by
    V, so that every field meets every other. W and V are learned. Every term is quadratic: add a
    ``Linear`` of the input where linear terms are wanted.

    Initial weights W are normal and the rows of V have norm 1, scaled so that independent normal
    inputs of variance 1 give outputs of mean square 1. Over the sphere products have degrees above
    the band, so the equivariance is approximate there.

    Args:
        in_type: fields of finite dimension.
        out_type: fields over the same space, any that occur in products of the input.
        generator: for the initial weights.
        device, dtype: of the module, as in ``torch.nn``.
    Raises:
        ValueError: if no product leads to any field of ``out_type``.
    Warns:
        UserWarning: if channels of a type have no product.

    Example:
        >>> from equinet.field import Point
        >>> fields = Point("SO(3)", dim=3).fields
        >>> cross = TensorProduct(fields("2x1"), fields("4x1"))  # cross products of vectors
        >>> cross(torch.ones(8, 6)).shape
        torch.Size([8, 12])
    """

    out_type: FieldType  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        *,
        generator: Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_type, out_type)
        _check_types(in_type, out_type)
        self.aliases = in_type.space.is_band_limited
        self.sizes_in = [(mul, rho.dim) for mul, rho in in_type.blocks]
        self.sizes_out = [(mul, rho.dim) for mul, rho in out_type.blocks]
        self.irreps_in = [(count, psi.dim) for psi, count in in_type.fibre.counts.items()]
        self.irreps_out = [(count, psi.dim) for psi, count in out_type.fibre.counts.items()]
        self.pairs = _pairs(in_type, out_type)
        self._check_paths()
        self.mixers = nn.ParameterList(torch.empty(p.copies, p.others) for p in self.pairs)
        self.weights = nn.ParameterList(
            torch.empty(self.irreps_out[k][0], pair.copies, count)
            for pair in self.pairs
            for k, count in pair.paths
        )
        self.reset_parameters(generator)
        self.set_constants()
        self.place(device, dtype)

    def _check_paths(self) -> None:
        """Warn of fields without products; ValueError if there are none at all."""
        irreps_in, irreps_out = list(self.in_type.fibre.counts), list(self.out_type.fibre.counts)
        reached = {irreps_out[k] for pair in self.pairs for k, _ in pair.paths}
        read = {irreps_in[i] for pair in self.pairs for i in (pair.left, pair.right)}
        if not reached:
            raise ValueError(
                f"out_type: there is no equivariant map but zero from products of {self.in_type!r} "
                f"to {self.out_type!r}"
            )
        warn_of_dead_ends(self, self.out_type, reached, read, "product", 4)

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Draw the initial weights anew; each of N paths into k has 1 / N of the mean square."""
        incoming = [0] * len(self.irreps_out)
        for pair in self.pairs:
            for k, count in pair.paths:
                incoming[k] += count
        weights = iter(self.weights)
        with torch.no_grad():
            for pair, mixer in zip(self.pairs, self.mixers, strict=True):
                start = randn(*mixer.shape, generator=generator)
                mixer.copy_(start / start.norm(dim=1, keepdim=True))
                for k, _ in pair.paths:
                    weight = next(weights)
                    # The products (constants) have squares of mean 1 / dim.
                    scale = math.sqrt(self.irreps_out[k][1] / (pair.copies * incoming[k]))
                    weight.copy_(randn(*weight.shape, generator=generator) * scale)

    @on_cpu
    def meaning(self) -> str:
        """The types, and the products of which the weights are coefficients."""
        constants = self.constants(torch.float64)
        products = [constants[f"products_{i}"] for i in range(len(self.pairs))]
        return f"{super().meaning()}, products {fingerprint(products)}"

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        fibre_in, fibre_out = self.in_type.fibre, self.out_type.fibre
        found = {}
        for name, matrices in (
            ("inverse", fibre_in.matrices(inverse=True)),
            ("basis", fibre_out.matrices()),
        ):
            found |= {f"{name}_{i}": q for i, q in enumerate(matrices) if q is not None}
        if fibre_in.permutation is not None:
            found["order_in"] = fibre_in.permutation.argsort()
        if fibre_out.permutation is not None:
            found["order_out"] = fibre_out.permutation
        irreps_in, irreps_out = list(fibre_in.counts), list(fibre_out.counts)
        for i, pair in enumerate(self.pairs):
            # All products of the pair as rows of one matrix: (irrep, path, component).
            rows = [_products(pair, irreps_in, irreps_out[k]) for k, _ in pair.paths]
            rows = [c.permute(0, 3, 1, 2).flatten(2).flatten(0, 1) for c in rows]
            found[f"products_{i}"] = torch.cat(rows)
        return found

    def _matrices(self, name: str, count: int) -> list[Tensor | None]:
        return [getattr(self, f"{name}_{i}", None) for i in range(count)]

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        y = x.to(torch.promote_types(x.dtype, torch.float32))  # products need the digits
        y = y.movedim(1, 0)
        with full_precision(x):
            z = self._fields(self._multiply(self._irreps(y.flatten(1))), y.flatten(1))
        return laid_out(z.unflatten(1, y.shape[1:]).movedim(0, 1), x).to(x.dtype)

    def _irreps(self, x: Tensor) -> list[Tensor]:
        """From ``(channels, points)`` all copies of each irrep: ``(copy, component, points)``."""
        inverse = self._matrices("inverse", len(self.sizes_in))
        z = change_blocks(x, 0, self.sizes_in, inverse)
        order = getattr(self, "order_in", None)
        z = z if order is None else z.index_select(0, order)
        parts = z.split([count * dim for count, dim in self.irreps_in])
        return [part.unflatten(0, size) for part, size in zip(parts, self.irreps_in, strict=True)]

    def _multiply(self, parts: list[Tensor]) -> list[list[Tensor]]:
        """The terms of each irrep of the output: ``(copy, component and point)``."""
        found: list[list[Tensor]] = [[] for _ in self.irreps_out]
        weights = iter(self.weights)
        for i, (pair, mixer) in enumerate(zip(self.pairs, self.mixers, strict=True)):
            left, right = parts[pair.left], parts[pair.right]
            mixed = (mixer.to(right) @ right.flatten(1)).unflatten(1, right.shape[1:])
            outer = left.unsqueeze(2) * mixed.unsqueeze(1)  # (copy, i, j, points)
            outer = outer.movedim(0, 2).flatten(0, 1).flatten(1)
            # Rows of the matrix are (irrep, path, component), columns are (i, j).
            terms = (getattr(self, f"products_{i}").to(outer) @ outer).unflatten(1, left.shape[::2])
            sizes = [(count, self.irreps_out[k][1]) for k, count in pair.paths]
            split = terms.split([count * dim for count, dim in sizes])
            for (k, _), size, term in zip(pair.paths, sizes, split, strict=True):
                # (path, component, copy, points): paths and copies are summed over.
                rows = term.unflatten(0, size).movedim(2, 0).flatten(0, 1).flatten(1)
                found[k].append(next(weights).to(rows).flatten(1) @ rows)
        return found

    def _fields(self, irreps: list[list[Tensor]], x: Tensor) -> Tensor:
        """The output from all terms of each irrep of it; zero where there are none."""
        parts = [
            sum(terms[1:], terms[0]).view(count * dim, x.shape[1])
            if terms
            else x.new_zeros(count * dim, x.shape[1])
            for terms, (count, dim) in zip(irreps, self.irreps_out, strict=True)
        ]
        z = torch.cat(parts)
        order = getattr(self, "order_out", None)
        z = z if order is None else z.index_select(0, order)
        basis = self._matrices("basis", len(self.sizes_out))
        return change_blocks(z, 0, self.sizes_out, basis)


def _pairs(in_type: FieldType, out_type: FieldType) -> list[Pair]:
    """All pairs of irreps of the input from which something of the output comes."""
    counts_in, counts_out = in_type.fibre.counts, out_type.fibre.counts
    irreps_in, found = list(counts_in), []
    for i, j in combinations_with_replacement(range(len(irreps_in)), 2):
        if counts_in[irreps_in[i]] > counts_in[irreps_in[j]]:
            i, j = j, i
        copies, others = counts_in[irreps_in[i]], counts_in[irreps_in[j]]
        pair = Pair(i, j, copies, others, ())
        paths = ((k, len(_products(pair, irreps_in, psi))) for k, psi in enumerate(counts_out))
        paths = tuple((k, count) for k, count in paths if count)
        if paths:
            found.append(pair._replace(paths=paths))
    return found


def _products(pair: Pair, irreps_in: list[Irrep], psi: Irrep) -> Tensor:
    """The maps C^p to ``psi``, scaled to outputs of mean square 1 / dim: ``(paths, i, j, k)``."""
    c = clebsch_gordan(irreps_in[pair.left], irreps_in[pair.right], psi)
    if pair.left != pair.right or not len(c):
        return c
    # x_u meets itself, where the antisymmetric part is zero: those two kinds are kept apart.
    even, odd = _orthonormal(c + c.transpose(1, 2)), _orthonormal(c - c.transpose(1, 2))
    kinds = [(even, 1), (odd, -1)] if pair.copies > 1 else [(even, 1)]
    scaled = []
    for products, sign in kinds:
        # E |C(x_u, V x)|^2 = 1 + (E |C(x, x)|^2 - 1) / copies, by Wick's theorem.
        trace = products.diagonal(dim1=1, dim2=2).sum(-1).square().sum(-1)
        square = 1 + (sign + trace) / pair.copies
        scaled.append(products / square.sqrt()[:, None, None, None])
    return torch.cat(scaled)


def _orthonormal(products: Tensor) -> Tensor:
    """An orthonormal basis of the span of the first axis, by Gram and Schmidt."""
    found: list[Tensor] = []
    for c in products:
        for other in found:
            c = c - other * (other * c).sum()
        if c.norm() > 1e-6:
            found.append(c / c.norm())
    return torch.stack(found) if found else products[:0]


def _check_types(in_type: FieldType, out_type: FieldType) -> None:
    if not isinstance(out_type, FieldType):
        raise TypeError(f"out_type: expected a FieldType, got {type(out_type).__name__}")
    if out_type.space != in_type.space:
        raise ValueError(
            f"out_type: expected fields over {in_type.space}, as in_type, got {out_type!r}"
        )
    for name, field_type in (("in_type", in_type), ("out_type", out_type)):
        for _, rho in field_type.blocks:
            if rho.is_regular:
                raise ValueError(
                    f"{name}: expected fields of finite dimension, got {rho!r} in {field_type!r}"
                )
