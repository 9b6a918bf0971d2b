"""Samplings of the sphere: their points, how exact their quadrature is, what they hold."""

import math
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.polynomial.legendre import leggauss

from equinet.harmonics import (
    Rings,
    equiangular,
    gauss,
    healpix,
    healpix_nested,
    octahedral,
    soft,
)
from equinet.numerics import points_to_angles, soft_angles, soft_weights
from tests.over import over
from tests.tolerances import ROUNDING, assert_close

F64 = torch.float64
GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "healpix.npz")
EXACT = [
    *(soft(b) for b in (1, 2, 7)),
    *(equiangular(n, 2 * n, poles=True) for n in (2, 3, 8, 9)),
    *(equiangular(n, 2 * n, poles=False) for n in (1, 2, 7, 8)),
    *(gauss(n) for n in (1, 2, 7, 40)),
    gauss(6, 9, start=0.3),
]
ALL = [*EXACT, octahedral(1), octahedral(6), healpix(1), healpix(4)]


def exact_to(rings: Rings, least: float = 1e-9) -> int:
    """How many moments are exact, from the first on."""
    beta, weight = np.array(rings.beta), np.array(rings.weight)
    for k in range(4 * len(beta)):
        value = np.polynomial.legendre.Legendre.basis(k)(np.cos(beta))
        if abs(weight @ value - (k == 0)) > least:
            return k
    return 4 * len(beta)


@over("rings", EXACT)
def test_products_are_integrated_exactly(rings):
    """int P_k = 0 for 0 < k <= 2 degree - 2, and there are grids that hold no band more."""
    assert exact_to(rings) >= 2 * rings.degree - 1
    assert rings.shape[1] >= 2 * rings.degree - 1
    assert rings.exact_degree == rings.degree  # as it is measured of rings of one's own


def test_a_band_more_is_not_exact():
    assert exact_to(gauss(7)) == 14 and exact_to(equiangular(9, 20, poles=True)) == 10
    assert exact_to(equiangular(8, 20, poles=True)) == 8 == exact_to(soft(4))


@over("rings", ALL)
def test_every_sampling_is_a_value(rings):
    assert rings.is_symmetric and abs(sum(rings.weight) - 1) < ROUNDING
    beta, alpha = rings.angles()
    assert beta.shape == alpha.shape == rings.shape and beta.numel() == rings.count
    again = Rings(rings.beta, rings.weight, rings.counts, rings.starts, rings.degree)
    assert again == rings and hash(again) == hash(rings) and again.shape == rings.shape
    assert pickle.loads(pickle.dumps(rings)) == rings
    assert again != Rings(rings.beta, rings.weight, (99,) * len(rings.beta), degree=1)
    points = rings.positions()
    found = points_to_angles(points.reshape(-1, 3))
    poles = (beta.sin() < 1e-7).flatten()
    assert_close(found[1].flatten(), beta.flatten(), 1e-7)  # arccos near a pole
    turns = ((found[0].flatten() - alpha.flatten()) / (2 * math.pi))[~poles]
    assert_close(turns, turns.round(), ROUNDING)
    weights = rings.weights.reshape(-1, *[1] * (len(rings.shape) - 1))
    mean = (weights * torch.ones(rings.shape, dtype=F64)).sum(0).mean()
    assert_close(mean, 1.0, ROUNDING)


def test_soft_is_the_grid_of_kostelec_and_rockmore():
    for band in (1, 3, 8):
        rings = soft(band)
        beta, alpha = soft_angles(band)
        assert_close(torch.tensor(rings.beta, dtype=F64), beta, ROUNDING)
        assert_close(rings.angles()[1][0], alpha, ROUNDING)
        assert_close(rings.weights, soft_weights(band), ROUNDING)
        assert rings == equiangular(2 * band, 2 * band, poles=False) and rings.soft_band == band
    assert gauss(4).soft_band is None and soft(3) is soft(3)


def test_gauss_is_numpy():
    for n in (1, 5, 64, 99):
        nodes, weights = leggauss(n)
        assert_close(np.cos(gauss(n).beta), nodes[::-1].copy(), ROUNDING)
        assert_close(np.array(gauss(n).weight), weights / 2, ROUNDING)


def test_healpix_is_healpy():
    """Points of nside 3, kept by tests/golden/make_healpix.py; its (x, y, z) is our (z, x, y)."""
    beta, alpha = healpix(3).angles()
    assert_close(beta, GOLDEN["theta"], ROUNDING)
    assert_close(alpha, GOLDEN["phi"], ROUNDING)
    assert_close(healpix(3).positions()[:, [2, 0, 1]], GOLDEN["xyz"], ROUNDING)
    with pytest.raises(AssertionError):
        assert_close(healpix(3).positions(), GOLDEN["xyz"], ROUNDING)
    assert healpix(3).weights.unique().numel() == 1  # points of equal area


