r"""How much of a field on the sphere lies in each degree.

In: spectra (S2). Out: power spectra.
"""

import math

import torch
from torch import Tensor

from equinet.harmonics.flat_spectra import check_spectrum
from equinet.numerics.arguments import check_integer


def power_spectrum(spectrum: Tensor, other: Tensor | None = None, spin: int = 0) -> Tensor:
    r"""The power of a field in each degree, or that which two have in common.

    .. math:: C_l = 4\pi \sum_m \operatorname{Re} \hat f^l_m \overline{\hat g^l_m}
                  = \frac{1}{2l + 1} \sum_m \operatorname{Re} a_{lm} \overline{b_{lm}}, \qquad
              \sum_l \frac{2l + 1}{4\pi} C_l = \frac{1}{4\pi} \int \operatorname{Re} f \bar g

    with the coefficients a, b of orthonormal harmonics, as healpy's ``anafast`` has it. For a field
    of spin s > 0 it is the power of E and B together; for each of them, and for what they share
    with a function, take the functions of ``enn.EBModes``.

    Args:
        spectrum: of ``s2_fft``, complex ``(..., band^2 - s^2)``, or, for s = 0, of ``s2_rfft``,
            real.
        other: of another field, in the same shape and dtype; by default ``spectrum`` itself.
        spin: s >= 0.
    Returns:
        Real ``(..., band)``, 0 for degrees below s; negative numbers too for two fields.
    Raises:
        TypeError: if a spectrum is no floating tensor, or ``other`` of another dtype.
        ValueError: if a spectrum has another number of coefficients.

    Example:
        >>> from equinet.harmonics import s2_rfft
        >>> temperature = torch.randn(2, 16, 16)
        >>> power_spectrum(s2_rfft(temperature)).shape
        torch.Size([2, 8])
    """
    check_integer(spin, "spin", 0)
    rows = spectrum.shape[-1] if isinstance(spectrum, Tensor) and spectrum.dim() else 0
    band = math.isqrt(rows + spin * spin)
    check_spectrum(spectrum, max(1, band * band - spin * spin))
    if spin and not spectrum.is_complex():
        raise TypeError(f"spectrum: expected a complex one of spin {spin}, got {spectrum.dtype}")
    if other is None:
        other = spectrum
    check_spectrum(other, rows)
    for name in ("dtype", "shape"):
        ours, theirs = getattr(spectrum, name), getattr(other, name)
        if theirs != ours:
            kind = TypeError if name == "dtype" else ValueError
            raise kind(f"other: expected the {name} of spectrum, {ours}, got {theirs}")
    product = spectrum * other.conj()
    product = product.real if product.is_complex() else product
    degree = torch.arange(band, device=spectrum.device)
    l = degree.repeat_interleave(2 * degree + 1)[spin * spin :]
    sums = product.new_zeros(*product.shape[:-1], band).index_add(-1, l, product)
    return 4 * math.pi * sums
