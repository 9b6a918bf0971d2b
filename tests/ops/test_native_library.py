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

from equinet import build
from equinet.ops import block_matmul, status
from equinet.ops.native import cache, compile, cuda, library, nvrtc

FOLDER = compile.source_folder()
F32 = torch.float32


def is_there(find) -> bool:
    try:
        return bool(find())
    except compile.BuildError:
        return False


needs_compiler = pytest.mark.skipif(not is_there(compile.find_compiler), reason="no C++ compiler")
needs_nvcc = pytest.mark.skipif(not is_there(compile.find_nvcc), reason="no nvcc")


def keep(place: Path, content: bytes, name: str = compile.library_name("default")) -> Path:
    """A file in a cache, as ``python -m equinet.build`` puts it there."""
    return cache.keep(place, name, compile.source_hash(FOLDER), content)


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
    folder = Path(shutil.copytree(FOLDER, tmp_path / "csrc"))
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
    assert set(re.findall(r"NEEDED.*\[(.*)\]", text)) <= {"libc.so.6"}


# --- trust ----------------------------------------------------------------------------------------


def shared_library(folder: Path, source: str) -> bytes:
    """What the compiler makes of one file."""
    path, made = folder / "source.cpp", folder / "made"
    path.write_text(source)
    command = [compile.find_compiler(), "-shared", "-fPIC", str(path), "-o", str(made)]
    subprocess.run(command, check=True)
    return made.read_bytes()


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> tuple[Path, bytes]:
    """A library that makes a file as soon as it is loaded, and that file."""
    folder = tmp_path_factory.mktemp("planted")
    mark = folder / "mark"
    run_at_once = "__attribute__((constructor)) static void run()"
    source = f'#include <stdio.h>\n{run_at_once} {{ fclose(fopen("{mark}", "w")); }}\n'
    return mark, shared_library(folder, source)


def give_away(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to another user")
    os.chown(path, 12345, -1, follow_symlinks=False)


def replace_by_link(path: Path) -> None:
    os.link(path, path.with_name("elsewhere"))
    path.unlink()
    path.symlink_to("elsewhere")


def replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def digests_of_other_sources(file: Path) -> None:
    digests = file.with_name(cache.DIGESTS)
    digests.write_text(digests.read_text().replace(compile.source_hash(FOLDER), "0" * 16))


# What is done to the file above/place/NAME, and the words against it; None where it is sound.
NAME = compile.library_name("default")
CACHES = {
    "sound": (lambda file: None, None),
    "readable by all": (lambda file: file.chmod(0o755), None),
    "above sticky": (lambda file: file.parents[1].chmod(0o1777), None),
    "built again": (lambda file: keep(file.parent, file.read_bytes()), None),
    "file of another": (give_away, f"{NAME} belongs to another user (number 12345)"),
    "folder of another": (lambda file: give_away(file.parent), "place belongs to another user"),
    "above of another": (lambda file: give_away(file.parents[1]), "above belongs to another user"),
    "digests of another": (
        lambda file: give_away(file.with_name(cache.DIGESTS)),
        "digests belongs to another user",
    ),
    "file open to the group": (lambda file: file.chmod(0o664), f"{NAME} may be written by other"),
    "file open to all": (lambda file: file.chmod(0o646), f"{NAME} may be written by other"),
    "folder open to all": (lambda file: file.parent.chmod(0o777), "place may be written by other"),
    "folder sticky": (lambda file: file.parent.chmod(0o1777), "place may be written by other"),
    "above open to all": (lambda file: file.parents[1].chmod(0o777), "above may be written by"),
    "digests open to the group": (
        lambda file: file.with_name(cache.DIGESTS).chmod(0o664),
        "digests may be written by other",
    ),
    "link": (replace_by_link, f"{NAME} is no regular file"),
    "pipe": (replace_by_pipe, f"{NAME} is no regular file"),
    "no digests": (lambda file: file.with_name(cache.DIGESTS).unlink(), "digests is missing"),
    "other content": (
        lambda file: file.write_bytes(file.read_bytes() + b"\0"),
        f"{NAME} is not what was compiled from these sources",
    ),
    "other sources": (
        digests_of_other_sources,
        f"{NAME} is not what was compiled from these sources",
    ),
}


@needs_compiler
@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no owners of files")
@pytest.mark.parametrize("state", CACHES)
def test_what_others_may_have_put_there_is_never_run(planted, tmp_path, state):
    mark, content = planted
    file = keep(tmp_path / "above" / "place", content)
    change, words = CACHES[state]
    change(file)
    mark.unlink(missing_ok=True)
    found, problem = library.load([file.parent])
    assert found is None and mark.exists() == (words is None), problem
    assert (words or "undefined symbol") in problem


@needs_compiler
def test_a_link_to_a_sound_folder_is_followed(built, tmp_path):
    (tmp_path / "link").symlink_to(built)
    found, problem = library.load([tmp_path / "link"])
    assert found is not None and found.path == built / compile.library_name("default"), problem


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no owners of files")
def test_code_for_the_gpu_is_trusted_no_sooner(tmp_path, monkeypatch):
    monkeypatch.setattr(nvrtc, "load", lambda: None)
    monkeypatch.setattr(nvrtc, "version", lambda compiler: "1.2")
    monkeypatch.setattr(nvrtc, "compile_kernels", lambda *_: b"fresh")
    monkeypatch.setattr(compile, "INSTALLED", tmp_path / "nowhere")
    monkeypatch.setenv("EQUINET_CACHE", str(tmp_path / "above"))
    place = cache.place(compile.source_hash(FOLDER))
    with pytest.raises(compile.BuildError, match="not compiled by nvcc"):
        cuda.compiled_at_installation(FOLDER, "90")
    for find, name in (
        (cuda.compiled_at_installation, compile.fatbin_name(FOLDER)),
        (cuda.compiled_at_first_use, "equinet_cuda_90_nvrtc_1.2.cubin"),
    ):
        keep(place, b"kept", name)
        assert find(FOLDER, "90") == (b"kept", str(place / name))
        place.chmod(0o777)
        if find is cuda.compiled_at_installation:
            with pytest.raises(cache.CacheError, match="may be written by other users"):
                find(FOLDER, "90")
        else:
            code, origin = find(FOLDER, "90")
            assert code == b"fresh" and "not kept: " in origin and "chmod go-w" in origin
        place.chmod(0o755)
    (place / name).write_bytes(b"damaged")  # is made again
    assert cuda.compiled_at_first_use(FOLDER, "90") == (b"fresh", str(place / name))
    assert cache.read(place, name, compile.source_hash(FOLDER))[1] == b"fresh"


def test_what_is_made_is_closed_to_others_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        file = keep(tmp_path / "new" / "place", b"code")
    finally:
        os.umask(before)
    for path in (file, file.with_name(cache.DIGESTS), file.parent, file.parent.parent):
        assert path.stat().st_mode & 0o022 == 0, path
    assert {path.name for path in file.parent.iterdir()} == {file.name, cache.DIGESTS}


# --- no cache -------------------------------------------------------------------------------------


def no_home(monkeypatch, tmp_path):
    def home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)


