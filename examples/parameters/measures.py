"""What is measured at each width, with error bars, and what follows from all widths together.

In: results of the runs of one arm with one number of points. Out: a :class:`Curve`.

Error bars are deviations over draws of the bootstrap: the networks of each width are drawn anew
with replacement, and the test points too, the same ones for all widths.
"""

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from examples.common.errors import InputError
from examples.common.streams import stream

from .runs import Task, unpack

BOOTSTRAP = 10  # purpose of a random stream
DRAWS = 200
FITTED_WIDTH = 32  # widths below it are not fitted
BEYOND = 3.0  # so many times N* is where the theory of large N begins


class Sampled(NamedTuple):
    """A number and what the draws of the bootstrap say, ``(DRAWS,)``."""

    value: float
    draws: Tensor

    @property
    def deviation(self) -> float:
        """The error bar."""
        return float(self.draws.std())

    @property
    def sigmas(self) -> float:
        """How many error bars it is away from zero."""
        if self.deviation == 0:
            return math.copysign(math.inf, self.value) if self.value else 0.0
        return self.value / self.deviation


@dataclass(frozen=True)
class Measured:
    """The networks of one width.

    Attributes:
        task: what they were trained with.
        weights: N.
        violated: points without margin, of each network.
        steps: of each network.
        spread: the deviation of f over the networks, root mean square over test points.
        norm: the root mean square of f over test points, mean over the networks that have all
            margins, of all networks if none has.
        mean: the error of single networks.
        ensemble: the error of the mean of all networks.
        excess: mean - ensemble.
        early: the error of networks that were stopped where they were best on the other half of
            the test points.
    """

    task: Task
    weights: int
    violated: list[int]
    steps: list[int]
    spread: Sampled
    norm: Sampled
    mean: Sampled
    ensemble: Sampled
    excess: Sampled
    early: Sampled

    @property
    def limit(self) -> Sampled:
        """The error of an ensemble of infinitely many networks, to second order.

        Of the variance of f a mean of k networks has 1/k left. Errors grow in proportion, so that
        mean - ensemble = (1 - 1/k) c and ensemble - limit = c / k.
        """
        share = 1 / (self.task.networks - 1)
        less = Sampled(share * self.excess.value, share * self.excess.draws)
        return minus(self.ensemble, less)

    @property
    def satisfied(self) -> float:
        """The share of networks with all margins."""
        return sum(count == 0 for count in self.violated) / len(self.violated)


@dataclass(frozen=True)
class Curve:
    """All widths of one arm with one number of points, from the smallest on."""

    widths: list[Measured]

    @property
    def task(self) -> Task:
        """Of the smallest width; the others differ in the width only."""
        return self.widths[0].task

    @property
    def transition(self) -> tuple[float, float]:
        """Between which N half of the networks begin to get all margins; NaN if at none."""
        jammed = [one.weights for one in self.widths if one.satisfied < 0.5]
        if not jammed or jammed[-1] == self.widths[-1].weights:
            return math.nan, math.nan
        return jammed[-1], next(one.weights for one in self.widths if one.weights > jammed[-1])

    @property
    def critical(self) -> float:
        """N*, the geometric mean of both sides of the transition."""
        return math.sqrt(math.prod(self.transition))

    @property
    def window(self) -> list[Measured]:
        """Widths for the fits at large N: from 32 neurons and 3 N* on, all margins hold."""
        return [one for one in self.beyond if one.task.width >= FITTED_WIDTH]

    @property
    def beyond(self) -> list[Measured]:
        """Widths from 3 N* on whose networks all have all margins."""
        far = BEYOND * self.critical
        return [one for one in self.widths if one.weights >= far and one.satisfied == 1]

    def near(self, critical: float) -> list[Measured]:
        """Widths for the fit of the norm: between N* and 3 N*, half of the networks or more."""
        return [
            one
            for one in self.widths
            if critical < one.weights <= BEYOND * critical and one.satisfied >= 0.5
        ]

    @cached_property
    def rise(self) -> tuple[Measured, Measured]:
        """The two widths, the second larger, between which the mean error rises most."""
        pairs = [(a, b) for k, a in enumerate(self.widths) for b in self.widths[k + 1 :]]
        return max(pairs, key=lambda pair: pair[1].mean.value - pair[0].mean.value)


