"""Transforms on any rings: their definition, their round trip, and what they refuse."""

import pytest
import torch
from torch.autograd import gradcheck

from equinet.harmonics import (
    Analysis,
    Rings,
    Synthesis,
    equiangular,
    gauss,
    healpix,
    octahedral,
    s2_fft,
    s2_ifft,
    s2_irfft,
    s2_rfft,
    soft,
)
from equinet.harmonics.grid import spectrum_index
from equinet.numerics import angles_to_matrix, wigner_D
from tests.over import over
from tests.tolerances import CONDITION, ROUNDING, assert_close

F64, C128 = torch.float64, torch.complex128
BAND = 5
GRIDS = [
    soft(6),
    gauss(5),
    gauss(6, 9),  # with as few longitudes as there can be
    gauss(7, 11, start=0.3),
    equiangular(9, 12, poles=True),  # with an equator
    equiangular(10, 10, poles=False),
    octahedral(5),
    healpix(3),
]


@over("rings", GRIDS)
@pytest.mark.parametrize("order", [0, 1, 2])
def test_signals_are_the_fourier_series(rings, order, generator):
    """Y^c and Y^s, at gamma = 0 and where n gamma = pi/2, of sum (2l + 1) f_mn D_mn at each point.

    So also on rings that are too short to tell the orders m apart.
    """
    synthesis = Synthesis(rings, BAND, order, F64)
    spectrum = torch.randn(synthesis.field_tables().size, 1, dtype=F64, generator=generator)
    beta, alpha = rings.angles()
    gamma = torch.tensor([0.0, torch.pi / 2 / order] if order else [0.0], dtype=F64)
    r = angles_to_matrix(alpha, beta, gamma.view(-1, *[1] * len(rings.shape)))
    direct = torch.zeros(1, *r.shape[:-2], dtype=F64)
    for (l, m, n), f in zip(spectrum_index(BAND, (order,)).tolist(), spectrum, strict=True):
        direct += (2 * l + 1) * wigner_D(l, r)[..., l + m, l + n] * f
    assert_close(synthesis(spectrum, 1), direct, ROUNDING)


@over("rings", GRIDS)
@pytest.mark.parametrize("order", [0, 2])
def test_analysis_is_the_transpose_of_synthesis(rings, order, generator):
    """But for the factors: <S g^-1 f, y> = <f, A r^-1 y>."""
    synthesis, analysis = Synthesis(rings, BAND, order, F64), Analysis(rings, BAND, order, F64)
    assert synthesis.d.data_ptr() == analysis.d.data_ptr()
    f = torch.randn(synthesis.field_tables().size, 6, dtype=F64, generator=generator)
    signal = synthesis(f, 3)
    y = torch.randn(signal.shape, dtype=F64, generator=generator)
    (found,) = torch.autograd.grad((synthesis(g := f.clone().requires_grad_(), 3) * y).sum(), g)
    analysis.by_degree.copy_(synthesis.by_degree)
    analysis.by_ring.copy_(synthesis.by_ring)
    assert_close(found, analysis(y), CONDITION)
    if rings == gauss(5):
        with pytest.raises(AssertionError):
            assert_close(found, Analysis(rings, BAND, order, F64)(y), CONDITION)


@over("rings", GRIDS)
def test_round_trip_of_any_spin(rings, generator):
    """Exactly, but on HEALPix, where one analysis is not enough."""
    real = torch.randn(2, 3, BAND**2, dtype=F64, generator=generator)
    exact = rings != healpix(3)
    found = s2_rfft(s2_irfft(real, BAND, grid=rings), BAND, grid=rings)
    assert bool((found - real).abs().max() < ROUNDING) == exact
    for spin in (-2, 0, 1):
        z = torch.randn(2, BAND**2 - spin**2, dtype=C128, generator=generator)
        signal = s2_ifft(z, BAND, spin=spin, grid=rings)
        assert signal.shape == (2, *rings.shape)
        found = s2_fft(signal, BAND, spin, grid=rings)
        assert bool((found - z).abs().max() < ROUNDING) == exact


@over("rings", [gauss(3, 5, start=0.2), healpix(2)])
def test_derivatives(rings, generator):
    x = torch.randn(1, *rings.shape, dtype=F64, generator=generator).requires_grad_()
    z = torch.randn(1, 5, dtype=C128, generator=generator).requires_grad_()
    assert gradcheck(lambda x: s2_rfft(x, 3, grid=rings), x)
    assert gradcheck(lambda z: s2_ifft(z, 3, spin=2, grid=rings), z)
    batched = torch.stack([x, 2 * x]).detach()
    mapped = torch.vmap(lambda x: s2_rfft(x, 3, grid=rings))(batched)
    assert_close(mapped, s2_rfft(batched, 3, grid=rings), ROUNDING)


def test_what_a_grid_of_its_own_is_by_default(generator):
    """A square array is on the SOFT grid if nothing is said."""
    x = torch.randn(1, 8, 8, dtype=F64, generator=generator)
    assert_close(s2_rfft(x), s2_rfft(x, grid=soft(4)), ROUNDING)
    assert s2_rfft(x, grid=gauss(8, 8)).shape == (1, 16)
    with pytest.raises(AssertionError):
        assert_close(s2_rfft(x), s2_rfft(x, grid=gauss(8, 8)), 1e-3)


LOPSIDED = Rings([0.3, 1.0, 2.0], [0.2, 0.3, 0.5], [9] * 3, degree=3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: s2_rfft(torch.zeros(2, 8, 8), grid=gauss(8)),
            ValueError,
            r"^signal: expected \(..., 8, 16\) on gauss\(8, 16\), got \(2, 8, 8\)",
        ),
        (
            lambda: s2_fft(torch.zeros(2, 47), grid=healpix(2)),
            ValueError,
            r"^signal: expected \(..., 48\) on healpix\(2\), got \(2, 47\)",
        ),
        (lambda: s2_rfft(torch.zeros(8, 8), grid=8), TypeError, "^grid: expected Rings, .* got 8"),
        (lambda: s2_irfft(torch.zeros(9), 3, grid=8), TypeError, "^grid: expected Rings"),
        (
            lambda: s2_irfft(torch.zeros(9), 3, 3, grid=gauss(4)),
            ValueError,
            "^grid_band: expected none beside grid",
        ),
        (
            lambda: s2_rfft(torch.zeros(8, 16), 9, grid=gauss(8)),
            ValueError,
            r"^band: expected 1 to 8 \(the band that the grid holds\), got 9",
        ),
        (
            lambda: s2_irfft(torch.zeros(9), 3, grid=LOPSIDED),
            ValueError,
            "^grid: expected rings that the equator mirrors onto each other",
        ),
        (
            lambda: Analysis(gauss(4), 4, None),
            ValueError,
            r"^grid: expected a SOFT grid for functions on SO\(3\), got gauss",
        ),
        (
            lambda: Analysis(healpix(2), 3, 0)(torch.zeros(1, 1, 47)),
            ValueError,
            r"^signal: expected \(batch, channel, 48\), got \(1, 1, 47\)",
        ),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
