"""Batch normalisation of fields; its equivariance in evaluation is in tests/laws."""

import pytest
import torch

from equinet import FieldType, Sphere, so2, so3
from equinet.field import act, random_field
from equinet.nn import BatchNorm
from equinet.numerics import soft_weights
from equinet.rep import trivial
from tests.field.test_field_type import Ring
from tests.laws.cases import FIELDS
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

every_type = pytest.mark.parametrize("text", FIELDS)
BAND = 4


def _batch(text, generator, batch=3, scale=3.0, shift=2.0):
    """Fields away from mean zero and variance one; only functions can have a mean."""
    field_type = Sphere(BAND).fields(text)
    x = random_field(field_type, batch, generator=generator, dtype=torch.float64) * scale
    return field_type, x + shift * _is_function(field_type).view(1, -1, *[1] * (x.dim() - 2))


def _is_function(field_type):
    parts = [
        [1.0 if rho.is_regular or rho.dim == 1 else 0.0]
        * (mul * (1 if rho.is_regular else rho.dim))
        for mul, rho in field_type.blocks
    ]
    return torch.tensor(sum(parts, []), dtype=torch.float64)


def _mean(x):
    """Haar mean over batch and space of every channel."""
    return x.mean((0, *range(3, x.dim()))) @ soft_weights(BAND)


def _per_field(field_type, values):
    """Mean over the components of each field."""
    out, start = [], 0
    for mul, rho in field_type.blocks:
        dim = 1 if rho.is_regular else rho.dim
        out.append(values[start : start + mul * dim].view(mul, dim).mean(1))
        start += mul * dim
    return torch.cat(out)


@every_type
def test_training_makes_mean_zero_and_variance_one(text, generator):
    field_type, x = _batch(text, generator)
    y = BatchNorm(field_type, eps=0.0).double()(x)
    assert_close(_mean(y) * _is_function(field_type), torch.zeros(field_type.channels), SYMMETRY)
    variance = _per_field(field_type, _mean(y**2))
    assert_close(variance, torch.ones(len(variance)), SYMMETRY)
    assert (_per_field(field_type, _mean(x**2)) > 2).all()


@every_type
def test_training_is_equivariant(text, generator):
    """The statistics of a batch do not see a rotation of each sample by its own."""
    field_type, x = _batch(text, generator)
    g = so3().sample(len(x), generator=generator)
    module = BatchNorm(field_type).double()
    moved = module(act(field_type, g, x))
    assert_close(moved, act(field_type, g, module(x)), SYMMETRY)


def test_means_over_the_grid_would_see_it(generator):
    """Negative control: torch's own batch norm, for which all points weigh the same."""
    field_type, x = _batch("1x0", generator)
    g = so3().sample(len(x), generator=generator)
    module = torch.nn.BatchNorm2d(1).double()
    difference = module(act(field_type, g, x)) - act(field_type, g, module(x))
    assert difference.abs().max() > 1e-3


def test_on_equal_weights_it_is_torchs(generator):
    """Functions that do not depend on beta: there all measures agree."""
    field_type = Sphere(BAND).fields("3x0")
    line = torch.randn(5, 3, 1, 2 * BAND, generator=generator, dtype=torch.float64)
    x = line.expand(5, 3, 2 * BAND, 2 * BAND)
    ours, torchs = BatchNorm(field_type).double(), torch.nn.BatchNorm2d(3).double()
    with torch.no_grad():
        for module in (ours, torchs):
            module.weight.copy_(torch.tensor([1.0, -2.0, 0.5]))
            module.bias.copy_(torch.tensor([0.3, 0.0, 5.0]))
    assert_close(ours(x), torchs(x), ROUNDING)
    assert_close(ours.running_mean, torchs.running_mean, ROUNDING)


@every_type
def test_running_statistics(text, generator):
    """new = (1 - momentum) old + momentum batch; evaluation uses them and leaves them."""
    field_type, x = _batch(text, generator)
    module = BatchNorm(field_type, momentum=0.25).double()
    mean = _mean(x) * _is_function(field_type)
    centred = x - mean.view(1, -1, *[1] * (x.dim() - 2))
    variance = _per_field(field_type, _mean(centred**2))
    module(x)
    assert_close(module.running_mean, 0.25 * mean, ROUNDING)
    assert_close(module.running_var, 0.75 + 0.25 * variance, SYMMETRY)
    module(x)
    assert_close(module.running_mean, (1 - 0.75**2) * mean, ROUNDING)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    module.eval()
    y = module(x)
    torch.testing.assert_close(module.state_dict(), before, rtol=0, atol=0)
    size = torch.cat(
        [
            module.running_var[i : i + 1].expand(1 if rho.is_regular else rho.dim)
            for i, rho in enumerate(rho for mul, rho in field_type.blocks for _ in range(mul))
        ]
    )
    view = (1, -1, *[1] * (x.dim() - 2))
    expected = (x - module.running_mean.view(view)) / (size + module.eps).sqrt().view(view)
    assert_close(y, expected, ROUNDING)


@every_type
def test_parameters(text):
    field_type = Sphere(BAND).fields(text)
    copies = sum(mul for mul, _ in field_type.blocks)
    functions = int(_is_function(field_type).sum())
    module = BatchNorm(field_type)
    assert module.weight.shape == (copies,) and (module.weight == 1).all()
    assert (module.bias is None) == (functions == 0)
    assert module.bias is None or module.bias.shape == (functions,)
    assert not list(BatchNorm(field_type, affine=False).parameters())


def test_components_of_a_vector_share_one_scale(generator):
    field_type, x = _batch("1x0 + 2x1", generator)
    module = BatchNorm(field_type).double().eval()
    with torch.no_grad():
        module.weight.copy_(torch.tensor([1.0, 2.0, 3.0]))
        module.bias.fill_(7.0)
    scale = torch.tensor([1.0, 2, 2, 3, 3], dtype=torch.float64) / (1 + module.eps) ** 0.5
    shift = torch.tensor([7.0, 0, 0, 0, 0], dtype=torch.float64)
    assert_close(module(x), x * scale.view(1, -1, 1, 1) + shift.view(1, -1, 1, 1), ROUNDING)


def test_a_constant_field_does_no_harm():
    """Variance zero."""
    field_type = Sphere(BAND).fields("1x0 + 1x1")
    x = torch.zeros(field_type.shape(2))
    x[:, 0] = 5.0
    y = BatchNorm(field_type)(x)
    assert_close(y, torch.zeros_like(y), 1e-2)


def test_half_precision_is_normalised_in_single(generator):
    field_type, x = _batch("1x0", generator)
    module = BatchNorm(field_type)
    y = module(x.to(torch.bfloat16))
    assert y.dtype == torch.bfloat16 and module.running_var.dtype == torch.float32
    assert_close(_mean(y.double() ** 2), [1.0], 0.02)


def test_another_space_is_refused():
    with pytest.raises(ValueError, match="^in_type: expected fields over a Sphere, got Ring"):
        BatchNorm(FieldType(Ring(), ((1, trivial(so2())),)))
