r"""Double cosets of two subgroups, in whole numbers.

A finite group falls into the double cosets H2 gamma H1, the orbits of H2 on G/H1; with one
representative gamma of each, every element is

.. math:: g = h_2(g)\, \gamma(g)\, h_1(g) \quad (H4)

where h_2(g) is free up to the stabiliser of the point gamma H1 in H2, and h_1(g) follows from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from equinet.group.finite import FiniteGroup
from equinet.group.group import check_subgroup
from equinet.group.subgroups import check_finite
from equinet.numerics.cached import cached
from equinet.numerics.frozen import hands_out_copies


@hands_out_copies("representatives", "number", "lefts", "rights", "stabilisers")
@dataclass(frozen=True)
class DoubleCosets:
    r"""The double cosets H2\G/H1. Elements of G, H2 and H1 are numbers, as in ``Section``.

    Attributes:
        group: G.
        left: H2.
        right: H1.
        representatives: gamma, the first element of each double coset, int64 ``(count,)``.
        number: which double coset each g lies in, int64 ``(|G|,)``.
        lefts: h2(g) (H4), int64 numbers in H2 ``(|G|,)``; 0, the identity, for g = gamma.
        rights: h1(g), int64 numbers in H1 ``(|G|,)``; 0 for g = gamma.
        stabilisers: for each double coset the elements h of H2 with h gamma H1 = gamma H1 and
            their partners gamma^-1 h gamma in H1, int64 ``(2, order)``.
    """

    group: FiniteGroup
    left: FiniteGroup
    right: FiniteGroup
    representatives: Tensor = field(compare=False)
    number: Tensor = field(compare=False)
    lefts: Tensor = field(compare=False)
    rights: Tensor = field(compare=False)
    stabilisers: tuple[Tensor, ...] = field(compare=False)

    def __len__(self) -> int:
        return len(self.representatives)

    @property
    def sizes(self) -> Tensor:
        """The number of elements of each, ``|H2| |H1| / |stabiliser|``, int64 ``(count,)``."""
        return self.number.bincount(minlength=len(self))

    def __repr__(self) -> str:
        return f"the double cosets {self.left}\\{self.group}/{self.right}"


def double_cosets(group: FiniteGroup, left: FiniteGroup, right: FiniteGroup) -> DoubleCosets:
    r"""The double cosets H2\G/H1, with stabilisers, in the order of their first elements.

    Args:
        group: G, finite.
        left: H2, some of its elements.
        right: H1, some of its elements.
    Raises:
        TypeError: if a group is not finite.
        ValueError: if H1 or H2 is not a subgroup of G.

    Example:
        >>> from equinet.group import octahedral, point_group
        >>> C4 = point_group("C4")  # the same face of a cube, the opposite one, those beside it
        >>> sorted(double_cosets(octahedral(), C4, C4).sizes.tolist())
        [4, 4, 16]
    """
    check_subgroup(check_finite(left, "left"), check_finite(group), "left")
    check_subgroup(check_finite(right, "right"), group, "right")
    return _double_cosets(group, left, right)


@cached(256)
def _double_cosets(group: FiniteGroup, left: FiniteGroup, right: FiniteGroup) -> DoubleCosets:
    in_left, in_right = group.index(left.elements), group.index(right.elements)
    number = torch.full((group.order,), -1)
    lefts, rights = torch.empty_like(number), torch.empty_like(number)
    every = torch.arange(left.order * right.order)
    representatives, stabilisers = [], []
    for gamma in range(group.order):
        if number[gamma] >= 0:
            continue
        moved = group.products(in_left, torch.tensor(gamma))
        products = group.products(moved[:, None], in_right).flatten()  # h2 gamma h1
        first = torch.full_like(number, len(every)).scatter_reduce(0, products, every, "amin")
        members = (first < len(every)).nonzero()[:, 0]
        number[members] = len(representatives)
        lefts[members] = first[members] // right.order
        rights[members] = first[members] % right.order
        fixed = every[products == gamma]  # h2 gamma h1 = gamma, so h1 is the partner's inverse
        partner = right.inverse[fixed % right.order]
        stabilisers.append(torch.stack([fixed // right.order, partner]))
        representatives.append(gamma)
    return DoubleCosets(
        group,
        left,
        right,
        torch.tensor(representatives),
        number,
        lefts,
        rights,
        tuple(stabilisers),
    )
