"""Which runs answer which question. In: options. Out: tasks by name, and what does them."""

import json
import math
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from examples.common.checkpoint import write_atomic
from examples.common.descent import Network
from examples.common.digits import Dataset
from examples.common.errors import InputError
from examples.common.parity import parity
from examples.common.sweep import Desk, read, sweep

from .data import alternating, random_points
from .runs import Jump, Scan, jump, scan

INPUTS = 10  # principal components of the digits
PLAN = "plan.json"
End = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """Sizes of everything.

    Attributes:
        shapes: depth and width of each jump.
        ratios: P / N of the jumps.
        seeds: of each jump and each scan.
        steps: of each network of a jump.
        near: depth, width and P / N of the networks whose Delta are pooled, close to the jump.
        near_seeds: how many of them.
        near_steps: of each.
        control: depth, width and P / N of the softplus networks, in the jammed phase.
        control_steps: of each.
        scan_depth: L of the scans.
        scan_points: P of the scans.
        scan_steps: of each network of a scan.
        begin: N / P from which a scan goes down.
    """

    shapes: tuple[tuple[int, int], ...] = ((2, 12), (3, 10))
    ratios: tuple[float, ...] = (1.2, 1.4, 1.6, 1.8, 2.0, 2.2, 2.4, 2.6, 2.8, 3.0, 3.5)
    seeds: int = 3
    steps: int = 100_000
    near: tuple[int, int, float] = (2, 12, 2.7)
    near_seeds: int = 24
    near_steps: int = 30_000
    control: tuple[int, int, float] = (2, 10, 3.5)
    control_steps: int = 20_000
    scan_depth: int = 1
    scan_points: tuple[int, ...] = (125, 250, 500, 1000)
    scan_steps: int = 30_000
    begin: float = 0.8

    def __post_init__(self) -> None:
        counts = ("seeds", "steps", "near_seeds", "near_steps", "control_steps", "scan_steps")
        numbers = {name: (getattr(self, name),) for name in (*counts, "scan_depth", "begin")}
        numbers |= {"ratios": self.ratios, "scan_points": self.scan_points}
        numbers |= {"shapes": sum(self.shapes, ()), "near": self.near, "control": self.control}
        for name, values in numbers.items():
            if not values or not all(0 < value < math.inf for value in values):
                raise InputError(f"{name}: expected positive numbers, got {getattr(self, name)}")

    def keep(self, out: Path, digits: str) -> None:
        """Write down what is done in this folder, and with which digits."""
        out.mkdir(parents=True, exist_ok=True)
        content = json.dumps({"plan": asdict(self), "digits": digits}, indent=1)
        write_atomic(out / PLAN, content.encode())

    @classmethod
    def kept(cls, out: Path) -> "tuple[Plan, str]":
        """The plan of a folder, and its digits."""
        try:
            saved = json.loads((out / PLAN).read_text())
            plan = cls(**{name: _frozen(value) for name, value in saved["plan"].items()})
            return plan, saved["digits"]
        except FileNotFoundError as error:
            raise InputError(f"out: no runs in {out}: run them first") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"out: expected a plan, got {out / PLAN}") from error


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


DEMO = Plan(
    shapes=((2, 8), (3, 7)),
    ratios=(1.0, 1.5, 2.0, 2.5, 3.5),
    seeds=2,
    steps=15_000,
    near=(2, 8, 2.6),
    near_seeds=12,
    near_steps=15_000,
    control=(2, 8, 3.5),
    control_steps=8_000,
    scan_points=(60, 120, 240),
    scan_steps=15_000,
)


def jumps(plan: Plan) -> dict[str, Jump]:
    """One for each depth and ratio."""
    return {
        f"jump-{depth}-{width}-{ratio:g}": Jump(depth, width, ratio, 0, plan.seeds, plan.steps)
        for depth, width in plan.shapes
        for ratio in plan.ratios
    }


