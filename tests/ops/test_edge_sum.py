"""The sum over edges, against the sum that defines it, edge by edge."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck
from torch.utils.flop_counter import FlopCounterMode

from equinet.ops import EdgeOrder, EdgePlan, edge_order, edge_sum
from equinet.ops.edge_plan import edge_plan_of, row_sizes
from equinet.ops.edge_sums import EDGE_SUM, GRADIENTS, EdgeGradients, EdgeSum
from equinet.ops.native import library
from tests.ops.operator_cases import EDGES, edges_of, sums_over_edges
from tests.tolerances import ROUNDING, SINGLE, assert_close

F64 = torch.float64
ALL = [0, 1, 2, 3]

compiled = pytest.mark.skipif(library.CPU is None, reason="no compiled operators")


def draw(plan, sources, count, features, generator):
    """x, K, h and W."""
    x, kernels, weights, _ = plan.sizes
    sizes = (sources, x), (count, kernels), (count, features), (features, weights)
    return [torch.randn(size, dtype=F64, generator=generator) for size in sizes]


def direct(plan, x, kernels, hidden, weights, edges, targets):
    """One edge after the other, one path after the other, with views of what stands in a row."""
    blocks = x.split([channels * dim for channels, dim in plan.blocks], 1)
    blocks = [block.unflatten(1, size) for block, size in zip(blocks, plan.blocks, strict=True)]
    copies = 1 if weights is not None else hidden.shape[1]
    sizes = [(targets, dim, copies, plan.blocks[b][0]) for b, dim in plan.paths]
    sums = [torch.zeros(size, dtype=F64) for size in sizes]
    for e, (j, i) in enumerate(edges.T.tolist()):
        k = w = 0
        for (b, dim_out), sum in zip(plan.paths, sums, strict=True):
            channels, dim_in = plan.blocks[b]
            K = kernels[e, k : k + dim_out * dim_in].view(dim_out, dim_in)
            if weights is None:
                sum[i] += torch.einsum("f,nm,um->nfu", hidden[e], K, blocks[b][j])
            else:
                scale = hidden[e] @ weights[:, w : w + channels]
                sum[i] += torch.einsum("u,nm,um->nu", scale, K, blocks[b][j])[:, None]
            k, w = k + dim_out * dim_in, w + channels
    rows, start = [], 0
    for end in range(1, len(sums) + 1):  # those of one dimension side by side
        if end == len(sums) or plan.paths[end][1] != plan.paths[start][1]:
            rows.append(torch.cat(sums[start:end], 3).flatten(1))
            start = end
    return torch.cat(rows, 1)


def close(found, expected, tolerance=ROUNDING):
    """Relative to the largest entry."""
    scale = 1 + (expected.abs().max() if expected.numel() else 0)
    assert_close(found / scale, expected / scale, tolerance)


# --- values ---------------------------------------------------------------------------------------


@given(case=sums_over_edges())
def test_the_definition(case):
    x, kernels, hidden, weights, edges, *_ = case.arguments
    plan, order = edge_plan_of(case.plan.numbers), EdgeOrder(*case.arguments[4:8])
    tensors = x, kernels, hidden, weights
    expected = direct(plan, *tensors, edges, case.plan.targets)
    close(edge_sum(plan, *tensors, order), expected)
    single = (None if t is None else t.float() for t in tensors)
    close(edge_sum(plan, *single, order), expected, SINGLE)


@given(case=sums_over_edges(), wanted=st.sets(st.sampled_from(ALL)))
def test_gradients_are_those_of_the_definition(case, wanted):
    """By torch's own differentiation of it; each alone, together, or none."""
    edges, targets = case.arguments[4], case.plan.targets
    plan = edge_plan_of(case.plan.numbers)
    places = [i for i in ALL if case.arguments[i] is not None]
    leaves = {i: case.arguments[i].clone().requires_grad_() for i in places}
    expected = direct(plan, *map(leaves.get, ALL), edges, targets)
    expected = expected + 0 * sum(t.sum() for t in leaves.values())  # there may be no edge
    v = torch.randn(expected.shape, dtype=F64, generator=torch.Generator().manual_seed(1))
    gradients = dict(
        zip(leaves, torch.autograd.grad(expected, list(leaves.values()), v), strict=True)
    )
    wanted = sorted(wanted.intersection(places))
    for i, found in enumerate(GRADIENTS(v, EdgeGradients(*case.arguments, wanted))):
        if i in wanted:
            close(found, gradients[i])
        else:
            assert not found.numel()


