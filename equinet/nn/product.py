"""Learned products of two fields."""

from __future__ import annotations

import math
import warnings
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from equinet.field import FieldType
from equinet.nn.bilinear import check_factors, mapped, rows_of
from equinet.nn.irrep_parts import JoinIrreps, SplitIrreps
from equinet.nn.kernel_layer import KernelLayer, irrep_paths
from equinet.nn.layout import laid_out
from equinet.nn.meaning import described, fingerprint
from equinet.nn.module import randn
from equinet.nn.steerable import field_numbers
from equinet.numerics import Constant
from equinet.numerics.arguments import check_choice
from equinet.numerics.cached import on_cpu
from equinet.ops import full_precision
from equinet.ops.precision import is_autocast
from equinet.rep import Fibre, clebsch_gordan, tensor_product
from equinet.steerable import Intertwiners


class IrrepPair(NamedTuple):
    """Products of an irrep of the left fields with one of the right fields.

    Attributes:
        left: number of the irrep.
        right: likewise.
        paths: for each irrep of the output its number and how many products lead there.
    """

    left: int
    right: int
    paths: tuple[tuple[int, int], ...]


class Product(KernelLayer):
    r"""A learned bilinear map of two fields over one space.

    .. math:: z^k_o = \sum_{i, j, p} \sum_{u, v} W^p_{uvo}\, C^p(x^i_u, y^j_v)
              \qquad \text{or, channel by channel,} \qquad
              z^k_u = \sum_{i, j, p} \sum_v W^p_{uv}\, C^p(x^i_u, y^j_v)

    x^i_u is copy u of irrep i in the left fields, counted over all blocks, y^j_v likewise in the
    right ones; C^p are all equivariant maps from irreps i and j to irrep k
    (``rep.clebsch_gordan``). With ``paths="full"`` these are all bilinear equivariant maps; it is
    e3nn's ``FullyConnectedTensorProduct`` with the same weights. ``"channelwise"`` keeps each copy
    on the left in a channel of its own, as e3nn's "uvu" does, with fewer weights by the number of
    channels.

    Initial weights are normal with variance 1; the maps are scaled so that independent normal
    inputs of variance 1 give outputs of mean square 1. Over the sphere products have degrees above
    the band, so the equivariance is approximate there.

    Args:
        in_type: the left fields, of finite dimension.
        right_type: the right fields, over the same space.
        out_type: fields over the same space, any that occur in products; channel by channel, every
            irrep has as many copies here as on the left.
        paths: "full" or "channelwise".
        generator: for the initial weights.
        device, dtype: of the module, as in ``torch.nn``.
    Shape:
        x ``in_type.shape(batch, ...)`` and y ``right_type.shape(batch, ...)`` to
        ``out_type.shape(batch, ...)``.
    Raises:
        TypeError: if a type is no ``FieldType``.
        ValueError: for types over different spaces, fields sampled on a continuous group, unequal
            numbers of channels, and if no product leads to any field of ``out_type``.
    Warns:
        UserWarning: if channels of a type have no product.

    Attributes:
        weight: W in a row, for each pair of irreps i, j and each k ``(u, v, paths, o)``, or
            ``(u, v, paths)`` channel by channel.

    Example:
        >>> from equinet.field import Point
        >>> fields = Point("O(3)", dim=3).fields
        >>> cross = Product(fields("8x1o"), fields("1x1o"), fields("8x1e"), "channelwise")
        >>> cross(torch.ones(5, 24), torch.ones(5, 3)).shape, cross.weight.shape
        (torch.Size([5, 24]), torch.Size([8]))
    """

    maps = "product"
    lacking = "its channels do not mix"

    def __init__(
        self,
        in_type: FieldType,
        right_type: FieldType,
        out_type: FieldType,
        paths: str = "full",
        *,
        generator: Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_factors(in_type=in_type, right_type=right_type, out_type=out_type)
        super().__init__(in_type, out_type)
        self.right_type = right_type
        self.is_channelwise = check_choice(paths, "paths", ("full", "channelwise")) != "full"
        if self.is_channelwise:
            check_channels(in_type=in_type, out_type=out_type)
        self.aliases = in_type.space.is_band_limited
        self.left, self.right = SplitIrreps(in_type), SplitIrreps(right_type)
        self.join = JoinIrreps(out_type)
        self.pairs = _pairs(in_type, right_type, out_type)
        self.shapes = [self._shape(pair, k, n) for pair in self.pairs for k, n in pair.paths]
        self._check_paths()
        self.weight = nn.Parameter(torch.empty(sum(map(math.prod, self.shapes))))
        self.reset_parameters(generator)
        self.set_constants()
        self.place(device, dtype)

    @property
    def argument_types(self) -> dict[str, FieldType]:
        return {"y": self.right_type}

    def _shape(self, pair: IrrepPair, k: int, count: int) -> tuple[int, ...]:
        """Of the weights of the products of a pair that lead to irrep k."""
        copies = self.left.irreps[pair.left][0], self.right.irreps[pair.right][0]
        outputs = () if self.is_channelwise else (self.join.irreps[k][0],)
        return (*copies, count, *outputs)

    def _check_paths(self) -> None:
        """Warn of fields without products; ValueError if there are none at all."""
        left, out = list(self.in_type.fibre.counts), list(self.out_type.fibre.counts)
        products = {(out[k], left[pair.left]) for pair in self.pairs for k, _ in pair.paths}
        if not products:
            raise ValueError(
                f"out_type: there is no equivariant map but zero from products of {self.in_type!r} "
                f"and {self.right_type!r} to {self.out_type!r}"
            )
        self.set_paths(irrep_paths(self.in_type, self.out_type, products))
        right = list(self.right_type.fibre.counts)
        used = {right[pair.right] for pair in self.pairs}
        deaf = [
            rho.name for _, rho in self.right_type.blocks if used.isdisjoint(rho.multiplicities)
        ]
        if deaf and not all(rho.is_trivial for _, rho in self.out_type.blocks):
            warnings.warn(
                f"Product: dead paths; no product takes {', '.join(deaf)} of {self.right_type!r}: "
                "ignored",
                stacklevel=3,
            )

    def reset_parameters(self, generator: Generator | None = None) -> None:
        """Draw the initial weights anew, as the constructor does."""
        with torch.no_grad():
            self.weight.copy_(randn(*self.weight.shape, generator=generator))

    @on_cpu
    def meaning(self) -> str:
        """The types, and the products of which the weights are coefficients."""
        right, kind = described(self.right_type), "channelwise" if self.is_channelwise else "full"
        return f"{super().meaning()}, times {right}, {kind} {fingerprint(self._products())}"

    def _products(self) -> list[Tensor]:
        """All products of each pair as rows of one matrix: (irrep, path, component)."""
        left, right = list(self.in_type.fibre.counts), list(self.right_type.fibre.counts)
        out, found = list(self.out_type.fibre.counts), []
        incoming, shapes = [0] * len(out), iter(self.shapes)
        for pair in self.pairs:
            for k, _ in pair.paths:
                u, v, count, *_ = next(shapes)
                incoming[k] += v * count if self.is_channelwise else u * v * count
        for pair in self.pairs:
            maps = [
                clebsch_gordan(left[pair.left], right[pair.right], out[k])
                * math.sqrt(out[k].dim / incoming[k])
                for k, _ in pair.paths
            ]
            found.append(torch.cat([rows_of(c) for c in maps]))
        return found

    def constants(self, dtype: torch.dtype) -> dict[str, Constant]:
        return {"products": self._products()}

    def dense(self) -> Tensor:
        """T with z_o = sum_ij T_oij x_i y_j.

        Returns:
            ``(channels out, channels left, channels right)``.
        """
        sizes = self.in_type.channels, self.right_type.channels
        x, y = (torch.eye(size).to(self.weight) for size in sizes)
        left, right = x[:, :, None].expand(-1, *sizes), y[:, None].expand(-1, *sizes)
        return self._multiply(left.flatten(1), right.flatten(1)).unflatten(1, sizes)

    def fields(self) -> Tensor:
        left, right = field_numbers(self.in_type.fibre), field_numbers(self.right_type.fibre)
        pairs = left[:, None] * (int(right.max()) + 1) + right
        return torch.cartesian_prod(field_numbers(self.out_type.fibre), pairs.flatten())

    def kernel_space(self) -> Intertwiners:
        """All maps from products of the left fibre and the right one."""
        blocks = [
            (m * n, tensor_product(rho, sigma))
            for m, rho in self.in_type.blocks
            for n, sigma in self.right_type.blocks
        ]
        return Intertwiners(Fibre(tuple(blocks)), self.out_type.fibre)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """The product.

        Args:
            x: the left fields, ``in_type.shape(batch, ...)``.
            y: the right fields, ``right_type.shape(batch, ...)``.
        Returns:
            ``out_type.shape(batch, ...)``.
        Raises:
            TypeError: if one has another dtype than the other.
        ValueError: if there are more of one than of the other, or they are on two devices.
        """
        self.check(x)
        self.right_type.check(y, "y")
        if y.shape[0] != x.shape[0] or y.shape[2:] != x.shape[2:]:
            raise ValueError(
                f"y: expected as many samples and points as x, {tuple(x.shape)}, got "
                f"{tuple(y.shape)}"
            )
        if y.device != x.device:
            raise ValueError(f"y: expected a tensor on {x.device}, as x, got one on {y.device}")
        if y.dtype != x.dtype and not is_autocast(x):
            raise TypeError(f"y: expected {x.dtype} as x, got {y.dtype}; use y.to(x.dtype)")
        wide = torch.promote_types(x.dtype, torch.float32)  # products need the digits
        a, b = x.to(wide).movedim(1, 0), y.to(wide).movedim(1, 0)
        with full_precision(x):
            z = self._multiply(a.flatten(1), b.flatten(1))
        return laid_out(z.unflatten(1, a.shape[1:]).movedim(0, 1), x).to(x.dtype)

    def _multiply(self, x: Tensor, y: Tensor) -> Tensor:
        """The map on vectors, ``(channels, points)`` each to ``(channels out, points)``."""
        lefts, rights = self.left(x), self.right(y)
        found: list[list[Tensor]] = [[] for _ in self.join.irreps]
        weights = zip(self.weight.split([*map(math.prod, self.shapes)]), self.shapes, strict=True)
        for pair, product in zip(self.pairs, self.listed("products"), strict=True):
            left, right = lefts[pair.left], rights[pair.right]
            sizes = [(count, self.join.irreps[k][1]) for k, count in pair.paths]
            # All products of two components of two copies: (u, v), i, j, points.
            outer = (left[:, None, :, None] * right[None, :, None]).flatten(0, 1)
            for (k, _), rows in zip(pair.paths, mapped(outer, product, sizes), strict=True):
                weight, shape = next(weights)
                weight = weight.to(rows).view(shape)
                found[k].append(self._summed(weight, rows))
        return self.join(found, x)

    def _summed(self, weight: Tensor, rows: Tensor) -> Tensor:
        """The sum over v and paths, and over u unless it is a channel, ``(copy, ...)``."""
        if not self.is_channelwise:
            return weight.flatten(0, 2).mT @ rows
        weight = weight.flatten(1)
        return (weight[:, None] @ rows.unflatten(0, weight.shape))[:, 0]

    def extra_repr(self) -> str:
        return f"{self.in_type!r} x {self.right_type!r} -> {self.out_type!r}"


def check_channels(**types: FieldType) -> int:
    """How many copies all irreps of all types have.

    Args:
        types: by the names of the arguments.
    Returns:
        The number of channels.
    Raises:
        ValueError: if one has another number of copies than the first.
    """
    (first, fields), *_ = types.items()
    channels = next(iter(fields.fibre.counts.values()))
    for name, fields in types.items():
        for psi, count in fields.fibre.counts.items():
            if count != channels:
                raise ValueError(
                    f"{name}: expected {channels} copies of every irrep, the channels of {first}, "
                    f"got {count} of {psi.name} in {fields!r}"
                )
    return channels


def _pairs(
    left_type: FieldType, right_type: FieldType, out_type: FieldType
) -> tuple[IrrepPair, ...]:
    """All pairs of irreps from which something of the output comes."""
    found = []
    for i, psi in enumerate(left_type.fibre.counts):
        for j, chi in enumerate(right_type.fibre.counts):
            counts = [len(clebsch_gordan(psi, chi, out)) for out in out_type.fibre.counts]
            paths = tuple((k, count) for k, count in enumerate(counts) if count)
            if paths:
                found.append(IrrepPair(i, j, paths))
    return tuple(found)
