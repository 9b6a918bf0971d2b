"""Pairs of points that are near each other, also through the walls of a cell: arrays in and out."""

from __future__ import annotations

import functools
import itertools
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor

from equinet.ops.pair_search import Search, is_compiled, refuse_many, search_pairs

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

    def of(self, members: np.ndarray) -> Pairs:
        """The same, of points that have these numbers among others."""
        if np.array_equal(members, np.arange(len(members))):
            return self  # and no copy of it
        return Pairs(members[self.edges], self.cells)


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
    def shifts(self) -> np.ndarray:
        """From a point to its image, for each step, ``(steps, n)``.

        Not a matrix product, whose rounding depends on its size.
        """
        return functools.reduce(np.add, self.steps.T[:, :, None] * self.cell[:, None])

    @functools.cached_property
    def images(self) -> tuple[np.ndarray, np.ndarray]:
        """Step and point of every image that is not too far from the cell."""
        near = np.ones((1, len(self.x)), bool)
        for axis, reach in enumerate(self.reach.astype(np.int64)):
            place = np.arange(-reach, reach + 1)[:, None] + self.fractions[:, axis]
            own = (place >= -self.margin[axis]) & (place <= 1 + self.margin[axis])
            own |= ~self.periodic[axis]
            near = (near[:, None] & own).reshape(-1, len(self.x))
        step, point = np.nonzero(near)
        return step, point

    @functools.cached_property
    def trees(self) -> tuple[KDTree, KDTree]:
        """Of the points and of the images."""
        step, point = self.images
        return KDTree(self.x), KDTree(self.x[point] + self.shifts[step])

    @functools.cached_property
    def search(self) -> Search:
        """Where pairs are looked for: in boxes a little wider than the radius."""
        step, point = self.images
        y = self.x[point] + self.shifts[step]
        n, low = y.shape[1], y.min(0)
        # Not so many boxes that their numbers would not fit into 63 bits.
        widest = (y.max(0) - low).max()
        width = max((self.radius + self.slack) * (1 + 1e-9), widest / 2 ** (60 // n))
        places = np.floor((y - low) / width).astype(np.int64) + 1  # there is an empty box before
        sizes = places.max(0) + 2  # and one after
        strides = np.append(np.cumprod(sizes[:0:-1])[::-1], 1)
        boxes = functools.reduce(np.add, places.T * strides[:, None])
        images = np.argsort(boxes)
        boxes_of_points = boxes[step == len(self.steps) // 2]  # their images in the cell, in order
        order = np.argsort(boxes_of_points)
        own, first = np.unique(boxes_of_points[order], return_index=True)
        rows = np.array([*itertools.product((-1, 0, 1), repeat=n - 1)], np.int64)
        middle = own[:, None] + rows @ strides[:-1]  # of three boxes that follow each other
        boxes = boxes[images]
        ends = (boxes.searchsorted(middle - 1), boxes.searchsorted(middle + 2))
        return Search(
            x=_tensor(self.x.T),
            y=_tensor(y[images].T),
            shifts=_tensor(self.shifts.T),
            keys=_tensor((point << self.bits[1] | step)[images]),
            bits=self.bits[1],
            order=_tensor(order),
            first=_tensor(np.append(first, len(order))),
            runs=_tensor(np.stack(ends, -1)),
            radius=self.radius,
            slack=self.slack,
            loop=False,
        )

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
        if not is_compiled(len(self.cell)):
            return self._by_trees(loop)
        wraps = self._wraps()
        edges, cells = search_pairs(
            self.search._replace(loop=loop),
            _tensor(self.steps),
            None if wraps is None else _tensor(wraps),
        )
        return Pairs(edges.numpy(), cells.numpy())

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

    def _by_trees(self, loop: bool) -> Pairs:
        """All pairs, found by SciPy's trees, which take half the time of NumPy in boxes."""
        step, point = self.images
        points, images = self.trees
        near: Any = points.sparse_distance_matrix(
            images, self.radius + self.slack, output_type="ndarray"
        )
        i, j, step = near["i"], point[near["j"]], step[near["j"]]
        close = np.flatnonzero(near["v"] > self.radius - self.slack)  # measured again
        r = (self.x[j[close]] - self.x[i[close]] + self.shifts[step[close]]).T
        keys = self._key(i, j, step)
        inside = np.ones(len(keys), bool)
        inside[close] = functools.reduce(np.add, r * r) <= self.radius**2
        inside &= loop | (i != j) | (step != len(self.steps) // 2)
        return self._shown(np.sort(keys[inside]))

    @functools.cached_property
    def bits(self) -> tuple[int, int]:
        """Of the number of a point, and of a step."""
        return len(self.x).bit_length(), len(self.steps).bit_length()

    def _key(self, i: np.ndarray, j: np.ndarray, step: np.ndarray) -> np.ndarray:
        """One number that is sorted as (i, j, step) are; what is refused keeps it below 2^63."""
        point, cell = self.bits
        return (((i << point) | j) << cell) | step

    def _shown(self, keys: np.ndarray) -> Pairs:
        """The pairs, with the cells of the points as they came."""
        shown = Pairs(
            np.empty((2, len(keys)), np.int64), np.empty((len(keys), len(self.cell)), np.int64)
        )
        point, cell = self.bits
        wraps = self._wraps()
        for start in range(0, len(keys), _BLOCK):
            block = slice(start, start + _BLOCK)
            some = keys[block]
            i, j, step = (
                some >> (point + cell),
                (some >> cell) & (2**point - 1),
                some & (2**cell - 1),
            )
            cells = np.take(self.steps, step, axis=0)
            shown.edges[:, block] = j, i
            shown.cells[block] = cells if wraps is None else cells + wraps[i] - wraps[j]
        return shown

    def _wraps(self) -> np.ndarray | None:
        """The cells that the points stand in, if not all in that at the origin."""
        return self.wraps.astype(np.int64) if self.wraps.any() else None


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
    if not len(x):
        return no_pairs(x.shape[1])
    starts = np.flatnonzero(first == np.arange(len(x)))
    own = np.arange(len(x))
    search = Search(
        x=_tensor(x.T),
        y=_tensor(x.T),
        shifts=_tensor(np.zeros((x.shape[1], 1))),
        keys=_tensor(own),
        bits=0,
        order=_tensor(own),
        first=_tensor(np.append(starts, len(x))),
        runs=_tensor(np.stack([starts, starts + size[starts]], -1)[:, None]),
        radius=radius,
        slack=_ROUNDING * (radius + np.abs(x).max(initial=0)),
        loop=loop,
    )
    edges, cells = search_pairs(search, _tensor(np.zeros((1, x.shape[1]), np.int64)), None)
    return Pairs(edges.numpy(), cells.numpy())


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


def _tensor(array: np.ndarray) -> Tensor:
    """The same numbers, in a row."""
    return torch.from_numpy(np.ascontiguousarray(array))


def _completed(cell: np.ndarray, periodic: np.ndarray, length: float) -> np.ndarray:
    """The cell; where it does not repeat, with vectors at right angles to all others."""
    rows = cell[periodic]
    whole = cell.copy()
    whole[~periodic] = length * np.linalg.svd(rows)[2][len(rows) :]
    return whole
