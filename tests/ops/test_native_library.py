"""Compiling and loading: what is missing, stale or foreign is refused with the reason."""

import ctypes
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from equinet.ops import block_matmul, status
from equinet.ops.native import compile, library
from tests.ops.native_files import FOLDER, is_there, keep, needs_compiler, shared_library

F32 = torch.float32

pytestmark = pytest.mark.native

needs_nvcc = pytest.mark.skipif(not is_there(compile.find_nvcc), reason="no nvcc")


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A cache with the plainest library, which every processor can load."""
    out = tmp_path_factory.mktemp("built")
    made = compile.compile_cpu(FOLDER, tmp_path_factory.mktemp("made"), "default")
    return keep(out, made.read_bytes()).parent


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    """As if nothing were set, on a processor of which only the family is known."""
    for name in ("EQUINET_BUILD", "EQUINET_CUDA", "CXX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(library, "preferred", lambda: ["default"])


def run(command, *, out=None, **environment) -> subprocess.CompletedProcess:
    """A Python process with these variables, and ``out`` as the user's cache."""
    variables = {**os.environ, **environment} | ({"EQUINET_CACHE": str(out)} if out else {})
    root = Path(__file__).resolve().parents[2]
    return subprocess.run(
        [sys.executable, *command], env=variables, cwd=root, capture_output=True, text=True
    )


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"), [(None, "auto"), ("", "auto"), ("0", "0"), ("Require", "require")]
)
def test_setting(given, expected, monkeypatch):
    if given is not None:
        monkeypatch.setenv("EQUINET_BUILD", given)
    assert compile.setting("EQUINET_BUILD") == expected


def test_an_unknown_setting_is_refused(monkeypatch):
    monkeypatch.setenv("EQUINET_CUDA", "maybe")
    with pytest.raises(ValueError, match="EQUINET_CUDA: expected auto, 0 or require, got 'maybe'"):
        compile.setting("EQUINET_CUDA")


def test_the_hash_follows_every_source(tmp_path):
    folder = Path(shutil.copytree(FOLDER, tmp_path / "csrc"))
    hashes = {compile.source_hash(folder)}
    assert hashes == {compile.source_hash(FOLDER)}
    for path in compile.sources(folder):
        path.write_text(path.read_text() + "\n")
        hashes.add(compile.source_hash(folder))
    assert len(hashes) == 1 + len(compile.sources(folder))
    assert len(compile.sources(folder)) > 5


# --- compiling ------------------------------------------------------------------------------------


def test_without_a_compiler(tmp_path, monkeypatch):
    """Nothing fails, and the log has the reason; unless the library is required."""
    monkeypatch.setenv("PATH", str(tmp_path))
    log = compile.build(FOLDER, tmp_path / "out", "auto", "0")
    assert "no C++ compiler: looked for c++, g++, clang++" in log
    assert (tmp_path / "out" / compile.LOG).read_text() == log + "\n"
    with pytest.raises(compile.BuildError, match=r"is required, but: no C\+\+ compiler"):
        compile.build(FOLDER, tmp_path / "out", "require", "0")
    assert library.load([tmp_path / "out"]) == (None, "not compiled")


@needs_compiler
def test_what_the_compiler_says_is_kept(tmp_path):
    folder = tmp_path / "csrc"
    (folder / "cpu").mkdir(parents=True)
    (folder / "cpu" / "library.cpp").write_text("int f( { }\n")
    log = compile.build(folder, tmp_path / "out", "auto", "0")
    assert "library.cpp:1" in log and "error" in log
    assert not [path for path in (tmp_path / "out").iterdir() if path.name != compile.LOG]


@needs_compiler
@pytest.mark.parametrize("name", list(compile.instruction_sets()))
def test_every_instruction_set_compiles_without_a_warning(name, tmp_path, monkeypatch):
    monkeypatch.setattr(compile, "FLAGS", (*compile.FLAGS, "-Werror", "-fsyntax-only"))
    monkeypatch.setattr(os, "replace", lambda *_: None)  # nothing is written
    compile.compile_cpu(FOLDER, tmp_path, name)


