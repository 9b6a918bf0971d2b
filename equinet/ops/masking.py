r"""A tensor, and 0 where a mask says so: the backward pass of ReLU, and ReLU itself.

In: a tensor and a mask. Out: a tensor.

.. math:: y_i = 0 \text{ where } b_i, \quad x_i \text{ elsewhere}

It is linear in x and its own transpose. torch has no single pass over memory for it on a CPU, and
the signals of a network on SO(3) are so large that every pass counts.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from equinet.ops.example_tables import integers
from equinet.ops.native import library
from equinet.ops.native.checks import check_mask, check_tensor, check_tensors
from equinet.ops.native.library import memory_of
from equinet.ops.native.operator import Operator


def zero_where(x: Tensor, where: Tensor) -> Tensor:
    """``x``, and 0 where ``where``.

    Args:
        x: of any shape and strides.
        where: bool, of the same shape.
    Returns:
        A tensor of the same shape. Where it is compiled, it lies in memory as ``where`` does.
    Raises:
        ValueError: if the shapes differ.
        TypeError: if ``where`` is not bool, is on another device, or ``x`` is not real.
    """
    check_tensors("zero_where", x=x, where=where)
    return OPERATOR(x, Mask(where))


def relu(x: Tensor) -> Tensor:
    """max(x, 0), which keeps a byte for each value, where torch.relu keeps its output.

    Raises:
        TypeError: if ``x`` is no dense tensor of real numbers.
    """
    check_tensors("relu", x=x)
    check_tensor("relu", "x", x, tuple(x.shape))
    if torch.compiler.is_compiling():  # a compiler decides by itself what to keep
        return torch.relu(x)
    return zero_where(x, x <= 0)


class Mask(NamedTuple):
    """The plan of the operator: where the result is 0."""

    where: Tensor


def _reference(x: Tensor, mask: Mask) -> Tensor:
    # More than twice as fast on a CPU as torch.where and masked_fill.
    return torch.ops.aten.threshold_backward(x, mask.where.logical_not(), 0)


# --- the operator ---------------------------------------------------------------------------------


def _check(x: Tensor, mask: Mask) -> None:
    check_tensors("zero_where", x=x, where=mask.where)
    check_tensor("zero_where", "x", x, tuple(mask.where.shape), x)
    check_mask("zero_where", "where", mask.where, tuple(x.shape), x)


def _fake(x: Tensor, mask: Mask) -> Tensor:
    return torch.empty_like(mask.where, dtype=x.dtype)


def _cpu(x: Tensor, mask: Mask) -> Tensor:
    where, out = mask.where, _fake(x, mask)
    if where.stride() != out.stride():
        where = torch.empty_like(where).copy_(where)
    loops = merged_axes(x.shape, x.stride(), out.stride())
    sizes, steps = (tuple(part) for part in zip(*loops, strict=True))
    flat = (memory_of(tensor) for tensor in (x, where, out))
    library.call("zero_where", x.dtype, *flat, sizes, steps, len(loops), out.numel())
    return out


def merged_axes(
    shape: Sequence[int], steps: Sequence[int], order: Sequence[int]
) -> list[tuple[int, int]]:
    """The axes of a tensor as loops; neighbours that one step carries through are one.

    Args:
        shape: of the tensor.
        steps: its strides.
        order: strides by which the axes are sorted, the largest first.
    Returns:
        Size and step of each loop; mostly there is just one.
    """
    axes = sorted(zip(order, shape, steps, strict=True), key=lambda axis: -axis[0])
    loops = [(1, 1)]
    for _, size, step in axes:
        outer_size, outer_step = loops[-1]
        if outer_size == 1 or outer_step == size * step:
            loops[-1] = outer_size * size, step
        elif size != 1:
            loops.append((size, step))
    return loops


def _examples() -> list[tuple[Tensor, Mask]]:
    """One number along an axis, a mask that lies in memory in another order, beyond a register."""
    generator = torch.Generator().manual_seed(0)
    found: list[tuple[Tensor, Mask]] = []
    for shape, by in (((3, 37), (0, 1)), ((4, 1, 5), (2, 0, 1)), ((2, 3, 19), (1, 2, 0))):
        x = integers(shape, generator).expand(shape[0], max(shape[1], 3), *shape[2:])
        where = (integers([x.shape[i] for i in by], generator) > 0).permute(
            [by.index(i) for i in range(len(by))]
        )
        found.append((x, Mask(where)))
    return found


OPERATOR = Operator(
    "zero_where(Tensor x, Tensor where) -> Tensor",
    Mask,
    reference=_reference,
    fake=_fake,
    check=_check,
    examples=_examples,
    cpu=_cpu,
)
OPERATOR.adjoint_is(OPERATOR, lambda x, mask, _: mask)
