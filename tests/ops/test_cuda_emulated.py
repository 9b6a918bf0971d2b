"""The GPU code without a GPU: kernels and launches, emulated on the CPU."""

import shutil
from pathlib import Path
from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equinet.ops import so3, so3_gpu
from equinet.ops.native import compile, cuda
from tests.ops.emulation.gpu import compile_driver, emulated_gpu
from tests.ops.operator_cases import (
    DRAWN,
    EDGES,
    LARGE,
    WIDE_EDGES,
    block_product,
    edges_of,
    first,
    gradients_over_edges,
    so3_transform,
    sum_over_edges,
)
from tests.tolerances import ROUNDING, SINGLE, assert_close

pytestmark = pytest.mark.native

MASKED = [so3.SYNTHESIS, so3.RECTIFIED, so3.ANALYSIS]
F32, F64 = torch.float32, torch.float64


def check(driver, case, dtype, descending=False):
    """The numbers of the reference, with threads run in one order or the other."""
    if case.operator.gpu is None:
        pytest.skip(f"{case.operator.name} has no GPU code")
    with emulated_gpu(driver, descending):
        results = real(case.operator.gpu.compiled(*case.with_tensors(lambda x: x.to(dtype))))
    references = real(case.operator.reference(*case.arguments))
    for found, expected in zip(results, references, strict=True):
        scale = 1 + (expected.abs().max() if expected.numel() else 0)
        assert_close(found / scale, expected / scale, ROUNDING if dtype == F64 else SINGLE)


def real(result):
    """The tensors of a result that are no masks."""
    results = (result,) if isinstance(result, torch.Tensor) else result
    return [x for x in results if x.is_floating_point()]


@pytest.mark.parametrize("name", DRAWN)
@given(data=st.data(), dtype=st.sampled_from([F32, F64]), descending=st.booleans())
def test_the_numbers_of_the_reference(driver, name, data, dtype, descending):
    check(driver, data.draw(DRAWN[name]), dtype, descending)


@pytest.mark.parametrize("case", LARGE, ids=str)
def test_beyond_one_block(driver, case):
    check(driver, case, F64)


@pytest.mark.parametrize("shared", [2000, cuda.SHARED])  # several tiles of either sum, or one
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("operator", MASKED, ids=lambda o: o.name)
def test_masks_on_so3(driver, shared, descending, operator):
    """What is read or written, and the mask that ReLU leaves, to the last byte."""
    case = so3_transform(operator, 5, 5, 2, 19, True)
    with emulated_gpu(driver, descending), mock.patch.object(cuda, "SHARED", shared):
        found = operator.gpu.compiled(*case.arguments)
    expected = operator.reference(*case.arguments)
    scale = first(expected).abs().max()
    assert_close(first(found) / scale, first(expected) / scale, ROUNDING)
    if operator is so3.RECTIFIED:
        assert torch.equal(found[1], expected[1])
    else:
        without = (case.arguments[0], None, *case.arguments[2:])
        assert not torch.allclose(first(found), operator.reference(*without))


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_sums_over_edges_have_equal_bits(driver, dtype, weighted):
    """In whatever order the threads of a block run; with tiles of channels and of features."""
    count = 150 if weighted else 20
    given = sum_over_edges(WIDE_EDGES, edges_of(count, 4, 9), 4, 9, 35, weighted=weighted)
    for case in given, gradients_over_edges(given, [0, 1, 2, 3][: 3 + weighted]):
        arguments, results = case.with_tensors(lambda x: x.to(dtype)), []
        for descending in (False, True):
            with emulated_gpu(driver, descending):
                results.append(real(case.operator.gpu.compiled(*arguments)))
        assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
        check(driver, case, dtype)


@pytest.mark.parametrize("end", [-1, 3, 2**40])
def test_an_edge_from_no_point_makes_its_sums_no_numbers(driver, end):
    """Nothing is read there; what does not hang on that edge is as it was."""
    edges = torch.tensor([[0, 1, 1, 2], [0, 0, 1, 2]])
    case = sum_over_edges(EDGES, edges, 3, 3, 2)
    gradients = gradients_over_edges(case, [0, 1, 2, 3])
    edges[0, 1] = end
    with emulated_gpu(driver):
        found = case.operator.gpu.compiled(*case.arguments)
        to_x, *to_edges, to_weights = gradients.operator.gpu.compiled(*gradients.arguments)
    assert found[0].isnan().all() and found[1:].isfinite().all()
    assert to_x[1].isnan().all() and to_x[[0, 2]].isfinite().all() and to_weights.isnan().all()
    for x in to_edges:
        assert x[1].isnan().all() and x[[0, 2, 3]].isfinite().all()


@pytest.mark.parametrize("size", [4, 8])
def test_tiles_of_waves_fit(size):
    """Of the sum and of its transpose."""
    room = cuda.SHARED // size
    for pairs in range(2, 202):
        band = pairs - 1
        for tiles in (pairs, 2 * band, 4 * band - 1), (band, 2 * pairs, -(9 * pairs // -2)):
            points, tile, other = so3_gpu.tiles_in(*tiles, room)
            assert other * tiles[1] + tile * points * tiles[2] <= room
            assert 0 < tile <= other and tile % so3_gpu.RUN == other % so3_gpu.RUN == 0
            assert so3_gpu.THREADS % points == 0


def test_a_missing_barrier_is_seen(driver, tmp_path):
    """The emulation can fail: without one of its barriers the kernel gives other numbers."""
    folder = Path(shutil.copytree(compile.source_folder(), tmp_path / "csrc"))
    kernel = folder / "cuda" / "block_matmul.cu"
    kernel.write_text(kernel.read_text().replace("__syncthreads();", "", 1))
    broken = compile_driver(tmp_path, folder=folder)
    for descending in (False, True):
        with pytest.raises(AssertionError):
            check(broken, block_product([(70, 40)], 3, 0, False), F64, descending)


def test_a_wrong_launch_is_refused(driver):
    x = torch.zeros(4)
    rest = (None, x, cuda.degrees([1], [1]), 1)
    with emulated_gpu(driver):
        with pytest.raises(TypeError, match="expected 7 arguments, got 1"):
            cuda.launch("block_matmul", F32, None, (1,), (256,), x)
        with pytest.raises(TypeError, match=r"expected a contiguous tensor of .*float32 on GPU"):
            cuda.launch("block_matmul", F32, None, (1,), (256,), 0, x.double(), x, *rest)
        with pytest.raises(cuda.CudaError, match=r"cuLaunchKernel: invalid argument \(1\)"):
            cuda.launch("block_matmul", F32, None, (0,), (256,), 0, x, x, *rest)
        with pytest.raises(cuda.CudaError, match=r"cuLaunchKernel: invalid argument \(1\)"):
            more = cuda.SHARED + 1
            cuda.launch("block_matmul", F32, None, (1,), (256,), 0, x, x, *rest, shared=more)
        with pytest.raises(TypeError, match=r"tensor of torch.bool on GPU .* for const unsig"):
            cuda.launch("so3_sum_waves", F32, None, (1,), (256,), *[x] * 6, *[1] * 7)
