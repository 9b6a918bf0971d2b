"""What only a GPU can show; `python -m benchmarks gpu` runs it."""

import pytest
import torch

from equinet.field import Plane, Sphere
from equinet.nn import Conv2d, SphereConv
from equinet.ops import status
from equinet.ops.availability import check_on_gpus
from equinet.ops.native import cuda
from equinet.ops.native.first_use import moved
from tests.ops.operator_cases import LARGE, SMALL, first
from tests.tolerances import ROUNDING, SINGLE, assert_close

if not cuda.devices():
    pytest.skip(f"no GPU: {cuda.report()[1]}", allow_module_level=True)
F32, F64 = torch.float32, torch.float64


def on_gpu(case, dtype=F64):
    return moved(case.arguments, "cuda", dtype, case.operator.exact)


def planar():
    fields = Plane("C4").fields("2x regular")
    return Conv2d(fields, fields, 3).cuda(), fields.shape(2, 9, 9)


def spherical():
    fields = Sphere(4).fields("2x regular")
    return SphereConv(fields, fields).cuda(), fields.shape(2)


def test_every_operator_passes_its_check():
    assert check_on_gpus() == []
    assert all(line.endswith(": passed") for line in status().checks)


@pytest.mark.parametrize("case", SMALL + LARGE, ids=str)
@pytest.mark.parametrize("dtype, tolerance", [(F64, ROUNDING), (F32, SINGLE)], ids=str)
def test_the_numbers_of_the_reference(case, dtype, tolerance):
    found = first(case.operator.overload(*on_gpu(case, dtype))).cpu()
    expected = first(case.operator.reference(*case.arguments))
    scale = 1 + (expected.abs().max() if expected.numel() else 0)
    assert_close(found / scale, expected / scale, tolerance)


@pytest.mark.parametrize("case", SMALL, ids=str)
def test_opcheck(case):
    arguments = [
        a.clone().requires_grad_() if isinstance(a, torch.Tensor) and a.is_floating_point() else a
        for a in on_gpu(case)
    ]
    torch.library.opcheck(case.operator.overload, arguments)


@pytest.mark.parametrize("case", SMALL, ids=str)
def test_on_a_stream_of_its_own(case):
    """And from a thread of the backward pass, which has no context."""
    arguments = on_gpu(case)
    arguments[0].requires_grad_()
    with torch.cuda.stream(torch.cuda.Stream()):
        found = first(case.operator.overload(*arguments))
        found.sum().backward()
    torch.cuda.synchronize()
    assert_close(found.detach().cpu(), first(case.operator.reference(*case.arguments)), ROUNDING)


@pytest.mark.parametrize("make", [planar, spherical], ids=["Conv2d", "SphereConv"])
def test_a_graph_replays_after_many_other_layers(make):
    """A training step, recorded when warm; no table of it moves, or is given to others."""
    recorded, shape = make()
    x = torch.randn(shape, device="cuda")

    def step():
        recorded.zero_grad(set_to_none=True)
        recorded(x).square().sum().backward()

    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    expected = [p.grad.clone() for p in recorded.parameters()]
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    for copies in range(1, 71):
        fields = Plane("C4").fields(f"{copies}x trivial")
        Conv2d(fields, fields, 1).cuda().dense()
    torch.full((2**24,), 7, device="cuda")  # where a table may have been
    graph.replay()
    torch.cuda.synchronize()
    for parameter, gradient in zip(recorded.parameters(), expected, strict=True):
        scale = 1 + gradient.abs().max()
        assert_close(parameter.grad / scale, gradient / scale, SINGLE)


@pytest.mark.compile
def test_a_layer_compiled_with_graphs():
    layer, shape = planar()
    compiled = torch.compile(layer, mode="reduce-overhead")
    for factor in range(1, 5):
        x = factor * torch.randn(shape, device="cuda")
        expected = layer(x)
        scale = 1 + expected.abs().max()
        assert_close(compiled(x).clone() / scale, expected / scale, SINGLE)