def cache_is_a_file(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("EQUINET_CACHE", str(tmp_path / "file"))


def home_is_a_device(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", os.devnull)


def links_go_round(monkeypatch, tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a"))


def read_only(monkeypatch, tmp_path):
    """A file system without a place for anything."""
    monkeypatch.setenv("EQUINET_CACHE", "/proc/equinet")


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
@pytest.mark.parametrize(
    ("lack", "words"),
    [
        (no_home, "no cache: this user has no home folder"),
        (cache_is_a_file, "Not a directory"),
        (home_is_a_device, "Not a directory"),
        (links_go_round, "Too many levels of symbolic links"),
        (read_only, "No such file"),
    ],
)
def test_without_a_cache(lack, words, tmp_path, monkeypatch, capsys):
    """Nothing is loaded, the reason is kept, and the command says it in one line."""
    for name in ("EQUINET_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(compile, "INSTALLED", tmp_path / "nowhere")
    monkeypatch.setattr(compile, "build", None)  # nothing is compiled in vain
    lack(monkeypatch, tmp_path)
    found, problem = library.load()
    assert found is None
    assert words in problem or (lack is read_only and problem == "not compiled")
    assert build.main() == 1
    out, said = capsys.readouterr()
    assert out == "" and said.startswith("equinet: no cache") and words in said
    assert said.count("\n") == 1
    monkeypatch.setenv("EQUINET_BUILD", "auto")  # nothing is required
    assert build.main() == 0 and capsys.readouterr().err == said


@needs_compiler
def test_without_a_cache_the_installation_serves(built, monkeypatch):
    monkeypatch.setattr(compile, "INSTALLED", built)
    no_home(monkeypatch, None)
    found, problem = library.load()
    assert found is not None and problem == ""


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("setpriv"),
    reason="needs root, to become another user",
)
@pytest.mark.parametrize(
    ("home", "words"),
    [(None, "no cache: this user has no home folder"), ("/root", "Permission denied")],
)
def test_import_as_a_user_without_a_home(home, words):
    """As ``docker run -u 12345`` does it: no name, and no home or that of root."""
    start = "import sys, torch; open('equinet/__init__.py').close(); print('started'); "
    tell = "import equinet, equinet.build; print(equinet.ops.status()); "
    names = ("HOME", "EQUINET_CACHE", "XDG_CACHE_HOME", "EQUINET_BUILD")
    variables = {name: value for name, value in os.environ.items() if name not in names}
    other = ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups"]
    done = subprocess.run(
        [*other, sys.executable, "-c", f"{start}{tell}sys.exit(equinet.build.main())"],
        env=variables | ({"HOME": home} if home else {}),
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
    )
    if "started" not in done.stdout:
        pytest.skip("this Python, torch or checkout cannot be read by other users")
    assert done.returncode == 1 and words in done.stderr, done.stderr
    assert done.stderr.startswith("equinet: no cache") and done.stderr.count("\n") == 1
    assert "CPU operators: compiled" in done.stdout or words in done.stdout


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


@needs_compiler
def test_the_command_builds_what_the_next_import_finds(tmp_path):
    tell = ["-c", "import equinet; print(equinet.ops.status())"]
    done = run(["-m", "equinet.build"], out=tmp_path, EQUINET_CUDA="0", EQUINET_BUILD="require")
    assert done.returncode == 0, done.stderr
    assert f"{compile.library_name('default')}: compiled" in done.stdout
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
