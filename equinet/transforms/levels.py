"""Coarser levels of a cloud, and the graphs that lead from one level to the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor

from equinet.field.graph import Graph
from equinet.numerics.arguments import check_integer, check_number
from equinet.numerics.values import check_numbers, check_real
from equinet.ops.pair_search import MOST
from equinet.transforms.clouds import padded
from equinet.transforms.neighbour_lists import Axes, radius_graph

_FAR = 2**40  # voxels from the origin
_ROUNDING = 1e-9  # of a number of points
_CLOUD = "the number of the cloud of each point"


def farthest_points(
    positions: Tensor,
    count: int | None = None,
    batch: Tensor | None = None,
    *,
    ratio: float | None = None,
) -> Tensor:
    """Points that are spread evenly, each the farthest from all before it.

    The first is the farthest from the mean of its cloud, so the choice does not depend on the order
    of the points, and moves with them; of points that are equally far the first one is taken.
    Distances are those in open space: in a crystal the choice depends on where its cell begins.
    It is no continuous function of the positions, and jumps as they move; for energies that must
    not, choose once and keep the choice.

    Args:
        positions: ``(points, n)``.
        count: how many to choose from each cloud; of a smaller one all.
        batch: the number of the cloud of each point, int64 ``(points,)``.
        ratio: which part of each cloud to choose, rounded up, in place of ``count``.
    Returns:
        Their numbers, int64 ``(chosen,)``, cloud by cloud in the order of the choice.
    Raises:
        TypeError: if the positions are not real.
        ValueError: if a shape does not fit, a number is not finite or out of range, unless one of
            ``count`` and ``ratio`` is given, and for clouds so unequal that they do not fit into a
            table.

    Example:
        >>> farthest_points(torch.tensor([[0.0], [1.0], [5.0], [9.0]]), 3).tolist()
        [3, 0, 2]
    """
    check_real("positions", positions, ("points", "n"))
    batch, clouds = _clouds("batch", positions, batch)
    if (count is None) == (ratio is None):
        raise ValueError(f"count: expected it or ratio, got {count!r} and {ratio!r}")
    sizes = torch.bincount(batch, minlength=clouds)
    if ratio is not None:
        if check_number(ratio, "ratio", above=0) > 1:
            raise ValueError(f"ratio: expected a number up to 1, got {ratio!r}")
        wanted = (sizes.double() * ratio - _ROUNDING).ceil().long()
    else:
        wanted = sizes.clamp(max=check_integer(count, "count"))
    most = int(sizes.max()) if clouds else 0
    if clouds * most > MOST:
        raise ValueError(
            f"batch: expected clouds for which a table of {MOST:.0e} points is enough, got "
            f"{clouds} of up to {most}"
        )
    number = torch.arange(len(positions), device=positions.device)[:, None]
    chosen = _spread(padded(positions.detach().double(), batch, clouds), sizes, wanted)
    first = torch.arange(chosen.shape[1], device=chosen.device) < wanted[:, None]
    return padded(number, batch, clouds)[..., 0].gather(1, chosen)[first]


def _spread(x: Tensor, sizes: Tensor, wanted: Tensor) -> Tensor:
    """Which of ``(clouds, most, n)`` points are chosen, ``(clouds, most wanted)``."""
    inside = torch.arange(x.shape[1], device=x.device) < sizes[:, None]
    mean = x.sum(1, keepdim=True) / sizes.clamp(min=1)[:, None, None]
    distance = (x - mean).square().sum(2).masked_fill(~inside, -1.0)
    nearest = distance.new_full(distance.shape, torch.inf).masked_fill(~inside, -1.0)
    chosen = []
    for _ in range(int(wanted.max()) if len(wanted) else 0):
        best = distance.argmax(1, keepdim=True)
        chosen.append(best)
        here = x.gather(1, best[:, :, None].expand(-1, 1, x.shape[2]))
        nearest = torch.minimum(nearest, (x - here).square().sum(2)).scatter(1, best, -1.0)
        distance = nearest
    return torch.cat(chosen, 1) if chosen else sizes.new_zeros(len(sizes), 0)


def voxel_points(
    positions: Tensor, size: float, batch: Tensor | None = None
) -> tuple[Tensor, Graph]:
    """One point for each voxel of a grid that has any: their mean.

    The grid stays as it is when points move, so a network with such a level is equivariant as far
    as means do not depend on the grid; with ``farthest_points`` it is exactly so.

    Args:
        positions: ``(points, n)``.
        size: the edge of a voxel; one of them has its corner at the origin.
        batch: the number of the cloud of each point, int64 ``(points,)``.
    Returns:
        The means, ``(voxels, n)``, differentiable, sorted by cloud and by voxel; and the graph that
        leads from every point to its voxel, along which ``enn.PointPool`` takes means of fields.
    Raises:
        TypeError: if the positions are not real.
        ValueError: if a shape does not fit, or a number is not finite or out of range.

    Example:
        >>> means, graph = voxel_points(torch.tensor([[0.1], [0.3], [1.7]]), 1.0)
        >>> means.tolist(), graph.edges.tolist()
        ([[0.20000000298023224], [1.7000000476837158]], [[0, 1, 2], [0, 0, 1]])
    """
    check_real("positions", positions, ("points", "n"))
    check_number(size, "size", above=0)
    cloud, clouds = _clouds("batch", positions, batch)
    steps = (positions.detach().double() / size).floor()
    if not (steps.abs() < _FAR).all():
        raise ValueError(f"size: expected one with at most {_FAR:.0e} voxels in a row, got {size}")
    voxels, voxel = torch.unique(
        torch.cat([cloud[:, None], steps.long()], 1), dim=0, return_inverse=True
    )
    order = voxel.argsort(stable=True)
    sums = positions.new_zeros(len(voxels), positions.shape[1]).index_add(0, voxel, positions)
    graph = Graph(
        torch.stack([order, voxel[order]]),
        len(voxels),
        cloud=None if batch is None else voxels[:, 0].contiguous(),
        clouds=clouds,
        sources=len(positions),
    )
    return sums / torch.bincount(voxel, minlength=len(voxels))[:, None], graph


def neighbour_graph(
    sources: Tensor,
    targets: Tensor,
    radius: float | None = None,
    *,
    count: int | None = None,
    source_batch: Tensor | None = None,
    target_batch: Tensor | None = None,
    cell: Tensor | None = None,
    pbc: Axes | None = None,
) -> Graph:
    """For each point of one level its neighbours among the points of another.

    Args:
        sources: where edges start, ``(sources, n)``.
        targets: where they end, ``(targets, n)``.
        radius: the largest distance; or
        count: the number of nearest sources, in open space; of equally far ones any.
        source_batch: the number of the cloud of each source, int64 ``(sources,)``.
        target_batch: that of each target.
        cell: the vectors after which space repeats, as in ``radius_graph``.
        pbc: the axes along which it does, as in ``radius_graph``.
    Returns:
        A graph with ``points`` targets and ``sources``, whose edges are sorted by target, source
        and cell.
    Raises:
        TypeError: if positions or the cell are not real, or of two dtypes.
        ValueError: unless one of ``radius`` and ``count`` is given, if a shape does not fit, or a
            number is not finite or out of range.

    Example:
        >>> graph = neighbour_graph(torch.tensor([[0.0], [1.0], [4.0]]), torch.tensor([[3.0]]), 2.5)
        >>> graph.edges.tolist(), graph
        ([[1, 2], [0, 0]], Graph(points=1, edges=2, sources=3))
    """
    _check_levels(sources, targets, source_batch, target_batch)
    if radius is not None and count is None:
        return _within(sources, targets, radius, source_batch, target_batch, cell, pbc)
    if radius is not None or count is None:
        raise ValueError(f"radius: expected it or count, got {radius!r} and {count!r}")
    if cell is not None or pbc not in (None, False):
        raise ValueError("cell: expected None with count, as it is in open space")
    check_integer(count, "count", most=MOST // max(len(targets), 1))
    x, y = (level.detach().double().cpu().numpy() for level in (sources, targets))
    source_cloud, some = _clouds("source_batch", sources, source_batch)
    cloud, others = _clouds("target_batch", targets, target_batch)
    clouds, found = max(some, others), [np.zeros((2, 0), np.int64)]
    for own, here in zip(_members(source_cloud, clouds), _members(cloud, clouds), strict=True):
        if len(own) and len(here):
            found.append(_nearest(x[own], y[here], count, own, here))
    edges = np.concatenate(found, 1)
    edges = torch.from_numpy(edges[:, np.lexsort(edges)]).to(targets.device)
    return Graph(edges, len(targets), cloud=target_batch, clouds=clouds, sources=len(sources))


def _within(
    sources: Tensor,
    targets: Tensor,
    radius: float,
    source_batch: Tensor | None,
    target_batch: Tensor | None,
    cell: Tensor | None,
    pbc: Axes | None,
) -> Graph:
    """Of all pairs of sources and targets together, those from the ones to the others."""
    batch = None
    if source_batch is not None and target_batch is not None:
        batch = torch.cat([target_batch, source_batch])
    graph = radius_graph(torch.cat([targets, sources]), radius, batch, cell=cell, pbc=pbc)
    between = (graph.edges[0] >= len(targets)) & (graph.edges[1] < len(targets))
    start = graph.edges.new_tensor([[len(targets)], [0]])
    return Graph(
        graph.edges[:, between] - start,
        len(targets),
        cells=None if graph.cells is None else graph.cells[between],
        cell=graph.cell,
        pbc=graph.pbc,
        clouds=graph.clouds,
        cloud=target_batch,
        sources=len(sources),
    )


def _nearest(
    x: np.ndarray, y: np.ndarray, count: int, own: np.ndarray, here: np.ndarray
) -> np.ndarray:
    """Edges from the nearest x, of the numbers ``own``, to each y, of the numbers ``here``."""
    count = min(count, len(x))
    nearest: Any = np.arange(1, count + 1)  # SciPy takes a list too, its annotation does not
    _, found = KDTree(x).query(y, nearest)
    return np.stack([own[found.ravel()], here.repeat(count)])


def _members(cloud: Tensor, clouds: int) -> list[np.ndarray]:
    """The numbers of the points of each cloud."""
    order = cloud.argsort(stable=True).cpu().numpy()
    ends = torch.bincount(cloud, minlength=clouds).cumsum(0).cpu().numpy()
    return np.split(order, ends[:-1])


def _clouds(name: str, positions: Tensor, batch: Tensor | None) -> tuple[Tensor, int]:
    """The number of the cloud of each point, checked, and how many there are."""
    count = positions.shape[0]
    if batch is None:
        return torch.zeros(count, dtype=torch.int64, device=positions.device), 1
    check_numbers(name, batch, _CLOUD, (count,), positions)
    return batch, int(batch.max()) + 1 if len(batch) else 0


def _check_levels(
    sources: Tensor, targets: Tensor, source_batch: Tensor | None, target_batch: Tensor | None
) -> None:
    """Raise unless these are points of one space, and clouds of both or of none."""
    check_real("sources", sources, ("sources", "n"))
    check_real("targets", targets, ("targets", sources.shape[1]))
    if targets.dtype != sources.dtype:
        raise TypeError(f"targets: expected {sources.dtype} as the sources, got {targets.dtype}")
    if targets.device != sources.device:
        raise ValueError(f"targets: expected a tensor on {sources.device}, got {targets.device}")
    if (source_batch is None) != (target_batch is None):
        raise ValueError("target_batch: expected it with source_batch, and not without")
    for name, batch, level in (
        ("source_batch", source_batch, sources),
        ("target_batch", target_batch, targets),
    ):
        if batch is not None:
            check_numbers(name, batch, _CLOUD, level.shape[:1], level)
