"""The pytest plugin in runs of its own: one seed, fixtures, and nothing for those who need none."""

import subprocess
import sys

import pytest

SEEDED = """
import torch

def test_seed(equinet_seed, equinet_generator):
    assert equinet_seed == {seed}
    first = torch.rand(3, generator=equinet_generator)
    assert torch.equal(first, torch.rand(3, generator=torch.Generator().manual_seed({seed})))

def test_the_generator_is_seeded_anew(equinet_generator):
    assert equinet_generator.initial_seed() == {seed}
    fresh = torch.Generator().manual_seed({seed})
    assert torch.equal(equinet_generator.get_state(), fresh.get_state())
"""

CHECKED = """
import pytest
import torch
from equinet import Plane, nn

X = Plane("C4").fields("1x trivial")
ROUND = nn.Conv2d(X, X, 3, generator=torch.Generator().manual_seed(0)).double()

def test_right(assert_equivariant, equivariance_error, equivariance_report):
    assert_equivariant(ROUND)
    error = equivariance_error(torch.nn.Conv2d(1, 1, 3), X, X)
    assert error.max > 0.01
    assert equivariance_error(torch.nn.Conv2d(1, 1, 3), X, X, seed=5).max != error.max
    assert len(equivariance_report(ROUND, scales=()).layers) == 1

def test_wrong(assert_equivariant):
    assert_equivariant(torch.nn.Conv2d(1, 1, 3).double(), X, X)
"""


@pytest.fixture
def run(pytester):
    """Run the tests in a text, in this process."""

    def run(text, *options):
        pytester.makepyfile(text)
        return pytester.runpytest_inprocess("-p", "equinet_pytest", *options)

    return run


@pytest.mark.parametrize("seed", [0, 7])
def test_the_seed_of_a_run(run, seed):
    result = run(SEEDED.format(seed=seed), *([f"--equinet-seed={seed}"] if seed else []))
    result.assert_outcomes(passed=2)
    said = "equinet: seed 7" in result.stdout.str()
    assert said == (seed == 7)


def test_checks_as_fixtures(run):
    result = run(CHECKED)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*AssertionError: Conv2d is not equivariant within 1e-10*"])


def test_the_seed_reaches_the_checks(run):
    text = """
        import torch
        from equinet import Plane
        from equinet import testing

        X = Plane("C4").fields("1x trivial")
        CONV = torch.nn.Conv2d(1, 1, 3).double()

        def test_seed(equivariance_error):
            error = equivariance_error(CONV, X, X).max
            assert error == testing.equivariance_error(CONV, X, X, seed=3).max
            assert error != testing.equivariance_error(CONV, X, X).max
    """
    run(text, "--equinet-seed=3").assert_outcomes(passed=1)


def test_fixtures_are_described(run):
    result = run("def test_nothing(): pass", "--fixtures")
    for name in ("equinet_seed", "equinet_generator", "assert_equivariant", "equivariance_report"):
        result.stdout.fnmatch_lines([f"{name}*"])


def test_a_seed_that_is_none(run):
    result = run("def test_nothing(): pass", "--equinet-seed=three")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*argument --equinet-seed: invalid int value: 'three'*"])


@pytest.mark.process
def test_runs_that_have_nothing_to_do_with_it_stay_light(tmp_path):
    """Neither torch nor equinet is imported, in a Python of its own."""
    (tmp_path / "test_plain.py").write_text(
        "import sys\ndef test_light(): assert not {'torch', 'numpy', 'equinet'} & set(sys.modules)"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "equinet_pytest",
        "-p",
        "no:cacheprovider",
    ]
    ran = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PYTHONPATH": ":".join(sys.path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0 and "1 passed" in ran.stdout, ran.stdout
