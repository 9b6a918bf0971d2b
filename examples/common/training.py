"""Learning to classify, with checkpoints, and testing.

In: settings, a function that builds the network, samples to learn from and samples to test on.
Out: a result, ready for JSON, with accuracies and confusion matrices, and the trained network.

The training is a function of the settings and the samples alone: stopped at any moment and started
again it ends with the same bits, and a team of processes takes the same steps as one.
"""

import json
import math
import os
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from . import checkpoint
from .errors import InputError
from .parallel import Team
from .settings import S, Settings, read_settings
from .streams import epoch_order

STATE = {  # what a checkpoint holds
    *("settings", "step", "seconds", "history", "running"),
    *("network", "optimizer", "rng", "rng_cuda"),
}


@dataclass(frozen=True)
class Samples:
    """Labelled samples, made when they are asked for.

    Attributes:
        size: how many there are.
        make: ``make(indices, epoch) -> (inputs, labels)`` on the CPU, for ``indices`` (batch,)
            int64 below ``size``; a pure function, so what is random in it comes from ``stream``.
            For samples to test on ``epoch`` is 0. The inputs are cast to the dtype and moved to
            the device of the training.
    """

    size: int
    make: Callable[[Tensor, int], tuple[Tensor, Tensor]]


def one_group(network: torch.nn.Module) -> list[dict[str, Any]]:
    """All parameters learn at the same rate."""
    return [{"params": list(network.parameters()), "factor": 1.0}]


def two_groups(
    network: torch.nn.Module, chosen: list[torch.nn.Parameter], factor: float, others: float
) -> list[dict[str, Any]]:
    """Some parameters learn at ``factor`` times the rate and all others at ``others`` times it."""
    taken = {id(parameter) for parameter in chosen}
    rest = [parameter for parameter in network.parameters() if id(parameter) not in taken]
    groups = [{"params": chosen, "factor": factor}, {"params": rest, "factor": others}]
    return [group for group in groups if group["params"]]


