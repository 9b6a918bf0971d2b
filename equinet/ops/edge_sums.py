r"""The sum over the edges of a graph of vectors that kernels turn and weights scale.

In: vectors at points, kernels and weights along edges. Out: vectors at points.

For each path p from a block of vectors x to vectors z, with a kernel that is the same for all
channels u and weights that are not:

.. math:: z_{ipun} = \sum_{e = (j \to i)} w_{epu} \sum_m K_{epnm}\, x_{jum}, \qquad
          w = h\, W                                                                    \quad (G1)

The weights are a product so that those of all edges never lie in memory: h is the last hidden layer
of a network on edges, W its last matrix. The number E = <v, z> is linear in each of x, K, h, W and
v; its gradients by the first four,

.. math:: (\partial_x, \partial_K, \partial_h, \partial_W)\, E(x, K, h, W, v)          \quad (G2)

are the other operator. A sum of them, each against a direction a, b, c or d, is

.. math:: E(a, K, h, W, v) + E(x, b, h, W, v) + E(x, K, c, W, v) + E(x, K, h, d, v)

so that gradients of (G2) are (G1) and (G2) again: the two are closed under differentiation.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from equinet.ops import edge_sums_gpu
from equinet.ops.edge_plan import EdgeOrder, EdgePlan, Path, check_edges, edge_plan_of, row_sizes
from equinet.ops.example_tables import integers
from equinet.ops.native import library
from equinet.ops.native.checks import check_integers, check_tensor, check_tensors
from equinet.ops.native.operator import Gradients, Operator

Four = tuple[Tensor, Tensor, Tensor, Tensor]


def edge_sum(
    plan: EdgePlan, x: Tensor, kernels: Tensor, hidden: Tensor, weights: Tensor, order: EdgeOrder
) -> Tensor:
    """Sum over the edges that end in each point (G1).

    Args:
        plan: the blocks of x and the paths from them.
        x: ``(sources, components)``; for each block (channels, dim) in a row.
        kernels: ``(edges, entries)``; for each path (dim_out, dim_in) in a row.
        hidden: h, ``(edges, features)``.
        weights: W, ``(features, columns)``; for each path a column for each of its channels.
        order: of the edges, from ``edge_order``.
    Returns:
        ``(targets, components)``; for each path (channels, dim_out) in a row. The sums of a point
        are in the order of its edges, whatever the number of threads.
    Raises:
        ValueError: for tensors of another shape than the plan says, and edges from or to no point.
        TypeError: for what is no plan, no order or no tensor, or tensors of different dtypes or
            devices.
    """
    if not isinstance(plan, EdgePlan):
        raise TypeError(f"edge_sum: plan: expected an EdgePlan, got {type(plan).__name__}")
    check_tensors("edge_sum", x=x, kernels=kernels, hidden=hidden, weights=weights)
    if not isinstance(order, EdgeOrder):
        raise TypeError(f"edge_sum: order: expected an EdgeOrder, got {type(order).__name__}")
    return EDGE_SUM(x, EdgeSum(kernels, hidden, weights, *order, plan.numbers()))


class EdgeSum(NamedTuple):
    """The plan of (G1), as torch takes it.

    Attributes:
        kernels, hidden, weights: as in ``edge_sum``.
        edges, order, source_starts, target_starts: those of an ``EdgeOrder``.
        numbers: those of an ``EdgePlan``.
    """

    kernels: Tensor
    hidden: Tensor
    weights: Tensor
    edges: Tensor
    order: Tensor
    source_starts: Tensor
    target_starts: Tensor
    numbers: Sequence[int]

    @property
    def targets(self) -> int:
        """The number of points where edges may end."""
        return self.target_starts.shape[0] - 1


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
    weights: Tensor
    edges: Tensor
    order: Tensor
    source_starts: Tensor
    target_starts: Tensor
    numbers: Sequence[int]
    wanted: Sequence[int]

    @property
    def factors(self) -> list[Tensor]:
        """x, K, h and W."""
        return [self.x, self.kernels, self.hidden, self.weights]

    @property
    def sum(self) -> EdgeSum:
        """The plan of (G1)."""
        return EdgeSum(*self[1:9])


# --- the references -------------------------------------------------------------------------------


def _reference(x: Tensor, plan: EdgeSum) -> Tensor:
    check_edges("edge_sum", plan.edges, (x.shape[0], plan.targets))
    features, w = x.index_select(0, plan.edges[0]), plan.hidden @ plan.weights
    rows = []
    for path in edge_plan_of(plan.numbers).places:
        kernel, block, scale = _parts(path, plan.kernels, features, w)
        rows.append((torch.einsum("enm,eum->eun", kernel, block) * scale).flatten(1))
    messages = torch.cat(rows, 1)
    zero = messages.new_zeros(plan.targets, messages.shape[1])
    return zero.index_add(0, plan.edges[1], messages)


def _gradients_reference(v: Tensor, plan: EdgeGradients) -> Four:
    (x, kernels, hidden, weights), edges = plan.factors, plan.edges
    check_edges("edge_sum_gradients", edges, (x.shape[0], plan.sum.targets))
    features, v, w = x.index_select(0, edges[0]), v.index_select(0, edges[1]), hidden @ weights
    found = edge_plan_of(plan.numbers)
    to_blocks = [features.new_zeros(features.shape[0], *block) for block in found.blocks]
    to_kernels, to_w = [], []
    for (number, _), path in zip(found.paths, found.places, strict=True):
        kernel, block, scale = _parts(path, kernels, features, w)
        own = v.narrow(1, path.out, path.channels * path.dim_out)
        own = own.unflatten(1, (path.channels, path.dim_out))
        to_w.append((torch.einsum("enm,eum->eun", kernel, block) * own).sum(-1))
        own = own * scale
        to_kernels.append(torch.einsum("eun,eum->enm", own, block).flatten(1))
        to_blocks[number] = to_blocks[number] + torch.einsum("enm,eun->eum", kernel, own)
    to_features = torch.cat([block.flatten(1) for block in to_blocks], 1)
    to_x = to_features.new_zeros(x.shape).index_add(0, edges[0], to_features)
    to_w = torch.cat(to_w, 1)
    all = to_x, torch.cat(to_kernels, 1), to_w @ weights.mT, hidden.mT @ to_w
    a, b, c, d = (one if i in plan.wanted else one.new_empty(0) for i, one in enumerate(all))
    return a, b, c, d


def _parts(path: Path, kernels: Tensor, features: Tensor, w: Tensor) -> tuple[Tensor, ...]:
    """The kernel (e, n, m), the vectors (e, u, m) and the weights (e, u, 1) of a path."""
    channels, dim_out, dim_in = path[:3]
    kernel = kernels.narrow(1, path.kernel, dim_out * dim_in)
    block = features.narrow(1, path.into, channels * dim_in)
    scale = w.narrow(1, path.weight, channels)
    sizes = (dim_out, dim_in), (channels, dim_in)
    return kernel.unflatten(1, sizes[0]), block.unflatten(1, sizes[1]), scale[..., None]


# --- the operators --------------------------------------------------------------------------------


def _check(x: Tensor, plan: EdgeSum) -> None:
    _check_all("edge_sum", x, plan)


def _check_gradients(v: Tensor, plan: EdgeGradients) -> None:
    name, wanted = "edge_sum_gradients", plan.wanted
    if any(place not in range(4) for place in wanted):
        raise ValueError(f"{name}: wanted: expected places from 0 to 3, got {list(wanted)}")
    sizes = _check_all(name, plan.x, plan.sum)
    check_tensor(name, "gradient", v, (plan.sum.targets, sizes[3]), plan.x)


def _check_all(name: str, x: Tensor, plan: EdgeSum) -> tuple[int, int, int, int]:
    """The sizes of the rows, if all is as they say; the numbers of points are not read here."""
    kernels, hidden, weights, edges, order, source_starts, target_starts, numbers = plan
    sizes = _sizes(numbers)
    if sizes is None:
        raise ValueError(
            f"{name}: numbers: expected those of an EdgePlan, got {list(numbers[:12])} ..."
        )
    check_tensor(name, "x", x, (None, sizes[0]))
    check_tensor(name, "kernels", kernels, (None, sizes[1]), x)
    count = kernels.shape[0]
    check_tensor(name, "hidden", hidden, (count, None), x)
    check_tensor(name, "weights", weights, (hidden.shape[1], sizes[2]), x)
    check_integers(name, "edges", edges, (2, count), x)
    check_integers(name, "order", order, (2, count), x)
    check_integers(name, "source_starts", source_starts, (x.shape[0] + 1,), x)
    check_integers(name, "target_starts", target_starts, (None,), x)
    if not target_starts.shape[0]:
        raise ValueError(f"{name}: target_starts: expected at least one number, got none")
    return sizes


def _sizes(numbers: Sequence[int]) -> tuple[int, int, int, int] | None:
    """Those of the rows; a compiler of torch's sees the reference only, and no cache."""
    if torch.compiler.is_compiling():
        return edge_plan_of(numbers).sizes
    return row_sizes(tuple(numbers))


