"""Pairs of points that are near each other, also through the walls of a cell: arrays in and out.

What is near is decided here: vesin, where it is installed, and SciPy's trees hand over all pairs
up to a little beyond the radius, and those close to it are measured again. So both give the same.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial import KDTree

vesin: Any = importlib.import_module("vesin") if importlib.util.find_spec("vesin") else None

MOST = 10**8  # pairs of points, some 10 GB
FEW = 64  # points of a cloud without walls, up to which all of its pairs are tried
_BLOCK = 2**16  # pairs at a time, so that they stay in the cache
_ROUNDING = 1e-12  # of a distance, in lengths of all that it was computed of


class Pairs(NamedTuple):
    """Points j that are near points i, sorted by i, then by j, then by cell.

    Attributes:
        edges: int64 ``(2, count)``, rows j and i.
        cells: integers s ``(count, n)``: x_j - x_i + s cell is the vector to the neighbour.
    """

    edges: np.ndarray
    cells: np.ndarray


class Cloud:
    """Points, and beside them their images that a radius may reach.

    Args:
        x: ``(points, n)``.
        radius: the largest distance.
        cell: rows are the vectors after which space repeats; rows of other axes are not read.
        periodic: for each axis, whether it repeats.
    Raises:
        ValueError: if the images are too many.
    """

    def __init__(
        self, x: np.ndarray, radius: float, cell: np.ndarray, periodic: np.ndarray
    ) -> None:
        self.radius, self.periodic = radius, periodic
        self.cell = _completed(cell, periodic, radius)
        inverse = np.linalg.inv(self.cell)
        self.wraps = np.where(periodic, np.floor(x @ inverse), 0)  # from the cell at the origin
        self.x = x - self.wraps @ self.cell
        self.fractions = self.x @ inverse
        # The radius over the distance of opposite faces: how many cells it reaches, or a little
        # more, as a point may be rounded onto the wall.
        self.margin = radius * np.linalg.norm(inverse, axis=0) * (1 + 1e-9) + 1e-9
        self.reach = np.where(periodic, np.ceil(self.margin), 0)
        self.slack = _ROUNDING * (radius + np.abs(self.x).max(initial=0) + np.abs(self.cell).sum())
        refuse_many("images of points", float(len(x) * np.prod(2 * self.reach + 1)), radius)

    @functools.cached_property
    def steps(self) -> np.ndarray:
        """The integers of all cells in reach, in order; the cell of the points is in the middle."""
        axes = [np.arange(-k, k + 1) for k in self.reach.astype(np.int64)]
        return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(axes))

    @functools.cached_property
    def stride(self) -> np.ndarray:
        """How far apart steps along an axis are in the list of all."""
        sizes = 2 * self.reach.astype(np.int64) + 1
        return np.append(np.cumprod(sizes[:0:-1])[::-1], 1)

    @functools.cached_property
    def images(self) -> tuple[np.ndarray, np.ndarray]:
        """Step and point of every image that is not too far from the cell."""
        near = np.ones((len(self.steps), len(self.x)), bool)
        for axis in np.flatnonzero(self.periodic):
            place = self.steps[:, None, axis] + self.fractions[:, axis]
            near &= (place >= -self.margin[axis]) & (place <= 1 + self.margin[axis])
        step, point = np.nonzero(near)
        return step, point

    @functools.cached_property
    def trees(self) -> tuple[KDTree, KDTree]:
        """Of the points and of the images."""
        step, point = self.images
        return KDTree(self.x), KDTree(self.x[point] + self.shifts(step))

    def shifts(self, step: np.ndarray) -> np.ndarray:
        """From a point to its image. Not a matrix product, whose rounding depends on its size."""
        return functools.reduce(np.add, self.steps[step].T[:, :, None] * self.cell[:, None])

    def most(self) -> float:
        """A bound on the pairs, from the numbers of points in boxes that the radius spans."""
        boxes = np.where(self.periodic, np.maximum(np.floor(1 / self.margin), 1), 1)
        places = np.floor(self.fractions * boxes).astype(np.int64)
        # Boxes that happen to have one number count as one, which makes the bound larger.
        numbers = functools.reduce(lambda number, place: number * 73856093 + place, places.T)
        counts = np.unique(numbers, return_counts=True)[1].astype(float)
        return float(np.prod(2 * np.maximum(np.ceil(self.margin), 1) + 1) * (counts**2).sum())

    def count(self) -> int:
        """Of pairs, also of a point with itself."""
        points, images = self.trees
        return int(points.count_neighbors(images, self.radius))

    def pairs(self, loop: bool) -> Pairs:
        """All that are at most the radius apart.

        Args:
            loop: whether a point is a neighbour of itself.
        Returns:
            The pairs, in order.
        """
        by_vesin = vesin is not None and len(self.cell) <= 3
        keys, close = self._by_vesin() if by_vesin else self._by_trees()
        i, j, step = self._split(keys[close])
        vectors = self.x[j] - self.x[i] + self.shifts(step)
        outside = close[_squares(vectors.T) > self.radius**2]
        if len(outside):
            keys = np.delete(keys, outside)
        if loop:
            own = np.arange(len(self.x))
            keys = np.concatenate([keys, self._key(own, own, len(self.steps) // 2)])
        keys.sort()
        return self._shown(keys)

    def nearest(self, count: int) -> tuple[Pairs, float]:
        """For each point the neighbours that are nearest among the images.

        Args:
            count: of neighbours.
        Returns:
            The pairs, in order, and the distance of the farthest: infinite if a point has fewer.
        """
        step, point = self.images
        points, images = self.trees
        nearest: Any = np.arange(1, count + 2)  # SciPy takes a list too, its annotation does not
        distances, image = images.query(self.x, nearest)
        own = np.flatnonzero(step == len(self.steps) // 2)  # in the order of the points
        last = np.argsort(image == own[:, None], axis=1, kind="stable")[:, :count]
        distances, image = (np.take_along_axis(a, last, 1) for a in (distances, image))
        i, column = np.nonzero(np.isfinite(distances))
        image = image[i, column]
        keys = np.sort(self._key(i, point[image], step[image]))
        return self._shown(keys), float(distances.max(initial=0))

    @functools.cached_property
    def bits(self) -> tuple[int, int]:
        """Of the number of a point, and of a step."""
        return len(self.x).bit_length(), len(self.steps).bit_length()

    def _key(self, i: np.ndarray, j: np.ndarray, step: np.ndarray | int) -> np.ndarray:
        """One number that is sorted as (i, j, step) are; what is refused keeps it below 2^63."""
        point, cell = self.bits
        return (((i << point) | j) << cell) | step

    def _split(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        point, cell = self.bits
        return keys >> (point + cell), (keys >> cell) & (2**point - 1), keys & (2**cell - 1)

    def _shown(self, keys: np.ndarray) -> Pairs:
        """The pairs, with the cells of the points as they came."""
        count, n = len(keys), len(self.cell)
        shown = Pairs(np.empty((2, count), np.int64), np.empty((count, n), np.int64))
        wraps = self.wraps.astype(np.int64) if self.wraps.any() else None
        for block in _blocks(count):
            i, j, step = self._split(keys[block])
            cells = np.take(self.steps, step, axis=0)
            shown.edges[:, block] = j, i
            shown.cells[block] = cells if wraps is None else cells + wraps[i] - wraps[j]
        return shown

    def _by_vesin(self) -> tuple[np.ndarray, np.ndarray]:
        """Keys of pairs up to beyond the radius, and which are close to it; vesin works in 3-D."""
        x, cell, periodic = np.zeros((len(self.x), 3)), np.eye(3), np.zeros(3, bool)
        n = len(self.cell)
        x[:, :n], cell[:n, :n], periodic[:n] = self.x, self.cell, self.periodic
        search = vesin.NeighborList(cutoff=self.radius + self.slack, full_list=True)
        found, cells, distances = search.compute(x, cell, periodic, "PSd", copy=False)
        keys, middle = np.empty(len(found), np.int64), len(self.steps) // 2
        for block in _blocks(len(found)):
            step = np.full(len(keys[block]), middle)
            for axis in np.flatnonzero(self.periodic):
                step += cells[block, axis] * self.stride[axis]
            i, j = found[block].astype(np.int64).T
            keys[block] = self._key(i, j, step)
        return keys, np.flatnonzero(distances > self.radius - self.slack)

    def _by_trees(self) -> tuple[np.ndarray, np.ndarray]:
        """Keys of pairs up to beyond the radius, and which are close to it."""
        step, point = self.images
        points, images = self.trees
        near: Any = points.sparse_distance_matrix(
            images, self.radius + self.slack, output_type="ndarray"
        )
        i, j, step = near["i"], point[near["j"]], step[near["j"]]
        other = (i != j) | (step != len(self.steps) // 2)
        keys, distances = self._key(i, j, step)[other], near["v"][other]
        return keys, np.flatnonzero(distances > self.radius - self.slack)


def all_pairs(
    x: np.ndarray, first: np.ndarray, size: np.ndarray, radius: float, loop: bool
) -> Pairs:
    """The near pairs of many small clouds that stand in a row, found by trying all.

    Args:
        x: ``(points, n)``.
        first: for each point, the first one of its cloud.
        size: for each point, the number of those.
        radius: the largest distance.
        loop: whether a point is a neighbour of itself.
    Returns:
        The pairs, in order.
    Raises:
        ValueError: if they are too many.
    """
    columns = np.ascontiguousarray(x.T)
    ends, found, total = np.cumsum(size), [], 0
    cuts = np.searchsorted(ends, np.arange(_BLOCK, size.sum(), _BLOCK))
    for block in np.split(np.arange(len(x)), np.unique(cuts)):
        i = np.repeat(block, size[block])
        begin = np.cumsum(size[block]) - size[block]
        j = np.arange(len(i)) + np.repeat(first[block] - begin, size[block])
        near = _squares(columns[:, j] - columns[:, i]) <= radius**2
        near &= loop | (i != j)
        i, j = i[near], j[near]
        found.append(Pairs(np.stack([j, i]), np.zeros((len(i), x.shape[1]), np.int64)))
        total += len(i)
        refuse_many("pairs", total, radius)
    return joined(found)


def no_pairs(n: int) -> Pairs:
    """None, in n dimensions."""
    return Pairs(np.zeros((2, 0), np.int64), np.zeros((0, n), np.int64))


def joined(parts: list[Pairs]) -> Pairs:
    """Pairs of clouds that share no point, in order; at least one part."""
    parts = [part for part in parts if len(part.cells)] or parts[:1]
    edges, cells = parts[0]
    if len(parts) > 1:
        edges = np.concatenate([part.edges for part in parts], 1)
        cells = np.concatenate([part.cells for part in parts])
    if (edges[1, 1:] < edges[1, :-1]).any():
        order = np.argsort(edges[1], kind="stable")
        edges, cells = edges[:, order], cells[order]
    return Pairs(edges, cells)


def _blocks(count: int) -> Iterator[slice]:
    """Of what is done in the cache."""
    return (slice(k, k + _BLOCK) for k in range(0, count, _BLOCK))


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


def _squares(columns: np.ndarray) -> np.ndarray:
    """|v|^2 of vectors ``(n, count)``, summed in one order wherever it is needed."""
    return functools.reduce(np.add, columns * columns)


def _completed(cell: np.ndarray, periodic: np.ndarray, length: float) -> np.ndarray:
    """The cell; where it does not repeat, with vectors at right angles to all others."""
    rows = cell[periodic]
    whole = cell.copy()
    whole[~periodic] = length * np.linalg.svd(rows)[2][len(rows) :]
    return whole
