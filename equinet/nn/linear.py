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
from equinet.nn.layout import laid_out
from equinet.nn.plain import filled
from equinet.nn.steerable import Steerable
from equinet.nn.type_checks import check_over
from equinet.ops import full_precision
from equinet.rep import Block
from equinet.steerable import Intertwiners, SampledKernels, kernel_basis
from equinet.steerable.kernel_bases import names

_PLAIN = {0: nn.Linear, 1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


class Linear(Steerable):
    r"""The same equivariant matrix at every point of any space (V3).

    Over ``Point`` it is ``torch.nn.Linear``, over a grid a convolution with a filter of size 1. By
    Schur's lemma it maps an irrep only to copies of itself.

    Args:
        in_type: fields over any space.
        out_type: fields over the same space.
        bias: add a learned constant to the invariant channels of the output.
        generator: for the initial weights, normal with variance 1; inputs of variance 1 give
            outputs of variance 1.
        device, dtype: of the module, as in ``torch.nn``.
    Shape:
        ``in_type.shape(batch, ...)`` to ``out_type.shape(batch, ...)``.
    Raises:
        ValueError: for types over different spaces, and if there is no map but zero.
    Warns:
        UserWarning: if channels of a type have no map.
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        bias: bool = True,
        *,
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
        sample = functools.partial(_maps, in_type.blocks, out_type.blocks)
        super().__init__(in_type, out_type, sample, 1, bias, 1.0, generator)
        self.place(device, dtype)

    def kernel_space(self) -> Intertwiners:
        """All matrices between the fibres."""
        return Intertwiners(*self.fibres())

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        with full_precision(x):
            weight, bias = self.dense(), self.shift()
        if x.dim() == 2:
            return F.linear(x, weight, bias)
        y = F.conv1d(x.flatten(2), weight[..., None], bias)
        return laid_out(y.unflatten(2, x.shape[2:]), x)

    def export(self) -> nn.Module:
        """``torch.nn.Linear`` or, over a grid, a convolution of size 1."""
        weight, bias = self.dense(), self.shift()
        axes = len(self.in_type.space.axes(self.in_type.blocks))
        sizes = self.in_type.channels, self.out_type.channels, *[1] * (axes > 0)
        layer = _PLAIN[axes](*sizes, bias=bias is not None, device="meta")
        return filled(layer, weight.view(*weight.shape, *[1] * axes), bias)


def _maps(blocks_in: tuple[Block, ...], blocks_out: tuple[Block, ...]) -> SampledKernels:
    group = blocks_in[0][1].group
    basis = kernel_basis(blocks_in, blocks_out, ConstantFunction(group))
    sampled = basis.at(torch.zeros(group.n, dtype=torch.float64)).scaled()
    if not sampled.dim:
        raise ValueError(
            f"out_type: there is no equivariant map but zero from {names(basis.fibre_in)} to "
            f"{names(basis.fibre_out)}, which have no irrep in common"
        )
    return sampled
