"""The Fourier transform on the sphere, of any spin: definition, round trip, exact rotation."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import spherical_in
from torch.autograd import gradcheck, gradgradcheck

from equinet.harmonics import (
    rotate_s2,
    s2_fft,
    s2_ifft,
    s2_irfft,
    s2_rfft,
    so3_ifft,
    spherical_harmonics,
)
from equinet.harmonics.grid import spectrum_index
from equinet.numerics import angles_to_matrix, random_rotations, soft_angles, soft_weights
from tests.harmonics import direct
from tests.tolerances import CONDITION, ROUNDING, SINGLE, SYMMETRY, assert_close

F64, C128 = torch.float64, torch.complex128
SPINS = [-3, -2, -1, 0, 1, 2, 3]


def rows(band, spin=0):
    return max(band**2 - spin**2, 0)


def randn(*shape, generator, dtype=F64):
    return torch.randn(shape, dtype=dtype, generator=generator)


def grid_points(band):
    """Points of the SOFT grid, axes (beta, alpha)."""
    return angles_to_matrix(*direct.s2_grid(band))[..., 1]


@pytest.mark.parametrize("dtype", [F64, C128])
@pytest.mark.parametrize("spin", SPINS)
@pytest.mark.parametrize(("grid_band", "band"), [(1, 1), (4, 4), (5, 3)])
def test_forward_is_the_quadrature_of_its_definition(grid_band, band, spin, dtype, generator):
    """f_m = int f conj(D_{m,spin}(alpha, beta, 0)), for noise too, which is not band-limited."""
    signal = randn(2, 2 * grid_band, 2 * grid_band, generator=generator, dtype=dtype)
    if abs(spin) >= band:
        with pytest.raises(ValueError, match=f"^spin: expected .* below band {band}, got {spin}"):
            s2_fft(signal, band, spin)
        return
    expected = direct.s2_fft(signal, band, spin)
    assert expected.shape == (2, rows(band, spin))
    assert_close(s2_fft(signal, band, spin), expected, ROUNDING)
    if spin:
        with pytest.raises(AssertionError):
            assert_close(s2_fft(signal, band, -spin), expected, ROUNDING)


@pytest.mark.parametrize("spin", SPINS)
@pytest.mark.parametrize(("grid_band", "band"), [(1, 1), (4, 4), (6, 3)])
def test_inverse_is_the_fourier_series(grid_band, band, spin, generator):
    """f = sum (2l + 1) f_m D_{m,spin}(alpha, beta, 0), which is no field if |spin| >= band."""
    if abs(spin) >= band:
        with pytest.raises(ValueError, match="^spin: expected an integer from"):
            s2_ifft(randn(2, 0, generator=generator, dtype=C128), band, grid_band, spin)
        return
    spectrum = randn(2, rows(band, spin), generator=generator, dtype=C128)
    expected = direct.s2_series(spectrum, band, spin, grid_band)
    assert_close(s2_ifft(spectrum, band, grid_band, spin), expected, ROUNDING)


@pytest.mark.parametrize("spin", [-2, 0, 1])
def test_a_field_of_spin_s_is_a_column_of_a_function_on_so3(spin, generator):
    """F(alpha, beta, gamma) = f(alpha, beta) e^{-i s gamma} has the coefficients of f at n = s."""
    band = 4
    spectrum = randn(rows(band, spin), generator=generator, dtype=C128)[None]
    on_group = torch.zeros(1, band * (4 * band**2 - 1) // 3, dtype=C128)
    on_group[:, spectrum_index(band, tuple(range(band)))[:, 2] == spin] = spectrum
    turn = torch.exp(-1j * spin * soft_angles(band)[1])
    expected = s2_ifft(spectrum, band, spin=spin)[..., None] * turn
    assert_close(so3_ifft(on_group, band), expected, ROUNDING)


def test_real_spectrum_is_the_integral_with_the_harmonics(generator):
    """f_m = int f Y_m and f = sum (2l + 1) f_m Y_m with sum_m Y_m^2 = 1."""
    band = 4
    y = spherical_harmonics(band - 1, grid_points(band))
    signal = randn(2, 8, 8, generator=generator)
    weights = soft_weights(band) / 8
    spectrum = torch.einsum("j,zja,jam->zm", weights, signal, y)
    assert_close(s2_rfft(signal), spectrum, ROUNDING)
    degree = spectrum_index(band, (0,))[:, 0]
    series = torch.einsum("zm,jam->zja", (2 * degree + 1) * spectrum, y)
    assert_close(s2_irfft(spectrum, band), series, ROUNDING)


def error_of_plane_wave(band):
    """e^{a.x} has f^l = i_l(|a|) Y^l(a / |a|) with the modified spherical Bessel functions i_l."""
    a = torch.tensor([1.0, -2.0, 2.0], dtype=F64)
    l = spectrum_index(2, (0,))[:, 0]
    expected = torch.from_numpy(spherical_in(l.numpy(), 3.0)) * spherical_harmonics(1, a)
    found = s2_rfft((grid_points(band) @ a).exp()[None], 2)[0]
    return float((found - expected).abs().max())


def test_aliasing_vanishes_under_refinement():
    errors = [error_of_plane_wave(band) for band in (2, 4, 6, 12)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 1e-3 and errors[-1] < ROUNDING


@given(
    st.integers(1, 6),
    st.integers(0, 3),
    st.integers(-7, 7),
    st.lists(st.integers(1, 3), min_size=1, max_size=3),
)
def test_round_trip(band, extra, spin, shape):
    """Any spectrum comes back, through any grid of at least its band; real or complex, any spin."""
    generator = torch.Generator().manual_seed(band)
    real = randn(*shape, rows(band), generator=generator)
    assert_close(s2_rfft(s2_irfft(real, band, band + extra), band), real, ROUNDING)
    spin %= band
    for s in (spin, -spin):
        z = randn(*shape, rows(band, s), generator=generator, dtype=C128)
        assert_close(s2_fft(s2_ifft(z, band, band + extra, s), band, s), z, ROUNDING)


def test_round_trip_at_band_64(generator):
    real = randn(2, rows(64), generator=generator)
    assert_close(s2_rfft(s2_irfft(real, 64)), real, ROUNDING)
    z = randn(2, rows(64, 3), generator=generator, dtype=C128)
    assert_close(s2_fft(s2_ifft(z, 64, spin=3), spin=3), z, ROUNDING)


@given(st.integers(1, 5), st.integers(-3, 3), st.lists(st.integers(1, 3), min_size=1, max_size=3))
def test_linear(band, spin, shape):
    generator = torch.Generator().manual_seed(band)
    x, y = randn(2, *shape, 2 * band, 2 * band, generator=generator)
    assert_close(s2_rfft(2 * x - 3 * y), 2 * s2_rfft(x) - 3 * s2_rfft(y), ROUNDING)
    z, (a, b), spin = x + 1j * y, (2 - 1j, 0.5j), spin % band
    left = s2_fft(a * z + b * x, spin=spin)
    assert_close(left, a * s2_fft(z, spin=spin) + b * s2_fft(x, spin=spin), ROUNDING)


def test_lower_band_is_a_truncation(generator):
    signal = randn(2, 8, 8, generator=generator)
    assert_close(s2_rfft(signal, 2), s2_rfft(signal)[:, : rows(2)], ROUNDING)
    assert_close(s2_fft(signal, 3, 2), s2_fft(signal, spin=2)[:, : rows(3, 2)], ROUNDING)


def test_conjugation(generator):
    """conj(f) has spin -s and the coefficients (-1)^(m - s) conj(f_{-m})."""
    band, spin = 4, 2
    signal = randn(1, 8, 8, generator=generator, dtype=C128)
    f, mirrored = s2_fft(signal, spin=spin)[0], s2_fft(signal.conj(), spin=-spin)[0]
    start = 0
    for l in range(spin, band):
        part = slice(start, start + 2 * l + 1)
        sign = (-1.0) ** (torch.arange(-l, l + 1) - spin)
        assert_close(mirrored[part], (sign * f[part].conj()).flip(0), ROUNDING)
        start += 2 * l + 1


def test_plancherel(generator):
    """int |f|^2 = sum (2l + 1) |f_m|^2 for a function below the band."""
    band = 5
    spectrum = randn(1, rows(band), generator=generator)
    energy = soft_weights(band) @ s2_irfft(spectrum, band)[0].square().mean(1)
    degree = spectrum_index(band, (0,))[:, 0]
    assert_close(energy / ((2 * degree + 1) * spectrum.square()).sum(), 1.0, ROUNDING)


def band_limited(band, *shape, generator):
    return s2_irfft(randn(*shape, rows(band), generator=generator), band) / band


def evaluate(signal, points):
    """The band-limited function at any points, by its series."""
    band = signal.shape[-1] // 2
    degree = spectrum_index(band, (0,))[:, 0]
    return spherical_harmonics(band - 1, points) @ ((2 * degree + 1) * s2_rfft(signal[None])[0])


@pytest.mark.parametrize("band", [1, 4, 9])
def test_rotation_is_exact(band, generator):
    """[L_R f](x) = f(R^-1 x), by the series at the rotated grid points."""
    signal = band_limited(band, 1, 1, generator=generator)
    r = random_rotations(generator=generator)
    expected = evaluate(signal[0, 0], grid_points(band) @ r)  # rows: (R^-1 x)^T = x^T R
    assert_close(rotate_s2(signal, r)[0, 0], expected, CONDITION)
    if band > 1:
        with pytest.raises(AssertionError):
            assert_close(rotate_s2(signal, r.T)[0, 0], expected, CONDITION)


def test_rotations_compose(generator):
    """L_Q L_R = L_QR, and L_1 = 1."""
    signal = band_limited(8, 2, 2, generator=generator)
    q, r = random_rotations(2, 2, generator=generator)
    assert_close(rotate_s2(rotate_s2(signal, r), q), rotate_s2(signal, q @ r), SYMMETRY)
    assert_close(rotate_s2(signal, torch.eye(3, dtype=F64)), signal, ROUNDING)
    with pytest.raises(AssertionError):
        assert_close(rotate_s2(rotate_s2(signal, r), q), rotate_s2(signal, r @ q), SYMMETRY)


def test_one_rotation_for_each_sample(generator):
    signal = band_limited(3, 2, 3, generator=generator)
    r = random_rotations(2, generator=generator)
    each = torch.cat([rotate_s2(signal[i : i + 1], r[i]) for i in range(2)])
    assert_close(rotate_s2(signal, r), each, ROUNDING)


def test_turn_about_the_pole_moves_along_alpha(generator):
    signal = band_limited(6, 1, 1, generator=generator)
    angle = torch.tensor([2 * math.pi / 12, 0, 0], dtype=F64)
    turned = rotate_s2(signal, angles_to_matrix(*angle))
    assert_close(turned, signal.roll(1, -1), CONDITION)


@pytest.mark.parametrize("spin", [-1, 0, 1])
def test_differentiable_twice(spin, generator):
    signal = randn(1, 4, 4, generator=generator, dtype=C128).requires_grad_()
    spectrum = randn(1, rows(2, spin), generator=generator, dtype=C128).requires_grad_()
    assert gradcheck(lambda x: s2_fft(x, spin=spin), signal)
    assert gradgradcheck(lambda x: s2_fft(x, spin=spin).abs().square(), signal)
    assert gradcheck(lambda x: s2_ifft(x, 2, 3, spin), spectrum)
    assert gradgradcheck(lambda x: s2_ifft(x, 2, spin=spin).abs().square(), spectrum)


def test_differentiable_twice_real(generator):
    signal = randn(1, 4, 4, generator=generator).requires_grad_()
    spectrum = randn(1, rows(2), generator=generator).requires_grad_()
    assert gradcheck(s2_rfft, signal)
    assert gradgradcheck(lambda x: s2_rfft(x, 2).square(), signal)
    assert gradcheck(lambda x: s2_irfft(x, 2, 3), spectrum)
    assert gradgradcheck(lambda x: s2_irfft(x, 2).square(), spectrum)


@pytest.mark.parametrize("spin", [-1, 0, 2])
def test_float32(spin, generator):
    z = randn(2, rows(8, spin), generator=generator, dtype=C128) / 8
    signal = s2_ifft(z, 8, spin=spin)
    single = s2_ifft(z.to(torch.complex64), 8, spin=spin)
    assert single.dtype == torch.complex64
    assert_close(single, signal, SINGLE)
    assert s2_fft(single, spin=spin).dtype == torch.complex64
    assert_close(s2_fft(single, spin=spin), z, SINGLE)
    real = signal.real.float()
    assert s2_rfft(real).dtype == s2_irfft(s2_rfft(real), 8).dtype == torch.float32
    assert s2_fft(real, spin=spin).dtype == torch.complex64


def test_strides_do_not_matter(generator):
    signal = randn(6, 6, 2, generator=generator)
    assert_close(
        s2_rfft(signal.permute(2, 1, 0)), s2_rfft(signal.permute(2, 1, 0).clone()), ROUNDING
    )
    spectrum = randn(rows(3), 4, generator=generator).T[::2]
    assert_close(s2_irfft(spectrum, 3), s2_irfft(spectrum.contiguous(), 3), ROUNDING)


@pytest.mark.parametrize("shape", [(), (1,), (0,), (2, 0, 3), (2, 1, 3)])
def test_leading_axes(shape, generator):
    """None, some or none at all of size zero."""
    signal = randn(*shape, 8, 8, generator=generator)
    spectrum = s2_rfft(signal)
    assert spectrum.shape == (*shape, 16) and s2_irfft(spectrum, 4).shape == signal.shape
    for spin in (-1, 0, 2):
        spectrum = s2_fft(signal, spin=spin)
        assert spectrum.shape == (*shape, rows(4, spin))
        assert s2_ifft(spectrum, 4, spin=spin).shape == signal.shape


def test_rotation_of_an_empty_batch():
    empty = torch.zeros(0, 3, 8, 8)
    assert rotate_s2(empty, torch.eye(3)).shape == empty.shape
    assert rotate_s2(empty, torch.zeros(0, 3, 3)).shape == empty.shape


def test_nan_passes_through(generator):
    signal = randn(2, 8, 8, generator=generator)
    signal[0, 1, 2] = math.nan
    for spectrum in (s2_rfft(signal), s2_fft(signal, spin=-1)):
        assert spectrum[0].isnan().any() and not spectrum[1].isnan().any()
    assert rotate_s2(signal[:, None], torch.eye(3)).isnan()[0].any()


GRID = r"signal: expected 2 last axes of one even size 2 \* band, got "
BAND = r"^band: expected (1 to 2|an integer >= 1).*, got "
REAL = "expected a real floating tensor, got "
SIGNAL, SPECTRUM = torch.zeros(2, 4, 4), torch.zeros(2, 4)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: s2_rfft(torch.zeros(2, 5, 5)), ValueError, GRID + r"\(2, 5, 5\)"),
        (lambda: s2_fft(torch.zeros(2, 4, 6)), ValueError, GRID + r"\(2, 4, 6\)"),
        (lambda: s2_fft(torch.zeros(4), spin=1), ValueError, GRID + r"\(4,\)"),
        (lambda: s2_rfft(torch.zeros(2, 0, 0)), ValueError, GRID + r"\(2, 0, 0\)"),
        (lambda: s2_rfft(SIGNAL + 0j), TypeError, f"signal: {REAL}torch.complex64"),
        (lambda: s2_rfft(SIGNAL.long()), TypeError, f"signal: {REAL}torch.int64"),
        (lambda: s2_fft(SIGNAL.long()), TypeError, r"signal: expected .*, got torch.int64"),
        (lambda: s2_fft(SIGNAL.long(), spin=1), TypeError, r"signal: .*, got torch.int64"),
        (lambda: s2_rfft(SIGNAL, 3), ValueError, BAND + "3"),
        (lambda: s2_rfft(SIGNAL, 0), ValueError, BAND + "0"),
        (lambda: s2_fft(SIGNAL, 3, 1), ValueError, BAND + "3"),
        (lambda: s2_fft(SIGNAL, 0, -1), ValueError, BAND + "0"),
        (lambda: s2_irfft(SPECTRUM, 2, 1), ValueError, r"band: expected .*1.*, got "),
        (lambda: s2_irfft(SPECTRUM, 2, 0), ValueError, r"band: expected .*, got "),
        (lambda: s2_irfft(SPECTRUM, 3), ValueError, r"spectrum: .* 9 .*, got \(2, 4\)"),
        (lambda: s2_ifft(SPECTRUM, 2, spin=1), ValueError, r"spectrum: .* 3 .*, got \(2, 4\)"),
        (lambda: s2_irfft(SPECTRUM + 0j, 2), TypeError, f"spectrum: {REAL}torch.complex64"),
        (lambda: s2_ifft(SPECTRUM.long(), 2), TypeError, r"spectrum: .*, got torch.int64"),
        (lambda: rotate_s2(SIGNAL[:, None] + 0j, torch.eye(3)), TypeError, f"signal: {REAL}"),
        (lambda: rotate_s2(SIGNAL[:, None], torch.eye(2)), ValueError, r"rotation: .*\(2, 2\)"),
        (
            lambda: rotate_s2(SIGNAL[:, None], torch.eye(3).expand(3, 3, 3)),
            ValueError,
            r"rotation: expected .*, got .*\(3, 3, 3\)",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
