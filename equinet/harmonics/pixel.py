r"""Indicator functions of the pixels of a grid that a finite group maps to itself.

The kernels made of them are all kernels on the grid, the exact ones of the first group
convolutions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from equinet.group import FiniteGroup
from equinet.group.subgroups import check_finite
from equinet.harmonics.filter_grids import FilterGrid, check_grid
from equinet.harmonics.orbits import Orbits
from equinet.numerics.cached import cached
from equinet.rep import Irrep

_NEAR = 1e-6  # units of the grid


@dataclass(frozen=True)
class Pixels:
    """All functions on the taps of a filter, for a finite group that maps these to each other.

    Attributes:
        group: H.
        grid: the taps.

    Raises:
        ValueError: if an element of H takes a tap to a place without one.
    """

    group: FiniteGroup
    grid: FilterGrid

    def __post_init__(self) -> None:
        check_finite(self.group)
        check_grid(self.grid)
        if self.group.n != self.grid.n:
            raise ValueError(
                f"grid: expected one of {self.group.n} dimensions for {self.group}, got "
                f"{self.grid.n}"
            )
        _check_closed(self)

    @property
    def counts(self) -> dict[Irrep, int]:
        """How many vectors of functions transform by each irrep."""
        return Orbits(self.group, self.grid).counts

    def __call__(self, points: Tensor) -> dict[Irrep, Tensor]:
        """Values at ``points`` ``(..., n)``; they are 0 where there is no tap."""
        return Orbits(self.group, self.grid)(points)

    def on(self, grid: FilterGrid) -> dict[Irrep, Tensor]:
        """Their values at the taps of a filter."""
        return self(grid.points)


@cached(64)
def _check_closed(pixels: Pixels) -> None:
    """Raise ValueError if an element takes a tap to a place without one."""
    taps, group = pixels.grid.points, pixels.group
    moved = torch.einsum("hij,pj->hpi", group.elements, taps)
    near = torch.cdist(moved, taps.expand(len(moved), -1, -1)).amin(-1)
    outside = (near > _NEAR * pixels.grid.unit).nonzero()
    if len(outside):
        h, p = outside[0].tolist()
        raise ValueError(
            f"grid: expected taps that {group} maps to each other, got a grid where "
            f"{group.elements[h].tolist()} takes {taps[p].tolist()} to {moved[h, p].tolist()}"
        )
