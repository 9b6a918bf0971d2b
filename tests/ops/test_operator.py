"""Compiled operators as citizens of torch, and their values against the references."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck
from torch.autograd.forward_ad import dual_level, make_dual, unpack_dual

from equinet.ops.block_products import Product
from equinet.ops.native import library
from equinet.ops.native.checks import check_tensor
from tests.ops.operator_cases import DRAWN, SMALL, first
from tests.tolerances import ROUNDING, SINGLE, assert_close

F32, F64 = torch.float32, torch.float64

compiled = pytest.mark.skipif(
    library.CPU is None, reason=f"no compiled operators: {library.CPU_PROBLEM}"
)


every_operator = pytest.mark.parametrize("name", DRAWN)
small_cases = pytest.mark.parametrize("case", SMALL, ids=str)


def _kind(case):
    """The operator, and which of its tensors are left out."""
    return case.operator.name, tuple(argument is None for argument in case.arguments)


ONE_OF_EACH = list({_kind(case): case for case in SMALL}.values())


# --- values ---------------------------------------------------------------------------------------


@compiled
@every_operator
@given(data=st.data())
def test_the_numbers_of_the_reference(name, data):
    """To rounding in both precisions, for any shape and any strides."""
    case = data.draw(DRAWN[name])
    expected = first(case.operator.reference(*case.arguments))
    scale = 1 + (expected.abs().max() if expected.numel() else 0)
    for dtype, tolerance in ((F64, ROUNDING), (F32, SINGLE)):
        for strided in (lambda x: x, lambda x: torch.stack([x, -x], -1)[..., 0]):
            arguments = case.with_tensors(lambda x, s=strided, d=dtype: s(x.to(d)))
            found = first(case.operator.overload(*arguments))
            assert found.dtype == dtype and found.is_contiguous()
            assert_close(found / scale, expected / scale, tolerance)


@compiled
@small_cases
def test_the_number_of_threads_does_not_matter(case):
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            results.append(first(case.operator.overload(*case.arguments)))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(found, results[0]) for found in results)


@compiled
@small_cases
def test_inputs_are_left_alone(case):
    before = case.with_tensors(torch.clone)
    case.operator.overload(*case.arguments)
    for new, old in zip(case.arguments, before, strict=True):
        assert torch.equal(new, old) if isinstance(new, torch.Tensor) else new == old


# --- what torch asks of an operator ---------------------------------------------------------------


@small_cases
def test_opcheck(case):
    """Schema, autograd, fake tensors, and tracing with open shapes."""
    arguments = case.with_tensors(lambda x: x.clone().requires_grad_())
    torch.library.opcheck(case.operator.overload, arguments)


@small_cases
def test_derivatives(case):
    arguments = case.with_tensors(lambda x: x.clone().requires_grad_())
    tensors = [a for a in arguments if isinstance(a, torch.Tensor)]

    def call(*tensors):
        given = iter(tensors)
        return first(
            case.operator.overload(
                *(next(given) if isinstance(a, torch.Tensor) else a for a in arguments)
            )
        )

    assert gradcheck(call, tensors)
    assert gradgradcheck(call, tensors)


@small_cases
def test_each_gradient_is_found_alone(case):
    """Whatever else needs one."""
    whole = case.with_tensors(lambda x: x.clone().requires_grad_())
    leaves = [i for i, a in enumerate(whole) if isinstance(a, torch.Tensor) and a.requires_grad]
    found = first(case.operator.overload(*whole))
    weight = torch.randn(found.shape, dtype=F64, generator=torch.Generator().manual_seed(0))
    inputs = [whole[i] for i in leaves]
    together = torch.autograd.grad(found, inputs, weight, materialize_grads=True)
    for i, expected in zip(leaves, together, strict=True):
        alone = list(case.with_tensors(torch.clone))
        alone[i].requires_grad_()
        result = first(case.operator.overload(*alone))
        (gradient,) = torch.autograd.grad(result, alone[i], weight, materialize_grads=True)
        assert_close(gradient, expected, ROUNDING)


@every_operator
def test_a_plan_is_the_arguments_in_their_order(name):
    case = next(case for case in SMALL if case.operator.name == name)
    arguments = case.operator.overload._schema.arguments
    names = [argument.name for argument in arguments]
    assert case.plan._fields == tuple(names[1:])
    tensors = ["Tensor" in str(argument.type) for argument in arguments]
    assert tensors == sorted(tensors, reverse=True) and sum(tensors) == 1 + case.operator.tensors
    with pytest.raises(AttributeError):
        setattr(case.plan, names[1], None)


@pytest.mark.compile
@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_compile(case):
    """One graph, in which the operator is one node if it is compiled."""
    torch.compiler.reset()  # other tests compiled the same functions, and torch counts
    graphs = []

    def keep(graph, inputs):
        graphs.append([node.target for node in graph.graph.nodes])
        return graph.forward

    found = torch.compile(case.operator, fullgraph=True, backend=keep)(case.x, case.plan)
    expected = case.operator.reference(*case.arguments)
    assert_close(first(found), first(expected), ROUNDING)
    assert (case.operator.overload in graphs[0]) == (library.CPU is not None)


@small_cases
def test_autocast_does_not_lower_the_precision(case):
    arguments = case.with_tensors(lambda x: x.float())
    plain = first(case.operator.overload(*arguments))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(first(case.operator.overload(*arguments)), plain)
        mixed = first(case.operator.overload(*case.with_tensors(lambda x: x.bfloat16())))
    assert mixed.dtype == F32
    assert_close(mixed / plain.abs().max(), plain / plain.abs().max(), 0.05)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # inside torch
@compiled
@small_cases
def test_where_torch_looks_inside_the_reference_serves(case):
    x = case.x
    assert case.operator.serves(x)
    assert not case.operator.serves(x.half()) and not case.operator.serves(x.to("meta"))
    seen = []

    def ask(x):
        seen.append(case.operator.serves(x))
        return x.sum()

    torch.vmap(ask)(x[None])
    torch.func.grad(ask)(x)
    torch.func.jvp(ask, (x,), (x,))
    with dual_level():
        ask(x)
    assert seen == [False] * 4
    ask(x)
    assert seen[-1]


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # inside torch
@pytest.mark.parametrize("case", [case for case in SMALL if case.linear], ids=str)
def test_forward_mode(case):
    """The slope along a direction is the operator itself, as it is linear in each argument."""
    direction = torch.randn(case.x.shape, dtype=F64)
    with dual_level():
        dual = make_dual(case.x, direction)
        slope = unpack_dual(first(case.operator(dual, case.plan))).tangent
    there, zero = (first(case.operator(x, case.plan)) for x in (direction, 0 * direction))
    expected = there - zero
    assert_close(slope, expected, ROUNDING)


def test_every_operator_has_a_case():
    names = {
        name.split("::")[1]
        for name in torch._C._dispatch_get_all_op_names()
        if name.startswith("equinet::")
    }
    assert {name.split(".")[0] for name in names} == set(DRAWN)


# --- bad input ------------------------------------------------------------------------------------


def test_wrong_arguments_are_refused():
    """By the operator itself, so whatever road leads to it; with all that one needs to know."""
    case = SMALL[0]
    left, right, bias, *rest = case.arguments
    for operator in (lambda x, *rest: case.operator(x, Product(*rest)), case.operator.overload):
        with pytest.raises(
            ValueError, match=r"block_matmul: x: expected the shape \(66\), got \(65"
        ):
            operator(left, right[1:], bias, *rest)
        with pytest.raises(ValueError, match=r"block_matmul: bias: expected the shape \(3\)"):
            operator(left, right, bias[1:], *rest)
        with pytest.raises(TypeError, match=r"x: expected torch.float64 on cpu, got torch.float32"):
            operator(left, right.float(), bias, *rest)
        with pytest.raises(TypeError, match="weights: expected real numbers, got torch.int64"):
            operator(left.long(), right, bias, *rest)


def test_check_tensor():
    x = torch.zeros(2, 3)
    check_tensor("op", "x", x, (2, None), x)
    with pytest.raises(ValueError, match=r"op: x: expected the shape \(any, 4\), got \(2, 3\)"):
        check_tensor("op", "x", x, (None, 4))
    with pytest.raises(ValueError, match=r"op: x: expected the shape \(2\), got \(2, 3\)"):
        check_tensor("op", "x", x, (2,))
    with pytest.raises(TypeError, match="op: x: expected torch.float32 on meta, got .* on cpu"):
        check_tensor("op", "x", x, (2, 3), x.to("meta"))
