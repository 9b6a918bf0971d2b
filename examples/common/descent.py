r"""Many fully connected networks of one shape at once: full-batch Adam on the quadratic hinge loss.

In: weights of B networks, points and labels. Out: weights and margins where each of them stopped.

.. math:: L = \frac1P \sum_\mu \tfrac12 \max(0, 1 - y_\mu f(x_\mu))^2                     \quad (D1)

A network whose margins all hold leaves the batch. Gradients are written out and each layer is one
product of stacked matrices, with the points as columns: 2 to 3 times as fast as automatic
differentiation for the small networks of these examples.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .digits import digest
from .errors import InputError
from .streams import stream
from .sweep import Desk

INITIAL_WEIGHTS = 10  # purpose of a random stream
SHARPNESS = 5.0  # beta of softplus, log(1 + exp(beta z)) / beta
CHECK = 10  # steps between two looks at the margins
SAVE_SECONDS, TELL_SECONDS = 60.0, 1.0
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # of Adam
# Factors of the activations that keep the second moment of N(0, 1), with the scale "ntk".
GAINS = {"relu": math.sqrt(2), "softplus": 1.40438}


@dataclass(frozen=True)
class Network:
    """A fully connected network with one output: ``depth`` hidden layers of ``width`` neurons.

    ``scale`` "standard": z = W a + b, W orthogonal at the start. "ntk": z = W a / sqrt(inputs of
    the layer) + b with W from N(0, 1), and activations times ``GAINS``. Biases start at 0.
    """

    depth: int
    width: int
    inputs: int
    scale: str = "standard"
    activation: str = "relu"

    def __post_init__(self) -> None:
        for name in ("depth", "width", "inputs"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}: expected a positive number, got {getattr(self, name)}")
        for name, allowed in (("scale", ("standard", "ntk")), ("activation", tuple(GAINS))):
            if getattr(self, name) not in allowed:
                raise InputError(f"{name}: expected one of {allowed}, got {getattr(self, name)!r}")

    @property
    def sizes(self) -> list[int]:
        """Of the input, the hidden layers and the output."""
        return [self.inputs] + [self.width] * self.depth + [1]

    @property
    def weights(self) -> int:
        """N of the jamming papers: parameters less one per neuron, (d + 1) h + (L - 1) h^2."""
        return (self.inputs + 1) * self.width + (self.depth - 1) * self.width**2

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.weights + self.depth * self.width + 1

    @property
    def factors(self) -> list[float]:
        """What the weights of each layer are multiplied by."""
        if self.scale == "standard":
            return [1.0] * (self.depth + 1)
        inner = GAINS[self.activation] / math.sqrt(self.width)
        return [1 / math.sqrt(self.inputs)] + [inner] * self.depth


class Outcome(NamedTuple):
    """Where the networks stopped.

    Attributes:
        weights: as :func:`initial` makes them.
        margins: y f, ``(B, P)``; infinite where there is no point.
        steps: of each network, int64 ``(B,)``; those that did not get all margins took all steps.
        loss: (D1) of each network, ``(B,)``.
        watched: what ``watch`` returned, by step.
    """

    weights: list[Tensor]
    margins: Tensor
    steps: Tensor
    loss: Tensor
    watched: dict[int, Tensor]


Watch = Callable[[int, list[Tensor]], Tensor]


def initial(network: Network, seeds: Sequence[int]) -> list[Tensor]:
    """Weights ``(B, out, in)`` and biases ``(B, out)`` of the layers, in turn, in float64."""
    found: list[Tensor] = []
    generators = [stream(seed, INITIAL_WEIGHTS) for seed in seeds]
    draw = _orthogonal if network.scale == "standard" else _normal
    for inputs, outputs in zip(network.sizes[:-1], network.sizes[1:], strict=True):
        found.append(torch.stack([draw(outputs, inputs, generator) for generator in generators]))
        found.append(torch.zeros(len(seeds), outputs, dtype=torch.float64))
    return found


def _normal(outputs: int, inputs: int, generator: torch.Generator) -> Tensor:
    return torch.randn(outputs, inputs, generator=generator, dtype=torch.float64)


def _orthogonal(outputs: int, inputs: int, generator: torch.Generator) -> Tensor:
    """Uniform among the matrices whose rows or columns are orthonormal."""
    q, r = torch.linalg.qr(_normal(max(outputs, inputs), min(outputs, inputs), generator))
    q = q * r.diagonal().sign()
    return q if outputs >= inputs else q.T.contiguous()


def forward(network: Network, weights: Sequence[Tensor], x: Tensor) -> Tensor:
    """Outputs ``(B, P)`` at points ``(P, d)``, or ``(B, P, d)`` with points of each network."""
    return layers(network, weights, x)[-1][:, 0]


def layers(network: Network, weights: Sequence[Tensor], x: Tensor) -> list[Tensor]:
    """Activations ``(B, width, P)`` of the hidden layers, and the output ``(B, 1, P)``."""
    found: list[Tensor] = []
    a = x.mT.expand(len(weights[0]), -1, -1)
    for k, factor in enumerate(network.factors):
        a = torch.baddbmm(weights[2 * k + 1][:, :, None], weights[2 * k], a, alpha=factor)
        found.append(_activate(network, a) if k < network.depth else a)
    return found


def gradient(network: Network, weights: Sequence[Tensor], x: Tensor, y: Tensor) -> Tensor:
    """Of (D1), ``(B, parameters)`` in the order of the weights; points and labels of each network,
    ``(B, P, d)`` and ``(B, P)``."""
    valid, start = torch.ones_like(y, dtype=torch.bool), torch.zeros_like(y)
    return _Batch(network, _resting(weights), 1.0, x, y, valid, start).gradient()


def _activate(network: Network, z: Tensor) -> Tensor:
    """In place."""
    if network.activation == "relu":
        return z.relu_()
    return torch.ops.aten.softplus.out(z, SHARPNESS, 40.0, out=z)


def _back(network: Network, slope: Tensor, a: Tensor) -> None:
    """Multiply by the derivative of the activation, which its value ``a`` tells; in place."""
    if network.activation == "relu":
        torch.ops.aten.threshold_backward.grad_input(slope, a, 0.0, grad_input=slope)
    else:
        slope.mul_(torch.expm1(a * -SHARPNESS).neg_())


def descend(
    network: Network,
    weights: Sequence[Tensor],
    x: Tensor,
    y: Tensor,
    mask: Tensor | None = None,
    *,
    rate: Callable[[int], float],
    steps: int,
    tolerance: float = 0.0,
    alpha: float | None = None,
    desk: Desk | None = None,
    watch: Watch | None = None,
    watch_at: Sequence[int] = (),
) -> Outcome:
    """Follow Adam until all margins of a network hold, or for ``steps`` steps.

    Args:
        network: of what shape the networks are.
        weights: where they start, as :func:`initial` makes them; not changed.
        x: points ``(P, d)``, or ``(B, P, d)`` with points of each network.
        y: labels +-1, ``(P,)`` or ``(B, P)``.
        mask: ``(B, P)``, False where a network has no point, so that P may differ; None for all.
        rate: the learning rate of a step, from 0 on.
        steps: at most.
        tolerance: a margin holds if 1 - y f is at most this; looked at every ``CHECK`` steps.
        alpha: what learns is F = alpha (f - f at the start), and margins are y F; None for f.
        desk: keeps a checkpoint every minute, from which the same call goes on with the same bits.
        watch: called with a step and the weights of all networks after so many steps (of those
            that have stopped, the last); returns a tensor to keep.
        watch_at: at which steps.
    Raises:
        InputError: if the desk has checkpoints of another descent.
    """
    points = x.expand(len(weights[0]), -1, -1) if x.dim() == 2 else x
    valid = torch.ones(points.shape[:2], dtype=torch.bool) if mask is None else mask
    labels = y.expand(valid.shape)
    rates = [rate(step) for step in (0, steps // 2, steps)]
    asked = (astuple(network), steps, tolerance, rates, alpha)
    mark = f"{digest(*weights, points, labels, valid)} {asked}"
    kept = _resumed(desk, mark) or _beginning(weights, steps, mark)
    ends, taken, alive = kept["ends"], kept["taken"], kept["alive"]
    scale, start = _learned(network, weights, points, alpha)
    data = (points, labels, valid, start)
    batch = _Batch(network, kept["now"], scale, *(part[alive] for part in data))
    clock, looks = _Clock(), set(watch_at)
    for step in range(kept["step"], steps + 1):
        if step % CHECK == 0 or step == steps or step in looks:
            if desk and clock.save():
                kept |= {"step": step, "alive": alive, "now": batch.state()}
                desk.save(step, kept)
            if desk and clock.tell():
                desk.tell(step / max(1, steps))
            ends[alive] = batch.state()["weights"]
            if watch is not None and step in looks:
                kept["watched"][step] = watch(step, _layers(network, ends))
            over = batch.satisfied(tolerance)
            if bool(over.any()):
                taken[alive[over]] = step
                alive = alive[~over]
                if not len(alive):
                    break
                batch = batch.only(~over)
        if step < steps:
            batch.step(step, rate(step))
    margins, loss = _margins(network, _layers(network, ends), scale, *data)
    return Outcome(_layers(network, ends), margins, taken, loss, kept["watched"])


def _learned(
    network: Network, weights: Sequence[Tensor], points: Tensor, alpha: float | None
) -> tuple[float, Tensor]:
    """What learns is scale (f - start): the scale, and start ``(B, P)``."""
    if alpha is None:
        return 1.0, torch.zeros(points.shape[:2], dtype=points.dtype)
    return alpha, forward(network, weights, points)


def _resumed(desk: Desk | None, mark: str) -> dict[str, Any] | None:
    saved = desk.resume() if desk else None
    if saved is not None and saved["mark"] != mark:
        raise InputError("out: the checkpoints there are of other settings; take --fresh")
    return saved


def _beginning(weights: Sequence[Tensor], steps: int, mark: str) -> dict[str, Any]:
    """What a checkpoint holds: ``now`` of the networks ``alive``, and ``ends`` of all."""
    everyone = torch.arange(len(weights[0]))
    return {
        "mark": mark,
        "step": 0,
        "alive": everyone,
        "now": _resting(weights),
        "ends": _rows(weights),
        "taken": torch.full_like(everyone, steps),
        "watched": {},
    }


def _resting(weights: Sequence[Tensor]) -> dict[str, Tensor]:
    """The state of a batch before its first step."""
    rows = _rows(weights)
    return {"weights": rows, "first": torch.zeros_like(rows), "second": torch.zeros_like(rows)}


def _margins(
    network: Network, weights: list[Tensor], scale: float, x: Tensor, y: Tensor, valid: Tensor,
    start: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    margins = torch.where(valid, y * scale * (forward(network, weights, x) - start), math.inf)
    return margins, (1 - margins).clamp_min(0).square().sum(1) / (2 * valid.sum(1))


def _rows(weights: Sequence[Tensor]) -> Tensor:
    """All parameters of a network in one row, ``(B, parameters)``."""
    return torch.cat([part.flatten(1) for part in weights], 1)


def _layers(network: Network, rows: Tensor) -> list[Tensor]:
    """The opposite of :func:`_rows`."""
    shapes = _shapes(network)
    parts = rows.split([math.prod(shape) for shape in shapes], 1)
    return [part.reshape(-1, *shape) for part, shape in zip(parts, shapes, strict=True)]


def _shapes(network: Network) -> list[tuple[int, ...]]:
    shapes: list[tuple[int, ...]] = []
    for inputs, outputs in zip(network.sizes[:-1], network.sizes[1:], strict=True):
        shapes += [(outputs, inputs), (outputs,)]
    return shapes


class _Clock:
    """When to keep a checkpoint, and when to tell how far the descent is."""

    def __init__(self) -> None:
        self.saved = self.told = time.monotonic()

    def save(self) -> bool:
        late = time.monotonic() - self.saved > SAVE_SECONDS
        self.saved = time.monotonic() if late else self.saved
        return late

    def tell(self) -> bool:
        late = time.monotonic() - self.told > TELL_SECONDS
        self.told = time.monotonic() if late else self.told
        return late


class _Batch:
    """The networks that are still moving, and room for all that a step computes.

    Parameters lie layer after layer in one vector, each layer stacked: what Adam does to all of
    them is one operation, and each layer is a contiguous view.
    """

    def __init__(
        self, network: Network, state: dict[str, Tensor], scale: float, x: Tensor, y: Tensor,
        valid: Tensor, start: Tensor,
    ) -> None:  # fmt: skip
        count = len(x)
        self.network, self.count, self.scale = network, count, scale
        self.data = (x, y, valid, start)
        self.shapes = _shapes(network)
        self.moving = {name: self._vector(rows) for name, rows in state.items()}
        self.slope = torch.zeros_like(self.moving["weights"])
        self.weights, self.slopes = self._views(self.moving["weights"]), self._views(self.slope)
        self.x = x.mT.contiguous()
        self.valid = valid[:, None].to(x.dtype)
        self.signs = y[:, None] * self.valid * scale  # 1 - y scale (f - start) = offset - signs f
        self.offset = self.valid + self.signs * start[:, None]
        self.pull = -self.signs / self.valid.sum(2, keepdim=True)
        points = x.shape[1]
        self.hidden = [x.new_empty(count, network.width, points) for _ in range(network.depth)]
        self.back = [x.new_empty(count, network.width, points) for _ in range(2)]
        self.output, self.excess, self.top = (x.new_empty(count, 1, points) for _ in range(3))

    def state(self) -> dict[str, Tensor]:
        """Weights and moments, ``(B, parameters)`` each."""
        return {name: _rows(self._views(vector)) for name, vector in self.moving.items()}

    def only(self, some: Tensor) -> "_Batch":
        """These networks, by a mask."""
        state = {name: rows[some] for name, rows in self.state().items()}
        return _Batch(self.network, state, self.scale, *(part[some] for part in self.data))

    def gradient(self) -> Tensor:
        """``(B, parameters)``."""
        self._forward()
        self._backward()
        return _rows(self.slopes)

    def satisfied(self, tolerance: float) -> Tensor:
        """Which networks have all margins, ``(B,)``."""
        self._forward()
        return (self.excess <= tolerance).all(2)[:, 0]

    def step(self, step: int, rate: float) -> None:
        """One step of Adam."""
        self._forward()
        self._backward()
        first, second = self.moving["first"], self.moving["second"]
        first.lerp_(self.slope, 1 - BETA1)
        second.mul_(BETA2).addcmul_(self.slope, self.slope, value=1 - BETA2)
        scale = second.sqrt().div_(math.sqrt(1 - BETA2 ** (step + 1))).add_(EPSILON)
        self.moving["weights"].addcdiv_(first, scale, value=-rate / (1 - BETA1 ** (step + 1)))

    def _forward(self) -> None:
        """Outputs, and max(0, 1 - y f)."""
        a = self.x
        for k, factor in enumerate(self.network.factors):
            z = self.hidden[k] if k < self.network.depth else self.output
            bias = self.weights[2 * k + 1][:, :, None]
            torch.baddbmm(bias, self.weights[2 * k], a, alpha=factor, out=z)
            a = _activate(self.network, z) if k < self.network.depth else z
        torch.addcmul(self.offset, self.signs, self.output, value=-1, out=self.excess).relu_()

    def _backward(self) -> None:
        """The gradient of (D1), layer by layer from the last."""
        down = torch.mul(self.excess, self.pull, out=self.top)
        for k in reversed(range(self.network.depth + 1)):
            factor = self.network.factors[k]
            a = self.hidden[k - 1] if k else self.x
            slope = self.slopes[2 * k]
            torch.baddbmm(slope, down, a.mT, beta=0, alpha=factor, out=slope)
            torch.sum(down, 2, out=self.slopes[2 * k + 1])
            if k:
                up = self.back[k % 2]
                torch.baddbmm(up, self.weights[2 * k].mT, down, beta=0, alpha=factor, out=up)
                _back(self.network, up, a)
                down = up

    def _vector(self, rows: Tensor) -> Tensor:
        return torch.cat([layer.flatten() for layer in _layers(self.network, rows)])

    def _views(self, vector: Tensor) -> list[Tensor]:
        parts = vector.split([self.count * math.prod(shape) for shape in self.shapes])
        return [
            part.view(self.count, *shape) for part, shape in zip(parts, self.shapes, strict=True)
        ]
