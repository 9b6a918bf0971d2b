"""Makes what a release uploads and tries it: ``make release``, or ``make release TAG=v0.1.0``.

In: the last commit, nothing else. Out, in ``dist``: the archive of the sources, and made of that a
wheel with the operators compiled for every instruction set, and a pure one. twine reads what they
say of themselves, auditwheel what systems the libraries run on, and each wheel is installed in a
new environment and tried there, where no compiler is. Whatever is wrong ends it with the reason.
"""

import argparse
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLATFORM = re.compile(r"-py3-none-(manylinux_2_\d+_\w+)\.whl$")

# By its path, as the package itself needs torch to be imported.
_spec = importlib.util.spec_from_file_location(
    "compile", ROOT / "equinet" / "ops" / "native" / "compile.py"
)
compile = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(compile)


class ReleaseError(Exception):
    """What stands against a release."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tag", default="", help="of the commit, compared with the version")
    tag = parser.parse_args().tag
    try:
        with tempfile.TemporaryDirectory() as folder:
            for path in release(Path(folder), ROOT / "dist", tag):
                print(f"{path.stat().st_size / 2**20:7.1f} MiB  {path}")
    except ReleaseError as error:
        print(f"no release: {error}", file=sys.stderr)
        return 1
    return 0


def release(work: Path, out: Path, tag: str) -> list[Path]:
    """Make and try all files, and put them into ``out`` when all is well."""
    source = committed(work / "source")
    check_tag(tag, source)
    made = work / "dist"
    sdist = build(source, made, "sdist")
    with tarfile.open(sdist) as file:
        file.extractall(work / "sdist", filter="data")
    (source,) = (work / "sdist").iterdir()
    pure = build(source, made, "wheel", EQUINET_BUILD="0")
    wheel = build(source, made, "wheel", EQUINET_BUILD="require")
    run([sys.executable, "-m", "twine", "check", "--strict", *made.iterdir()])
    audit(wheel)
    try_out(wheel, pure, work)
    shutil.rmtree(out, ignore_errors=True)
    return sorted(Path(path) for path in shutil.copytree(made, out).iterdir())


def run(command: list, **options: object) -> str:
    """What a command writes; with what it said if it fails."""
    command = [str(word) for word in command]
    print("$", *command, flush=True)
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise ReleaseError(f"{' '.join(command)} failed\n{done.stdout}{done.stderr}")
    return done.stdout


# --- what is released -----------------------------------------------------------------------------


def committed(folder: Path, root: Path = ROOT) -> Path:
    """The files of the last commit of ``root``, of which no other state may be in sight."""
    if changed := run(["git", "status", "--porcelain", "--untracked-files=no"], cwd=root):
        raise ReleaseError(f"expected all changes to be committed, got\n{changed}")
    folder.mkdir(parents=True)
    archive = folder.with_suffix(".tar")
    run(["git", "archive", "-o", archive, "HEAD"], cwd=root)
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    return folder


def check_tag(tag: str, source: Path) -> None:
    """Raise unless a tag is that of the version, and the changelog has the day of that."""
    text = (source / "equinet" / "__init__.py").read_text(encoding="utf-8")
    version = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)[1]
    if not tag:
        return
    if tag != f"v{version}":
        raise ReleaseError(f"expected the tag v{version}, of equinet.__version__, got {tag}")
    changes = (source / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changes, re.MULTILINE):
        raise ReleaseError(f"expected a section of CHANGELOG.md '## [{version}] - ' with its day")


def build(source: Path, out: Path, kind: str, **settings: str) -> Path:
    """An sdist or a wheel by the tools of this environment, dated by the commit."""
    before = set(out.glob("*"))
    date = run(["git", "log", "-1", "--format=%ct"], cwd=ROOT).strip()
    settings |= {"EQUINET_CUDA": "0", "SOURCE_DATE_EPOCH": date}
    command = [
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        f"--{kind}",
        "--outdir",
        out,
        source,
    ]
    run(command, env={**os.environ, **settings})
    (made,) = set(out.glob("*")) - before
    return made


# --- whether it is right --------------------------------------------------------------------------


def audit(wheel: Path) -> None:
    """Raise unless a wheel has all libraries, and runs on the systems that its name says."""
    with zipfile.ZipFile(wheel) as file:
        found = {Path(name).name for name in file.namelist() if name.endswith(".so")}
    if found != (expected := {compile.library_name(name) for name in compile.instruction_sets()}):
        raise ReleaseError(f"{wheel.name}: expected {sorted(expected)}, got {sorted(found)}")
    seen = json.loads(run([sys.executable, "-m", "auditwheel", "show", "--json", wheel]))
    named = PLATFORM.search(wheel.name)
    if not named or named[1] != seen["overall_tag"] or seen["external_libs"]:
        raise ReleaseError(f"{wheel.name}: its libraries need {seen}")


def try_out(wheel: Path, pure: Path, work: Path) -> None:
    """Install both, one after the other, in a new environment, and ask the doctor there."""
    python = work / "new" / "bin" / "python"
    run([sys.executable, "-m", "venv", work / "new"])
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    install = [*pip, "install", "-c", ROOT / "constraints.txt"]
    alone([*install, wheel], work)
    tell = "from equinet.ops.native import library; print(*library.preferred())"
    for name in alone([python, "-c", tell], work).split():
        found = doctor(python, work, ATEN_CPU_CAPABILITY=name)
        expect(found, f"compiled for {name}, on torch's threads, from the installation")
    alone([*pip, "uninstall", "--yes", "equinet-torch"], work)
    alone([*install, pure], work)
    expect(doctor(python, work), "plain PyTorch, which is slower: not compiled")


def doctor(python: Path, work: Path, **settings: str) -> list[dict[str, str]]:
    """What an installation finds of itself; a release ends here if anything is wrong."""
    return json.loads(alone([python, "-m", "equinet", "doctor", "--json"], work, **settings))


def expect(found: list[dict[str, str]], words: str) -> None:
    """Raise unless this is said of the operators on the CPU."""
    says = next(f["says"] for f in found if (f["section"], f["name"]) == ("operators", "CPU"))
    if words not in says:
        raise ReleaseError(f"expected of the operators that they are {words}, got: {says}")
    print(f"    {says.splitlines()[0]}")


def alone(command: list, work: Path, **settings: str) -> str:
    """Run a command where there is no compiler, no cache, and nothing of this checkout."""
    empty = work / "empty"
    empty.mkdir(exist_ok=True)
    own = {k: v for k, v in os.environ.items() if not k.startswith(("EQUINET", "PYTHON"))}
    own |= {"PATH": str(empty), "EQUINET_CACHE": str(empty / "cache"), **settings}
    return run(command, cwd=empty, env=own)


if __name__ == "__main__":
    sys.exit(main())
