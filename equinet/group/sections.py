r"""Sections of G -> G/H, in whole numbers.

A section picks one element s(x) of each coset x, so that every g is a coset and an element of H:

.. math:: g = s(gH)\, h(g), \qquad g\, s(x) = s(gx)\, h(x, g) \quad (H2)

The second equation defines the cocycle h(x, g) in H, which says how a fibre over x is turned when g
takes x to gx, and which obeys

.. math:: h(x, g_1 g_2) = h(g_2 x, g_1)\, h(x, g_2) \quad (H3)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from equinet.group.finite import FiniteGroup
from equinet.group.group import check_subgroup
from equinet.group.subgroups import check_finite
from equinet.numerics.arguments import check_memory, real_tensor
from equinet.numerics.cached import on_cpu
from equinet.numerics.frozen import constant


@dataclass(frozen=True)
class Section:
    r"""One element s(x) of each coset x of H in G, s(x) H = x, and s(H) = 1.

    Points x and elements of G and H are numbers here: x counts the entries of ``numbers``, g and h
    the ``elements`` of their groups.

    Attributes:
        group: G.
        subgroup: H.
        numbers: of the elements s(x) of G, in the order of the points.
    """

    group: FiniteGroup
    subgroup: FiniteGroup
    numbers: tuple[int, ...]

    def __post_init__(self) -> None:
        check_finite(self.group, "group")
        check_subgroup(check_finite(self.subgroup, "subgroup"), self.group)
        if not isinstance(self.numbers, tuple):
            raise TypeError(f"numbers: expected a tuple, got {type(self.numbers).__name__}")
        for i in self.numbers:
            if isinstance(i, bool) or not isinstance(i, int):
                raise TypeError(f"numbers: expected integers, got {i!r}")
        order, index = self.group.order, self.group.order // self.subgroup.order
        if len(self.numbers) != index or not all(0 <= i < order for i in self.numbers):
            raise ValueError(
                f"numbers: expected one of the {order} elements of {self.group} for each of the "
                f"{index} cosets of {self.subgroup}, got {self.numbers}"
            )
        if (self.coset < 0).any():
            raise ValueError(
                f"numbers: expected one element in each coset of {self.subgroup}, got two in one "
                f"and none in another: {self.numbers}"
            )
        if self.numbers[self.base] != 0:
            raise ValueError(
                f"numbers: expected the identity, number 0, for the coset {self.subgroup}, got "
                f"{self.numbers[self.base]}"
            )

    def __len__(self) -> int:
        return len(self.numbers)

    @constant
    def inclusion(self) -> Tensor:
        """The number in G of each element of H, int64 ``(|H|,)``."""
        return self.group.numbers(self.subgroup.elements)

    @constant
    def coset(self) -> Tensor:
        """The point gH of each element g, int64 ``(|G|,)``."""
        members = self._members
        points = torch.full((self.group.order,), -1)
        points[members] = (
            torch.arange(len(self)).repeat_interleave(self.subgroup.order).view(members.shape)
        )
        return points

    @constant
    def base(self) -> int:
        """The point H itself."""
        return int(self.coset[0])

    @constant
    def remainder(self) -> Tensor:
        """h(g) of each element g (H2), int64 numbers in H ``(|G|,)``."""
        members = self._members
        found = torch.empty(self.group.order, dtype=torch.long)
        found[members] = torch.arange(self.subgroup.order).expand_as(members)
        return found

    @constant
    def moved(self) -> Tensor:
        """The point gx, int64 ``(|G|, points)``; for some elements see ``moved_by``."""
        return self.moved_by(self._every)

    @constant
    def cocycle(self) -> Tensor:
        """h(x, g) (H2), int64 numbers in H ``(|G|, points)``; for some see ``cocycle_of``."""
        return self.cocycle_of(self._every)

    def moved_by(self, g: Tensor) -> Tensor:
        """The point gx for elements of numbers g ``(count,)``, int64 ``(count, points)``."""
        return self.coset[self._products(g)]

    def cocycle_of(self, g: Tensor) -> Tensor:
        """h(x, g) for elements of numbers g ``(count,)``, int64 ``(count, points)``."""
        return self.remainder[self._products(g)]

    @property
    def _every(self) -> Tensor:
        check_memory(self.group.order * len(self), "group", f"a table of {self!r}")
        return torch.arange(self.group.order)

    @property
    def _members(self) -> Tensor:
        """The elements s(x) h, int64 ``(points, |H|)``."""
        return self.group.products(torch.tensor(self.numbers)[:, None], self.inclusion)

    def _products(self, g: Tensor) -> Tensor:
        """The elements g s(x)."""
        return self.group.products(g[:, None], torch.tensor(self.numbers))

    def __repr__(self) -> str:
        return f"a section of {self.group} over {self.group}/{self.subgroup}"


@on_cpu
def section(
    group: FiniteGroup, subgroup: FiniteGroup, representatives: Tensor | None = None
) -> Section:
    """The section with given elements s(x), or with the first element of each coset.

    Args:
        group: G, finite.
        subgroup: H, some of its elements.
        representatives: s(x) for each point x, ``(|G| / |H|, n, n)``; this order is the order of
            the points.
    Raises:
        TypeError: if a group is not finite.
        ValueError: if H is not a subgroup of G, or ``representatives`` is no section.

    Example:
        >>> from equinet.group import cyclic, dihedral
        >>> len(section(dihedral(4), cyclic(4)))
        2
    """
    check_subgroup(check_finite(subgroup, "subgroup"), check_finite(group))
    if representatives is None:
        members = group.numbers(subgroup.elements)
        firsts = group.products(torch.arange(group.order)[:, None], members).amin(1).unique()
        return Section(group, subgroup, tuple(firsts.tolist()))
    representatives = real_tensor(representatives, "representatives")
    if representatives.dim() != 3 or representatives.shape[1:] != (group.n, group.n):
        group.check(representatives[..., None, None], "representatives")
    found = group.numbers(representatives)
    if (found < 0).any():
        group.check(representatives, "representatives")
    numbers = found.tolist()
    try:
        return Section(group, subgroup, tuple(numbers))
    except ValueError as error:
        raise ValueError(str(error).replace("numbers", "representatives", 1)) from None


@on_cpu
def orbit_section(group: FiniteGroup, points: Tensor) -> Section:
    """The section over points that a group permutes, in their order; H leaves the first in place.

    Args:
        group: G, finite.
        points: positions ``(count, n)``, the orbit of each of them under G.
    Raises:
        TypeError: if the group is not finite.
        ValueError: if the points are not one orbit, such as the vertices of a graph whose
            automorphisms do not take every vertex to every other.

    Example:
        >>> from equinet.group import symmetric
        >>> orbit_section(symmetric(5), torch.eye(5)).subgroup.order
        24
    """
    check_finite(group)
    points = real_tensor(points, "points")
    if points.dim() != 2 or points.shape[1] != group.n or not len(points):
        raise ValueError(
            f"points: expected positions (count, {group.n}) for {group}, got {tuple(points.shape)}"
        )
    moved = points[0] @ group.elements.mT  # (|G|, n)
    same = _equal(moved, points)
    if not (same.sum(1) == 1).all() or not same.any(0).all():
        raise ValueError(
            f"points: expected one orbit of {group}, every point of it once, got {len(points)} "
            f"points {_unlike_an_orbit(group, points)}"
        )
    where = same.int().argmax(1)
    stabiliser = group.elements[where == 0]
    name = f"the stabiliser of a point in {group}"
    subgroup = FiniteGroup(group.n, stabiliser, name)
    first = torch.stack([(where == x).nonzero()[0, 0] for x in range(len(points))])
    return Section(group, subgroup, tuple(first.tolist()))


def _equal(a: Tensor, b: Tensor) -> Tensor:
    """Which points of ``a`` ``(..., count, n)`` are which of ``b``, up to a tolerance."""
    return torch.cdist(a, b) < 1e-4 * b.norm(dim=-1).max().clamp_min(1e-12)


def _unlike_an_orbit(group: FiniteGroup, points: Tensor) -> str:
    """Why the points are not an orbit, in words."""
    if _equal(points, points).sum() != len(points):
        return "of which some are equal or not finite"
    steps = _equal(points @ group.generators.mT, points)  # (generators, points, points)
    if not steps.any(-1).all():
        return "that are not all taken to one another"
    reached = steps.any(0) | torch.eye(len(points), dtype=torch.bool)
    for _ in range(len(points).bit_length()):
        reached = reached.double() @ reached.double() > 0  # in twice as many steps
    sizes = sorted(reached.unique(dim=0).sum(1).tolist())
    return (
        f"in {len(sizes)} orbits, of {', '.join(map(str, sizes))} points (a graph with such "
        "vertices is not vertex-transitive)"
    )
