"""How the kernels of csrc/cuda/edge_sum.cu and edge_sum_gradients.cu are launched.

In: the arguments of the operators of ``edge_sums``. Out: their results.
"""

import ctypes
import functools

import torch
from torch import Tensor

from equinet.ops.edge_plan import (
    EdgeGradients,
    EdgePlan,
    EdgeSum,
    Path,
    edge_order,
    edge_plan_of,
)
from equinet.ops.example_tables import integers
from equinet.ops.native import cuda

WARP, EIGHT, WARPS, MAX_PATHS = 32, 8, 4, 48  # kWarp, kEight, kWarps and kMaxPaths of the kernels
PART, PARTS = 64, 64  # edges of a part of the gradient by W, if there are no more parts than that

Structure = ctypes.Array[ctypes.c_longlong]
X, KERNELS, HIDDEN, WEIGHTS, SUM = range(5)  # results: the gradients by the four factors, and z
NAMES = ("edge_sum", "edge_kernels", "edge_hidden", "edge_weights", "edge_sum")


def edge_sum(x: Tensor, plan: EdgeSum) -> Tensor:
    """The sum (G1) or (G3).

    Args:
        x: what is summed.
        plan: all else.
    Returns:
        z.
    """
    out = x.new_empty(plan.targets, edge_plan_of(plan.numbers).sizes[3] * plan.copies)
    factors = x.contiguous(), plan.kernels.contiguous(), plan.hidden.contiguous()
    graph = plan.edges.contiguous(), plan.order.contiguous(), plan.target_starts.contiguous()
    weights = None if plan.weights is None else plan.weights.contiguous()
    _launch(SUM, plan, (0, *factors, weights, out, *graph))
    return out


