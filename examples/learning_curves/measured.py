"""Exponents of all curves, beside those of the theory. In: a folder of results. Out: values.

Windows, the same for all: the laws hold for large n, so of lattices the two finest, and for ratios
the two largest n; of random points, whose errors scatter, the last four n; of pictures all n from
100 on.
"""

import math
import statistics
from pathlib import Path
from typing import NamedTuple

from equinet.learning import power_law

from .fits import Fit, fit, mean
from .lattice import Lattice
from .pairs import SPHERES, Pair
from .results import curves, read_draws
from .spheres import Sphere
from .symmetry import FINITE, Symmetry, theory

LAST = 4
FLOOR = 1e-11  # an error is a difference of numbers of order one: below, only rounding is left


class Exponent(NamedTuple):
    """The exponent of a pair, measured and by the theorem."""

    d: int
    pair: Pair
    theory: float
    here: Fit
    n: list[int]
    error: list[float]
    last: int  # of them are fitted

    @property
    def off(self) -> float:
        """How far it is from the theorem."""
        return abs(self.here.beta - self.theory)


def lattice_exponents(folder: Path) -> list[Exponent]:
    """Of all curves on lattices, from the two finest."""
    found = []
    for task, (result,) in read_draws(folder, Lattice).items():
        pair = Pair(task.teacher, task.student)
        n, error = result["n"], result["error"]
        here = Fit(power_law(n[-2:], error[-2:]).beta, math.nan)
        found.append(Exponent(task.d, pair, pair.beta(task.d), here, n, error, 2))
    return sorted(found, key=lambda one: (one.d, one.pair))


def sphere_exponents(folder: Path) -> list[Exponent]:
    """Of all pairs on spheres, from the last four n that all draws reach above rounding."""
    found = []
    for task, results in read_draws(folder, Sphere).items():
        for pair in SPHERES:
            errors = curves(results, "error", str(pair))
            reached = min(map(len, errors))
            while reached > 2 and mean([one[:reached] for one in errors])[-1] < FLOOR:
                reached -= 1
            n, errors = list(task.n[:reached]), [one[:reached] for one in errors]
            here = fit(n, errors, LAST)
            found.append(
                Exponent(task.d, pair, pair.beta(task.d), here, n, mean(errors), min(LAST, len(n)))
            )
    return sorted(found, key=lambda one: one.d)


def fewest_points(folder: Path) -> dict[tuple[int, float], tuple[int, int]]:
    """Where float64 ends: by dimension and student, on how many points every draw went, of how
    many."""
    return {
        (task.d, float(nu)): (min(result["most"][nu] for result in results), max(task.n))
        for task, results in read_draws(folder, Sphere).items()
        for nu in results[0]["most"]
    }


class Gain(NamedTuple):
    """What a group is worth: both curves, and what they come to.

    Attributes:
        ratio: error_plain(n |G|) / error_invariant(n) of a finite group at each n; empty for a
            continuous one.
        factor: the geometric mean of the ratios at the two largest n.
        deviation: its standard error, from the scatter of single draws; NaN for one draw.
        invariant: exponent of the invariant student.
        plain: exponent of the plain student.
    """

    task: Symmetry
    invariant_error: list[float]
    plain_error: list[float]
    ratio: list[float]
    factor: float
    deviation: float
    invariant: Fit
    plain: Fit
    theory: tuple[float, float]


def gains(folder: Path) -> list[Gain]:
    """Of all groups and teachers."""
    found = []
    for task, results in read_draws(folder, Symmetry).items():
        invariant, plain = curves(results, "invariant"), curves(results, "plain")
        errors = mean(invariant), mean(plain)
        ratio, factor, deviation = [], math.nan, math.nan
        if task.action in FINITE:
            ratio = _ratios(task, *errors)
            factor = _last_two(ratio)
            if len(results) > 1:
                draws = zip(invariant, plain, strict=True)
                single = [math.log(_last_two(_ratios(task, *both))) for both in draws]
                deviation = factor * statistics.stdev(single) / math.sqrt(len(single))
        fits = fit(task.n, invariant, LAST), fit(task.plain_n, plain, LAST)
        found.append(Gain(task, *errors, ratio, factor, deviation, *fits, theory(task)))
    return found


def _ratios(task: Symmetry, invariant: list[float], plain: list[float]) -> list[float]:
    at = dict(zip(task.plain_n, plain, strict=True))
    return [at[n * task.elements] / error for n, error in zip(task.n, invariant, strict=True)]


def _last_two(ratio: list[float]) -> float:
    return math.sqrt(ratio[-1] * ratio[-2])
