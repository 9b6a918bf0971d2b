r"""Wigner d for all degrees and some orders, written where it shall stand, a few orders at a time.

In: orders and angles. Out: a table that the caller has made room for, in any dtype.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import hardshrink

_ORDERS = 16  # that are computed at a time: their numbers stay in the cache


def write_amplitudes(out: Tensor, m0: int, l0: int, n: int, beta: Tensor) -> None:
    r"""Write :math:`(-1)^{m+n} d^l_{mn}(\beta)` for n >= 0 and consecutive m and l.

    By the recursion (W3) of ``wigner_d_real`` in float64, of which three degrees are held at a
    time. It is d^+ of ``ops.wigner``, and for n = 0 d^cc, so for n > 0 the numbers of m = 0 are
    divided by sqrt(2), and for n = 0 those of all others are multiplied by it.

    Args:
        out: ``(orders, degrees, points)``; zeros are written where l < m.
        m0: the first order.
        l0: the first degree, at least n; smaller than m0 or n it is not.
        n: the other order.
        beta: float64 ``(points,)``.
    """
    for first in range(0, len(out), _ORDERS):
        _write(out[first : first + _ORDERS], m0 + first, l0, n, beta)


def negligible(dtype: torch.dtype) -> float:
    """Below this a number in a table is written as 0, as near the poles many are.

    No sum sees them, but products of them would be denormal, for which processors take many times
    as long.

    Args:
        dtype: of the table.
    Returns:
        The bound.
    """
    return torch.finfo(dtype).tiny ** (2 / 3)


def _write(out: Tensor, m0: int, l0: int, n: int, beta: Tensor) -> None:
    count, band = len(out), l0 + out.shape[1]
    m = torch.arange(m0, m0 + count, dtype=torch.float64)
    l = torch.arange(l0, band, dtype=torch.float64)[:, None]
    # Coefficients of (W3) for l - 1 -> l; zero up to where d^l starts, at l = max(m, n).
    root = ((l**2 - m**2) * (l**2 - n**2)).clamp_min(0).sqrt()
    scale = torch.where((root > 0) & (l > m), l * (2 * l - 1) / root, 0.0)
    j = (l - 1).clamp_min(1)
    back = scale * ((j**2 - m**2) * (j**2 - n**2)).clamp_min(0).sqrt() / (j * (2 * j + 1))
    back = torch.where(l > 1, back, 0.0)[..., None]
    shift = torch.where(l > 1, scale * m * n / (j * (j + 1)), 0.0)[..., None]
    scale, cosine = scale[..., None], beta.cos()
    starts = _starts(m, n, beta)
    begins = torch.maximum(m, torch.tensor(float(n), dtype=torch.float64)).long() - l0
    least = negligible(out.dtype)
    now, old, new = torch.zeros(3, count, len(beta), dtype=torch.float64)
    for i in range(out.shape[1]):
        torch.mul(now, cosine, out=new)
        new.mul_(scale[i]).addcmul_(now, shift[i], value=-1).addcmul_(old, back[i], value=-1)
        here = begins == i
        if here.any():
            new[here] = starts[here]
        out[:, i].copy_(hardshrink(new, least))
        now, old, new = new, now, old


def _starts(m: Tensor, n: int, beta: Tensor) -> Tensor:
    r"""The first degree of each order, l = max(m, n), ``(orders, points)``.

    .. math:: (-1)^{m+n} d^l_{mn} = \sqrt{\tbinom{2l}{l+k}} \cos^{l+k}(\beta/2) \sin^{l-k}(\beta/2)
              \; (-1)^{m + n} (-1)^{l - k}

    with k = min(m, n), up to the sign of an exchange of m and n; in logarithms, against underflow.
    """
    l, k = m.clamp_min(n)[:, None], m.clamp_max(n)[:, None]
    binomial = torch.lgamma(2 * l + 1) - torch.lgamma(l + k + 1) - torch.lgamma(l - k + 1)
    half = beta / 2
    cosine, sine = half.cos().abs().log(), half.sin().abs().log()
    a = torch.where(l + k > 0, (l + k) * cosine, 0.0)  # 0 * log 0 counts as 0
    b = torch.where(l - k > 0, (l - k) * sine, 0.0)
    # d_{l,k} has the sign (-1)^(l-k), and d_{k,l} none: with (-1)^(m+n) it is the other way round.
    sign = torch.where(m[:, None] >= n, 1.0, (1 - 2 * ((l - k) % 2)))
    factor = (m > 0).to(torch.float64) if n == 0 else -(m == 0).to(torch.float64)
    sign = sign * math.sqrt(2) ** factor[:, None]
    return (binomial / 2 + a + b).exp() * sign
