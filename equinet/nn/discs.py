r"""Discs on a sphere: which points of a grid lie in them, and the mean of the samples there.

.. math:: y(x) = \sum_{j \in D(x)} q_j w_j\, \tau_{x j} f_j \Big/ \sum_{j \in D(x)} q_j w_j
          \quad (N4)

with the areas q of the points j in the disc D(x), weights w given with the fields, and the
transport tau along the great circle from j to x. In the frames (e_beta, e_alpha) at the two points
it is a turn by an angle chi: a field of spin s is multiplied with e^{i s chi}, a function of gamma
shifted.

In: two grids and a radius. Out: the pairs of points and centres, and sums over them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from equinet.harmonics import Rings
from equinet.numerics import angles_to_matrix
from equinet.numerics.arguments import check_memory
from equinet.numerics.cached import cached_untraced

_SLACK = 1e-9  # in cosines: points on the rim, as regular grids have them, are inside
_WIDE = 1e-7  # radians by which points are searched further away, before cosines decide


@dataclass(frozen=True)
class Discs:
    """The pairs of a point and a centre in whose disc it lies.

    Attributes:
        points: their numbers in the grid of the input, int64 ``(pairs,)``.
        centres: their numbers in that of the output, likewise.
        count: of the centres, each of which is in a pair.
        shares: of the area of the points of a disc, which sum to 1 over each, ``(pairs,)``.
        turns: chi of (N4), in radians.
    """

    points: Tensor
    centres: Tensor
    count: int
    shares: Tensor
    turns: Tensor

    def like(self, x: Tensor) -> Discs:
        """The same in the dtype and on the device of a real tensor."""
        places = (self.points.to(x.device), self.centres.to(x.device))
        return Discs(*places, self.count, self.shares.to(x), self.turns.to(x))

    def means(self, x: Tensor) -> Tensor:
        """Of functions with the shares, which weights may multiply.

        Args:
            x: real ``(batch, channel, points)``.
        Returns:
            ``(batch, channel, centres)``.
        """
        return self._summed(x.index_select(2, self.points) * self.shares)

    def transported(self, x: Tensor, orders: Tensor) -> Tensor:
        """The means of what turns with e^{i n chi}.

        Args:
            x: complex ``(batch, field, points, orders)``.
            orders: n of the last axis.
        Returns:
            ``(batch, field, centres, orders)``.
        """
        angle = self.turns[:, None] * orders.to(self.turns)
        turn = torch.polar(self.shares[:, None].expand_as(angle), angle)
        return self._summed(x.index_select(2, self.points) * turn)

    def _summed(self, values: Tensor) -> Tensor:
        shape = (*values.shape[:2], self.count, *values.shape[3:])
        return values.new_zeros(shape).index_add(2, self.centres, values)


@cached_untraced(8)
def discs_between(grid: Rings, centres: Rings, radius: float) -> Discs:
    """The points of one grid in discs about those of another.

    Args:
        grid: of the points.
        centres: whose points are the centres.
        radius: of the discs, in radians; from pi on they are the whole sphere.
    Returns:
        The pairs, by centre only the nearest points if there is none inside.
    Raises:
        ValueError: if the pairs do not fit into memory.
    """
    points, middles = disc_pairs(grid, centres, radius)
    area = grid.areas().flatten()[points]
    whole = area.new_zeros(centres.count).index_add(0, middles, area)
    e_there, e_here = (_frames(g)[k] for g, k in ((grid, points), (centres, middles)))
    u_there, v_there = e_there[..., 2], e_there[..., 0]  # e_beta and e_alpha
    u_here, v_here = e_here[..., 2], e_here[..., 0]
    sine = (v_here * u_there - u_here * v_there).sum(-1)
    cosine = (u_here * u_there + v_here * v_there).sum(-1)
    turns = torch.atan2(sine, cosine)
    return Discs(points, middles, centres.count, area / whole[middles], turns)


def disc_pairs(grid: Rings, centres: Rings, radius: float) -> Tensor:
    """The points of one grid in discs about those of another, as ``discs_between``.

    Args:
        grid: of the points.
        centres: whose points are the centres.
        radius: of the discs, in radians.
    Returns:
        int64 ``(2, pairs)``: the numbers of the points, and those of the centres.
    Raises:
        ValueError: if the pairs do not fit into memory.
    """
    beta, alpha = (angle.flatten() for angle in centres.angles())
    spots, middles = (g.positions().reshape(-1, 3) for g in (grid, centres))
    found, here = [], torch.arange(centres.count)
    while len(here):
        pairs = _within(grid, beta[here], alpha[here], radius)
        pairs[1] = here[pairs[1]]
        cosines = (spots[pairs[0]] * middles[pairs[1]]).sum(1)
        inside = cosines > math.cos(min(radius, math.pi)) - _SLACK
        if found:  # centres with no point inside: the nearest ones
            most = cosines.new_full((centres.count,), -2.0)
            most = most.scatter_reduce(0, pairs[1], cosines, "amax")
            inside &= cosines > most[pairs[1]] - _SLACK
        found.append(pairs[:, inside])
        missing = torch.bincount(found[-1][1], minlength=centres.count)[here] == 0
        here, radius = here[missing], 2 * radius
    return torch.cat(found, 1)


def _within(grid: Rings, beta: Tensor, alpha: Tensor, radius: float) -> Tensor:
    """The pairs at most a little further away: ring by ring those between two longitudes."""
    reach, first = min(radius + _WIDE, math.pi), 0
    rows, starts, counts, firsts, sizes = [], [], [], [], []
    for ring, start, size in zip(grid.beta, grid.starts, grid.counts, strict=True):
        (row,) = ((beta - ring).abs() <= reach).nonzero(as_tuple=True)
        b, a = beta[row], alpha[row]
        product = (b.sin() * math.sin(ring)).clamp_min(1e-300)
        half = ((math.cos(reach) - b.cos() * math.cos(ring)) / product).clamp(-1, 1).acos()
        low = ((a - half - start) * size / (2 * math.pi) - 1e-6).ceil().long()
        high = ((a + half - start) * size / (2 * math.pi) + 1e-6).floor().long()
        rows.append(row)
        starts.append(low)
        counts.append((high - low + 1).clamp(0, size))
        firsts.append(torch.full_like(row, first))
        sizes.append(torch.full_like(row, size))
        first += size
    row, low, count, base, size = map(torch.cat, (rows, starts, counts, firsts, sizes))
    total = int(count.sum())
    check_memory(4 * total, "kernel_size", f"{total} pairs of a point and a disc")
    offset = torch.arange(total) - (count.cumsum(0) - count).repeat_interleave(count)
    row, low, base, size = (t.repeat_interleave(count) for t in (row, low, base, size))
    return torch.stack([(low + offset) % size + base, row])


def _frames(grid: Rings) -> Tensor:
    """The rotations that take the pole and its frame to the points, ``(points, 3, 3)``."""
    beta, alpha = (angle.flatten() for angle in grid.angles())
    return angles_to_matrix(alpha, beta, torch.zeros_like(beta))
