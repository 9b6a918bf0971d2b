"""What a sum over edges is made of: paths between blocks of channels, and edges in two orders.

In: sizes, and the edges of a graph. Out: an ``EdgePlan`` and an ``EdgeOrder``; of both and factors
``EdgeSum`` and ``EdgeGradients``, what the operators of ``edge_sums`` take besides x and v.
"""

import functools
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from equinet.ops.native.checks import check_counts, check_integers, check_tensors


class Path(NamedTuple):
    """One path, and where its numbers start in rows of each tensor.

    Attributes:
        channels, dim_out, dim_in: sizes.
        into: the first component in a row of x.
        kernel: the first entry in a row of the kernels.
        weight: the first column of the weights.
    """

    channels: int
    dim_out: int
    dim_in: int
    into: int
    kernel: int
    weight: int


class EdgePlan(NamedTuple):
    """Blocks of vectors at the sources of edges, and the paths that each takes to the targets.

    Attributes:
        blocks: (channels, dim) of each block of the input; a row has all components of its first
            channel first.
        paths: (number of a block, dim of the vectors that it becomes) for each path. Those that
            follow each other and have one dim share a block of the result.
    """

    blocks: tuple[tuple[int, int], ...]
    paths: tuple[tuple[int, int], ...]

    @property
    def places(self) -> list[Path]:
        """The paths with all their sizes."""
        starts, found = [0], []
        for channels, dim in self.blocks:
            starts.append(starts[-1] + channels * dim)
        kernel = weight = 0
        for block, dim_out in self.paths:
            channels, dim_in = self.blocks[block]
            found.append(Path(channels, dim_out, dim_in, starts[block], kernel, weight))
            kernel, weight = kernel + dim_out * dim_in, weight + channels
        return found

    @property
    def results(self) -> list[tuple[int, list[int]]]:
        """The dim of each block of the result, and the channels of each of its paths."""
        runs = itertools.groupby(self.paths, key=lambda path: path[1])
        return [(dim, [self.blocks[block][0] for block, _ in paths]) for dim, paths in runs]

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """The length of a row of x, of the kernels, of the weights and of the result."""
        places = self.places
        return (
            sum(channels * dim for channels, dim in self.blocks),
            sum(path.dim_out * path.dim_in for path in places),
            sum(path.channels for path in places),
            sum(path.dim_out * path.channels for path in places),
        )

    def numbers(self) -> list[int]:
        """The plan as a list, which the operator takes."""
        return [len(self.blocks), *(n for pair in self.blocks + self.paths for n in pair)]


def edge_plan_of(numbers: Sequence[int]) -> EdgePlan:
    """The plan of which ``numbers`` are."""
    pairs = tuple(zip(numbers[1::2], numbers[2::2], strict=True))
    return EdgePlan(pairs[: numbers[0]], pairs[numbers[0] :])


