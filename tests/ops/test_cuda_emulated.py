"""The GPU code without a GPU: kernels and launches, emulated on the CPU."""

import shutil
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equinet.ops.native import compile, cuda
from tests.ops.emulation.gpu import compile_driver, emulated_gpu
from tests.tolerances import ROUNDING, SINGLE, assert_close

block_matmul = sys.modules["equinet.ops.block_matmul"]
F32, F64 = torch.float32, torch.float64


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    if not sys.platform.startswith("linux"):
        pytest.skip("the emulation needs ucontext")
    try:
        compile.find_compiler()
    except compile.BuildError as error:
        pytest.skip(str(error))
    return compile_driver(tmp_path_factory.mktemp("emulation"))


sizes = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=4)


@pytest.mark.parametrize("mode", range(3))
@pytest.mark.parametrize("dtype", [F32, F64])
@given(sizes=sizes, batch=st.integers(0, 3), descending=st.booleans())
def test_block_matmul(driver, mode, dtype, sizes, batch, descending):
    check_block_matmul(driver, mode, dtype, sizes, batch, descending)


@pytest.mark.parametrize("mode", range(3))
def test_block_matmul_beyond_one_tile(driver, mode):
    check_block_matmul(driver, mode, F64, [(70, 3), (2, 66), (65, 17)], 23, False)


def check_block_matmul(driver, mode, dtype, sizes, batch, descending):
    rows, columns = zip(*sizes, strict=True)
    w, x, z = block_matmul._sizes(rows, columns, batch)
    generator = torch.Generator().manual_seed(0)
    first, second = {0: (w, x), 1: (w, z), 2: (z, x)}[mode]
    left, right = (torch.randn(n, dtype=F64, generator=generator) for n in (first, second))
    bias = torch.randn(rows[0], dtype=F64, generator=generator) if mode == 0 else None
    given = [y if y is None else y.to(dtype) for y in (left, right, bias)]
    with emulated_gpu(driver, descending):
        found = block_matmul._gpu(*given, rows, columns, batch, mode)
    expected = block_matmul._reference(left, right, bias, rows, columns, batch, mode)
    assert_close(found, expected, (ROUNDING if dtype == F64 else SINGLE) * 10)


@pytest.mark.parametrize("descending", [False, True])
def test_a_missing_barrier_is_seen(driver, tmp_path, descending):
    """The emulation can fail: without one of its barriers the kernel gives other numbers."""
    folder = Path(shutil.copytree(compile.source_folder(), tmp_path / "csrc"))
    kernel = folder / "cuda" / "block_matmul.cu"
    kernel.write_text(kernel.read_text().replace("__syncthreads();", "", 1))
    broken = compile_driver(tmp_path, folder=folder)
    with pytest.raises(AssertionError):
        check_block_matmul(broken, 0, F64, [(70, 40)], 3, descending)


def test_a_wrong_launch_is_refused(driver):
    x = torch.zeros(4)
    with emulated_gpu(driver):
        with pytest.raises(TypeError, match="expected 7 arguments, got 1"):
            cuda.launch("block_matmul", F32, None, (1,), (256,), x)
        with pytest.raises(
            TypeError, match=r"block_matmul: expected a contiguous tensor of .*float32"
        ):
            constants = (None, x, cuda.degrees([1], [1]), 1)
            cuda.launch("block_matmul", F32, None, (1,), (256,), 0, x.double(), x, *constants)
        with pytest.raises(cuda.CudaError, match=r"cuLaunchKernel: invalid argument \(1\)"):
            constants = (None, x, cuda.degrees([1], [1]), 1)
            cuda.launch("block_matmul", F32, None, (0,), (256,), 0, x, x, *constants)
