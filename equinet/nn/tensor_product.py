"""Learned products of fields."""

from __future__ import annotations

import math
from itertools import combinations_with_replacement
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from equinet.field import FieldType
from equinet.nn.bilinear import check_factors, mapped, rows_of
from equinet.nn.irrep_parts import JoinIrreps, SplitIrreps
from equinet.nn.kernel_layer import KernelLayer, irrep_paths
from equinet.nn.layout import laid_out
from equinet.nn.meaning import fingerprint
from equinet.nn.module import randn
from equinet.nn.steerable import field_numbers
from equinet.numerics import Constant
from equinet.numerics.cached import on_cpu
from equinet.numerics.subspace import span_basis
from equinet.ops import full_precision
from equinet.rep import Irrep, clebsch_gordan


class IrrepProduct(NamedTuple):
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


class TensorProduct(KernelLayer):
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
    Shape:
        ``in_type.shape(batch, ...)`` to ``out_type.shape(batch, ...)``.
    Raises:
        TypeError: if a type is no ``FieldType``.
        ValueError: for types over different spaces, fields sampled on a continuous group, and if no
            product leads to any field of ``out_type``.
    Warns:
        UserWarning: if channels of a type have no product.

    Attributes:
        weights: W, ``(copies of irrep k, copies of x_u, paths)`` for each pair of irreps i, j and
            each k; a list, as each has a deviation of its own.
        mixers: V, ``(copies of irrep i, copies of irrep j)`` for each pair.

    Example:
        >>> from equinet.field import Point
        >>> fields = Point("SO(3)", dim=3).fields
        >>> cross = TensorProduct(fields("2x1"), fields("4x1"))  # cross products of vectors
        >>> cross(torch.ones(8, 6)).shape
        torch.Size([8, 12])
    """

    maps = "product"

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        *,
        generator: Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_factors(in_type=in_type, out_type=out_type)
        super().__init__(in_type, out_type)
        self.aliases = in_type.space.is_band_limited
        self.split, self.join = SplitIrreps(in_type), JoinIrreps(out_type)
        self.pairs = _pairs(in_type, out_type)
        self._check_paths()
        self.mixers = nn.ParameterList(torch.empty(p.copies, p.others) for p in self.pairs)
        self.weights = nn.ParameterList(
            torch.empty(self.join.irreps[k][0], pair.copies, count)
            for pair in self.pairs
            for k, count in pair.paths
        )
        self.reset_parameters(generator)
        self.set_constants()
        self.place(device, dtype)

    def _check_paths(self) -> None:
        """Warn of fields without products; ValueError if there are none at all."""
        irreps_in, irreps_out = list(self.in_type.fibre.counts), list(self.out_type.fibre.counts)
        products = {
            (irreps_out[k], irreps_in[side])
            for pair in self.pairs
            for k, _ in pair.paths
            for side in (pair.left, pair.right)
        }
        if not products:
            raise ValueError(
                f"out_type: there is no equivariant map but zero from products of {self.in_type!r} "
                f"to {self.out_type!r}"
            )
        self.set_paths(irrep_paths(self.in_type, self.out_type, products))

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Draw the initial weights anew; each of N paths into k has 1 / N of the mean square."""
        incoming = [0] * len(self.join.irreps)
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
                    scale = math.sqrt(self.join.irreps[k][1] / (pair.copies * incoming[k]))
                    weight.copy_(randn(*weight.shape, generator=generator) * scale)

    @on_cpu
    def meaning(self) -> str:
        """The types, and the products of which the weights are coefficients."""
        return f"{super().meaning()}, products {fingerprint(self._products())}"

    def _products(self) -> list[Tensor]:
        """All products of each pair as rows of one matrix: (irrep, path, component)."""
        irreps_in, irreps_out = list(self.in_type.fibre.counts), list(self.out_type.fibre.counts)
        found = []
        for pair in self.pairs:
            maps = [_products(pair, irreps_in, irreps_out[k]) for k, _ in pair.paths]
            found.append(torch.cat([rows_of(c) for c in maps]))
        return found

    def constants(self, dtype: torch.dtype) -> dict[str, Constant]:
        return {"products": self._products()}

    def dense(self) -> Tensor:
        """The symmetric T with z_o = sum_ij T_oij x_i x_j.

        Returns:
            ``(channels out, channels in, channels in)``.
        """
        one = torch.eye(self.in_type.channels).to(self.mixers[0])
        squares = self._square(one)
        sums = self._square((one[:, :, None] + one[:, None]).flatten(1)).unflatten(1, one.shape)
        return (sums - squares[:, :, None] - squares[:, None]) / 2  # T(x + y) - T(x) - T(y)

    def fields(self) -> Tensor:
        numbers = field_numbers(self.in_type.fibre)
        pairs = numbers[:, None] * (int(numbers.max()) + 1) + numbers
        return torch.cartesian_prod(field_numbers(self.out_type.fibre), pairs.flatten())

    def kernel_space(self) -> None:
        """W and V multiply each other, so they are no coefficients of a basis."""

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        y = x.to(torch.promote_types(x.dtype, torch.float32))  # products need the digits
        y = y.movedim(1, 0)
        with full_precision(x):
            z = self._square(y.flatten(1))
        return laid_out(z.unflatten(1, y.shape[1:]).movedim(0, 1), x).to(x.dtype)

    def _square(self, x: Tensor) -> Tensor:
        """The map on vectors, ``(channels in, points)`` to ``(channels out, points)``."""
        return self.join(self._multiply(self.split(x)), x)

    def _multiply(self, parts: list[Tensor]) -> list[list[Tensor]]:
        """The terms of each irrep of the output: ``(copy, component and point)``."""
        found: list[list[Tensor]] = [[] for _ in self.join.irreps]
        weights, products = iter(self.weights), self.listed("products")
        for pair, mixer, product in zip(self.pairs, self.mixers, products, strict=True):
            left, right = parts[pair.left], parts[pair.right]
            # V: for each copy u on the left one sum of the copies on the right.
            mixed = (mixer.to(right) @ right.flatten(1)).unflatten(1, right.shape[1:])
            sizes = [(count, self.join.irreps[k][1]) for k, count in pair.paths]
            terms = mapped(left.unsqueeze(2) * mixed.unsqueeze(1), product, sizes)
            for (k, _), rows in zip(pair.paths, terms, strict=True):
                found[k].append(next(weights).to(rows).flatten(1) @ rows)
        return found


