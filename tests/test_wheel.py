"""What setup.py makes: one wheel with the sources and, where there is a compiler, the libraries."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from equinet.ops.native import compile

ROOT = Path(__file__).resolve().parents[1]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / "setup.py").exists(), reason="not a checkout"),
]


@pytest.fixture
def build(tmp_path):
    """Builds a wheel from a copy of the sources, without a network."""
    source = tmp_path / "source"
    for name in ("csrc", "equinet"):
        ignore = shutil.ignore_patterns("__pycache__", compile.INSTALLED.name)
        shutil.copytree(ROOT / name, source / name, ignore=ignore)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "equinet_pytest.py"):
        shutil.copy(ROOT / name, source)

    def build(**environment: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
        return subprocess.run(
            [*command, "-w", str(tmp_path / "out"), str(source)],
            env={**os.environ, "EQUINET_CUDA": "0", **environment},
            capture_output=True,
            text=True,
        )

    return build


def contents(folder: Path) -> tuple[str, set[str]]:
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        return wheel.name, {Path(name).as_posix() for name in file.namelist()}


def test_with_a_compiler(build, tmp_path):
    try:
        compile.find_compiler()
    except compile.BuildError as error:
        pytest.skip(str(error))
    done = build(EQUINET_BUILD="require")
    assert done.returncode == 0, done.stderr
    name, files = contents(tmp_path / "out")
    assert "-py3-none-" in name and not name.endswith("-any.whl")
    libraries = {f"equinet/_compiled/{compile.library_name(s)}" for s in compile.instruction_sets()}
    assert libraries <= files
    assert {"equinet/_csrc/cpu/gemm.h", "equinet/_csrc/cuda/kernels.cu"} <= files


def test_without_a_compiler(build, tmp_path):
    """It never fails for want of one; the sources are there, to compile them later."""
    empty = tmp_path / "empty"
    empty.mkdir()
    done = build(PATH=str(empty), EQUINET_BUILD="auto")
    assert done.returncode == 0, done.stderr
    name, files = contents(tmp_path / "out")
    assert name.endswith("-py3-none-any.whl")
    assert "equinet/_csrc/cpu/gemm.h" in files
    assert not [name for name in files if name.endswith((".so", ".dylib", ".dll"))]


def test_required_without_a_compiler(build, tmp_path):
    done = build(CXX="no-such-compiler", EQUINET_BUILD="require")
    assert done.returncode != 0
    assert "is required, but: no C++ compiler" in done.stdout + done.stderr
