"""The rings of data: which degrees they tell apart, and other rings that are made of them."""

import math

import torch
from torch import Tensor

from equinet.harmonics import Rings, equiangular

_LEFT = 0.16  # of an error on HEALPix by one correction at the highest band, at most, as measured
_ROUNDED_STEPS = 3  # where the quadrature is exact up to the rounding of the angles


def shifted(rings: Rings, start: float, band: int) -> Rings:
    """The rings from another longitude on, as rings that hold a band."""
    if start == 0 and band <= rings.degree:
        return rings
    starts = tuple(math.remainder(first + start, 2 * math.pi) for first in rings.starts)
    degree, name = max(band, rings.degree), f"{rings!r} from longitude {start:.4g}"
    return Rings(rings.beta, rings.weight, rings.counts, starts, degree, name)


def full_degree(rings: Rings) -> int:
    """The band that the values determine, all that meridians and rings can tell apart."""
    if not rings.is_uniform or rings.shape[1] % 2:
        return rings.degree
    nlat, nlon = rings.shape
    steps = nlat - 1 if rings.beta[0] == 0 else nlat
    first = 0 if rings.beta[0] == 0 else math.pi / (2 * nlat)
    even = (abs(b - first - math.pi * j / max(1, steps)) < 1e-9 for j, b in enumerate(rings.beta))
    return max(rings.degree, min(steps, (nlon + 1) // 2)) if all(even) else rings.degree


def halved(rings: Rings) -> Rings:
    """The rings in equal steps of half the size, poles included."""
    nlat, nlon = rings.shape
    steps = nlat - 1 if rings.beta[0] == 0 else nlat
    return equiangular(2 * steps + 1, nlon, True, rings.starts[0])


def south_first(rings: Rings) -> Tensor:
    """For each point of rings from north to south its place in those from south to north."""
    counts = torch.tensor(rings.counts)
    backwards = counts.flip(0).cumsum(0) - counts.flip(0)
    first = (counts.cumsum(0) - counts).repeat_interleave(counts)
    return backwards.flip(0).repeat_interleave(counts) + torch.arange(rings.count) - first


def needed_steps(rings: Rings, band: int, dtype: torch.dtype) -> int:
    """How many corrections make rounding of the error of the quadrature.

    Args:
        rings: of the quadrature.
        band: of the spectrum.
        dtype: of the numbers.
    Returns:
        0 where it is exact.
    """
    if rings.exact_degree >= band or full_degree(rings) > rings.degree:
        return 0 if rings.is_uniform else 1
    if rings.is_uniform:
        return _ROUNDED_STEPS
    left = _LEFT * (band / rings.degree) ** 2  # each leaves a share that falls as that square
    return math.ceil(math.log(torch.finfo(dtype).eps / 4) / math.log(left))
