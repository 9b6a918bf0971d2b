r"""The Fourier transform of a local filter, from its points to a spectrum.

In: weights at points, and the harmonics there. Out: filter blocks. Next:
``block_matmul``.

A filter that is a sum of point masses, on the sphere or on SO(3), has one matrix for each degree l.
Its rows and columns come in blocks, in each of which o and i count the copies of a field and n and
n' the orders, of which l decides the number:

.. math:: W^l_{(ano)(bn'i)} = \sum_p B^{l,ab}_{nn'p}\, w^{ab}_{oip}                    \quad (A1)

It is linear in the weights, and the derivative with respect to them is its adjoint:

.. math:: w^{ab}_{oip} = \sum_{lnn'} B^{l,ab}_{nn'p}\, W^l_{(ano)(bn'i)}              \quad (A2)

Each of the two is the derivative of the other, so that they are closed under differentiation. The
harmonics B are constants.
"""

import functools
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from equinet.ops.native import cuda, library
from equinet.ops.native.operator import (
    Operator,
    check_indices,
    check_tensor,
    check_tensors,
    integers,
)

FORWARD, ADJOINT = 0, 1  # (A1), (A2); as in csrc/cpu/filter_spectrum.cpp
GPU_THREADS = 256


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
        return torch.tensor(_table(tuple(self.numbers())), dtype=torch.int64)


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


def filter_spectrum(plan: SpectrumPlan, weights: Tensor, basis: Tensor, table: Tensor) -> Tensor:
    """The matrices of a filter (A1), as ``block_matmul`` takes them.

    Args:
        plan: of the filter.
        weights: flat; for each pair of blocks (copies out, copies in, points).
        basis: flat; for each pair of blocks the harmonics: for each degree (n, n', points).
        table: ``plan.table()`` on the device of ``weights``.
    Returns:
        Flat: for each degree ``(rows, columns)``, concatenated.
    Raises:
        ValueError: for tensors of another shape than the plan says.
        TypeError: for what is no plan or no tensor, or tensors of different dtypes or devices.
    """
    if not isinstance(plan, SpectrumPlan):
        raise TypeError(
            f"filter_spectrum: plan: expected a SpectrumPlan, got {type(plan).__name__}"
        )
    check_tensors("filter_spectrum", weights=weights, basis=basis, table=table)
    return OPERATOR(weights, basis, table, plan.numbers(), FORWARD)


# --- the reference --------------------------------------------------------------------------------


def _forward(plan: SpectrumPlan, weights: Tensor, basis: Tensor) -> Tensor:
    pairs = []  # for each the matrices of all degrees
    for pair, w, b in _pairs(plan, weights, basis):
        filters = torch.einsum("fp,oip->foi", b, w)
        parts = filters.split([n_out * n_in for n_out, n_in in pair.orders])
        matrices = [
            part.unflatten(0, orders).permute(0, 2, 1, 3).flatten(2).flatten(0, 1)
            for part, orders in zip(parts, pair.orders, strict=True)
        ]
        pairs.append(matrices)
    width, found = len(plan.into.muls), []
    for blocks in zip(*pairs, strict=True):
        rows = (
            blocks
            if width == 1
            else [torch.cat(blocks[a : a + width], 1) for a in range(0, len(blocks), width)]
        )
        found += [row.reshape(-1) for row in rows]
    return torch.cat(found)


def _adjoint(plan: SpectrumPlan, filter: Tensor, basis: Tensor) -> Tensor:
    parts = filter.split([k_out * k_in for k_out, k_in in plan.shapes])
    degrees = [
        [
            block
            for row in part.reshape(shape).split(plan.out.blocks(l))
            for block in row.split(plan.into.blocks(l), 1)
        ]
        for l, (part, shape) in enumerate(zip(parts, plan.shapes, strict=True))
    ]
    found = []
    empty = filter.new_empty(plan.sizes[0])
    for i, (pair, _, b) in enumerate(_pairs(plan, empty, basis)):
        filters = [
            blocks[i].reshape(n_out, pair.copies_out, n_in, pair.copies_in)
            for blocks, (n_out, n_in) in zip(degrees, pair.orders, strict=True)
        ]
        flat = torch.cat([part.permute(0, 2, 1, 3).flatten(0, 1) for part in filters])
        found.append(torch.einsum("fp,foi->oip", b, flat).reshape(-1))
    return torch.cat(found)


