r"""Coefficients in the layout of healpy, and spectra of this library.

In: a_lm with m >= 0, order by order. Out: spectra (S2), and back.
"""

import math

import torch
from torch import Tensor

from equinet.convert.coefficients import (
    as_tensor,
    band_of,
    check_function,
    check_real,
    coefficients_from,
    join,
    part,
    spectrum_from,
)
from equinet.numerics.arguments import check_integer


def from_healpy(alm: Tensor, spin: int = 0) -> Tensor:
    r"""The spectrum, as ``s2_fft`` has it, of fields given by coefficients of healpy.

    .. math:: \hat f^l_m = \frac{\overline{a_{lm}}}{\sqrt{4\pi(2l + 1)}}, \qquad
              \hat f^l_m = -\frac{\overline{a^E_{lm}} + i\, \overline{a^B_{lm}}}
                                 {\sqrt{4\pi(2l + 1)}}

    of a function and of a field of spin s > 0. healpy's axes (x, y, z) are (z, x, y) here; its
    angles (theta, phi) are (beta, alpha).

    Args:
        alm: of ``map2alm``, complex ``(..., n)`` with n = (lmax + 1)(lmax + 2) / 2, as mmax = lmax
            gives; for s > 0 E and B, ``(..., 2, n)``, of ``map2alm`` with pol=True or of
            ``map2alm_spin``. A tensor or an array.
        spin: s >= 0.
    Returns:
        Complex ``(..., band^2 - s^2)`` with band = lmax + 1; of a function the inverse transform is
        real.
    Raises:
        TypeError: if ``alm`` is not complex.
        ValueError: if its shape is another one, or a coefficient of m = 0 is not real.

    Example:
        >>> from equinet.harmonics import s2_ifft
        >>> alm = torch.randn(2, 45, dtype=torch.complex128)  # E and B, lmax = 8
        >>> alm[:, :9] = alm[:, :9].real  # m = 0
        >>> polarisation = s2_ifft(from_healpy(alm, spin=2), 9, spin=2)
        >>> q, u = polarisation.real, polarisation.imag
    """
    a = as_tensor(alm, "alm", is_complex=True)
    check_integer(spin, "spin", 0)
    count = a.shape[-1] if a.dim() else 0
    band = (math.isqrt(8 * count + 1) - 1) // 2
    if not count or band * (band + 1) // 2 != count or (spin and a.shape[-2:-1] != (2,)):
        lead = "..., 2" if spin else "..."
        raise ValueError(
            f"alm: expected ({lead}, (lmax + 1)(lmax + 2) / 2), as mmax = lmax gives, got "
            f"{tuple(a.shape)}"
        )
    if band <= spin:
        raise ValueError(f"spin: expected one below {band}, as lmax is {band - 1}, got {spin}")
    square = a.new_zeros(*a.shape[:-1], band, band)
    square[..., *_places(band)] = a
    check_real("alm", square[..., 0].imag, a)
    return join(square, spin) if spin else spectrum_from(square)


def to_healpy(spectrum: Tensor, spin: int = 0) -> Tensor:
    """Coefficients of healpy from a spectrum, as ``s2_fft`` has it; inverse of ``from_healpy``.

    Args:
        spectrum: complex ``(..., band^2 - s^2)``, for s = 0 that of a real function.
        spin: s >= 0.
    Returns:
        Complex ``(..., n)``, for s > 0 ``(..., 2, n)``, E and B, 0 for degrees below s; its
        ``.numpy()`` is what ``alm2map`` and ``alm2map_spin`` take.
    Raises:
        TypeError: if ``spectrum`` is not complex.
        ValueError: if it has another number of coefficients, or belongs to a complex function.
    """
    f = as_tensor(spectrum, "spectrum", is_complex=True)
    band = band_of(f, spin)
    if not spin:
        check_function(f)
    square = part(f, spin) if spin else coefficients_from(f)
    return square[..., *_places(band)]


def _places(band: int) -> tuple[Tensor, Tensor]:
    """L and m of the entries in their order: m = 0, 1, ..., and for each l = m, m + 1, ..."""
    m, l = torch.triu_indices(band, band)
    return l, m
