r"""Real spherical harmonics in e3nn's basis.

In: points of space. Out: harmonics up to any degree.
"""

import math

import torch
from torch import Tensor

from equinet.numerics import solid_harmonics
from equinet.numerics.arguments import check_integer
from equinet.numerics.values import check_floating

_NORMALIZATIONS = ("norm", "component", "integral")


def spherical_harmonics(
    lmax: int, points: Tensor, *, normalize: bool = True, normalization: str = "norm"
) -> Tensor:
    r"""Y^l_m for l = 0, ..., ``lmax`` at ``points``, with Y(R x) = D(R) Y(x).

    On the unit sphere sum_m (Y^l_m)^2 is 1 for "norm", 2l + 1 for "component", (2l + 1) / 4 pi for
    "integral" (then they are orthonormal with respect to the surface measure).

    Args:
        lmax: largest degree, inclusive.
        points: ``(..., 3)``.
        normalize: take the direction of the points (at the origin Y^l = 0 for l > 0, with gradient
            0); otherwise r^l Y^l, which is a polynomial.
        normalization: "norm", "component" or "integral".
    Returns:
        ``(..., (lmax + 1)^2)``, index l^2 + m + l, in the dtype of ``points``.
    Raises:
        TypeError: if the points are not a real floating tensor.
        ValueError: if ``lmax`` is no degree that fits into memory, the points are not points of
            space, or there is no such normalization.
    """
    check_integer(lmax, "lmax", 0)
    if normalization not in _NORMALIZATIONS:
        raise ValueError(f"normalization: expected one of {_NORMALIZATIONS}, got {normalization!r}")
    check_floating("points", points, 3)
    y = solid_harmonics(lmax, direction(points) if normalize else points)
    if normalization == "norm":
        return y
    l = torch.arange(lmax + 1, dtype=torch.float64)
    factor = (2 * l + 1).sqrt() / (math.sqrt(4 * math.pi) if normalization == "integral" else 1)
    return y * factor.repeat_interleave(2 * torch.arange(lmax + 1) + 1).to(y)


def direction(points: Tensor) -> Tensor:
    """Unit vectors, and 0 with gradient 0 at the origin."""
    # Scaled by the largest coordinate first, so that tiny points keep their direction.
    scale = points.detach().abs().amax(-1, keepdim=True)
    origin = scale == 0
    scaled = points / torch.where(origin, 1, scale)
    length = torch.where(origin, 1, (scaled * scaled).sum(-1, keepdim=True)).sqrt()
    return torch.where(origin, 0, scaled / length)
