r"""Fourier transform on the sphere: signals (..., beta, alpha) of any spin, and flat spectra.

In: signals on rings, by default the SOFT grid. Out: spectra, and back.

A field of spin s is a function on SO(3) with F(alpha, beta, gamma) = f(alpha, beta) e^{-i s gamma},
so

.. math:: \hat f^l_m = \int_{S^2} f \overline{D^l_{ms}(\alpha, \beta, 0)}, \qquad
          f = \sum_{|s| \le l < b} (2l + 1) \sum_m \hat f^l_m D^l_{ms}(\alpha, \beta, 0) \quad (S2)

With spin 0 it is sqrt(4 pi / (2l + 1)) int f Y_l^m, and it stands at l^2 + m + l. For spin s the
degrees start at ``|s|``. ``s2_rfft`` and ``s2_irfft`` serve real functions with real spectra in
e3nn's basis: int f Y^l_m with sum_m (Y^l_m)^2 = 1.
"""

import functools

import torch
from torch import Tensor

from equinet.harmonics.basis_change import to_complex, to_real
from equinet.harmonics.flat_spectra import (
    analysis,
    band_of_grid,
    by_parts,
    check_rings,
    check_spectrum,
    rings_of,
    rotate_spectrum,
    synthesis,
)
from equinet.harmonics.grid import spectrum_size
from equinet.harmonics.rings import Rings, soft
from equinet.numerics.arguments import check_integer, is_integer


def s2_rfft(signal: Tensor, band: int | None = None, *, grid: Rings | None = None) -> Tensor:
    """Real spectrum of a real signal on the sphere.

    Args:
        signal: real, ``(..., *grid.shape)``: axes beta and alpha, or one axis of points.
        band: degrees l < ``band`` are kept; by default all that the grid holds.
        grid: the rings; by default the signal is ``(..., 2b, 2b)`` on the SOFT grid of b.
    Returns:
        Real tensor ``(..., band^2)``.
    Raises:
        ValueError, TypeError: if the last axes are not those of the grid, or the signal is complex.
    """
    rings = rings_of(signal, grid, real=True)
    band = rings.degree if band is None else check_integer(band, "band")
    transform = analysis(rings, band, 0, signal.dtype, signal.device)
    lead = signal.shape[: -len(rings.shape)]
    flat = signal.reshape(lead.numel(), 1, *rings.shape)
    return transform(flat).T.reshape(*lead, band * band)


def s2_irfft(
    spectrum: Tensor, band: int, grid_band: int | None = None, *, grid: Rings | None = None
) -> Tensor:
    """Real signal on the sphere from a real spectrum.

    Args:
        spectrum: real, ``(..., band^2)``.
        band: exclusive bound of its degrees.
        grid_band: b of the SOFT grid, at least ``band``, which is the default.
        grid: the rings, in place of ``grid_band``.
    Returns:
        Real tensor ``(..., *grid.shape)``, on a SOFT grid ``(..., 2b, 2b)``, axes beta, alpha.
    Raises:
        ValueError: if a band is out of range, or the spectrum has another number of coefficients.
        TypeError: if the spectrum is not real.
    """
    check_integer(band, "band")
    check_spectrum(spectrum, band * band, real=True)
    rings = _rings(band, grid_band, grid)
    transform = synthesis(rings, band, 0, spectrum.dtype, spectrum.device)
    lead = spectrum.shape[:-1]
    rows = spectrum.reshape(lead.numel(), spectrum.shape[-1]).T
    return transform(rows, 1).reshape(*lead, *rings.shape)


def s2_fft(
    signal: Tensor, band: int | None = None, spin: int = 0, *, grid: Rings | None = None
) -> Tensor:
    """Complex spectrum (S2) of a real or complex signal of the given spin.

    Args:
        signal: ``(..., *grid.shape)``: axes beta and alpha, or one axis of points.
        band: degrees l < ``band`` are kept; by default all that the grid holds.
        spin: s, with abs(s) < ``band``.
        grid: the rings; by default the signal is ``(..., 2b, 2b)`` on the SOFT grid of b.
    Returns:
        ``(..., band^2 - spin^2)``, index l^2 - s^2 + m + l.
    Raises:
        ValueError: if an argument is out of range, or the last axes are not those of the grid.
    """
    rings = rings_of(signal, grid)
    band = rings.degree if band is None else check_integer(band, "band")
    _check_spin(spin, band)
    if spin == 0:
        real = functools.partial(s2_rfft, band=band, grid=rings)
        return to_complex(by_parts(real, signal), band, (0,))
    if spin < 0:  # conj(D_ms) = (-1)^(m - s) D_{-m,-s}
        return _mirror(s2_fft(signal.conj(), band, -spin, grid=rings), band, -spin)
    axis = -1 - len(rings.shape)
    parts = torch.stack([signal.real, signal.imag if signal.is_complex() else 0 * signal], axis)
    transform = analysis(rings, band, spin, parts.dtype, parts.device)
    lead = signal.shape[: -len(rings.shape)]
    rows = transform(parts.reshape(lead.numel(), 2, *rings.shape)).T
    rows = rows.reshape(*lead, spectrum_size(band, (spin,)))
    # The real function Re[f e^{-i s gamma}] has half of f at n = s.
    return 2 * to_complex(rows, band, (spin,))[..., 1::2]


