r"""The Fourier transform of a local filter, from its points to a spectrum.

In: weights at points, and the harmonics there. Out: filter blocks, for ``block_matmul``.

A filter that is a sum of point masses, on the sphere or on SO(3), has one matrix for each degree l.
Its rows and columns come in blocks, in each of which o and i count the copies of a field and n and
n' the orders, of which l decides the number:

.. math:: W^l_{(ano)(bn'i)} = \sum_p B^{l,ab}_{nn'p}\, w^{ab}_{oip}                    \quad (A1)

It is linear in the weights, and the derivative with respect to them is its adjoint:

.. math:: w^{ab}_{oip} = \sum_{lnn'} B^{l,ab}_{nn'p}\, W^l_{(ano)(bn'i)}              \quad (A2)

Each of the two is the derivative of the other, so that they are closed under differentiation. The
harmonics B are constants.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from equinet.numerics.cached import cached_untraced
from equinet.ops.example_tables import integers
from equinet.ops.native import cuda, library
from equinet.ops.native.checks import check_indices, check_tensor, check_tensors
from equinet.ops.native.operator import Operator
from equinet.ops.precision import placed
from equinet.ops.spectrum_plan import (
    Pair,
    SpectrumPlan,
    SpectrumSide,
    plan_of,
    table_entries,
    table_size,
)

FORWARD, ADJOINT = 0, 1  # (A1), (A2); as in csrc/cpu/filter_spectrum.cpp
GPU_THREADS = 256


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
    return OPERATOR(weights, FilterTransform(basis, table, plan.numbers(), FORWARD))


class FilterTransform(NamedTuple):
    """The plan of (A1) or (A2), as torch takes it.

    Attributes:
        basis, table: as in ``filter_spectrum``.
        numbers: those of a ``SpectrumPlan``.
        mode: which of the two.
    """

    basis: Tensor
    table: Tensor
    numbers: Sequence[int]
    mode: int

    @property
    def adjoint(self) -> "FilterTransform":
        """The plan of the other."""
        return FilterTransform(*self[:3], 1 - self.mode)

    def size(self, mode: int) -> int:
        """How many numbers one of the two acts on: weights, or for (A2) entries of matrices."""
        return self.numbers[0] if mode == FORWARD else self.numbers[2]

    @property
    def blocks(self) -> int:
        """The number of pairs of blocks, of the output and of the input."""
        return self.numbers[4] * self.numbers[5]

    @property
    def degrees(self) -> int:
        """The number of degrees l."""
        return self.numbers[3]


# --- the reference --------------------------------------------------------------------------------


def _forward(plan: SpectrumPlan, weights: Tensor, basis: Tensor) -> Tensor:
    found = [
        torch.einsum("fp,oip->foi", b, w).flatten() for _, w, b in _pairs(plan, weights, basis)
    ]
    order, _ = _orders(tuple(plan.numbers()))
    return _joined(found).index_select(0, placed(order, weights))


def _adjoint(plan: SpectrumPlan, filter: Tensor, basis: Tensor) -> Tensor:
    _, back = _orders(tuple(plan.numbers()))
    pairs = list(_pairs(plan, filter.new_empty(plan.sizes[0]), basis))
    parts = filter.index_select(0, placed(back, filter)).split(
        [len(b) * pair.copies_out * pair.copies_in for pair, _, b in pairs]
    )
    found = [
        torch.einsum(
            "fp,foi->oip", b, part.reshape(len(b), pair.copies_out, pair.copies_in)
        ).flatten()
        for (pair, _, b), part in zip(pairs, parts, strict=True)
    ]
    return _joined(found)


def _joined(parts: list[Tensor]) -> Tensor:
    return torch.cat(parts) if len(parts) > 1 else parts[0]


@cached_untraced(64)
def _orders(numbers: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Where each entry of the matrices is among those of all pairs ((l, n, n'), o, i), and back.

    The matrices lie degree by degree, with rows (block, n, o) and columns (block, n', i).
    """
    plan, start = plan_of(numbers), 0
    pairs: list[list[Tensor]] = []  # for each the blocks of all degrees
    for pair in plan.pairs:
        blocks: list[Tensor] = []
        for n_out, n_in in pair.orders:
            shape = n_out, n_in, pair.copies_out, pair.copies_in
            size = math.prod(shape)
            places = torch.arange(start, start + size).view(shape).transpose(1, 2)
            blocks.append(places.reshape(n_out * pair.copies_out, n_in * pair.copies_in))
            start += size
        pairs.append(blocks)
    width = len(plan.into.muls)
    order = torch.cat(
        [
            torch.cat(blocks[a : a + width], 1).flatten()
            for blocks in zip(*pairs, strict=True)
            for a in range(0, len(blocks), width)
        ]
    )
    return order, order.argsort()


