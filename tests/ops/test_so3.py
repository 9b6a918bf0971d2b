"""The transforms on SO(3) with masks: what ReLU makes of a signal, and its derivative."""

import pytest
import torch
from torch.autograd.forward_ad import dual_level, make_dual, unpack_dual

from equinet.ops import GroupTables, so3_synthesis
from equinet.ops.so3 import ANALYSIS, RECTIFIED, SYNTHESIS, _columns, _groups
from tests.ops.operator_cases import so3_transform
from tests.tolerances import ROUNDING, assert_close

F64 = torch.float64
SIZES = [(3, 2, 2, 1), (5, 4, 2, 33), (6, 6, 1, 16), (4, 3, 3, 5), (18, 18, 1, 3)]


def parts(case):
    """The tensor, the tables and what follows, without a mask."""
    x, *rest = case.arguments
    return x, tuple(rest if case.operator is RECTIFIED else rest[1:])


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_rectified_is_relu_of_the_synthesis(sizes):
    """(F4), to the last bit, as nothing is computed in another order."""
    spectrum, tables = parts(so3_transform(RECTIFIED, *sizes))
    signal = SYNTHESIS(spectrum, None, *tables)
    rectified, negative = RECTIFIED(spectrum, *tables)
    below = _columns(negative, signal.shape[-1])
    assert torch.equal(rectified, signal.relu()) and torch.equal(below, signal <= 0)
    assert 0.2 < below.double().mean() < 0.8
    assert torch.equal(negative, _groups(below))  # with what fills up a group


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_a_mask_is_a_factor_of_the_signal(sizes):
    case = so3_transform(SYNTHESIS, *sizes, masked=True)
    spectrum, tables = parts(case)
    signal = SYNTHESIS(spectrum, None, *tables)
    zero = _columns(case.arguments[1], signal.shape[-1])
    assert torch.equal(SYNTHESIS(*case.arguments), signal.masked_fill(zero, 0))
    case = so3_transform(ANALYSIS, *sizes, masked=True)
    signal, tables = parts(case)
    zero = _columns(case.arguments[1], signal.shape[-1])
    expected = ANALYSIS(signal.masked_fill(zero, 0), None, *tables)
    assert torch.equal(ANALYSIS(*case.arguments), expected)
    assert not torch.allclose(ANALYSIS(signal, None, *tables), expected)


def test_signals_and_masks_of_any_strides():
    case = so3_transform(ANALYSIS, 4, 3, 2, 17, masked=True)
    (signal, tables), zero = parts(case), case.arguments[1]
    expected = ANALYSIS(*case.arguments)
    other = signal.permute(4, 1, 0, 3, 2).contiguous().permute(2, 1, 4, 3, 0)
    mask = zero.permute(3, 4, 5, 2, 1, 0).contiguous().permute(5, 4, 3, 0, 1, 2)
    assert torch.equal(ANALYSIS(other, mask, *tables), expected)
    flat = signal[:, :1, :1, :, :1].expand(signal.shape)  # the gradient of an integral
    whole = ANALYSIS(flat.contiguous(), zero, *tables)
    assert torch.equal(ANALYSIS(flat, zero, *tables), whole)


def test_what_is_no_number_stays_what_it_is():
    """As in torch.relu: it is not hidden."""
    spectrum, tables = parts(so3_transform(RECTIFIED, 3, 2, 1, 2))
    spectrum[0, 1] = torch.nan
    rectified, negative = RECTIFIED(spectrum, *tables)
    assert rectified[..., 1].isnan().all() and not _columns(negative, 2)[..., 1].any()
    assert not rectified[..., 0].isnan().any()


@pytest.mark.parametrize("relu", [False, True])
def test_derivatives_through_the_function(relu):
    spectrum, (*tables, outer) = parts(so3_transform(RECTIFIED, 4, 3, 2, 33))
    names = ("d", "alpha", "gamma", "scatter", "gather", "band")
    group = GroupTables(**dict(zip(names, tables, strict=True)))
    spectrum.requires_grad_()
    signal = so3_synthesis(spectrum, group, outer, relu)
    plain = so3_synthesis(spectrum, group, outer)
    expected = plain.relu() if relu else plain
    assert torch.equal(signal, expected)
    grad = torch.randn(signal.shape, dtype=F64)
    found, wanted = (torch.autograd.grad(f, spectrum, grad)[0] for f in (signal, expected))
    assert_close(found, wanted, ROUNDING)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # inside torch
def test_forward_mode_of_relu():
    spectrum, tables = parts(so3_transform(RECTIFIED, 3, 2, 2, 1))
    direction = torch.randn(spectrum.shape, dtype=F64)
    with dual_level():
        dual = make_dual(spectrum, direction)
        slope = unpack_dual(RECTIFIED(dual, *tables)[0]).tangent
    _, negative = RECTIFIED(spectrum, *tables)
    assert_close(slope, SYNTHESIS(direction, negative, *tables), ROUNDING)


def test_bad_masks():
    case = so3_transform(ANALYSIS, 3, 2, 2, 1, masked=True)
    (signal, tables), zero = parts(case), case.arguments[1]
    with pytest.raises(
        ValueError, match=r"so3_analysis: zero: expected the shape \(2, 1, 6, 6, 6, 16"
    ):
        ANALYSIS(signal, zero[:1], *tables)
    with pytest.raises(TypeError, match=r"so3_analysis: zero: expected torch.bool on cpu, got"):
        ANALYSIS(signal, signal, *tables)
    case = so3_transform(SYNTHESIS, 3, 2, 2, 1, masked=True)
    (spectrum, tables), zero = parts(case), case.arguments[1]
    with pytest.raises(
        ValueError, match=r"so3_synthesis: zero: expected the shape \(2, 1, 6, 6, 6, 16"
    ):
        SYNTHESIS(spectrum, zero[..., :0], *tables)
