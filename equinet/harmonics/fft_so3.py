r"""Fourier transform on SO(3): signals (..., beta, alpha, gamma) and flat spectra.

In: signals on the SOFT grid. Out: spectra, and back.

.. math:: \hat f^l_{mn} = \int f \overline{D^l_{mn}}, \qquad
          f = \sum_{l<b} (2l + 1) \sum_{mn} \hat f^l_{mn} D^l_{mn} \quad (S1)

``so3_fft`` and ``so3_ifft`` use the textbook complex basis D^l_mn = e^{-i m alpha} d^l_mn e^{-i n
gamma}, ``so3_rfft`` and ``so3_irfft`` serve real signals with real spectra in e3nn's real basis. In
both, the coefficient (l, m, n) stands at l(4l^2 - 1)/3 + (2l + 1)(m + l) + (n + l).
"""

import functools

from torch import Tensor

from equinet.harmonics.basis_change import to_complex, to_real
from equinet.harmonics.flat_spectra import (
    analysis,
    band_of_grid,
    by_parts,
    check_spectrum,
    rotate_spectrum,
    synthesis,
)
from equinet.harmonics.grid import spectrum_size
from equinet.numerics.arguments import check_integer, check_memory


def so3_rfft(signal: Tensor, band: int | None = None) -> Tensor:
    r"""Real spectrum of a real signal on SO(3), (S1) in the real basis.

    Args:
        signal: real, ``(..., 2b, 2b, 2b)``, axes beta, alpha, gamma.
        band: degrees l < ``band`` are kept; b by default.
    Returns:
        Real tensor ``(..., band (4 band^2 - 1) / 3)``.
    Raises:
        ValueError, TypeError: if the last three axes are not a SOFT grid or the signal is complex.
    """
    grid_band = band_of_grid(signal, 3, real=True)
    band = grid_band if band is None else check_integer(band, "band")
    transform = analysis(grid_band, band, None, signal.dtype, signal.device)
    lead = signal.shape[:-3]
    flat = signal.reshape(lead.numel(), 1, *signal.shape[-3:])
    return transform(flat).T.reshape(*lead, spectrum_size(band, tuple(range(band))))


def so3_irfft(spectrum: Tensor, band: int, grid_band: int | None = None) -> Tensor:
    """Real signal ``(..., 2b, 2b, 2b)`` on the grid of b = ``grid_band`` from a real spectrum.

    Args:
        spectrum: real, ``(..., band (4 band^2 - 1) / 3)``.
        band: exclusive bound of its degrees.
        grid_band: b of the grid, at least ``band``, which is the default.
    Returns:
        Axes beta, alpha, gamma.
    Raises:
        ValueError: if a band is out of range, or the spectrum has another number of coefficients.
        TypeError: if the spectrum is not real.
    """
    _check_band(band)
    check_spectrum(spectrum, spectrum_size(band, tuple(range(band))), real=True)
    grid_band = band if grid_band is None else check_integer(grid_band, "grid_band")
    transform = synthesis(grid_band, band, None, spectrum.dtype, spectrum.device)
    lead, size = spectrum.shape[:-1], 2 * grid_band
    rows = spectrum.reshape(lead.numel(), spectrum.shape[-1]).T
    return transform(rows, 1).reshape(*lead, size, size, size)


def so3_fft(signal: Tensor, band: int | None = None) -> Tensor:
    """Complex spectrum (S1) of a real or complex signal on SO(3).

    Args:
        signal: ``(..., 2b, 2b, 2b)``, axes beta, alpha, gamma.
        band: degrees l < ``band`` are kept; b by default.
    Returns:
        Complex tensor ``(..., band (4 band^2 - 1) / 3)``.
    Raises:
        ValueError, TypeError: if the last three axes are not a SOFT grid.
    """
    grid_band = band_of_grid(signal, 3)
    band = grid_band if band is None else check_integer(band, "band")
    return to_complex(
        by_parts(functools.partial(so3_rfft, band=band), signal), band, tuple(range(band))
    )


def so3_ifft(spectrum: Tensor, band: int, grid_band: int | None = None) -> Tensor:
    """Complex signal from a complex spectrum (S1).

    Args:
        spectrum: real or complex, ``(..., band (4 band^2 - 1) / 3)``.
        band: exclusive bound of its degrees.
        grid_band: b of the grid, at least ``band``, which is the default.
    Returns:
        Complex tensor ``(..., 2b, 2b, 2b)``, axes beta, alpha, gamma.
    Raises:
        ValueError: if a band is out of range, or the spectrum has another number of coefficients.
        TypeError: if the spectrum is no floating tensor.
    """
    _check_band(band)
    orders = tuple(range(band))
    check_spectrum(spectrum, spectrum_size(band, orders))
    inverse = functools.partial(so3_irfft, band=band, grid_band=grid_band)
    return by_parts(inverse, to_real(spectrum, band, orders))


def rotate_so3(signal: Tensor, rotation: Tensor) -> Tensor:
    """[L_R f](Q) = f(R^-1 Q), exact for signals with band b on the grid of band b.

    Args:
        signal: real, ``(batch, channel, 2b, 2b, 2b)``.
        rotation: R, ``(3, 3)`` or one for each sample, ``(batch, 3, 3)``.
    Returns:
        A signal of the same shape.
    Raises:
        ValueError, TypeError: if the last three axes are not a SOFT grid, or ``rotation`` is none.
    """
    band = band_of_grid(signal, 3, real=True)
    columns = [2 * l + 1 for l in range(band)]
    return so3_irfft(rotate_spectrum(so3_rfft(signal), band, columns, rotation), band)


def _check_band(band: int) -> None:
    check_integer(band, "band")
    check_memory(band**3, "band", f"a spectrum of band {band}")
