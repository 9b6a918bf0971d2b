"""Transforms on rings against healpy and torch-harmonics, whose values are kept beside this file.

Both have orthonormal harmonics with the phase of Condon and Shortley: with f for our spectrum,
a_lm = sqrt(4 pi (2l + 1)) conj(f_lm).
"""

import math
from pathlib import Path

import numpy as np
import torch

from equinet.harmonics import equiangular, gauss, healpix, s2_fft, s2_ifft, s2_irfft, s2_rfft
from equinet.harmonics.grid import spectrum_index
from tests.over import over
from tests.tolerances import ROUNDING, assert_close

HERE = Path(__file__).parent
F64 = torch.float64
BAND = 6


def orthonormal(f: torch.Tensor) -> torch.Tensor:
    """a_lm of a spectrum, index [l, m >= 0]."""
    l, m, _ = spectrum_index(BAND, (0,)).unbind(1)
    a = f.new_zeros(*f.shape[:-1], BAND, BAND)
    kept = m >= 0
    root = (4 * math.pi * (2 * l[kept] + 1).double()).sqrt()
    a[..., l[kept], m[kept]] = root * f[..., kept].conj()
    return a


def test_healpix_is_that_of_healpy():
    """One analysis of values that are of no band, and the sum at the points."""
    golden = np.load(HERE / "healpix.npz")
    values = torch.cos(0.37 * torch.arange(108, dtype=F64) ** 2)
    f = s2_fft(values, BAND, grid=healpix(3))
    m = torch.cat([torch.full((BAND - m,), m) for m in range(BAND)])
    l = torch.cat([torch.arange(m, BAND) for m in range(BAND)])
    assert_close(orthonormal(f)[l, m], golden["alm"], ROUNDING)
    assert_close(s2_ifft(f, BAND, grid=healpix(3)).real, golden["map"], ROUNDING)
    real = s2_rfft(values, BAND, grid=healpix(3))
    assert_close(s2_irfft(real, BAND, grid=healpix(3)), golden["map"], ROUNDING)


@over(
    "name, rings",
    [("legendre_gauss", gauss(12, 12)), ("equiangular", equiangular(12, 12, poles=True))],
)
def test_grids_are_those_of_torch_harmonics(name, rings):
    golden = np.load(HERE / "peers.npz")
    assert_close(np.array(rings.beta), golden[f"torch_harmonics_{name}_theta"], ROUNDING)
    values = torch.from_numpy(golden[f"torch_harmonics_{name}_values"])
    f = s2_fft(values, BAND, grid=rings)
    assert_close(orthonormal(f), golden[f"torch_harmonics_{name}_coefficients"], ROUNDING)
    assert_close(s2_ifft(f, BAND, grid=rings).real, values, ROUNDING)
