"""Factors for whole fields; the laws of the modules are in tests/laws."""

import math

import pytest
import torch
from torch import nn

from equinet import Sphere
from equinet.field import FieldType, Plane, Point, Points, Volume, act, random_field
from equinet.nn.scale import LayerScale, SqueezeExcite
from equinet.numerics import soft_weights
from tests.nn.fibre_cases import derivatives_at_zero_are_finite, law_error
from tests.nn.symmetric import TYPES, skew
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64

# --- LayerScale -----------------------------------------------------------------------------------


def test_a_factor_for_each_field(generator):
    h = Volume("SO(3)").fields("2x0 + 1x1 + 1x2")
    module = LayerScale(h)
    assert module.weight.shape == (4,) and (module.weight == 1e-5).all()
    module.double()
    module.weight.data.copy_(torch.tensor([2.0, 3.0, 5.0, -7.0]))
    x = torch.randn(h.shape(2, 3, 3, 3), generator=generator, dtype=F64)
    factors = torch.tensor([2.0, 3.0, 5.0, 5, 5, -7.0, -7, -7, -7, -7], dtype=F64)
    assert_close(module(x), x * factors[:, None, None, None], ROUNDING)
    assert_close(module.export()(x), module(x), ROUNDING)
    module.reset_parameters()
    assert (module.weight == torch.tensor(1e-5, dtype=F64)).all()


def test_any_basis_admits_a_factor(generator):
    """It needs no orthogonal rho, nor does its export."""
    h = FieldType(Plane("C4"), ((2, skew(Plane("C4").group)),))
    module = LayerScale(h, 0.5)
    x = torch.randn(h.shape(2, 3, 3), generator=generator)
    assert law_error(LayerScale(h, 0.5), generator, (3, 3)) <= SYMMETRY
    assert torch.equal(module.export()(x), 0.5 * x)


@pytest.mark.parametrize(
    "init", [math.nan, math.inf, 1e300, 10**400, None, True, "1", torch.ones(1)]
)
def test_bad_initial_factors(init):
    with pytest.raises(ValueError, match="^init: expected a finite number, got "):
        LayerScale(TYPES[0], init)


# --- SqueezeExcite --------------------------------------------------------------------------------


def test_on_scalars_it_is_the_layer_of_the_paper(generator):
    """Mean, two linear layers, sigmoid, in plain torch."""
    module = SqueezeExcite(Plane("C4").fields("8x trivial"), reduction=2, generator=generator)
    x = torch.randn(3, 8, 5, 5, generator=generator)
    first, second = nn.Linear(8, 4), nn.Linear(4, 8)
    first.load_state_dict(module.squeeze.state_dict())
    second.load_state_dict(module.excite.state_dict())
    factors = second(first(x.mean((2, 3))).relu()).sigmoid()
    assert_close(module(x), x * factors[:, :, None, None], 1e-6)
    assert set(module.state_dict()) == {
        f"{layer}.{name}" for layer in ("squeeze", "excite") for name in ("weight", "bias")
    }


def test_the_invariants(generator):
    """Means of what is permuted, root mean squares of the rest, one a field."""
    h = Plane("D4").fields("1x trivial + 1x vector + 2x regular + 1x quotient(C2)")
    module = SqueezeExcite(h, eps=0.25).double()
    x = torch.randn(h.shape(2, 4, 5), generator=generator, dtype=F64)
    expected = [x[:, 0].mean((1, 2)), (x[:, 1:3].square().mean((1, 2, 3)) + 0.25).sqrt()]
    expected += [x[:, 3:11].mean((1, 2, 3)), x[:, 11:19].mean((1, 2, 3))]
    expected += [x[:, 19:].mean((1, 2, 3))]
    assert_close(module.invariants(x, None, None), torch.stack(expected, 1), ROUNDING)


def test_over_the_sphere_the_means_are_integrals(generator):
    h = Sphere(4).fields("1x0 + 1x1")
    module = SqueezeExcite(h, eps=1e-9).double()
    x = random_field(h, 2, generator=generator, dtype=F64)
    weights = soft_weights(4)[:, None] / 8
    mean = (x[:, 0] * weights).sum((1, 2))
    norm = (((x[:, 1:] ** 2).mean(1) * weights).sum((1, 2)) + 1e-9).sqrt()
    assert_close(module.invariants(x, None, None), torch.stack([mean, norm], 1), ROUNDING)


