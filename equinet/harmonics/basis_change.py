r"""Spectra in the textbook complex basis and in e3nn's real basis, and how one becomes the other.

In: a flat spectrum. Out: the same function's spectrum in the other basis.

With D_real = Q D_complex Q^H (``numerics.wigner_d`` W4) and f = sum (2l + 1) f_mn D_mn in either
basis,

.. math::
    \hat f_{complex} = Q^T \hat f_{real} \bar Q, \qquad
    \hat f_{real} = \bar Q \hat f_{complex} Q^T
"""

import torch
from torch import Tensor

from equinet.harmonics.grid import spectrum_index, spectrum_rows
from equinet.numerics.cached import cached
from equinet.numerics.wigner_matrices import real_from_complex


@cached(32)
def _sparse(band: int, orders: tuple[int, ...], to_complex: bool) -> tuple[Tensor, Tensor]:
    """Four source rows and factors a row: each column of Q has two entries, at +m and -m."""
    l, m, n = spectrum_index(band, orders).unbind(1)
    q = torch.zeros(2 * band, 2 * band, dtype=torch.complex128)
    q[1:, 1:] = real_from_complex(band - 1)  # index (real m, complex m), centred at band
    rows, factors = [], []
    for sign_m in (1, -1):
        for sign_n in (1, -1):
            a, b = sign_m * m, sign_n * n
            if to_complex:
                left, right = q[a + band, m + band], q[b + band, n + band].conj()
            else:
                left, right = q[m + band, a + band].conj(), q[n + band, b + band]
            # m = 0 has one entry, not two
            left = torch.where((m == 0) & (sign_m < 0), 0, left)
            right = torch.where((n == 0) & (sign_n < 0), 0, right)
            rows.append(spectrum_rows(band, orders, l, a, b))
            factors.append(left * right)
    return torch.stack(rows), torch.stack(factors)


def to_complex(spectrum: Tensor, band: int, orders: tuple[int, ...]) -> Tensor:
    """The spectrum in the complex basis of a function given by its spectrum in the real one.

    Args:
        spectrum: real or complex, ``(..., rows)``.
        band: exclusive bound of its degrees.
        orders: the n >= 0 that it has.
    Returns:
        Complex tensor of the same shape.
    """
    rows, factors = _sparse(band, orders, True)
    return _combine(spectrum, rows, factors)


def to_real(spectrum: Tensor, band: int, orders: tuple[int, ...]) -> Tensor:
    """The spectrum in the real basis of a function given by its spectrum in the complex one.

    Args:
        spectrum: real or complex, ``(..., rows)``.
        band: exclusive bound of its degrees.
        orders: the n >= 0 that it has.
    Returns:
        Complex tensor of the same shape, real if the function is.
    """
    rows, factors = _sparse(band, orders, False)
    return _combine(spectrum, rows, factors)


def _combine(spectrum: Tensor, rows: Tensor, factors: Tensor) -> Tensor:
    dtype = torch.promote_types(spectrum.dtype, torch.complex64)
    factors = factors.to(spectrum.device, dtype)
    rows = rows.to(spectrum.device)
    out = spectrum[..., rows[0]] * factors[0]
    for i in range(1, 4):
        if factors[i].any():  # on S^2 only n = 0 occurs
            out = out + spectrum[..., rows[i]] * factors[i]
    return out