def _fake(x: Tensor, plan: EdgeSum) -> Tensor:
    return x.new_empty(plan.targets, edge_plan_of(plan.numbers).sizes[3])


def _fake_gradients(v: Tensor, plan: EdgeGradients) -> Four:
    a, b, c, d = (
        x.new_empty(x.shape if i in plan.wanted else 0) for i, x in enumerate(plan.factors)
    )
    return a, b, c, d


def _cpu(x: Tensor, plan: EdgeSum) -> Tensor:
    factors = [factor.contiguous() for factor in (x, *plan[:3])]
    graph = (plan.edges.contiguous(), plan.order.contiguous(), plan.target_starts.contiguous())
    out = _fake(x, plan)
    library.call("edge_sum", x.dtype, *factors, out, *graph, *_counts(x, plan))
    return out


def _gradients_cpu(v: Tensor, plan: EdgeGradients) -> Four:
    factors = [factor.contiguous() for factor in (v, *plan.factors)]
    graph = (plan.edges.contiguous(), plan.order.contiguous(), plan.source_starts.contiguous())
    found = _fake_gradients(v, plan)
    outs = [one if i in plan.wanted else None for i, one in enumerate(found)]
    counts = _counts(plan.x, plan.sum)
    library.call("edge_sum_gradients", v.dtype, *factors, *outs, *graph, *counts)
    return found


