"""Character tables."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from equinet.group import FiniteGroup, Group, conjugacy_classes
from equinet.group.group import check_subgroup
from equinet.group.subgroups import check_finite
from equinet.numerics.frozen import hands_out_copies
from equinet.rep.decomposition import restrict
from equinet.rep.irreducible import Irrep, irreps
from equinet.rep.representation import Representation


@hands_out_copies("values")
@dataclass(frozen=True, eq=False)
class CharacterTable:
    """The characters of the real irreps of a finite group on its conjugacy classes.

    Attributes:
        group: the group.
        irreps: the rows.
        classes: the columns, element numbers of each class.
        values: float64 ``(irreps, classes)``.
    """

    group: FiniteGroup
    irreps: tuple[Irrep, ...]
    classes: tuple[tuple[int, ...], ...]
    values: Tensor

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CharacterTable) and self.group == other.group

    def __hash__(self) -> int:
        return hash(self.group)

    @property
    def sizes(self) -> Tensor:
        """The number of elements in each class, int64 ``(classes,)``."""
        return torch.tensor([len(members) for members in self.classes])

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each class: the number of its elements and what they do, as "8C3", "6S4"."""
        return _labels(self.group, self.classes)

    def __str__(self) -> str:
        rows = [[self.group.name, *self.labels]]
        for psi, row in zip(self.irreps, self.values.tolist(), strict=True):
            rows.append([psi.name, *(f"{v + 0.0:.3f}".rstrip("0").rstrip(".") for v in row)])
        widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
        return "\n".join(
            "  ".join(cell.rjust(w) for cell, w in zip(r, widths, strict=True)) for r in rows
        )


def character_table(group: FiniteGroup) -> CharacterTable:
    """The character table of a finite group.

    Example:
        >>> from equinet.group import point_group
        >>> print(character_table(point_group("C3v")))
        C3v  E  2C3  3s
         A1  1    1   1
         A2  1    1  -1
          E  2   -1   0
    """
    check_finite(group)
    classes = conjugacy_classes(group)
    first = group.elements[[members[0] for members in classes]]
    psis = irreps(group)
    values = torch.stack([psi.character(first) for psi in psis])
    near = values.round()
    return CharacterTable(
        group, psis, classes, torch.where((values - near).abs() < 1e-12, near, values)
    )


def correlation_table(group: FiniteGroup, subgroup: Group) -> dict[str, str]:
    """What each irrep of a group becomes for a subgroup: {"T1": "A2 + E", ...}."""
    table = {}
    check_subgroup(subgroup, check_finite(group))
    for psi in irreps(group):
        counts = restrict(Representation(group, psi.name, (psi,)), subgroup).multiplicities
        terms = [f"{m if m > 1 else ''}{p.name}" for p, m in counts.items()]
        table[psi.name] = " + ".join(terms)
    return table


def _labels(group: FiniteGroup, classes: tuple[tuple[int, ...], ...]) -> tuple[str, ...]:
    labels = []
    for members in classes:
        element = group.elements[members[0]]
        kind = _operation(element) if group.n == 3 else _order_name(element)
        labels.append(f"{len(members) if len(members) > 1 else ''}{kind}")
    # Different classes of the same kind are told apart by primes.
    return tuple(label + "'" * labels[:i].count(label) for i, label in enumerate(labels))


def _order(element: Tensor) -> int:
    power, order = element, 1
    while (power - torch.eye(len(element))).abs().max() > 1e-6:
        power, order = power @ element, order + 1
    return order


def _order_name(element: Tensor) -> str:
    order = _order(element)
    return "E" if order == 1 else f"g{order}"


def _operation(element: Tensor) -> str:
    """Schoenflies symbol of an operation of space: E, C3, C5^2, i, s (a mirror), S4."""
    cosine = float(element.diagonal().sum() - torch.linalg.det(element).sign()) / 2
    angle = math.acos(max(-1.0, min(1.0, cosine)))
    # A rotoreflection by this angle is 1 minus twice a projector for 0, -1 for half a turn.
    if torch.linalg.det(element) > 0:
        return "E" if angle < 1e-6 else _fraction("C", angle)
    if angle < 1e-6:
        return "s"
    return "i" if angle > math.pi - 1e-6 else _fraction("S", angle)


def _fraction(letter: str, angle: float) -> str:
    """The turn by ``angle`` as a power of that by a whole fraction of 2 pi."""
    turn = Fraction(angle / (2 * math.pi)).limit_denominator(10_000)
    power = "" if turn.numerator == 1 else f"^{turn.numerator}"
    return f"{letter}{turn.denominator}{power}"
