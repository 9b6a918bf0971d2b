"""Where the blocks of a filter stand: the plan of its spectrum, and what is made of it.

In: fields and points, counted. Out: a ``SpectrumPlan``.
"""

import functools
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class SpectrumSide(NamedTuple):
    """The spectrum of the input, or of the output, block by block.

    Attributes:
        muls: how many copies of each block there are.
        orders: for each block, the number of orders of each degree.
    """

    muls: tuple[int, ...]
    orders: tuple[tuple[int, ...], ...]

    def blocks(self, l: int) -> list[int]:
        """The rows, or columns, of each block at degree l."""
        return [mul * orders[l] for mul, orders in zip(self.muls, self.orders, strict=True)]

    @property
    def sizes(self) -> list[int]:
        """The rows, or columns, of the matrix of each degree."""
        return [sum(self.blocks(l)) for l in range(len(self.orders[0]))]


class Pair(NamedTuple):
    """A block of the output and one of the input; ``orders`` are (n, n') of each degree."""

    copies_out: int
    copies_in: int
    points: int
    orders: list[tuple[int, int]]

    @property
    def sizes(self) -> tuple[int, int]:
        """The number of weights, and of entries of the harmonics."""
        both = sum(n_out * n_in for n_out, n_in in self.orders)
        return self.copies_out * self.copies_in * self.points, both * self.points


class SpectrumPlan(NamedTuple):
    """Where the blocks of a filter stand.

    Attributes:
        out: the rows.
        into: the columns.
        points: for each block of the output and each of the input, their number.
    """

    out: SpectrumSide
    into: SpectrumSide
    points: tuple[int, ...]

    @property
    def pairs(self) -> list[Pair]:
        """All of them; the blocks of the input change first."""
        sides = itertools.product(zip(*self.out, strict=True), zip(*self.into, strict=True))
        return [
            Pair(mul_out, mul_in, points, list(zip(orders_out, orders_in, strict=True)))
            for ((mul_out, orders_out), (mul_in, orders_in)), points in zip(
                sides, self.points, strict=True
            )
        ]

    @property
    def sizes(self) -> tuple[int, int, int]:
        """The number of weights, of entries of the harmonics, and of the matrices."""
        pairs = [pair.sizes for pair in self.pairs]
        entries = sum(k_out * k_in for k_out, k_in in self.shapes)
        return sum(w for w, _ in pairs), sum(b for _, b in pairs), entries

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """The shape of the matrix of each degree."""
        return list(zip(self.out.sizes, self.into.sizes, strict=True))

    def numbers(self) -> list[int]:
        """The plan as a list, which the operator takes: sizes, then what they follow from."""
        found = [*self.sizes, len(self.out.orders[0]), len(self.out.muls), len(self.into.muls)]
        found += [*self.out.muls, *self.into.muls, *self.points]
        return found + [n for side in self[:2] for orders in side.orders for n in orders]

    def table(self) -> Tensor:
        """What csrc/cuda/filter_spectrum.cu looks up. A constant of a layer."""
        return torch.tensor(table_entries(tuple(self.numbers())), dtype=torch.int64)


def plan_of(numbers: Sequence[int]) -> SpectrumPlan:
    """The plan of which ``numbers`` are."""
    degrees, blocks_out, blocks_in = numbers[3:6]
    rest = iter(numbers[6:])

    def take(count: int) -> tuple[int, ...]:
        return tuple(itertools.islice(rest, count))

    muls_out, muls_in, points = take(blocks_out), take(blocks_in), take(blocks_out * blocks_in)
    out, into = (
        SpectrumSide(muls, tuple(take(degrees) for _ in muls)) for muls in (muls_out, muls_in)
    )
    return SpectrumPlan(out, into, points)


@functools.lru_cache(1024)  # asked at each call
def table_size(numbers: tuple[int, ...]) -> int:
    """The length of the table of the plan of which ``numbers`` are, 0 if they are of none.

    Compiled code that is handed other numbers reads and writes outside of its arrays.
    """
    if len(numbers) < 6 or min(numbers) < 0:
        return 0
    degrees, blocks_out, blocks_in = numbers[3:6]
    length = 6 + (blocks_out + blocks_in) * (1 + degrees) + blocks_out * blocks_in
    if len(numbers) != length or not degrees or not blocks_out or not blocks_in:
        return 0
    sound = plan_of(numbers).numbers() == list(numbers)
    return 9 * degrees * blocks_out * blocks_in if sound else 0


@functools.lru_cache(1024)  # made once for each layer
def table_entries(numbers: tuple[int, ...]) -> tuple[int, ...]:
    """Nine numbers for each pair of blocks and, in it, each degree.

    Where its first entry stands in the result, and the next row from there; copies and orders, of
    the output and of the input; points; where its weights start, and its harmonics.
    """
    plan = plan_of(numbers)
    starts = itertools.accumulate((rows * columns for rows, columns in plan.shapes), initial=0)
    degrees = list(enumerate(zip(starts, plan.into.sizes, strict=False)))
    found: list[int] = []
    weights = basis = 0
    for i, pair in enumerate(plan.pairs):
        a, b = divmod(i, len(plan.into.muls))
        for (l, (start, width)), (n_out, n_in) in zip(degrees, pair.orders, strict=True):
            above, before = sum(plan.out.blocks(l)[:a]), sum(plan.into.blocks(l)[:b])
            found += [start + above * width + before, width, pair.copies_out, n_out]
            found += [pair.copies_in, n_in, pair.points, weights, basis]
            basis += n_out * n_in * pair.points
        weights += pair.sizes[0]
    return tuple(found)
