"""A matrix for each irrep, against the sum written out."""

import pytest
import torch
from hypothesis import given

from equinet.ops import IrrepMap, irrep_product
from equinet.ops.irrep_products import GRADIENTS, IrrepGradients, irrep_maps_of
from tests.ops.operator_cases import drawn_irreps, irreps_of
from tests.tolerances import ROUNDING, assert_close

F64 = torch.float64


def direct(maps, x, weights, width):
    """One number after the other of a row."""
    y, start = x.new_zeros(x.shape[0], width), 0
    for own in maps:
        for v in range(own.copies):
            for f in range(own.groups):
                for c in range(own.channels):
                    weight = weights[start + (v * own.groups + f) * own.channels + c]
                    for m in range(own.dim):
                        apart = own.into + (m * own.groups + f) * own.run + c
                        place = apart if own.run else own.into + c * own.dim + m
                        y[:, own.out + v * own.dim + m] += weight * x[:, place]
        start += own.copies * own.columns
    return y


def test_the_sum_written_out():
    case = irreps_of([(2, 3, 2, 1), (3, 1, 2, 2), (1, 2, 4, 1), (5, 2, 1, 3)], 4)
    maps, x = irrep_maps_of(case.plan.numbers), case.x
    expected = direct(maps, x, case.plan.weights, case.plan.width)
    assert_close(irrep_product(maps, x, case.plan.weights, case.plan.width), expected, ROUNDING)
    with pytest.raises(AssertionError):  # negative control
        assert_close(
            irrep_product(maps, x, case.plan.weights.flip(0), case.plan.width), expected, ROUNDING
        )


@given(case=drawn_irreps(gradients=True))
def test_gradients_are_those_of_the_reference(case):
    """All of them, and empty where none is wanted."""
    found = case.operator.overload(*case.arguments)
    expected = case.operator.reference(*case.arguments)
    for one, other in zip(found, expected, strict=True):
        scale = 1 + (other.abs().max() if other.numel() else 0)
        assert_close(one / scale, other / scale, ROUNDING)
    assert found[1].numel() == (1 in case.plan.wanted) * case.plan.weights.numel()


def test_numbers_of_no_irreps_are_refused():
    """Compiled code would read and write elsewhere."""
    x, weights = torch.zeros(3, 6), torch.zeros(4)
    good = IrrepMap(dim=3, copies=2, channels=2, groups=1, into=0, run=0, out=0)
    assert irrep_product([good], x, weights, 6).shape == (3, 6)
    wrong = ({"into": 1}, {"out": 1}, {"dim": 0}, {"groups": 2}, {"run": 1}, {"into": -1})
    for change in wrong:
        with pytest.raises(ValueError, match="^irrep_product: numbers: expected"):
            irrep_product([good._replace(**change)], x, weights, 6)
    with pytest.raises(ValueError, match="^irrep_product: weights: expected the shape"):
        irrep_product([good], x, weights[1:], 6)
    with pytest.raises(ValueError, match="^irrep_product_gradients: wanted: expected"):
        GRADIENTS(x, IrrepGradients(x, weights, list(good), [2]))
