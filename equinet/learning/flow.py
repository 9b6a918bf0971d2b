r"""Gradient flow of many networks at once, each with a step of its own.

.. math:: \dot w = - \nabla_w \frac{1}{\alpha^2 n} \sum_i \ell(F_i y_i), \qquad
          F = \alpha\, (f(w) - f(w_0))                                                 \quad (G1)

For large alpha the network need not move to change F by one, and learns as its tangent kernel does
(lazy); for small alpha it must, and learns features (Geiger, Spigler, Jacot and Wyart, arXiv
1906.08034).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from equinet.learning.ensemble import Ensemble, check_labels, scalar
from equinet.learning.tangent import State, batch_statistics, check_callable, check_samples
from equinet.numerics.arguments import check_integer, check_number, real_tensor
from equinet.numerics.values import check_floating

Loss = Callable[[Tensor], Tensor]


def hinge(margin: Tensor) -> Tensor:
    """The hinge loss, max(0, 1 - F y), elementwise."""
    check_floating("margin", margin)
    return (1 - margin).clamp_min(0)


def soft_hinge(margin: Tensor, beta: float = 20.0) -> Tensor:
    """The smooth hinge loss, softplus(beta (1 - F y)) / beta.

    Args:
        margin: F y, of any shape.
        beta: > 0; the larger, the sharper the bend at F y = 1.
    Returns:
        A loss for each margin.
    """
    check_floating("margin", margin)
    check_number(beta, "beta", above=0)
    return F.softplus(1 - margin, beta=beta)


def square(margin: Tensor) -> Tensor:
    """The square loss, (1 - F y)^2 / 2, that is (F - y)^2 / 2 for labels +-1, elementwise."""
    check_floating("margin", margin)
    return (1 - margin).square() / 2


@dataclass(frozen=True)
class Flow:
    """What became of the networks of an ensemble; ``str`` makes a table of it.

    Attributes:
        weights: at the end, as ``Ensemble.state()``.
        start: f(w_0) on the training set, ``(networks, n)``.
        output: F on the training set, ``(networks, n)``.
        time: t reached by each network.
        half_time: t at which the mean loss has fallen to half of what it was, linear between two
            steps; NaN if never.
        loss: the mean loss at the end.
        steps: steps taken by each.
        reason: why each stopped: "reached" (``until`` holds), "steps" (there are no more), "stuck"
            (no step is small enough).
        alpha: of each.
    """

    weights: State = field(repr=False)
    start: Tensor = field(repr=False)
    output: Tensor = field(repr=False)
    time: Tensor
    half_time: Tensor
    loss: Tensor
    steps: Tensor
    reason: tuple[str, ...]
    alpha: Tensor

    @property
    def converged(self) -> bool:
        """Whether every network reached the end that was asked for."""
        return all(reason == "reached" for reason in self.reason)

    def __str__(self) -> str:
        names = ("network", "alpha", "t", "half", "loss", "steps")
        lines = ["".join(f"{name:>10}" for name in names) + "  end"]
        columns = (self.alpha, self.time, self.half_time, self.loss, self.steps)
        table = torch.stack([column.double().cpu() for column in columns], 1).tolist()
        for i, (row, reason) in enumerate(zip(table, self.reason, strict=True)):
            lines.append(f"{i:>10}" + "".join(f"{v:>10.3g}" for v in row) + f"  {reason}")
        return "\n".join(lines)


def satisfied(margin: Tensor) -> Tensor:
    """Whether all samples of each network have a margin above 1, ``(networks, n)`` to bool."""
    check_floating("margin", margin)
    return (margin > 1).all(-1)


def gradient_flow(
    ensemble: Ensemble,
    x: Tensor,
    y: Tensor,
    *,
    alpha: float | Sequence[float] | Tensor,
    loss: Loss = soft_hinge,
    max_change: float = 0.3,
    max_turn: float = 1e-2,
    until: Callable[[Tensor], Tensor] = satisfied,
    steps: int = 1000,
    step: float = 1e-6,
    progress: Callable[[int, int], None] | None = None,
) -> Flow:
    r"""Follow (G1) until every network is where it should be, with Euler steps.

    A step dt is taken if the gradient turns little, ``|g - g'|^2 < max_turn |g| |g'|``, and no F
    changes by more than ``max_change``. Then dt grows by a tenth, else it falls to a tenth.

    Args:
        ensemble: the networks at w_0, with one output each; they are left as they are.
        x: the training set, ``(n, ...)``.
        y: its labels +-1, ``(n,)``.
        alpha: one number > 0, or one for each network.
        loss: l of the margins F y, elementwise.
        max_change: the largest step of F.
        max_turn: the largest turn of the gradient.
        until: from the margins ``(networks, n)``, which networks are done.
        steps: at most so many are tried.
        step: the first dt.
        progress: called with the number of steps tried and the number of networks that go on.
    Returns:
        What became of each network, also where it did not converge.
    Raises:
        ValueError: for labels other than +-1, alpha <= 0, networks with several outputs or with the
            statistics of a batch, and for arguments out of range.
    """
    y = _labels(ensemble, x, y)
    check_callable("loss", loss)
    check_callable("until", until)
    check_integer(steps, "steps", 0)
    for value, name in ((max_change, "max_change"), (max_turn, "max_turn"), (step, "step")):
        check_number(value, name, above=0)
    networks = _Networks(ensemble, x, y, _alphas(alpha, len(ensemble)).to(x), loss, step)
    for tried in range(steps):
        networks.stop(until)
        if progress is not None:
            progress(tried, len(networks.alive))
        if not len(networks.alive):
            break
        networks.step(max_change, max_turn)
    return networks.flow()


class _Networks:
    """The networks of an ensemble on their way down (G1), each at a time of its own."""

    def __init__(
        self, ensemble: Ensemble, x: Tensor, y: Tensor, scales: Tensor, loss: Loss, step: float
    ) -> None:
        self.ensemble, self.x, self.y, self.scales, self.loss = ensemble, x, y, scales, loss
        count = len(ensemble)
        self.weights = {name: w.detach().clone() for name, w in ensemble.state().items()}
        with torch.no_grad():
            self.f0 = scalar(ensemble.call(self.weights, x))
        self.alive = torch.arange(count, device=x.device)
        self.g, self.out = self.slope(self.weights, self.alive)
        # In float64 whatever the networks are in: a step may be far smaller than the time before.
        self.t = torch.zeros_like(scales, dtype=torch.float64)
        self.dt, self.half_time = self.t + step, self.t + math.nan
        self.taken, self.reason = torch.zeros(count, dtype=torch.long), ["steps"] * count
        self.level = self.mean_loss()
        self.half = self.level / 2

    def mean_loss(self) -> Tensor:
        return self.loss(self.out * self.y).mean(1)

    def slope(self, w: State, members: Tensor) -> tuple[State, Tensor]:
        """The gradient and F. torch.func.grad would keep a graph for a second derivative."""
        w = {name: v.detach().requires_grad_() for name, v in w.items()}
        with torch.enable_grad():
            f = scalar(self.ensemble.call(w, self.x, members))
            out = self.scales[members, None] * (f - self.f0[members])
            total = (self.loss(out * self.y).mean(1) / self.scales[members] ** 2).sum()
            found = torch.autograd.grad(total, list(w.values()), materialize_grads=True)
        return dict(zip(w, found, strict=True)), out.detach()

    def stop(self, until: Callable[[Tensor], Tensor]) -> None:
        """Leave out networks that are where they should be, or take no step that counts."""
        alive = self.alive
        done = until(self.out[alive] * self.y)
        stuck = self.t[alive] + self.dt[alive] * 1e-3 == self.t[alive]
        stuck &= self.t[alive] > 0
        for i, reached, lost in zip(alive.tolist(), done.tolist(), stuck.tolist(), strict=True):
            if reached or lost:
                self.reason[i] = "reached" if reached else "stuck"
        self.alive = alive[~(done | stuck)]

    def step(self, max_change: float, max_turn: float) -> None:
        """Try a step, and take it where the gradient turns little and F changes little."""
        alive, dt = self.alive, self.dt[self.alive]
        now = {name: v[alive] for name, v in self.g.items()}
        new = {name: w[alive] - _spread(dt, w) * now[name] for name, w in self.weights.items()}
        new_g, new_out = self.slope(new, alive)
        turn = _square(now, new_g, -1) / (_square(now) * _square(new_g)).sqrt().clamp_min(1e-300)
        change = (new_out - self.out[alive]).abs().amax(1)
        good = (turn < max_turn) & (change < max_change)
        moved = alive[good]
        for name, w in self.weights.items():
            w[moved], self.g[name][moved] = new[name][good], new_g[name][good]
        self.out[moved] = new_out[good]
        self.t[moved] += dt[good]
        self.taken[moved.cpu()] += 1
        last, self.level = self.level, self.mean_loss()
        crossed = (self.level <= self.half) & self.half_time.isnan()
        beyond = (self.half - self.level) / (last - self.level)
        self.half_time = torch.where(crossed, self.t - beyond * self.dt, self.half_time)
        self.dt[alive] = torch.where(good, dt * 1.1, dt / 10)

    def flow(self) -> Flow:
        return Flow(
            self.weights, self.f0, self.out, self.t, self.half_time, self.level, self.taken,
            tuple(self.reason), self.scales,
        )  # fmt: skip


def _labels(ensemble: Ensemble, x: Tensor, y: Tensor) -> Tensor:
    """The labels like ``x``; raises unless these networks can learn them."""
    if not isinstance(ensemble, Ensemble):
        raise TypeError(f"ensemble: expected an Ensemble, got {type(ensemble).__name__}")
    mixing = next(batch_statistics(ensemble.skeleton), None)
    if mixing is not None:
        raise ValueError(f"ensemble: expected networks without batch statistics, got {mixing}")
    check_samples("x", x)
    y = check_labels(y).to(x.dtype)
    if len(y) != len(x):
        raise ValueError(f"y: expected {len(x)} labels, one for each sample, got {len(y)}")
    return y


def _alphas(alpha: float | Sequence[float] | Tensor, count: int) -> Tensor:
    values = real_tensor(alpha, "alpha").reshape(-1)
    values = values.expand(count) if len(values) == 1 else values
    if len(values) != count or not bool(((values > 0) & values.isfinite()).all()):
        raise ValueError(
            f"alpha: expected one finite number > 0, or one for each of {count} networks, got "
            f"{values.tolist()[:8]}"
        )
    return values.clone()


def _spread(values: Tensor, like: Tensor) -> Tensor:
    return values.to(like.dtype).view(-1, *[1] * (like.dim() - 1))


def _square(a: State, b: State | None = None, sign: int = 0) -> Tensor:
    """|a|^2, or |a - b|^2, of each network."""
    parts = ((v if b is None else v + sign * b[name]).flatten(1) for name, v in a.items())
    return functools.reduce(torch.add, (part.square().sum(1) for part in parts))
