"""Filters from weights, against the sum that defines them, entry by entry."""

import dataclasses
import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck
from torch.utils.flop_counter import FlopCounterMode

from equinet.field import Plane
from equinet.nn import Conv2d
from equinet.ops import Side, expand, expansion
from equinet.ops.expansion_plan import plan_of
from tests.ops.operator_cases import FILTER, filters, plans
from tests.tolerances import ROUNDING, SINGLE, assert_close

F64 = torch.float64


def draw(plan, count, generator):
    """Weights, kernels and matrices."""
    weights, kernels, matrices = plan.sizes
    sizes = (count, weights), (kernels,), (matrices,)
    return [torch.randn(size, dtype=F64, generator=generator) for size in sizes]


def places(side: Side):
    """(kind, vector, entry) of each component, before the matrices act, and where copies start."""
    used, found, starts = [0] * len(side.dims), [], []
    for mul, copies in zip(side.muls, side.copies, strict=True):
        for _ in range(mul):
            starts.append(len(found))
            for kind, count in enumerate(copies):
                for vector in range(used[kind], used[kind] + count):
                    found += [(kind, vector, entry) for entry in range(side.dims[kind])]
                used[kind] += count
    return found, starts


def change(side: Side, matrices: list[torch.Tensor]) -> torch.Tensor:
    """The matrices of all copies as one, block diagonal; takes its own from the front."""
    parts = []
    for mul, dim, mixed in zip(side.muls, side.block_dims, side.mixed, strict=True):
        matrix = torch.eye(dim, dtype=F64)
        if mixed:
            matrix = matrices[0][: dim * dim].view(dim, dim)
            matrices[0] = matrices[0][dim * dim :]
        parts += [matrix] * mul
    return torch.block_diag(*parts)


def direct(plan, weights, kernels, matrices):
    """F = Q_out B Q_in^T, where B is written down entry by entry."""
    points = torch.Size(plan.points).numel()
    w, K, first_w, first_k = {}, {}, 0, 0
    pairs = itertools.product(range(len(plan.out.dims)), range(len(plan.into.dims)))
    for pair, (u, v, k, i, j) in zip(pairs, plan.shapes, strict=True):
        w[pair] = weights[:, first_w : first_w + u * v * k].view(len(weights), u, v, k)
        K[pair] = kernels[first_k : first_k + k * i * j * points].view(k, i, j, points)
        first_w, first_k = first_w + u * v * k, first_k + k * i * j * points
    (rows, _), (columns, _) = places(plan.out), places(plan.into)
    B = torch.zeros(len(weights), len(rows), len(columns), points, dtype=F64)
    for a, (r, u, i) in enumerate(rows):
        for b, (s, v, j) in enumerate(columns):
            B[:, a, b] = w[r, s][:, u, v] @ K[r, s][:, i, j]
    rest = [matrices]
    q_out, q_in = change(plan.out, rest), change(plan.into, rest)
    F = torch.einsum("ac,ncdp,bd->nabp", q_out, B, q_in)
    return F.flatten(0, 1).unflatten(2, plan.points)


@given(plan=plans(), count=st.integers(1, 2))
def test_the_definition(plan, count):
    tensors = draw(plan, count, torch.Generator().manual_seed(0))
    found, expected = expand(plan, *tensors, plan.table()), direct(plan, *tensors)
    scale = 1 + (expected.abs().max() if expected.numel() else 0)
    assert_close(found / scale, expected / scale, ROUNDING)
    single = expand(plan, *(x.float() for x in tensors), plan.table())
    assert_close(single / scale, expected / scale, SINGLE)


def test_the_check_can_fail(generator):
    """The matrices of input and output exchanged with their transposes give another result."""
    weights, kernels, matrices = draw(FILTER, 2, generator)
    parts = matrices.split([n for side in FILTER[:2] for n in side.matrix_sizes if n])
    turned = torch.cat([part.view(int(len(part) ** 0.5), -1).mT.flatten() for part in parts])
    with pytest.raises(AssertionError):
        assert_close(
            expand(FILTER, weights, kernels, turned, FILTER.table()),
            direct(FILTER, weights, kernels, matrices),
            ROUNDING,
        )


