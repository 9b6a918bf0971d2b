"""Functions of norms: the direction of a field stays."""

import pytest
import torch

from equinet import FieldType, Sphere
from equinet.field import Plane, Point, Volume, random_field
from equinet.group import so2
from equinet.nn.norm_activation import NormActivation, squash
from equinet.rep import Representation, irreps
from tests.nn.fibre_cases import (
    derivatives_at_zero_are_finite,
    every_group,
    fibres,
    law_error,
    on_grids,
)
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

FUNCTIONS = [torch.relu, torch.sigmoid, torch.nn.functional.softplus, squash]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_field_by_field(function, generator):
    """f / n sigma(n + b) with n^2 = |f|^2 + eps^2, one b a field."""
    field_type = Volume("SO(3)").fields("2x0 + 2x1 + 1x2")
    module = NormActivation(field_type, function, eps=0.1).double()
    b = torch.randn(5, generator=generator, dtype=torch.float64)
    module.get_parameter("bias").data.copy_(b)
    x = torch.randn(field_type.shape(2, 3, 2, 2), generator=generator, dtype=torch.float64)
    expected, start = [], 0
    for i, dim in enumerate([1, 1, 3, 3, 5]):
        f = x[:, start : start + dim]
        n = ((f**2).sum(1, keepdim=True) + 0.01).sqrt()
        expected.append(f / n * function(n + b[i]))
        start += dim
    assert_close(module(x), torch.cat(expected, 1), ROUNDING)


def test_it_starts_as_the_identity(generator):
    module = NormActivation(fibres("O(3)")).double()
    x = random_field(module.in_type, 3, generator=generator, dtype=torch.float64)
    assert_close(module(x), x, ROUNDING)
    assert module.get_parameter("bias").shape == (module.in_type.copies,)
    assert NormActivation(fibres("O(3)"), bias=False).bias is None


def test_a_negative_bias_cuts_short_fields(generator):
    module = NormActivation(Point("SO(3)", 3).fields("1x1"))
    module.get_parameter("bias").data.fill_(-2.0)
    x = torch.tensor([[1.0, 1.0, 1.0], [0.0, 3.0, 4.0]])
    assert_close(module(x), [[0.0, 0.0, 0.0], [0.0, 1.8, 2.4]], 1e-5)


def test_a_scalar_keeps_its_sign(generator):
    """It is a vector of one component, so the module is an odd function of it."""
    module = NormActivation(Point("SO(3)", 3).fields("1x0"), torch.tanh).double()
    x = torch.randn(20, 1, generator=generator, dtype=torch.float64)
    assert_close(module(-x), -module(x), ROUNDING)
    assert (module(x).sign() == x.sign()).all()


def test_squash_is_the_capsules(generator):
    x = torch.tensor([[3.0, 4.0, 0.0]], dtype=torch.float64)
    module = NormActivation(Point("SO(3)", 3).fields("1x1"), squash, bias=False, eps=1e-9)
    assert_close(module(x), x / 5 * 25 / 26, ROUNDING)


@every_group
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_equivariance(group, function, generator):
    assert law_error(NormActivation(fibres(group), function), generator) <= SYMMETRY


@pytest.mark.parametrize("case", on_grids(), ids=lambda case: repr(case[0].space))
def test_equivariance_in_space(case, generator):
    field_type, sizes = case
    assert law_error(NormActivation(field_type, squash), generator, sizes) <= SYMMETRY


def _skew():
    """Frequencies 1 and 0 in a basis that is not orthogonal."""
    one, zero = irreps(so2(), 1)[1], irreps(so2(), 1)[0]
    basis = torch.eye(3, dtype=torch.float64).index_put(
        (torch.tensor([0]), torch.tensor([2])), torch.tensor(1.0, dtype=torch.float64)
    )
    return Representation(so2(), "skew", (one, zero), basis)


def test_other_bases_are_refused():
    field_type = FieldType(Point("SO(2)", 2), ((2, _skew()),))
    with pytest.raises(ValueError, match=r"^in_type: norms are invariant only .* 1x1 \+ 1x0"):
        NormActivation(field_type)


def test_in_other_bases_the_norm_is_not_invariant(generator, monkeypatch):
    """Negative control: why they are refused."""
    monkeypatch.setattr(Representation, "is_orthogonal", True)
    module = NormActivation(FieldType(Point("SO(2)", 2), ((2, _skew()),)), squash)
    assert law_error(module, generator) > 1e-3


def test_derivatives_are_finite(generator):
    """At zero a field has no direction; epsilon smooths the corner."""
    for function in FUNCTIONS:
        module = NormActivation(fibres("O(3)"), function)
        module.get_parameter("bias").data.fill_(0.5)
        derivatives_at_zero_are_finite(module)
    module = NormActivation(Point("SO(3)", 3).fields("1x0 + 1x1"), squash).double()
    x = torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, x)
    assert torch.autograd.gradgradcheck(module, x)


def test_half_precision_and_no_samples(generator):
    """Norms are taken in single precision."""
    module = NormActivation(fibres("SO(3)"), squash)
    x = random_field(module.in_type, 4, generator=generator).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        half = module(x)
    assert half.dtype == torch.bfloat16
    assert_close(half, module(x.float()).bfloat16(), 0.0)
    assert module(x[:0].float()).shape == (0, module.in_type.channels)


def test_bad_input():
    assert NormActivation(Sphere(3).fields("2x1")).aliases
    assert not NormActivation(Plane("C4").fields("2x1")).aliases
    with pytest.raises(ValueError, match="^in_type: expected fields of finite dimension, got reg"):
        NormActivation(Sphere(3).fields("2x regular"))
    with pytest.raises(ValueError, match="^eps: expected a number > 1e-18, got 0"):
        NormActivation(fibres("SO(3)"), eps=0)
