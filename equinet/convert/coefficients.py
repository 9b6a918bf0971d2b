r"""Coefficients of other libraries and the spectra of this one.

In: coefficients a_lm with m >= 0. Out: spectra (S2), and back.

Where others write a field as a sum of orthonormal harmonics with the Condon-Shortley phase,

.. math:: f = \sum_{lm} {}_sa_{lm}\, {}_sY_{lm}, \qquad
          \hat f^l_m = \frac{(-1)^m}{\sqrt{4\pi(2l + 1)}}\, {}_sa_{l,-m} \quad (Q1)

A real function has a_{l,-m} = (-1)^m conj(a_lm), so that orders m >= 0 say all, and (Q1) is
conj(a_lm) / sqrt(4 pi (2l + 1)). A field of spin s > 0 is made of two such functions: of E and B
with _sa = -(a^E + i a^B), as healpy has it.
"""

import math

import torch
from torch import Tensor

from equinet.numerics.arguments import check_integer
from equinet.numerics.values import is_readable


def as_tensor(value: object, argument: str, *, is_complex: bool) -> Tensor:
    """The value, a tensor or an array of numpy, if its numbers are of that kind; else TypeError.

    Args:
        value: anything.
        argument: what an error calls it.
        is_complex: whether its numbers must be complex; else real floating ones.
    Returns:
        A tensor that shares the memory of an array.
    Raises:
        TypeError: if it is none, or of other numbers.
    """
    kind = f"a tensor or an array of {'complex' if is_complex else 'real floating'} numbers"
    if not hasattr(value, "dtype"):
        raise TypeError(f"{argument}: expected {kind}, got {type(value).__name__}")
    try:
        x = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{argument}: expected {kind}, got {type(value).__name__}") from None
    if x.layout != torch.strided or not (x.is_complex() if is_complex else x.is_floating_point()):
        got = x.dtype if x.layout == torch.strided else x.layout
        raise TypeError(f"{argument}: expected {kind}, got {got}")
    return x


def degrees(band: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """L and m of the rows of the spectrum of a function.

    Args:
        band: exclusive bound of l.
        like: a tensor on the device where they should be.
    Returns:
        int64 ``(band^2,)`` each.
    """
    l = torch.arange(band, device=like.device).repeat_interleave(
        2 * torch.arange(band, device=like.device) + 1
    )
    return l, torch.arange(band * band, device=like.device) - l * l - l


def band_of(spectrum: Tensor, spin: int) -> int:
    """The band of a spectrum (S2).

    Args:
        spectrum: ``(..., band^2 - spin^2)``.
        spin: of the field, >= 0.
    Returns:
        The exclusive bound of its degrees.
    Raises:
        ValueError: if it has another number of coefficients.
    """
    check_integer(spin, "spin", 0)
    rows = spectrum.shape[-1] if spectrum.dim() else 0
    band = math.isqrt(rows + spin * spin)
    if not rows or band * band - spin * spin != rows:
        expected = f"band^2 - {spin}^2" if spin else "band^2"
        raise ValueError(
            f"spectrum: expected a last axis of {expected} coefficients, got "
            f"{tuple(spectrum.shape)}"
        )
    return band


def spectrum_from(a: Tensor) -> Tensor:
    """The spectrum (Q1) of real functions.

    Args:
        a: a_lm with m >= 0, complex ``(..., band, band)``; those with m > l are left out.
    Returns:
        Complex ``(..., band^2)``.
    """
    l, m = degrees(a.shape[-1], a)
    positive = a[..., l, m.abs()] / (4 * math.pi * (2 * l.to(a.real.dtype) + 1)).sqrt()
    return torch.where(m < 0, (1 - 2 * (m % 2)) * positive, positive.conj())


def coefficients_from(spectrum: Tensor) -> Tensor:
    """The coefficients a_lm with m >= 0 of real functions; inverse of ``spectrum_from``.

    Args:
        spectrum: complex ``(..., band^2)``.
    Returns:
        Complex ``(..., band, band)``, 0 where m > l.
    """
    band = math.isqrt(spectrum.shape[-1])
    l, m = degrees(band, spectrum)
    scaled = spectrum.conj() * (4 * math.pi * (2 * l.to(spectrum.real.dtype) + 1)).sqrt()
    a = spectrum.new_zeros(*spectrum.shape[:-1], band, band)
    a[..., l[m >= 0], m[m >= 0]] = scaled[..., m >= 0]
    return a


def check_real(argument: str, of_order_zero: Tensor, others: Tensor) -> None:
    """Refuse coefficients that no real function has, such as complex ones of m = 0.

    Args:
        argument: what an error calls them.
        of_order_zero: what must be 0, as the imaginary parts of a_l0.
        others: all coefficients, which say how large rounding is.
    Raises:
        ValueError: if one is not 0.
    """
    if not is_readable(others) or not of_order_zero.numel():
        return
    off, most = of_order_zero.abs().max(), others.abs().max()
    if off > torch.finfo(others.dtype).eps ** 0.5 * most:
        raise ValueError(
            f"{argument}: expected those of real fields, whose coefficients of m = 0 have no "
            f"imaginary part (no S of m = 0, nothing where m > l), got one of {float(off):.2g}"
        )


def check_function(spectrum: Tensor) -> None:
    """Refuse the spectrum of a complex function, of which orders m >= 0 do not tell all.

    Args:
        spectrum: complex ``(..., band^2)``.
    Raises:
        ValueError: if it is one.
    """
    if not is_readable(spectrum) or not spectrum.numel():
        return
    difference = (spectrum - mirrored(spectrum)).abs().max()
    if difference > torch.finfo(spectrum.dtype).eps ** 0.5 * spectrum.abs().max():
        raise ValueError(
            "spectrum: expected that of a real function, f_{l,-m} = (-1)^m conj(f_lm), got one "
            f"that differs from it by {float(difference):.2g}; convert the spectra of its real "
            "and imaginary part"
        )


def mirrored(spectrum: Tensor) -> Tensor:
    """The spectrum of the conjugate function, (-1)^m conj(f_{l,-m}).

    Args:
        spectrum: complex ``(..., band^2)``.
    Returns:
        As ``spectrum``.
    """
    l, m = degrees(math.isqrt(spectrum.shape[-1]), spectrum)
    return (1 - 2 * (m % 2)) * spectrum[..., l * l + l - m].conj()


def join(a: Tensor, spin: int) -> Tensor:
    """The spectrum of fields of spin s > 0 of which E and B are given.

    Args:
        a: a_lm of E and B, complex ``(..., 2, band, band)``.
        spin: s.
    Returns:
        Complex ``(..., band^2 - s^2)``.
    """
    e, b = spectrum_from(a)[..., spin * spin :].unbind(-2)
    return -(e + 1j * b)


def part(spectrum: Tensor, spin: int) -> Tensor:
    """a_lm of E and B of fields of spin s > 0; inverse of ``join``.

    Args:
        spectrum: complex ``(..., band^2 - s^2)``.
        spin: s.
    Returns:
        Complex ``(..., 2, band, band)``, 0 for degrees below s.
    """
    none = spectrum.new_zeros(*spectrum.shape[:-1], spin * spin)
    f = torch.cat([none, spectrum], -1)
    other = mirrored(f)
    return coefficients_from(torch.stack([-(f + other) / 2, 0.5j * (f - other)], -2))