def read_curves(folder: Path) -> list[Curve]:
    """All results in a folder, by arm and number of points.

    Raises:
        InputError: if there are none, or they do not belong together.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text())
            task, result = Task(**content["settings"]), content["result"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"runs: expected the result of a run, got {path}") from error
        found.append((task, result))
    if not found:
        raise InputError(f"runs: no results in {folder}: run first")
    return curves(found)


def curves(results: Sequence[tuple[Task, dict[str, Any]]]) -> list[Curve]:
    """The curves of results, each of one arm and number of points."""
    found: dict[tuple[int, bool], list[tuple[Task, dict[str, Any]]]] = defaultdict(list)
    for task, result in results:
        found[(task.points, task.arm != "standard")].append((task, result))
    return [curve(found[key]) for key in sorted(found)]


def curve(results: Sequence[tuple[Task, dict[str, Any]]]) -> Curve:
    """The curve of runs that differ in the width only.

    Raises:
        InputError: if they differ in something else, or there is one width only.
    """
    first = results[0][0]
    for task, _ in results:
        same = {**vars(task), "width": first.width} == vars(first)
        if not same:
            raise InputError(f"runs: {task.name} has other settings than {first.name}")
    if len(results) < 2:
        raise InputError(f"runs: expected several widths, got {first.name} only")
    drawn = torch.randint(first.test, (DRAWS, first.test), generator=stream(first.seed, BOOTSTRAP))
    points = torch.zeros(DRAWS, first.test, dtype=torch.float64)
    points.scatter_add_(1, drawn, torch.full(drawn.shape, 1 / first.test, dtype=torch.float64))
    ordered = sorted(results, key=lambda pair: pair[0].width)
    return Curve([_measured(task, result, points) for task, result in ordered])


def _measured(task: Task, result: dict[str, Any], points: Tensor) -> Measured:
    """One width; ``points`` (draws, test) are the shares of the test points in each draw."""
    margins = unpack(result["margins"], task.networks)
    generator = stream(task.seed, BOOTSTRAP, task.width)
    drawn = torch.randint(task.networks, (DRAWS, task.networks), generator=generator)
    shares = torch.nn.functional.one_hot(drawn, task.networks).sum(1).double() / task.networks
    # The first line is the truth: every network and every point once.
    shares = torch.cat([torch.full_like(shares[:1], 1 / task.networks), shares])
    points = torch.cat([torch.full_like(points[:1], 1 / task.test), points])

    def sampled(values: Tensor) -> Sampled:
        return Sampled(float(values[0]), values[1:])

    center, square = shares @ margins, shares @ margins.square()
    unbiased = task.networks / (task.networks - 1)
    spread = ((square - center.square()) * points).sum(1).mul(unbiased).clamp_min(0).sqrt()
    mean = ((shares @ (margins <= 0).double()) * points).sum(1)
    ensemble = ((center <= 0) * points).sum(1)
    violated = torch.tensor(result["violated"])
    counted = violated == 0 if bool((violated == 0).any()) else violated >= 0
    norms = (points @ margins.square().T).sqrt()
    weights = shares * counted
    norm = (norms * weights).sum(1) / weights.sum(1)  # NaN for draws without such a network
    on_the_way = torch.tensor(result["errors"], dtype=torch.float64)
    return Measured(
        task, result["weights"], result["violated"], result["steps"], sampled(spread),
        sampled(norm[~norm.isnan()]), sampled(mean), sampled(ensemble), sampled(mean - ensemble),
        sampled(shares @ early_errors(on_the_way, margins)),
    )  # fmt: skip


def early_errors(errors: Tensor, margins: Tensor) -> Tensor:
    """The error of each network, stopped where it was best on the other half, ``(networks,)``.

    Args:
        errors: on both halves on the way, ``(looks, 2, networks)``.
        margins: at the end, ``(networks, test)``.
    """
    end = torch.stack([half.mean(1) for half in (margins <= 0).double().chunk(2, 1)])
    errors = torch.cat([errors, end[None]])
    best = errors.argmin(0, keepdim=True)
    return errors.gather(0, best.flip(1))[0].mean(0)


def slope(x: Sequence[float], values: Sequence[Sampled]) -> Sampled:
    """Of the straight line through log values against log x; NaN for fewer than three points.

    Draws where a value is not positive have no logarithm and are left out.
    """
    if len(values) < 3:
        return Sampled(math.nan, torch.full((2,), math.nan))
    u = torch.tensor(x, dtype=torch.float64).log()
    u = (u - u.mean()) / (u - u.mean()).square().sum()
    shortest = min(len(one.draws) for one in values)
    draws = u @ torch.stack([one.draws[:shortest] for one in values]).log()
    truth = u @ torch.tensor([one.value for one in values], dtype=torch.float64).log()
    return Sampled(float(truth), draws[draws.isfinite()])


def level(values: Sequence[Sampled]) -> Sampled:
    """The mean of some numbers, such as the plateau of an error; NaN of none."""
    if not values:
        return Sampled(math.nan, torch.full((2,), math.nan))
    draws = torch.stack([one.draws for one in values]).mean(0)
    return Sampled(sum(one.value for one in values) / len(values), draws)


def minus(one: Sampled, other: Sampled) -> Sampled:
    """The difference of two numbers, draw by draw."""
    return Sampled(one.value - other.value, one.draws - other.draws)