def _gpu(x: Tensor, plan: EdgeSum) -> Tensor:
    return edge_sums_gpu.edge_sum(plan.numbers, *_dense(x, plan))


def _gradients_gpu(v: Tensor, plan: EdgeGradients) -> Four:
    factors, order = _dense(plan.x, plan.sum)
    return edge_sums_gpu.gradients(plan.numbers, v.contiguous(), factors, order, plan.wanted)


def _dense(x: Tensor, plan: EdgeSum) -> tuple[edge_sums_gpu.Factors, EdgeOrder]:
    """The factors and the graph, contiguous."""
    x, *rest = (tensor.contiguous() for tensor in (x, *plan[:7]))
    return edge_sums_gpu.Factors(x, *rest[:3]), EdgeOrder(*rest[3:])


def _fits(x: Tensor, plan: EdgeSum) -> bool:
    sizes = edge_sums_gpu.sizes_of(EdgeOrder(*plan[3:7]), plan.hidden)
    return edge_sums_gpu.fits([edge_sums_gpu.SUM], plan.numbers, sizes)


def _gradients_fit(v: Tensor, plan: EdgeGradients) -> bool:
    sizes = edge_sums_gpu.sizes_of(EdgeOrder(*plan[4:8]), plan.hidden)
    return edge_sums_gpu.fits(plan.wanted, plan.numbers, sizes)