def test_clouds_do_not_see_each_other(generator):
    """Points of a cloud have the factors of that cloud alone; numbers may be missing."""
    h = Points("O(3)", dim=3).fields("2x0e + 1x0o + 2x1o")
    module = SqueezeExcite(h, 1, generator=generator).double()
    x = random_field(h, 7, generator=generator, dtype=F64)
    batch = torch.tensor([2, 0, 0, 2, 3, 2, 0])
    y = module(x, batch, 5)
    assert_close(module(x, batch), y, ROUNDING)
    for number in (0, 2, 3):
        alone = x[batch == number]
        one = torch.zeros(len(alone), dtype=torch.long)
        assert_close(y[batch == number], module(alone, one), ROUNDING)
    g = h.space.group.sample(generator=generator)
    assert_close(module(act(h, g, x), batch), act(h, g, y), SYMMETRY)
    whole = module(x, torch.zeros_like(batch))
    assert (whole - y).abs().max() > 1e-3  # as one cloud it is another
    with pytest.raises(ValueError, match="^batch: expected the number of the cloud"):
        module(x)


def test_the_factor_of_a_component_would_not_do(generator):
    """Negative control: means of the components of a vector are no invariants."""
    h = Plane("C4").fields("2x trivial + 1x vector")
    module = SqueezeExcite(h, 1, generator=generator)
    assert law_error(module, generator, (5, 5)) <= SYMMETRY
    module.permuted = [True, True]
    assert law_error(module, generator, (5, 5)) > 1e-3


@pytest.mark.parametrize("in_type", [t for t in TYPES if not isinstance(t.space, Points)], ids=repr)
def test_derivatives(in_type, generator):
    """Finite where fields vanish; right to second order."""
    module = SqueezeExcite(in_type, function=torch.tanh, generator=generator)
    axes = len(in_type.space.axes(in_type.blocks))
    derivatives_at_zero_are_finite(module, sizes=(2,) * axes)
    x = torch.randn(in_type.shape(1, *(1,) * axes), generator=generator, dtype=F64)
    assert torch.autograd.gradcheck(module, x.requires_grad_())
    assert torch.autograd.gradgradcheck(module, x)


def test_weights_are_those_of_torch(generator):
    """Uniform in plus and minus 1 / sqrt(inputs), by the generator alone."""
    h = Plane("C4").fields("64x trivial")
    state = torch.get_rng_state()
    module = SqueezeExcite(h, generator=torch.Generator().manual_seed(3))
    assert torch.equal(torch.get_rng_state(), state)
    for layer in (module.squeeze, module.excite):
        bound = layer.in_features**-0.5
        assert 0.95 * bound < layer.weight.abs().max() <= bound
        assert layer.bias.abs().max() <= bound
    other = SqueezeExcite(h)
    other.reset_parameters(torch.Generator().manual_seed(3))
    assert torch.equal(other.excite.weight, module.excite.weight)


def test_bad_arguments():
    h = Plane("C4").fields("4x trivial")
    for reduction in (0, -1, True, 2.0, None, "4"):
        with pytest.raises(ValueError, match="^reduction: expected an integer >= 1, got "):
            SqueezeExcite(h, reduction)
    with pytest.raises(ValueError, match="^eps: expected a number > 1e-36, got 0"):
        SqueezeExcite(h, eps=0)
    for name in ("function", "gate"):
        with pytest.raises(TypeError, match=f"^{name}: expected a function, .* got 3"):
            SqueezeExcite(h, **{name: 3})
    with pytest.raises(ValueError, match="^in_type: norms are invariant only where"):
        SqueezeExcite(FieldType(Plane("C4"), ((2, skew(Plane("C4").group)),)))
    with pytest.raises(TypeError, match="^in_type: expected a FieldType, got str"):
        SqueezeExcite("4x trivial")  # pyright: ignore
    batch = torch.zeros(2, dtype=torch.int64)
    for space in (Plane("C4"), Point("C4", dim=2), Sphere(2)):
        module = SqueezeExcite(space.fields("4x trivial"))
        x = torch.zeros(module.in_type.shape(2, *[3] * (space == Plane("C4")) * 2))
        with pytest.raises(ValueError, match="^batch: has a meaning over Points only"):
            module(x, batch)
    cloud = SqueezeExcite(Points("C4", dim=2).fields("4x trivial"))
    for wrong in (batch[:1], batch.float(), [0, 0]):
        with pytest.raises(ValueError, match=r"^batch: expected .* int64 \(2,\) on cpu, got"):
            cloud(torch.zeros(2, 4), wrong)
