"""Pools over the fibre: of each field a scalar."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from equinet.field import FieldType, Point
from equinet.nn.layout import laid_out
from equinet.nn.module import EquivariantModule
from equinet.nn.plain import graph, wide
from equinet.nn.requirements import check_orthogonal, check_permuted
from equinet.numerics.arguments import check_choice
from equinet.rep import trivial


class GroupPool(EquivariantModule):
    r"""One scalar from each function on the group, its maximum or its mean over the fibre.

    .. math:: f \mapsto \max_h f(h) \qquad\text{or}\qquad f \mapsto \int_H f(h)\, dh

    Over the sphere it leads from functions on SO(3) to functions on the sphere.

    Args:
        in_type: fields whose components are permuted (regular, quotient), over any space.
        reduce: "max" or "mean".
    Shape:
        ``in_type.shape(batch, ...)`` to ``out_type.shape(batch, ...)``, one trivial field for each
        field.
    Raises:
        ValueError: for fields whose components turn into each other.

    Example:
        >>> from equinet.field import Plane
        >>> GroupPool(Plane("C8").fields("16x regular")).out_type
        Plane('C8').fields('16x trivial')
    """

    def __init__(self, in_type: FieldType, reduce: Literal["max", "mean"] = "max") -> None:
        super().__init__(in_type, in_type)
        check_permuted(in_type, "the pool over the group", "enn.NormPool")
        self.reduce = check_choice(reduce, "reduce", ("max", "mean"))
        self.out_type = scalars(in_type)
        # Between the points of a grid on the group a maximum is missed.
        self.sampled = in_type.is_sampled
        self.aliases = self.sampled and reduce == "max"

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        pool = torch.amax if self.reduce == "max" else torch.mean
        if self.sampled:
            return pool(x, -1)
        return laid_out(torch.cat([pool(part, 2) for part in self.in_type.split(x)], 1), x)

    def export(self) -> nn.Module:
        """A graph of plain torch functions."""
        return graph(self)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, reduce={self.reduce!r}"


class NormPool(EquivariantModule):
    r"""The norm of each field, a scalar: ``f -> |f|``.

    Args:
        in_type: fields with orthogonal rho, over any space.
    Shape:
        ``in_type.shape(batch, ...)`` to ``out_type.shape(batch, ...)``, one trivial field for each
        field.
    Raises:
        ValueError: if a rho is not orthogonal, or of infinite dimension.
    """

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type, in_type)
        check_orthogonal(in_type, functions="enn.GroupPool")
        self.out_type = scalars(in_type)
        self.aliases = in_type.space.is_band_limited

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        y = wide(x)
        # The derivative of this norm at 0 is 0.
        norms = [torch.linalg.vector_norm(part, dim=2) for part in self.in_type.split(y)]
        return laid_out(torch.cat(norms, 1).to(x.dtype), x)

    def export(self) -> nn.Module:
        """A graph of plain torch functions."""
        return graph(self)


def scalars(in_type: FieldType) -> FieldType:
    """One trivial field for each field."""
    rho = trivial(in_type.space.fibre_group)
    return FieldType(in_type.space, tuple((mul, rho) for mul, _ in in_type.blocks))


def plain_vectors(in_type: FieldType) -> FieldType | None:
    """The type of fields once space is gone: over ``Point``, and None if G leaves all alone."""
    if all(rho.is_sampled or rho.is_trivial for _, rho in in_type.blocks):
        return None
    return Point(in_type.space.fibre_group).fields(in_type.blocks)
