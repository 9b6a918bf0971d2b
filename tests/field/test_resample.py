"""Interpolation against SciPy and against formulas."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from torch.autograd import gradcheck

from equinet.field import resample
from equinet.field.resampling import snap
from tests.tolerances import ROUNDING, assert_close

every_order = pytest.mark.parametrize("order", [0, 1, 3])


def _draw(generator, sizes, count=200, batch=2, channels=3):
    """Signals, and coordinates within two steps of the grid."""
    x = torch.randn(batch, channels, *sizes, generator=generator, dtype=torch.float64)
    c = torch.rand(batch, count, len(sizes), generator=generator, dtype=torch.float64)
    return x, c * (torch.tensor(sizes) + 3) - 2


def _keys(t):
    """The cubic convolution kernel of Keys (1981) with a = -1/2, in two pieces."""
    t, a = t.abs(), -0.5
    near = (a + 2) * t**3 - (a + 3) * t**2 + 1
    far = a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a
    return near * (t <= 1) + far * ((t > 1) & (t < 2))


def _kernel(order):
    return {
        0: lambda t: ((t > -0.5) & (t <= 0.5)).double(),  # of i - c: the higher one of two
        1: lambda t: (1 - t.abs()).clamp(min=0),
        3: _keys,
    }[order]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_coordinates_of_few_digits(dtype, generator):
    """They are taken as the numbers that they are."""
    x = torch.randn(1, 1, 3000, generator=generator, dtype=torch.float64)
    c = (1000 * torch.rand(1, 50, 1, generator=generator)).to(dtype)
    for order in (0, 1):
        assert_close(resample(x, c, order), resample(x, c.double(), order), ROUNDING)


@every_order
@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=3), seed=st.integers(0, 99))
def test_the_formula(order, sizes, seed):
    """Sum over all samples of product of kernels, times the sample."""
    x, c = _draw(torch.Generator().manual_seed(seed), sizes, count=20)
    weights = torch.ones(2, 20, *[1] * len(sizes), dtype=torch.float64)
    for axis, size in enumerate(sizes):
        shape = [2, 20] + [size if a == axis else 1 for a in range(len(sizes))]
        steps = torch.arange(size, dtype=torch.float64) - c[..., axis, None]
        weights = weights * _kernel(order)(steps).view(shape)
    expected = torch.einsum("bcp,bqp->bcq", x.flatten(2), weights.flatten(2))
    assert_close(resample(x, c, order), expected, ROUNDING)


@pytest.mark.parametrize("sizes", [(9,), (6, 5), (4, 6, 5)])
@pytest.mark.parametrize("order", [0, 1])
def test_scipy(sizes, order, generator):
    """SciPy's mode grid-constant is a grid in a sea of zeros."""
    x, c = _draw(generator, sizes)
    for b in range(2):
        for k in range(3):
            expected = ndimage.map_coordinates(
                x[b, k].numpy(), c[b].T.numpy(), order=order, mode="grid-constant"
            )
            assert_close(resample(x, c, order)[b, k], expected, ROUNDING)


@every_order
def test_integers_give_the_samples(order, generator):
    """Bit for bit where a derivative may be wanted, else up to the rounding of coordinates."""
    x, _ = _draw(generator, (4, 5))
    x = x.float()
    mesh = torch.meshgrid(torch.arange(-3, 7), torch.arange(-3, 8), indexing="ij")
    coordinates = torch.stack(mesh, -1)[None].double()
    expected = torch.nn.functional.pad(x, (3, 3, 3, 3))
    assert torch.equal(resample(x.clone().requires_grad_(), coordinates, order), expected)
    assert_close(resample(x, coordinates, order), expected, ROUNDING)


@pytest.mark.parametrize("sizes", [(9,), (6, 5), (4, 6, 5)])
@pytest.mark.parametrize("order", [0, 1])
def test_with_and_without_derivatives(sizes, order, generator):
    """torch's interpolation and our own are one function, on ties and outside too."""
    x, c = _draw(generator, sizes)
    c = torch.cat([c, (2 * c).round() / 2, 1e12 * c], 1)
    expected = resample(x.clone().requires_grad_(), c, order)
    assert_close(resample(x, c, order), expected, ROUNDING)
    halved = resample(x.bfloat16(), c, order)
    assert halved.dtype == torch.bfloat16
    assert_close(halved, expected.bfloat16(), 0.02)


@pytest.mark.parametrize(("order", "degree"), [(0, 0), (1, 1), (3, 2)])
def test_polynomials_are_exact(order, degree, generator):
    """Up to a degree, inside; and of one degree more they are not."""
    c = 2 + 3 * torch.rand(1, 50, 1, generator=generator, dtype=torch.float64)
    steps = torch.arange(8, dtype=torch.float64)
    for p in range(degree + 2):
        error = resample((steps**p)[None, None], c, order)[0, 0] - c[0, :, 0] ** p
        assert (error.abs().max() < 1e-12) == (p <= degree)


@every_order
def test_shared_coordinates(order, generator):
    """The same points of every sample, by one call or by another."""
    x, c = _draw(generator, (4, 5), batch=3)
    shared = c[:1].view(1, 10, 20, 2)
    assert_close(
        resample(x, shared, order), resample(x, shared.expand(3, -1, -1, -1), order), ROUNDING
    )


@pytest.mark.parametrize("order", [1, 3])
def test_gradients(order, generator):
    x, c = _draw(generator, (4, 3), count=6)
    assert gradcheck(lambda x, c: resample(x, c, order), (x.requires_grad_(), c.requires_grad_()))
    assert gradcheck(lambda x, c: resample(x, c, order), (x, c[:1].detach().requires_grad_()))


def test_gradients_of_gradients(generator):
    x, c = _draw(generator, (4, 3), count=4)
    inputs = x.requires_grad_(), c.requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x, c: resample(x, c, 3), inputs)


def test_nearest_has_gradients_in_x(generator):
    x, c = _draw(generator, (4, 3), count=6)
    assert gradcheck(lambda x: resample(x, c, 0), x.requires_grad_())


@every_order
@pytest.mark.parametrize("shape", [(0, 2, 4, 4), (2, 0, 4, 4), (2, 2, 0, 4)])
def test_nothing(order, shape):
    assert resample(torch.zeros(shape), torch.zeros(1, 5, 2), order).shape == (*shape[:2], 5)
    assert resample(torch.zeros(2, 3, 4, 4), torch.zeros(2, 0, 7, 2), order).shape == (2, 3, 0, 7)


def test_snap():
    """To multiples of 1/2 that are near, and the derivative stays 1."""
    c = torch.tensor([1 + 1e-9, -3e-9, 2.5 - 1e-9, 0.25, 1.001], dtype=torch.float64)
    c.requires_grad_()
    y = snap(c, 1e-8)
    assert y.tolist() == [1.0, 0.0, 2.5, 0.25, 1.001]
    (slope,) = torch.autograd.grad(y.sum(), c)
    assert torch.equal(slope, torch.ones_like(c))


def test_bad_arguments():
    x = torch.zeros(3, 1, 4, 4)
    for shape in ((2, 5, 2), (3, 5, 3), (5, 2)):
        with pytest.raises(ValueError, match=r"^coordinates: expected \(1 or 3, ..., 2\) for x"):
            resample(x, torch.zeros(shape))
    for order in (2, -1, True, None, "1"):
        with pytest.raises(ValueError, match="^order: expected 0 .*, got "):
            resample(x, torch.zeros(1, 5, 2), order)
