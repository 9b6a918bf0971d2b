"""What setup.py makes: an archive of the sources that has all, and of it one wheel with the sources
and, where there is a compiler, the libraries."""

import email
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import equinet
from equinet.ops.native import compile

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = (".ci", ".github", "benchmarks", "csrc", "docs", "equinet", "examples", "tests")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / "setup.py").exists(), reason="not a checkout"),
]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory) -> Path:
    """The archive of the sources, made of a copy of them."""
    source = tmp_path_factory.mktemp("source")
    for name in FOLDERS:
        ignore = shutil.ignore_patterns("__pycache__", compile.INSTALLED.name)
        shutil.copytree(ROOT / name, source / name, ignore=ignore)
    for path in ROOT.iterdir():
        if path.is_file() and path.name != ".git":
            shutil.copy(path, source)
    make = "import setuptools.build_meta as b; b.build_sdist('dist')"
    subprocess.run([sys.executable, "-c", make], cwd=source, check=True, capture_output=True)
    (path,) = (source / "dist").glob("*.tar.gz")
    return path


@pytest.fixture
def build(sdist, tmp_path):
    """Builds a wheel from the archive, without a network."""

    def build(**environment: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "pip", "wheel", "-v", "--no-deps", "--no-build-isolation"]
        return subprocess.run(
            [*command, "-w", str(tmp_path / "out"), str(sdist)],
            env={**os.environ, "EQUINET_CUDA": "0", **environment},
            capture_output=True,
            text=True,
        )

    return build


@pytest.fixture
def fresh(tmp_path):
    """Installs into a new environment, which has torch from this one, and runs a program there."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "new"], check=True)
    python = tmp_path / "new" / ("Scripts" if os.name == "nt" else "bin") / "python"
    site = "import sysconfig; print(sysconfig.get_path('purelib'))"
    here, there = (
        subprocess.run([p, "-c", site], capture_output=True, text=True, check=True).stdout.strip()
        for p in (sys.executable, python)
    )
    (Path(there) / "torch.pth").write_text(here + "\n")
    variables = {name: text for name, text in os.environ.items() if not name.startswith("EQUINET")}
    variables |= {"PYTHONPATH": "", "EQUINET_CACHE": str(tmp_path / "cache")}

    def run(archive: Path, program: str, **environment: str) -> str:
        install = ["-m", "pip", "install", "--no-deps", "--no-build-isolation", str(archive)]
        for command in (install, ["-c", program]):
            options = dict(env=variables | environment, cwd=tmp_path, capture_output=True)
            done = subprocess.run([python, *command], text=True, **options)
            assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(str(Path(there) / "equinet")), done.stdout
        return done.stdout

    return run


def contents(folder: Path) -> tuple[str, dict[str, bytes]]:
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        return wheel.name, {name: file.read(name) for name in file.namelist()}


def libraries(files: dict[str, bytes]) -> list[str]:
    return [name for name in files if name.endswith((".so", ".dylib", ".dll"))]


def test_the_archive_of_the_sources_has_all_of_them(sdist):
    """Whatever git tracks, but for what is about git."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("no git")
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    with tarfile.open(sdist) as file:
        found = {name.partition("/")[2] for name in file.getnames()}
    assert {name for name in tracked if (ROOT / name).exists()} - found == {".gitignore"}


PROGRAM = """
import torch, equinet
fields = equinet.Sphere(4).fields("2x trivial")
y = equinet.nn.SphereConv(fields, fields)(torch.ones(fields.shape(1)))
assert y.shape == fields.shape(1) and y.isfinite().all()
print(equinet.__file__, equinet.ops.status().cpu)
"""