def test_the_check_can_fail(generator):
    """Sources and targets exchanged give another result."""
    tensors = draw(EDGES, 5, 9, 3, generator)
    edges = edges_of(9, 5, 5)
    with pytest.raises(AssertionError):
        close(
            edge_sum(EDGES, *tensors, edge_order(edges.flip(0), 5)),
            direct(EDGES, *tensors, edges, 5),
        )


def test_the_order_of_the_edges_does_not_matter(generator):
    x, kernels, hidden, weights = draw(EDGES, 6, 40, 3, generator)
    edges, shuffle = edges_of(40, 6, 6), torch.randperm(40, generator=generator)
    found = edge_sum(EDGES, x, kernels, hidden, weights, edge_order(edges, 6))
    rows = kernels[shuffle], hidden[shuffle]
    close(edge_sum(EDGES, x, *rows, weights, edge_order(edges[:, shuffle], 6)), found)


def test_points_without_edges_and_graphs_without_any(generator):
    """The sum there is 0, and so are its gradients."""
    for edges in (torch.zeros(2, 0, dtype=torch.int64), torch.tensor([[3, 3], [1, 1]])):
        tensors = draw(EDGES, 5, edges.shape[1], 2, generator)
        for t in tensors:
            t.requires_grad_()
        found = edge_sum(EDGES, *tensors, edge_order(edges, 5, 4))
        found.square().sum().backward()
        alone = [i for i in range(4) if i not in edges[1]]
        assert found.shape == (4, EDGES.sizes[3]) and not found[alone].any()
        assert not tensors[0].grad[[0, 1, 2, 4]].any()


@compiled
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_equal_bits_for_any_number_of_threads(dtype, weighted, generator):
    """Also where there are many parts, and a point has more edges than fit a block."""
    plan = EdgePlan(((5, 1), (3, 9), (17, 2)), ((0, 3), (1, 1), (2, 5), (1, 9)))
    edges = edges_of(3000, 40, 30)
    edges[1, :700] = 7
    order = edge_order(edges, 40, 30)
    tensors = [t.to(dtype) for t in draw(plan, 40, 3000, 6, generator)]
    if not weighted:
        tensors[3] = None
    wanted, copies = (ALL, 1) if weighted else (ALL[:3], 6)
    v = torch.randn(30, copies * plan.sizes[3], dtype=dtype, generator=generator)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            x, *rest = tensors
            given = EdgeSum(*rest, *order, plan.numbers())
            results.append([EDGE_SUM(x, given), *GRADIENTS(v, EdgeGradients(x, *given, wanted))])
    finally:
        torch.set_num_threads(before)
    for found in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found, results[0], strict=True))
    close(results[0][0].double(), EDGE_SUM.reference(tensors[0], *given).double(), SINGLE)


# --- derivatives ----------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [True, False])
def test_derivatives(weighted, generator):
    order = edge_order(edges_of(5, 3, 2), 3, 2)
    inputs = [t.requires_grad_() for t in draw(EDGES, 3, 5, 2, generator)]
    inputs = inputs if weighted else inputs[:3]

    def apply(*tensors):
        return edge_sum(EDGES, *tensors, *[None] * (4 - len(tensors)), order)

    assert gradcheck(apply, inputs)
    assert gradgradcheck(apply, inputs)


@pytest.mark.parametrize("weighted", [True, False])
def test_third_derivatives(weighted, generator):
    """The gradients of the second operator, by every factor and every result of it."""
    plan = EdgePlan(((2, 1), (1, 2)), ((0, 2), (1, 1)))
    order = edge_order(edges_of(3, 2, 2), 2)
    inputs = [t.requires_grad_() for t in draw(plan, 2, 3, 2, generator)]
    inputs = inputs if weighted else inputs[:3]
    width = plan.sizes[3] * (1 if weighted else 2)
    v = torch.randn(2, width, dtype=F64, generator=generator, requires_grad=True)

    def apply(v, x, *rest):
        given = EdgeSum(*rest, *[None] * (3 - len(rest)), *order, plan.numbers())
        return GRADIENTS.overload(v, *EdgeGradients(x, *given, ALL[: len(inputs)]))[: len(inputs)]

    assert gradcheck(apply, (v, *inputs))
    assert gradgradcheck(apply, (v, *inputs))


