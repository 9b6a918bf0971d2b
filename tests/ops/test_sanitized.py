"""No operator, on the CPU or on the emulated GPU, reads or writes outside of its arrays."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from equinet.ops.native import compile, library
from tests.ops.emulation import sanitized
from tests.ops.emulation.gpu import SANITIZERS, compile_driver

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runtime() -> str:
    """The sanitizer, to be loaded before all else."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the emulation needs ucontext")
    try:
        command = [compile.find_compiler(), "-print-file-name=libasan.so"]
    except compile.BuildError as error:
        pytest.skip(str(error))
    path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    if not Path(path).is_absolute():
        pytest.skip("this compiler has no address sanitizer")
    return path


@pytest.fixture(scope="module", params=["default", "avx2"])
def run(request, runtime, tmp_path_factory):
    """Runs ``sanitized`` on a library of one instruction set."""
    if request.param not in library.preferred():
        pytest.skip(f"this processor has no {request.param}")
    out = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compile, "FLAGS", (*compile.FLAGS, *SANITIZERS))
        path = compile.compile_cpu(compile.source_folder(), out, request.param)
    driver = compile_driver(out, SANITIZERS)

    def run(*more: str) -> subprocess.CompletedProcess:
        # Python leaks by design, and fibers change the stack.
        options = "detect_leaks=0:detect_stack_use_after_return=0"
        return subprocess.run(
            [sys.executable, "-m", sanitized.__name__, str(path), str(driver), *more],
            env={**os.environ, "LD_PRELOAD": runtime, "ASAN_OPTIONS": options},
            cwd=Path(__file__).resolve().parents[2],
            capture_output=True,
            text=True,
        )

    return run


def test_nothing_is_found(run):
    done = run()
    assert done.returncode == 0 and "all operators ran" in done.stdout, done.stderr[-4000:]


def test_what_is_planted_is_found(run):
    done = run("broken")
    assert done.returncode != 0 and "heap-buffer-overflow" in done.stderr, done.stderr[-4000:]
    assert "gemm.h" in done.stderr
