"""Pools over the fibre: of each field a scalar, or a function on the cosets of a subgroup."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from equinet.field import FieldType, Point
from equinet.group import FiniteGroup, Group, cosets, find_subgroup, named_group
from equinet.group.group import check_subgroup
from equinet.nn.layout import laid_out
from equinet.nn.module import EquivariantModule
from equinet.nn.plain import graph, wide
from equinet.nn.requirements import check_orthogonal, check_permuted
from equinet.numerics import Constant
from equinet.numerics.arguments import check_choice
from equinet.numerics.cached import on_cpu
from equinet.rep import Representation, quotient, trivial


class GroupPool(EquivariantModule):
    r"""The maximum or the mean of each function on the group, over the fibre or over cosets in it.

    .. math:: f \mapsto \max_{h \in H} f(h) \qquad\text{or}\qquad f \mapsto \int_H f(h)\, dh

    gives one scalar for each field. With a subgroup K of H a function on the cosets of K is left,

    .. math:: F(hK) = \max_{k \in K} f(hk) \qquad\text{or the mean} \quad (P3)

    so that a layer goes on with a part of the symmetry in its fibre: of functions on D8 the maximum
    over the mirrored pairs, ``subgroup="D1"``, is one on 8 points, which ``Restrict`` to C8 turns
    into regular fields of C8.

    Over the sphere it leads from functions on SO(3) to functions on the sphere.

    Args:
        in_type: fields whose components are permuted (regular, quotient), over any space.
        reduce: "max" or "mean".
        subgroup: K, or its name, which stands for the first subgroup of its kind, as in
            "quotient(C4)"; None for all of H. A field is f(h) = component h x, where x is its first
            component; trivial fields stay as they are.
    Shape:
        ``in_type.shape(batch, ...)`` to ``out_type.shape(batch, ...)``, for each field a trivial
        one, or with a subgroup one of ``rep.quotient(H, K)``.
    Raises:
        ValueError: for fields whose components turn into each other; with a subgroup, if it is none
            of H, H is not finite, or some component of a field is not reached from the first.

    Example:
        >>> from equinet.field import Plane
        >>> h = Plane("D8").fields("16x regular")
        >>> GroupPool(h).out_type
        Plane('D8').fields('16x trivial')
        >>> GroupPool(h, subgroup="D1").out_type
        Plane('D8').fields('16x quotient(D1)')
    """

    def __init__(
        self,
        in_type: FieldType,
        reduce: Literal["max", "mean"] = "max",
        subgroup: Group | str | None = None,
    ) -> None:
        super().__init__(in_type, in_type)
        check_permuted(in_type, "the pool over the group", "enn.NormPool")
        self.reduce = check_choice(reduce, "reduce", ("max", "mean"))
        self.subgroup = None if subgroup is None else _subgroup(in_type, subgroup)
        self.out_type = scalars(in_type)
        if self.subgroup is not None:
            self.out_type = _over_cosets(in_type, self.subgroup)
        # Between the points of a grid on the group a maximum is missed.
        self.sampled = in_type.is_sampled
        self.aliases = self.sampled and reduce == "max"
        self.set_constants()

    def constants(self, dtype: torch.dtype) -> dict[str, Constant]:
        if self.subgroup is None:
            return {}
        K = self.subgroup
        return {"members": [_members(rho, K) for _, rho in self.in_type.blocks]}

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        pool = torch.amax if self.reduce == "max" else torch.mean
        if self.sampled:
            return pool(x, -1)
        parts = self.in_type.split(x)
        if self.subgroup is None:
            return laid_out(torch.cat([pool(part, 2) for part in parts], 1), x)
        members = self.listed("members", gaps=True)
        pooled = [
            (part if rows is None else pool(part[:, :, rows], 3)).flatten(1, 2)
            for part, rows in zip(parts, members, strict=True)
        ]
        return laid_out(torch.cat(pooled, 1), x)

    def export(self) -> nn.Module:
        """A graph of plain torch functions."""
        return graph(self)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, reduce={self.reduce!r}"


@on_cpu
def _subgroup(in_type: FieldType, subgroup: Group | str) -> FiniteGroup:
    """The subgroup of the fibre's group that is meant."""
    group = in_type.space.fibre_group
    if not isinstance(group, FiniteGroup):
        raise ValueError(
            f"subgroup: expected None, since {group}, which acts on the fibre of {in_type!r}, is "
            f"continuous, got {subgroup!r}"
        )
    if isinstance(subgroup, str):
        subgroup = named_group(subgroup, group.n)
        if isinstance(subgroup, FiniteGroup):
            try:
                return find_subgroup(group, subgroup)
            except ValueError as error:
                raise ValueError(f"subgroup: {str(error).removeprefix('like: ')}") from error
    check_subgroup(subgroup, group)
    assert isinstance(subgroup, FiniteGroup)
    return subgroup


@on_cpu
def _over_cosets(in_type: FieldType, subgroup: FiniteGroup) -> FieldType:
    """Functions on the cosets of the subgroup in place of all fields that are not trivial."""
    group = in_type.space.fibre_group
    left = trivial(group) if len(cosets(group, subgroup)) == 1 else quotient(group, subgroup)
    blocks = tuple((mul, rho if rho.is_trivial else left) for mul, rho in in_type.blocks)
    return FieldType(in_type.space, blocks)


def _members(rho: Representation, subgroup: FiniteGroup) -> Tensor | None:
    """The components in each coset h K of (P3): those that h k makes of the first.

    Args:
        rho: permutes its components.
        subgroup: K.
    Returns:
        int64 ``(cosets, members)``; None for a trivial representation.
    Raises:
        ValueError: if a component is not reached.
    """
    if rho.is_trivial:
        return None
    representatives = cosets(rho.group, subgroup).representatives
    moved = [rho(h @ subgroup.elements)[..., 0].argmax(-1) for h in representatives]
    rows = torch.stack(moved).sort(1).values
    if len(rows.unique()) < rho.dim:
        raise ValueError(
            f"in_type: expected fields whose first component is moved to every other one, got "
            f"{rho!r}; hand over the parts that are permuted as blocks of their own"
        )
    # As many k leave the first component alone for every h, and each component counts once.
    return rows[:, :: len(rows[0]) // len(rows[0].unique())]


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
