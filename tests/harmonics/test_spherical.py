"""Real spherical harmonics in e3nn's basis."""

import math

import pytest
import torch
from e3nn import o3
from numpy.polynomial.legendre import leggauss
from torch.autograd import gradcheck, gradgradcheck

from equinet.harmonics import spherical_harmonics
from equinet.numerics import random_rotations, wigner_D
from tests.tolerances import CONDITION, ROUNDING, SINGLE, assert_close

F64 = torch.float64
NORMALIZATIONS = ("norm", "component", "integral")


@pytest.fixture
def points(generator):
    """Points anywhere, among them two on the polar axis."""
    x = torch.randn(10, 3, dtype=F64, generator=generator)
    x[:2] = torch.tensor([[0.0, 2.0, 0.0], [0.0, -0.3, 0.0]])
    return x


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_equals_e3nn(normalize, normalization, points):
    lmax = 8
    expected = o3.spherical_harmonics(list(range(lmax + 1)), points, normalize, normalization)
    options = {"normalize": normalize, "normalization": normalization}
    found = spherical_harmonics(lmax, points, **options)
    scale = expected.abs().amax(0)
    assert_close(found / scale, expected / scale, ROUNDING)


@pytest.mark.parametrize(
    ("normalization", "square"),
    [
        ("norm", lambda l: 1.0),
        ("component", lambda l: 2 * l + 1),
        ("integral", lambda l: (2 * l + 1) / (4 * math.pi)),
    ],
)
def test_norms(normalization, square, points):
    """sum_m (Y^l_m)^2 at every degree up to 64."""
    y = spherical_harmonics(64, points, normalization=normalization)
    for l in (0, 1, 5, 64):
        part = y[:, l * l : (l + 1) ** 2] / square(l) ** 0.5
        assert_close(part.square().sum(-1), torch.ones(10, dtype=F64), CONDITION)


def test_orthonormal():
    """int Y_lm Y_l'm' = delta over the surface, for the normalization "integral"."""
    lmax = 6
    nodes, weights = leggauss(lmax + 1)
    cosine = torch.from_numpy(nodes)[:, None]
    alpha = 2 * math.pi * torch.arange(2 * lmax + 1, dtype=F64) / (2 * lmax + 1)
    sine = (1 - cosine**2).sqrt()
    x = torch.stack(torch.broadcast_tensors(sine * alpha.sin(), cosine, sine * alpha.cos()), -1)
    y = spherical_harmonics(lmax, x, normalization="integral")
    area = torch.from_numpy(weights) * 2 * math.pi / len(alpha)
    gram = torch.einsum("j,jam,jan->mn", area, y, y)
    assert_close(gram, torch.eye((lmax + 1) ** 2, dtype=F64), ROUNDING)


@pytest.mark.parametrize("l", [1, 3, 64])
def test_steered_by_wigner_d(l, points, generator):
    """Y(R x) = D(R) Y(x)."""
    r = random_rotations(generator=generator)
    y, moved = (spherical_harmonics(l, x)[:, l * l :] for x in (points, points @ r.T))
    assert_close(moved, y @ wigner_D(l, r).T, CONDITION)
    with pytest.raises(AssertionError):
        assert_close(moved, y, CONDITION)


def test_the_length_does_not_matter(points):
    """With normalize, from the smallest lengths to the largest."""
    y = spherical_harmonics(4, points)
    for scale in (1e-300, 1e-160, 1e160, 1e300):
        assert_close(spherical_harmonics(4, scale * points), y, ROUNDING)
    solid = spherical_harmonics(2, 2 * points, normalize=False)
    powers = torch.tensor([1] + 3 * [2] + 5 * [4], dtype=F64)
    assert_close(solid, powers * spherical_harmonics(2, points, normalize=False), ROUNDING)


def test_differentiable_twice(points):
    """On the polar axis too."""
    x = points[:4].clone().requires_grad_()
    assert gradcheck(lambda x: spherical_harmonics(4, x), x)
    assert gradgradcheck(lambda x: spherical_harmonics(3, x, normalization="component"), x)
    assert gradcheck(lambda x: spherical_harmonics(4, x, normalize=False), x)


@pytest.mark.parametrize("normalize", [True, False])
def test_origin(normalize):
    """Y^0 = 1 and the rest is 0; so is the gradient with normalize, else it is the polynomial's."""
    origin = torch.zeros(2, 3, dtype=F64, requires_grad=True)
    y = spherical_harmonics(64, origin, normalize=normalize)
    expected = torch.zeros(2, 65**2, dtype=F64)
    expected[:, 0] = 1
    assert_close(y, expected, ROUNDING)
    (gradient,) = torch.autograd.grad(y[0, 1:].sum(), origin)
    row = [0.0, 0.0, 0.0] if normalize else [1.0, 1.0, 1.0]
    assert_close(gradient, [row, [0.0, 0.0, 0.0]], ROUNDING)


def test_dtype_and_shape(points):
    single = spherical_harmonics(16, points.float())
    assert single.dtype == torch.float32
    assert_close(single, spherical_harmonics(16, points), SINGLE)
    assert spherical_harmonics(3, points.view(2, 5, 3)).shape == (2, 5, 16)
    assert spherical_harmonics(0, points[0]).shape == (1,)
    assert spherical_harmonics(3, points[:0]).shape == (0, 16)


def test_nan_passes_through(points):
    points[3, 1] = math.nan
    y = spherical_harmonics(2, points)
    assert y[3, 1:].isnan().all() and y.isnan().any(-1).sum() == 1


@pytest.mark.parametrize(
    ("points", "options", "message"),
    [
        (torch.zeros(4, 2), {}, r"points: expected .*\(\.\.\., 3\), got .*\(4, 2\)"),
        (torch.zeros(()), {}, r"points: expected .*\(\.\.\., 3\), got .*\(\)"),
        (torch.zeros(3).long(), {}, r"points: expected a real .*, got torch.int64"),
        (torch.zeros(3) + 0j, {}, r"points: expected a real .*, got torch.complex64"),
        (torch.zeros(3), {"normalization": "sphere"}, r"normalization: .*'norm'.*, got 'sphere'"),
    ],
)
def test_bad_input(points, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        spherical_harmonics(2, points, **options)
