"""Calls of each compiled operator, for test_operator: a new operator adds a line to both lists."""

import sys
from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import strategies as st

from equinet.ops.native.operator import Operator

# The modules; equinet.ops gives the functions of the same names.
block_matmul = sys.modules["equinet.ops.block_matmul"]
F64 = torch.float64


@dataclass(frozen=True)
class Case:
    """One call of an operator.

    Attributes:
        operator: what is called.
        arguments: with real tensors in float64.
    """

    operator: Operator
    arguments: tuple[Any, ...]

    def with_tensors(self, change) -> tuple[Any, ...]:
        return tuple(
            change(a) if isinstance(a, torch.Tensor) and a.is_floating_point() else a
            for a in self.arguments
        )

    def __str__(self) -> str:
        return self.operator.name


def block_product(sizes, batch: int, mode: int, with_bias: bool) -> Case:
    rows, columns = ([pair[i] for pair in sizes] for i in range(2))
    w, x, z = block_matmul._sizes(rows, columns, batch)
    left, right = {0: (w, x), 1: (w, z), 2: (z, x)}[mode]
    generator = torch.Generator().manual_seed(mode)
    tensors = [torch.randn(n, dtype=F64, generator=generator) for n in (left, right, rows[0])]
    tensors[2] = tensors[2] if with_bias and mode == 0 else None
    return Case(block_matmul.OPERATOR, (*tensors, rows, columns, batch, mode))


@st.composite
def block_products(draw) -> Case:
    size = st.one_of(st.integers(0, 4), st.sampled_from([0, 1, 6, 17, 33]))
    sizes = draw(st.lists(st.tuples(size, size), min_size=1, max_size=4))
    batch = draw(st.sampled_from([0, 1, 2, 5, 16, 19]))
    return block_product(sizes, batch, draw(st.integers(0, 2)), draw(st.booleans()))


# Any shapes, for values.
DRAWN = {"block_matmul": block_products()}

# A few small ones, for what takes long.
SMALL = [block_product([(3, 2), (2, 0), (0, 2), (2, 3)], 2, mode, True) for mode in range(3)]

# Some beyond a block of the CPU and the GPU, with remainders.
LARGE = [block_product([(130, 3), (2, 66), (65, 17)], 23, mode, True) for mode in range(3)]
