"""The norm of a filter. The oracle is the singular value decomposition of the dense filter."""

import copy

import pytest
import torch

from equinet import HomogeneousSpace, Plane, Point, Volume, symmetric
from equinet.nn import BatchNorm, Conv2d, Conv3d, HomogeneousConv, Linear, spectral_norm
from equinet.testing import equivariance_error
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

SET = HomogeneousSpace.of(symmetric(4), torch.eye(4)).fields("1x trivial + 1x vector")
C4 = Plane("C4").fields("2x regular")
LAYERS = {
    "Conv2d": (lambda g: Conv2d(C4, C4, 3, padding=1, groups=2, generator=g), (5, 5)),
    "Conv3d": (
        lambda g: Conv3d(*[Volume("SO(3)").fields("1x0 + 1x1")] * 2, 3, generator=g),
        (3,) * 3,
    ),
    "Linear": (lambda g: Linear(*[Point("O(3)", 3).fields("3x0e + 2x1o")] * 2, generator=g), ()),
    "HomogeneousConv": (lambda g: HomogeneousConv(SET, SET, generator=g), ()),
}


def matrix(layer):
    """The filter, (channels out, channels in times taps)."""
    return layer.dense().flatten(1)


def largest(matrix):
    return torch.linalg.svdvals(matrix.detach())[0]


@pytest.mark.parametrize("name", LAYERS)
def test_the_filter_has_norm_one(name, generator):
    make, sizes = LAYERS[name]
    plain = make(generator).double()
    layer = spectral_norm(copy.deepcopy(plain), 200, generator=generator)
    x = torch.randn(layer.in_type.shape(2, *sizes), generator=generator, dtype=torch.float64)
    layer(x)
    assert_close(largest(matrix(layer)), torch.tensor(1.0).double(), 1e3 * ROUNDING)
    assert_close(
        matrix(layer) * largest(matrix(plain)),
        matrix(plain),
        1e3 * ROUNDING,
    )
    assert abs(largest(matrix(plain)) - 1) > 0.1  # negative control
    options = dict(sizes=sizes, exact=True) if sizes else {}
    assert equivariance_error(layer, **options).max < SYMMETRY
    layer(x).sum().backward()
    assert layer.parametrizations.weight.original.grad.isfinite().all()
    # A copy is on its own, and a state gives the same numbers.
    twin = copy.deepcopy(layer).eval()
    other = spectral_norm(make(generator).double(), generator=generator).eval()
    other.load_state_dict(layer.eval().state_dict())
    with torch.no_grad():
        layer.parametrizations.weight.original.add_(1)
    assert_close(twin(x), other(x), ROUNDING)
    assert (matrix(twin) - matrix(layer)).abs().max() > 0.01
    torch.nn.utils.parametrize.remove_parametrizations(twin, "weight")
    assert_close(largest(matrix(twin)), torch.tensor(1.0).double(), 1e3 * ROUNDING)


def test_torchs_is_another_norm(generator):
    """Of the coefficients."""
    layer = Conv2d(C4, C4, 3, generator=generator)
    theirs = torch.nn.utils.parametrizations.spectral_norm(layer)
    assert abs(largest(matrix(theirs)) - 1) > 0.5


def test_bad_input():
    with pytest.raises(TypeError, match="^module: expected a layer with a filter, .*BatchNorm$"):
        spectral_norm(BatchNorm(C4))
    with pytest.raises(ValueError, match="^n_power_iterations: expected an integer >= 1, got 0"):
        spectral_norm(Linear(C4, C4), 0)
