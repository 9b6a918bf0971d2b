"""``python -m equinet doctor``: what is whole is well, and everything that is broken is seen."""

import json
import math
import os
import re
import tomllib
from pathlib import Path

import pytest
import torch

import equinet
from equinet import __main__ as command
from equinet import doctor, harmonics, nn
from equinet.ops import availability
from equinet.ops.native import compile, library
from tests.ops.native_files import needs_compiler, shared_library

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    """As if nothing were set, and one thread on one CPU."""
    for name in ("EQUINET_BUILD", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(library, "REQUIRED", False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)


@pytest.fixture
def no_self_test(monkeypatch):
    monkeypatch.setattr(doctor, "_self_test", list)


def examined(capsys) -> tuple[int, dict[str, dict]]:
    """The exit status, and the findings by their names."""
    status = command.main(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)
    return status, {f"{f['section']}: {f['name']}": f for f in found}


def test_what_is_whole_is_well(capsys):
    status, found = examined(capsys)
    assert status == 0 and found["equinet: version"]["says"] == equinet.__version__
    assert found["needed: torch"]["says"] == torch.__version__
    tests = [found[f"self test: {name}"] for name in ("symmetry", "operators", "transforms")]
    assert all(test["verdict"] == "fine" for test in tests)
    checked = re.search(r"(\d+) compiled ones agree", tests[1]["says"])
    assert bool(checked) == bool(library.CPU) and (not checked or int(checked[1]) > 10)


def test_the_text(no_self_test, monkeypatch, capsys):
    """A line for each finding, marked by its verdict; what it says may have several lines."""
    assert command.main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {"needed", "extras", "operators", "threads"} <= {*lines}
    assert lines[-1].startswith("All is well.")
    assert f"  numpy           {doctor.metadata.version('numpy')}" in lines
    marks = [doctor.Finding("a", "b", "c\nd", verdict) for verdict in ("fine", "look", "wrong")]
    assert doctor.text(marks).splitlines() == [
        *("a", "  b               c", " " * 18 + "d"),
        *("! b               c", " " * 18 + "d", "X b               c", " " * 18 + "d"),
        *("", "Wrong, and marked with X: 1."),
    ]
    assert "Worth a look, and marked with !: 1." in doctor.text(marks[:2])


def lopsided(layer, x):
    return torch.nn.functional.pad(x.cumsum(-1)[:, :2], (-1, -1, -1, -1))


BROKEN = {
    "symmetry": (nn.Conv2d, "forward", lopsided),
    "transforms": (harmonics, "so3_rfft", lambda x: torch.full((2, 680), math.nan)),
    "operators": (availability.OPERATORS[0], "cpu", lambda w, x, *_: torch.ones(3)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_self_test_that_fails_is_the_exit_status(name, monkeypatch, capsys):
    if name == "operators" and library.CPU is None:
        pytest.skip("no compiled operators")
    monkeypatch.setattr(*BROKEN[name])
    status, found = examined(capsys)
    wrong = [key for key, finding in found.items() if finding["verdict"] == "wrong"]
    assert status == 1 and wrong == [f"self test: {name}"]


def test_what_raises_is_a_finding(monkeypatch, capsys):
    monkeypatch.setattr(harmonics, "s2_rfft", lambda x: 1 / 0)
    status, found = examined(capsys)
    assert status == 1 and "ZeroDivisionError" in found["self test: transforms"]["says"]


# --- operators ------------------------------------------------------------------------------------


def installed(folder: Path, monkeypatch) -> None:
    """As if ``folder`` were all that there is to load operators from."""
    monkeypatch.setattr(library, "preferred", lambda: ["default"])
    monkeypatch.setenv("EQUINET_CACHE", str(folder / "cache"))
    monkeypatch.setattr(compile, "INSTALLED", folder)
    found, problem = library.load()
    monkeypatch.setattr(library, "CPU", found)
    monkeypatch.setattr(library, "CPU_PROBLEM", problem)


def test_a_damaged_library_is_wrong(no_self_test, tmp_path, monkeypatch, capsys):
    (tmp_path / compile.library_name("default")).write_bytes(b"cut off")
    installed(tmp_path, monkeypatch)
    status, found = examined(capsys)
    says = found["operators: CPU"]["says"]
    assert status == 1 and compile.library_name("default") in says and "equinet.build" in says


@needs_compiler
def test_a_library_of_other_sources_is_wrong(no_self_test, tmp_path, monkeypatch, capsys):
    says = 'extern "C" const char* eq_{}() {{ return "{}"; }}\n'.format
    source = says("instruction_set", "default") + says("sources", "last year")
    library_file = tmp_path / compile.library_name("default")
    library_file.write_bytes(shared_library(tmp_path, source))
    installed(tmp_path, monkeypatch)
    status, found = examined(capsys)
    assert status == 1
    assert "compiled from other sources (last year" in found["operators: CPU"]["says"]


def test_none_is_worth_a_look(no_self_test, tmp_path, monkeypatch, capsys):
    """It is the state of an installation without a compiler; an order that is not met is wrong."""
    (tmp_path / compile.LOG).write_text("no C++ compiler: looked for c++\n")
    installed(tmp_path, monkeypatch)
    status, found = examined(capsys)
    says, verdict = found["operators: CPU"]["says"], found["operators: CPU"]["verdict"]
    assert (status, verdict) == (0, "look")
    assert "no C++ compiler: looked for c++" in says and "python -m equinet.build" in says
    monkeypatch.setattr(library, "REQUIRED", True)
    assert examined(capsys)[0] == 1


def test_switched_off(no_self_test, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("EQUINET_BUILD", "0")
    installed(tmp_path, monkeypatch)
    status, found = examined(capsys)
    says, verdict = found["operators: CPU"]["says"], found["operators: CPU"]["verdict"]
    assert (status, verdict) == (0, "look") and says.endswith("switched off by EQUINET_BUILD=0")


@pytest.mark.parametrize(
    "threads, instruction_set, says", [(False, "avx2", "one thread"), (True, "default", "has avx2")]
)
def test_operators_that_could_be_faster(threads, instruction_set, says, monkeypatch):
    monkeypatch.setattr(library, "preferred", lambda: ["avx2", "default"])
    path = str(compile.INSTALLED / "library.so")
    serving = availability.Status(path, "", instruction_set, threads, (), "", ())
    found = doctor._cpu_operators(serving)
    assert found.verdict == "look" and says in found.says and "the installation" in found.says


# --- packages and threads -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, least, says",
    [
        ("numpy", "99.0", 'pip install --upgrade "numpy>=99.0"'),
        ("no_such_package", "1", "imported"),
    ],
)
def test_a_needed_package(name, least, says, no_self_test, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "NEEDED", {name: least})
    status, found = examined(capsys)
    assert status == 1 and says in found[f"needed: {name}"]["says"]


def test_versions_are_numbers():
    assert doctor._numbers("2.10.0a0+git12") == (2, 10) > doctor._numbers("2.9.1+cu130")


def test_an_extra_that_is_not_there(monkeypatch):
    half = doctor._extra("meshes", ("numpy", "no-such-package"), "meshes")
    assert half.verdict == "fine" and "without no-such-package" in half.says
    assert 'pip install "equinet-torch[meshes]"' in half.says
    assert "not installed" in doctor._extra("meshes", ("no-such-package",), "meshes").says


def test_the_tables_are_those_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = dict(line.split(">=") for line in project["dependencies"])
    assert needed == doctor.NEEDED and project["name"] == doctor.NAME
    extras = {
        name: tuple(line.split(";")[0] for line in lines)
        for name, lines in project["optional-dependencies"].items()
        if name not in ("test", "docs", "dev", "release")  # of those who work on it
    }
    assert extras == {name: packages for name, (packages, _) in doctor.EXTRAS.items()}


@pytest.mark.parametrize(
    "threads, cpus, says, verdict",
    [
        (8, 8, "8, for 8 CPUs", "fine"),
        (64, 2, "set OMP_NUM_THREADS=2", "look"),
        (1, 8, "OMP_NUM_THREADS says how many", "fine"),
    ],
)
def test_threads(threads, cpus, says, verdict, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(doctor, "usable_cpus", lambda: cpus)
    (found,) = doctor._threads()
    assert says in found.says and found.verdict == verdict


@pytest.mark.parametrize(
    "value, verdict", [("4", "fine"), ("2,1", "fine"), ("0", "look"), ("all", "look"), ("", "look")]
)
def test_a_setting_of_threads(value, verdict, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert doctor._threads()[1].verdict == verdict


@pytest.mark.parametrize(
    "limits, cpus", [("150000 100000", 2), ("50000 100000", 1), ("max 100000", 8), ("", 8)]
)
def test_the_share_of_a_container(limits, cpus, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    (tmp_path / "cpu.max").write_text(limits)
    assert doctor.usable_cpus(tmp_path / "cpu.max") == cpus
    assert doctor.usable_cpus(tmp_path / "none") == 8