def test_forces_are_minus_the_slope_of_the_energy(generator):
    """Of an energy of positions that the kernels and the hidden layer depend on; as one trains."""
    positions = torch.randn(4, 3, dtype=F64, generator=generator)
    edges = torch.cartesian_prod(torch.arange(4), torch.arange(4)).T
    edges = edges[:, edges[0] != edges[1]]
    x, kernels, _, weights = draw(EDGES, 4, 3, 2, generator)
    maps = [torch.randn(3, n, dtype=F64, generator=generator) for n in (kernels.shape[1], 2)]
    order = edge_order(edges, 4)

    def energy(positions, weights):
        r = positions[edges[0]] - positions[edges[1]]
        return edge_sum(EDGES, x, *((r @ m).sin() for m in maps), weights, order).square().sum()

    assert gradcheck(energy, (positions.requires_grad_(), weights.requires_grad_()))
    assert gradgradcheck(energy, (positions, weights))


# --- transforms of torch --------------------------------------------------------------------------


def test_vmap_and_func_grad(generator):
    x, *rest = draw(EDGES, 4, 7, 2, generator)
    order = edge_order(edges_of(7, 4, 4), 4)

    def apply(x):
        return edge_sum(EDGES, x, *rest, order)

    several = torch.stack([x, 2 * x, x.sin()])
    close(torch.vmap(apply)(several), torch.stack([apply(one) for one in several]))
    gradient = torch.func.grad(lambda x: apply(x).square().sum())(x)
    leaf = x.clone().requires_grad_()
    apply(leaf).square().sum().backward()
    close(gradient, leaf.grad)


@pytest.mark.compile
def test_compile_and_export(generator):
    """With the edges sorted in the traced program, and any number of them."""

    class Sum(torch.nn.Module):
        def forward(self, edges, x, *rest):
            return edge_sum(EDGES, x, *rest, edge_order(edges, x.shape[0]))

    tensors, edges = draw(EDGES, 4, 7, 2, generator), edges_of(7, 4, 4)
    expected = direct(EDGES, *tensors, edges, 4)
    traced = torch.compile(Sum(), fullgraph=True, dynamic=True, backend="aot_eager")
    close(traced(edges, *tensors), expected)
    count = torch.export.Dim("count", min=2)
    sizes = {"edges": {1: count}, "x": None, "rest": ({0: count}, {0: count}, None)}
    exported = torch.export.export(Sum(), (edges, *tensors), dynamic_shapes=sizes).module()
    more, many = draw(EDGES, 4, 11, 2, generator), edges_of(11, 4, 4)
    more[0], more[3] = tensors[0], tensors[3]
    close(exported(many, *more), direct(EDGES, *more, many, 4))


def test_torch_counts_its_operations(generator):
    tensors, order = draw(EDGES, 4, 7, 2, generator), edge_order(edges_of(7, 4, 4), 4)
    with FlopCounterMode(display=False) as counter:
        EDGE_SUM.overload(tensors[0], *tensors[1:], *order, EDGES.numbers())
    # 2 x edges x (two features for nine columns + channels x kernels)
    kernels = 2 * 3 + 3 * 6 + 3 * 3 + 1 * 8
    assert counter.get_total_flops() == 2 * 7 * (2 * 9 + kernels)
    with FlopCounterMode(display=False) as counter:
        EDGE_SUM.overload(*tensors[:3], None, *order, EDGES.numbers())
    assert counter.get_total_flops() == 2 * 7 * (2 * EDGES.sizes[3] + kernels)


# --- plans and orders -----------------------------------------------------------------------------


@given(case=sums_over_edges())
def test_a_plan_is_its_numbers(case):
    numbers = tuple(case.plan.numbers)
    plan = edge_plan_of(numbers)
    assert tuple(plan.numbers()) == numbers and row_sizes(numbers) == plan.sizes


@pytest.mark.parametrize("numbers", [
    (), (1,), (1, 2, 3), (1, 2, 3, 1, 3), (1, 2, 3, -1, 3), (1, 0, 3, 0, 3), (2, 2, 3, 0, 3),
    (1, 2, 3, 0, 0), (-1, 2, 3, 0, 3), (1, 2, 3, 0, 3, 1), (1, 2**40, 3, 0, 3),
])  # fmt: skip
def test_numbers_of_no_plan_are_refused(numbers):
    assert row_sizes(numbers) is None
    x = torch.zeros(2, 6)
    with pytest.raises(ValueError, match="edge_sum: numbers: expected those of an EdgePlan"):
        EDGE_SUM.overload(x, x, x, x, *edge_order(edges_of(2, 2, 2), 2), list(numbers))


