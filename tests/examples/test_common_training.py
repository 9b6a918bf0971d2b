"""The training that the examples share, on a problem that a linear layer solves."""

import argparse
import json
from dataclasses import asdict, replace

import pytest
import torch
from torch import nn

from examples.common.figures import confusion_figure, curves_figure
from examples.common.options import chosen, training_options
from examples.common.options import run as run_program
from examples.common.parallel import Team
from examples.common.settings import WARM_UP, Settings
from examples.common.streams import stream
from examples.common.table import cell, markdown, read_results
from examples.common.training import (
    Samples,
    Training,
    accuracy,
    confusion,
    fit,
    restore_network,
)

ALONE = Team(0, 1, torch.device("cpu"))
SETTINGS = Settings("linear", "quadrants", learning_rate=0.05, epochs=12, batch=16)


def quadrants(n: int, purpose: int) -> Samples:
    """Points of the plane, and which quadrant they are in."""
    points = torch.randn(n, 2, generator=stream(0, purpose))
    labels = (points > 0).long() @ torch.tensor([1, 2])
    return Samples(n, lambda indices, epoch: (points[indices], labels[indices]))


def build() -> nn.Module:
    return nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 4), nn.Dropout(0.1))


def run(folder, settings=SETTINGS, **options):
    train, test = quadrants(100, 10), quadrants(50, 11)
    return fit(settings, build, train, {"test": test}, folder, ALONE, quiet=True, **options)


