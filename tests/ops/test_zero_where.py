"""A tensor, and 0 where a mask says so: layouts, what is not a number, bad input."""

import numpy as np
import pytest
import torch

from equinet.ops import zero_where
from equinet.ops.masking import merged_axes
from equinet.ops.native import library
from tests.ops.operator_cases import masked

CASES = [
    masked((3, 4, 5, 6)),
    masked((3, 4, 5, 6), order=(1, 3, 2, 0)),
    masked((3, 4, 5, 6), (2, 3), order=(1, 3, 2, 0)),
    masked((3, 4, 1, 6), (0, 1), order=(2, 0, 3, 1)),
    masked((40, 50, 60)),  # beyond what one thread takes
    masked((40, 50, 60), (1,), order=(1, 2, 0)),
    masked((2, 0, 3), (0,)),
    masked(()),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(tuple(case.arguments[0].shape)))
def test_the_definition_and_the_layout_of_the_mask(case):
    x, where = case.arguments
    found = zero_where(x, where)
    assert np.array_equal(found.numpy(), np.where(where.numpy(), 0, x.numpy()))
    if library.CPU:
        assert found.stride() == where.stride()


def test_a_mask_with_gaps():
    x, where = torch.randn(6, 5), torch.rand(6, 10)[:, ::2] < 0.5
    assert torch.equal(zero_where(x, where), torch.where(where, 0.0, x))


def test_what_is_not_finite_is_cut_too_and_kept_elsewhere():
    x = torch.tensor([torch.nan, torch.inf, torch.nan, torch.inf])
    found = zero_where(x, torch.tensor([True, True, False, False]))
    assert torch.equal(found.nan_to_num(7, 8), torch.tensor([0.0, 0.0, 7.0, 8.0]))


def test_axes_that_one_step_carries_through_are_one():
    assert merged_axes((3, 4, 5), (20, 5, 1), (20, 5, 1)) == [(60, 1)]
    assert merged_axes((3, 4, 5), (1, 3, 12), (1, 3, 12)) == [(60, 1)]
    assert merged_axes((3, 4, 5), (5, 0, 1), (20, 5, 1)) == [(3, 5), (4, 0), (5, 1)]
    assert merged_axes((3, 4, 5), (0, 0, 1), (20, 5, 1)) == [(12, 0), (5, 1)]
    assert merged_axes((3, 1, 5), (5, 77, 1), (5, 5, 1)) == [(15, 1)]


def test_bad_input():
    x = torch.zeros(2, 3)
    with pytest.raises(ValueError, match=r"zero_where: x: expected the shape \(3, 2\), got \(2"):
        zero_where(x, torch.zeros(3, 2, dtype=torch.bool))
    with pytest.raises(TypeError, match=r"where: expected torch.bool on cpu, got torch.float32"):
        zero_where(x, x)
    with pytest.raises(TypeError, match=r"where: expected torch.bool on cpu, got torch.bool on m"):
        zero_where(x, torch.zeros(2, 3, dtype=torch.bool, device="meta"))
