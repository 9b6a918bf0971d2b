"""Associated Legendre functions and solid harmonics, to degree 64."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from numpy.polynomial.legendre import Legendre
from scipy.special import gammaln, lpmv
from torch.autograd import gradcheck, gradgradcheck

from equinet.numerics import (
    legendre,
    random_rotations,
    soft_angles,
    soft_weights,
    solid_harmonics,
    wigner_D,
    wigner_d,
)
from tests.tolerances import CONDITION, ROUNDING, SINGLE, assert_close

F64 = torch.float64
LMAX = 64
L = torch.arange(LMAX + 1).repeat_interleave(2 * torch.arange(LMAX + 1) + 1)  # degree of each entry


def degree(y, l):
    """Components of degree l."""
    return y[..., l * l : (l + 1) ** 2]


@pytest.fixture
def points(generator):
    """Points on the unit sphere, among them the poles."""
    x = torch.randn(20, 3, dtype=F64, generator=generator)
    x[:2] = torch.tensor([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]])
    return x / x.norm(dim=-1, keepdim=True)


def test_legendre_equals_scipy():
    """sqrt((l-m)!/(l+m)!) P_l^m without the Condon-Shortley sign, which SciPy has; 0 for m > l."""
    cosine = torch.linspace(-1, 1, 21, dtype=F64)
    l, m = np.arange(LMAX + 1)[:, None], np.arange(LMAX + 1)
    inside = m <= l
    norm = np.exp((gammaln(l - np.where(inside, m, 0) + 1) - gammaln(l + m + 1)) / 2)
    scipy = norm * (-1.0) ** m * lpmv(m, l, cosine.numpy()[:, None, None])
    found = legendre(LMAX, cosine)
    assert found.shape == (21, LMAX + 1, LMAX + 1)
    assert_close(found, np.where(inside, scipy, 0), CONDITION)
    with pytest.raises(AssertionError):
        assert_close(found, np.where(inside, scipy * (-1.0) ** m, 0), CONDITION)


def test_legendre_is_a_column_of_d():
    """(-1)^m d^l_m0(beta)."""
    beta = torch.linspace(0, math.pi, 9, dtype=F64)
    for l in (0, 1, 5):
        column = wigner_d(l, beta)[..., l:, l] * (-1) ** torch.arange(l + 1)
        assert_close(legendre(l, beta.cos())[:, l], column, ROUNDING)


def test_solid_harmonics_are_homogeneous(points):
    """Y^l(t x) = t^l Y^l(x)."""
    y = solid_harmonics(LMAX, points)
    for t in (0.9, -1.05):
        power = torch.tensor(t, dtype=F64) ** L
        assert_close(solid_harmonics(LMAX, t * points) / power, y, CONDITION)


def mean_on_sphere(function, centre, radius):
    """Average over a sphere, exact for polynomials of degree 64."""
    beta, alpha = torch.meshgrid(*soft_angles(33), indexing="ij")
    u = torch.stack([beta.sin() * alpha.sin(), beta.cos(), beta.sin() * alpha.cos()], -1)
    return soft_weights(33) @ function(centre + radius * u).mean(1)


def test_solid_harmonics_are_harmonic():
    """The mean over every sphere is the value at its centre."""
    centre = torch.tensor([0.3, -0.6, 0.6], dtype=F64)
    y = partial(solid_harmonics, LMAX)
    assert_close(mean_on_sphere(y, centre, 0.1), y(centre), CONDITION)

    def times_square(x):
        return (x * x).sum(-1, keepdim=True) * solid_harmonics(3, x)

    with pytest.raises(AssertionError):  # r^2 Y^l is not harmonic
        assert_close(mean_on_sphere(times_square, centre, 0.1), times_square(centre), CONDITION)


def test_addition_theorem(points):
    """Y^l(x) . Y^l(y) = P_l(x . y) on the sphere, so sum_m (Y^l_m)^2 = 1."""
    y = solid_harmonics(LMAX, points)
    cosine = (points @ points.T).clamp(-1, 1).numpy()
    for l in (0, 1, 2, 7, 33, LMAX):
        assert_close(degree(y, l) @ degree(y, l).T, Legendre.basis(l)(cosine), CONDITION)


@pytest.mark.parametrize("l", [1, 2, 9, LMAX])
def test_solid_harmonics_are_steered_by_wigner_d(l, points, generator):
    """Y^l(R x) = D^l(R) Y^l(x), and not with R^-1."""
    r = random_rotations(generator=generator)
    y, moved = (degree(solid_harmonics(l, x), l) for x in (points, points @ r.T))
    assert_close(moved, y @ wigner_D(l, r).T, CONDITION)
    with pytest.raises(AssertionError):
        assert_close(moved, y @ wigner_D(l, r), CONDITION)


def test_low_degrees_in_closed_form(generator):
    """Y^0 = 1, Y^1 = (x, y, z), Y^2 as polynomials."""
    x, y, z = point = torch.randn(3, dtype=F64, generator=generator)
    r = math.sqrt(3)
    second = [r * x * z, r * x * y, y * y - (x * x + z * z) / 2, r * y * z, r * (z * z - x * x) / 2]
    expected = torch.stack([torch.ones_like(x), x, y, z, *second])
    assert_close(solid_harmonics(2, point), expected, ROUNDING)


def test_differentiable_twice_everywhere(generator):
    """At the origin and on the polar axis too."""
    special = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.7, 0.0], [0.0, -0.7, 0.0]], dtype=F64)
    x = torch.cat([special, torch.randn(2, 3, dtype=F64, generator=generator)]).requires_grad_()
    assert gradcheck(lambda x: solid_harmonics(5, x), x)
    assert gradgradcheck(lambda x: solid_harmonics(3, x), x)


def test_gradient_at_the_origin(generator):
    """It is the identity for l = 1 and 0 for all other degrees up to 64."""
    weight = torch.randn(len(L), dtype=F64, generator=generator)

    def one_of_each_degree(x):
        zero = torch.zeros(LMAX + 1, dtype=F64)
        return zero.index_add(0, L, weight * solid_harmonics(LMAX, x))

    jacobian = torch.func.jacrev(one_of_each_degree)(torch.zeros(3, dtype=F64))
    expected = torch.zeros(LMAX + 1, 3, dtype=F64)
    expected[1] = weight[1:4]
    assert_close(jacobian, expected, ROUNDING)


def test_dtype_and_shape(points):
    single = solid_harmonics(LMAX, points.float())
    assert single.dtype == torch.float32
    assert_close(single, solid_harmonics(LMAX, points).float(), SINGLE)
    assert legendre(3, torch.zeros(2, 5)).shape == (2, 5, 4, 4)
    assert legendre(0, torch.tensor(0.5)).shape == (1, 1)
    assert solid_harmonics(0, points).shape == (20, 1)
    assert solid_harmonics(3, points[:0]).shape == (0, 16)


def test_nan_passes_through():
    assert solid_harmonics(3, torch.full((3,), math.nan))[1:].isnan().all()
