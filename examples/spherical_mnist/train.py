"""Learning, with checkpoints, and testing.

In: settings and a data set. Out: a result, ready for JSON, with the accuracy on upright and on
rotated digits. One training serves two columns of the paper's table: a network that learned
upright digits gives NR/NR on upright and NR/R on rotated test digits.
"""

import json
import math
import os
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from . import checkpoint
from .data import (
    Dataset,
    Digits,
    epoch_order,
    fixed_rotations,
    on_sphere,
    projection,
    train_rotations,
)
from .models import NETWORKS, parameter_count, parameter_groups
from .parallel import Team

TEST_BATCH = 100

WARM_UP = 50  # steps over which the learning rate of the cosine schedule rises


@dataclass(frozen=True)
class Settings:
    """All that decides the result of a training; a checkpoint of other settings is refused.

    ``schedule`` is "cosine" (the learning rate rises for ``WARM_UP`` steps and falls to zero along
    half a cosine) or "constant". ``learning_rate`` is that of the filters, see
    ``parameter_groups``. ``batch`` counts the digits of one step over all processes.
    """

    network: str
    train_on: str  # "upright" or "rotated"
    data: str  # fingerprint of the data set
    learning_rate: float
    epochs: int = 20
    batch: int = 32
    schedule: str = "cosine"
    seed: int = 0
    dtype: str = "float32"

    def __post_init__(self) -> None:
        choices = {
            "network": tuple(NETWORKS),
            "train_on": ("upright", "rotated"),
            "schedule": ("cosine", "constant"),
            "dtype": ("float32", "float64"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}: expected one of {allowed}, got {getattr(self, name)!r}")
        for name in ("epochs", "batch", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: expected a positive number, got {getattr(self, name)!r}")


class Training:
    """The state of a training: what a checkpoint holds, and the step that moves it on."""

    def __init__(self, settings: Settings, dataset: Dataset, team: Team) -> None:
        self.settings, self.dataset, self.team = settings, dataset, team
        self.dtype = getattr(torch, settings.dtype)
        self.project = projection()
        torch.manual_seed(settings.seed)
        self.network = NETWORKS[settings.network]().to(team.device, self.dtype)
        groups = parameter_groups(self.network)
        self.optimizer = torch.optim.Adam(groups, lr=settings.learning_rate)
        self.step = 0
        self.seconds = 0.0
        self.history: list[dict[str, float]] = []
        # Of the epoch under way: summed loss, digits read right, digits seen.
        self.running = torch.zeros(3, dtype=torch.float64, device=team.device)

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(len(self.dataset.train.labels) / self.settings.batch)

    def learning_rate(self) -> float:
        """A function of the step alone, so there is no scheduler to save and to restore."""
        if self.settings.schedule == "constant":
            return self.settings.learning_rate
        progress = self.step / (self.settings.epochs * self.steps_per_epoch)
        warm = min(1.0, (self.step + 1) / WARM_UP)
        return self.settings.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * progress))

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
            ValueError: if it belongs to other settings.
        """
        mine, saved = asdict(self.settings), state["settings"]
        differences = [
            f"{name}: saved {saved.get(name)!r}, asked {mine.get(name)!r}"
            for name in mine.keys() | saved.keys()
            if saved.get(name) != mine.get(name)
        ]
        if differences:
            raise ValueError(
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

    def learn(self, model: torch.nn.Module, indices: Tensor, rotations: Tensor | None) -> None:
        """One step of Adam on the training digits ``indices``; this process takes its share."""
        mine = self.team.share(indices)
        signal = on_sphere(
            self.project,
            self.dataset.train.images[mine].to(self.team.device),
            None if rotations is None else rotations[mine].to(self.team.device),
            self.dtype,
        )
        labels = self.dataset.train.labels[mine].to(self.team.device)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate() * group["factor"]
        self.optimizer.zero_grad(set_to_none=True)
        scores = model(signal)
        loss = cross_entropy(scores, labels, reduction="sum")
        # Gradients are averaged over the team: this makes them those of the mean over the batch.
        (loss * (self.team.size / len(indices))).backward()
        self.optimizer.step()
        right = (scores.argmax(1) == labels).sum()
        seen = right.new_tensor(len(mine))
        self.running += self.team.sum(torch.stack([loss.detach(), right, seen]).to(self.running))
        self.step += 1

    def finish_epoch(self) -> None:
        """Test on upright and on rotated digits and write a line of history."""
        loss, right, seen = self.running.tolist()
        self.running.zero_()
        line: dict[str, float] = {
            "epoch": len(self.history) + 1,
            "train_loss": loss / seen,
            "train_accuracy": right / seen,
        }
        for view, rotations in views(self.dataset.test).items():
            line[view] = accuracy(self.confusion(rotations))
        self.history.append(line)

    def confusion(self, rotations: Tensor | None) -> Tensor:
        """Confusion matrix of the test digits, each turned by its rotation."""
        return self.team.sum(
            confusion(
                self.network, self.project, self.dataset.test, rotations, self.team, self.dtype
            )
        )


def views(digits: Digits, seed: int = 0) -> dict[str, Tensor | None]:
    """The two ways to show the test digits: upright, and each turned by its own rotation."""
    return {"upright": None, "rotated": fixed_rotations(len(digits.labels), seed)}


@torch.no_grad()
def confusion(
    network: torch.nn.Module,
    project,
    digits: Digits,
    rotations: Tensor | None,
    team: Team,
    dtype: torch.dtype,
) -> Tensor:
    """Counts (10, 10) int64: row the true digit, column the one read; of this process's share."""
    counts = torch.zeros(100, dtype=torch.int64, device=team.device)
    network.eval()
    for indices in team.share(torch.arange(len(digits.labels))).split(TEST_BATCH):
        turns = None if rotations is None else rotations[indices].to(team.device)
        signal = on_sphere(project, digits.images[indices].to(team.device), turns, dtype)
        cells = digits.labels[indices].to(team.device) * 10 + network(signal).argmax(1)
        counts += torch.bincount(cells, minlength=100)
    network.train()
    return counts.reshape(10, 10)


