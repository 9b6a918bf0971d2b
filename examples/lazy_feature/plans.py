"""Which runs there are. In: a scale. Out: tasks by name."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from examples.common.errors import InputError

from . import data
from .runs import Task


@dataclass(frozen=True)
class Part:
    """The runs of one kind of networks: all widths times all scales."""

    kind: str
    widths: tuple[int, ...]
    scales: tuple[float, ...]
    seeds: int
    frozen: int
    train: int
    test: int
    points: int
    steps: int = 10_000


WIDE = (0.01, 0.03, 0.1, 0.3, 10.0, 100.0, 300.0, 1000.0)
FEW = (0.1, 1.0, 10.0, 300.0, 1000.0)
DEEP = (1e-5, 1e-4, *FEW)  # where all layers of a narrow CNN have grown

PLANS: dict[str, tuple[Part, ...]] = {
    "demo": (
        Part("connected", (16, 32), (0.03, 0.3, 10.0, 300.0, 1000.0), 4, 2, 40, 400, 40),
        Part("plain", (4, 8), (0.1, 1.0, 300.0, 1000.0), 2, 1, 12, 200, 20),
        Part("equivariant", (4,), (0.1, 1.0, 300.0, 1000.0), 2, 1, 12, 200, 20),
    ),
    "default": (
        Part("connected", (32, 64, 128), WIDE, 10, 4, 150, 1000, 100),
        Part("plain", (8, 16), DEEP, 3, 3, 32, 500, 50),
        Part("equivariant", (4, 8), FEW, 2, 2, 32, 500, 50),
    ),
    # As in the paper: five thousand digits, more networks, wide ones.
    "paper": (
        Part("connected", (100, 200, 400, 800), WIDE, 20, 5, 5000, 10_000, 200, 100_000),
        Part("plain", (16, 32, 64, 128), FEW, 10, 5, 5000, 10_000, 200, 100_000),
        Part("equivariant", (8, 16, 32, 64), FEW, 10, 5, 5000, 10_000, 200, 100_000),
    ),
}


def chosen(plan: str, kinds: tuple[str, ...], changes: Mapping[str, Any]) -> tuple[Part, ...]:
    """The parts of a plan.

    Args:
        plan: its name.
        kinds: of which networks.
        changes: fields of a part that are to be other than the plan's; None for the plan's.
    Raises:
        InputError: if widths are given for several kinds, or a number is out of range.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    if "widths" in given and len(kinds) > 1:
        raise InputError(f"widths: expected one of --kinds with them, got {', '.join(kinds)}")
    for scale in given.get("scales", ()):
        if not (scale > 0 and math.isfinite(scale)):
            raise InputError(f"scales: expected finite numbers > 0, got {scale}")
    parts = [replace(part, **given) for part in PLANS[plan] if part.kind in kinds]
    return tuple(replace(part, frozen=min(part.frozen, part.seeds)) for part in parts)


def tasks(parts: tuple[Part, ...], path: Path | None) -> dict[str, Task]:
    """The runs of some parts, the narrow networks first."""
    digits = data.digits(path).fingerprint()
    found = [
        Task(
            part.kind, width, scale, part.seeds, part.frozen, part.train, part.test, part.points,
            part.steps, digits,
        )
        for part in parts
        for width in part.widths
        for scale in part.scales
    ]  # fmt: skip
    return {task.name: task for task in found}