def _pairs(
    plan: SpectrumPlan, weights: Tensor, basis: Tensor
) -> Iterator[tuple[Pair, Tensor, Tensor]]:
    """For each pair its sizes, weights ``(o, i, p)`` and harmonics ``((l, n, n'), p)``."""
    pairs = plan.pairs
    w, b = [weights], [basis]
    if len(pairs) > 1:
        w = weights.split([pair.sizes[0] for pair in pairs])
        b = basis.split([pair.sizes[1] for pair in pairs])
    for pair, weight, harmonics in zip(pairs, w, b, strict=True):
        both = sum(n_out * n_in for n_out, n_in in pair.orders)
        shape = pair.copies_out, pair.copies_in, pair.points
        yield pair, weight.reshape(shape), harmonics.reshape(both, pair.points)


def _reference(left: Tensor, plan: FilterTransform) -> Tensor:
    """Either of the two: left is w or, for (A2), W."""
    return (_forward, _adjoint)[plan.mode](plan_of(plan.numbers), left, plan.basis)


# --- the operator ---------------------------------------------------------------------------------


def _check(left: Tensor, plan: FilterTransform) -> None:
    basis, table, numbers, mode = plan
    size = None
    if not torch.compiler.is_compiling():  # which sees the reference only
        size = table_size(tuple(numbers))
        if not size or mode not in (FORWARD, ADJOINT):
            raise ValueError(
                f"filter_spectrum: numbers, mode: expected those of a SpectrumPlan, and 0 or 1, "
                f"got {numbers[:12]} ..., {mode}"
            )
    name = "weights" if mode == FORWARD else "filter"
    check_tensor("filter_spectrum", name, left, (plan.size(mode),))
    check_tensor("filter_spectrum", "basis", basis, (numbers[1],), left)
    check_indices("filter_spectrum", "table", table, size, left)


def _fake(left: Tensor, plan: FilterTransform) -> Tensor:
    return left.new_empty(plan.size(1 - plan.mode))


def _cpu(left: Tensor, plan: FilterTransform) -> Tensor:
    left, basis, out = left.contiguous(), plan.basis.contiguous(), _fake(left, plan)
    sizes = table_entries(tuple(plan.numbers)), plan.blocks, plan.degrees, plan.numbers[0]
    library.call("filter_spectrum", left.dtype, plan.mode, left, basis, out, *sizes)
    return out


def _blocks_of_threads(plan: FilterTransform) -> int:
    """A thread for each entry of the result."""
    return -(plan.size(1 - plan.mode) // -GPU_THREADS)


def _fits(left: Tensor, plan: FilterTransform) -> bool:
    return cuda.fits(_blocks_of_threads(plan))


def _gpu(left: Tensor, plan: FilterTransform) -> Tensor:
    left, basis, table = left.contiguous(), plan.basis.contiguous(), plan.table.contiguous()
    out = _fake(left, plan)
    if blocks := _blocks_of_threads(plan):
        arguments = (plan.mode, left, basis, out, table, plan.blocks, plan.degrees)
        device = left.device.index
        cuda.launch("filter_spectrum", left.dtype, device, (blocks,), (GPU_THREADS,), *arguments)
    return out


def _examples() -> list[tuple[Tensor, FilterTransform]]:
    """Both, with several blocks and degrees, some of them empty, and more than one warp."""
    plan = SpectrumPlan(
        SpectrumSide((2, 1, 5), ((1, 3, 5), (0, 0, 2), (1, 1, 1))),
        SpectrumSide((1, 3), ((1, 1, 1), (0, 2, 2))),
        (3, 4, 1, 2, 5, 3),
    )
    generator = torch.Generator().manual_seed(0)
    found: list[tuple[Tensor, FilterTransform]] = []
    weights, harmonics, entries = plan.sizes
    for mode, size in ((FORWARD, weights), (ADJOINT, entries)):
        left, basis = (integers((n,), generator) for n in (size, harmonics))
        found.append((left, FilterTransform(basis, plan.table(), plan.numbers(), mode)))
    return found


OPERATOR = Operator(
    "filter_spectrum(Tensor left, Tensor basis, Tensor table, int[] numbers, int mode) -> Tensor",
    FilterTransform,
    reference=_reference,
    fake=_fake,
    check=_check,
    cpu=_cpu,
    gpu=_gpu,
    fits=_fits,
    examples=_examples,
)
OPERATOR.adjoint_is(OPERATOR, lambda left, plan, _: plan.adjoint)
