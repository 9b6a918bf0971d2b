"""Power spectra: those of healpy, and the mean square of a field."""

from pathlib import Path

import numpy as np
import pytest
import torch

from equinet import convert
from equinet.harmonics import power_spectrum, s2_fft, s2_ifft, s2_rfft
from equinet.numerics import soft_weights
from tests.tolerances import ROUNDING, assert_close


@pytest.fixture(scope="module")
def golden():
    path = Path(__file__).parents[1] / "golden" / "sphere.npz"
    with np.load(path) as arrays:
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def test_spectra_of_healpy(golden):
    """TT, EE, BB, TE, EB and TB of ``alm2cl``; of the field of spin 2 the sum of EE and BB."""
    alm = golden["healpy_alm"]
    t, e, b = convert.from_healpy(alm)
    expected = golden["healpy_cl"]
    pairs = [(t, t), (e, e), (b, b), (t, e), (e, b), (t, b)]
    assert_close(torch.stack([power_spectrum(*pair) for pair in pairs]), expected, ROUNDING)
    f = convert.from_healpy(alm[1:], spin=2)
    assert_close(power_spectrum(f, spin=2), expected[1] + expected[2], ROUNDING)
    with pytest.raises(AssertionError):
        assert_close(power_spectrum(t, e.roll(1)), expected[3], 1e-3)


def test_real_spectra_have_the_same_power(generator):
    x, y = torch.randn(2, 3, 12, 12, generator=generator, dtype=torch.float64)
    real = power_spectrum(s2_rfft(x), s2_rfft(y))
    assert real.shape == (3, 6)
    assert_close(power_spectrum(s2_fft(x), s2_fft(y)), real, ROUNDING)


@pytest.mark.parametrize("spin", [0, 1, 3])
def test_the_sum_is_the_mean_square(spin, generator):
    band = 5
    f = torch.randn(band**2 - spin**2, dtype=torch.complex128, generator=generator)
    powers = power_spectrum(f, spin=spin)
    assert not powers[:spin].any()
    square = s2_ifft(f, band, spin=spin).abs() ** 2
    weights = soft_weights(band)[:, None] / (2 * band)
    l = torch.arange(band)
    assert_close(((2 * l + 1) * powers).sum() / (4 * torch.pi), (weights * square).sum(), ROUNDING)


def test_what_is_no_spectrum():
    f = torch.zeros(9, dtype=torch.complex128)
    with pytest.raises(ValueError, match="^spectrum: expected"):
        power_spectrum(f[:8])
    with pytest.raises(TypeError, match="^spectrum: expected a complex one of spin 1"):
        power_spectrum(f.real[:8], spin=1)
    with pytest.raises(TypeError, match="^other: expected the dtype"):
        power_spectrum(f, f.real)
    with pytest.raises(ValueError, match="^other: expected the shape"):
        power_spectrum(f, f[None])
