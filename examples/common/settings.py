"""What decides the result of a training. In: options. Out: a value, and the rate of every step."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from .errors import InputError

S = TypeVar("S", bound="Settings")

WARM_UP = 50  # steps over which the learning rate of the cosine schedule rises


@dataclass(frozen=True)
class Settings:
    """All that decides the result of a training; a checkpoint of other settings is refused.

    An example adds fields of its own in a subclass, and to ``choices`` what they may be.

    ``schedule`` of the learning rate: "cosine" (it rises for ``WARM_UP`` steps and falls to zero
    along half a cosine), "held" (constant for 40 % of the training, then falling exponentially to
    a twentieth) or "constant". ``batch`` counts the samples of one step over all processes.
    """

    network: str
    data: str  # fingerprint of the samples
    learning_rate: float
    epochs: int = 20
    batch: int = 32
    schedule: str = "cosine"
    weight_decay: float = 0.0
    seed: int = 0
    dtype: str = "float32"

    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "schedule": ("cosine", "held", "constant"),
        "dtype": ("float32", "float64"),
    }

    def __post_init__(self) -> None:
        for name, allowed in self.choices.items():
            if getattr(self, name) not in allowed:
                raise InputError(f"{name}: expected one of {allowed}, got {getattr(self, name)!r}")
        for name in ("epochs", "batch", "learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name}: expected a positive number, got {getattr(self, name)!r}")
        if not 0 <= self.weight_decay < math.inf:
            raise InputError(f"weight_decay: expected 0 or more, got {self.weight_decay!r}")
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed: expected a number from 0 to 2^63 - 1, got {self.seed!r}")

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step among ``steps``.

        A function of the step alone, so there is no scheduler to save and to restore.
        """
        if self.schedule == "cosine":
            return self.learning_rate * cosine(step, steps)
        if self.schedule == "held":
            return self.learning_rate * 20 ** -max(0.0, (step / steps - 0.4) / 0.6)
        return self.learning_rate


def cosine(step: int, steps: int) -> float:
    """The share of the learning rate at a step: it rises for ``WARM_UP``, then falls to zero."""
    warm = min(1.0, (step + 1) / WARM_UP)
    return warm * 0.5 * (1 + math.cos(math.pi * step / steps))


def read_settings(kind: type[S], saved: Mapping[str, Any], source: Path) -> S:
    """Settings as they were saved.

    Raises:
        InputError: if they are not those of this program.
    """
    try:
        if {*saved} != {field.name for field in fields(kind)}:
            raise TypeError("other settings")
        return kind(**saved)
    except (TypeError, InputError) as error:
        raise InputError(f"run: {source} is of another program, or another version") from error
