"""Norms over the sphere: statistics with Haar measure, exact for the band."""

import pytest
import torch

from equinet import Sphere, so3
from equinet.field import act, random_field
from equinet.nn import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm
from equinet.numerics import soft_weights
from tests.laws.cases import FIELDS
from tests.nn.symmetric import F64
from tests.nn.test_normalization import make_group, twins
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

every_text = pytest.mark.parametrize("text", FIELDS)
BAND = 4


def _on_sphere(text, generator, batch=3, scale=3.0, shift=2.0):
    """Fields away from mean zero and variance one; only functions can have a mean."""
    in_type = Sphere(BAND).fields(text)
    x = random_field(in_type, batch, generator=generator, dtype=F64) * scale
    return in_type, x + shift * _is_function(in_type).view(1, -1, *[1] * (x.dim() - 2))


def _is_function(in_type):
    parts = [
        [1.0 if rho.is_sampled or rho.dim == 1 else 0.0] * (mul * dim)
        for (mul, rho), dim in zip(in_type.blocks, in_type.dims, strict=True)
    ]
    return torch.tensor(sum(parts, []), dtype=F64)


def _haar_mean(x, batch=True):
    """Haar mean over batch and space of every channel."""
    return x.mean((*[0] * batch, *range(3, x.dim()))) @ soft_weights(BAND)


def _per_field(in_type, values):
    """Mean over the components of each field, along the last axis."""
    parts = [part.mean(2) for part in in_type.split(values.reshape(-1, in_type.channels))]
    return torch.cat(parts, 1).reshape(*values.shape[:-1], in_type.copies)


@every_text
def test_training_makes_mean_zero_and_variance_one(text, generator):
    in_type, x = _on_sphere(text, generator)
    for module, batch in ((BatchNorm(in_type, eps=0.0), True), (InstanceNorm(in_type, 0.0), False)):
        y = module.double()(x)
        means = _haar_mean(y, batch) * _is_function(in_type)
        assert_close(means, torch.zeros_like(means), SYMMETRY)
        variance = _per_field(in_type, _haar_mean(y**2, batch))
        assert_close(variance, torch.ones_like(variance), SYMMETRY)
        assert (_per_field(in_type, _haar_mean(x**2, batch)) > 2).any()


@every_text
def test_training_is_equivariant(text, generator):
    """The statistics of a batch do not see a rotation of each sample by its own."""
    in_type, x = _on_sphere(text, generator)
    g = so3().sample(len(x), generator=generator)
    for module in (BatchNorm(in_type), InstanceNorm(in_type), make_group(in_type)):
        module = module.double()
        moved = module(act(in_type, g, x))
        assert_close(moved, act(in_type, g, module(x)), SYMMETRY)
        assert not module.aliases
    assert LayerNorm(in_type).aliases and RMSNorm(in_type).aliases


def test_means_over_the_grid_would_see_it(generator):
    """Negative control: torch's own batch norm, for which all points weigh the same."""
    in_type, x = _on_sphere("1x0", generator)
    g = so3().sample(len(x), generator=generator)
    module = torch.nn.BatchNorm2d(1).double()
    difference = module(act(in_type, g, x)) - act(in_type, g, module(x))
    assert difference.abs().max() > 1e-3


def test_on_equal_weights_it_is_torchs(generator):
    """Functions that do not depend on beta: there all measures agree."""
    in_type = Sphere(BAND).fields("3x0")
    line = torch.randn(5, 3, 1, 2 * BAND, generator=generator, dtype=F64)
    x = line.expand(5, 3, 2 * BAND, 2 * BAND)
    ours, torchs = twins(BatchNorm(in_type), torch.nn.BatchNorm2d(3), generator)
    assert_close(ours(x), torchs(x), SYMMETRY)
    assert_close(ours.running_mean, torchs.running_mean, ROUNDING)


@every_text
def test_running_statistics(text, generator):
    """new = (1 - momentum) old + momentum batch; over the sphere the variance is as it is."""
    in_type, x = _on_sphere(text, generator)
    module = BatchNorm(in_type, momentum=0.25).double()
    functions = _is_function(in_type)
    mean = _haar_mean(x) * functions
    centred = x - mean.view(1, -1, *[1] * (x.dim() - 2))
    variance = _per_field(in_type, _haar_mean(centred**2))
    module(x)
    assert_close(module.running_mean, 0.25 * mean[functions == 1], ROUNDING)
    assert_close(module.running_var, 0.75 + 0.25 * variance, SYMMETRY)
    module(x)
    assert_close(module.running_mean, (1 - 0.75**2) * mean[functions == 1], ROUNDING)
    module.eval()
    y = module(x)
    size = torch.cat(
        [
            value.expand(dim)
            for value, dim in zip(
                module.running_var,
                [
                    d
                    for (m, _), d in zip(in_type.blocks, in_type.dims, strict=True)
                    for _ in [0] * m
                ],
                strict=True,
            )
        ]
    )
    view = (1, -1, *[1] * (x.dim() - 2))
    centre = torch.zeros_like(mean)
    centre[functions == 1] = module.running_mean
    expected = (x - centre.view(view)) / (size + module.eps).sqrt().view(view)
    assert_close(y, expected, SYMMETRY)
    assert_close(module.export()(x), y, SYMMETRY)


def test_components_of_a_vector_share_one_scale(generator):
    in_type, x = _on_sphere("1x0 + 2x1", generator)
    module = BatchNorm(in_type).double().eval()
    with torch.no_grad():
        module.weight.copy_(torch.tensor([1.0, 2.0, 3.0]))
        module.bias.fill_(7.0)
    scale = torch.tensor([1.0, 2, 2, 3, 3], dtype=F64) / (1 + module.eps) ** 0.5
    shift = torch.tensor([7.0, 0, 0, 0, 0], dtype=F64)
    assert_close(module(x), x * scale.view(1, -1, 1, 1) + shift.view(1, -1, 1, 1), ROUNDING)


def test_haar_weights_have_no_layer_in_torch():
    in_type = Sphere(BAND).fields("2x0")
    assert isinstance(InstanceNorm(in_type).export(), InstanceNorm)
    assert isinstance(make_group(in_type).export(), GroupNorm)
