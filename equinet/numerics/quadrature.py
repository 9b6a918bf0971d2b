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
    beta, _ = soft_angles(band)
    odd = 2 * torch.arange(band, dtype=torch.float64) + 1
    return torch.sin(beta) * (torch.sin(beta[:, None] * odd) / odd).sum(1) / band
