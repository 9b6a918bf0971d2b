"""Where the kernels of a filter stand: the plan of an expansion, and what is made of it.

In: fields and kernels, counted. Out: a ``Plan``.
"""

import functools
import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Side(NamedTuple):
    """The components of the input, or of the output, block by block, in each copy by copy.

    No block is empty, and no kind is without a vector.

    Attributes:
        dims: the dimension of a vector of each kind.
        muls: how many copies of each block there are.
        copies: for each block, how many vectors of each kind one copy of it holds; those of the
            first kind stand first.
        mixed: for each block, whether a matrix acts on the components of every copy.
    """

    dims: tuple[int, ...]
    muls: tuple[int, ...]
    copies: tuple[tuple[int, ...], ...]
    mixed: tuple[bool, ...]

    @property
    def block_dims(self) -> list[int]:
        """The dimension of one copy of each block."""
        return [sum(map(math.prod, zip(copies, self.dims, strict=True))) for copies in self.copies]

    @property
    def dim(self) -> int:
        """The number of components."""
        return sum(map(math.prod, zip(self.muls, self.block_dims, strict=True)))

    @property
    def vectors(self) -> list[int]:
        """The number of vectors of each kind."""
        found = [0] * len(self.dims)
        for mul, copies in zip(self.muls, self.copies, strict=True):
            found = [total + mul * count for total, count in zip(found, copies, strict=True)]
        return found

    @property
    def matrix_sizes(self) -> list[int]:
        """The entries of the matrix of each block, 0 where it has none."""
        return [n * n * mixed for n, mixed in zip(self.block_dims, self.mixed, strict=True)]


class Plan(NamedTuple):
    """Where the kernels of a filter stand.

    Attributes:
        out: the components of the output, the rows.
        into: those of the input, the columns.
        kernels: their number for each kind of the output and each kind of the input.
        points: shape of the points.
    """

    out: Side
    into: Side
    kernels: tuple[tuple[int, ...], ...]
    points: tuple[int, ...]

    @property
    def shapes(self) -> list[tuple[int, int, int, int, int]]:
        """(vectors out, vectors in, kernels, dim out, dim in) of each pair of kinds."""
        return [
            (u, v, count, i, j)
            for u, i, counts in zip(self.out.vectors, self.out.dims, self.kernels, strict=True)
            for v, j, count in zip(self.into.vectors, self.into.dims, counts, strict=True)
        ]

    @property
    def sizes(self) -> tuple[int, int, int]:
        """The number of weights, and of entries of the kernels and of the matrices."""
        shapes = self.shapes
        return (
            sum(u * v * k for u, v, k, _, _ in shapes),
            sum(k * i * j for _, _, k, i, j in shapes) * math.prod(self.points),
            sum(self.out.matrix_sizes) + sum(self.into.matrix_sizes),
        )

    def numbers(self) -> list[int]:
        """The plan as a list, which the operator takes: sizes, then what they follow from."""
        sides = (self.out, self.into)
        found = [math.prod(self.points), self.out.dim, self.into.dim, *self.sizes]
        found += [n for side in sides for n in (len(side.dims), len(side.muls))]
        found += [*self.out.dims, *self.into.dims]
        for side in sides:
            for mul, mixed, copies in zip(side.muls, side.mixed, side.copies, strict=True):
                found += [mul, int(mixed), *copies]
        return found + [count for counts in self.kernels for count in counts]

    def table(self) -> Tensor:
        """What csrc/cuda/expansion.cu looks up: see there. A constant of a layer."""
        found: list[int] = []
        starts: list[list[list[int]]] = []  # for each side and kind
        for side in (self.out, self.into):
            starts.append([[] for _ in side.dims])
            component = 0
            for mul, copies in zip(side.muls, side.copies, strict=True):
                for _ in range(mul):
                    for kind in [kind for kind, c in enumerate(copies) for _ in range(c)]:
                        for entry in range(side.dims[kind]):
                            found += [kind, len(starts[-1][kind]), entry]
                        starts[-1][kind].append(component)
                        component += side.dims[kind]
        weight = kernel = 0
        for pair, (u, v, k, i, j) in enumerate(self.shapes):
            r, s = divmod(pair, len(self.into.dims))
            before_in = sum(self.out.vectors) + sum(self.into.vectors[:s])
            found += [k, weight, kernel, i, j, u, v, sum(self.out.vectors[:r]), before_in]
            weight, kernel = weight + u * v * k, kernel + k * i * j * math.prod(self.points)
        found += itertools.chain.from_iterable(itertools.chain(*starts))
        return torch.tensor(found, dtype=torch.int64)

    @property
    def table_size(self) -> int:
        """The length of the table."""
        vectors = sum(self.out.vectors) + sum(self.into.vectors)
        return 3 * (self.out.dim + self.into.dim) + 9 * len(self.shapes) + vectors


def plan_of(numbers: Sequence[int]) -> Plan:
    """The plan of which ``numbers`` are, with the points in a row."""
    kinds_out, blocks_out, kinds_in, blocks_in = numbers[6:10]
    rest = list(numbers[10:])

    def take(count: int) -> tuple[int, ...]:
        taken = tuple(rest[:count])
        del rest[:count]
        return taken

    def side(dims: tuple[int, ...], blocks: int) -> Side:
        rows = [take(2 + len(dims)) for _ in range(blocks)]
        muls = tuple(row[0] for row in rows)
        return Side(dims, muls, tuple(row[2:] for row in rows), tuple(row[1] == 1 for row in rows))

    dims_out, dims_in = take(kinds_out), take(kinds_in)
    out, into = side(dims_out, blocks_out), side(dims_in, blocks_in)
    return Plan(out, into, tuple(take(kinds_in) for _ in range(kinds_out)), (numbers[0],))


@functools.lru_cache(1024)  # asked at each call
def table_size(numbers: tuple[int, ...]) -> int:
    """The length of the table of the plan of which ``numbers`` are, 0 if they are of none.

    Compiled code that is handed other numbers reads and writes outside of its arrays.
    """
    if len(numbers) < 10 or min(numbers) < 0:
        return 0
    kinds_out, blocks_out, kinds_in, blocks_in = numbers[6:10]
    length = 10 + kinds_out + kinds_in + kinds_out * kinds_in
    length += blocks_out * (2 + kinds_out) + blocks_in * (2 + kinds_in)
    if len(numbers) != length:
        return 0
    plan = plan_of(numbers)
    least = [*plan.out.dims, *plan.into.dims, *plan.out.muls, *plan.into.muls, 1]
    least += [*plan.out.vectors, *plan.into.vectors]
    least += [sum(copies) for copies in (*plan.out.copies, *plan.into.copies)]
    sound = min(least) > 0 and blocks_out and blocks_in and plan.numbers() == list(numbers)
    return plan.table_size if sound else 0
