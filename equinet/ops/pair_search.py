r"""Pairs of points and images of points that are near each other.

In: points and images in boxes. Out: the pairs, in order.

.. math:: \{(i, j, s) : |x_j - x_i + t_s| \le r\}

where t_s is how far the image of a point is from it. The reference tries the same pairs, and
decides in the same way. No derivative: a neighbour list has none.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from equinet.ops.native import library

MOST = 10**8  # pairs, some 10 GB
_BLOCK = 2**16  # pairs at a time, so that they stay in the cache
_AXES = 3  # of compiled code


class Search(NamedTuple):
    """What is searched, and where.

    Attributes:
        x: coordinates of the points, float64 ``(n, points)``.
        y: those of the images, float64 ``(n, images)``; every point is one of them.
        shifts: t_s of each step, float64 ``(n, steps)``, that in the middle being 0.
        keys: of each image j and s as one number, ``j << bits | s``, int64 ``(images,)``.
        bits: of s.
        order: the points, those of each box together, int64 ``(points,)``.
        first: where those of each box start, and at last their number, int64 ``(boxes + 1,)``.
        runs: from where to where the images stand that may be near a point of the box, int64
            ``(boxes, runs, 2)``.
        radius: r.
        slack: how far a distance that is computed of y may be wrong.
        loop: whether a point is near itself.
    """

    x: Tensor
    y: Tensor
    shifts: Tensor
    keys: Tensor
    bits: int
    order: Tensor
    first: Tensor
    runs: Tensor
    radius: float
    slack: float
    loop: bool

    def tests(self) -> int:
        """How many pairs are tried: a bound on those that are near."""
        images = (self.runs[..., 1] - self.runs[..., 0]).sum(1)
        return int((self.first.diff() * images).sum())


def is_compiled(n: int) -> bool:
    """Whether there is compiled code for points in n dimensions."""
    return n <= _AXES and library.available()


def search_pairs(search: Search, cells: Tensor, wraps: Tensor | None) -> tuple[Tensor, Tensor]:
    """All pairs that are near, sorted by i, then by j, then by s.

    Args:
        search: where to look.
        cells: the integers of each step, int64 ``(steps, n)``.
        wraps: for each point the cell that it stands in, int64 ``(points, n)``; None if all stand
            in the same one.
    Returns:
        ``edges``, rows j and i, int64 ``(2, count)``, and the integers from i to j, ``(count, n)``.
    Raises:
        ValueError: if they are more than ``MOST``.
    """
    if is_compiled(len(search.x)):
        return _compiled(search, cells, wraps)
    return _reference(search, cells, wraps)


def refuse_many(what: str, number: float, radius: float) -> None:
    """Raise ValueError if there are more than fit into memory.

    Args:
        what: there are too many of.
        number: how many.
        radius: the largest distance.
    Raises:
        ValueError: if they are more than ``MOST``.
    """
    if number > MOST:
        raise ValueError(
            f"radius: expected one with at most {MOST:.0e} {what}, got {number:.2g} for "
            f"{radius!r}; take a smaller radius, or fewer points at a time"
        )


def _reference(s: Search, cells: Tensor, wraps: Tensor | None) -> tuple[Tensor, Tensor]:
    # In NumPy, whose small operations are faster.
    x, shifts, keys, order = (part.numpy() for part in (s.x, s.shifts, s.keys, s.order))
    box = np.repeat(np.arange(len(s.runs)), s.first.diff().numpy())
    begins, ends = np.moveaxis(s.runs.numpy()[box], 2, 0)
    sizes = ends - begins
    tries = np.cumsum(sizes.sum(1))
    cuts = np.searchsorted(tries, np.arange(_BLOCK, s.tests(), _BLOCK))
    high, total, found = s.bits + x.shape[1].bit_length(), 0, [keys[:0]]
    for part in np.split(np.arange(len(order)), np.unique(cuts)):
        size = sizes[part].ravel()
        k = np.arange(size.sum()) + np.repeat(begins[part].ravel() - np.cumsum(size) + size, size)
        i, key = np.repeat(order[part], sizes[part].sum(1)), keys[k]
        j, step = key >> s.bits, key & (2**s.bits - 1)
        r = x[:, j] - x[:, i]
        if len(cells) > 1:
            r += shifts[:, step]
        near = functools.reduce(np.add, r * r) <= s.radius**2
        near &= s.loop | (i != j) | (step != len(cells) // 2)
        found.append((i << high | key)[near])
        total += len(found[-1])
        refuse_many("pairs", total, s.radius)
    key = torch.from_numpy(np.sort(np.concatenate(found)))
    i, j, step = key >> high, (key & (2**high - 1)) >> s.bits, key & (2**s.bits - 1)
    out = cells[step]
    return torch.stack([j, i]), out if wraps is None else out + wraps[i] - wraps[j]


def _compiled(s: Search, cells: Tensor, wraps: Tensor | None) -> tuple[Tensor, Tensor]:
    n, points = s.x.shape
    x, y, shifts = (torch.nn.functional.pad(c, (0, 0, 0, _AXES - n)) for c in (s.x, s.y, s.shifts))
    sizes = (points, s.y.shape[1], len(cells), *s.runs.shape[:2], s.bits, int(s.loop))
    where = (x, y, shifts, s.keys, s.order, s.first, s.runs, sizes, s.radius, s.slack)
    counts = torch.empty(points, dtype=torch.int64, device="cpu")
    library.call("pair_counts", x.dtype, *where, counts)
    ends = counts.cumsum(0)
    count, most = (int(ends[-1]), int(counts.max())) if points else (0, 0)
    refuse_many("pairs", count, s.radius)
    # NumPy's memory comes in large pages, which are five times as fast to write to at first.
    edges, out = (torch.from_numpy(np.empty(size, np.int64)) for size in ((2, count), (count, n)))
    library.call("pair_search", x.dtype, *where, ends, cells, wraps, n, most, edges, out)
    return edges, out
