"""Points into neighbour lists, open or periodic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from equinet.field.graph import Graph
from equinet.numerics.arguments import check_flag, check_integer, check_number, is_row
from equinet.numerics.values import check_numbers, check_real
from equinet.ops.pair_search import MOST, refuse_many
from equinet.transforms.near_pairs import (
    FEW,
    Cloud,
    Pairs,
    all_pairs,
    joined,
    no_pairs,
)

Axes = bool | Sequence[bool] | Tensor
_Own = tuple[np.ndarray, np.ndarray, np.ndarray]  # the points of a cloud, its cell and its axes


def radius_graph(
    positions: Tensor,
    radius: float,
    batch: Tensor | None = None,
    *,
    cell: Tensor | None = None,
    pbc: Axes | None = None,
    loop: bool = False,
) -> Graph:
    """All pairs of points that are at most ``radius`` apart.

    Compiled code finds them where there is some, else SciPy; the results are the same.

    Args:
        positions: ``(points, n)``, in units of length.
        radius: the largest distance.
        batch: number of the cloud of each point, int64 ``(points,)``; clouds do not see each other.
        cell: rows are the vectors after which space repeats, ``(n, n)``, or one cell for each
            cloud, ``(clouds, n, n)``; a point then sees all images, also of itself.
        pbc: for each axis of the cell whether space repeats along it: ``(True, True, False)`` for
            a slab, one flag for all, or bool ``(clouds, n)``; by default all do. Rows of ``cell``
            along other axes may be anything, also zero.
        loop: whether a point is a neighbour of itself, at distance 0.
    Returns:
        The graph; ``edges, shifts = radius_graph(...)`` takes it apart. Its edges are sorted by
        the point, then by the neighbour, then by the cell of the neighbour.
    Raises:
        TypeError: if the positions or the cell are not real.
        ValueError: if a shape does not fit, a number is not finite or out of range, or the vectors
            of a cell do not span space, and for more than 1e8 pairs of points.

    Example:
        >>> radius_graph(torch.tensor([[0.0], [1.0], [3.0]]), 1.5).edges.tolist()
        [[1, 0], [0, 1]]
        >>> radius_graph(torch.tensor([[0.0]]), 1.0, cell=torch.eye(1)).shifts.tolist()
        [[-1.0], [1.0]]
    """
    points = _Points(positions, batch, cell, pbc)
    check_number(radius, "radius", above=0)
    check_flag(loop, "loop")
    few, first, sizes = points.small()
    members, clouds = [few], []
    for own, (x, lattice, periodic) in points.each(~points.is_small):
        members.append(own)
        clouds.append(Cloud(x, radius, lattice, periodic))
    if sum(cloud.search.tests() for cloud in clouds) > MOST:
        refuse_many("pairs", sum(cloud.count() for cloud in clouds), radius)
    found = [all_pairs(points.x[few], first, sizes, radius, loop)]
    return points.graph(members, found + [cloud.pairs(loop) for cloud in clouds])


def knn_graph(
    positions: Tensor,
    count: int,
    batch: Tensor | None = None,
    *,
    cell: Tensor | None = None,
    pbc: Axes | None = None,
) -> Graph:
    """The nearest neighbours of each point.

    Of neighbours that are equally far any may be left out, so in a perfect crystal a radius is what
    keeps its symmetry.

    Args:
        positions: ``(points, n)``.
        count: the number of neighbours; in open space a point of a smaller cloud has fewer.
        batch: number of the cloud of each point, int64 ``(points,)``.
        cell: the vectors after which space repeats, as in ``radius_graph``; images count.
        pbc: the axes along which it does, as in ``radius_graph``.
    Returns:
        The graph, in the order of ``radius_graph``.
    Raises:
        TypeError: if the positions or the cell are not real.
        ValueError: if a shape does not fit, a number is not finite or out of range, or the vectors
            of a cell do not span space, and for more than 1e8 pairs of points.

    Example:
        >>> knn_graph(torch.tensor([[0.0], [1.0], [3.0]]), 1).edges.tolist()
        [[1, 0, 1], [0, 1, 2]]
    """
    points = _Points(positions, batch, cell, pbc)
    check_integer(count, "count", most=10**4)
    if count * len(points.x) > MOST:
        raise ValueError(
            f"count: expected one with at most {MOST:.0e} pairs, got {count} for each of "
            f"{len(points.x)} points"
        )
    members, found = [np.zeros(0, np.int64)], [no_pairs(positions.shape[1])]
    for own, (x, lattice, periodic) in points.each(points.sizes > 0):
        members.append(own)
        found.append(_nearest(x, lattice, periodic, count))
    return points.graph(members, found)


class _Points:
    """What a neighbour list is made of, checked, and where each cloud is in it."""

    def __init__(
        self, positions: Tensor, batch: Tensor | None, cell: Tensor | None, pbc: Axes | None
    ) -> None:
        check_real("positions", positions, ("points", "n"))
        count, n = positions.shape
        if cell is not None:
            _check_cell(cell, n, batch)
        if batch is not None:
            clouds = None if cell is None or cell.dim() == 2 else len(cell)
            what = "the number of the cloud of each point"
            check_numbers("batch", batch, what, (count,), positions, clouds)
        self.positions, self.batch = positions, batch
        self.cell = None if cell is None else cell.to(positions)
        self.pbc = _periodic(pbc, cell)
        self.x = positions.detach().double().cpu().numpy()
        self.lattices, self.periodic = np.zeros((1, n, n)), np.zeros((1, n), bool)
        if cell is not None and self.pbc is not None:
            self.lattices = cell.detach().double().cpu().reshape(-1, n, n).numpy()
            self.periodic = self.pbc.cpu().reshape(-1, n).numpy()
            _check_span(self.lattices, self.periodic)
        own = np.zeros(count, np.int64) if batch is None else batch.cpu().numpy()
        self.order = np.argsort(own, kind="stable")
        self.numbers, self.first, self.sizes = np.unique(
            own[self.order], return_index=True, return_counts=True
        )
        own = self.numbers if len(self.lattices) > 1 else np.zeros_like(self.numbers)
        self.is_small = (self.sizes <= FEW) & ~self.periodic[own].any(axis=1)

    def small(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The points of small open clouds; of each the first of its cloud, and the size."""
        sizes = self.sizes[self.is_small]
        first = np.repeat(np.cumsum(sizes) - sizes, sizes)
        return self.order[np.repeat(self.is_small, self.sizes)], first, np.repeat(sizes, sizes)

    def each(self, chosen: np.ndarray) -> Iterator[tuple[np.ndarray, _Own]]:
        """The points of each of these clouds, and it."""
        for k in np.flatnonzero(chosen):
            members = self.order[self.first[k] : self.first[k] + self.sizes[k]]
            own = self.numbers[k] if len(self.lattices) > 1 else 0
            yield members, (self.x[members], self.lattices[own], self.periodic[own])

    def graph(self, members: list[np.ndarray], found: list[Pairs]) -> Graph:
        """Of pairs within parts of the points, and the numbers of these points."""
        parts = [p.of(own) for own, p in zip(members, found, strict=True)]
        edges, cells = joined(parts)
        clouds = max(len(self.lattices), int(self.numbers.max(initial=-1)) + 1)
        device, has_cell = self.positions.device, self.cell is not None
        return Graph(
            torch.from_numpy(edges).to(device),
            len(self.x),
            cells=torch.from_numpy(cells).to(device) if has_cell else None,
            cell=self.cell,
            pbc=self.pbc,
            cloud=self.batch,
            clouds=1 if self.batch is None else clouds,
        )


