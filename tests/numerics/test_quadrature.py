"""The SOFT grid: its points, and which integrals its weights give exactly."""

import math

import pytest
import torch
from numpy.polynomial.legendre import Legendre

from equinet.numerics import soft_angles, soft_weights
from tests.tolerances import ROUNDING, assert_close

BANDS = [1, 2, 3, 8, 30, 64]


@pytest.mark.parametrize("band", BANDS)
def test_points(band):
    """beta_j = pi (2j + 1) / 4b, alpha_k = 2 pi k / 2b: no point at a pole."""
    beta, alpha = soft_angles(band)
    assert beta.dtype == alpha.dtype == torch.float64
    assert_close(beta, [math.pi * (2 * j + 1) / (4 * band) for j in range(2 * band)], ROUNDING)
    assert_close(alpha, [2 * math.pi * k / (2 * band) for k in range(2 * band)], ROUNDING)


def integrals(band, degrees):
    """sum_j w_j P_l(cos beta_j)."""
    cosine = soft_angles(band)[0].cos().numpy()
    values = torch.stack([torch.from_numpy(Legendre.basis(l)(cosine)) for l in degrees])
    return values @ soft_weights(band)


@pytest.mark.parametrize("band", BANDS)
def test_exact_below_degree_2b(band):
    """1/2 int P_l(cos beta) sin(beta) d beta = delta_l0 for l < 2b; the weights are positive."""
    weights = soft_weights(band)
    assert weights.dtype == torch.float64 and (weights > 0).all()
    assert_close(weights.sum(), 1.0, ROUNDING)
    expected = torch.zeros(2 * band, dtype=torch.float64)
    expected[0] = 1
    assert_close(integrals(band, range(2 * band)), expected, ROUNDING)


@pytest.mark.parametrize("band", BANDS)
def test_not_exact_at_degree_2b(band):
    assert integrals(band, [2 * band]).abs() > 1e6 * ROUNDING


def test_weights_without_the_sine_are_wrong():
    """The negative control: equal weights sum to 1 and integrate nothing else."""
    cosine = soft_angles(4)[0].cos()
    with pytest.raises(AssertionError):
        assert_close((Legendre.basis(2)(cosine.numpy())).mean(), 0.0, ROUNDING)