def _examples() -> list[tuple[Tensor, EdgeSum]]:
    return [
        (factors.x, EdgeSum(*factors[1:], *order, plan.numbers()))
        for plan, factors, order in edge_sums_gpu.examples()
    ]


def _gradients_examples() -> list[tuple[Tensor, EdgeGradients]]:
    found = []
    for x, plan in _examples():
        shape = plan.targets, edge_plan_of(plan.numbers).sizes[3]
        v = integers(shape, torch.Generator().manual_seed(0))
        found.append((v, EdgeGradients(x, *plan, list(range(4)))))
    return found


def _counts(x: Tensor, plan: EdgeSum) -> tuple[Sequence[int], int, int, int, int, int]:
    """The numbers of the plan, of its paths, sources, targets, edges and features of an edge."""
    numbers = tuple(plan.numbers)
    paths = len(numbers) // 2 - numbers[0]
    count, features = plan.hidden.shape
    return numbers, paths, x.shape[0], plan.targets, count, features


EDGE_SUM = Operator(
    "edge_sum(Tensor x, Tensor kernels, Tensor hidden, Tensor weights, Tensor edges, Tensor order, "
    "Tensor source_starts, Tensor target_starts, int[] numbers) -> Tensor",
    EdgeSum,
    reference=_reference,
    fake=_fake,
    check=_check,
    cpu=_cpu,
    gpu=_gpu,
    fits=_fits,
    examples=_examples,
)
GRADIENTS = Operator(
    "edge_sum_gradients(Tensor gradient, Tensor x, Tensor kernels, Tensor hidden, Tensor weights, "
    "Tensor edges, Tensor order, Tensor source_starts, Tensor target_starts, int[] numbers, "
    "int[] wanted) -> (Tensor, Tensor, Tensor, Tensor)",
    EdgeGradients,
    reference=_gradients_reference,
    fake=_fake_gradients,
    check=_check_gradients,
    cpu=_gradients_cpu,
    gpu=_gradients_gpu,
    fits=_gradients_fit,
    examples=_gradients_examples,
)


# --- their derivatives ----------------------------------------------------------------------------


def _gradients(needed: Sequence[bool], v: Tensor, x: Tensor, plan: EdgeSum) -> Gradients:
    wanted = [i for i in range(4) if needed[i]]
    found = GRADIENTS(v, EdgeGradients(x, *plan, wanted))
    return tuple(one if i in wanted else None for i, one in enumerate(found))


def _second_gradients(
    needed: Sequence[bool], directions: tuple[Tensor | None, ...], v: Tensor, plan: EdgeGradients
) -> Gradients:
    """Those of E with a direction in place of the factor that it belongs to, added up."""
    total: list[Tensor | None] = [None] * 5

    def add(place: int, found: Tensor) -> None:
        before = total[place]
        total[place] = found if before is None else before + found

    for i, direction in enumerate(directions):
        if direction is None or i not in plan.wanted:
            continue
        factors = plan.factors
        factors[i] = direction
        x, kernels, hidden, weights = factors
        given = EdgeSum(kernels, hidden, weights, *plan[4:9])
        wanted = [j for j in range(4) if j != i and needed[j + 1]]
        if needed[0]:
            add(0, EDGE_SUM(x, given))
        found = GRADIENTS(v, EdgeGradients(x, *given, wanted)) if wanted else ()
        for j in wanted:
            add(j + 1, found[j])
    return tuple(total)


EDGE_SUM.differentiate(_gradients)
GRADIENTS.differentiate(_second_gradients)


@register_flop_formula(EDGE_SUM.overload.overloadpacket)
def _flops(
    x_shape: Sequence[int],
    kernels_shape: Sequence[int],
    hidden_shape: Sequence[int],
    weights_shape: Sequence[int],
    *rest: Sequence[int],
    **__: object,
) -> int:
    """Those of the products of the reference, for torch's counter."""
    edges, features = hidden_shape
    places = edge_plan_of(rest[4]).places
    turned = sum(path.channels * path.dim_out * path.dim_in for path in places)
    return 2 * edges * (features * weights_shape[1] + turned)
