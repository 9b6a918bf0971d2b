"""Points into neighbour lists, open or periodic. Before: ``voxels``.

Import it by name, ``from equinet.transforms.graph import radius_graph``: it needs SciPy, which
``import equinet`` does not load.
"""

import itertools
import math
from typing import Any

import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor


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
        ValueError: if a shape does not fit, or the radius is not a positive number.

    Example:
        >>> radius_graph(torch.tensor([[0.0], [1.0], [3.0]]), 1.5)[0].tolist()
        [[1, 0], [0, 1]]
        >>> radius_graph(torch.tensor([[0.0]]), 1.0, cell=torch.eye(1))[1].tolist()
        [[-1.0], [1.0]]
    """
    if positions.dim() != 2 or not positions.is_floating_point():
        raise ValueError(
            f"positions: expected real (points, n), got {positions.dtype} of shape "
            f"{tuple(positions.shape)}"
        )
    if not 0 < radius < math.inf:
        raise ValueError(f"radius: expected a positive length, got {radius!r}")
    count, n = positions.shape
    if batch is not None and (batch.shape != (count,) or batch.dtype != torch.int64):
        raise ValueError(
            f"batch: expected int64 ({count},), got {batch.dtype} of shape {tuple(batch.shape)}"
        )
    if cell is not None and cell.shape[-2:] != (n, n):
        raise ValueError(f"cell: expected (..., {n}, {n}), got {tuple(cell.shape)}")
    x = positions.detach().double().cpu().numpy()
    clouds = np.zeros(count, int) if batch is None else batch.cpu().numpy()
    cells = None if cell is None else cell.detach().double().cpu().numpy()
    found = []
    for cloud in np.unique(clouds):
        (members,) = np.nonzero(clouds == cloud)
        own = None if cells is None else cells if cells.ndim == 2 else cells[cloud]
        j, i, shift = _pairs(x[members], radius, own, loop)
        found.append((members[j], members[i], shift))
    if not found:
        found = [(np.zeros(0, int), np.zeros(0, int), np.zeros((0, n)))]
    j, i, shifts = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((j, i))
    edges = torch.from_numpy(np.stack([j, i])[:, order]).long().to(positions.device)
    if cell is None:
        return edges, None
    return edges, torch.from_numpy(shifts[order]).to(positions)


def _pairs(x: np.ndarray, radius: float, cell: np.ndarray | None, loop: bool):
    """Numbers of neighbours and points of one cloud, and the shifts between them."""
    count, n = x.shape
    wraps, images = np.zeros((count, n)), np.zeros((1, n))
    if cell is not None:
        wraps = np.floor(x @ np.linalg.inv(cell)) @ cell  # from the cell at the origin to the point
        # The distance of opposite faces says how many cells the radius reaches.
        reach = np.ceil(radius * np.linalg.norm(np.linalg.inv(cell), axis=0)).astype(int)
        steps = itertools.product(*(range(-k, k + 1) for k in reach))
        images = np.array(list(steps), float) @ cell
    inside = x - wraps
    copies = (images[:, None] + inside).reshape(-1, n)
    near: Any = KDTree(inside).sparse_distance_matrix(KDTree(copies), radius, output_type="ndarray")
    i, image, j = near["i"], near["j"] // count, near["j"] % count
    itself = (i == j) & (images == 0).all(axis=1)[image]
    kept = slice(None) if loop else ~itself
    i, j, image = i[kept], j[kept], image[kept]
    return j, i, images[image] + wraps[i] - wraps[j]
