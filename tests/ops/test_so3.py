"""The transforms on SO(3) with masks: what ReLU makes of a signal, and its derivative."""

import pytest
import torch
from torch.autograd.forward_ad import dual_level, make_dual, unpack_dual

from equinet.ops import so3_synthesis
from equinet.ops.so3 import ANALYSIS, RECTIFIED, SYNTHESIS, by_columns, by_groups
from tests.ops.operator_cases import so3_transform
from tests.tolerances import ROUNDING, assert_close

F64 = torch.float64
SIZES = [(3, 2, 2, 1), (5, 4, 2, 33), (6, 6, 1, 16), (4, 3, 3, 5), (18, 18, 1, 3)]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_rectified_is_relu_of_the_synthesis(sizes):
    """(F4), to the last bit, as nothing is computed in another order."""
    case = so3_transform(RECTIFIED, *sizes)
    signal = SYNTHESIS(case.x, case.plan.synthesis)
    rectified, negative = RECTIFIED(case.x, case.plan)
    below = by_columns(negative, signal.shape[-1])
    assert torch.equal(rectified, signal.relu()) and torch.equal(below, signal <= 0)
    assert 0.2 < below.double().mean() < 0.8
    assert torch.equal(negative, by_groups(below))  # with what fills up a group


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_a_mask_is_a_factor_of_the_signal(sizes):
    case = so3_transform(SYNTHESIS, *sizes, masked=True)
    signal = SYNTHESIS(case.x, case.plan._replace(zero=None))
    zero = by_columns(case.plan.zero, signal.shape[-1])
    assert torch.equal(SYNTHESIS(case.x, case.plan), signal.masked_fill(zero, 0))
    case = so3_transform(ANALYSIS, *sizes, masked=True)
    plain = case.plan._replace(zero=None)
    zero = by_columns(case.plan.zero, case.x.shape[-1])
    expected = ANALYSIS(case.x.masked_fill(zero, 0), plain)
    assert torch.equal(ANALYSIS(case.x, case.plan), expected)
    assert not torch.allclose(ANALYSIS(case.x, plain), expected)


def test_signals_and_masks_of_any_strides():
    case = so3_transform(ANALYSIS, 4, 3, 2, 17, masked=True)
    signal, plan = case.x, case.plan
    expected = ANALYSIS(signal, plan)
    other = signal.permute(4, 1, 0, 3, 2).contiguous().permute(2, 1, 4, 3, 0)
    mask = plan.zero.permute(3, 4, 5, 2, 1, 0).contiguous().permute(5, 4, 3, 0, 1, 2)
    assert torch.equal(ANALYSIS(other, plan._replace(zero=mask)), expected)
    flat = signal[:, :1, :1, :, :1].expand(signal.shape)  # the gradient of an integral
    assert torch.equal(ANALYSIS(flat, plan), ANALYSIS(flat.contiguous(), plan))


def test_what_is_no_number_stays_what_it_is():
    """As in torch.relu: it is not hidden."""
    case = so3_transform(RECTIFIED, 3, 2, 1, 2)
    case.x[0, 1] = torch.nan
    rectified, negative = RECTIFIED(case.x, case.plan)
    assert rectified[..., 1].isnan().all() and not by_columns(negative, 2)[..., 1].any()
    assert not rectified[..., 0].isnan().any()


@pytest.mark.parametrize("relu", [False, True])
def test_derivatives_through_the_function(relu):
    case = so3_transform(SYNTHESIS, 4, 3, 2, 33)
    spectrum, tables, outer = case.x.requires_grad_(), case.plan.tables, case.plan.outer
    signal = so3_synthesis(spectrum, tables, outer, relu)
    plain = so3_synthesis(spectrum, tables, outer)
    expected = plain.relu() if relu else plain
    assert torch.equal(signal, expected)
    grad = torch.randn(signal.shape, dtype=F64)
    found, wanted = (torch.autograd.grad(f, spectrum, grad)[0] for f in (signal, expected))
    assert_close(found, wanted, ROUNDING)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # inside torch
def test_forward_mode_of_relu():
    case = so3_transform(RECTIFIED, 3, 2, 2, 1)
    direction = torch.randn(case.x.shape, dtype=F64)
    with dual_level():
        dual = make_dual(case.x, direction)
        slope = unpack_dual(RECTIFIED(dual, case.plan)[0]).tangent
    _, negative = RECTIFIED(case.x, case.plan)
    masked = case.plan.synthesis._replace(zero=negative)
    assert_close(slope, SYNTHESIS(direction, masked), ROUNDING)


def test_bad_masks():
    case = so3_transform(ANALYSIS, 3, 2, 2, 1, masked=True)
    signal, plan = case.x, case.plan
    with pytest.raises(
        ValueError, match=r"so3_analysis: zero: expected the shape \(2, 1, 6, 6, 6, 16"
    ):
        ANALYSIS(signal, plan._replace(zero=plan.zero[:1]))
    with pytest.raises(TypeError, match=r"so3_analysis: zero: expected torch.bool on cpu, got"):
        ANALYSIS(signal, plan._replace(zero=signal))
    case = so3_transform(SYNTHESIS, 3, 2, 2, 1, masked=True)
    plan = case.plan
    with pytest.raises(
        ValueError, match=r"so3_synthesis: zero: expected the shape \(2, 1, 6, 6, 6, 16"
    ):
        SYNTHESIS(case.x, plan._replace(zero=plan.zero[..., :0]))
