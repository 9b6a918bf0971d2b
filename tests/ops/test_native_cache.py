"""The cache of compiled code: what others may have put there is never run, and none is needed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from equinet import build
from equinet.ops.native import cache, compile, cuda, library, nvrtc
from tests.ops.native_files import FOLDER, keep, needs_compiler, shared_library

pytestmark = pytest.mark.native


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    """As if nothing were set, on a processor of which only the family is known."""
    for name in ("EQUINET_BUILD", "EQUINET_CUDA", "CXX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(library, "preferred", lambda: ["default"])


# --- trust ----------------------------------------------------------------------------------------


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
    assert build.main([]) == 1
    out, said = capsys.readouterr()
    assert out == "" and said.startswith("equinet: no cache") and words in said
    assert said.count("\n") == 1
    monkeypatch.setenv("EQUINET_BUILD", "auto")  # nothing is required
    assert build.main([]) == 0 and capsys.readouterr().err == said


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
