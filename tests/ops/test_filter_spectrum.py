"""The Fourier transform of a local filter, against products of Kronecker."""

import dataclasses
import itertools

import pytest
import torch
from hypothesis import given
from torch.autograd import gradcheck, gradgradcheck

from equinet.numerics import random_rotations, wigner_D
from equinet.ops import SpectrumPlan, SpectrumSide, filter_spectrum
from equinet.ops.filter_spectra import ADJOINT, FORWARD, OPERATOR, FilterTransform
from equinet.ops.spectrum_plan import plan_of
from tests.ops.operator_cases import LOCAL_FILTER, local_filter, spectrum_plans
from tests.tolerances import ROUNDING, SINGLE, assert_close

F64 = torch.float64


def draw(plan, generator):
    """Weights and harmonics."""
    return [torch.randn(size, dtype=F64, generator=generator) for size in plan.sizes[:2]]


def pieces(flat, shapes):
    sizes = [torch.Size(shape).numel() for shape in shapes]
    return [part.view(shape) for part, shape in zip(flat.split(sizes), shapes, strict=True)]


def direct(plan, weights, basis, kron=torch.kron):
    """The block of each pair at each degree is sum_p B_p x w_p."""
    blocks = itertools.product(range(len(plan.out.muls)), range(len(plan.into.muls)))
    degrees = range(len(plan.out.orders[0]))
    pairs = list(zip(blocks, plan.points, strict=True))
    w = pieces(weights, [(plan.out.muls[a], plan.into.muls[b], p) for (a, b), p in pairs])
    harmonics = iter(pieces(basis, [
        (plan.out.orders[a][l], plan.into.orders[b][l], p) for (a, b), p in pairs for l in degrees
    ]))  # fmt: skip
    matrices = [
        torch.zeros(rows, columns, dtype=F64)
        for rows, columns in zip(plan.out.sizes, plan.into.sizes, strict=True)
    ]
    for ((a, b), points), weight in zip(pairs, w, strict=True):
        for l in degrees:
            B = next(harmonics)
            above, before = sum(plan.out.blocks(l)[:a]), sum(plan.into.blocks(l)[:b])
            for p in range(points):
                block = kron(B[..., p], weight[..., p])
                rows, columns = block.shape
                matrices[l][above : above + rows, before : before + columns] += block
    return torch.cat([matrix.flatten() for matrix in matrices])


@given(plan=spectrum_plans())
def test_the_definition(plan):
    tensors = draw(plan, torch.Generator().manual_seed(0))
    found, expected = filter_spectrum(plan, *tensors, plan.table()), direct(plan, *tensors)
    scale = 1 + (expected.abs().max() if expected.numel() else 0)
    assert_close(found / scale, expected / scale, ROUNDING)
    single = filter_spectrum(plan, *(x.float() for x in tensors), plan.table())
    assert_close(single / scale, expected / scale, SINGLE)


def test_the_check_can_fail(generator):
    """Copies before orders, the other product of Kronecker, give another result."""
    tensors = draw(LOCAL_FILTER, generator)
    other = direct(LOCAL_FILTER, *tensors, kron=lambda b, w: torch.kron(w, b))
    with pytest.raises(AssertionError):
        assert_close(filter_spectrum(LOCAL_FILTER, *tensors, LOCAL_FILTER.table()), other, ROUNDING)


def test_filters_multiply_as_their_points_do(generator):
    """A point mass at Q is D(Q) x w, so at Q and then at R it is one at Q R with weights v w."""
    Q, R = random_rotations(2, generator=generator)
    v = torch.randn(4, 3, dtype=F64, generator=generator)
    w = torch.randn(3, 2, dtype=F64, generator=generator)

    def matrices(weights, at):
        out, into = (SpectrumSide((n,), ((1, 3, 5, 7),)) for n in weights.shape)
        basis = torch.cat([wigner_D(l, at).flatten() for l in range(4)])
        plan = SpectrumPlan(out, into, (1,))
        flat = filter_spectrum(plan, weights.flatten(), basis, plan.table())
        return pieces(flat, plan.shapes)

    first, second, both = matrices(v, Q), matrices(w, R), matrices(v @ w, Q @ R)
    for one, two, product in zip(first, second, both, strict=True):
        assert_close(one @ two, product, ROUNDING)


@given(plan=spectrum_plans())
def test_the_adjoint(plan):
    """<transform(w), W> = <w, adjoint(W)>, which (A2) says."""
    weights, basis = draw(plan, torch.Generator().manual_seed(1))
    filter = local_filter(plan, ADJOINT).arguments[0]
    left = filter_spectrum(plan, weights, basis, plan.table()) @ filter
    given = FilterTransform(basis, plan.table(), plan.numbers(), ADJOINT)
    right = weights @ OPERATOR(filter, given)
    assert_close(left / (1 + left.abs()), right / (1 + left.abs()), ROUNDING)


@given(plan=spectrum_plans())
def test_a_plan_is_its_numbers(plan):
    assert plan_of(plan.numbers()) == plan


def test_derivatives(generator):
    weights, basis = draw(LOCAL_FILTER, generator)

    def apply(weights):
        return filter_spectrum(LOCAL_FILTER, weights, basis, LOCAL_FILTER.table())

    assert gradcheck(apply, [weights.requires_grad_()])
    assert gradgradcheck(apply, [weights])


def test_vmap_and_func_grad(generator):
    weights, basis = draw(LOCAL_FILTER, generator)
    several = torch.stack([weights, -2 * weights, weights.flip(0)])

    def apply(weights):
        return filter_spectrum(LOCAL_FILTER, weights, basis, LOCAL_FILTER.table())

    assert_close(torch.vmap(apply)(several), torch.stack(list(map(apply, several))), ROUNDING)
    gradient = torch.func.grad(lambda weights: apply(weights).square().sum())(weights)
    weights.requires_grad_()
    apply(weights).square().sum().backward()
    assert_close(gradient, weights.grad, ROUNDING)


@pytest.mark.compile
def test_compile(generator):
    tensors = draw(LOCAL_FILTER, generator)
    compiled = torch.compile(filter_spectrum, fullgraph=True, backend="aot_eager")
    assert_close(
        compiled(LOCAL_FILTER, *tensors, LOCAL_FILTER.table()),
        direct(LOCAL_FILTER, *tensors),
        ROUNDING,
    )


@pytest.mark.parametrize("i, message", [
    (0, r"weights: expected the shape \(65\)"),
    (1, r"basis: expected the shape \(128\)"),
])  # fmt: skip
def test_tensors_of_another_size_are_refused(i, message):
    case = local_filter(LOCAL_FILTER, FORWARD)
    arguments = list(case.arguments)
    arguments[i] = arguments[i][1:]
    broken = dataclasses.replace(case, arguments=tuple(arguments))
    with pytest.raises(ValueError, match=f"filter_spectrum: {message}"):
        broken.operator(broken.x, broken.plan)
