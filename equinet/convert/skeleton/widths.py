r"""How many fields the layers of a skeleton have, so that it costs what the plain network costs.

In: widths that are free, and the cost of a choice. Out: the multiplicities.

.. math:: m_{w,i} = \max(q, q\, [t_w u_i / q]), \qquad t_w = s\, c_w / \dim u

A width w had c_w channels and has t_w copies of a unit, the fields u_i in their proportion, rounded
to multiples of q. One scale s for all comes first; then single widths move by one step at a time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from equinet.field import FieldType

NEAR = 0.01  # of the wanted cost: nearer is not asked for
_STEPS = 200
_PAIRED = 24  # of many steps a single one is fine enough
_THREES = 12
_NUDGE = 1e-9  # past the middle between two integers


@dataclass(eq=False)
class Width:
    """Channels of a plain network that are one kind of fields in its skeleton.

    Attributes:
        channels: in the plain network.
        fixed: what they are, if that is given: the input and the output.
        quantum: every multiplicity is a multiple of it, as groups want.
        whole: whether all multiplicities are multiples of one number, as a depthwise layer wants.
        parts: the widths that it turned out to consist of.
    """

    channels: int
    fixed: FieldType | None = None
    quantum: int = 1
    whole: bool = False
    parts: list[Width] = field(default_factory=list)

    def leaves(self) -> Iterator[Width]:
        """What it consists of in the end."""
        if self.parts:
            for part in self.parts:
                yield from part.leaves()
        else:
            yield self

    def become(self, *parts: Width) -> None:
        """Be these others from now on, with what was asked of it."""
        self.parts = list(parts)
        for part in parts:
            for leaf in part.leaves():
                leaf.quantum = math.lcm(leaf.quantum, self.quantum)
                leaf.whole |= self.whole


Widths = tuple[Width, ...]
Types = Mapping[Width, FieldType]


def leaves_of(widths: Sequence[Width]) -> list[Width]:
    """All of a row, in order."""
    return [leaf for width in widths for leaf in width.leaves()]


def unite(a: Widths, b: Widths) -> bool:
    """Make two rows of as many channels the same, since their fields are added.

    Args:
        a: a row.
        b: another.
    Returns:
        Whether that was possible.
    """
    left, right = leaves_of(a), leaves_of(b)
    while left and right:
        p, q = left.pop(0), right.pop(0)
        if p is q:
            continue
        if p.channels > q.channels or p.fixed is None and p.channels == q.channels:
            p, q, left, right = q, p, right, left  # q is the larger one, or free
        if p.channels == q.channels:
            if q.fixed is None:
                q.become(p)
            elif p.fixed != q.fixed:
                return False
            continue
        if q.fixed is not None:
            return False
        rest = Width(q.channels - p.channels)
        q.become(p, rest)
        right.insert(0, rest)
    return not left and not right


def together(widths: Sequence[Width], types: Types) -> FieldType:
    """The direct sum of the types of a row."""
    first, *others = (types[leaf] for leaf in leaves_of(widths))
    return sum(others, start=first)


def matched(
    free: Sequence[Width], unit: FieldType, cost: Callable[[Types], int], wanted: int
) -> dict[Width, FieldType]:
    """Types of the free widths for which a network costs nearly what is wanted.

    Args:
        free: the widths.
        unit: the fields of which they have copies.
        cost: of the network with such types.
        wanted: the cost that is looked for.
    Returns:
        A type for each width: those of as many channels are equal, unless that is too coarse.
    """
    known: dict[tuple[int, ...], FieldType] = {}

    def types(scales: Mapping[Width, float]) -> dict[Width, FieldType]:
        found = {}
        for width, t in scales.items():
            count = _multiplicities(t, unit, width)
            if count not in known:
                pairs = zip(count, unit.blocks, strict=True)
                known[count] = FieldType(unit.space, tuple((m, rho) for m, (_, rho) in pairs))
            found[width] = known[count]
        return found

    def miss(scales: Mapping[Width, float]) -> float:
        return abs(cost(types(scales)) / wanted - 1)

    if not free or not wanted:
        return types(dict.fromkeys(free, 0.0))  # the narrowest
    scales = _of_one_scale(free, unit, lambda scales: cost(types(scales)), wanted)
    kinds: dict[object, list[Width]] = {}
    for width in free:
        kinds.setdefault((width.channels, width.quantum, width.whole), []).append(width)
    for groups in (list(kinds.values()), [[width] for width in free]):
        scales = _nearer(scales, groups, unit, miss)
    return types(scales)


def _of_one_scale(
    free: Sequence[Width],
    unit: FieldType,
    cost: Callable[[Mapping[Width, float]], int],
    wanted: int,
) -> dict[Width, float]:
    """By bisection: the scale is the factor of all plain channels."""

    def at(s: float) -> dict[Width, float]:
        return {width: s * width.channels / unit.channels for width in free}

    low, high = 0.0, 1.0
    while cost(at(high)) < wanted and high < 2**20:
        low, high = high, 2 * high
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if cost(at(middle)) < wanted else (low, middle)
    return min((at(low), at(high)), key=lambda scales: abs(cost(scales) - wanted))


def _nearer(
    scales: dict[Width, float],
    groups: Sequence[Sequence[Width]],
    unit: FieldType,
    miss: Callable[[Mapping[Width, float]], float],
) -> dict[Width, float]:
    """Move groups of widths by a step each, the best one first, as long as that brings it nearer.

    Where no single step does, two and three of them at a time are tried.
    """
    best = miss(scales)
    for _ in range(_STEPS):
        if best < NEAR:
            break
        steps = [
            {width: _next(scales[width], unit, width, way) for width in group}
            for group in groups
            for way in (1, -1)
        ]
        pairs = ({**a, **b} for a, b in itertools.combinations(steps[:_PAIRED], 2))
        threes = ({**a, **b, **c} for a, b, c in itertools.combinations(steps[:_THREES], 3))
        for moves in (steps, pairs, threes):
            tried = min((scales | step for step in moves), key=miss, default=scales)
            if miss(tried) < best:
                break
        else:
            break
        scales, best = tried, miss(tried)
    return scales


def _ratios(unit: FieldType, width: Width) -> list[float]:
    """How many multiples of the quantum a copy of the unit has, of what is rounded."""
    return [(1 if width.whole else mul) / width.quantum for mul, _ in unit.blocks]


def _multiplicities(t: float, unit: FieldType, width: Width) -> tuple[int, ...]:
    """Of each field of the unit, t copies of it, rounded."""
    counts = [max(1, math.floor(t * ratio + 0.5)) * width.quantum for ratio in _ratios(unit, width)]
    if width.whole:
        return tuple(count * mul for count, (mul, _) in zip(counts, unit.blocks, strict=True))
    return tuple(counts)


def _next(t: float, unit: FieldType, width: Width, way: int) -> float:
    """The nearest scale above or below, at which a multiplicity is another one."""
    middles = [(math.floor(t * r + 0.5) + 0.5 * way, r) for r in _ratios(unit, width)]
    if way > 0:
        return min(max(m, 1.5) / r for m, r in middles) * (1 + _NUDGE)
    return max((m / r for m, r in middles if m > 1), default=t) * (1 - _NUDGE)