def test_octahedral_is_the_grid_of_ecmwf():
    """O32 has 5,248 points (the documentation of ECMWF), O1280 would have 6,599,680."""
    rings = octahedral(32)
    assert rings.count == 5248 and rings.counts[:3] == (20, 24, 28) and rings.counts[31] == 144
    assert 4 * 1280 * (1280 + 9) == 6_599_680
    assert rings.beta == gauss(64).beta and rings.counts == rings.counts[::-1]
    assert octahedral(8).shape == (544,) and octahedral(8).degree == 8


def test_rings_of_your_own():
    """What they hold is measured: weights that integrate nothing but constants hold band 1."""
    good = gauss(5, 11)
    rings = Rings(list(good.beta), torch.tensor(good.weight, dtype=F64), [11] * 5)
    assert rings == good and rings.degree == 5 and repr(rings) == "Rings(5 rings, 55 points)"
    with pytest.warns(UserWarning, match="^weight: the quadrature of these 5 rings is good up to"):
        assert Rings(good.beta, [0.2] * 5, np.full(5, 11)).degree == 1
    assert Rings(good.beta, good.weight, [5] * 5).degree == 3
    reduced = Rings(good.beta, good.weight, [5, 9, 11, 9, 5])
    assert not reduced.is_uniform and reduced.shape == (39,) and reduced.degree == 5
    assert not Rings([0.3, 2.0], [0.5, 0.5], [3, 3]).is_symmetric


def test_angles_of_a_file():
    """Latitudes in single precision hold what the exact ones do, and mirror each other exactly."""
    good = gauss(32)
    latitudes = np.float32(90 - np.degrees(good.beta))
    rings = Rings(np.radians(90 - np.float64(latitudes)), good.weight, good.counts)
    assert rings.degree == 32 > rings.exact_degree and rings.is_symmetric
    assert rings.beta != good.beta
    assert_close(np.add(rings.beta, rings.beta[::-1]), np.full(32, math.pi), ROUNDING)


BETA = (0.5, 1.0)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: soft(0), ValueError, "^band: expected an integer >= 1, got 0"),
        (lambda: gauss(0), ValueError, "^nlat: expected an integer >= 1, got 0"),
        (lambda: equiangular(1, 4, True), ValueError, "^nlat: expected an integer >= 2, got 1"),
        (lambda: equiangular(4, 4, 1), TypeError, "^poles: expected True or False, got 1"),
        (lambda: healpix(2.0), ValueError, "^nside: expected an integer"),
        (lambda: octahedral(10**6), ValueError, "^n: expected what fits"),
        (lambda: Rings(BETA[::-1], (0.5, 0.5), (4, 4)), ValueError, r"^beta: .*flip\(-2\)"),
        (lambda: Rings(BETA, (0.5, 0.5, 0.0), (4, 4)), ValueError, "^weight: .* of 2 rings, got 3"),
        (lambda: Rings(BETA, (0.5, math.nan), (4, 4)), ValueError, "^weight: expected finite"),
        (lambda: Rings(BETA, (1.0, 1.0), (4, 4)), ValueError, "^weight: expected .* sum 1, got 2"),
        (lambda: Rings(BETA, (0.5, 0.5), (4,)), ValueError, "^counts: expected a number"),
        (lambda: Rings(BETA, (0.5, 0.5), (4, 4), degree=3), ValueError, "^degree: expected at mo"),
        (lambda: gauss(4, start=180.0), ValueError, r"^start: .*got 180; .*math.radians\(180\)"),
        (lambda: Rings(BETA, (0.5, 0.5), (4, 4), (0, 90)), ValueError, "^starts: .*radians"),
        (lambda: Rings(BETA, (0.5, 0.5), (4, 0)), ValueError, "^counts: expected an integer >= 1"),
        (lambda: Rings("ab", (0.5, 0.5), (4, 4)), TypeError, "^beta: expected a row of numbers"),
        (lambda: gauss(4).check_band(5), ValueError, r"hold band 5, got gauss\(4, 8\), .* band 4"),
    ],
)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_the_nested_order_is_that_of_healpy():
    """And four in a row are those of a coarser pixel, whose mean is near its centre."""
    for nside in (1, 2, 4, 16):
        found = healpix_nested(nside)
        assert torch.equal(found, torch.from_numpy(GOLDEN[f"nested_{nside}"]).long())
        assert torch.equal(found.sort().values, torch.arange(12 * nside**2))
    fine = healpix(8).positions()[healpix_nested(8)].unflatten(0, (-1, 4)).mean(1)
    coarse = healpix(4).positions()[healpix_nested(4)]
    assert (fine - coarse).norm(dim=1).max() < 0.03 < (fine.roll(1, 0) - coarse).norm(dim=1).min()
    for wrong in (0, 3, 2.0):
        with pytest.raises(ValueError, match="^nside: expected"):
            healpix_nested(wrong)
