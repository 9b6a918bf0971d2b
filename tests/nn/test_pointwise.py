"""Pointwise nonlinearities; their equivariance is in tests/laws."""

import pytest
import torch

from equinet import Sphere
from equinet.nn import Pointwise, ReLU


@pytest.mark.parametrize("text", ["2x0", "1x0 + 3x trivial", "2x regular"])
def test_value_by_value(text, generator):
    field_type = Sphere(3).fields(text)
    x = torch.randn(field_type.shape(2), generator=generator)
    assert torch.equal(ReLU(field_type)(x), x.clamp_min(0))
    assert torch.equal(Pointwise(field_type, torch.sin)(x), x.sin())
    assert Pointwise(field_type, torch.sin).out_type == field_type
    assert ReLU(field_type).aliases  # products have degrees above the band


def test_the_input_is_left_as_it_was(generator):
    field_type = Sphere(3).fields("1x0")
    x = torch.randn(field_type.shape(2), generator=generator)
    before = x.clone()
    ReLU(field_type)(x)
    assert torch.equal(x, before)


def test_a_module_is_a_function_too(generator):
    """Its parameters are learned with the rest."""
    field_type = Sphere(3).fields("2x0")
    x = torch.randn(field_type.shape(2), generator=generator)
    module = Pointwise(field_type, torch.nn.PReLU())
    assert torch.equal(module(x), torch.where(x > 0, x, 0.25 * x))
    assert list(module.state_dict()) == ["function.weight"]


@pytest.mark.parametrize("text", ["1x1", "2x0 + 1x2"])
def test_components_of_vectors_are_refused(text):
    for make in (ReLU, lambda field_type: Pointwise(field_type, torch.tanh)):
        with pytest.raises(
            ValueError, match=r"^in_type: .*trivial or regular fields, got"
        ) as caught:
            make(Sphere(3).fields(text))
        assert repr(Sphere(3).fields(text)) in str(caught.value)


def test_relu_on_a_vector_is_not_equivariant(generator):
    """Why they are refused: half a turn in the tangent plane swaps what is kept and what is cut."""
    v = torch.randn(100, 2, generator=generator)
    assert not torch.allclose(-(v.relu()), (-v).relu())