def near(plan: Plan) -> dict[str, Jump]:
    """Runs beside the jump, a few seeds each."""
    depth, width, ratio = plan.near
    return {
        f"near-{first}": Jump(
            depth,
            width,
            ratio,
            first,
            min(6, plan.near_seeds - first),
            plan.near_steps,
            keep="all",
        )
        for first in range(0, plan.near_seeds, 6)
    }


def control(plan: Plan) -> dict[str, Jump]:
    """Softplus networks."""
    depth, width, ratio = plan.control
    task = Jump(depth, width, ratio, 0, plan.seeds, plan.control_steps, activation="softplus")
    return {"softplus": task}


def scans(plan: Plan, digits: str | None = None) -> dict[str, Scan]:
    """One for each P, on ``digits`` or on random data."""
    name = "random" if digits is None else "digits"
    shape = (digits or name, plan.scan_depth, INPUTS if digits else 0)
    return {
        f"{name}-{points}": Scan(*shape, points, 0, plan.seeds, plan.scan_steps, plan.begin)
        for points in plan.scan_points
    }


def scan_random(task: Scan, desk: Desk) -> dict[str, Any]:
    """A scan on points without structure, new ones for each width and seed."""

    def points(network: Network) -> tuple[Tensor, Tensor]:
        seeds = range(task.first, task.first + task.seeds)
        x = torch.stack([random_points(task.points, network.inputs, seed) for seed in seeds])
        return x, alternating(task.points).expand(task.seeds, -1)

    return scan(task, points, desk)


def scan_digits(x: Tensor, y: Tensor, task: Scan, desk: Desk) -> dict[str, Any]:
    """A scan on the first digits of each seed's own order, ``(seeds, P, d)``."""
    chosen = x[:, : task.points], y[:, : task.points]
    return scan(task, lambda network: chosen, desk)


@dataclass(frozen=True)
class Results:
    """What is there when all runs are done.

    Attributes:
        jumps: ends by (depth, width), then by P / N.
        scans: by data, then by P, the widths of a scan.
        softplus: ends of the control.
        near: ends whose Delta are pooled.
    """

    jumps: dict[tuple[int, int], dict[float, list[End]]]
    scans: dict[str, dict[int, list[dict[str, Any]]]]
    softplus: list[End]
    near: list[End]


def run(plan: Plan, digits: Dataset, out: Path, *, jobs: int = 1, fresh: bool = False) -> None:
    """Do what is missing."""
    options: dict[str, Any] = {"jobs": jobs, "fresh": fresh}
    x, y = digit_points(plan, digits)
    name = digits.fingerprint()
    plan.keep(out, name)
    sweep(jump, jumps(plan), out, title="jumps", **options)
    sweep(jump, control(plan), out, title="softplus", **options)
    sweep(jump, near(plan), out, title="near the jump", **options)
    sweep(partial(scan_digits, x, y), scans(plan, name), out, title="digits", **options)
    sweep(scan_random, scans(plan), out, title="random data", **options)


def results(plan: Plan, digits: str, out: Path) -> Results:
    """Read all; InputError if one is missing."""
    by_shape: dict[tuple[int, int], dict[float, list[End]]] = {shape: {} for shape in plan.shapes}
    found = read(out, jumps(plan))
    for key, task in jumps(plan).items():
        ratio = task.points / task.network.weights
        by_shape[task.depth, task.width][ratio] = found[key]["ends"]
    scanned = {}
    for data, tasks in (("random", scans(plan)), ("digits", scans(plan, digits))):
        found = read(out, tasks)
        scanned[data] = {task.points: found[key]["widths"] for key, task in tasks.items()}
    pooled = [end for one in read(out, near(plan)).values() for end in one["ends"]]
    return Results(by_shape, scanned, read(out, control(plan))["softplus"]["ends"], pooled)


def digit_points(plan: Plan, digits: Dataset) -> tuple[Tensor, Tensor]:
    """Points (seeds, P, 10) and labels (seeds, P), as many as the largest scan needs."""
    most = max(plan.scan_points)
    found = [parity(digits, most, 0, components=INPUTS, seed=seed) for seed in range(plan.seeds)]
    return torch.stack([one.x for one in found]), torch.stack([one.y for one in found])
