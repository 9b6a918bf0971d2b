"""The grid of a file, read from its latitudes and longitudes in degrees."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from equinet.harmonics import Rings, equiangular, gauss
from equinet.numerics.arguments import real_tensor

_OFF = 0.05  # of a step, by which coordinates may be rounded


class Coordinates(NamedTuple):
    """How data lie in a file, as ``Sample`` asks for it.

    Attributes:
        rings: of the data, from north to south, from longitude 0 on.
        north_first: whether the first row is the northernmost.
        longitude_start: where each row begins, in radians.
        repeats_meridian: whether the first meridian is given again at the end of each row.
    """

    rings: Rings
    north_first: bool
    longitude_start: float
    repeats_meridian: bool


def coordinates(latitudes: Tensor, longitudes: Tensor) -> Coordinates:
    """The grid that has these latitudes and longitudes, up to the rounding of a file.

    Args:
        latitudes: of the rows in degrees, from 90 to -90 or the other way: equal steps with or
            without the poles, or those of Gauss and Legendre.
        longitudes: of the columns in degrees, in equal steps to the east, once around; the first
            may stand at the end again.
    Returns:
        The rings, and how the data lie on them.
    Raises:
        TypeError: if they are no numbers.
        ValueError: if they are those of no such grid.

    Example:
        >>> found = coordinates(torch.linspace(-90, 90, 19), torch.arange(-180, 180, 10))
        >>> found.rings, found.north_first, found.repeats_meridian
        (equiangular(19, 36, poles=True), False, False)
    """
    latitude, longitude = (
        _row(values, name)
        for name, values in (("latitudes", latitudes), ("longitudes", longitudes))
    )
    nlon, repeats = _columns(longitude)
    north_first = bool(latitude[0] > latitude[-1])
    beta = torch.deg2rad(90 - (latitude if north_first else latitude.flip(0)))
    nlat = len(beta)
    known = [equiangular(nlat, nlon, poles=True)] if nlat > 1 else []
    known += [equiangular(nlat, nlon, poles=False), gauss(nlat, nlon)]
    off = [float((torch.tensor(rings.beta) - beta).abs().max()) for rings in known]
    best = min(range(len(known)), key=off.__getitem__)
    if off[best] > _OFF * math.pi / nlat:
        raise ValueError(
            f"latitudes: expected {nlat} over all of the sphere, in equal steps or those of Gauss, "
            f"from 90 to -90 degrees or back, got {latitude[0]:g} to {latitude[-1]:g}, which are "
            f"{math.degrees(off[best]):.3g} degrees off {known[best]!r}; others go into Rings"
        )
    return Coordinates(known[best], north_first, math.radians(float(longitude[0])), repeats)


def _row(values: Tensor, name: str) -> Tensor:
    row = real_tensor(values, name).double()
    if row.dim() != 1 or not len(row) or not row.isfinite().all():
        raise ValueError(f"{name}: expected a row of finite numbers, got {tuple(row.shape)}")
    return row


def _columns(longitude: Tensor) -> tuple[int, bool]:
    """The number of meridians, and whether the first is there twice."""
    count = len(longitude)
    for repeats in (False, True):
        n = count - repeats
        if n < 1:
            continue
        step = 360 / n
        equal = longitude[0] + step * torch.arange(count)
        if (longitude - equal).abs().max() < _OFF * step and abs(float(longitude[0])) <= 360:
            return n, repeats
    raise ValueError(
        "longitudes: expected equal steps to the east once around, within 360 degrees of 0, got "
        f"{count} from {longitude[0]:g} to {longitude[-1]:g}; a file that jumps from 180 to -180 "
        "is turned to that place with roll"
    )
