"""The Fourier transform on SO(3): definition, round trip, exact rotation, bad input."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from equinet.harmonics import rotate_so3, so3_fft, so3_ifft, so3_irfft, so3_rfft
from equinet.harmonics.basis_change import to_complex
from equinet.numerics import angles_to_matrix, matrix_to_angles, random_rotations, soft_weights
from tests.harmonics import direct
from tests.tolerances import CONDITION, ROUNDING, SINGLE, SYMMETRY, assert_close

F64, C128 = torch.float64, torch.complex128


def rows(band):
    return band * (4 * band**2 - 1) // 3


def randn(*shape, generator, dtype=F64):
    return torch.randn(shape, dtype=dtype, generator=generator)


@pytest.mark.parametrize("dtype", [F64, C128])
@pytest.mark.parametrize(("grid_band", "band"), [(1, 1), (3, 3), (4, 2)])
def test_forward_is_the_quadrature_of_its_definition(grid_band, band, dtype, generator):
    """f_mn = int f conj(D_mn), for noise too, which is not band-limited."""
    signal = randn(2, *3 * [2 * grid_band], generator=generator, dtype=dtype)
    expected = direct.so3_fft(signal, band)
    assert_close(so3_fft(signal, band), expected, ROUNDING)
    if band > 1:
        with pytest.raises(AssertionError):  # alpha and gamma exchanged
            assert_close(so3_fft(signal.mT, band), expected, ROUNDING)


@pytest.mark.parametrize(("grid_band", "band"), [(1, 1), (3, 3), (5, 3)])
def test_inverse_is_the_fourier_series(grid_band, band, generator):
    """f = sum (2l + 1) f_mn D_mn on any grid of at least that band."""
    spectrum = randn(2, rows(band), generator=generator, dtype=C128)
    expected = direct.so3_series(spectrum, band, *direct.so3_grid(grid_band))
    assert_close(so3_ifft(spectrum, band, grid_band), expected, ROUNDING)


def test_matrix_elements_are_the_functions_of_degree_one():
    """f(R) = R_ij has f^1_ij = 1/3 in the real basis (x, y, z), and no other coefficient."""
    signal = angles_to_matrix(*direct.so3_grid(3)).movedim((-2, -1), (0, 1))
    spectrum = so3_rfft(signal.contiguous())
    expected = torch.zeros(3, 3, rows(3), dtype=F64)
    expected[..., 1:10] = (torch.eye(9, dtype=F64) / 3).view(3, 3, 9)
    assert_close(spectrum, expected, ROUNDING)


def test_haar_measure_integrates_to_one():
    spectrum = so3_rfft(torch.ones(8, 8, 8, dtype=F64)[None])
    assert_close(spectrum[0], torch.eye(rows(4), dtype=F64)[0], ROUNDING)


@given(st.integers(1, 6), st.integers(0, 3), st.lists(st.integers(1, 2), min_size=1, max_size=3))
def test_round_trip(band, extra, shape):
    """Any spectrum comes back, through any grid of at least its band; real and complex."""
    generator = torch.Generator().manual_seed(band)
    real = randn(*shape, rows(band), generator=generator)
    assert_close(so3_rfft(so3_irfft(real, band, band + extra), band), real, ROUNDING)
    z = randn(*shape, rows(band), generator=generator, dtype=C128)
    assert_close(so3_fft(so3_ifft(z, band, band + extra), band), z, ROUNDING)


@pytest.mark.parametrize("band", [32, pytest.param(64, marks=pytest.mark.slow)])
def test_round_trip_at_high_bands(band, generator):
    spectrum = randn(1, rows(band), generator=generator)
    assert_close(so3_rfft(so3_irfft(spectrum, band)), spectrum, ROUNDING)


@given(st.integers(1, 4), st.lists(st.integers(1, 3), min_size=1, max_size=3))
def test_linear(band, shape):
    generator = torch.Generator().manual_seed(band)
    x, y = randn(2, *shape, *3 * [2 * band], generator=generator)
    for fft in (so3_rfft, so3_fft):
        assert_close(fft(2 * x - 3 * y), 2 * fft(x) - 3 * fft(y), ROUNDING)


def test_lower_band_is_a_truncation(generator):
    signal = randn(2, 8, 8, 8, generator=generator)
    assert_close(so3_rfft(signal, 2), so3_rfft(signal)[:, : rows(2)], ROUNDING)


def test_real_and_complex_transforms_agree(generator):
    signal = randn(2, 6, 6, 6, generator=generator)
    real = so3_rfft(signal)
    assert_close(so3_fft(signal), to_complex(real, 3, (0, 1, 2)), ROUNDING)
    assert_close(so3_ifft(so3_fft(signal), 3), so3_irfft(real, 3) + 0j, ROUNDING)


def test_plancherel(generator):
    """int |f|^2 = sum (2l + 1) |f_mn|^2 for a function below the band."""
    band = 4
    spectrum = randn(rows(band), generator=generator)[None]
    signal = so3_irfft(spectrum, band)[0]
    energy = soft_weights(band) @ signal.square().mean((1, 2))
    degree = torch.cat([torch.full(((2 * l + 1) ** 2,), 2.0 * l + 1) for l in range(band)])
    assert_close(energy / (degree * spectrum.square()).sum(), 1.0, ROUNDING)


def band_limited(band, *shape, generator):
    return so3_irfft(randn(*shape, rows(band), generator=generator), band) / rows(band) ** 0.5


def test_rotation_is_exact(generator):
    """[L_R f](Q) = f(R^-1 Q), by the series at the rotated grid points."""
    band = 4
    signal, r = band_limited(band, 1, 1, generator=generator), random_rotations(generator=generator)
    grid = angles_to_matrix(*direct.so3_grid(band))
    spectrum = so3_fft(signal)
    expected = direct.so3_series(spectrum, band, *matrix_to_angles(r.T @ grid)).real
    assert_close(rotate_so3(signal, r), expected, CONDITION)
    with pytest.raises(AssertionError):
        assert_close(rotate_so3(signal, r.T), expected, CONDITION)


def test_rotations_compose(generator):
    """L_Q L_R = L_QR, and L_1 = 1."""
    signal = band_limited(5, 2, 2, generator=generator)
    q, r = random_rotations(2, 2, generator=generator)
    assert_close(rotate_so3(rotate_so3(signal, r), q), rotate_so3(signal, q @ r), SYMMETRY)
    assert_close(rotate_so3(signal, torch.eye(3, dtype=F64)), signal, ROUNDING)
    with pytest.raises(AssertionError):
        assert_close(rotate_so3(rotate_so3(signal, r), q), rotate_so3(signal, r @ q), SYMMETRY)


def test_one_rotation_for_each_sample(generator):
    signal = band_limited(3, 2, 3, generator=generator)
    r = random_rotations(2, generator=generator)
    each = torch.cat([rotate_so3(signal[i : i + 1], r[i]) for i in range(2)])
    assert_close(rotate_so3(signal, r), each, ROUNDING)


def test_turn_about_the_pole_moves_along_alpha(generator):
    signal = band_limited(4, 1, 1, generator=generator)
    angle = torch.tensor([math.pi / 4, 0, 0], dtype=F64)  # one step of the grid
    turned = rotate_so3(signal, angles_to_matrix(*angle))
    assert_close(turned, signal.roll(1, -2), CONDITION)


def test_differentiable_twice(generator):
    signal = randn(1, 4, 4, 4, generator=generator).requires_grad_()
    spectrum = randn(1, rows(2), generator=generator).requires_grad_()
    assert gradcheck(so3_rfft, signal)
    assert gradgradcheck(lambda x: so3_rfft(x, 2).square(), signal)
    assert gradcheck(lambda x: so3_irfft(x, 2, 3), spectrum)
    assert gradgradcheck(lambda x: so3_irfft(x, 2).square(), spectrum)
    assert gradcheck(so3_fft, signal.detach().to(C128).requires_grad_())
    assert gradcheck(lambda x: so3_ifft(x, 2), spectrum.detach().to(C128).requires_grad_())


def test_gradient_of_the_rotation(generator):
    """A rotated signal can be differentiated by the rotation, at the identity too."""
    signal = band_limited(2, 1, 1, generator=generator)

    def turned(omega):
        zero = torch.zeros((), dtype=F64)
        x, y, z = omega
        skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).view(3, 3)
        return rotate_so3(signal, torch.linalg.matrix_exp(skew))

    assert gradcheck(turned, torch.zeros(3, dtype=F64, requires_grad=True))


def test_float32(generator):
    signal = band_limited(6, 2, 2, generator=generator)
    single = so3_rfft(signal.float())
    assert single.dtype == torch.float32
    assert_close(single, so3_rfft(signal), SINGLE)
    assert so3_fft(signal.float()).dtype == torch.complex64
    back = so3_irfft(single, 6)
    assert back.dtype == torch.float32 and rotate_so3(back, torch.eye(3)).dtype == torch.float32
    assert_close(back, signal, SINGLE)


def test_strides_do_not_matter(generator):
    signal = randn(2, 6, 6, 6, generator=generator)
    strided = signal.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)
    assert_close(so3_rfft(strided), so3_rfft(signal), ROUNDING)
    spectrum = randn(rows(3), 4, generator=generator).T[::2]
    assert_close(so3_irfft(spectrum, 3), so3_irfft(spectrum.contiguous(), 3), ROUNDING)


def test_leading_axes(generator):
    """None, some or none at all of size zero."""
    for shape in [(), (1,), (0,), (2, 0, 3), (2, 1, 3)]:
        signal = randn(*shape, 4, 4, 4, generator=generator)
        for forward, back in ((so3_rfft, so3_irfft), (so3_fft, so3_ifft)):
            spectrum = forward(signal)
            assert spectrum.shape == (*shape, rows(2))
            assert back(spectrum, 2).shape == signal.shape
    empty = torch.zeros(0, 3, 4, 4, 4)
    assert rotate_so3(empty, torch.eye(3)).shape == empty.shape
    assert rotate_so3(empty, torch.zeros(0, 3, 3)).shape == empty.shape


def test_nan_passes_through(generator):
    signal = randn(2, 4, 4, 4, generator=generator)
    signal[0, 1, 2, 3] = math.nan
    for spectrum in (so3_rfft(signal), so3_fft(signal)):
        assert spectrum[0].isnan().any() and not spectrum[1].isnan().any()
    assert rotate_so3(signal[:, None], torch.eye(3)).isnan()[0].any()


GRID = r"signal: expected 3 last axes of one even size 2 \* band, got "
BAND = r"^band: expected (1 to 2|an integer >= 1).*, got "
REAL = "expected a real floating tensor, got "
SIGNAL, SPECTRUM = torch.zeros(2, 4, 4, 4), torch.zeros(2, 10)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: so3_rfft(torch.zeros(2, 5, 5, 5)), ValueError, GRID + r"\(2, 5, 5, 5\)"),
        (lambda: so3_fft(torch.zeros(2, 4, 4, 6)), ValueError, GRID + r"\(2, 4, 4, 6\)"),
        (lambda: so3_fft(torch.zeros(4, 4)), ValueError, GRID + r"\(4, 4\)"),
        (lambda: so3_rfft(torch.zeros(2, 0, 0, 0)), ValueError, GRID + r"\(2, 0, 0, 0\)"),
        (lambda: so3_rfft(SIGNAL + 0j), TypeError, f"signal: {REAL}torch.complex64"),
        (lambda: so3_rfft(SIGNAL.long()), TypeError, f"signal: {REAL}torch.int64"),
        (lambda: so3_fft(SIGNAL.bool()), TypeError, r"signal: expected .*, got torch.bool"),
        (lambda: so3_rfft(SIGNAL, 3), ValueError, BAND + "3"),
        (lambda: so3_fft(SIGNAL, 0), ValueError, BAND + "0"),
        (lambda: so3_irfft(SPECTRUM, 2, 1), ValueError, r"band: expected .*1.*, got "),
        (lambda: so3_irfft(SPECTRUM, 2, 0), ValueError, r"band: expected .*, got "),
        (lambda: so3_irfft(SPECTRUM, 3), ValueError, r"spectrum: .* 35 .*, got \(2, 10\)"),
        (lambda: so3_ifft(SPECTRUM[0, 0], 2), ValueError, r"spectrum: .* 10 .*, got \(\)"),
        (lambda: so3_irfft(SPECTRUM + 0j, 2), TypeError, f"spectrum: {REAL}torch.complex64"),
        (lambda: so3_ifft(SPECTRUM.long(), 2), TypeError, r"spectrum: .*, got torch.int64"),
        (lambda: rotate_so3(SIGNAL[:, None] + 0j, torch.eye(3)), TypeError, f"signal: {REAL}"),
        (lambda: rotate_so3(SIGNAL[:, None], torch.eye(2)), ValueError, r"rotation: .*\(2, 2\)"),
        (
            lambda: rotate_so3(SIGNAL[:, None], torch.eye(3).expand(3, 3, 3)),
            ValueError,
            r"rotation: expected .*, got .*\(3, 3, 3\)",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