class Training:
    """The state of a training: what a checkpoint holds, and the step that moves it on."""

    def __init__(
        self,
        settings: Settings,
        build: Callable[[], torch.nn.Module],
        samples: Samples,
        team: Team,
        groups: Callable[[torch.nn.Module], list[dict[str, Any]]] = one_group,
    ) -> None:
        self.settings, self.samples, self.team = settings, samples, team
        torch.manual_seed(settings.seed)
        self.network = build().to(team.device, getattr(torch, settings.dtype))
        self.optimizer = torch.optim.Adam(
            groups(self.network), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.step = 0
        self.seconds = 0.0
        self.history: list[dict[str, float]] = []
        # Of the epoch under way: summed loss, samples read right, samples seen.
        self.running = torch.zeros(3, dtype=torch.float64, device=team.device)

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(self.samples.size / self.settings.batch)

    @property
    def steps(self) -> int:
        return self.settings.epochs * self.steps_per_epoch

    def state(self) -> dict[str, Any]:
        """All that :meth:`restore` needs to go on as if nothing had happened."""
        device = self.team.device
        return {
            "settings": asdict(self.settings),
            "step": self.step,
            "seconds": self.seconds,
            "history": self.history,
            "running": self.running,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rng": torch.get_rng_state(),
            "rng_cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a saved state.

        Raises:
            InputError: if it belongs to other settings.
        """
        mine, saved = asdict(self.settings), state["settings"]
        differences = [
            f"{name}: saved {saved.get(name)!r}, asked {mine.get(name)!r}"
            for name in mine.keys() | saved.keys()
            if saved.get(name) != mine.get(name)
        ]
        if differences:
            raise InputError(
                "the folder holds a training with other settings: take another --out, or --fresh ("
                + "; ".join(sorted(differences))
                + ")"
            )
        self.step, self.seconds, self.history = state["step"], state["seconds"], state["history"]
        self.running = state["running"].to(self.team.device)
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng"])
        if state["rng_cuda"] is not None and self.team.device.type == "cuda":
            torch.cuda.set_rng_state(state["rng_cuda"], self.team.device)

    def learn(self, model: torch.nn.Module, indices: Tensor, epoch: int) -> None:
        """One step of Adam on the samples ``indices``; this process takes its share."""
        mine = self.team.share(indices)
        inputs, labels = self.samples.make(mine, epoch)
        inputs = inputs.to(self.team.device, getattr(torch, self.settings.dtype))
        labels = labels.to(self.team.device)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.rate(self.step, self.steps) * group["factor"]
        self.optimizer.zero_grad(set_to_none=True)
        scores = model(inputs)
        loss = cross_entropy(scores, labels, reduction="sum")
        # Gradients are averaged over the team: this makes them those of the mean over the batch.
        (loss * (self.team.size / len(indices))).backward()
        self.optimizer.step()
        right = (scores.argmax(1) == labels).sum()
        seen = right.new_tensor(len(mine))
        self.running += self.team.sum(torch.stack([loss.detach(), right, seen]).to(self.running))
        self.step += 1

    def finish_epoch(self, tests: Mapping[str, Samples]) -> None:
        """Test and write a line of history."""
        loss, right, seen = self.running.tolist()
        self.running.zero_()
        line: dict[str, float] = {
            "epoch": len(self.history) + 1,
            "train_loss": loss / seen,
            "train_accuracy": right / seen,
        }
        for view, counts in self.test(tests).items():
            line[view] = accuracy(counts)
        self.history.append(line)

    def test(self, tests: Mapping[str, Samples]) -> dict[str, Tensor]:
        """The confusion matrix of each view."""
        dtype = getattr(torch, self.settings.dtype)
        self.team.share_statistics(self.network)
        return {
            view: confusion(self.network, samples, self.team, dtype, self.settings.batch)
            for view, samples in tests.items()
        }


@torch.no_grad()
def confusion(
    network: torch.nn.Module, samples: Samples, team: Team, dtype: torch.dtype, batch: int = 100
) -> Tensor:
    """Counts (classes, classes) int64, summed over the team: row the truth, column the answer."""
    counts = torch.zeros(0, dtype=torch.int64, device=team.device)
    network.eval()
    # All processes do as many batches, so that each of them learns how many classes there are.
    for indices in torch.arange(samples.size).split(batch * team.size):
        inputs, labels = samples.make(team.share(indices), 0)
        scores = network(inputs.to(team.device, dtype))
        cells = labels.to(team.device) * scores.shape[1] + scores.argmax(1)
        found = torch.bincount(cells, minlength=scores.shape[1] ** 2)
        counts = found if not len(counts) else counts + found
    network.train()
    counts = team.sum(counts)
    return counts.reshape(math.isqrt(len(counts)), -1)


def accuracy(counts: Tensor) -> float:
    """Share of the samples on the diagonal of a confusion matrix."""
    return counts.diagonal().sum().item() / counts.sum().item()


def fit(
    settings: Settings,
    build: Callable[[], torch.nn.Module],
    train: Samples,
    tests: Mapping[str, Samples],
    out: Path,
    team: Team,
    *,
    watch: Mapping[str, Samples] | None = None,
    groups: Callable[[torch.nn.Module], list[dict[str, Any]]] = one_group,
    checkpoint_every: int = 100,
    fresh: bool = False,
    quiet: bool = False,
) -> tuple[dict[str, Any], torch.nn.Module]:
    """Train to the end, from the newest checkpoint in ``out`` if there is one.

    Args:
        settings: what decides the result.
        build: makes the network, ``(batch, ...) -> scores (batch, classes)``; called once, after
            the seed has been set.
        train: samples to learn from.
        tests: samples to test on at the end, by the name of the view, such as "rotated".
        out: folder of the run, which no other run may use meanwhile; gets checkpoints and
            ``result.json``.
        team: the processes that share the work.
        watch: samples to test on after every epoch (default: ``tests``).
        groups: the groups of parameters of the optimiser, each with a "factor" on the learning
            rate.
        checkpoint_every: steps from one checkpoint to the next; there is one after each epoch too.
        fresh: forget the checkpoints in ``out``.
        quiet: no progress bar.
    Returns:
        The content of ``result.json`` and the trained network.
    Raises:
        InputError: if ``out`` cannot be written, is in use, or holds another training.
    """
    watch = tests if watch is None else watch
    with checkpoint.locked(out) if team.leads else nullcontext():
        if fresh and team.leads:
            checkpoint.clear(out)
        team.wait()
        saved = _saved(out)
        training = Training(settings, build, train, team, groups)
        if saved is not None:
            training.restore(saved)
        model = team.wrap(training.network)
        bar = tqdm(
            total=training.steps,
            initial=training.step,
            desc=out.name,
            disable=quiet or not team.leads,
        )
        with bar:
            while len(training.history) < settings.epochs:
                _epoch(training, model, watch, out, checkpoint_every, bar)
        result = _result(training, tests)
        if team.leads:
            checkpoint.write_atomic(out / "result.json", json.dumps(result).encode())
    return result, training.network


def _saved(folder: Path) -> dict[str, Any] | None:
    """The newest sound checkpoint of a training.

    Raises:
        InputError: if it is one of something else.
    """
    state = checkpoint.latest(folder)
    if state is not None and not (isinstance(state, dict) and STATE <= state.keys()):
        raise InputError(f"{folder} holds checkpoints of another program: take another folder")
    return state


def _epoch(
    training: Training,
    model: torch.nn.Module,
    watch: Mapping[str, Samples],
    out: Path,
    checkpoint_every: int,
    bar: tqdm,
) -> None:
    """What is left of the epoch under way."""
    settings, epoch = training.settings, len(training.history)
    order = epoch_order(training.samples.size, settings.seed, epoch)
    started = time.monotonic()

    def save() -> None:
        nonlocal started
        now = time.monotonic()
        training.seconds += now - started
        started = now
        training.team.share_statistics(training.network)
        if training.team.leads:
            checkpoint.save(out, training.step, training.state())

    done = training.step - epoch * training.steps_per_epoch
    for indices in order.split(settings.batch)[done:]:
        training.learn(model, indices, epoch)
        bar.update()
        if training.step % checkpoint_every == 0:
            save()
    training.finish_epoch(watch)
    save()
    line = training.history[-1]
    bar.set_postfix({name: f"{line[name]:.3f}" for name in ("train_loss", *watch)})


def _result(training: Training, tests: Mapping[str, Samples]) -> dict[str, Any]:
    counts = training.test(tests)
    return {
        "settings": asdict(training.settings),
        "parameters": parameter_count(training.network),
        "accuracy": {view: accuracy(matrix) for view, matrix in counts.items()},
        "confusion": {view: matrix.tolist() for view, matrix in counts.items()},
        "history": training.history,
        "seconds": round(training.seconds, 1),
        "machine": machine(training.team),
    }


def parameter_count(network: torch.nn.Module) -> int:
    """How many numbers are learned."""
    return sum(parameter.numel() for parameter in network.parameters())


def machine(team: Team) -> dict[str, Any]:
    """What a run time depends on."""
    cuda = team.device.type == "cuda"
    return {
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name(team.device) if cuda else platform.machine(),
        "processes": team.size,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
    }


def restore_network(
    folder: Path,
    kind: type[S],
    build: Callable[[S], torch.nn.Module],
    device: torch.device,
) -> tuple[S, torch.nn.Module]:
    """The settings of a run and its network as of the newest sound checkpoint.

    Raises:
        InputError: if there is no checkpoint of such a training in ``folder``.
    """
    state = _saved(folder)
    if state is None:
        raise InputError(f"run: expected the folder of a run, got {folder}: no checkpoint in it")
    settings = read_settings(kind, state["settings"], folder)
    network = build(settings).to(device, getattr(torch, settings.dtype))
    network.load_state_dict(state["network"])
    return settings, network