def _nearest(x: np.ndarray, cell: np.ndarray, periodic: np.ndarray, count: int) -> Pairs:
    """Of one cloud; where space repeats, within a radius that grows until it holds enough."""
    if not periodic.any():
        return Cloud(x, 1.0, cell, periodic).nearest(min(count, len(x) - 1))[0]
    walls = np.linalg.svd(cell[periodic], compute_uv=False)
    radius = float((count / len(x) * walls.prod()) ** (1 / len(walls)))
    while True:
        pairs, farthest = Cloud(x, radius, cell, periodic).nearest(count)
        if farthest <= radius:
            return pairs
        radius = farthest if np.isfinite(farthest) else 2 * radius


def _periodic(pbc: Axes | None, cell: Tensor | None) -> Tensor | None:
    """For each axis of each cell, whether space repeats along it."""
    if cell is None:
        if pbc is not None and pbc is not False:
            raise ValueError(f"pbc: expected None or False without cell, got {pbc!r}")
        return None
    flags = True if pbc is None else pbc
    if isinstance(flags, bool):
        flags = torch.full(cell.shape[-1:], flags, device=cell.device)
    elif is_row(flags) and all(isinstance(flag, bool) for flag in flags):
        flags = torch.tensor(flags, dtype=torch.bool, device=cell.device)
    wanted = cell.shape[-1:] if isinstance(flags, Tensor) and flags.dim() == 1 else cell.shape[:-1]
    if not isinstance(flags, Tensor) or flags.dtype != torch.bool or flags.shape != wanted:
        raise ValueError(
            f"pbc: expected True or False, one for each of the {cell.shape[-1]} axes, or bool "
            f"{tuple(cell.shape[:-1])}, got {pbc!r}"
        )
    return flags.to(cell.device).expand(cell.shape[:-1])


def _check_cell(cell: Tensor, n: int, batch: Tensor | None) -> None:
    """Raise unless it is a cell, or one for each cloud."""
    single = isinstance(cell, Tensor) and cell.dim() == 2
    check_real("cell", cell, (n, n) if single else ("clouds", n, n))
    if not single and batch is None and len(cell) != 1:
        raise ValueError(f"cell: expected ({n}, {n}) without batch, got {tuple(cell.shape)}")


def _check_span(cells: np.ndarray, periodic: np.ndarray) -> None:
    """Raise unless the vectors along which space repeats are independent."""
    sizes = np.linalg.svd(cells * periodic[:, :, None], compute_uv=False)
    count = periodic.sum(1)
    least = sizes[np.arange(len(cells)), np.maximum(count, 1) - 1]
    bad = np.flatnonzero((count > 0) & ~(least > 1e-10 * sizes[:, 0]))
    if len(bad):
        raise ValueError(
            f"cell: expected vectors that span space along every axis that repeats, got "
            f"{cells[bad[0]].tolist()}; say with pbc which axes do, such as (True, True, False)"
        )
