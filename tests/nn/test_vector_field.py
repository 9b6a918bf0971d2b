"""From functions on a finite group to vectors."""

import pytest
import torch

from equinet.field import Plane, Point, Volume, act, random_field
from equinet.nn.vector_field import VectorFieldPool
from equinet.rep import vector
from tests.nn.fibre_cases import derivatives_at_zero_are_finite, law_error
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

GROUPS = [("O(1)", 1), ("C4", 2), ("C8", 2), ("D4", 2), ("D3", 2), ("O", 3), ("Oh", 3)]


@pytest.mark.parametrize(("group", "n"), GROUPS, ids=str)
def test_equivariance(group, n, generator):
    module = VectorFieldPool(Point(group, n).fields("2x regular + 1x regular"))
    assert law_error(module, generator, batch=8) <= SYMMETRY


def test_equivariance_on_grids(generator):
    for space, sizes in ((Plane("D4"), (5, 5)), (Volume("O"), (3, 3, 3))):
        module = VectorFieldPool(space.fields("2x regular"))
        assert law_error(module, generator, sizes) <= SYMMETRY


def test_of_rotations_it_is_a_length_and_an_angle(generator):
    """C8: the largest of eight values, at its multiple of 45 degrees."""
    module = VectorFieldPool(Plane("C8").fields("2x regular")).double()
    x = torch.randn(3, 16, 4, 4, generator=generator, dtype=torch.float64)
    length, number = x.view(3, 2, 8, 4, 4).max(2)
    angle = number.double() * torch.pi / 4
    expected = torch.stack([length * angle.cos(), length * angle.sin()], 2).flatten(1, 2)
    assert_close(module(x), expected, ROUNDING)


def test_each_field_becomes_a_vector():
    module = VectorFieldPool(Volume("O").fields("3x regular + 1x regular"))
    rho = vector(module.in_type.fibre.group)
    assert module.out_type.blocks == ((3, rho), (1, rho))
    assert not module.aliases


def test_a_fixed_direction_does_not_turn(generator):
    """Negative control: the value at a fixed element, instead of where it is largest."""

    class First(VectorFieldPool):
        def forward(self, x):
            return x[:, :1] * self.directions[0]

    module = First(Point("C8", 2).fields("1x regular"))
    assert law_error(module, generator, batch=8) > 1e-2


def test_the_gradient_goes_to_the_largest_value(generator):
    module = VectorFieldPool(Point("C4", 2).fields("1x regular"))
    x = torch.tensor([[0.0, 2.0, 1.0, -3.0]], requires_grad=True)
    assert_close(module(x).detach(), [[0.0, 2.0]], 1e-6)
    module(x)[0, 1].backward()
    assert x.grad is not None
    assert_close(x.grad, [[0.0, 1.0, 0.0, 0.0]], 1e-6)
    derivatives_at_zero_are_finite(module)
    y = torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, y)
    assert torch.autograd.gradgradcheck(module, y)
    flat = torch.ones(1, 4, dtype=torch.float64, requires_grad=True)  # all four alike
    (grad,) = torch.autograd.grad(module(flat)[0, 0], flat)
    assert_close(grad, torch.zeros(1, 4), ROUNDING)


def test_a_flat_field_has_no_direction(generator):
    """Where several elements have the largest value, their vectors are averaged: a background that
    is the same for all elements gives zero, as a vector that no element moves must be."""
    module = VectorFieldPool(Point("D4", 2).fields("1x regular")).double()
    x = torch.randint(0, 3, (50, 8), generator=generator).double()  # with many ties
    for g in module.in_type.space.group.elements:
        moved = act(module.in_type, g, x)
        assert_close(module(moved), act(module.out_type, g, module(x)), ROUNDING)
    assert_close(module(torch.ones_like(x)), torch.zeros(50, 2), ROUNDING)
    first = module.directions[x.argmax(1)] * x.amax(1, keepdim=True)  # negative control
    assert (first - module(x)).norm() > 1


def test_channels_last_is_kept(generator):
    for space in (Plane("D4"), Volume("O")):
        module = VectorFieldPool(space.fields("3x regular"))
        x = torch.randn(module.in_type.shape(2, *[4] * space.n), generator=generator)
        last = torch.channels_last if space.n == 2 else torch.channels_last_3d
        y = module(x.to(memory_format=last))
        assert y.is_contiguous(memory_format=last) and module(x).is_contiguous()
        assert torch.equal(y, module(x))


def test_half_precision_and_no_samples(generator):
    module = VectorFieldPool(Plane("C8").fields("2x regular"))
    x = random_field(module.in_type, 3, sizes=(4, 4), generator=generator)
    with torch.autocast("cpu", torch.bfloat16):
        half = module(x.bfloat16())
    assert half.dtype == torch.bfloat16
    assert_close(half.float(), module(x.bfloat16().float()), 0.05)
    assert module(x[:0]).shape == (0, 4, 4, 4)


@pytest.mark.parametrize("text", ["2x regular + 1x1", "1x0", "1x quotient(C2)"])
def test_other_fields_are_refused(text):
    with pytest.raises(ValueError, match="^in_type: expected regular fields of a finite group"):
        VectorFieldPool(Plane("C4").fields(text))
    with pytest.raises(ValueError, match="^in_type: expected regular fields of a finite group"):
        VectorFieldPool(Plane("SO(2)").fields("2x regular(2)"))