def test_edges_with_the_same_end_keep_their_order():
    edges = torch.tensor([[1, 0, 1, 0, 3], [2, 2, 0, 2, 0]])
    order = edge_order(edges, 4, 3)
    assert order.order.tolist() == [[1, 3, 0, 2, 4], [2, 4, 0, 1, 3]]
    assert order.source_starts.tolist() == [0, 2, 4, 4, 5]
    assert order.target_starts.tolist() == [0, 2, 2, 5]


@pytest.mark.parametrize("edges, message", [
    (torch.tensor([[0, 5], [1, 1]]), "expected numbers of 5 points as each source.* got 5"),
    (torch.tensor([[0, -1], [1, 1]]), "expected numbers of 5 points as each source.* got -1"),
    (torch.tensor([[0, 4], [3, 1]]), "expected numbers of 3 points as each target.* got 3"),
    (torch.tensor([[0, 4], [0, -2]]), "expected numbers of 3 points as each target.* got -2"),
    (torch.tensor([0, 4]), r"expected \(2, count\), got \(2,\)"),
    (torch.tensor([[0.0, 4.0], [0.0, 1.0]]), "expected torch.int64, got torch.float32"),
    ([[0], [1]], "expected a tensor, got list"),
])  # fmt: skip
def test_edges_to_no_point_are_refused(edges, message):
    with pytest.raises((ValueError, TypeError), match=f"^edge_order: edges: {message}"):
        edge_order(edges, 5, 3)


@compiled
@pytest.mark.parametrize("operator, place", [
    (EDGE_SUM, "edges"), (EDGE_SUM, "order"), (EDGE_SUM, "target_starts"),
    (GRADIENTS, "edges"), (GRADIENTS, "order"), (GRADIENTS, "source_starts"),
])  # fmt: skip
@pytest.mark.parametrize("wrong", [-1, 5, 10**6, -(2**62), 2**62])
def test_no_number_is_used_before_it_is_compared(operator, place, wrong, generator):
    """Of an order that is made by hand."""
    x, *rest = draw(EDGES, 2, 4, 2, generator)
    order = edge_order(torch.tensor([[0, 1, 1, 0], [1, 1, 0, 0]]), 2)
    for entry in (0, -1):
        numbers = getattr(order, place).clone()
        numbers[..., entry] = wrong
        given = EdgeSum(*rest, *order._replace(**{place: numbers}), EDGES.numbers())
        with pytest.raises(ValueError, match=f"^{operator.name}: edges: expected numbers of"):
            if operator is EDGE_SUM:
                operator.overload(x, *given)
            else:
                v = torch.zeros(2, EDGES.sizes[3], dtype=F64)
                operator.overload(v, *EdgeGradients(x, *given, ALL))


@pytest.mark.parametrize("i, message", [
    (0, r"x: expected the shape \(any, 15\)"),
    (1, r"kernels: expected the shape \(any, 20\)"),
    (2, r"weights: expected the shape \(1, 9\)"),
    (3, r"weights: expected the shape \(2, 9\)"),
])  # fmt: skip
def test_tensors_of_another_size_are_refused(generator, i, message):
    tensors, order = draw(EDGES, 4, 7, 2, generator), edge_order(edges_of(7, 4, 4), 4)
    tensors[i] = tensors[i][:, 1:]
    with pytest.raises(ValueError, match=f"edge_sum: {message}"):
        edge_sum(EDGES, *tensors, order)


def test_an_order_of_another_graph_is_refused(generator):
    tensors = draw(EDGES, 4, 7, 2, generator)
    with pytest.raises(ValueError, match=r"edge_sum: edges: expected the shape \(2, 7\)"):
        edge_sum(EDGES, *tensors, edge_order(edges_of(6, 4, 4), 4))
    with pytest.raises(ValueError, match=r"edge_sum: source_starts: expected the shape \(5\)"):
        edge_sum(EDGES, *tensors, edge_order(edges_of(7, 4, 4), 6))
