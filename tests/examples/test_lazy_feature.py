"""Lazy and feature learning: the networks, frozen kernels, slopes, and the commands."""

import json
import math
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from equinet.learning import Ensemble, gradient_flow
from examples.common.claims import Claim
from examples.lazy_feature import plans
from examples.lazy_feature.__main__ import main
from examples.lazy_feature.claims import claims
from examples.lazy_feature.data import turned
from examples.lazy_feature.frozen import frozen_flow
from examples.lazy_feature.measures import Curves, curves
from examples.lazy_feature.networks import KINDS, Softplus, build, parameters
from examples.lazy_feature.plans import Part
from examples.lazy_feature.runs import Task, turn_error

TINY = (
    Part("connected", (12, 16), (300.0, 1000.0), 2, 1, 10, 20, 5, 400),
    Part("plain", (2,), (300.0,), 2, 1, 10, 20, 5, 20),
    Part("equivariant", (1,), (300.0,), 2, 0, 10, 20, 5, 20),
)
F64 = torch.float64


# --- networks -------------------------------------------------------------------------------------


def test_moments_of_the_nonlinearities():
    """By Gauss-Hermite quadrature."""
    z, weights = np.polynomial.hermite_e.hermegauss(200)
    weights = weights / weights.sum()
    for centred, mean in ((False, None), (True, 0.0)):
        values = Softplus(centred)(torch.from_numpy(z)).numpy()
        assert weights @ values**2 == pytest.approx(1, abs=2e-5)
        if mean is not None:
            assert weights @ values == pytest.approx(mean, abs=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_standard_and_outputs_of_order_one(kind, generator):
    """At any width: the scales stand before the sums."""
    x = torch.randn(4, *KINDS[kind].sample, generator=generator, dtype=F64)
    for width in (8, 32):
        nets = [build(kind, width, "float64", seed) for seed in range(20)]
        weights = torch.cat([p.detach().flatten() for net in nets for p in net.parameters()])
        assert weights.square().mean().sqrt() == pytest.approx(1, abs=0.05)
        f = torch.stack([net(x).detach() for net in nets])
        assert f.shape == (20, 4, 1) and 0.02 < f.std() < 2


def test_the_equivariant_network_is_invariant_and_so_is_its_kernel(generator):
    x = torch.randn(3, *KINDS["plain"].sample, generator=generator, dtype=F64)
    net, control = build("equivariant", 2, "float64", 0), build("plain", 4, "float64", 0)
    assert (net(turned(x)) - net(x)).abs().max() < 1e-12
    assert (control(turned(x)) - control(x)).abs().max() > 1e-3
    assert turn_error(net, x) < 1e-12 < 1e-3 < turn_error(control, x)
    assert 0.8 < parameters("equivariant", 8) / parameters("plain", 16) < 1
    assert parameters("connected", 64) == 10 * 64 + 2 * 64**2 + 64


# --- frozen kernels -------------------------------------------------------------------------------


def test_a_frozen_kernel_learns_as_the_linear_network_that_has_it(generator):
    x, test = (torch.randn(n, 30, generator=generator, dtype=F64) for n in (8, 5))
    y = torch.randn(8, generator=generator, dtype=F64).sign()
    grams = [(x @ x.T, test @ x.T), (2 * x @ x.T, 2 * test @ x.T)]
    (found, other), flow = frozen_flow(grams, y, None, 3000)
    line = Ensemble(lambda seed: nn.Linear(30, 1, bias=False).double(), [0])
    expected = gradient_flow(line, x, y, alpha=1.0, steps=3000)
    change = (line.call(expected.weights, test) - line(test))[0, :, 0]
    assert flow.converged and expected.converged
    torch.testing.assert_close(found, change, rtol=1e-6, atol=1e-6)
    assert (other - found).abs().max() > 1e-3  # the control: twice the kernel, other steps
    assert flow.time[0] / flow.time[1] == pytest.approx(2, rel=0.1)


# --- what many runs say ---------------------------------------------------------------------------


def _synthetic(lazy: float = -1.0, feature: float = -1.5, variance: float = -1.0) -> Curves:
    """Runs that follow power laws, with a change of one at sqrt(h) alpha = 1."""
    results, tasks = {}, {}
    for width in (16, 64):
        for scale in (1e-3, 1e-2, 1e-1, 1.0, 1e2, 1e3):
            change = scale ** (lazy if scale > 1 else feature)
            name = f"{width}-{scale}"
            tasks[name] = Task("connected", width, scale, 3, 2, 10, 20, 5, 100, "")
            results[name] = {
                "kernel_change": [0.8 * change, change, 1.25 * change],
                "half_time": [min(scale, 1.0)] * 3,
                "variance": width**variance,
                "variance_without": [0.9 * width**variance, width**variance, 1.1 * width**variance],
                "error": [0.2, 0.3, 0.1],
                "ensemble_error": 0.1,
                "initial_error": [0.2, 0.3],
                "final_error": [0.21, 0.31],
                "reason": ["reached"] * 3,
                "steps": [5] * 3,
                "asymmetry": [],
            }
    return curves(results, tasks)["connected"]


def test_slopes_of_power_laws():
    found = _synthetic()
    assert found.window(16, "feature") == [0, 1, 2] and found.window(64, "lazy") == [4, 5]
    for key, regime, exponent in (
        ("kernel_change", "feature", -1.5),
        ("kernel_change", "lazy", -1),
        ("half_time", "feature", 1),
    ):
        for value, error in found.slopes(key, regime):
            assert value == pytest.approx(exponent) and error < 1e-9
    assert found.unevenness("half_time", "lazy") == pytest.approx(1)
    error = np.log(1.25) / math.sqrt(3)  # of the mean of the logarithms at one of two widths
    for ratio, deviation in found.spread_over_widths("kernel_change"):
        assert ratio == pytest.approx(1) and deviation == pytest.approx(math.sqrt(2) * error)
    value, deviation = found.variance_slope("feature")
    # The jackknife of the logarithm at each of two widths, over the logarithm of their ratio.
    logs = np.log([0.9, 1.0, 1.1]) - np.log([0.9, 1.0, 1.1]).mean()
    assert value == pytest.approx(-1)
    assert deviation == pytest.approx(math.sqrt(2 * 2 / 3 * (logs**2).sum()) / math.log(4))
    assert found.error_differences("final_error", "lazy") == pytest.approx([0.01] * 8)


def _missed(found: Curves) -> list[str]:
    return [claim.what for claim in claims({"connected": found}) if claim.met is False]


def test_claims_are_met_by_the_laws_and_by_no_others():
    assert _missed(_synthetic()) == []
    for change, word in (
        ({"lazy": -0.7}, "kernel's change, lazy"),
        ({"feature": -2.0}, "kernel's change, feature"),
        ({"variance": -0.5}, "Var F"),
    ):
        assert any(word in what for what in _missed(_synthetic(**change)))
    late = _synthetic()
    late.results[16, 1e3]["half_time"] = [None, 1.0, 1.0]  # never half: no number, so not met
    assert _missed(late) == ["fully connected: t1 constant, lazy, largest / smallest"]
    assert all(isinstance(claim, Claim) for claim in claims({"connected": late}))


# --- commands -------------------------------------------------------------------------------------


def test_demo(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(plans.PLANS, "demo", TINY)
    main(["demo", "--out", str(tmp_path)])
    said = capsys.readouterr().out
    assert "| claim | paper | here | bar |" in said and "claims.png and errors.png" in said
    for name in ("claims.png", "errors.png"):
        assert (tmp_path / name).stat().st_size > 5_000
    result = json.loads((tmp_path / "connected-16-1000.json").read_text())["result"]
    assert set(result["reason"]) == {"reached"} and len(result["error"]) == 2
    lazier = result["kernel_change"]
    result = json.loads((tmp_path / "connected-16-300.json").read_text())["result"]
    ratio = np.array(result["kernel_change"]) / np.array(lazier)
    assert ratio == pytest.approx([10 / 3] * 2, rel=0.15)
    assert max(result["initial_distance"]) < 0.05 < 0.2
    twisted = json.loads((tmp_path / "equivariant-1-300.json").read_text())["result"]
    assert max(twisted["asymmetry"]) < 1e-12


@pytest.mark.slow
def test_resume_after_a_kill(digits_file, tmp_path, capsys, start):
    """What was there stays, what is missing comes, and all is as without the kill."""
    command = ["run", "--data", str(digits_file), "--kinds", "connected", "--widths", "16"]
    command += ["--scales", "100", "300", "1000", "--seeds", "2", "--train", "10"]
    command[1:1] = ["--test", "20", "--points", "5"]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    process = start("examples.lazy_feature", *command, "--out", cut)
    while not (done := list(cut.glob("*.json"))) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert done and len(list(cut.glob("*.json"))) <= 3
    stamps = {path: path.stat().st_mtime_ns for path in done}
    main([*command, "--out", str(cut)])
    main([*command, "--out", str(whole)])
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    names = sorted(path.name for path in whole.glob("*.json"))
    assert len(names) == 3
    for name in names:
        assert (whole / name).read_text() == (cut / name).read_text()
    assert "3 results are in" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command, words",
    [
        (["run", "--widths", "16"], "widths: expected one of --kinds with them, got connected"),
        (["run", "--seeds", "1"], "seeds: expected at least 2 for a variance, got 1"),
        (["run", "--scales", "nan"], "scales: expected finite numbers > 0, got nan"),
        (["run", "--scales", "-1"], "scales: expected finite numbers > 0, got -1.0"),
        (["run", "--train", "200000"], "data: expected at least 200000"),
        (["run", "--points", "900000"], "points: expected 1 to"),
        (["run", "--kinds", "round"], "invalid choice: 'round'"),
        (["run", "--data", "nowhere.npz"], "nowhere.npz cannot be read"),
        (["table"], "runs: no result connected-32-0.01.json"),
        (["figure"], "runs: no result connected-32-0.01.json"),
    ],
)
def test_errors(command, words, digits_file, tmp_path, monkeypatch, refused):
    monkeypatch.chdir(tmp_path)
    data = [] if "--data" in command else ["--data", str(digits_file)]
    with refused(words):
        main([*command, *data])
    assert not list(tmp_path.glob("runs/**/*.json"))


def test_a_task_of_no_sense_is_refused():
    task = Task("connected", 4, 1.0, 3, 2, 10, 20, 5, 100, "")
    for change, words in (
        ({"kind": "round"}, "kind: expected one of connected"),
        ({"frozen": 4}, "frozen: expected 0 to 3"),
        ({"points": 21}, "points: expected 1 to 20"),
    ):
        with pytest.raises(ValueError, match=words):
            replace(task, **change)
    assert task.alpha == pytest.approx(0.5)
