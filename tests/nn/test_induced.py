"""Norms of the parts of induced fields."""

import pytest
import torch

from equinet.field import Plane, Point, Volume, random_field
from equinet.nn.induced import InducedNormActivation
from equinet.nn.norm_activation import NormActivation, squash
from tests.nn.fibre_cases import derivatives_at_zero_are_finite, law_error
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

# Group, dimension of its space, fields, components of a part.
CASES = [
    ("D4", 2, "2x induced(C4,1)", 2),
    ("C8", 2, "1x induced(C4,1) + 2x induced(C4,0)", (2, 1)),
    ("O(2)", 2, "2x induced(SO(2),1)", 2),
    ("O(3)", 3, "2x induced(SO(3),1) + 1x 0o", (3, 1)),
    ("O", 3, "2x induced(D3,E)", 2),
    ("O", 3, "1x induced(C4,E) + 1x regular", (2, 1)),
]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {case[2]}")


@every_case
def test_equivariance(case, generator):
    group, n, text, size = case
    for function in (torch.sigmoid, squash):
        module = InducedNormActivation(Point(group, n).fields(text), size, function)
        assert law_error(module, generator, batch=8) <= SYMMETRY


def test_equivariance_on_grids(generator):
    module = InducedNormActivation(Plane("D4").fields("2x induced(C4,1)"), 2, squash)
    assert law_error(module, generator, (5, 5)) <= SYMMETRY
    module = InducedNormActivation(Volume("O").fields("1x induced(C4,E)"), 2, squash)
    assert law_error(module, generator, (3, 3, 3)) <= SYMMETRY


def test_part_by_part(generator):
    """Six parts of two components, one bias."""
    field_type = Point("O", 3).fields("2x induced(C4,E)")
    module = InducedNormActivation(field_type, 2, torch.sigmoid).double()
    module.get_parameter("bias").data.copy_(torch.tensor([0.5, -1.0]))
    x = torch.randn(3, 24, generator=generator, dtype=torch.float64)
    f = x.view(3, 2, 6, 2)
    n = (f.square().sum(-1, keepdim=True) + 1e-6).sqrt()
    b = torch.tensor([0.5, -1.0], dtype=torch.float64)[:, None, None]
    assert_close(module(x), (f / n * torch.sigmoid(n + b)).flatten(1), ROUNDING)


def test_one_part_is_the_whole_field(generator):
    field_type = Point("O(3)", 3).fields("2x1o + 1x2e")
    x = random_field(field_type, 4, generator=generator, dtype=torch.float64)
    whole = InducedNormActivation(field_type, (3, 5), squash).double()
    assert_close(whole(x), NormActivation(field_type, squash).double()(x), 0.0)


def test_it_sees_more_than_the_norm_of_the_field(generator):
    """Two fields of equal norm are scaled by different numbers."""
    field_type = Point("D4", 2).fields("1x induced(C4,1)")
    x = torch.tensor([[1.0, 0.0, 1.0, 0.0], [2**0.5, 0.0, 0.0, 0.0]])
    sizes = InducedNormActivation(field_type, 2, squash)(x).norm(dim=1)
    assert abs(sizes[0] - sizes[1]) > 0.03


@every_case
def test_every_element_permutes_the_parts(case):
    """The check on generators holds for all elements of the group."""
    group, n, text, size = case
    field_type = Point(group, n).fields(text)
    module = InducedNormActivation(field_type, size)
    acting = field_type.space.fibre_group
    elements = acting.components if acting.is_finite else acting.sample(20)
    for (_, rho), part in zip(field_type.blocks, module.sizes, strict=True):
        values = rho(elements)
        blocks = values.view(len(values), rho.dim // part, part, rho.dim // part, part)
        used = blocks.abs().amax((2, 4)) > 1e-6
        assert (used.sum(1) == 1).all() and (used.sum(2) == 1).all()


@pytest.mark.parametrize("size", [1, 3, 5])
def test_other_sizes_are_refused(size):
    """Under rotations by any angle the two components of a part mix."""
    field_type = Point("O(2)", 2).fields("2x induced(SO(2),1)")
    with pytest.raises(ValueError, match=r"^size: O\(2\) does not permute parts .* here 2 or 4$"):
        InducedNormActivation(field_type, size)


@pytest.mark.parametrize("size", [True, 2.0, (None,), 0, -2])
def test_a_size_is_an_integer(size):
    with pytest.raises(ValueError, match="^size: expected an integer >= 1, got "):
        InducedNormActivation(Point("O(2)", 2).fields("2x induced(SO(2),1)"), size)


def test_a_wrong_size_is_not_equivariant(generator):
    """Negative control: norms of halves of the parts."""
    module = InducedNormActivation(Point("O(2)", 2).fields("2x induced(SO(2),1)"), 2, squash)
    module.sizes = [1]
    assert law_error(module, generator) > 1e-3


def test_one_size_for_each_block():
    field_type = Point("O", 3).fields("1x induced(C4,E) + 1x T1")
    with pytest.raises(ValueError, match="^size: expected one number, or one for each of the 2"):
        InducedNormActivation(field_type, (2, 3, 1))


def test_derivatives(generator):
    """Finite where fields vanish; right to second order."""
    module = InducedNormActivation(Point("O", 3).fields("1x induced(C4,E)"), 2, squash)
    derivatives_at_zero_are_finite(module)
    x = torch.randn(1, 12, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, x)
    assert torch.autograd.gradgradcheck(module, x)
