r"""Coefficients in the layout of torch-harmonics, and spectra of this library.

In: coefficients (..., l, m) with m >= 0. Out: spectra (S2), and back.
"""

import torch
from torch import Tensor, nn

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
from equinet.convert.refusals import refusal
from equinet.numerics.arguments import check_flag

# What is nearest to its layers, as the end of a sentence.
_NEAREST = {
    "RealSHT": "harmonics.s2_fft makes a spectrum, to_torch_harmonics its coefficients",
    "InverseRealSHT": "harmonics.s2_ifft makes a function of what this function gives",
    "RealVectorSHT": "harmonics.s2_fft with spin=1 makes a spectrum",
    "InverseRealVectorSHT": "harmonics.s2_ifft with spin=1 makes fields of what this gives",
    "SpectralConvS2": "the nearest is enn.SphereConv; weights that are not real commute with turns "
    "about the poles only",
    "DiscreteContinuousConvS2": "the nearest is enn.SphereConv, which commutes with all rotations",
    "DiscreteContinuousConvTransposeS2": "the nearest are enn.Upsample and enn.SphereConv in a row",
    "ResampleS2": "enn.Upsample and enn.Downsample lead to another grid by way of the spectrum",
    "QuadratureS2": "enn.Integrate is the mean over the sphere, 1 / 4 pi of the integral",
    "AttentionS2": "the nearest is enn.SphereAttention",
    "NeighborhoodAttentionS2": "the nearest is enn.SphereAttention with a reach",
}


def from_torch_harmonics(coefficients: Tensor, vector: bool = False) -> Tensor:
    r"""The spectrum, as ``s2_fft`` has it, of fields given by coefficients of torch-harmonics.

    .. math:: \hat f^l_m = \frac{\overline{c_{lm}}}{\sqrt{4\pi(2l + 1)}}, \qquad
              \hat f^l_m = -\sqrt{\frac{l(l + 1)}{4\pi(2l + 1)}}
              \Bigl(\overline{s_{lm}} - i\,\overline{t_{lm}}\Bigr)

    of a function and of tangent vectors, which have spin 1. So s is the potential of a wind and -t
    its stream function.

    Args:
        coefficients: of ``RealSHT`` with ``norm="ortho"`` and ``csphase=True``, its defaults,
            complex ``(..., lmax, mmax)`` with mmax <= lmax, both exclusive; for vectors of
            ``RealVectorSHT``, spheroidal s and toroidal t, ``(..., 2, lmax, mmax)``. The components
            that it takes are those along theta, to the south, and along lambda, to the east:
            (-v, u) of a wind, as the channels of fields here. If it was given (u, v) instead, as
            in its shallow water solver, the spectrum of the wind is i times this one.
        vector: whether they are of vectors.
    Returns:
        Complex ``(..., lmax^2)``; of vectors ``(..., lmax^2 - 1)``, of spin 1.
    Raises:
        TypeError: if the coefficients are not complex, or a layer came, with what is nearest.
        ValueError: if their shape is another one, or one of m = 0 is not real.

    Example:
        >>> from equinet.harmonics import s2_ifft
        >>> c = torch.randn(2, 8, 8, dtype=torch.complex128)
        >>> c[..., 0] = c[..., 0].real  # m = 0
        >>> wind = s2_ifft(from_torch_harmonics(c, vector=True), 8, spin=1)
        >>> u, v = wind.imag, -wind.real
    """
    if isinstance(coefficients, nn.Module):
        expected = "complex coefficients of torch-harmonics"
        packages = ("torch_harmonics",)
        raise refusal(coefficients, expected, _NEAREST, (), packages, "coefficients")
    a = as_tensor(coefficients, "coefficients", is_complex=True)
    check_flag(vector, "vector")
    lead = "..., 2" if vector else "..."
    fits = a.dim() >= 2 + vector and 0 < a.shape[-1] <= a.shape[-2]
    if not fits or (vector and (a.shape[-3] != 2 or a.shape[-2] < 2)):
        raise ValueError(
            f"coefficients: expected ({lead}, lmax, mmax) with mmax <= lmax, got {tuple(a.shape)}"
        )
    check_real("coefficients", a[..., 0].imag, a)
    a = torch.nn.functional.pad(a, (0, a.shape[-2] - a.shape[-1]))
    return join(a * _factors(a), 1) if vector else spectrum_from(a)


def to_torch_harmonics(spectrum: Tensor, vector: bool = False) -> Tensor:
    """Coefficients of torch-harmonics from a spectrum; inverse of ``from_torch_harmonics``.

    Args:
        spectrum: complex, as ``s2_fft`` has it: ``(..., band^2)`` of a real function, of vectors
            ``(..., band^2 - 1)``, of spin 1.
        vector: whether it is of vectors.
    Returns:
        Complex ``(..., band, band)``, with lmax = mmax = band; of vectors ``(..., 2, band, band)``.
    Raises:
        TypeError: if ``spectrum`` is not complex.
        ValueError: if it has another number of coefficients, or belongs to a complex function.
    """
    f = as_tensor(spectrum, "spectrum", is_complex=True)
    check_flag(vector, "vector")
    band_of(f, int(vector))
    if not vector:
        check_function(f)
        return coefficients_from(f)
    a = part(f, 1)
    return torch.where(a == 0, 0, a / _factors(a))


def _factors(a: Tensor) -> Tensor:
    """From s and t to E and B of spin 1: sqrt(l(l + 1)), ``(2, band, 1)``."""
    l = torch.arange(a.shape[-2], device=a.device, dtype=a.real.dtype)[:, None]
    root = (l * (l + 1)).sqrt()
    return torch.stack([root, -root])
