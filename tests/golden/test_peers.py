"""Agreement with lie_learn, torch-harmonics and s2cnn, whose values ``make_peers.py`` kept.

The maps, with f for our spectra: complex ones int f conj(D), real ones int f D_real, where
D^l_mn = e^{-i m alpha} d^l_mn e^{-i n gamma}. In angles nothing else differs: the axes (z; x, y) of
the peers are our (y; z, x).

- lie_learn: its complex D is the conjugate of ours, its real D is ours.
- torch-harmonics: c_lm = int f conj(Y_l^m) dOmega with orthonormal Y, and D^l_m0 is
  sqrt(4 pi / (2l + 1)) conj(Y_l^m). So with root = sqrt(4 pi (2l + 1)) the spectrum of a real f is
  f_lm = conj(c_lm) / root in the complex basis, and in the real basis f_l0 = Re c_l0 / root,
  f_lm = sqrt2 (-1)^m Re c_lm / root, f_l-m = -sqrt2 (-1)^m Im c_lm / root.
- s2cnn: D is lie_learn's, so its spectra of real signals are the conjugates of ours. Its layers are
  z(R) = scale * sum_i k_i f(R Q_i) over the points or rotations Q_i of the filter.
"""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from equinet.harmonics import (
    s2_fft,
    s2_ifft,
    s2_irfft,
    s2_rfft,
    so3_fft,
    so3_irfft,
    so3_rfft,
    spherical_harmonics,
)
from equinet.harmonics.grid import spectrum_index
from equinet.numerics import angles_to_matrix, soft_weights, wigner_D
from tests.harmonics.direct import textbook_D
from tests.tolerances import ROUNDING, SYMMETRY, assert_close


@pytest.fixture(scope="module")
def golden():
    with np.load(Path(__file__).with_name("peers.npz")) as arrays:
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def points(alpha, beta):
    """Points of the sphere with these angles."""
    return angles_to_matrix(alpha, beta, torch.zeros_like(beta))[..., 1]


def test_lie_learn_wigner_matrices(golden):
    alpha, beta, gamma = golden["lie_learn_angles"].T
    rotations = angles_to_matrix(alpha, beta, gamma)
    complex_D = [textbook_D(l, alpha, beta, gamma).flatten(1) for l in range(7)]
    real_D = [wigner_D(l, rotations).flatten(1) for l in range(7)]
    found = torch.cat(complex_D, 1).conj().resolve_conj()
    assert_close(found, golden["lie_learn_wigner_D_complex"], ROUNDING)
    assert_close(torch.cat(real_D, 1), golden["lie_learn_wigner_D_real"], ROUNDING)
    with pytest.raises(AssertionError):  # without the conjugate
        assert_close(torch.cat(complex_D, 1), golden["lie_learn_wigner_D_complex"], ROUNDING)


@pytest.mark.parametrize("band", [4, 10, 30])
def test_lie_learn_weights(band, golden):
    found = soft_weights(band) / (2 * band) ** 2
    assert_close(found, golden[f"lie_learn_weights_{band}"], ROUNDING)


def torch_harmonics_spectrum(c):
    """Our complex spectrum from the coefficients c_lm, m >= 0, of a real function."""
    l, m, _ = spectrum_index(c.shape[-1], (0,)).unbind(1)
    positive = c[:, l, m.abs()]
    c = torch.where(m < 0, (1 - 2 * (m % 2)) * positive.conj(), positive)
    return c.conj() / (4 * math.pi * (2.0 * l.double() + 1)).sqrt()


def torch_harmonics_real_spectrum(c):
    """Our real spectrum from the same."""
    l, m, _ = spectrum_index(c.shape[-1], (0,)).unbind(1)
    positive = c[:, l, m.abs()]
    part = torch.where(m < 0, -positive.imag, positive.real)
    part = part * torch.where(m == 0, 1.0, math.sqrt(2) * (1 - 2 * (m % 2)).double())
    return part / (4 * math.pi * (2.0 * l.double() + 1)).sqrt()


@pytest.mark.parametrize("grid", ["legendre_gauss", "equiangular"])
def test_torch_harmonics(grid, golden):
    """The same function: at its grid points, and as a complex and a real spectrum."""
    theta, phi, values, c = (
        golden[f"torch_harmonics_{grid}_{name}"]
        for name in ("theta", "phi", "values", "coefficients")
    )
    real = torch_harmonics_real_spectrum(c)
    degree = spectrum_index(6, (0,))[:, 0]
    y = spherical_harmonics(5, points(*torch.broadcast_tensors(phi, theta[:, None])))
    assert_close(torch.einsum("jam,fm->fja", y, (2 * degree + 1) * real), values, ROUNDING)
    signal = s2_ifft(torch_harmonics_spectrum(c), 6)
    assert_close(signal, s2_irfft(real, 6) + 0j, ROUNDING)
    assert_close(s2_fft(signal), torch_harmonics_spectrum(c), ROUNDING)
    with pytest.raises(AssertionError):  # without the conjugate
        assert_close(s2_fft(signal), torch_harmonics_spectrum(c.conj()), ROUNDING)


def test_s2cnn_transforms(golden):
    for name, fft in (("s2", s2_fft), ("so3", so3_fft)):
        signal, spectrum = golden[f"s2cnn_{name}_signal"], golden[f"s2cnn_{name}_spectrum"]
        assert_close(fft(signal).conj().resolve_conj(), spectrum, ROUNDING)
        with pytest.raises(AssertionError):
            assert_close(fft(signal), spectrum, ROUNDING)


def test_s2cnn_correlation_on_the_sphere(golden):
    """z(R) = scale sum_i k_i f(R p_i) has z^l_mn = scale f^l_m sum_i k_i Y^l_n(p_i)."""
    band = 4
    beta, alpha = golden["s2cnn_s2_layer_points"].T
    f = s2_rfft(golden["s2cnn_s2_layer_input"], band)
    filters = torch.einsum(
        "cop,pn->con",
        golden["s2cnn_s2_layer_kernel"],
        spherical_harmonics(band - 1, points(alpha, beta)),
    )
    blocks = [
        torch.einsum(
            "zcm,con->zomn", f[..., l * l : (l + 1) ** 2], filters[..., l * l : (l + 1) ** 2]
        )
        for l in range(band)
    ]
    z = torch.cat([block.flatten(-2) for block in blocks], -1)
    scale = 2 * band * golden["s2cnn_s2_layer_scaling"]
    assert_close(scale * so3_irfft(z, band), golden["s2cnn_s2_layer_output"], SYMMETRY)


def test_s2cnn_correlation_on_the_group(golden):
    """z(R) = scale sum_i k_i f(R Q_i) has z^l = scale f^l (sum_i k_i D^l(Q_i))^T."""
    band = 4
    beta, alpha, gamma = golden["s2cnn_so3_layer_points"].T
    rotations = angles_to_matrix(alpha, beta, gamma)
    f = so3_rfft(golden["s2cnn_so3_layer_input"], band)
    blocks, start = [], 0
    for l in range(band):
        stop = start + (2 * l + 1) ** 2
        part = f[..., start:stop].unflatten(-1, (2 * l + 1, 2 * l + 1))
        filters = torch.einsum(
            "cop,pnk->conk", golden["s2cnn_so3_layer_kernel"], wigner_D(l, rotations)
        )
        blocks.append(torch.einsum("zcmk,conk->zomn", part, filters).flatten(-2))
        start = stop
    z = golden["s2cnn_so3_layer_scaling"] * so3_irfft(torch.cat(blocks, -1), band)
    assert_close(z, golden["s2cnn_so3_layer_output"], SYMMETRY)
