"""Sample points and quadrature weights of the SOFT grid.

In: a band. Out: float64 angles and weights.
"""

import math

import torch
from torch import Tensor

from equinet.numerics.arguments import check_integer, check_memory


def soft_angles(band: int) -> tuple[Tensor, Tensor]:
    r"""Angles of the SOFT grid for degrees l < ``band``.

    .. math:: \beta_j = \pi (2j + 1) / 4b, \qquad \alpha_k = \gamma_k = 2 \pi k / 2b

    Returns:
        ``beta`` and ``alpha`` in radians, float64, ``2 * band`` values each.
    Raises:
        ValueError: if ``band`` is not an integer >= 1, or too large to fit into memory.
    """
    check_integer(band, "band")
    check_memory(4 * band, "band", f"the {4 * band} angles of a grid")
    index = torch.arange(2 * band, dtype=torch.float64)
    return math.pi * (2 * index + 1) / (4 * band), math.pi * index / band


def soft_weights(band: int) -> Tensor:
    r"""Weights w_j such that sum_j w_j f(beta_j) = 1/2 int f(beta) sin(beta) d beta.

    .. math:: w_j = \frac{1}{b} \sin\beta_j \sum_{k<b} \frac{\sin((2k + 1) \beta_j)}{2k + 1}

    Exact for every f that is a polynomial in cos(beta) of degree below 2 * ``band``; they sum to 1.

    Args:
        band: b, the exclusive bound of the degrees.
    Returns:
        float64 of shape ``(2 * band,)``.
    Raises:
        ValueError: if ``band`` is not an integer >= 1, or too large to fit into memory.

    References:
        Driscoll and Healy 1994; Kostelec and Rockmore 2008, FFTs on the rotation group.
    """
    check_integer(band, "band")
    check_memory(2 * band**2, "band", f"{2 * band} weights, each a sum of {band} sines")
    return fejer_weights(2 * band)


def fejer_weights(size: int) -> Tensor:
    r"""Weights of the angles beta_j = pi (2j + 1) / 2n, which have no poles among them.

    .. math:: w_j = \frac{2}{n} \sin\beta_j \sum_{k \text{ odd}, k \le n}{}^{''}
              \frac{\sin(k \beta_j)}{k}

    where a term with k = n counts half: sum_j w_j f(beta_j) = 1/2 int f(beta) sin(beta) d beta for
    polynomials in cos(beta) of degree below n, and they sum to 1.

    Args:
        size: n, the number of angles.
    Returns:
        float64 of shape ``(size,)``.
    """
    beta = math.pi * (2 * torch.arange(size, dtype=torch.float64) + 1) / (2 * size)
    odd = torch.arange(1, size + 1, 2, dtype=torch.float64)
    terms = torch.sin(beta[:, None] * odd) / odd
    if size % 2:
        terms[:, -1] /= 2
    return torch.sin(beta) * terms.sum(1) / (size / 2)


def clenshaw_curtis_weights(size: int) -> Tensor:
    r"""Weights of the angles beta_j = pi j / N, j = 0, ..., N = n - 1, both poles among them.

    .. math:: w_j = \frac{c_j}{2N} \Big(1 - \sum_{k=1}^{N/2} \frac{b_k}{4k^2 - 1}
              \cos(2k \beta_j)\Big)

    with b_k = 1 for 2k = N and else 2, c_j = 1 at the poles and else 2: exact for polynomials in
    cos(beta) of degree below n, and they sum to 1.

    Args:
        size: n, the number of angles, at least 2.
    Returns:
        float64 of shape ``(size,)``.
    """
    last = size - 1
    beta = math.pi * torch.arange(size, dtype=torch.float64) / last
    k = torch.arange(1, last // 2 + 1, dtype=torch.float64)
    factor = torch.where(2 * k == last, 1.0, 2.0) / (4 * k * k - 1)
    weights = (1 - (torch.cos(2 * beta[:, None] * k) * factor).sum(1)) / last
    weights[0] /= 2
    weights[-1] /= 2
    return weights


def gauss_rule(size: int) -> tuple[Tensor, Tensor]:
    r"""Angles and weights of Gauss and Legendre.

    The cosines are the roots of P_n, by Newton's method in the angle, and

    .. math:: w_j = \Big(\frac{d P_n(\cos\beta_j)}{d\beta}\Big)^{-2}

    Exact for polynomials in cos(beta) of degree below 2n; they sum to 1.

    Args:
        size: n, the number of angles.
    Returns:
        ``beta``, ascending, and the weights, float64 ``(size,)`` each, symmetric about the equator.
    """
    half = (size + 1) // 2
    beta = math.pi * (4 * torch.arange(half, dtype=torch.float64) + 3) / (4 * size + 2)
    slope = torch.ones_like(beta)
    for _ in range(6):  # it doubles the digits each time, and begins with three of them
        cosine, before, value = beta.cos(), torch.zeros_like(beta), torch.ones_like(beta)
        for l in range(size):
            before, value = value, ((2 * l + 1) * cosine * value - l * before) / (l + 1)
        slope = size * (cosine * value - before) / beta.sin()  # of P_n by beta
        beta = beta - value / slope
    if size % 2:
        beta[-1] = math.pi / 2
    weights = slope**-2
    both = torch.cat([weights, weights[: size // 2].flip(0)])
    return torch.cat([beta, math.pi - beta[: size // 2].flip(0)]), both / both.sum()