def test_it_learns_and_says_so(tmp_path):
    result, network = run(tmp_path)
    assert result["accuracy"]["test"] > 0.85
    assert result["parameters"] == 2 * 2 + 2 * 4 + 4
    assert [line["epoch"] for line in result["history"]] == list(range(1, 13))
    assert result["history"][-1]["train_loss"] < result["history"][0]["train_loss"]
    assert sum(map(sum, result["confusion"]["test"])) == 50
    assert json.loads((tmp_path / "result.json").read_text()) == result
    settings, again = restore_network(tmp_path, Settings, lambda _: build(), ALONE.device)
    assert settings == SETTINGS
    for one, other in zip(again.state_dict().values(), network.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_running_statistics_and_dropout_resume_bit_by_bit(tmp_path, monkeypatch):
    straight, network = run(tmp_path / "straight")
    learn = Training.learn

    def interrupted(self, *arguments):
        if self.step == 31:
            raise KeyboardInterrupt
        learn(self, *arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Training, "learn", interrupted)
        run(tmp_path / "cut", checkpoint_every=5)
    resumed, again = run(tmp_path / "cut")
    assert resumed["history"] == straight["history"]
    for one, other in zip(again.state_dict().values(), network.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_what_is_watched_is_not_what_is_reported(tmp_path):
    result, _ = run(tmp_path, watch={"few": quadrants(7, 12)})
    assert "few" in result["history"][0] and "test" not in result["history"][0]
    assert list(result["accuracy"]) == ["test"]


def test_samples_of_an_epoch_are_those_of_its_number(tmp_path):
    seen = []

    def make(indices, epoch):
        seen.append((epoch, sorted(indices.tolist())))
        return torch.zeros(len(indices), 2), torch.zeros(len(indices), dtype=torch.long)

    samples = Samples(5, make)
    settings = Settings("linear", "none", learning_rate=0.1, epochs=2, batch=8)
    fit(settings, build, samples, {}, tmp_path, ALONE, quiet=True)
    assert seen == [(0, [0, 1, 2, 3, 4]), (1, [0, 1, 2, 3, 4])]


def test_schedules():
    def rates(schedule):
        settings = Settings("linear", "none", learning_rate=2.0, schedule=schedule)
        return [settings.rate(step, 1000) for step in range(1001)]

    assert rates("constant") == [2.0] * 1001
    held = rates("held")
    assert held[:401] == [2.0] * 401
    assert held[700] == pytest.approx(2.0 / 20**0.5)
    assert held[1000] == pytest.approx(0.1)
    cosine = rates("cosine")
    assert cosine[0] == pytest.approx(2.0 / WARM_UP)
    assert cosine[500] == pytest.approx(1.0)
    assert cosine[1000] == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schedule": "step"}, "schedule: expected one of .*held.*, got 'step'"),
        ({"dtype": "float16"}, "dtype: expected one of"),
        ({"batch": 0}, "batch: expected a positive number, got 0"),
        ({"learning_rate": -1.0}, "learning_rate: expected a positive number"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Settings(**({"network": "linear", "data": "none", "learning_rate": 1e-3} | change))


def test_confusion_counts_rows_by_truth():
    scores = torch.eye(3)[torch.tensor([0, 1, 1, 2, 0])]
    labels = torch.tensor([0, 1, 2, 2, 0])
    samples = Samples(5, lambda indices, epoch: (scores[indices], labels[indices]))
    counts = confusion(nn.Identity(), samples, ALONE, torch.float32, batch=2)
    assert counts.tolist() == [[2, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert accuracy(counts) == 0.8


def test_team_averages_statistics_and_nothing_else():
    class Pair(Team):
        """Two processes, of which the other has zeros."""

        def sum(self, tensor):
            return tensor

    network = build()
    network[0].running_mean.fill_(3.0)
    before = [parameter.clone() for parameter in network.parameters()]
    Pair(0, 2, ALONE.device).share_statistics(network)
    assert network[0].running_mean.tolist() == [1.5, 1.5]
    for parameter, old in zip(network.parameters(), before, strict=True):
        assert torch.equal(parameter, old)


def test_options_are_settings():
    parser = argparse.ArgumentParser()
    training_options(parser, epochs=3, batch=4, learning_rate=0.5)
    settings = Settings(network="n", data="d", **chosen(parser.parse_args(["--seed", "7"])))
    assert (settings.epochs, settings.batch, settings.learning_rate, settings.seed) == (
        3,
        4,
        0.5,
        7,
    )


def test_table(tmp_path):
    for seed in (0, 1):
        folder = tmp_path / str(seed)
        folder.mkdir()
        result = {"settings": asdict(replace(SETTINGS, seed=seed)), "parameters": 1, "history": []}
        (folder / "result.json").write_text(json.dumps(result | {"accuracy": {}}))
    found = read_results([tmp_path, tmp_path / "1" / "result.json"], Settings)
    assert [result["settings"]["seed"] for result in found] == [0, 1, 1]
    assert [cell([]), cell([0.5]), cell([1.0, 2.0], ".1f")] == ["", "0.500", "1.5 ± 0.7 (2)"]
    assert markdown(["a", "b"], [["1", "2"]]) == "| a | b |\n|---|---|\n| 1 | 2 |"


def test_figures(tmp_path):
    history = [{"epoch": 1, "test": 0.5}, {"epoch": 2, "test": 0.75}]
    curves_figure(tmp_path / "curves.png", {"title": history}, {"test": "test"}, chance=0.1)
    confusion_figure(tmp_path / "confusion.png", {"test": [[3, 1], [0, 0]]}, ["one", "two"])
    for name in ("curves.png", "confusion.png"):
        assert (tmp_path / name).stat().st_size > 5_000


@pytest.mark.parametrize("bug", [KeyError("settings"), ValueError("shape"), RuntimeError("dtype")])
def test_a_bug_keeps_its_traceback(bug):
    """The negative control of all in test_user_errors."""

    def command(_):
        raise bug

    parser = argparse.ArgumentParser()
    parser.set_defaults(command=command)
    with pytest.raises(type(bug)) as caught:
        run_program(parser, [])
    assert caught.value is bug


def test_a_full_disk_is_no_wrong_argument(capsys):
    def command(_):
        raise OSError(28, "No space left on device", "runs/x")

    parser = argparse.ArgumentParser(prog="program")
    parser.set_defaults(command=command)
    with pytest.raises(SystemExit) as caught:
        run_program(parser, [])
    assert caught.value.code == 1
    said = "program: error: [Errno 28] No space left on device: 'runs/x'\n"
    assert capsys.readouterr().err == said
