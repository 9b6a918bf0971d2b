r"""Finite homogeneous spaces: the points that a finite group permutes.

In: finite groups and their sections. Out: HomogeneousSpace.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from equinet.field.field_type import FieldType
from equinet.field.space import Space, refuse_infinite
from equinet.group import FiniteGroup, Section, orbit_section, section
from equinet.ops import full_precision
from equinet.rep.fibres import Block


@dataclass(frozen=True, init=False, repr=False)
class HomogeneousSpace(Space):
    r"""The space G/H of a finite group. Feature maps are ``(batch, channel, point)``.

    Fields are functions on its points; with the cocycle h of the section (H2),

    .. math:: [g f](gx) = \rho(h(x, g))\, f(x) \quad (M1)

    Polyhedra, graphs under their automorphisms, sets under permutations and periodic lattices are
    of this kind.

    Args:
        group: G, finite.
        subgroup: H, some of its elements.
        representatives: s(x) for each point x, ``(|G| / |H|, n, n)``, in the order of the points;
            by default the first element of each coset.
    Attributes:
        section: s, which names the points and the fibre over each of them.

    Example:
        >>> import torch
        >>> from equinet.group import symmetric
        >>> vertices = HomogeneousSpace.of(symmetric(4), torch.eye(4))
        >>> vertices.fields("2x trivial").shape(8)
        (8, 2, 4)
    """

    section: Section

    maps = "enn.HomogeneousConv"

    def __init__(
        self, group: FiniteGroup, subgroup: FiniteGroup, representatives: Tensor | None = None
    ) -> None:
        object.__setattr__(self, "section", section(group, subgroup, representatives))

    @classmethod
    def of(cls, group: FiniteGroup, points: Tensor) -> HomogeneousSpace:
        """The space of some points that ``group`` permutes, in their order.

        Args:
            group: G, finite.
            points: positions ``(count, n)``, one orbit of G; H leaves the first in place.
        Returns:
            The space, with its points in this order.
        Raises:
            TypeError: if the group is not finite.
            ValueError: if the points are not one orbit.
        """
        space = cls.__new__(cls)
        object.__setattr__(space, "section", orbit_section(group, points))
        return space

    @property
    def group(self) -> FiniteGroup:
        """G, whose elements are what ``act`` takes."""
        return self.section.group

    @property
    def fibre_group(self) -> FiniteGroup:
        """H, which acts on the fibre over the point that it leaves in place."""
        return self.section.subgroup

    def __len__(self) -> int:
        """The number of points, |G| / |H|."""
        return len(self.section)

    def axes(self, blocks: tuple[Block, ...]) -> dict[str, int | None]:
        """One axis, of the points."""
        refuse_infinite(self, blocks)
        return {"point": len(self)}

    def act(self, field_type: FieldType, g: Tensor, x: Tensor, order: int) -> Tensor:
        # The value at y comes from x = g^-1 y, and is turned by h(x, g).
        s = self.section
        numbers = s.group.index((g if g.dim() == 3 else g[None]).detach().cpu().double())
        sources = s.moved_by(numbers).argsort(-1)  # (1 or batch, points), inverse permutations
        turns = s.cocycle_of(numbers).gather(1, sources)
        index = sources.to(x.device)[:, None].expand(len(x), x.shape[1], -1)
        return turn(field_type, turns, x.gather(2, index))

    def bridge(self, given: FieldType, wanted: FieldType) -> str:
        other = wanted.space
        if other.group != self.group:
            return f"let both be spaces of one group, {self.group} or {other.group}"
        return f"put enn.HomogeneousConv from {given!r} to {wanted!r} between them"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.group.name}, {self.fibre_group.name})"


def turn(field_type: FieldType, numbers: Tensor, x: Tensor) -> Tensor:
    """rho(h) f, with an element h of H of its own at every point.

    Args:
        field_type: over a ``HomogeneousSpace``.
        numbers: of the elements h in H, ``(points,)`` or ``(batch, points)``.
        x: f, ``(batch, channel, points)``; the points may be those of the space or others.
    """
    elements = field_type.space.fibre_group.components  # of a finite group, all
    numbers = (numbers if numbers.dim() == 2 else numbers[None]).to(x.device)
    parts = []
    for (_, rho), part in zip(field_type.blocks, field_type.split(x), strict=True):
        if not rho.is_trivial:
            matrices = rho(elements).to(x)[numbers]  # (1 or batch, points, dim, dim)
            with full_precision(x):
                part = torch.einsum("zpij,zmjp->zmip", matrices, part)
        parts.append(part.flatten(1, 2))
    return torch.cat(parts, 1)
