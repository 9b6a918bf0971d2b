r"""The sum over the edges of a graph of vectors that kernels turn and weights scale.

In: vectors at points, kernels and weights along edges. Out: vectors at points.

For each path p from a block of vectors x to vectors z, with a kernel that is the same for all
channels u and weights that are not:

.. math:: z_{ipun} = \sum_{e = (j \to i)} w_{epu} \sum_m K_{epnm}\, x_{jum}, \qquad
          w = h\, W                                                                    \quad (G1)

The weights are a product so that those of all edges never lie in memory: h is the last hidden layer
of a network on edges, W its last matrix. Without W every feature is a weight for all channels,

.. math:: z_{ipnfu} = \sum_{e = (j \to i)} h_{ef} \sum_m K_{epnm}\, x_{jum}              \quad (G3)

and any W may follow. The number E = <v, z> is linear in each of x, K, h, W and v; its gradients by
the first four,

.. math:: (\partial_x, \partial_K, \partial_h, \partial_W)\, E(x, K, h, W, v)          \quad (G2)

are the other operator. A sum of them, each against a direction a, b, c or d, is

.. math:: E(a, K, h, W, v) + E(x, b, h, W, v) + E(x, K, c, W, v) + E(x, K, h, d, v)

so that gradients of (G2) are (G1) and (G2) again: the two are closed under differentiation.
"""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from equinet.ops import edge_sums_gpu
from equinet.ops.edge_plan import (
    EdgeGradients,
    EdgeOrder,
    EdgePlan,
    EdgeSum,
    Path,
    check_edges,
    edge_plan_of,
    row_sizes,
)
from equinet.ops.native import library
from equinet.ops.native.checks import check_integers, check_tensor, check_tensors
from equinet.ops.native.operator import Gradients, Operator

Four = tuple[Tensor, Tensor, Tensor, Tensor]


def edge_sum(
    plan: EdgePlan,
    x: Tensor,
    kernels: Tensor,
    hidden: Tensor,
    weights: Tensor | None,
    order: EdgeOrder,
) -> Tensor:
    """Sum over the edges that end in each point (G1), or without W (G3).

    Args:
        plan: the blocks of x and the paths from them.
        x: ``(sources, components)``; for each block (channels, dim) in a row.
        kernels: ``(edges, entries)``; for each path (dim_out, dim_in) in a row.
        hidden: h, ``(edges, features)``.
        weights: W, ``(features, columns)``; for each path a column for each of its channels. None
            for the sums of every feature by itself.
        order: of the edges, from ``edge_order``.
    Returns:
        ``(targets, components)``; for each of ``plan.results`` (dim, channels) in a row, the
        channels of a path beside those of the next, or (dim, features, channels) without W. The
        sums of a point are in the order of its edges, whatever the number of threads.
    Raises:
        ValueError: for tensors of another shape than the plan says, and edges from or to no point.
        TypeError: for what is no plan, no order or no tensor, or tensors of different dtypes or
            devices.
    """
    if not isinstance(plan, EdgePlan):
        raise TypeError(f"edge_sum: plan: expected an EdgePlan, got {type(plan).__name__}")
    check_tensors("edge_sum", x=x, kernels=kernels, hidden=hidden)
    if weights is not None:
        check_tensors("edge_sum", weights=weights)
    if not isinstance(order, EdgeOrder):
        raise TypeError(f"edge_sum: order: expected an EdgeOrder, got {type(order).__name__}")
    return EDGE_SUM(x, EdgeSum(kernels, hidden, weights, *order, plan.numbers()))


# --- the references -------------------------------------------------------------------------------


def _reference(x: Tensor, plan: EdgeSum) -> Tensor:
    check_edges("edge_sum", plan.edges, (x.shape[0], plan.targets))
    features, rows = x.index_select(0, plan.edges[0]), []
    found = edge_plan_of(plan.numbers)
    for path, scale in zip(found.places, _scales(plan), strict=True):
        kernel, block = _parts(path, plan.kernels, features)
        rows.append(scale * torch.einsum("enm,eum->enu", kernel, block)[:, :, None])
    parts = iter(rows)
    blocks = [torch.cat([next(parts) for _ in many], 3).flatten(1) for _, many in found.results]
    messages = torch.cat(blocks, 1)
    zero = messages.new_zeros(plan.targets, messages.shape[1])
    return zero.index_add(0, plan.edges[1], messages)


