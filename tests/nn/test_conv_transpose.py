"""Transposed steerable convolutions."""

import warnings

import pytest
import torch

from equinet import Plane, Volume
from equinet.field import act
from equinet.nn import Conv2d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from tests.nn.test_conv import CASES, DOUBLE, grid_symmetries
from tests.tolerances import ROUNDING, STATISTICAL, SYMMETRY, assert_close

KINDS = {1: ConvTranspose1d, 2: ConvTranspose2d, 3: ConvTranspose3d}
every_case = pytest.mark.parametrize("name", CASES)


def _layer(name, generator, *args, **kwargs):
    _, space, text_in, text_out, _ = CASES[name]
    types = space.fields(text_in), space.fields(text_out)
    layer = KINDS[space.n](*types, *args, generator=generator, **kwargs).double()
    if layer.bias is not None:
        torch.nn.init.normal_(layer.bias, generator=generator)
    x = torch.randn(layer.in_type.shape(2, *[4] * space.n), generator=generator, dtype=DOUBLE)
    return layer, x


@every_case
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3},
        {"kernel_size": 4, "stride": 2, "padding": 1},
        {"kernel_size": 3, "stride": 3, "padding": 1, "dilation": 2, "bias": False},
    ],
    ids=str,
)
def test_grid_symmetries_are_exact(name, options, generator):
    layer, x = _layer(name, generator, **options)
    y = layer(x)
    for g in grid_symmetries(layer.in_type.space.group):
        moved = act(layer.out_type, g, y)
        assert_close(layer(act(layer.in_type, g, x)), moved, SYMMETRY)
    assert y.norm() > 0


@every_case
def test_output_padding_breaks_the_symmetry(name, generator):
    with pytest.warns(
        UserWarning, match="output_padding.* broken; kernel_size=4, stride=2"
    ) as hits:
        layer, x = _layer(name, generator, 3, stride=2, padding=1, output_padding=1)
    assert hits[0].filename == __file__
    y, errors = layer(x), []
    assert y.shape[2:] == (8,) * (y.dim() - 2)
    for g in grid_symmetries(layer.in_type.space.group):
        moved = act(layer.out_type, g, y)
        errors.append((layer(act(layer.in_type, g, x)) - moved).abs().max())
    assert max(errors) > 0.01


def test_it_is_the_adjoint(generator):
    """<K f, u> = <f, K^T u> for the filter of a convolution, rho orthogonal."""
    plane = Plane("D4")
    a, b = plane.fields("1x regular + 1x vector"), plane.fields("2x vector + 1x trivial")
    options = {"kernel_size": 3, "stride": 2, "padding": 1, "bias": False}
    up = ConvTranspose2d(a, b, **options, generator=generator).double()
    down = Conv2d(b, a, **options).double()
    down.dense = lambda: up.dense().transpose(0, 1)
    small = torch.randn(a.shape(1, 5, 5), generator=generator, dtype=DOUBLE)
    large = torch.randn(b.shape(1, 9, 9), generator=generator, dtype=DOUBLE)
    assert_close((up(small) * large).sum(), (small * down(large)).sum(), SYMMETRY)


@every_case
@pytest.mark.parametrize("groups", [1, 2])
def test_export(name, groups, generator):
    _, space, text_in, text_out, _ = CASES[name]
    double = [[(2 * mul, rho) for mul, rho in space.fields(t).blocks] for t in (text_in, text_out)]
    options = {"kernel_size": 4, "stride": 2, "padding": 1, "groups": groups}
    layer = KINDS[space.n](*map(space.fields, double), **options, generator=generator).double()
    if layer.bias is not None:
        torch.nn.init.normal_(layer.bias, generator=generator)
    x = torch.randn(layer.in_type.shape(1, *[3] * space.n), generator=generator, dtype=DOUBLE)
    plain = layer.export()
    assert type(plain) is getattr(torch.nn, type(layer).__name__) and not plain.training
    assert_close(plain(x), layer(x), ROUNDING)


def test_variance_is_kept_where_taps_overlap(generator):
    """With stride s, one in s^n taps meets an input value."""
    space = Volume("SO(3)")
    types = space.fields("4x0 + 4x1"), space.fields("4x0 + 4x1")
    power = []
    for _ in range(20):
        layer = ConvTranspose3d(*types, 4, stride=2, generator=generator)
        x = torch.randn(types[0].shape(1, 8, 8, 8), generator=generator)
        power.append(layer(x)[..., 3:-3, 3:-3, 3:-3].detach().square().mean())
    power = torch.stack(power)
    assert abs(power.mean() - 1) < STATISTICAL * power.std() / len(power) ** 0.5


def test_bad_input():
    h = Plane("C4").fields("1x regular")
    with pytest.raises(ValueError, match="^padding_mode: expected 'zeros', got 'circular'"):
        ConvTranspose2d(h, h, 3, padding_mode="circular")
    with pytest.raises(ValueError, match="^output_padding: expected 2 integers >= 0"):
        ConvTranspose2d(h, h, 3, output_padding=-1)
    with pytest.raises(ValueError, match="^padding: expected 2 integers >= 0 or one, got 'same'"):
        ConvTranspose2d(h, h, 3, padding="same")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # an axis that the group leaves alone may be padded
        flat = Volume("Cinf").fields("1x A + 1x E1")
        ConvTranspose3d(flat, flat, 3, stride=(1, 1, 2), output_padding=(0, 0, 1))
