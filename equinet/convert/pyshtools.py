r"""Coefficients in the layout of pyshtools, and spectra of this library.

In: real coefficients (2, l, m). Out: spectra (S2), and back.
"""

import math

import torch
from torch import Tensor

from equinet.convert.coefficients import as_tensor, band_of, check_function, check_real, degrees
from equinet.harmonics.basis_change import to_complex, to_real
from equinet.numerics.arguments import check_choice

_NORMALIZATIONS = ("4pi", "ortho", "schmidt")


def from_pyshtools(cilm: Tensor, normalization: str = "4pi", csphase: int = 1) -> Tensor:
    r"""The spectrum, as ``s2_fft`` has it, of functions given by real coefficients of pyshtools.

    .. math:: f^l_{\pm m} = \frac{1}{\sqrt{2l + 1}} (C_{lm}, S_{lm})

    in the real basis of ``s2_rfft``, for 4 pi-normalised harmonics without the Condon-Shortley
    phase, and from there to the complex one.

    Args:
        cilm: C and S, ``(..., 2, lmax + 1, lmax + 1)``, 0 where m > l: of
            ``SHCoeffs.coeffs`` or ``to_array()``, of kind "real". A tensor or an array.
        normalization: "4pi", "ortho" or "schmidt", that of the coefficients.
        csphase: 1 if the harmonics are without the phase, the default of pyshtools, -1 with it.
    Returns:
        Complex ``(..., (lmax + 1)^2)``, whose inverse transform is real.
    Raises:
        TypeError: if the coefficients are not real floating.
        ValueError: if their shape is another one, one is not 0 where m > l or that of sin 0, or
            there is no such normalization or phase.

    Example:
        >>> from equinet.harmonics import s2_ifft
        >>> cilm = torch.randn(2, 9, 9).tril()
        >>> cilm[1, :, 0] = 0
        >>> topography = s2_ifft(from_pyshtools(cilm), 9).real
    """
    c = as_tensor(cilm, "cilm", is_complex=False)
    if c.dim() < 3 or c.shape[-3] != 2 or c.shape[-2] != c.shape[-1] or not c.shape[-1]:
        raise ValueError(
            f"cilm: expected (..., 2, lmax + 1, lmax + 1), C and S, got {tuple(c.shape)}"
        )
    band = c.shape[-1]
    l, m = degrees(band, c)
    nothing = torch.ones(2, band, band, dtype=torch.bool, device=c.device).triu(1)
    nothing[1, :, 0] = True
    check_real("cilm", c[..., nothing], c)
    rows = c[..., (m < 0).long(), l, m.abs()]
    return to_complex(rows / _factors(band, normalization, csphase, c), band, (0,))


def to_pyshtools(spectrum: Tensor, normalization: str = "4pi", csphase: int = 1) -> Tensor:
    """Real coefficients of pyshtools from a spectrum; inverse of ``from_pyshtools``.

    Args:
        spectrum: of a real function as ``s2_fft`` has it, complex ``(..., band^2)``.
        normalization: "4pi", "ortho" or "schmidt", that of the result.
        csphase: 1 if the harmonics are without the Condon-Shortley phase, -1 with it.
    Returns:
        C and S, real ``(..., 2, band, band)``, 0 where m > l; its ``.numpy()`` is what
        ``SHCoeffs.from_array`` takes.
    Raises:
        TypeError: if ``spectrum`` is not complex.
        ValueError: if it has another number of coefficients, or belongs to a complex function, or
            there is no such normalization or phase.
    """
    f = as_tensor(spectrum, "spectrum", is_complex=True)
    band = band_of(f, 0)
    check_function(f)
    l, m = degrees(band, f)
    rows = to_real(f, band, (0,)).real
    c = rows.new_zeros(*f.shape[:-1], 2, band, band)
    c[..., (m < 0).long(), l, m.abs()] = rows * _factors(band, normalization, csphase, rows)
    return c


def _factors(band: int, normalization: str, csphase: int, like: Tensor) -> Tensor:
    """From the real spectrum to the coefficients, for each row."""
    check_choice(normalization, "normalization", _NORMALIZATIONS)
    if isinstance(csphase, bool) or csphase not in (1, -1):
        raise ValueError(f"csphase: expected 1 or -1, got {csphase!r}")
    l, m = degrees(band, like)
    degree = l.to(torch.float64)
    factor = {
        "4pi": (2 * degree + 1).sqrt(),
        "ortho": (4 * math.pi * (2 * degree + 1)).sqrt(),
        "schmidt": 2 * degree + 1,
    }[normalization]
    return (factor * (torch.where(m % 2 == 1, -1, 1) if csphase == -1 else 1)).to(like)