def accuracy(counts: Tensor) -> float:
    """Share of the digits on the diagonal of a confusion matrix."""
    return counts.diagonal().sum().item() / counts.sum().item()


def train(
    settings: Settings,
    dataset: Dataset,
    out: Path,
    team: Team,
    *,
    checkpoint_every: int = 100,
    quiet: bool = False,
) -> tuple[dict[str, Any], torch.nn.Module]:
    """Train to the end, from the newest checkpoint in ``out`` if there is one.

    Args:
        settings: what decides the result.
        dataset: the digits; its fingerprint must be that of the settings.
        out: folder of the run; gets checkpoints and ``result.json``.
        team: the processes that share the work.
        checkpoint_every: steps from one checkpoint to the next; there is one after each epoch too.
        quiet: no progress bar.
    Returns:
        The content of ``result.json`` and the trained network.
    """
    if settings.data != dataset.fingerprint():
        raise ValueError(f"dataset: expected {settings.data!r}, got {dataset.fingerprint()!r}")
    training = Training(settings, dataset, team)
    out.mkdir(parents=True, exist_ok=True)
    saved = checkpoint.latest(out)
    if saved is not None:
        training.restore(saved)
    model = team.wrap(training.network)
    bar = tqdm(
        total=settings.epochs * training.steps_per_epoch,
        initial=training.step,
        desc=f"{settings.network}, {settings.train_on}",
        disable=quiet or not team.leads,
    )
    with bar:
        while len(training.history) < settings.epochs:
            _epoch(training, model, out, checkpoint_every, bar)
    result = _result(training)
    if team.leads:
        checkpoint.write_atomic(out / "result.json", json.dumps(result).encode())
    return result, training.network


def _epoch(
    training: Training, model: torch.nn.Module, out: Path, checkpoint_every: int, bar: tqdm
) -> None:
    """What is left of the epoch under way."""
    settings, epoch = training.settings, len(training.history)
    n = len(training.dataset.train.labels)
    order = epoch_order(n, settings.seed, epoch)
    rotations = train_rotations(n, settings.seed, epoch) if settings.train_on == "rotated" else None
    started = time.monotonic()

    def save() -> None:
        nonlocal started
        now = time.monotonic()
        training.seconds += now - started
        started = now
        if training.team.leads:
            checkpoint.save(out, training.step, training.state())

    done = training.step - epoch * training.steps_per_epoch
    for indices in order.split(settings.batch)[done:]:
        training.learn(model, indices, rotations)
        bar.update()
        if training.step % checkpoint_every == 0:
            save()
    training.finish_epoch()
    save()
    line = training.history[-1]
    bar.set_postfix({name: f"{line[name]:.3f}" for name in ("train_loss", "upright", "rotated")})


def _result(training: Training) -> dict[str, Any]:
    result: dict[str, Any] = {
        "settings": asdict(training.settings),
        "parameters": parameter_count(training.network),
        "accuracy": {},
        "confusion": {},
        "history": training.history,
        "seconds": round(training.seconds, 1),
        "machine": machine(training.team),
    }
    for view, rotations in views(training.dataset.test).items():
        counts = training.confusion(rotations)
        result["accuracy"][view] = accuracy(counts)
        result["confusion"][view] = counts.tolist()
    return result


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


def restore_network(folder: Path, device: torch.device) -> tuple[Settings, torch.nn.Module]:
    """The settings of a run and its network as of the newest sound checkpoint.

    Raises:
        FileNotFoundError: if there is no checkpoint in ``folder``.
    """
    state = checkpoint.latest(folder)
    if state is None:
        raise FileNotFoundError(f"no checkpoint in {folder}")
    settings = Settings(**state["settings"])
    network = NETWORKS[settings.network]().to(device, getattr(torch, settings.dtype))
    network.load_state_dict(state["network"])
    return settings, network
