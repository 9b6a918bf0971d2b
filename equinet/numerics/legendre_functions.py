r"""Associated Legendre functions and the real solid harmonics made of them.

In: points or cosines. Out: values for all degrees up to ``lmax``, differentiable everywhere, in the
dtype of the input.
"""

import math

import torch
from torch import Tensor

from equinet.numerics.arguments import check_integer, check_memory
from equinet.numerics.values import check_floating


def _legendre_rows(lmax: int, t: Tensor, r2: Tensor) -> list[Tensor]:
    r"""Rows N_l with entries m = 0..l, homogeneous polynomials in t and r of degree l - m.

    .. math::
        N_{lm} &= \sqrt{\tfrac{(l-m)!}{(l+m)!}} \frac{P_l^m(t / r)}{(1 - t^2/r^2)^{m/2}} r^{l-m} \\
        \sqrt{l^2-m^2} N_{lm} &= (2l-1) t N_{l-1,m} - r^2 \sqrt{(l-1)^2-m^2} N_{l-2,m} \quad (L1)
    """
    rows = [torch.ones_like(t)[..., None]]
    top = 1.0
    t, r2 = t[..., None], r2[..., None]
    for l in range(1, lmax + 1):
        m = torch.arange(l, dtype=torch.float64)
        root = (l * l - m * m).sqrt()
        row = ((2 * l - 1) / root).to(t) * t * rows[l - 1]
        if l > 1:
            back = (((l - 1) ** 2 - m * m).clamp_min(0).sqrt() / root)[:-1].to(t)
            row = torch.cat([row[..., :-1] - back * r2 * rows[l - 2], row[..., -1:]], -1)
        top *= math.sqrt((2 * l - 1) / (2 * l))
        rows.append(torch.cat([row, torch.full_like(t, top)], -1))
    return rows


def _check_degree(lmax: int) -> None:
    check_integer(lmax, "lmax", 0)
    check_memory((lmax + 1) ** 2, "lmax", f"all degrees up to {lmax} at one point")


def legendre(lmax: int, cosine: Tensor) -> Tensor:
    r"""Normalised associated Legendre functions without the Condon-Shortley sign.

    .. math:: \sqrt{\tfrac{(l-m)!}{(l+m)!}}\, P_l^m(\cos\beta) = (-1)^m d^l_{m0}(\beta)

    Args:
        lmax: largest degree, inclusive.
        cosine: cos(beta), any shape.
    Returns:
        Tensor of shape ``(*cosine.shape, lmax + 1, lmax + 1)``, index (l, m); zero for m > l.
    Raises:
        TypeError: if ``cosine`` is not a real floating tensor.
        ValueError: if ``lmax`` is no degree, or too large to fit into memory.
    """
    _check_degree(lmax)
    check_floating("cosine", cosine)
    rows = _legendre_rows(lmax, cosine, torch.ones_like(cosine))
    m = torch.arange(lmax + 1, device=cosine.device)
    sine = (1 - cosine * cosine).clamp_min(0).sqrt()[..., None] ** m
    padded = [torch.nn.functional.pad(row, (0, lmax - l)) for l, row in enumerate(rows)]
    return torch.stack([row * sine for row in padded], -2)


def solid_harmonics(lmax: int, points: Tensor) -> Tensor:
    r"""Real solid harmonics r^l Y^l_m(x / r) in e3nn's basis; sum_m (Y^l_m)^2 = 1 on the sphere.

    .. math:: r^l Y^l_{\pm m} = \sqrt2\, N_{lm}(y, r)\, \{\mathrm{Re}, \mathrm{Im}\} (z + i x)^m,
              \qquad m > 0 \quad (L2)

    They are polynomials, so they and all their derivatives are finite everywhere.

    Args:
        lmax: largest degree, inclusive.
        points: shape ``(..., 3)``.
    Returns:
        Tensor of shape ``(..., (lmax + 1)^2)``, index l^2 + m + l.
    Raises:
        TypeError: if ``points`` are not a real floating tensor.
        ValueError: if they are not points of space, or ``lmax`` is no degree that fits into memory.
    """
    _check_degree(lmax)
    check_floating("points", points, 3)
    x, y, z = points.unbind(-1)
    rows = _legendre_rows(lmax, y, (points * points).sum(-1))
    cos, sin = [torch.ones_like(z)], [torch.zeros_like(z)]
    for _ in range(lmax):  # powers of z + i x
        cos, sin = cos + [cos[-1] * z - sin[-1] * x], sin + [sin[-1] * z + cos[-1] * x]
    even, odd = torch.stack(cos, -1), torch.stack(sin, -1)
    out = []
    for l, row in enumerate(rows):
        tail = math.sqrt(2) * row[..., 1:]
        out += [
            (tail * odd[..., 1 : l + 1]).flip(-1),
            row[..., :1],
            tail * even[..., 1 : l + 1],
        ]
    return torch.cat(out, -1)
