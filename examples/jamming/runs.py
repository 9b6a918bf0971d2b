"""Networks followed to where they stop. In: a task. Out: what each network is like there.

A *jump* has networks of one shape on random data of one P; a *scan* lowers the width at fixed P
until the networks jam.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from equinet.learning import HessianSplit, hessian_split, violations
from examples.common.descent import Network, Outcome, descend, forward, gradient, initial
from examples.common.sweep import Desk

from .data import alternating, random_points
from .kinks import kinks_of
from .models import as_module, dead_units, silent_points

RATE, FALL = 1e-3, 1e-3  # the learning rate at first, and what is left of it at the end
HELD = 0.4  # the share of the steps in which it stays
EARLIER = 0.7  # the share of the steps after which a loss should have settled
TOLERANCE = 1e-10  # of a margin that holds
JAMMED = 0.1  # of N_Delta / N, from where on a scan calls a width jammed
RUNG = 0.9  # of N from a width of a scan to the next
ROOM = 10**6  # steps of one width, in the numbers of a scan's checkpoints
Points = Callable[[Network], tuple[Tensor, Tensor]]  # of all seeds, (B, P, d) and (B, P)


@dataclass(frozen=True)
class Jump:
    """All that decides the result; ``points`` is the next even number to ``ratio`` N.

    ``keep``: what is kept besides counts: "split", the Hessian where a network is jammed, or "all",
    also the kinks there, and 1 - y f of all networks.
    """

    depth: int
    width: int
    ratio: float
    first: int  # seed
    seeds: int
    steps: int
    activation: str = "relu"
    keep: str = "split"

    @property
    def network(self) -> Network:
        """d = h, as in the papers."""
        return Network(self.depth, self.width, self.width, activation=self.activation)

    @property
    def points(self) -> int:
        """P."""
        return 2 * max(1, round(self.ratio * self.network.weights / 2))


@dataclass(frozen=True)
class Scan:
    """All that decides the result; ``inputs`` d, or 0 for d = h.

    The first width is the smallest with N >= ``begin`` P.
    """

    data: str
    depth: int
    inputs: int
    points: int
    first: int  # seed
    seeds: int
    steps: int
    begin: float

    def network(self, width: int) -> Network:
        """Of the scan at this width."""
        return Network(self.depth, width, self.inputs or width)

    def widths(self) -> list[int]:
        """From the first one down, each with N smaller by a tenth at least."""
        width = 1
        while self.network(width).weights < self.begin * self.points:
            width += 1
        found = [width]
        for width in range(found[0] - 1, 0, -1):
            if self.network(width).weights <= RUNG * self.network(found[-1]).weights:
                found.append(width)
        return found


def rate(step: int, steps: int) -> float:
    """The learning rate: held, then falling exponentially."""
    return RATE * FALL ** max(0.0, (step / steps - HELD) / (1 - HELD))


def state(end: dict[str, Any]) -> str:
    """What a network is at its end.

    "satisfied": no violated point. "silent": at half of them or more a whole layer is off, which is
    a trap of narrow networks and no jamming. "undecided": the loss still fell to less than half
    over the last 30 % of the steps. "jammed": all others.
    """
    if end["violated"] == 0:
        return "satisfied"
    if end["silent"] >= end["violated"] / 2:
        return "silent"
    return "undecided" if end["loss"] < end["earlier"] / 2 else "jammed"


def jump(task: Jump, desk: Desk) -> dict[str, Any]:
    """Follow the networks of all seeds, and take the Hessian apart where they jam."""
    network, points = task.network, task.points
    seeds = range(task.first, task.first + task.seeds)
    x = torch.stack([random_points(points, task.width, seed) for seed in seeds])
    y = alternating(points).expand(len(seeds), -1)
    outcome, ends = follow(network, x, y, task.first, task.steps, desk)
    for number, end in enumerate(ends):
        if task.keep == "all":
            end["deltas"] = (1 - outcome.margins[number]).tolist()
        if state(end) == "jammed":
            net = as_module(network, outcome.weights, number)
            end["split"] = described(hessian_split(net, x[number], y[number]))
            if task.keep == "all":
                weights = [part[number] for part in outcome.weights]
                end["kinks"] = asdict(kinks_of(network, weights, x[number], y[number]))
    return {"ends": ends}


def scan(task: Scan, points: Points, desk: Desk) -> dict[str, Any]:
    """Lower the width until every seed has jammed, each seed on points of its own."""
    saved = desk.resume()
    done: list[dict[str, Any]] = saved["done"] if saved else []
    widths = task.widths()
    for number, width in enumerate(widths):
        left = _left(done, task.seeds)
        if number < len(done):
            continue
        if not left:
            break
        network = task.network(width)
        x, y = points(network)
        stage = _Stage(desk.folder, _part(desk, number, len(widths)), tuple(done))
        seeds = torch.tensor(left)
        _, ends = follow(network, x[seeds], y[seeds], task.first, task.steps, stage, left)
        done = [*done, {"width": width, "ends": dict(zip(map(str, left), ends, strict=True))}]
        desk.save(ROOM * len(done), {"done": done, "inner": None})
    return {"widths": done}


def is_jammed(end: dict[str, Any]) -> bool:
    """By the count of the papers, unless the loss is still falling."""
    return end["violated"] > JAMMED * end["weights"] and state(end) != "undecided"


def _left(done: list[dict[str, Any]], seeds: int) -> list[int]:
    """Seeds that have not jammed at the widths so far."""
    return [
        seed
        for seed in range(seeds)
        if not any(is_jammed(one["ends"][str(seed)]) for one in done if str(seed) in one["ends"])
    ]


def _part(desk: Desk, number: int, count: int) -> Callable[[float], None]:
    return lambda share: desk.tell((number + share) / count)


@dataclass(frozen=True)
class _Stage(Desk):
    """The desk of one width of a scan: its checkpoints hold the widths before it too."""

    done: tuple[dict[str, Any], ...]

    def resume(self) -> dict[str, Any] | None:
        saved = super().resume()
        return saved["inner"] if saved else None

    def save(self, step: int, state: dict[str, Any]) -> None:
        super().save(ROOM * len(self.done) + step, {"done": list(self.done), "inner": state})


def follow(
    network: Network,
    x: Tensor,
    y: Tensor,
    first: int,
    steps: int,
    desk: Desk,
    seeds: list[int] | None = None,
) -> tuple[Outcome, list[dict[str, Any]]]:
    """Descend, and describe the ends; the weights have the seeds ``first`` + ``seeds``."""
    earlier = round(EARLIER * steps)

    def loss(step: int, weights: list[Tensor]) -> Tensor:
        return (1 - y * forward(network, weights, x)).clamp_min(0).square().mean(1) / 2

    numbers = list(range(len(x))) if seeds is None else seeds
    outcome = descend(
        network, initial(network, [first + number for number in numbers]), x, y,
        rate=lambda step: rate(step, steps), steps=steps, tolerance=TOLERANCE, desk=desk,
        watch=loss, watch_at=[earlier],
    )  # fmt: skip
    delta = 1 - outcome.margins
    violated = delta > TOLERANCE
    silent = silent_points(network, outcome.weights, x)
    columns = {
        "violated": violations(outcome.margins, TOLERANCE),
        "silent": (silent & violated).sum(1),
        "dead": dead_units(network, outcome.weights, x),
        "loss": outcome.loss,
        "earlier": outcome.watched.get(earlier, outcome.loss),
        "gradient": gradient(network, outcome.weights, x, y).norm(dim=1),
        "steps": outcome.steps,
    }
    ends = []
    for number in range(len(x)):
        values = {name: column[number].item() for name, column in columns.items()}
        ends.append({"points": x.shape[1], "weights": network.weights, **values})
    return outcome, ends


def described(split: HessianSplit) -> dict[str, Any]:
    """What is to be told of a Hessian in two parts."""
    if split.whole is None or split.h0 is None or split.hp is None:
        raise ValueError("split: expected one with matrices, got one without")
    error = float((split.whole - split.h0 - split.hp).abs().max())
    return {
        "error": error,
        "parameters": len(split.whole),
        "violated": split.violated,
        "rank": split.rank,
        "inertia": asdict(split.inertia),
        "inertia_p": asdict(split.inertia_p),
        "obeys_weyl": split.obeys_weyl,
        "negative_share": split.negative_share,
        "spectrum": split.spectrum.tolist(),
        "spectrum_p": split.spectrum_p.tolist(),
        "spectrum_0": torch.linalg.eigvalsh(split.h0).tolist(),
        "gradient": split.gradient,
    }


def effective(network: Network) -> int:
    """N_eff: parameters less one per hidden neuron, whose scale ReLU leaves free."""
    return network.parameters - network.depth * network.width
