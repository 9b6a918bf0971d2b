"""``python -m equinet doctor``: what is installed, what serves, and whether it computes rightly."""

from __future__ import annotations

import importlib
import json
import math
import os
import platform
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import torch

from equinet import harmonics, nn
from equinet.field import Plane, Sphere
from equinet.ops.availability import Status, check_on_cpu, check_on_gpus, status
from equinet.ops.native import cache, compile, library
from equinet.testing import equivariance_error

FINE, LOOK, WRONG = "fine", "look", "wrong"
MARKS = {FINE: " ", LOOK: "!", WRONG: "X"}
NAME = "equinet-torch"  # of the distribution

# The oldest releases that serve, and what users ask for besides, as in pyproject.toml.
NEEDED = {"torch": "2.10", "numpy": "1.26", "scipy": "1.11"}
EXTRAS = {
    "plot": (("matplotlib",), "pictures, equinet.plot"),
    "atoms": (("ase",), "atoms and calculators of ASE"),
    "meshes": (("trimesh", "rtree", "embreex"), "rays cast at meshes, transforms.rays"),
    "examples": (("matplotlib", "tqdm", "mlxtend"), "the programs in examples/"),
}
BAR = 1e-5  # of what is exact up to rounding, in float32


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        section: of the report.
        name: of what was looked at.
        says: what was found.
        verdict: ``fine``, ``look`` where something could be better, or ``wrong``.
    """

    section: str
    name: str
    says: str
    verdict: str = FINE


def examine(version: str) -> list[Finding]:
    """Look at the installation and try it, in about two seconds.

    Args:
        version: of equinet.
    Returns:
        What was found, in the order of the report.
    """
    found = [Finding("equinet", "version", version)]
    found.append(Finding("equinet", "from", str(compile.PACKAGE)))
    found.append(Finding("equinet", "on", f"Python {platform.python_version()}, {_system()}"))
    found += [*_needed(), *_extras()]
    serving = status()
    found += [_cpu_operators(serving), _gpu_operators(serving), *_threads(), *_self_test()]
    return found


def is_well(found: Iterable[Finding]) -> bool:
    """Whether nothing is wrong."""
    return all(finding.verdict != WRONG for finding in found)


def text(found: list[Finding]) -> str:
    """The report for people: what is wrong has an X before it, what deserves a look a !."""
    lines: list[str] = []
    for section in dict.fromkeys(finding.section for finding in found):
        lines += ["", section]
        for finding in (f for f in found if f.section == section):
            first, *rest = finding.says.splitlines() or [""]
            lines.append(f"{MARKS[finding.verdict]} {finding.name:<16}{first}")
            lines += [" " * 18 + line for line in rest]
    wrong, look = (sum(f.verdict == verdict for f in found) for verdict in (WRONG, LOOK))
    if wrong:
        lines += ["", f"Wrong, and marked with X: {wrong}."]
    else:
        lines += [
            "",
            "All is well." + (f" Worth a look, and marked with !: {look}." if look else ""),
        ]
    return "\n".join(lines[1:])


def as_json(found: list[Finding]) -> str:
    """The same as a list of objects with ``section``, ``name``, ``says`` and ``verdict``."""
    return json.dumps([asdict(finding) for finding in found], indent=2)


def _system() -> str:
    return f"{platform.system()} {platform.release()}, {platform.machine()}"


# --- what is installed ----------------------------------------------------------------------------


def _needed() -> list[Finding]:
    return [_needed_package(name, least) for name, least in NEEDED.items()]


def _needed_package(name: str, least: str) -> Finding:
    """A package without which nothing runs: it is imported, as one that is there may be broken."""
    try:
        version = str(importlib.import_module(name).__version__)
    except Exception as error:  # whatever a broken package raises
        return Finding("needed", name, f"cannot be imported: {_said(error)}", WRONG)
    if _numbers(version) < _numbers(least):
        mend = f'pip install --upgrade "{name}>={least}"'
        return Finding("needed", name, f"{version}; {least} or newer is needed: {mend}", WRONG)
    return Finding("needed", name, version)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:2]))


def _extras() -> list[Finding]:
    return [_extra(name, *rest) for name, rest in EXTRAS.items()]


def _extra(extra: str, packages: tuple[str, ...], purpose: str) -> Finding:
    versions = {package: _version(package) for package in packages}
    missing = [package for package, version in versions.items() if version is None]
    there = ", ".join(f"{package} {version}" for package, version in versions.items() if version)
    says = [f"for {purpose}: {there or 'not installed'}"]
    if missing and there:
        says[0] += f"; without {', '.join(missing)}"
    if missing:
        says.append(f'pip install "{NAME}[{extra}]"')
    return Finding("extras", extra, "\n".join(says))


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


# --- what serves ----------------------------------------------------------------------------------


def _cpu_operators(serving: Status) -> Finding:
    if serving.cpu is None:
        return _no_cpu_operators(serving.cpu_problem)
    path, best = Path(serving.cpu), library.preferred()[0]
    place = "the installation" if path.parent == compile.INSTALLED else "the user's cache"
    threads = "on torch's threads" if serving.threads else "on one thread"
    says = [f"compiled for {serving.instruction_set}, {threads}, from {place}:", serving.cpu]
    if serving.cpu_problem:
        says.append(f"refused before it: {serving.cpu_problem}")
    elif serving.instruction_set != best:
        says.append(f"this processor has {best} too: python -m equinet.build")
    is_best = serving.threads and len(says) == 2
    return Finding("operators", "CPU", "\n".join(says), FINE if is_best else LOOK)


def _no_cpu_operators(problem: str) -> Finding:
    """Plain PyTorch is right, only slower; a file that is there and does not serve is a fault."""
    says = [f"plain PyTorch, which is slower: {problem}"]
    if compile.setting("EQUINET_BUILD") == "0":
        return Finding("operators", "CPU", says[0], LOOK)
    says.append("to compile them, with GCC or Clang: python -m equinet.build")
    files = [path for folder in _folders() for path in folder.glob("equinet_cpu_*")]
    is_wrong = library.REQUIRED or bool(files)
    return Finding("operators", "CPU", "\n".join(says), WRONG if is_wrong else LOOK)


def _folders() -> list[Path]:
    """Where compiled operators of these sources may lie."""
    try:
        return [compile.INSTALLED, cache.place(compile.source_hash(compile.source_folder()))]
    except (OSError, compile.BuildError):
        return [compile.INSTALLED]


def _gpu_operators(serving: Status) -> Finding:
    if not serving.gpus:
        return Finding("operators", "GPU", f"plain PyTorch; {serving.gpu_problem}")
    says = [*serving.gpus, *filter(None, [serving.gpu_problem])]
    return Finding("operators", "GPU", "\n".join(says), LOOK if serving.gpu_problem else FINE)


def _threads() -> list[Finding]:
    cpus, threads = usable_cpus(), torch.get_num_threads()
    says, verdict = f"{threads}, for {cpus} CPUs", FINE
    if threads > cpus:
        says += f"; more than CPUs make everything slower: set OMP_NUM_THREADS={cpus}"
        verdict = LOOK
    elif threads < cpus / 2:
        says += "; right where several processes share them, else OMP_NUM_THREADS says how many"
    found = [Finding("threads", "of torch", says, verdict)]
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        if (value := os.environ.get(name)) is not None:
            found.append(_thread_setting(name, value))
    return found


def _thread_setting(name: str, value: str) -> Finding:
    if re.fullmatch(r"\s*0*[1-9]\d*\s*(,\s*\d+\s*)*", value):  # a list is for nested loops
        return Finding("threads", name, value)
    return Finding("threads", name, f"{value!r} is no number of threads and does nothing", LOOK)


def usable_cpus(limits: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """How many CPUs this process may use: by its affinity, and by the share of its container.

    Args:
        limits: where Linux says what a container may use: microseconds in how many.
    """
    affinity = getattr(os, "sched_getaffinity", None)  # on Linux
    cpus = len(affinity(0)) if affinity else os.cpu_count() or 1
    try:
        share, period = limits.read_text(encoding="ascii").split()
        return min(cpus, max(1, math.ceil(int(share) / int(period))))
    except (OSError, ValueError):  # no container, or "max"
        return cpus


# --- whether it computes rightly ------------------------------------------------------------------


def _self_test() -> list[Finding]:
    """Each test, with what it found; whatever it raises is a finding too."""
    start = time.perf_counter()
    tests: dict[str, Callable[[], tuple[str, bool]]] = {
        "symmetry": _symmetry,
        "operators": _operators,
        "transforms": _transforms,
    }
    found = [_tried(name, test) for name, test in tests.items()]
    return [*found, Finding("self test", "took", f"{time.perf_counter() - start:.1f} s")]


def _tried(name: str, test: Callable[[], tuple[str, bool]]) -> Finding:
    try:
        says, holds = test()
    except Exception as error:  # the report is about it
        return Finding("self test", name, _said(error), WRONG)
    return Finding("self test", name, says, FINE if holds else WRONG)


def _symmetry() -> tuple[str, bool]:
    """Phi(g f) = g Phi(f) for convolutions on the sphere and in the plane."""
    generator = torch.Generator().manual_seed(0)
    sphere, plane = Sphere(6), Plane("C4")
    x, y = sphere.fields("1x0 + 1x1"), sphere.fields("2x regular")
    h, v = plane.fields("2x regular"), plane.fields("1x1")
    layers = nn.SphereConv(x, y, generator=generator), nn.Conv2d(h, v, 3, generator=generator)
    errors = [equivariance_error(layer.float(), count=3).max for layer in layers]
    says = "a layer commutes with rotations up to {:.0e} on the sphere, {:.0e} in the plane"
    return says.format(*errors), _below(errors, BAR)


def _operators() -> tuple[str, bool]:
    """Every operator on its examples, beside its definition in plain PyTorch."""
    checked, wrong = check_on_cpu()
    wrong += check_on_gpus()
    if wrong:
        return "\n".join(wrong), False
    if not checked:
        return "none is compiled that could differ from its definition in plain PyTorch", True
    return f"{checked} compiled ones agree with their definitions in plain PyTorch", True


def _transforms() -> tuple[str, bool]:
    """Spectra of random functions on S^2 and SO(3), to samples and back."""
    band, generator = 8, torch.Generator().manual_seed(0)
    on_sphere, on_group = (
        torch.randn(2, size, generator=generator, dtype=torch.float32)
        for size in (band**2, band * (4 * band**2 - 1) // 3)
    )
    back = (
        harmonics.s2_rfft(harmonics.s2_irfft(on_sphere, band)) - on_sphere,
        harmonics.so3_rfft(harmonics.so3_irfft(on_group, band)) - on_group,
    )
    errors = [float(rest.norm() / rest.numel() ** 0.5) for rest in back]  # of numbers of size 1
    says = "spectra come back from samples up to {:.0e} on S^2, {:.0e} on SO(3)".format(*errors)
    return says, _below(errors, BAR)


def _below(errors: Iterable[float], bar: float) -> bool:
    return all(error < bar for error in errors)  # not a number is below nothing


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
