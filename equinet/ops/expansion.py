r"""Filters from weights, and what a gradient of the filters says of the weights.

In: weights, kernels and changes of basis. Out: dense filters.

The components of the input and of the output come in blocks; a copy of a block holds vectors of a
few kinds r, s, and a matrix Q may mix its components. Between vector u of kind r and vector v of
kind s the filter is a sum of kernels, which are the same for all u and v:

.. math:: F = Q_{out} B\, Q_{in}^T, \qquad
          B_{(rui)(svj)p} = \sum_k w^{rs}_{uvk}\, K^{rs}_{kijp}                       \quad (E1)

It is linear in the weights, and the derivative with respect to them is its adjoint:

.. math:: w^{rs}_{uvk} = \sum_{ijp} K^{rs}_{kijp}\,
          (Q_{out}^T F\, Q_{in})_{(rui)(svj)p}                                         \quad (E2)

Each of the two is the derivative of the other, so that they are closed under differentiation.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from equinet.ops.example_tables import integers
from equinet.ops.expansion_plan import Plan, Side, plan_of, table_size
from equinet.ops.native import cuda, library
from equinet.ops.native.checks import check_indices, check_tensor, check_tensors
from equinet.ops.native.operator import Operator

FORWARD, ADJOINT = 0, 1  # (E1), (E2); as in csrc/cpu/expansion.cpp
GPU_THREADS = 256


def expand(plan: Plan, weights: Tensor, kernels: Tensor, matrices: Tensor, table: Tensor) -> Tensor:
    """The filters of several sets of weights below each other (E1).

    Args:
        plan: of the filter.
        weights: ``(count, weights)``; the weights of all pairs of kinds in a row, for each pair
            (vectors of the output, vectors of the input, kernels).
        kernels: flat; for each pair of kinds (kernels, dim_out, dim_in, points).
        matrices: flat; for each block that has one (dim, dim), first those of the output.
        table: ``plan.table()`` on the device of ``weights``.
    Returns:
        ``(count * dim_out, dim_in, *points)``.
    Raises:
        ValueError: for tensors of another shape than the plan says.
        TypeError: for what is no plan or no tensor, or tensors of different dtypes or devices.
    """
    if not isinstance(plan, Plan):
        raise TypeError(f"expansion: plan: expected a Plan, got {type(plan).__name__}")
    check_tensors("expansion", weights=weights, kernels=kernels, matrices=matrices, table=table)
    found = OPERATOR(weights, Expansion(kernels, matrices, table, plan.numbers(), FORWARD))
    return found.view(len(weights) * plan.out.dim, plan.into.dim, *plan.points)


class Expansion(NamedTuple):
    """The plan of (E1) or (E2), as torch takes it.

    Attributes:
        kernels, matrices, table: as in ``expand``.
        numbers: those of a ``Plan``.
        mode: which of the two.
    """

    kernels: Tensor
    matrices: Tensor
    table: Tensor
    numbers: Sequence[int]
    mode: int

    @property
    def adjoint(self) -> "Expansion":
        """The plan of the other."""
        return Expansion(*self[:4], 1 - self.mode)

    def shape(self, mode: int, count: int) -> tuple[int, ...]:
        """The shape of what one of the two acts on, and the other gives.

        Args:
            mode: ``FORWARD`` for weights, ``ADJOINT`` for filters.
            count: how many sets of them there are.
        Returns:
            ``(count, weights)`` or ``(count, dim_out, dim_in, points)``.
        """
        points, dim_out, dim_in, weights = self.numbers[:4]
        return (count, weights) if mode == FORWARD else (count, dim_out, dim_in, points)


# --- the reference --------------------------------------------------------------------------------


def _forward(plan: Plan, weights: Tensor, kernels: Tensor, matrices: Tensor) -> Tensor:
    """(E1), ``(count, dim_out, dim_in, points)``."""
    count, points, columns = len(weights), math.prod(plan.points), len(plan.into.dims)
    pairs = []
    for (u, v, k, i, j), w, kernel in _pairs(plan, weights, kernels):
        if k:
            block = w.reshape(count * u * v, k) @ kernel.view(k, i * j * points)
        else:
            block = weights.new_zeros(count * u * v, i * j * points)
        block = block.view(count, u, v, i, j * points)
        pairs.append(block.transpose(2, 3).reshape(count * u * i, v, j * points))
    rows = []
    for r, (u, i) in enumerate(zip(plan.out.vectors, plan.out.dims, strict=True)):
        row = _blocks(plan.into, pairs[r * columns : (r + 1) * columns], points)
        rows.append(row.reshape(count, u, i * plan.into.dim * points))
    sorted = _blocks(plan.out, rows, plan.into.dim * points)
    return _mixed(plan, sorted.unflatten(2, (plan.into.dim, points)), matrices, transposed=False)


def _adjoint(plan: Plan, filters: Tensor, kernels: Tensor, matrices: Tensor) -> Tensor:
    """(E2), ``(count, weights)``."""
    count, points = len(filters), math.prod(plan.points)
    sorted = _mixed(plan, filters, matrices, transposed=True)
    rows = [
        vectors
        for row in _kinds(plan.out, sorted.flatten(2))
        for vectors in _kinds(plan.into, row.flatten(0, 2).unflatten(1, (plan.into.dim, points)))
    ]
    found = []
    empty = filters.new_empty(count, plan.sizes[0])
    for ((u, v, k, i, j), _, kernel), row in zip(_pairs(plan, empty, kernels), rows, strict=True):
        block = row.reshape(count, u, i, v, j * points).transpose(2, 3)
        w = block.reshape(count * u * v, i * j * points) @ kernel.view(k, i * j * points).mT
        found.append(w.view(count, u * v * k))
    return torch.cat(found, 1)


def _pairs(
    plan: Plan, weights: Tensor, kernels: Tensor
) -> Iterator[tuple[tuple[int, int, int, int, int], Tensor, Tensor]]:
    """For each pair of kinds its shape, weights and kernels."""
    shapes, points = plan.shapes, math.prod(plan.points)
    w = weights.split([u * v * k for u, v, k, _, _ in shapes], 1)
    parts = kernels.split([k * i * j * points for _, _, k, i, j in shapes])
    return zip(shapes, w, parts, strict=True)


def _blocks(side: Side, kinds: list[Tensor], after: int) -> Tensor:
    """Vectors by kind ``(before, vectors, dim * after)`` to blocks ``(before, dim, after)``."""
    before, used, found = len(kinds[0]), [0] * len(kinds), []
    for mul, copies, n in zip(side.muls, side.copies, side.block_dims, strict=True):
        shares = []
        for r, c in enumerate(copies):
            if c:
                vectors = kinds[r].narrow(1, used[r], mul * c)
                shares.append(vectors.reshape(before, mul, c * side.dims[r], after))
                used[r] += mul * c
        found.append(_join(shares, 2).reshape(before, mul * n, after))
    return _join(found, 1)


def _kinds(side: Side, x: Tensor) -> list[Tensor]:
    """The adjoint of it: for each kind ``(before, vectors, dim, after)``."""
    before, _, after = x.shape
    found: list[list[Tensor]] = [[] for _ in side.dims]
    sizes = [mul * n for mul, n in zip(side.muls, side.block_dims, strict=True)]
    for block, mul, copies in zip(x.split(sizes, 1), side.muls, side.copies, strict=True):
        widths = [c * dim for c, dim in zip(copies, side.dims, strict=True)]
        for r, share in enumerate(block.unflatten(1, (mul, sum(widths))).split(widths, 2)):
            if copies[r]:
                found[r].append(share.reshape(before, mul * copies[r], side.dims[r], after))
    return [_join(vectors, 1) for vectors in found]


def _mixed(plan: Plan, filters: Tensor, matrices: Tensor, *, transposed: bool) -> Tensor:
    """Q_out F Q_in^T or Q_out^T F Q_in of filters ``(count, dim_out, dim_in, points)``."""
    start = 0
    for axis, side in enumerate((plan.out, plan.into), 1):
        sizes, found = [mul * n for mul, n in zip(side.muls, side.block_dims, strict=True)], []
        if not any(side.mixed):
            continue
        parts = filters.split(sizes, axis)
        for block, mul, n in zip(parts, side.muls, side.matrix_sizes, strict=True):
            if n:
                matrix = matrices.narrow(0, start, n).view(math.isqrt(n), math.isqrt(n))
                copies = block.unflatten(axis, (mul, len(matrix)))
                mixed = (matrix.mT if transposed else matrix) @ copies.flatten(axis + 2)
                block = mixed.reshape(block.shape)
            found.append(block)
            start += n
        filters = _join(found, axis)
    return filters


def _join(tensors: list[Tensor], axis: int) -> Tensor:
    return tensors[0] if len(tensors) == 1 else torch.cat(tensors, axis)


def _reference(left: Tensor, plan: Expansion) -> Tensor:
    """Either of the two: left is w or, for (E2), F as ``(count, dim_out, dim_in, points)``."""
    expand = (_forward, _adjoint)[plan.mode]
    return expand(plan_of(plan.numbers), left, plan.kernels, plan.matrices)


# --- the operator ---------------------------------------------------------------------------------


def _check(left: Tensor, plan: Expansion) -> None:
    kernels, matrices, table, numbers, mode = plan
    size = None
    if not torch.compiler.is_compiling():  # which sees the reference only
        size = table_size(tuple(numbers))
        if not size or mode not in (FORWARD, ADJOINT):
            raise ValueError(
                f"expansion: numbers, mode: expected those of a Plan, and 0 or 1, got "
                f"{numbers[:12]} ..., {mode}"
            )
    name = "weights" if mode == FORWARD else "filters"
    check_tensor("expansion", name, left, (None, *plan.shape(mode, 0)[1:]))
    check_tensor("expansion", "kernels", kernels, (numbers[4],), left)
    check_tensor("expansion", "matrices", matrices, (numbers[5],), left)
    check_indices("expansion", "table", table, size, left)


def _fake(left: Tensor, plan: Expansion) -> Tensor:
    return left.new_empty(plan.shape(1 - plan.mode, left.shape[0]))


def _cpu(left: Tensor, plan: Expansion) -> Tensor:
    tensors = left.contiguous(), plan.kernels.contiguous(), plan.matrices.contiguous()
    out = _fake(left, plan)
    arguments = (plan.mode, *tensors, out, tuple(plan.numbers), left.shape[0])
    library.call("expansion", left.dtype, *arguments)
    return out


def _blocks_of_threads(count: int, plan: Expansion) -> int:
    """A thread for each entry of a filter, or a warp for each weight."""
    threads = math.prod(plan.shape(1 - plan.mode, count)) * (1 if plan.mode == FORWARD else 32)
    return -(threads // -GPU_THREADS)


def _fits(left: Tensor, plan: Expansion) -> bool:
    return cuda.fits(_blocks_of_threads(len(left), plan))


def _gpu(left: Tensor, plan: Expansion) -> Tensor:
    kernels, matrices, table, numbers, mode = plan
    found = plan_of(numbers)
    if mode == ADJOINT:
        left = _mixed(found, left, matrices, transposed=True)
    left, kernels, table = left.contiguous(), kernels.contiguous(), table.contiguous()
    out = _fake(left, plan)
    if blocks := _blocks_of_threads(len(left), plan):
        points, dim_out, dim_in, weights = numbers[:4]
        kinds = len(found.out.dims), len(found.into.dims)
        sizes = (*kinds, dim_out, dim_in, points, weights, left.shape[0])
        arguments = (mode, left, kernels, out, table, *sizes)
        index = left.device.index
        cuda.launch("expansion", left.dtype, index, (blocks,), (GPU_THREADS,), *arguments)
    return _mixed(found, out, matrices, transposed=False) if mode == FORWARD else out


def _examples() -> list[tuple[Tensor, Expansion]]:
    """Both, with several kinds, blocks with and without a matrix, and more than one warp.

    The numbers are small integers, for which products are exact even if torch rounds to TF32.
    """
    plan = Plan(
        Side((1, 2), (3, 1), ((1, 0), (2, 1)), (False, True)),
        Side((2, 1), (2, 1), ((1, 1), (1, 0)), (True, False)),
        ((2, 1), (3, 0)),
        (19,),
    )
    filters = (2, plan.out.dim, plan.into.dim, 19)
    weights, *constants = plan.sizes
    generator = torch.Generator().manual_seed(0)
    found: list[tuple[Tensor, Expansion]] = []
    for mode, shape in ((FORWARD, (2, weights)), (ADJOINT, filters)):
        left = integers(shape, generator)
        kernels, matrices = (integers((size,), generator) for size in constants)
        found.append((left, Expansion(kernels, matrices, plan.table(), plan.numbers(), mode)))
    return found


def _gradients(
    needed: Sequence[bool], gradient: Tensor, left: Tensor, plan: Expansion
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """To the weights by the other of the two; to what is constant in a layer by the reference."""
    to_left = OPERATOR(gradient, plan.adjoint) if needed[0] else None
    if not any(needed[1:3]):
        return to_left, None, None

    def of_constants(kernels: Tensor, matrices: Tensor) -> Tensor:
        return _reference(left, plan._replace(kernels=kernels, matrices=matrices))

    transposed = torch.func.vjp(of_constants, plan.kernels, plan.matrices)[1]
    return to_left, *transposed(gradient)


OPERATOR = Operator(
    "expansion(Tensor left, Tensor kernels, Tensor matrices, Tensor table, int[] numbers, "
    "int mode) -> Tensor",
    Expansion,
    reference=_reference,
    fake=_fake,
    check=_check,
    cpu=_cpu,
    gpu=_gpu,
    fits=_fits,
    examples=_examples,
)
OPERATOR.differentiate(_gradients)


@register_flop_formula(OPERATOR.overload.overloadpacket)
def _flops(
    left_shape: Sequence[int],
    kernels_shape: Sequence[int],
    matrices_shape: Sequence[int],
    table_shape: Sequence[int],
    numbers: Sequence[int],
    *_: object,
    **__: object,
) -> int:
    """Those of the reference, for torch's counter."""
    plan = plan_of(numbers)
    points, out, into = math.prod(plan.points), plan.out, plan.into
    total = sum(u * v * k * i * j * points for u, v, k, i, j in plan.shapes)
    for side, others in ((out, into.dim), (into, out.dim)):
        for mul, size in zip(side.muls, side.matrix_sizes, strict=True):
            total += mul * size * others * points
    return 2 * left_shape[0] * total