@given(plan=plans())
def test_the_adjoint(plan):
    """<expand(w), F> = <w, adjoint(F)>, which (E2) says."""
    weights, kernels, matrices = draw(plan, 2, torch.Generator().manual_seed(1))
    filter = filters(plan, 2, 1).arguments[0]
    rest = kernels, matrices, plan.table()
    left = expand(plan, weights, *rest).flatten() @ filter.flatten()
    given = expansion.Expansion(*rest, plan.numbers(), expansion.ADJOINT)
    adjoint = expansion.OPERATOR(filter, given)
    right = weights.flatten() @ adjoint.flatten()
    assert_close(left / (1 + left.abs()), right / (1 + left.abs()), ROUNDING)


@given(plan=plans())
def test_a_plan_is_its_numbers(plan):
    assert plan_of(plan.numbers()) == plan


def test_points_keep_their_shape(generator):
    plan = FILTER._replace(points=(3, 1, 2))
    weights, kernels, matrices = draw(plan, 2, generator)
    found = expand(plan, weights, kernels, matrices, plan.table())
    assert found.shape == (2 * plan.out.dim, plan.into.dim, 3, 1, 2)
    flat = expand(plan._replace(points=(6,)), weights, kernels, matrices, plan.table())
    assert torch.equal(found.flatten(2), flat)


def test_derivatives(generator):
    inputs = [x.requires_grad_() for x in draw(FILTER, 2, generator)]

    def apply(*tensors):
        return expand(FILTER, *tensors, FILTER.table())

    assert gradcheck(apply, inputs)
    assert gradgradcheck(apply, inputs)


def test_vmap_and_func_grad(generator):
    weights, kernels, matrices = draw(FILTER, 3, generator)

    def apply(row):
        return expand(FILTER, row[None], kernels, matrices, FILTER.table())

    each = torch.stack([apply(row) for row in weights])
    assert_close(torch.vmap(apply)(weights), each, ROUNDING)
    gradient = torch.func.grad(lambda row: apply(row).square().sum())(weights[0])
    row = weights[0].clone().requires_grad_()
    apply(row).square().sum().backward()
    assert_close(gradient, row.grad, ROUNDING)


@pytest.mark.compile
def test_compile(generator):
    tensors = draw(FILTER, 2, generator)
    compiled = torch.compile(expand, fullgraph=True, backend="aot_eager")
    assert_close(compiled(FILTER, *tensors, FILTER.table()), direct(FILTER, *tensors), ROUNDING)


def test_torch_counts_its_operations():
    """Those of the plain products, whatever form was called."""
    case = filters(FILTER, 2, expansion.FORWARD)
    for call in (case.operator.overload, case.operator.reference):
        with FlopCounterMode(display=False) as counter:
            call(*case.arguments)
        # 2 x two filters x (weights with their kernels + Q_in on 7 rows + Q_out on 8 columns)
        vectors = 5 * 3 * 2 * 1 * 2 + 5 * 2 * 1 * 1 + 1 * 3 * 3 * 2 * 2
        mixed = 2 * 3**2 * 7 + 1 * 4**2 * 8
        assert counter.get_total_flops() == 2 * 2 * 3 * (vectors + mixed)


def test_one_set_of_weights_after_the_other(generator):
    """A layer of torch's size: the filter does not depend on how many are made at once."""
    fields = Plane("C8").fields("2x regular + 1x vector")
    layer = Conv2d(fields, fields, 5, generator=generator).double()
    pair = torch.cat([layer.weight, 2 * layer.weight]).detach()
    both = expand(layer._plan, pair, layer.kernels, layer.matrices, layer.table)
    one = layer.dense().detach().flatten(2)
    assert_close(both, torch.cat([one, 2 * one]), ROUNDING)


@pytest.mark.parametrize("i, message", [
    (0, r"weights: expected the shape \(any, 49\)"),
    (1, r"kernels: expected the shape \(51\)"),
    (2, r"matrices: expected the shape \(25\)"),
])  # fmt: skip
def test_tensors_of_another_size_are_refused(generator, i, message):
    case = filters(FILTER, 2, expansion.FORWARD)
    arguments = list(case.arguments)
    arguments[i] = arguments[i][..., 1:]
    broken = dataclasses.replace(case, arguments=tuple(arguments))
    with pytest.raises(ValueError, match=f"expansion: {message}"):
        broken.operator(broken.x, broken.plan)