def _gradients_reference(v: Tensor, plan: EdgeGradients) -> Four:
    (x, kernels, hidden, weights, edges, *_), found = plan, edge_plan_of(plan.numbers)
    check_edges("edge_sum_gradients", edges, (x.shape[0], plan.sum.targets))
    features, v = x.index_select(0, edges[0]), v.index_select(0, edges[1])
    to_blocks = [features.new_zeros(features.shape[0], *block) for block in found.blocks]
    to_kernels, to_scales = [], []
    paths = zip(
        found.paths, found.places, _scales(plan.sum), _by_path(v, plan.sum, found), strict=True
    )
    for (number, _), path, scale, own in paths:
        kernel, block = _parts(path, kernels, features)
        turned = torch.einsum("enm,eum->enu", kernel, block)
        to_scales.append(torch.einsum("enu,enfu->efu", turned, own))
        own = (own * scale).sum(2)
        to_kernels.append(torch.einsum("enu,eum->enm", own, block).flatten(1))
        to_blocks[number] = to_blocks[number] + torch.einsum("enm,enu->eum", kernel, own)
    to_features = torch.cat([block.flatten(1) for block in to_blocks], 1)
    to_x = to_features.new_zeros(x.shape).index_add(0, edges[0], to_features)
    to_w = torch.cat(to_scales, 2)  # (e, 1, columns), or (e, features, columns)
    if weights is None:
        rest = to_w.sum(2), to_w.new_empty(0)
    else:
        rest = to_w[:, 0] @ weights.mT, hidden.mT @ to_w[:, 0]
    all = to_x, torch.cat(to_kernels, 1), *rest
    a, b, c, d = (one if i in plan.wanted else one.new_empty(0) for i, one in enumerate(all))
    return a, b, c, d