@needs_nvcc
@pytest.mark.parametrize("architecture", compile.CUDA_ARCHITECTURES)
def test_nvcc_compiles_the_kernels(architecture, tmp_path):
    """Without a warning, and no register is spilled."""
    command = [compile.find_nvcc(), "-std=c++17", "-O3", "-cubin", f"-arch=sm_{architecture}"]
    command += ["--Werror=all-warnings", "-Xptxas", "-v", f"-I{FOLDER}"]
    command += [str(FOLDER / "cuda" / "kernels.cu"), "-o", str(tmp_path / "kernels.cubin")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    spills = re.findall(r"(\d+) bytes spill", done.stderr)
    assert spills and set(spills) == {"0"}, done.stderr


# --- loading --------------------------------------------------------------------------------------


@needs_compiler
def test_a_library_is_loaded(built):
    found, problem = library.load([built])
    assert found is not None and problem == ""
    assert found.path == built / compile.library_name("default")
    assert found.instruction_set == "default"
    assert found.threads  # torch >= 2.10 lends its own


def test_switched_off(monkeypatch):
    monkeypatch.setenv("EQUINET_BUILD", "0")
    assert library.load() == (None, "switched off by EQUINET_BUILD=0")


def test_required_but_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(library, "REQUIRED", True)
    monkeypatch.setattr(library, "CPU", None)
    monkeypatch.setattr(library, "CPU_PROBLEM", library.load([tmp_path])[1])
    with pytest.raises(RuntimeError, match="EQUINET_BUILD=require, but .* not compiled"):
        block_matmul(torch.ones(1), torch.ones(1), [1], [1], 1)


@needs_compiler
def test_a_stale_library_is_refused(built, tmp_path, monkeypatch):
    folder = Path(shutil.copytree(FOLDER, tmp_path / "csrc"))
    (folder / "cpu" / "gemm.h").write_text((folder / "cpu" / "gemm.h").read_text() + "// new\n")
    monkeypatch.setattr(compile, "source_folder", lambda: folder)
    found, problem = library.load([built])
    assert found is None and "is not what was compiled from these sources" in problem
    # That of an installation says itself what it was compiled from.
    monkeypatch.setattr(compile, "INSTALLED", built)
    found, problem = library.load([built])
    assert found is None and ": compiled from other sources" in problem
    assert compile.source_hash(folder) in problem and compile.source_hash(FOLDER) in problem


@pytest.mark.parametrize("content", [b"", b"not a library", b"\x7fELF\x01\x01\x01" + bytes(200)])
def test_a_foreign_file_is_refused(content, tmp_path):
    """Such as a library of another platform: here the head of a 32-bit one."""
    path = keep(tmp_path, content)
    found, problem = library.load([tmp_path])
    assert found is None and str(path) in problem and len(problem) > len(str(path)) + 2


@needs_compiler
def test_a_library_of_somebody_else_is_refused(tmp_path):
    keep(tmp_path, shared_library(tmp_path, 'extern "C" int other() { return 0; }\n'))
    found, problem = library.load([tmp_path])
    assert found is None and "eq_instruction_set" in problem


@needs_compiler
def test_the_next_place_is_tried(built, tmp_path):
    keep(tmp_path, b"broken")
    found, problem = library.load([tmp_path, built])
    assert found is not None and str(tmp_path) in problem


@needs_compiler
@pytest.mark.skipif(sys.platform != "linux", reason="about glibc")
def test_the_oldest_system_is_read_from_the_symbols(built, tmp_path):
    """Against what is known of glibc: memcpy is of 2.14, pow as it is now of 2.29."""
    own = (built / compile.library_name("default")).read_bytes()
    assert compile.manylinux([own]) == "manylinux_2_17"
    source = '#include <math.h>\nextern "C" double f(double x) { return pow(x, x); }\n'
    assert compile.manylinux([own, shared_library(tmp_path, source)]) == "manylinux_2_29"
    source = "#include <iostream>\nvoid f() { std::cout << 1; }\n"
    assert compile.manylinux([own, shared_library(tmp_path, source)]) is None


@needs_compiler
def test_it_needs_nothing_but_the_c_library(built):
    """So one file serves every torch, every Python and every C++ library."""
    if not shutil.which("readelf"):
        pytest.skip("no readelf")
    path = built / compile.library_name("default")
    text = subprocess.run(["readelf", "-d", path], capture_output=True, text=True).stdout
    # libm is a part of it, in a file of its own.
    assert set(re.findall(r"NEEDED.*\[(.*)\]", text)) <= {"libc.so.6", "libm.so.6"}


@needs_compiler
def test_a_link_to_a_sound_folder_is_followed(built, tmp_path):
    (tmp_path / "link").symlink_to(built)
    found, problem = library.load([tmp_path / "link"])
    assert found is not None and found.path == built / compile.library_name("default"), problem


@needs_compiler
def test_without_a_cache_the_installation_serves(built, monkeypatch):
    monkeypatch.setattr(compile, "INSTALLED", built)
    monkeypatch.setattr(Path, "home", Path("~nobody-of-this-name").expanduser)  # it raises
    found, problem = library.load()
    assert found is not None and problem == ""


# --- calls ----------------------------------------------------------------------------------------


@needs_compiler
def test_a_wrong_call_never_reaches_the_library(built):
    found, _ = library.load([built])
    assert found is not None
    x, sizes = torch.ones(1), ((1,), (1,), 1, 1)
    out = torch.zeros(1)
    found.call("block_matmul", F32, 0, x, x, None, out, *sizes)
    assert out == 1
    with pytest.raises(TypeError, match="block_matmul: expected 9 arguments, got 2"):
        found.call("block_matmul", F32, 0, x)
    for wrong in (x.double(), x.to("meta"), torch.ones(2, 2).T):
        with pytest.raises(TypeError, match="block_matmul: expected a contiguous tensor"):
            found.call("block_matmul", F32, 0, wrong, x, None, out, *sizes)
    with pytest.raises(ctypes.ArgumentError):
        found.call("block_matmul", F32, 0.5, x, x, None, out, *sizes)


# --- from outside ---------------------------------------------------------------------------------


def hasty(folder: Path) -> str:
    """The compiler, but it does not optimise: that takes a tenth of the time."""
    path = folder / "c++"
    path.write_text(f'#!/bin/sh\nexec "{compile.find_compiler()}" "$@" -O0\n')
    path.chmod(0o755)
    return str(path)


@needs_compiler
def test_the_command_builds_what_the_next_import_finds(tmp_path):
    tell = ["-c", "import equinet; print(equinet.ops.status())"]
    settings = dict(EQUINET_CUDA="0", EQUINET_BUILD="require", CXX=hasty(tmp_path))
    done = run(["-m", "equinet.build"], out=tmp_path, **settings)
    assert done.returncode == 0, done.stderr
    assert f"{compile.library_name('default')}: compiled" in done.stdout
    without = dict(settings, CXX="no-such-compiler")
    twice = run(["-m", "equinet.build"], out=tmp_path, **without)
    assert f"{compile.library_name('default')}: there already" in twice.stdout, twice.stderr
    again = run(["-m", "equinet.build", "--again"], out=tmp_path, **without)
    assert again.returncode == 1 and "no C++ compiler" in again.stderr
    said = run(tell, out=tmp_path, EQUINET_BUILD="require").stdout
    assert "CPU operators: compiled for" in said
    off = run(tell, out=tmp_path, EQUINET_BUILD="0").stdout
    assert "CPU operators: plain PyTorch; switched off by EQUINET_BUILD=0" in off
    assert "python -m equinet.build" in off


def test_the_command_fails_loudly(tmp_path):
    done = run(["-m", "equinet.build"], out=tmp_path, CXX="no-such-compiler", EQUINET_CUDA="0")
    assert done.returncode == 1
    assert "no C++ compiler: looked for no-such-compiler" in done.stderr


def test_status_says_why(monkeypatch):
    monkeypatch.setattr(library, "CPU", None)
    monkeypatch.setattr(library, "CPU_PROBLEM", "for a reason")
    found = status()
    assert (found.cpu, found.cpu_problem) == (None, "for a reason")
    assert "CPU operators: plain PyTorch; for a reason" in str(found)
