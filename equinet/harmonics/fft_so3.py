r"""Fourier transform on SO(3): signals (..., beta, alpha, gamma) and flat spectra.

In: signals on the SOFT grid. Out: spectra, and back.

.. math:: \hat f^l_{mn} = \int f \overline{D^l_{mn}}, \qquad
          f = \sum_{l<b} (2l + 1) \sum_{mn} \hat f^l_{mn} D^l_{mn} \quad (S1)

``so3_fft`` and ``so3_ifft`` use the textbook complex basis D^l_mn = e^{-i m alpha} d^l_mn e^{-i n
gamma}, ``so3_rfft`` and ``so3_irfft`` serve real signals with real spectra in e3nn's real basis. In
both, the coefficient (l, m, n) stands at l(4l^2 - 1)/3 + (2l + 1)(m + l) + (n + l).
"""

import math
from typing import Any

import torch
from torch import Tensor

from equinet.harmonics.basis_change import to_complex, to_real
from equinet.harmonics.grid import spectrum_size
from equinet.harmonics.transform import Analysis, Synthesis
from equinet.numerics.arguments import check_integer, check_memory
from equinet.numerics.cached import cached
from equinet.numerics.membership import check_rotations
from equinet.numerics.turn import turn_degrees
from equinet.ops import full_precision


@cached(4)
def analysis(grid_band: int, band: int, order: int | None, dtype, device) -> Analysis:
    """The forward transform with constants in ``dtype``, kept for the next call."""
    return Analysis(grid_band, band, order, dtype).to(device)


@cached(4)
def synthesis(grid_band: int, band: int, order: int | None, dtype, device) -> Synthesis:
    """The inverse transform with constants in ``dtype``, kept for the next call."""
    return Synthesis(grid_band, band, order, dtype).to(device)


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
    grid_band = _grid_band(signal, 3, real=True)
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
    """
    _check_band(band)
    _check_spectrum(spectrum, spectrum_size(band, tuple(range(band))), real=True)
    grid_band = band if grid_band is None else check_integer(grid_band, "grid_band")
    transform = synthesis(grid_band, band, None, spectrum.dtype, spectrum.device)
    lead, size = spectrum.shape[:-1], 2 * grid_band
    rows = spectrum.reshape(lead.numel(), spectrum.shape[-1]).T
    return transform(rows, 1).reshape(*lead, size, size, size)


def so3_fft(signal: Tensor, band: int | None = None) -> Tensor:
    """Complex spectrum (S1) of a real or complex signal ``(..., 2b, 2b, 2b)``, flat last axis."""
    grid_band = _grid_band(signal, 3)
    band = grid_band if band is None else check_integer(band, "band")
    return to_complex(_by_parts(so3_rfft, signal, band), band, tuple(range(band)))


def so3_ifft(spectrum: Tensor, band: int, grid_band: int | None = None) -> Tensor:
    """Complex signal ``(..., 2b, 2b, 2b)`` from a complex spectrum (S1)."""
    _check_band(band)
    orders = tuple(range(band))
    _check_spectrum(spectrum, spectrum_size(band, orders))
    return _by_parts(so3_irfft, to_real(spectrum, band, orders), band, grid_band)


def rotate_spectrum(spectrum: Tensor, band: int, columns: list[int], rotation: Tensor) -> Tensor:
    r"""Spectrum of f(R^-1 x) from that of f: \hat f^l -> D^l(R) \hat f^l, in the real basis.

    Args:
        spectrum: ``(..., rows)``, or ``(batch, ..., rows)`` with a rotation for each sample.
        band: exclusive bound of the degrees.
        columns: number of signed orders n at each degree.
        rotation: R, ``(3, 3)`` or one for each sample, ``(batch, 3, 3)``.
    """
    check_rotations(rotation, "rotation", spectrum)
    rotation = rotation.to(spectrum.device, spectrum.dtype)
    shape = spectrum.shape
    batch = math.prod(shape[:-1]) if rotation.dim() == 2 else shape[0]
    rows = spectrum.reshape(batch, math.prod(shape[:-1]) // max(1, batch), shape[-1])
    with full_precision(spectrum):
        return (
            turn_degrees(rows.permute(2, 1, 0), columns, rotation).permute(2, 1, 0).reshape(shape)
        )


def rotate_so3(signal: Tensor, rotation: Tensor) -> Tensor:
    """[L_R f](Q) = f(R^-1 Q), exact for signals with band b on the grid of band b.

    Args:
        signal: real, ``(batch, channel, 2b, 2b, 2b)``.
        rotation: R, ``(3, 3)`` or one for each sample, ``(batch, 3, 3)``.
    """
    band = _grid_band(signal, 3, real=True)
    columns = [2 * l + 1 for l in range(band)]
    return so3_irfft(rotate_spectrum(so3_rfft(signal), band, columns, rotation), band)


def _by_parts(transform, x: Tensor, *args) -> Tensor:
    """A real-linear map applied to the real and the imaginary part, side by side."""
    if not x.is_complex():
        return transform(x, *args)
    parts = transform(torch.stack([x.real, x.imag]), *args)
    return torch.complex(parts[0], parts[1])


def _check_band(band: int) -> None:
    check_integer(band, "band")
    check_memory(band**3, "band", f"a spectrum of band {band}")


def _grid_band(signal: Tensor, axes: int, real: bool = False) -> int:
    _check_tensor("signal", signal)
    if real and not signal.is_floating_point():
        raise TypeError(f"signal: expected a real floating tensor, got {signal.dtype}")
    if not (signal.is_floating_point() or signal.is_complex()):
        raise TypeError(f"signal: expected a real or complex floating tensor, got {signal.dtype}")
    sizes = tuple(signal.shape[-axes:])
    if signal.dim() < axes or len(set(sizes)) > 1 or sizes[0] % 2 or sizes[0] == 0:
        raise ValueError(
            f"signal: expected {axes} last axes of one even size 2 * band, got "
            f"{tuple(signal.shape)}"
        )
    return sizes[0] // 2


def _check_tensor(argument: str, x: Any) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(f"{argument}: expected a floating tensor, got {type(x).__name__}")
    if x.layout != torch.strided:
        raise TypeError(f"{argument}: expected a floating tensor, got {x.layout}")


def _check_spectrum(spectrum: Tensor, rows: int, real: bool = False) -> None:
    _check_tensor("spectrum", spectrum)
    if real and not spectrum.is_floating_point():
        raise TypeError(f"spectrum: expected a real floating tensor, got {spectrum.dtype}")
    if not (spectrum.is_floating_point() or spectrum.is_complex()):
        raise TypeError(f"spectrum: expected a floating tensor, got {spectrum.dtype}")
    if spectrum.dim() == 0 or spectrum.shape[-1] != rows:
        raise ValueError(
            f"spectrum: expected a last axis of {rows} coefficients, got {tuple(spectrum.shape)}"
        )
