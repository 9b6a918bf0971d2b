"""Points into neighbour lists, open or periodic."""

from typing import Any

import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor

from equinet.numerics.arguments import check_flag, check_number
from equinet.numerics.values import check_numbers, check_real

_MOST = 10**8  # pairs of points, some 10 GB


def radius_graph(
    positions: Tensor,
    radius: float,
    batch: Tensor | None = None,
    *,
    cell: Tensor | None = None,
    loop: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """All pairs of points that are at most ``radius`` apart.

    Args:
        positions: ``(points, n)``, in units of length.
        radius: the largest distance.
        batch: number of the cloud of each point, int64 ``(points,)``; clouds do not see each other.
        cell: rows are the vectors after which space repeats, ``(n, n)``, or one cell for each
            cloud, ``(clouds, n, n)``; a point then sees all images, also of itself.
        loop: whether a point is a neighbour of itself, at distance 0.
    Returns:
        edges, int64 ``(2, count)`` with rows j, the neighbour, and i, sorted by i; and shifts
        ``(count, n)`` with which x_j - x_i + shift is the vector to the neighbour, None without a
        cell.
    Raises:
        TypeError: if the positions or the cell are not real.
        ValueError: if a shape does not fit, a number is not finite or out of range, or the vectors
            of a cell do not span space, and for more than 1e8 pairs of points.

    Example:
        >>> radius_graph(torch.tensor([[0.0], [1.0], [3.0]]), 1.5)[0].tolist()
        [[1, 0], [0, 1]]
        >>> radius_graph(torch.tensor([[0.0]]), 1.0, cell=torch.eye(1))[1].tolist()
        [[-1.0], [1.0]]
    """
    check_real("positions", positions, ("points", "n"))
    count, n = positions.shape
    check_number(radius, "radius", above=0)
    check_flag(loop, "loop")
    if cell is not None:
        _check_cell(cell, n, batch)
    if batch is not None:
        clouds = None if cell is None or cell.dim() == 2 else len(cell)
        what = "the number of the cloud of each point"
        check_numbers("batch", batch, what, (count,), positions, clouds)
    x = positions.detach().double().cpu().numpy()
    cells = None if cell is None else cell.detach().double().cpu().reshape(-1, n, n).numpy()
    nearby = []
    for cloud, members in _members(count, batch):
        own = None if cells is None else cells[cloud if len(cells) > 1 else 0]
        nearby.append(_Nearby(members, x[members], radius, own))
    if sum(cloud.inside.n * cloud.copies.n for cloud in nearby) > _MOST:
        _refuse_many("pairs", sum(cloud.count() for cloud in nearby), radius)
    found = [(*np.zeros((2, 0), int), np.zeros((0, n)))]
    found += [cloud.pairs(loop) for cloud in nearby]
    j, i, shifts = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((j, i))
    edges = torch.from_numpy(np.stack([j, i])[:, order]).long().to(positions.device)
    if cell is None:
        return edges, None
    return edges, torch.from_numpy(shifts[order]).to(positions)


class _Nearby:
    """The points of one cloud and, beside them, their images that the radius may reach."""

    def __init__(
        self, members: np.ndarray, x: np.ndarray, radius: float, cell: np.ndarray | None
    ) -> None:
        self.members = members
        self.wraps, self.images, self.radius = np.zeros(x.shape), np.zeros((1, x.shape[1])), radius
        if cell is not None:
            inverse = np.linalg.inv(cell)
            self.wraps = np.floor(x @ inverse) @ cell  # from the cell at the origin to the point
            # The distance of opposite faces says how many cells the radius reaches.
            reach = np.ceil(radius * np.linalg.norm(inverse, axis=0))
            _refuse_many("images of points", len(x) * np.prod(2 * reach + 1), radius)
            steps = np.meshgrid(*(np.arange(-k, k + 1) for k in reach), indexing="ij")
            self.images = np.stack(steps, -1).reshape(-1, len(cell)) @ cell
        inside = x - self.wraps
        self.inside = KDTree(inside)
        self.copies = KDTree((self.images[:, None] + inside).reshape(-1, x.shape[1]))

    def count(self) -> int:
        """Of pairs, also of a point with itself."""
        return int(self.inside.count_neighbors(self.copies, self.radius))

    def pairs(self, loop: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Numbers of neighbours and points, and the shifts between them."""
        near: Any = self.inside.sparse_distance_matrix(
            self.copies, self.radius, output_type="ndarray"
        )
        i, (image, j) = near["i"], np.divmod(near["j"], self.inside.n)
        itself = (i == j) & (self.images == 0).all(axis=1)[image]
        kept = slice(None) if loop else ~itself
        i, j, image = i[kept], j[kept], image[kept]
        shifts = self.images[image] + self.wraps[i] - self.wraps[j]
        return self.members[j], self.members[i], shifts


def _members(count: int, batch: Tensor | None) -> list[tuple[int, np.ndarray]]:
    """The number of each cloud that is not empty, and the numbers of its points."""
    clouds = np.zeros(count, int) if batch is None else batch.cpu().numpy()
    order = np.argsort(clouds, kind="stable")
    numbers, first = np.unique(clouds[order], return_index=True)
    return list(zip(numbers.tolist(), np.split(order, first[1:]), strict=True)) if count else []


def _refuse_many(what: str, number: float, radius: float) -> None:
    if number > _MOST:
        raise ValueError(
            f"radius: expected one with at most {_MOST:.0e} {what}, got {number:.2g} for "
            f"{radius!r}; take a smaller radius, or fewer points at a time"
        )


def _check_cell(cell: Tensor, n: int, batch: Tensor | None) -> None:
    """Raise unless it is a cell, or one for each cloud, whose vectors span space."""
    single = isinstance(cell, Tensor) and cell.dim() == 2
    check_real("cell", cell, (n, n) if single else ("clouds", n, n))
    if not single and batch is None and len(cell) != 1:
        raise ValueError(f"cell: expected ({n}, {n}) without batch, got {tuple(cell.shape)}")
    for one in cell.detach().double().cpu().reshape(-1, n, n):
        sizes = torch.linalg.svdvals(one)
        if not sizes.min() > 1e-10 * sizes.max():
            raise ValueError(
                f"cell: expected {n} vectors that span space, got {one.tolist()}; along an axis "
                "that does not repeat, take a vector longer than the points and the radius"
            )
