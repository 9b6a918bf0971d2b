r"""Indicator functions of the pixels of a grid.

On an orbit H x_0 of pixels, with stabiliser S = {h : h x_0 = x_0}, the functions that transform by
an irrep are the matrix entries

.. math:: f_v(r x_0) = \sqrt{d}\, \psi(r) v, \qquad \psi(s) v = v \quad \forall s \in S \quad (P1)

for orthonormal v, so the kernels made of them are all kernels on the grid: the exact ones of the
first group convolutions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from equinet.group import FiniteGroup, subgroup
from equinet.group.subgroups import check_finite
from equinet.harmonics.filter_grids import FilterGrid, check_grid
from equinet.numerics.cached import cached
from equinet.rep import Irrep, irreps
from equinet.rep.functions import invariant_vectors

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
        _permutations(self)

    @property
    def counts(self) -> dict[Irrep, int]:
        """How many vectors of functions transform by each irrep."""
        counts = {
            psi: sum(len(invariant_vectors(psi, stabiliser)) for _, _, stabiliser in _orbits(self))
            for psi in irreps(self.group)
        }
        return {psi: count for psi, count in counts.items() if count}

    def __call__(self, points: Tensor) -> dict[Irrep, Tensor]:
        """Values at ``points`` ``(..., n)``; they are 0 where there is no tap."""
        taps = self.grid.points.to(points)
        distance = (points[..., None, :] - taps).abs().amax(-1)
        near, where = distance.min(-1)
        on = (near < _NEAR * self.grid.unit).to(points.dtype)
        return {psi: values.to(points)[..., where] * on for psi, values in _values(self).items()}

    def on(self, grid: FilterGrid) -> dict[Irrep, Tensor]:
        """Their values at the taps of a filter."""
        return self(grid.points)


Orbit = tuple[Tensor, Tensor, FiniteGroup]


@cached(64)
def _permutations(pixels: Pixels) -> Tensor:
    """Number of the tap at h x for each element h and tap x, int64 ``(order, taps)``."""
    taps, group = pixels.grid.points, pixels.group
    moved = torch.einsum("hij,pj->hpi", group.elements, taps)
    near, where = torch.cdist(moved, taps.expand(len(moved), -1, -1)).min(-1)
    outside = (near > _NEAR * pixels.grid.unit).nonzero()
    if len(outside):
        h, p = outside[0].tolist()
        raise ValueError(
            f"grid: expected taps that {group} maps to each other, got a grid where "
            f"{group.elements[h].tolist()} takes {taps[p].tolist()} to {moved[h, p].tolist()}"
        )
    return where


@cached(64)
def _orbits(pixels: Pixels) -> tuple[Orbit, ...]:
    """For each orbit its taps, for each of these an element r that leads there, and S."""
    permutations, group = _permutations(pixels), pixels.group
    seen = torch.zeros(permutations.shape[1], dtype=torch.bool)
    orbits = []
    # From the centre outwards.
    radius = pixels.grid.points.norm(dim=-1) / pixels.grid.unit
    for first in radius.round(decimals=6).argsort(stable=True).tolist():
        if not seen[first]:
            images = permutations[:, first]
            taps = images.unique()
            leads = (images == taps[:, None]).to(torch.int8).argmax(1)
            stabiliser = subgroup(group, group.elements[images == first])
            seen[taps] = True
            orbits.append((taps, leads, stabiliser))
    return tuple(orbits)


@cached(64)
def _values(pixels: Pixels) -> dict[Irrep, Tensor]:
    """(P1) at all taps, for each irrep ``(count, dim, taps)``."""
    taps = len(pixels.grid.points)
    found = {}
    for psi in pixels.counts:
        rows = []
        for members, leads, stabiliser in _orbits(pixels):
            matrices = psi(pixels.group.elements[leads])
            for v in invariant_vectors(psi, stabiliser):
                row = torch.zeros(psi.dim, taps, dtype=torch.float64)
                row[:, members] = math.sqrt(psi.dim / len(members)) * (matrices @ v).mT
                rows.append(row)
        found[psi] = torch.stack(rows)
    return found