def gradients(v: Tensor, plan: EdgeGradients) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The gradients of <v, z> (G2).

    Args:
        v: what they are linear in.
        plan: all else.
    Returns:
        Those by x, K, h and W; what is not wanted is empty.
    """
    v, x, kernels, hidden = (one.contiguous() for one in (v, *plan[:3]))
    graph = plan.edges.contiguous(), plan.order.contiguous(), plan.source_starts.contiguous()
    weights = None if plan.weights is None else plan.weights.contiguous()
    given, edges, wanted = plan.sum, graph[0], plan.wanted
    to_x, to_kernels, to_hidden, to_weights = (
        v.new_empty(0) if one is None or i not in wanted else torch.zeros_like(one)
        for i, one in enumerate((x, kernels, hidden, weights))
    )  # the kernels add to the first three
    if X in wanted:
        _launch(X, given, (1, v, kernels, hidden, weights, to_x, *graph))
    if KERNELS in wanted:
        _launch(KERNELS, given, (v, x, hidden, weights, to_kernels, edges))
    if HIDDEN in wanted:
        turned = None if weights is None else weights.mT.contiguous()
        _launch(HIDDEN, given, (v, x, kernels, turned, to_hidden, edges))
    if WEIGHTS in wanted:
        parts = to_weights.new_empty(_parts(given), *to_weights.shape)
        _launch(WEIGHTS, given, (v, x, kernels, hidden, parts, edges, len(parts)))
        to_weights = parts.sum(0)
    return to_x, to_kernels, to_hidden, to_weights


def fits(x: Tensor, plan: EdgeSum) -> bool:
    """Whether the kernel of the sum can be launched.

    Args:
        x: what is summed.
        plan: all else.
    Returns:
        Whether all grids are within the limits of every GPU.
    """
    return all(cuda.fits(*grid) for grid, _ in _launches(SUM, plan))


def gradients_fit(v: Tensor, plan: EdgeGradients) -> bool:
    """Whether the kernels of the gradients can be launched.

    Args:
        v: what they are linear in.
        plan: all else.
    Returns:
        Whether all grids are within the limits of every GPU.
    """
    launches = (launch for result in plan.wanted for launch in _launches(result, plan.sum))
    return all(cuda.fits(*grid) for grid, _ in launches)


def _launch(result: int, plan: EdgeSum, arguments: tuple[cuda.Argument, ...]) -> None:
    """Launch the kernel of a result, for some of the paths after the others."""
    like, sizes = plan.hidden, (len(plan.source_starts) - 1, plan.targets, *plan.hidden.shape)
    for grid, table in _launches(result, plan):
        if all(grid):
            index, block = like.device.index, (WARP * WARPS,)
            cuda.launch(NAMES[result], like.dtype, index, grid, block, *arguments, table, *sizes)


def _launches(result: int, plan: EdgeSum) -> list[tuple[tuple[int, ...], Structure]]:
    """The grid and the paths of each launch."""
    alone = plan.hidden.shape[1] if plan.weights is None else None
    tables = _tables(tuple(plan.numbers), result == X, alone)
    return [(_grid(result, plan, paths), table) for paths, table in tables]


def _grid(result: int, plan: EdgeSum, paths: list[Path]) -> tuple[int, ...]:
    """Blocks of warps for points, edges or parts, for paths, and for tiles of all else."""
    count, features = plan.hidden.shape
    blocks, groups = -(count // -(EIGHT * WARPS)), -(features // -WARP)
    tiles = [-(path.channels // -WARP) for path in paths]
    if result == KERNELS:
        return blocks, len(paths)
    if result == HIDDEN:
        return blocks, groups
    if result == WEIGHTS:
        return -(_parts(plan) // -WARPS), len(paths), max(tiles) * groups
    points = plan.targets if result == SUM else len(plan.source_starts) - 1
    dims = [path.dim_out if result == SUM else path.dim_in for path in paths]
    most = max(n * -(dim // -EIGHT) for n, dim in zip(tiles, dims, strict=True))
    return -(points // -WARPS), len(paths), most


def _parts(plan: EdgeSum) -> int:
    """Runs of edges that have a part of the gradient by W each."""
    return min(PARTS, -(plan.hidden.shape[0] // -PART))


# --- what the kernels know of a plan --------------------------------------------------------------


@functools.lru_cache(256)
def _tables(
    numbers: tuple[int, ...], by_block: bool, features: int | None
) -> list[tuple[list[Path], Structure]]:
    """Paths as they are, and as the structure ``EdgePaths`` of csrc/cuda/edge_sum.cu.

    They are as many as a launch takes, those from a block beside each other.
    """
    plan = edge_plan_of(numbers)
    x_width, entries, columns, z_width = plan.sizes
    if features is not None:
        columns, z_width = 0, z_width * features
    placed = _placed(plan, features)
    if by_block:
        placed.sort(key=lambda one: one[0].into)
    found = []
    for start in range(0, len(placed), MAX_PATHS):
        some = placed[start : start + MAX_PATHS]
        values = [len(some), x_width, z_width, entries, columns]
        for path, place in some:
            values += [path.channels, path.dim_out, path.dim_in]
            values += [path.into, path.kernel, path.weight, *place]
        values += [0] * (9 * (MAX_PATHS - len(some)))
        found.append(([path for path, _ in some], (ctypes.c_longlong * len(values))(*values)))
    return found


def _placed(plan: EdgePlan, features: int | None) -> list[tuple[Path, tuple[int, int, int]]]:
    """Paths, where each starts in a row of z, and how far its channels and components are apart.

    Without W each is there for every feature, which is its weight.
    """
    found, places, start = [], iter(plan.places), 0
    for dim, many in plan.results:
        wide = sum(many)
        step, at = wide if features is None else wide * features, start
        for channels in many:
            path = next(places)
            if features is None:
                found.append((path, (at, 1, step)))
            for f in range(features or 0):
                found.append((path._replace(weight=f), (at + f * wide, 1, step)))
            at += channels
        start += dim * step
    return found


# --- examples -------------------------------------------------------------------------------------


def examples() -> list[tuple[Tensor, EdgeSum]]:
    """Small sums for all that the kernels do.

    Beyond a tile of channels, of a kernel and of features, beyond eight edges of a point and a part
    of the edges, and beyond the paths of a launch, with a point where no edge ends; one without W.
    """
    wide = EdgePlan(((2, 3), (35, 1), (3, 10)), ((0, 1), (1, 9), (2, 3), (0, 3), (1, 1)))
    many = EdgePlan(((1, 1), (2, 2)), tuple((i % 2, 1 + i % 3) for i in range(MAX_PATHS + 3)))
    few = EdgePlan(((35, 1), (2, 10)), ((0, 2), (0, 2), (1, 9)))
    sums = (wide, 5, 70, 34, True), (many, 3, 5, 2, True), (few, 3, 9, 34, False)
    return [_example(*sizes) for sizes in sums]


def _example(
    plan: EdgePlan, points: int, count: int, features: int, weighted: bool
) -> tuple[Tensor, EdgeSum]:
    generator = torch.Generator().manual_seed(0)
    x, kernels, columns, _ = plan.sizes
    shapes = (points, x), (count, kernels), (count, features), (features, columns)
    x, kernels, hidden, weights = (integers(shape, generator) for shape in shapes)
    ends = torch.randint(points, (2, count), generator=generator, device="cpu")
    order = edge_order(ends, points, points + 1)
    return x, EdgeSum(kernels, hidden, weights if weighted else None, *order, plan.numbers())


def gradients_examples() -> list[tuple[Tensor, EdgeGradients]]:
    """The same of the gradients."""
    generator, found = torch.Generator().manual_seed(1), []
    for x, plan in examples():
        shape = plan.targets, edge_plan_of(plan.numbers).sizes[3] * plan.copies
        wanted = [X, KERNELS, HIDDEN] + [WEIGHTS] * (plan.weights is not None)
        found.append((integers(shape, generator), EdgeGradients(x, *plan, wanted)))
    return found
