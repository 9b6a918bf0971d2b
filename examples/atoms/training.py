"""Learning by regression, in the runs of a sweep. In: a loss. Out: a network and its history.

The training is a function of the settings and the samples alone: stopped at any moment and started
again it ends with the same bits.
"""

import io
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from examples.common.checkpoint import write_atomic
from examples.common.errors import InputError
from examples.common.settings import cosine
from examples.common.streams import epoch_order
from examples.common.sweep import Desk

SAVE_SECONDS, TELL_SECONDS = 60.0, 1.0
LOOKS = 20  # at what is watched, in equal distances
CLIP = 10.0  # the largest norm of a gradient

Loss = Callable[[nn.Module, Tensor], Tensor]
Watch = Callable[[nn.Module], dict[str, float]]


@dataclass(frozen=True)
class Run:
    """What every training here is decided by; a kind of network adds fields of its own.

    Attributes:
        network: its name.
        data: fingerprint of the samples.
        size: how many of them are learned from.
        steps: of Adam, along half a cosine.
        batch: samples of a step.
        learning_rate: the largest.
        seed: of the weights and of the order.
    """

    network: str
    data: str
    size: int
    steps: int = 1000
    batch: int = 16
    learning_rate: float = 5e-3
    seed: int = 0

    positive: ClassVar = ("size", "steps", "batch", "learning_rate")

    def __post_init__(self) -> None:
        for name in self.positive:
            value = getattr(self, name)
            if not 0 < value < float("inf"):
                raise InputError(f"{name}: expected a positive number, got {value!r}")


@dataclass(frozen=True)
class Task(Run):
    """A network of points.

    Attributes:
        lmax: the largest degree.
        channels: of each irrep.
        layers: of the network.
        cutoff: the largest distance of neighbours, in angstrom.
    """

    lmax: int = 1
    channels: int = 32
    layers: int = 3
    cutoff: float = 4.0

    positive: ClassVar = (*Run.positive, "channels", "layers", "cutoff")


class Learning:
    """The state of a training: what a checkpoint holds, and the step that moves it on."""

    def __init__(self, task: Run, network: nn.Module) -> None:
        self.task, self.network = task, network
        self.optimizer = torch.optim.Adam(network.parameters())
        self.step, self.seconds, self.running = 0, 0.0, 0.0  # running: the sum of losses
        self.history: list[dict[str, float]] = []

    def state(self) -> dict[str, Any]:
        """All that ``restore`` needs."""
        return {
            "task": asdict(self.task),
            "step": self.step,
            "seconds": self.seconds,
            "running": self.running,
            "history": self.history,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a saved state.

        Raises:
            InputError: if it is of another task.
        """
        if state.get("task") != asdict(self.task):
            raise InputError(
                "out: there is a training with other settings, or of another program, that has not "
                "ended: take --fresh to forget it, or another --out"
            )
        for name in ("step", "seconds", "running", "history"):
            setattr(self, name, state[name])
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])

    def learn(self, loss: Loss) -> None:
        """One step, on the batch whose turn it is."""
        task = self.task
        epoch, place = divmod(self.step, max(1, task.size // task.batch))
        order = epoch_order(task.size, task.seed, epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = task.learning_rate * cosine(self.step, task.steps)
        self.optimizer.zero_grad(set_to_none=True)
        value = loss(self.network, order[place * task.batch :][: task.batch])
        value.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        self.optimizer.step()
        self.running += value.item()
        self.step += 1

    def look(self, watch: Watch) -> None:
        """Write a line of history."""
        before = self.history[-1]["step"] if self.history else 0
        line = {"step": self.step, "loss": self.running / (self.step - before)}
        self.history.append(line | watch(self.network))
        self.running = 0.0


def learn(
    task: Run, network: nn.Module, loss: Loss, watch: Watch, desk: Desk
) -> tuple[list[dict[str, float]], float]:
    """Train to the end, from the newest checkpoint if there is one, and keep ``weights.pt``.

    Args:
        task: what decides the result.
        network: changed in place.
        loss: of a network on some of the ``task.size`` samples, by number.
        watch: what to write down of a network ``LOOKS`` times.
        desk: where checkpoints and weights go.
    Returns:
        What was written down, and the seconds of a processor that it took.
    """
    learning = Learning(task, network)
    saved = desk.resume()
    if saved is not None:
        learning.restore(saved)
    looks = {round(task.steps * (k + 1) / LOOKS) for k in range(LOOKS)} - {0}
    spent, saved_at, told_at = time.process_time(), time.monotonic(), 0.0
    while learning.step < task.steps:
        learning.learn(loss)
        if learning.step in looks:
            learning.look(watch)
        before, spent, now = spent, time.process_time(), time.monotonic()
        learning.seconds += spent - before
        if now - told_at > TELL_SECONDS:
            desk.tell(learning.step / task.steps)
            told_at = now
        if now - saved_at > SAVE_SECONDS or learning.step == task.steps:
            desk.save(learning.step, learning.state())
            saved_at = now
    weights = io.BytesIO()
    torch.save(network.state_dict(), weights)
    write_atomic(desk.folder / "weights.pt", weights.getvalue())
    return learning.history, round(learning.seconds, 1)