@functools.lru_cache(1024)  # asked at each call
def row_sizes(numbers: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """``EdgePlan.sizes`` of the plan of which ``numbers`` are, None if they are of none.

    Compiled code that is handed other numbers reads and writes outside of its arrays.
    """
    if len(numbers) % 2 == 0 or not 1 <= numbers[0] < len(numbers) // 2:
        return None
    plan = edge_plan_of(numbers)
    sizes = [n for block in plan.blocks for n in block] + [dim for _, dim in plan.paths]
    inside = all(0 <= block < len(plan.blocks) for block, _ in plan.paths)
    return plan.sizes if inside and 1 <= min(sizes) and max(sizes) <= 2**20 else None


class EdgeOrder(NamedTuple):
    """Edges, and the two orders in which they are summed: see ``edge_order``, which makes it.

    Attributes:
        edges: int64 ``(2, count)``, the source and the target of each edge.
        order: int64 ``(2, count)``, the numbers of the edges sorted by source, and by target.
        source_starts: int64 ``(sources + 1,)``, where in their order the edges of each source
            start, and at last their number.
        target_starts: int64 ``(targets + 1,)``, the same for the targets.
    """

    edges: Tensor
    order: Tensor
    source_starts: Tensor
    target_starts: Tensor


def edge_order(
    edges: Tensor, sources: int, targets: int | None = None, order: Tensor | None = None
) -> EdgeOrder:
    """Sort edges, once for all sums over them.

    Args:
        edges: int64 ``(2, count)``, in any order: the source and the target of each.
        sources: the number of points where edges may start.
        targets: the number of points where they may end, by default the same.
        order: where the edges stand that are sorted by source and, in the second row, by target,
            int64 ``(2, count)``, if that is known, as in an ordered ``transforms.Graph``.
    Returns:
        What ``edge_sum`` takes; edges with the same end keep their order. On a GPU the check of the
        numbers waits for them; while torch traces there is none.
    Raises:
        TypeError: if ``edges`` is no tensor of int64, or a number of points is no integer.
        ValueError: for another shape, and for a number that is not one of a point. A sum over the
            edges refuses an order that is none of them.

    Example:
        >>> edge_order(torch.tensor([[1, 0, 1], [2, 1, 0]]), 3).order.tolist()
        [[1, 0, 2], [2, 1, 0]]
    """
    counts = sources, sources if targets is None else targets
    check_counts("edge_order", "sources", counts[:1])
    check_counts("edge_order", "targets", counts[1:])
    check_edges("edge_order", edges, counts)
    if order is not None:
        check_integers("edge_order", "order", order, (2, edges.shape[1]), edges)
    return sorted_edges(edges, sources, targets, order)


def sorted_edges(
    edges: Tensor, sources: int, targets: int | None, order: Tensor | None
) -> EdgeOrder:
    """``edge_order`` of what is known to be edges.

    Args:
        edges: as there.
        sources: as there.
        targets: as there.
        order: as there.
    Returns:
        What ``edge_sum`` takes.
    """
    edges = edges.contiguous()
    order = edges.argsort(dim=1, stable=True) if order is None else order
    ends = edges.gather(1, order)
    if targets is None:
        points = torch.arange(sources + 1, device=edges.device).repeat(2, 1)
        starts = torch.searchsorted(ends, points).unbind()
    else:
        counts = zip(ends, (sources, targets), strict=True)
        starts = [_starts(row, count) for row, count in counts]
    return EdgeOrder(edges, order, *starts)


def _starts(ends: Tensor, count: int) -> Tensor:
    """Where the edges of each point start, and at last their number."""
    return torch.searchsorted(ends, torch.arange(count + 1, device=ends.device))


class EdgeSum(NamedTuple):
    """The plan of (G1), as torch takes it.

    Attributes:
        kernels, hidden, weights: as in ``edge_sum``.
        edges, order, source_starts, target_starts: those of an ``EdgeOrder``.
        numbers: those of an ``EdgePlan``.
    """

    kernels: Tensor
    hidden: Tensor
    weights: Tensor | None
    edges: Tensor
    order: Tensor
    source_starts: Tensor
    target_starts: Tensor
    numbers: Sequence[int]

    @property
    def targets(self) -> int:
        """The number of points where edges may end."""
        return self.target_starts.shape[0] - 1

    @property
    def copies(self) -> int:
        """How many features of a channel the result has."""
        return self.hidden.shape[1] if self.weights is None else 1


class EdgeGradients(NamedTuple):
    """The plan of (G2), which acts on v.

    Attributes:
        x, kernels, hidden, weights: as in ``edge_sum``.
        edges, order, source_starts, target_starts: those of an ``EdgeOrder``.
        numbers: those of an ``EdgePlan``.
        wanted: places of the gradients that are wanted, 0 to 3; the others are empty.
    """

    x: Tensor
    kernels: Tensor
    hidden: Tensor
    weights: Tensor | None
    edges: Tensor
    order: Tensor
    source_starts: Tensor
    target_starts: Tensor
    numbers: Sequence[int]
    wanted: Sequence[int]

    @property
    def factors(self) -> list[Tensor | None]:
        """x, K, h and W."""
        return [self.x, self.kernels, self.hidden, self.weights]

    @property
    def sum(self) -> EdgeSum:
        """The plan of (G1)."""
        return EdgeSum(*self[1:9])


def check_edges(operator: str, edges: Tensor, counts: tuple[int, int]) -> None:
    """Refuse what are no edges between so many points, as far as their numbers can be read.

    Args:
        operator: its name, for the message.
        edges: the argument.
        counts: the number of sources, and of targets.
    Raises:
        TypeError: if it is no tensor of int64.
        ValueError: for another shape, and for a number out of range.
    """
    check_tensors(operator, edges=edges)
    if edges.dtype != torch.int64 or edges.layout != torch.strided:
        raise TypeError(f"{operator}: edges: expected torch.int64, got {edges.dtype}")
    if edges.dim() != 2 or edges.shape[0] != 2:
        raise ValueError(f"{operator}: edges: expected (2, count), got {tuple(edges.shape)}")
    if not _is_readable(edges) or not edges.numel():
        return
    low, high = torch.stack(torch.aminmax(edges, dim=1)).tolist()
    for end, least, most, count in zip(("source", "target"), low, high, counts, strict=True):
        if least < 0 or most >= count:
            raise ValueError(
                f"{operator}: edges: expected numbers of {count} points as each {end}, from 0 on, "
                f"got {least if least < 0 else most}"
            )


def _is_readable(x: Tensor) -> bool:
    """Whether the numbers may be looked at: not while torch traces or transforms a function."""
    compiling = torch.compiler.is_compiling() or torch.compiler.is_exporting()
    wrapped = torch._C._functorch.is_functorch_wrapped_tensor  # pyright: ignore
    return not compiling and type(x) is Tensor and not x.is_meta and not wrapped(x)
