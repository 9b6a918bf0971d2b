"""``python -m equinet``."""

import dataclasses
import json
import subprocess
import sys

import pytest
import torch

import equinet
from equinet import __main__ as command
from equinet.taxonomy import catalogue, table
from equinet.taxonomy.measure import Measured


@pytest.fixture
def two_rows(monkeypatch):
    rows = tuple(row for row in catalogue() if row.name in ("CNN", "Harmonic Networks"))
    monkeypatch.setattr(command, "catalogue", lambda: rows)
    return rows


@pytest.mark.process
def test_without_a_command_it_says_what_is_installed():
    """In a process of its own, as it is typed."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", "equinet"],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"equinet {equinet.__version__}" in run.stdout
    assert f"torch {torch.__version__}" in run.stdout
    assert "catalogue" in run.stdout and not run.stderr


def test_the_table(two_rows, capsys):
    assert command.main(["catalogue"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split() == "network G H G/H fields exact on finer grids status".split()
    assert lines[3:5] == ["Square lattice", next(line for line in lines if "CNN 1990" in line)]
    harmonic = next(line for line in lines if "Harmonic Networks 2017" in line).split()
    assert harmonic[3:7] == ["SE(2)", "SO(2)", "R^2", "irreps"]
    errors = [float(cell) for cell in harmonic[7:11]]
    assert errors[0] < 1e-5 and errors[1] > errors[2] > errors[3]
    assert lines[2:3] == [""] and "2 rows, 2 hold." in lines
    assert out.isascii() and max(map(len, lines)) <= 110
    assert "1/2 CNN" in err and "2/2 Harmonic Networks" in err


def test_as_json(two_rows, capsys):
    assert command.main(["catalogue", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first["G"] == "Z^2" and first["parameters"] == 10
    assert first["error"] == {"exact": first["error"]["exact"], "refined": [], "holds": True}
    assert second["published"][0]["arxiv"] == "1612.04642"
    assert second["layer"] == "Conv2d" and second["in_type"].startswith("Plane('SO(2)')")
    assert len(second["error"]["refined"]) == len(second["refinements"]) == 3


def test_a_row_that_fails_is_marked_and_is_the_exit_status(two_rows, monkeypatch, capsys):
    def broken(refinement, generator):
        layer = two_rows[0].make(refinement, generator)
        layer.forward = lambda x: x.cumsum(-1)
        return layer

    rows = (dataclasses.replace(two_rows[0], make=broken),)
    monkeypatch.setattr(command, "catalogue", lambda: rows)
    assert command.main(["catalogue"]) == 1
    assert "FAILS" in capsys.readouterr().out


def test_an_unknown_command_is_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        command.main(["catalog"])
    assert stop.value.code == 2
    assert "invalid choice: 'catalog'" in capsys.readouterr().err


def test_networks_of_one_row_have_a_line_each():
    row = next(row for row in catalogue() if len(row.published) == 3)
    lines = table.text([(row, Measured(1e-7, (0.1, 0.01)))]).splitlines()
    assert [line.strip() for line in lines[5:7]] == ["ORN 2017", "SE(2) CNN 2018"]