def s2_ifft(
    spectrum: Tensor,
    band: int,
    grid_band: int | None = None,
    spin: int = 0,
    *,
    grid: Rings | None = None,
) -> Tensor:
    """Complex signal of the given spin from a complex spectrum (S2).

    Args:
        spectrum: real or complex, ``(..., band^2 - spin^2)``.
        band: exclusive bound of its degrees.
        grid_band: b of the SOFT grid, at least ``band``, which is the default.
        spin: s, with abs(s) < ``band``.
        grid: the rings, in place of ``grid_band``.
    Returns:
        Complex tensor ``(..., *grid.shape)``, on a SOFT grid ``(..., 2b, 2b)``, axes beta, alpha.
    Raises:
        ValueError: if an argument is out of range, or the spectrum has another number of
            coefficients.
        TypeError: if the spectrum is no floating tensor.
    """
    check_integer(band, "band")
    _check_spin(spin, band)
    check_spectrum(spectrum, band * band - spin * spin)
    rings = _rings(band, grid_band, grid)
    if spin == 0:
        inverse = functools.partial(s2_irfft, band=band, grid=rings)
        return by_parts(inverse, to_real(spectrum, band, (0,)))
    if spin < 0:
        mirrored = _mirror(spectrum, band, -spin)
        return s2_ifft(mirrored, band, spin=-spin, grid=rings).conj()
    both = torch.stack([_mirror(spectrum, band, spin), spectrum], -1).flatten(-2) / 2
    rows = to_real(both, band, (spin,)).real
    transform = synthesis(rings, band, spin, rows.dtype, rows.device)
    lead = spectrum.shape[:-1]
    columns = rows.reshape(lead.numel(), rows.shape[-1]).T
    real, imaginary = transform(columns, 1).reshape(*lead, 2, *rings.shape).unbind(len(lead))
    return torch.complex(real, imaginary)


def _rings(band: int, grid_band: int | None, grid: Rings | None) -> Rings:
    """The rings on which a signal is asked for."""
    if grid is None:
        return soft(band if grid_band is None else check_integer(grid_band, "grid_band"))
    check_rings(grid)
    if grid_band is not None:
        raise ValueError(f"grid_band: expected none beside grid, got {grid_band!r} and {grid!r}")
    return grid


def _check_spin(spin: int, band: int) -> None:
    """Raise ValueError unless fields of that spin have a degree below ``band``."""
    if not is_integer(spin, 1 - band, band - 1):
        raise ValueError(
            f"spin: expected an integer from {1 - band} to {band - 1}, as degrees begin at |spin| "
            f"and end below band {band}, got {spin!r}"
        )


def _mirror(spectrum: Tensor, band: int, spin: int) -> Tensor:
    """conj(f_m) (-1)^(m - s) at -m: from the spectrum of a field to that of its conjugate."""
    if spin >= band:
        return spectrum
    l = torch.arange(spin, band).repeat_interleave(2 * torch.arange(spin, band) + 1)
    m = torch.arange(len(l)) - (l * l - spin * spin) - l
    sign = (1 - 2 * ((m - spin) % 2)).to(spectrum.device)
    source = (l * l - spin * spin + l - m).to(spectrum.device)
    return spectrum[..., source].conj() * sign


def rotate_s2(signal: Tensor, rotation: Tensor) -> Tensor:
    """[L_R f](x) = f(R^-1 x), exact for functions with band b on the grid of band b.

    Args:
        signal: real, ``(batch, channel, 2b, 2b)``.
        rotation: R, ``(3, 3)`` or one for each sample, ``(batch, 3, 3)``.
    Returns:
        A signal of the same shape.
    Raises:
        ValueError, TypeError: if the last two axes are not a SOFT grid, or ``rotation`` is none.
    """
    band = band_of_grid(signal, 2, real=True)
    return s2_irfft(rotate_spectrum(s2_rfft(signal), band, [1] * band, rotation), band)