def _pairs(plan: SpectrumPlan, weights: Tensor, basis: Tensor):
    """For each pair its sizes, weights ``(o, i, p)`` and harmonics ``((l, n, n'), p)``."""
    pairs = plan.pairs
    w = weights.split([pair.sizes[0] for pair in pairs])
    b = basis.split([pair.sizes[1] for pair in pairs])
    for pair, weight, harmonics in zip(pairs, w, b, strict=True):
        both = sum(n_out * n_in for n_out, n_in in pair.orders)
        shape = pair.copies_out, pair.copies_in, pair.points
        yield pair, weight.reshape(shape), harmonics.reshape(both, pair.points)


def _reference(left, basis, table, numbers, mode) -> Tensor:
    """Either of the two: left is w or, for (A2), W."""
    return (_forward, _adjoint)[mode](plan_of(numbers), left, basis)


# --- the operator ---------------------------------------------------------------------------------


def _size(mode: int, numbers: Sequence[int]) -> int:
    """Of the weights, or for (A2) of the matrices."""
    return numbers[0] if mode == FORWARD else numbers[2]


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


def _check(left, basis, table, numbers, mode) -> None:
    size = None
    if not torch.compiler.is_compiling():  # which sees the reference only
        size = table_size(tuple(numbers))
        if not size or mode not in (FORWARD, ADJOINT):
            raise ValueError(
                f"filter_spectrum: numbers, mode: expected those of a SpectrumPlan, and 0 or 1, "
                f"got {numbers[:12]} ..., {mode}"
            )
    name = "weights" if mode == FORWARD else "filter"
    check_tensor("filter_spectrum", name, left, (_size(mode, numbers),))
    check_tensor("filter_spectrum", "basis", basis, (numbers[1],), left)
    check_indices("filter_spectrum", "table", table, size, left)


def _fake(left, basis, table, numbers, mode) -> Tensor:
    return left.new_empty(_size(1 - mode, numbers))


@functools.lru_cache(1024)  # made once for each layer
def _table(numbers: tuple[int, ...]) -> tuple[int, ...]:
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


def _cpu(left, basis, table, numbers, mode) -> Tensor:
    left, basis = left.contiguous(), basis.contiguous()
    out = _fake(left, basis, table, numbers, mode)
    sizes = _table(tuple(numbers)), numbers[4] * numbers[5], numbers[3], numbers[0]
    library.call("filter_spectrum", left.dtype, mode, left, basis, out, *sizes)
    return out


def _blocks_of_threads(mode: int, numbers: Sequence[int]) -> int:
    """A thread for each entry of the result."""
    return -(_size(1 - mode, numbers) // -GPU_THREADS)


def _fits(left, basis, table, numbers, mode) -> bool:
    return cuda.fits(_blocks_of_threads(mode, numbers))


def _gpu(left, basis, table, numbers, mode) -> Tensor:
    left, basis, table = left.contiguous(), basis.contiguous(), table.contiguous()
    out = _fake(left, basis, table, numbers, mode)
    if blocks := _blocks_of_threads(mode, numbers):
        arguments = (mode, left, basis, out, table, numbers[4] * numbers[5], numbers[3])
        device = left.device.index
        cuda.launch("filter_spectrum", left.dtype, device, (blocks,), (GPU_THREADS,), *arguments)
    return out


def _examples() -> list[tuple]:
    """Both, with several blocks and degrees, some of them empty, and more than one warp."""
    plan = SpectrumPlan(
        SpectrumSide((2, 1, 5), ((1, 3, 5), (0, 0, 2), (1, 1, 1))),
        SpectrumSide((1, 3), ((1, 1, 1), (0, 2, 2))),
        (3, 4, 1, 2, 5, 3),
    )
    generator = torch.Generator().manual_seed(0)
    weights, basis, entries = plan.sizes
    return [
        (
            integers((left,), generator),
            integers((basis,), generator),
            plan.table(),
            plan.numbers(),
            mode,
        )
        for mode, left in ((FORWARD, weights), (ADJOINT, entries))
    ]


def _save(ctx, inputs, output) -> None:
    _, basis, table, *ctx.constants = inputs
    ctx.save_for_backward(basis, table)


def _backward(ctx, grad):
    numbers, mode = ctx.constants
    return OPERATOR(grad, *ctx.saved_tensors, numbers, 1 - mode), None, None, None, None


OPERATOR = Operator(
    "filter_spectrum(Tensor left, Tensor basis, Tensor table, int[] numbers, int mode) -> Tensor",
    reference=_reference,
    fake=_fake,
    check=_check,
    cpu=_cpu,
    gpu=_gpu,
    fits=_fits,
    examples=_examples,
)
OPERATOR.differentiate(_save, _backward)