def _pairs(in_type: FieldType, out_type: FieldType) -> list[IrrepProduct]:
    """All pairs of irreps of the input from which something of the output comes."""
    counts_in, counts_out = in_type.fibre.counts, out_type.fibre.counts
    irreps_in, found = list(counts_in), []
    for i, j in combinations_with_replacement(range(len(irreps_in)), 2):
        if counts_in[irreps_in[i]] > counts_in[irreps_in[j]]:
            i, j = j, i
        copies, others = counts_in[irreps_in[i]], counts_in[irreps_in[j]]
        pair = IrrepProduct(i, j, copies, others, ())
        paths = ((k, len(_products(pair, irreps_in, psi))) for k, psi in enumerate(counts_out))
        paths = tuple((k, count) for k, count in paths if count)
        if paths:
            found.append(pair._replace(paths=paths))
    return found


def _products(pair: IrrepProduct, irreps_in: list[Irrep], psi: Irrep) -> Tensor:
    """The maps C^p to ``psi``, scaled to outputs of mean square 1 / dim: ``(paths, i, j, k)``."""
    c = clebsch_gordan(irreps_in[pair.left], irreps_in[pair.right], psi)
    if pair.left != pair.right or not len(c):
        return c
    # x_u meets itself, where the antisymmetric part is zero: those two kinds are kept apart.
    even, odd = (
        span_basis((c + sign * c.transpose(1, 2)).flatten(1)).unflatten(1, c.shape[1:])
        for sign in (1, -1)
    )
    kinds = [(even, 1), (odd, -1)] if pair.copies > 1 else [(even, 1)]
    scaled = []
    for products, sign in kinds:
        # E |C(x_u, V x)|^2 = 1 + (E |C(x, x)|^2 - 1) / copies, by Wick's theorem.
        trace = products.diagonal(dim1=1, dim2=2).sum(-1).square().sum(-1)
        square = 1 + (sign + trace) / pair.copies
        scaled.append(products / square.sqrt()[:, None, None, None])
    return torch.cat(scaled)
