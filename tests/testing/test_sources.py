"""Every source of error shows in a layer that has it, and in no other.

Layers are plain torch.nn on scalar fields over the plane, so that each has the one fault.
"""

import math

import pytest
import torch

from equinet import Plane, Volume, nn
from equinet.testing.reports import report
from equinet.testing.sources import NAMES
from tests.tolerances import SYMMETRY

SCALAR = Plane("SO(2)").fields("1x0")


def _gaussian(width, size, **options):
    """A filter as round as a grid allows."""
    conv = torch.nn.Conv2d(1, 1, size, bias=False, **options).double()
    points = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    weights = torch.exp(-((points / width) ** 2) / 2)
    conv.weight.data = (weights[:, None] * weights / weights.sum() ** 2)[None, None]
    return conv


class Constant(torch.nn.Module):
    """Adds one to every value, after which zeros beyond the border are a fault."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
        return self.body(x + 1)


class Function(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def _sources(module, field_type=SCALAR, out_type=None, **options):
    given = {"sizes": (25, 25), "smoothness": 3.0, "scales": (), "count": 2} | options
    (layer,) = report(module, field_type, out_type or field_type, **given).layers
    return layer.sources


def test_interpolation_alone():
    """A wide average without padding: all that is left is moving the output."""
    smooth = _sources(_gaussian(1.0, 7))
    assert smooth.padding < SYMMETRY and smooth.stride == 0 == smooth.aliasing
    assert smooth.kernel < smooth.interpolation
    rough = _sources(_gaussian(0.3, 3), smoothness=1.0)
    assert rough.interpolation > 20 * smooth.interpolation
    assert 0.4 < rough.interpolation / rough.alone < 2.5


@pytest.mark.parametrize("mode", ["zeros", "none"])
def test_padding(mode):
    """The same filter where zeros are put beyond the border, and where nothing is."""
    options = {"padding": 3} if mode == "zeros" else {}
    found = _sources(Constant(_gaussian(1.0, 7, **options)), sizes=(13, 13))
    if mode == "zeros":
        assert found.padding > 0.005 and found.padding > 10 * (found.kernel + found.interpolation)
        assert 0.7 < found.padding / found.alone < 1.4
    else:
        assert found.padding < SYMMETRY and found.alone < 0.01
    assert found.stride == 0 == found.aliasing and found.exact < SYMMETRY


@pytest.mark.parametrize("low_pass", [True, False])
def test_stride_without_a_low_pass(low_pass):
    """Sub-sampling by 4 loses what a low-pass filter would have taken away before."""
    keeps = _gaussian(2.5 if low_pass else 0.2, 13, stride=4)
    found = _sources(keeps, sizes=(45, 45), smoothness=1.5)
    assert found.exact < SYMMETRY and found.padding < SYMMETRY and found.aliasing == 0
    if low_pass:
        assert found.stride < 0.2
    else:
        assert found.stride > 0.5 and 0.5 < found.stride / found.alone < 2


def test_stride_off_the_centre():
    """Breaks the symmetry of the grid at one size; at another it does not."""
    pool = torch.nn.AvgPool2d(2)
    broken, kept = _sources(pool, sizes=(25, 25)), _sources(pool, sizes=(26, 26))
    assert broken.exact > 0.1 and broken.stride >= broken.exact
    assert kept.exact < 1e-6 and kept.stride < 0.1
    assert abs(broken.kernel - kept.kernel) < 0.01


def test_no_stride_no_error_of_it():
    """A layer that breaks the symmetry of the grid for another reason is not blamed on a stride."""
    conv = torch.nn.Conv2d(1, 1, 3, bias=False).double()
    conv.weight.data = torch.arange(9, dtype=torch.float64).reshape(1, 1, 3, 3)
    found = _sources(conv)
    assert found.stride == 0 and found.exact > 0.1 and found.kernel > 0.1
    assert found.translation < SYMMETRY


@pytest.mark.parametrize(
    ("function", "least", "most"),
    [
        (torch.relu, 1e-3, 0.1),
        (torch.sign, 0.05, 1.0),
        (torch.tanh, 1e-6, 1e-2),
        (lambda x: 3 * x + 1, 0, 1e-6),
    ],
    ids=["relu", "sign", "tanh", "linear"],
)
def test_aliasing_of_a_nonlinearity(function, least, most):
    """The less smooth the function, the more; a linear one commutes with interpolation."""
    found = _sources(Function(function))
    assert least <= found.aliasing <= most
    assert found.kernel < 1e-6 and found.padding == 0 == found.stride == found.interpolation


def test_aliasing_falls_for_smoother_fields():
    errors = [_sources(Function(torch.relu), smoothness=s).aliasing for s in (1.5, 3.0, 6.0)]
    assert errors[0] > 1.5 * errors[1] > 1.5**2 * errors[2]


def test_kernel():
    """A filter of four pixels, however smooth the field, does not know diagonals."""
    conv = torch.nn.Conv2d(1, 1, 5, bias=False).double()
    conv.weight.data.zero_()
    conv.weight.data[0, 0, [0, 4, 2, 2], [2, 2, 0, 4]] = 1.0
    conv.weight.data[0, 0, 2, 2] = -4.0
    found = _sources(conv, smoothness=1.5)
    assert found.kernel > 0.03 and found.exact < SYMMETRY
    assert found.padding < SYMMETRY and found.aliasing == 0 == found.stride
    round_one = _sources(_gaussian(1.0, 7), smoothness=1.5)
    assert found.kernel > 5 * round_one.kernel


def test_a_wrong_type_is_in_the_kernel():
    """Also of a layer that acts point by point, where it is not taken for aliasing."""
    pair = Plane("SO(2)").fields("2x0")
    vector = Plane("SO(2)").fields("1x1")
    found = _sources(torch.nn.Identity(), vector, pair)
    assert found.kernel > 0.5 and found.exact > 0.5
    assert found.aliasing < 1e-6


def test_a_place_is_not_translated():
    class Ramp(torch.nn.Module):
        def forward(self, x):
            across, up = (torch.linspace(-1, 1, n, dtype=x.dtype) for n in x.shape[:1:-1])
            return torch.nn.functional.avg_pool2d(x * (up[:, None] ** 2 + across**2), 3, 1)

    assert _sources(Ramp()).translation > 0.1
    assert _sources(_gaussian(1.0, 5)).translation < 1e-6


def test_corners_are_the_border_of_a_global_pool():
    class Mean(torch.nn.Module):
        def forward(self, x):
            return x.mean((2, 3))

    found = _sources(Mean(), batch=8)
    assert found.padding > 0.1 and found.alone > 0.1
    assert found.kernel < 0.02 * found.padding and found.exact < 1e-6


def test_a_group_that_keeps_the_grid_has_no_error():
    """Nothing is interpolated, and the end of the grid turns with it."""
    plane = Plane("D4")
    into, out = plane.fields("1x trivial"), plane.fields("1x regular")
    generator = torch.Generator().manual_seed(0)
    conv = nn.Conv2d(into, out, 5, padding=2, generator=generator).double()
    (layer,) = report(conv, scales=()).layers
    errors = [layer.error, layer.exact, layer.sources.alone, layer.sources.translation]
    assert max(errors + [getattr(layer.sources, name) for name in NAMES]) < SYMMETRY


@pytest.mark.parametrize("dilation", [1, 2])
def test_volumes(dilation):
    volume = Volume("SO(3)")
    into, out = volume.fields("1x0"), volume.fields("1x1")
    generator = torch.Generator().manual_seed(0)
    conv = nn.Conv3d(into, out, 3, padding=dilation, dilation=dilation, generator=generator)
    found = _sources(conv.double(), into, out, sizes=(9, 9, 9), count=1, batch=1)
    assert found.exact < SYMMETRY and found.padding > 0 == found.stride
    assert found.kernel < 0.2 and found.translation < SYMMETRY


def test_a_layer_of_one_size_says_what_it_does_not_know():
    class Fixed(torch.nn.Module):
        def forward(self, x):
            if x.shape[-1] != 25 or x.shape[-2] != 25:
                raise ValueError("25 x 25, please")
            return torch.nn.functional.avg_pool2d(x, 3, 1)

    found = _sources(Fixed())
    assert math.isnan(found.padding) and math.isnan(found.stride) and math.isnan(found.translation)
    assert found.alone < 0.1 and found.kernel < 0.1