def _parts(path: Path, kernels: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
    """The kernel (e, n, m) and the vectors (e, u, m) of a path."""
    channels, dim_out, dim_in = path[:3]
    kernel = kernels.narrow(1, path.kernel, dim_out * dim_in)
    block = features.narrow(1, path.into, channels * dim_in)
    return kernel.unflatten(1, (dim_out, dim_in)), block.unflatten(1, (channels, dim_in))


def _scales(plan: EdgeSum) -> list[Tensor]:
    """What the vectors of each path are scaled by, (e, 1, 1, u) or (e, 1, features, 1)."""
    places = edge_plan_of(plan.numbers).places
    if plan.weights is None:
        return [plan.hidden[:, None, :, None]] * len(places)
    w = (plan.hidden @ plan.weights)[:, None, None]
    return list(w.split([path.channels for path in places], 3))


def _by_path(v: Tensor, plan: EdgeSum, found: EdgePlan) -> Iterator[Tensor]:
    """Rows of the result taken apart, (e, n, 1, u) or (e, n, features, u) for each path."""
    sizes = [(dim, plan.copies, sum(many)) for dim, many in found.results]
    blocks = v.split([math.prod(size) for size in sizes], 1)
    for block, size, (_, many) in zip(blocks, sizes, found.results, strict=True):
        yield from block.reshape(v.shape[0], *size).split(many, 3)


# --- the operators --------------------------------------------------------------------------------


def _check(x: Tensor, plan: EdgeSum) -> None:
    _check_all("edge_sum", x, plan)


def _check_gradients(v: Tensor, plan: EdgeGradients) -> None:
    name, wanted = "edge_sum_gradients", plan.wanted
    last = 2 if plan.weights is None else 3
    if any(place not in range(last + 1) for place in wanted):
        raise ValueError(f"{name}: wanted: expected places from 0 to {last}, got {list(wanted)}")
    sizes = _check_all(name, plan.x, plan.sum)
    check_tensor(name, "gradient", v, (plan.sum.targets, sizes[3] * plan.sum.copies), plan.x)


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
    if weights is not None:
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
    sizes = _sizes(plan.numbers)
    assert sizes is not None  # which was checked
    return x.new_empty(plan.targets, sizes[3] * plan.copies)


def _fake_gradients(v: Tensor, plan: EdgeGradients) -> Four:
    a, b, c, d = (
        v.new_empty(0 if x is None or i not in plan.wanted else x.shape)
        for i, x in enumerate(plan.factors)
    )
    return a, b, c, d


def _cpu(x: Tensor, plan: EdgeSum) -> Tensor:
    factors = _given(x, *plan[:3])
    graph = _given(plan.edges, plan.order, plan.target_starts)
    out = _fake(x, plan)
    library.call("edge_sum", x.dtype, *factors, out, *graph, *_counts(x, plan))
    return out


def _gradients_cpu(v: Tensor, plan: EdgeGradients) -> Four:
    factors = _given(v, *plan.factors)
    graph = _given(plan.edges, plan.order, plan.source_starts)
    found = _fake_gradients(v, plan)
    outs = [one if i in plan.wanted else None for i, one in enumerate(found)]
    counts = _counts(plan.x, plan.sum)
    library.call("edge_sum_gradients", v.dtype, *factors, *outs, *graph, *counts)
    return found


def _given(*tensors: Tensor | None) -> list[Tensor | None]:
    """All, contiguous."""
    return [None if tensor is None else tensor.contiguous() for tensor in tensors]


def _counts(x: Tensor, plan: EdgeSum) -> tuple[Sequence[int], int, int, int, int, int, int]:
    """Numbers: of the plan, of its paths, sources, targets, edges, features; if there is a W."""
    numbers = tuple(plan.numbers)
    paths = len(numbers) // 2 - numbers[0]
    count, features = plan.hidden.shape
    weighted = int(plan.weights is not None)
    return numbers, paths, x.shape[0], plan.targets, count, features, weighted


EDGE_SUM = Operator(
    "edge_sum(Tensor x, Tensor kernels, Tensor hidden, Tensor? weights, Tensor edges, "
    "Tensor order, Tensor source_starts, Tensor target_starts, int[] numbers) -> Tensor",
    EdgeSum,
    reference=_reference,
    fake=_fake,
    check=_check,
    cpu=_cpu,
    gpu=edge_sums_gpu.edge_sum,
    fits=edge_sums_gpu.fits,
    examples=edge_sums_gpu.examples,
)
GRADIENTS = Operator(
    "edge_sum_gradients(Tensor gradient, Tensor x, Tensor kernels, Tensor hidden, Tensor? weights, "
    "Tensor edges, Tensor order, Tensor source_starts, Tensor target_starts, int[] numbers, "
    "int[] wanted) -> (Tensor, Tensor, Tensor, Tensor)",
    EdgeGradients,
    reference=_gradients_reference,
    fake=_fake_gradients,
    check=_check_gradients,
    cpu=_gradients_cpu,
    gpu=edge_sums_gpu.gradients,
    fits=edge_sums_gpu.gradients_fit,
    examples=edge_sums_gpu.gradients_examples,
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
        wanted = [j for j in range(4) if j != i and needed[j + 1]]
        given = plan._replace(**{plan._fields[i]: direction}, wanted=wanted)
        if needed[0]:
            add(0, EDGE_SUM(given.x, given.sum))
        found = GRADIENTS(v, given) if wanted else ()
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
    weights_shape: Sequence[int] | None,
    *rest: Sequence[int],
    **__: object,
) -> int:
    """Those of the products of matrices, for torch's counter."""
    edges, features = hidden_shape
    plan = edge_plan_of(rest[4])
    turned = sum(path.channels * path.dim_out * path.dim_in for path in plan.places)
    columns = plan.sizes[3] if weights_shape is None else weights_shape[1]
    return 2 * edges * (features * columns + turned)
