r"""Equivariant linear maps between fibres.

.. math:: [W f](x) = W f(x), \qquad W \rho_{in}(h) = \rho_{out}(h) W \quad (V3)
"""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equinet.field import FieldType, Space
from equinet.harmonics import ConstantFunction
from equinet.nn.arguments import check_kind
from equinet.nn.irrep_maps import IrrepMaps
from equinet.nn.layout import laid_out
from equinet.nn.plain import filled
from equinet.nn.steerable import Steerable
from equinet.nn.type_checks import check_over
from equinet.numerics.arguments import check_integer
from equinet.numerics.pages import explained
from equinet.numerics.values import is_readable
from equinet.ops import full_precision
from equinet.rep import Block
from equinet.steerable import Intertwiners, SampledKernels, kernel_basis
from equinet.steerable.kernel_bases import names

_MOST_KINDS = 10_000
_PLAIN = {0: nn.Linear, 1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


class Linear(Steerable):
    r"""The same equivariant matrix at every point of any space (V3).

    Over ``Point`` it is ``torch.nn.Linear``, over a grid a convolution with a filter of size 1. By
    Schur's lemma it maps an irrep only to copies of itself. With ``kinds`` there is one matrix for
    each kind of sample, W_{kind(x)}, such as the species of an atom: as many layers in one.

    Args:
        in_type: fields over any space.
        out_type: fields over the same space.
        bias: add a learned constant to the invariant channels of the output.
        kinds: how many kinds of samples there are; None for one matrix for all.
        generator: for the initial weights, normal with variance 1; inputs of variance 1 give
            outputs of variance 1.
        device, dtype: of the module, as in ``torch.nn``.
    Shape:
        ``in_type.shape(batch, ...)`` to ``out_type.shape(batch, ...)``. With ``kinds`` a second
        argument says the kind of each sample, over ``Points`` of each point, int64 ``(batch,)``.
    Raises:
        ValueError: for types over different spaces, and if there is no map but zero.
    Warns:
        UserWarning: if channels of a type have no map.
    """

    scales: Tensor

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        bias: bool = True,
        *,
        kinds: int | None = None,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_over(Space, in_type, out_type)
        for name, value in (("in_type", in_type), ("out_type", out_type)):
            if value.is_sampled:
                raise ValueError(
                    f"{name}: expected fibres of finite dimension, got {value!r}, functions on the "
                    "group; SphereConv mixes those"
                )
        self.kinds = None if kinds is None else check_integer(kinds, "kinds", most=_MOST_KINDS)
        sample = functools.partial(_maps, in_type.blocks, out_type.blocks)
        with torch.device("cpu"):
            sampled = sample()
            self._maps = IrrepMaps(sampled)
            self._is_plain = _made_of_irreps(sampled)
        super().__init__(in_type, out_type, sample, kinds or 1, bias, 1.0, generator)
        if self.kinds is not None and self.bias is not None:
            self.bias = nn.Parameter(self.bias.new_zeros(self.kinds, len(self.bias)))
        self.place(device, dtype)

    def kernel_space(self) -> Intertwiners:
        """All matrices between the fibres."""
        return Intertwiners(*self.fibres(), filters=len(self.weight))

    def forward(self, x: Tensor, kind: Tensor | None = None) -> Tensor:
        """The fields times the matrix, that of its kind for each sample.

        Args:
            x: ``in_type.shape(batch, ...)``.
            kind: of each sample, int64 ``(batch,)``; None without ``kinds``.
        Returns:
            ``out_type.shape(batch, ...)``.
        Raises:
            ValueError: for a kind without weights, and for kinds where there are to be none.
        """
        self.check(x)
        check_kind(x, kind, self.kinds)
        if self._is_plain and x.dim() == 2:
            return laid_out(self._by_irreps(x, kind), x)
        y = self._as_matrix(x)
        if kind is not None:
            y = _chosen(y.unflatten(1, (len(self.weight), -1)), kind)
        return laid_out(y, x)

    def _as_matrix(self, x: Tensor) -> Tensor:
        with full_precision(x):
            weight, bias = self.dense(), self.shift()
        bias = None if bias is None else bias.flatten()
        if x.dim() == 2:
            return F.linear(x, weight, bias)
        return F.conv1d(x.flatten(2), weight[..., None], bias).unflatten(2, x.shape[2:])

    def _by_irreps(self, x: Tensor, kind: Tensor | None) -> Tensor:
        """The same without the zeros of the matrix, which are most of it."""
        maps, into, out = self._maps, *map(self._buffers.get, ("order_in", "order_out"))
        x = x if into is None else x.index_select(1, into)
        matrices = maps.matrices(self.weight, self.scales, self.kernels)
        y = maps.product(x, matrices[0]) if kind is None else _of_kinds(maps, x, matrices, kind)
        y = y if out is None else y.index_select(1, out)
        bias = self.shift()
        if bias is not None:
            y = y + (bias if kind is None else bias.index_select(0, kind))
        return y.to(x.dtype)

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        found = super().constants(dtype)
        into, out = (fibre.permutation for fibre in self.fibres())
        found["scales"] = self._maps.scales(found["kernels"])
        if self._is_plain and into is not None:
            found["order_in"] = into.argsort()
        if self._is_plain and out is not None:
            found["order_out"] = out
        return found

    def export(self) -> nn.Module:
        """``torch.nn.Linear`` or, over a grid, a convolution of size 1; with kinds a copy."""
        if self.kinds is not None:
            return super().export()
        weight, bias = self.dense(), self.shift()
        axes = len(self.in_type.space.axes(self.in_type.blocks))
        sizes = self.in_type.channels, self.out_type.channels, *[1] * (axes > 0)
        layer = _PLAIN[axes](*sizes, bias=bias is not None, device="meta")
        return filled(layer, weight.view(*weight.shape, *[1] * axes), bias)


def _made_of_irreps(sampled: SampledKernels) -> bool:
    """Whether both fibres are irreps as they are."""
    fibres = sampled.fibre_in, sampled.fibre_out
    return all(matrix is None for fibre in fibres for matrix in fibre.matrices())


def _of_kinds(maps: IrrepMaps, x: Tensor, matrices: Tensor, kind: Tensor) -> Tensor:
    """Each row times the matrices of its kind."""
    if not is_readable(kind) or not len(kind):
        return _chosen(maps.products(x, matrices), kind)
    order = kind.argsort(stable=True)
    parts = x.index_select(0, order).split(kind.bincount(minlength=len(matrices)).tolist())
    found = [maps.product(*pair) for pair in zip(parts, matrices, strict=True) if len(pair[0])]
    return torch.cat(found).index_select(0, order.argsort())


def _chosen(y: Tensor, kind: Tensor) -> Tensor:
    """Of what all kinds would give each sample, ``(batch, kinds, ...)``, what its own gives."""
    rows = torch.arange(y.shape[0], device=y.device) * y.shape[1] + kind
    return y.flatten(0, 1).index_select(0, rows)


def _maps(blocks_in: tuple[Block, ...], blocks_out: tuple[Block, ...]) -> SampledKernels:
    group = blocks_in[0][1].group
    basis = kernel_basis(blocks_in, blocks_out, ConstantFunction(group))
    sampled = basis.at(torch.zeros(group.n, dtype=torch.float64)).scaled()
    if not sampled.dim:
        raise ValueError(
            explained(
                f"out_type: there is no equivariant map but zero from {names(basis.fibre_in)} to "
                f"{names(basis.fibre_out)}, which have no irrep in common",
                "guide/pitfalls.md#dead-paths",
            )
        )
    return sampled
