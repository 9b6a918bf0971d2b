"""The measured equivariance error is what the theory says."""

import json

import pytest

from examples.equivariance_error.__main__ import main
from examples.equivariance_error.measure import Case, equivariance_errors


def test_without_relu_only_rounding_is_left():
    for dtype, bound in (("float32", 1e-4), ("float64", 1e-12)):
        rows = equivariance_errors(
            Case(band=6, input_band=6, depth=2, relu=False, dtype=dtype, channels=3), rotations=4
        )
        assert [row["depth"] for row in rows] == [1, 2]
        assert all(0 < row["delta"] < bound for row in rows)


def test_relu_adds_an_error_that_rounding_does_not_explain():
    rows = equivariance_errors(
        Case(band=6, input_band=6, depth=2, relu=True, dtype="float64", channels=3), rotations=4
    )
    for row in rows:
        assert 1e-4 < row["delta_in_band"] < row["delta"] < 1


def test_relu_error_falls_as_the_grid_gets_finer():
    def delta(band: int) -> float:
        case = Case(band, input_band=4, depth=1, relu=True, dtype="float32", channels=3)
        return equivariance_errors(case, rotations=4)[0]["delta"]

    assert delta(16) < 0.75 * delta(8) < 0.5 * delta(4)


@pytest.mark.parametrize("rotations", [1, 6])
def test_command_line(tmp_path, capsys, rotations):
    options = ["--bands", "3", "4", "--depth", "2", "--channels", "2", "--out", str(tmp_path)]
    main([*options, "--rotations", str(rotations)])
    rows = json.loads((tmp_path / "errors.json").read_text())
    assert len(rows) == 2 * 2 * 2 * 2 + 2
    assert (tmp_path / "errors.png").stat().st_size > 5_000
    assert capsys.readouterr().out.count("\n| yes") == 5
