"""Filters for coarse grids: functions that the taps carry at every orientation."""

import math

from equinet.group import Group
from equinet.harmonics import Bessel, FilterGrid, Harmonics

KERNEL = 5  # taps along each axis


def waves(group: Group, grid: FilterGrid) -> Harmonics:
    """Eigenfunctions of the Laplacian in a ball, of at most 3/4 of the highest frequency.

    Args:
        group: of the fields.
        grid: of the filter, of 5^3 taps.
    """
    radius = KERNEL / 2 + 0.25
    return Harmonics(group, Bessel(radius, 3, bound=0.75 * math.pi * radius), grid.unit)
