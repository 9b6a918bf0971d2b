"""Numbers from runs: where networks jam, how N* grows with P, how Delta is distributed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import root_scalar

from equinet.learning import PowerLaw, power_law

from .runs import is_jammed, state

End = dict[str, Any]

# Where power laws of Delta are fitted: 1.5 decades below what they are a power law of. Violations
# are small compared with their root mean square, in units of which they are taken; margins are
# close to 1 while they are small compared with the outputs, which are of order 1.
POSITIVE = (10**-1.5, 1.0)
NEGATIVE = (0.5 * 10**-1.5, 0.5)


@dataclass(frozen=True)
class Transition:
    """The jump of N_Delta / N along P / N: its middle, and half its width on the grid."""

    ratio: float
    error: float


def share(end: End) -> float:
    """N_Delta / N."""
    return end["violated"] / end["weights"]


def decided(ends: Sequence[End]) -> list[End]:
    """Those that are satisfied or jammed."""
    return [end for end in ends if state(end) in ("satisfied", "jammed")]


def transition(ends: Mapping[float, Sequence[End]]) -> Transition:
    """Between the last P / N with a majority of satisfied networks and the first one after it with
    a majority of jammed ones; NaN if there is no jump on the grid."""
    low = math.nan
    for ratio in sorted(ends):
        of = decided(ends[ratio])
        jammed = sum(state(end) == "jammed" for end in of)
        if of and jammed > len(of) / 2:
            return Transition((low + ratio) / 2, (ratio - low) / 2)
        if of:
            low = ratio
    return Transition(math.nan, math.nan)


def threshold(widths: Sequence[dict[str, Any]], seed: int) -> float:
    """N* of one seed of a scan: the geometric mean of the last satisfied N and the first jammed
    one; NaN if it has jammed at the first width, or never."""
    satisfied = math.nan
    for one in widths:
        end = one["ends"].get(str(seed))
        if end is None or is_jammed(end):
            return math.nan if end is None else math.sqrt(satisfied * end["weights"])
        if state(end) != "undecided":
            satisfied = end["weights"]
    return math.nan


def growth(points: Mapping[int, Sequence[float]]) -> PowerLaw:
    """N* against P, over all seeds that have jammed; ``-beta`` is the slope."""
    pairs = [(p, n) for p, found in points.items() for n in found if math.isfinite(n)]
    if len({p for p, _ in pairs}) < 2:
        return PowerLaw(math.nan, math.nan, math.nan)
    return power_law([float(p) for p, _ in pairs], [n for _, n in pairs])


def violations_of(end: End) -> np.ndarray:
    """Delta > 0 in units of their root mean square."""
    delta = np.asarray(end["deltas"])
    delta = delta[delta > 1e-10]
    return delta / math.sqrt((delta**2).mean())


def margins_of(end: End) -> np.ndarray:
    """-Delta where it is positive."""
    delta = np.asarray(end["deltas"])
    return -delta[delta < 0]


@dataclass(frozen=True)
class Exponent:
    """Density ~ x^value in a window, with the deviation over resampled runs."""

    value: float
    deviation: float
    count: int


def density_exponent(
    samples: Sequence[np.ndarray], window: tuple[float, float], resamples: int = 200
) -> Exponent:
    """By maximum likelihood in the window; runs are resampled, as points of one run depend on each
    other."""
    low, high = window
    logs = [np.log(x[(x >= low) & (x <= high)] / high) for x in samples]
    generator = np.random.default_rng(0)
    value = _likeliest(np.concatenate(logs), math.log(low / high))
    drawn = generator.integers(len(logs), size=(resamples, len(logs)))
    others = [
        _likeliest(np.concatenate([logs[k] for k in row]), math.log(low / high)) for row in drawn
    ]
    return Exponent(value, float(np.std(others)), sum(map(len, logs)))


def _likeliest(logs: np.ndarray, lowest: float) -> float:
    """a of the density ~ x^a for x from e^lowest to 1, from log x.

    u = log x has the density ~ e^{(a + 1) u} on [lowest, 0], whose mean grows with a.
    """
    if not len(logs):
        return math.nan
    mean = float(logs.mean())

    def excess(k: float) -> float:
        if abs(k * lowest) < 1e-6:  # the series about k = 0, where the next line is 0 / 0
            return lowest / 2 + k * lowest**2 / 12 - mean
        return -lowest / math.expm1(-k * lowest) - 1 / k - mean

    return root_scalar(excess, bracket=(-50, 50)).root - 1
