"""How the kernels of csrc/cuda/edge_sum.cu are launched.

In: the factors of ``edge_sums`` in contiguous memory. Out: the sum, or its gradients.
"""

import ctypes
import functools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from equinet.ops.edge_plan import EdgeOrder, EdgePlan, Path, edge_order, edge_plan_of
from equinet.ops.example_tables import integers
from equinet.ops.native import cuda

WARP, EIGHT, WARPS, MAX_PATHS = 32, 8, 4, 48  # kWarp, kEight, kWarps and kMaxPaths of the kernels
PART, PARTS = 64, 64  # edges of a part of the gradient by W, if there are no more parts than that

X, KERNELS, HIDDEN, WEIGHTS, SUM = range(5)  # results: the gradients by the four factors, and z
NAMES = ("edge_sum", "edge_kernels", "edge_hidden", "edge_weights", "edge_sum")


class Factors(NamedTuple):
    """What a sum over edges is linear in, but for v.

    Attributes:
        x: ``(sources, components)``.
        kernels: ``(edges, entries)``.
        hidden: ``(edges, features)``.
        weights: ``(features, columns)``.
    """

    x: Tensor
    kernels: Tensor
    hidden: Tensor
    weights: Tensor


class Sizes(NamedTuple):
    """Of a graph and the hidden layer on its edges, as the kernels take them."""

    sources: int
    targets: int
    edges: int
    features: int

    @property
    def parts(self) -> int:
        """Runs of edges that make a part of the gradient by W each."""
        return min(PARTS, -(self.edges // -PART))


def sizes_of(order: EdgeOrder, hidden: Tensor) -> Sizes:
    """The sizes of arguments.

    Args:
        order: of the edges.
        hidden: h, ``(edges, features)``.
    Returns:
        The numbers of sources, targets, edges and features.
    """
    return Sizes(len(order.source_starts) - 1, len(order.target_starts) - 1, *hidden.shape)


def fits(results: Iterable[int], numbers: Sequence[int], sizes: Sizes) -> bool:
    """Whether the kernels can be launched.

    Args:
        results: ``SUM``, or the places of gradients.
        numbers: of the plan.
        sizes: of the graph and the features.
    Returns:
        Whether all grids are within the limits of every GPU.
    """
    return all(
        cuda.fits(*_grid(result, table.paths, sizes))
        for result in results
        for table in _tables(tuple(numbers), result == X)
    )


def edge_sum(numbers: Sequence[int], factors: Factors, order: EdgeOrder) -> Tensor:
    """The sum (G1).

    Args:
        numbers: of the plan.
        factors: x, K, h and W.
        order: of the edges.
    Returns:
        z, ``(targets, components)``.
    """
    sizes = sizes_of(order, factors.hidden)
    out = factors.x.new_empty(sizes.targets, edge_plan_of(numbers).sizes[3])
    graph = order.edges, order.order, order.target_starts
    _launch(SUM, numbers, sizes, out, (0, *factors, out, *graph))
    return out


def gradients(
    numbers: Sequence[int], v: Tensor, factors: Factors, order: EdgeOrder, wanted: Sequence[int]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The gradients of <v, z> (G2).

    Args:
        numbers: of the plan.
        v: ``(targets, components)``.
        factors: x, K, h and W.
        order: of the edges.
        wanted: places of the gradients that are wanted.
    Returns:
        Those by the four factors; the others are empty.
    """
    (x, kernels, hidden, weights), edges = factors, order.edges
    sizes = sizes_of(order, hidden)
    to_x, to_kernels, to_hidden, to_weights = (v.new_empty(0) for _ in range(4))
    if X in wanted:
        to_x = torch.zeros_like(x)  # to which is added
        given = (1, v, kernels, hidden, weights, to_x, edges, order.order, order.source_starts)
        _launch(X, numbers, sizes, v, given)
    if KERNELS in wanted:
        to_kernels = torch.empty_like(kernels)
        _launch(KERNELS, numbers, sizes, v, (v, x, hidden, weights, to_kernels, edges))
    if HIDDEN in wanted:
        to_hidden = torch.zeros_like(hidden)  # to which is added
        turned = weights.mT.contiguous()
        _launch(HIDDEN, numbers, sizes, v, (v, x, kernels, turned, to_hidden, edges))
    if WEIGHTS in wanted:
        parts = weights.new_empty(sizes.parts, *weights.shape)
        _launch(WEIGHTS, numbers, sizes, v, (v, x, kernels, hidden, parts, edges, sizes.parts))
        to_weights = parts.sum(0)
    return to_x, to_kernels, to_hidden, to_weights


def _launch(
    result: int,
    numbers: Sequence[int],
    sizes: Sizes,
    like: Tensor,
    arguments: tuple[cuda.Argument, ...],
) -> None:
    """Launch the kernel of a result for some of the paths after the others."""
    for table in _tables(tuple(numbers), result == X):
        grid = _grid(result, table.paths, sizes)
        if all(grid):
            given = (*arguments, table.values, *sizes)
            index, block = like.device.index, (WARP * WARPS,)
            cuda.launch(NAMES[result], like.dtype, index, grid, block, *given)


def _grid(result: int, paths: Sequence[Path], sizes: Sizes) -> tuple[int, ...]:
    """Blocks of warps: for points, edges or parts, for paths, and for tiles of channels."""
    warps = sizes.parts if result == WEIGHTS else -(sizes.edges // -EIGHT)
    features = -(sizes.features // -WARP)
    if result in (SUM, X):
        warps = sizes.sources if result == X else sizes.targets
        dims = [path.dim_in if result == X else path.dim_out for path in paths]
        groups = [-(dim // -EIGHT) for dim in dims]
    else:
        groups = [features] * len(paths)
    blocks = -(warps // -WARPS)
    if result == KERNELS:
        return blocks, len(paths)
    if result == HIDDEN:
        return blocks, features
    tiles = (-(path.channels // -WARP) for path in paths)
    return blocks, len(paths), max(n * m for n, m in zip(tiles, groups, strict=True))


# --- what the kernels know of a plan --------------------------------------------------------------


class Table(NamedTuple):
    """Some paths of a plan.

    Attributes:
        paths: with their sizes.
        values: the structure ``EdgePaths`` of csrc/cuda/edge_sum.cu, filled.
    """

    paths: tuple[Path, ...]
    values: "ctypes.Array[ctypes.c_longlong]"


@functools.lru_cache(256)
def _tables(numbers: tuple[int, ...], by_block: bool) -> tuple[Table, ...]:
    """All paths, as many as a launch takes in each table; those from a block beside each other."""
    plan = edge_plan_of(numbers)
    x_width, entries, columns, z_width = plan.sizes
    paths = list(zip(plan.places, _places_in_z(plan), strict=True))
    if by_block:
        paths.sort(key=lambda path: path[0].into)
    found = []
    for start in range(0, len(paths), MAX_PATHS):
        some = paths[start : start + MAX_PATHS]
        values = [len(some), x_width, z_width, entries, columns]
        for path, place in some:
            values += [path.channels, path.dim_out, path.dim_in]
            values += [path.into, path.kernel, path.weight, *place]
        values += [0] * (9 * (MAX_PATHS - len(some)))
        structure = (ctypes.c_longlong * len(values))(*values)
        found.append(Table(tuple(path for path, _ in some), structure))
    return tuple(found)


def _places_in_z(plan: EdgePlan) -> list[tuple[int, int, int]]:
    """Where in a row of z each path starts, and how far its channels and components are apart."""
    return [(path.out, path.dim_out, 1) for path in plan.places]


# --- examples -------------------------------------------------------------------------------------


def examples() -> list[tuple[EdgePlan, Factors, EdgeOrder]]:
    """Small sums for all that the kernels do.

    Beyond a tile of channels, of a kernel and of features, beyond eight edges of a point and a part
    of the edges, and beyond the paths of a launch, with a point where no edge ends.
    """
    wide = EdgePlan(((2, 3), (35, 1), (3, 10)), ((0, 1), (1, 9), (2, 3), (0, 3), (1, 1)))
    many = EdgePlan(((1, 1), (2, 2)), tuple((i % 2, 1 + i % 3) for i in range(MAX_PATHS + 3)))
    found = []
    for plan, points, count, features in (wide, 5, 70, 34), (many, 3, 5, 2):
        generator = torch.Generator().manual_seed(0)
        x, kernels, weights, _ = plan.sizes
        shapes = (points, x), (count, kernels), (count, features), (features, weights)
        factors = Factors(*(integers(shape, generator) for shape in shapes))
        ends = torch.randint(points, (2, count), generator=generator, device="cpu")
        found.append((plan, factors, edge_order(ends, points, points + 1)))
    return found
