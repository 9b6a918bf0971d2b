r"""Filters from weights, and what a gradient of the filters says of the weights.

In: weights, kernels and changes of basis. Out: dense filters. Before: ``block_matmul``.
Next: the layers.

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

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from equinet.ops.native import cuda, library
from equinet.ops.native.operator import Operator, check_tensor

FORWARD, ADJOINT = 0, 1  # (E1), (E2); as in csrc/cpu/expansion.cpp
GPU_THREADS = 256


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


def expand(plan: Plan, weights: Tensor, kernels: Tensor, matrices: Tensor) -> Tensor:
    """The filters of several sets of weights below each other (E1).

    Args:
        plan: of the filter.
        weights: ``(count, weights)``; the weights of all pairs of kinds in a row, for each pair
            (vectors of the output, vectors of the input, kernels).
        kernels: flat; for each pair of kinds (kernels, dim_out, dim_in, points).
        matrices: flat; for each block that has one (dim, dim), first those of the output.
    Returns:
        ``(count * dim_out, dim_in, *points)``.
    """
    if OPERATOR.serves(weights):
        found = OPERATOR.overload(weights, kernels, matrices, plan.numbers(), FORWARD)
    else:
        found = _forward(plan, weights, kernels, matrices)
    return found.view(len(weights) * plan.out.dim, plan.into.dim, *plan.points)


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


def _pairs(plan: Plan, weights: Tensor, kernels: Tensor) -> Iterator[tuple]:
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


def _reference(left, kernels, matrices, numbers, mode) -> Tensor:
    """Either of the two: left is w or, for (E2), F as ``(count, dim_out, dim_in, points)``."""
    return (_forward, _adjoint)[mode](plan_of(numbers), left, kernels, matrices)


# --- the operator ---------------------------------------------------------------------------------


def _shape(mode: int, count: int, numbers: Sequence[int]) -> tuple[int, ...]:
    """Of the weights, or for (E2) of the filters."""
    points, dim_out, dim_in, weights = numbers[:4]
    return (count, weights) if mode == FORWARD else (count, dim_out, dim_in, points)


def _check(left, kernels, matrices, numbers, mode) -> None:
    name = "weights" if mode == FORWARD else "filters"
    check_tensor("expansion", name, left, (None, *_shape(mode, 0, numbers)[1:]), left)
    check_tensor("expansion", "kernels", kernels, (numbers[4],), left)
    check_tensor("expansion", "matrices", matrices, (numbers[5],), left)


def _fake(left, kernels, matrices, numbers, mode) -> Tensor:
    return left.new_empty(_shape(1 - mode, left.shape[0], numbers))


def _cpu(left, kernels, matrices, numbers, mode) -> Tensor:
    left, kernels, matrices = left.contiguous(), kernels.contiguous(), matrices.contiguous()
    out = _fake(left, kernels, matrices, numbers, mode)
    arguments = (mode, left, kernels, matrices, out, tuple(numbers), left.shape[0])
    library.call("expansion", left.dtype, *arguments)
    return out


@functools.lru_cache(64)  # for each layer it is made and carried to the GPU once
def _table(numbers: tuple[int, ...], device: torch.device) -> Tensor:
    """What csrc/cuda/expansion.cu looks up: see there."""
    plan = plan_of(numbers)
    found: list[int] = []
    starts: list[list[list[int]]] = []  # for each side and kind
    for side in (plan.out, plan.into):
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
    kinds_in = len(plan.into.dims)
    for pair, (u, v, k, i, j) in enumerate(plan.shapes):
        r, s = divmod(pair, kinds_in)
        before_in = sum(plan.out.vectors) + sum(plan.into.vectors[:s])
        found += [k, weight, kernel, i, j, u, v, sum(plan.out.vectors[:r]), before_in]
        weight, kernel = weight + u * v * k, kernel + k * i * j * numbers[0]
    found += itertools.chain.from_iterable(itertools.chain(*starts))
    return torch.tensor(found, device=device)


def _gpu(left, kernels, matrices, numbers, mode) -> Tensor:
    plan = plan_of(numbers)
    if mode == ADJOINT:
        left = _mixed(plan, left, matrices, transposed=True)
    left, kernels = left.contiguous(), kernels.contiguous()
    out = _fake(left, kernels, matrices, numbers, mode)
    threads = out.numel() * (1 if mode == FORWARD else 32)
    if threads:
        table = _table(tuple(numbers), left.device)
        points, dim_out, dim_in, weights = numbers[:4]
        kinds = len(plan.out.dims), len(plan.into.dims)
        sizes = (*kinds, dim_out, dim_in, points, weights, left.shape[0])
        arguments = (mode, left, kernels, out, table, *sizes)
        grid = (-(threads // -GPU_THREADS),)
        index = left.device.index
        cuda.launch("expansion", left.dtype, index, grid, (GPU_THREADS,), *arguments)
    return _mixed(plan, out, matrices, transposed=False) if mode == FORWARD else out


def _save(ctx, inputs, output) -> None:
    *tensors, ctx.numbers, ctx.mode = inputs
    ctx.save_for_backward(*tensors)


def _backward(ctx, grad):
    """To the weights by the other of the two; to what is constant in a layer by the reference."""
    left, kernels, matrices = ctx.saved_tensors
    to_left = to_kernels = to_matrices = None
    if ctx.needs_input_grad[0]:
        to_left = OPERATOR(grad, kernels, matrices, ctx.numbers, 1 - ctx.mode)
    if any(ctx.needs_input_grad[1:3]):

        def of_constants(kernels: Tensor, matrices: Tensor) -> Tensor:
            return _reference(left, kernels, matrices, ctx.numbers, ctx.mode)

        to_kernels, to_matrices = torch.func.vjp(of_constants, kernels, matrices)[1](grad)
    return to_left, to_kernels, to_matrices, None, None


OPERATOR = Operator(
    "expansion(Tensor left, Tensor kernels, Tensor matrices, int[] numbers, int mode) -> Tensor",
    reference=_reference,
    fake=_fake,
    check=_check,
    cpu=_cpu,
    gpu=_gpu,
)
OPERATOR.differentiate(_save, _backward)


@register_flop_formula(OPERATOR.overload.overloadpacket)
def _flops(left_shape, kernels_shape, matrices_shape, numbers, mode, *_, out_shape=None) -> int:
    """Those of the reference, for torch's counter."""
    plan = plan_of(numbers)
    points, out, into = math.prod(plan.points), plan.out, plan.into
    total = sum(u * v * k * i * j * points for u, v, k, i, j in plan.shapes)
    for side, others in ((out, into.dim), (into, out.dim)):
        for mul, size in zip(side.muls, side.matrix_sizes, strict=True):
            total += mul * size * others * points
    return 2 * left_shape[0] * total