def test_with_a_compiler(build, fresh, tmp_path):
    try:
        compile.find_compiler()
    except compile.BuildError as error:
        pytest.skip(str(error))
    done = build(EQUINET_BUILD="require")
    assert done.returncode == 0, done.stderr
    name, files = contents(tmp_path / "out")
    assert "-py3-none-" in name and not name.endswith("-any.whl")
    sets = compile.instruction_sets()
    assert {f"equinet/_compiled/{compile.library_name(s)}" for s in sets} == {*libraries(files)}
    assert {"equinet/_csrc/cpu/gemm.h", "equinet/_csrc/cuda/kernels.cu"} <= {*files}
    _, loaded = fresh(tmp_path / "out" / name, PROGRAM, EQUINET_BUILD="require").split()
    assert Path(loaded).name in {Path(library).name for library in libraries(files)}
    if not sys.platform.startswith("linux") or not shutil.which("objdump"):
        pytest.skip("the rest is about glibc, and needs objdump")
    versions = [17]
    for library in libraries(files):
        (tmp_path / "library.so").write_bytes(files[library])
        command = ["objdump", "-T", str(tmp_path / "library.so")]
        symbols = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        versions += map(int, re.findall(r"\(?GLIBC_2\.(\d+)", symbols))
    assert len(versions) > 1 and f"-manylinux_2_{max(versions)}_" in name


@pytest.mark.parametrize("compiler", [None, "false"])
def test_without_a_compiler(build, tmp_path, compiler):
    """It never fails for want of one, or for one that fails; the sources are there for later."""
    empty = tmp_path / "empty"
    empty.mkdir()
    path = os.environ["PATH"] if compiler else str(empty)
    done = build(PATH=path, EQUINET_BUILD="auto", **({"CXX": compiler} if compiler else {}))
    assert done.returncode == 0, done.stderr
    name, files = contents(tmp_path / "out")
    assert name.endswith("-py3-none-any.whl")
    assert b"Root-Is-Purelib: true" in files[f"{'-'.join(name.split('-')[:2])}.dist-info/WHEEL"]
    assert "equinet/_csrc/cpu/gemm.h" in files and not libraries(files)


def test_required_without_a_compiler(build):
    done = build(CXX="no-such-compiler", EQUINET_BUILD="require")
    assert done.returncode != 0
    assert "is required, but: no C++ compiler" in done.stdout + done.stderr


def test_metadata(build, tmp_path):
    """One number of the version, and no link that leads nowhere from a package index."""
    done = build(EQUINET_BUILD="0")
    assert done.returncode == 0, done.stderr
    name, files = contents(tmp_path / "out")
    said = email.message_from_bytes(files[f"{'-'.join(name.split('-')[:2])}.dist-info/METADATA"])
    assert said["Version"] == equinet.__version__
    assert "version" not in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert len(said.get_all("Project-URL")) == 5
    text = said.get_payload()
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert text.startswith("# equinet") and len(links) > 10
    assert all(link.startswith(("https://", "#")) for link in links), links
    assert "/blob/HEAD/docs/guide/from_torch.md" in text  # the negative control is README.md
    assert "](docs/guide/from_torch.md)" in (ROOT / "README.md").read_text()


def test_the_archive_can_be_installed(sdist, fresh):
    """The plugin starts without torch."""
    tell = "import sys, equinet_pytest; assert 'torch' not in sys.modules; import equinet; "
    tell += "print(equinet.__file__, equinet.__version__, equinet.ops.status())"
    assert "torch" in fresh(sdist, tell, EQUINET_BUILD="0")


def test_an_editable_installation_is_a_path_and_compiles_once(sdist, tmp_path):
    """Type checkers follow a path; what was compiled from the same sources stays, other goes."""
    with tarfile.open(sdist) as file:
        file.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    place = source / "equinet" / compile.INSTALLED.name
    names = [compile.library_name(name) for name in compile.instruction_sets()]

    def install(made_from: str) -> list[str]:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for name in names:
            (place / name).write_text(made_from)
        make = "import setuptools.build_meta as b; b.build_editable('out')"
        environment = {**os.environ, "CXX": "false", "EQUINET_BUILD": "auto", "EQUINET_CUDA": "0"}
        command = [sys.executable, "-c", make]
        subprocess.run(command, cwd=source, env=environment, check=True, capture_output=True)
        return [name for name in names if (place / name).exists()]

    assert install(compile.source_hash(source / "csrc")) == names
    assert install("other sources") == []
    (wheel,) = (source / "out").glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        (path,) = (name for name in file.namelist() if name.endswith(".pth"))
        assert file.read(path).decode().strip() == str(source)
