"""What many runs say together. In: results by task. Out: curves, slopes and deviations.

Which runs are lazy is known from the kernel alone: it changes by less than a tenth there, and by
more than tenfold where features are learned. Slopes are fitted within these windows.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from equinet.learning import power_law

from .runs import Task

LAZY, FEATURE = 0.1, 10.0  # bounds of the kernel's change
REGIMES = ("feature", "lazy")


@dataclass(frozen=True)
class Curves:
    """The results of one kind of networks.

    Attributes:
        widths, scales: in ascending order.
        results: by width and scale.
        tasks: by the same.
    """

    kind: str
    widths: tuple[int, ...]
    scales: tuple[float, ...]
    results: dict[tuple[int, float], dict[str, Any]]
    tasks: dict[tuple[int, float], Task]

    def curve(self, width: int, key: str) -> list[float]:
        """Of each scale, the geometric mean over the networks; NaN if one has no value."""
        return [geometric_mean(self.results[width, scale][key]) for scale in self.scales]

    def window(self, width: int, regime: str) -> list[int]:
        """Which scales are of a regime."""
        change = self.curve(width, "kernel_change")
        inside: Callable[[float], bool] = {
            "lazy": lambda value: value < LAZY,
            "feature": lambda value: value > FEATURE,
        }[regime]
        return [i for i, value in enumerate(change) if inside(value)]

    def shared(self, regime: str) -> list[int]:
        """Which scales are of a regime at every width."""
        found = [set(self.window(width, regime)) for width in self.widths]
        return sorted(set.intersection(*found))

    def slopes(self, key: str, regime: str) -> list[tuple[float, float]]:
        """Of each width, the exponent of a curve within a regime, and its standard error.

        The exponent of a geometric mean is the mean of the networks' exponents, whose scatter gives
        the error. NaN for fewer than two scales.
        """
        found = []
        for width in self.widths:
            inside = [self.scales[i] for i in self.window(width, regime)]
            lines = [self.results[width, scale][key] for scale in inside]
            own = [slope(inside, line) for line in zip(*lines, strict=True)] or [math.nan]
            found.append((statistics.mean(own), standard_error(own)))
        return found

    def unevenness(self, key: str, regime: str) -> float:
        """Largest over smallest value of a curve within a regime, for the worst width."""
        ratios = []
        for width in self.widths:
            curve = self.curve(width, key)
            ratios.append(spread([curve[i] for i in self.window(width, regime)]))
        return _worst(ratios)

    def spread_over_widths(self, key: str) -> list[tuple[float, float]]:
        """Of each scale, largest over smallest value of the widths, and its standard error."""
        found = []
        for scale in self.scales:
            logs = [[math.log(v) for v in self.results[w, scale][key]] for w in self.widths]
            logs = sorted(logs, key=statistics.mean)
            ratio = math.exp(statistics.mean(logs[-1]) - statistics.mean(logs[0]))
            error = math.hypot(standard_error(logs[-1]), standard_error(logs[0]))
            found.append((ratio, ratio * error))
        return found

    def variance_slope(self, regime: str) -> tuple[float, float]:
        """The exponent of the variance in the width, averaged over the scales of a regime.

        Returns:
            It, and its standard error by the jackknife over the seeds, which all scales share.
        """
        scales = [self.scales[i] for i in self.shared(regime)]

        def exponent(values: Callable[[dict[str, Any]], float]) -> float:
            lines = [[values(self.results[width, q]) for width in self.widths] for q in scales]
            return statistics.mean(slope(self.widths, line) for line in lines) if lines else nan

        nan = math.nan
        whole = exponent(lambda result: result["variance"])
        total = 0.0
        for width in self.widths:  # networks of different widths are independent
            seeds = range(len(self.results[width, self.scales[0]]["variance_without"]))
            found = [exponent(self._without(width, seed)) for seed in seeds]
            centre = statistics.mean(found)
            total += (len(found) - 1) / len(found) * sum((v - centre) ** 2 for v in found)
        return whole, math.sqrt(total)

    def _without(self, width: int, seed: int) -> Callable[[dict[str, Any]], float]:
        """The variance, of one width without one network."""
        own = {id(self.results[width, scale]) for scale in self.scales}
        return lambda result: (
            result["variance_without"][seed] if id(result) in own else result["variance"]
        )

    def collected(self, key: str, regime: str | None = None) -> list[float]:
        """All values of the networks of a regime, or of all."""
        found = []
        for width in self.widths:
            inside = range(len(self.scales)) if regime is None else self.window(width, regime)
            for i in inside:
                value = self.results[width, self.scales[i]].get(key, [])
                found += value if isinstance(value, list) else [value]
        return found

    def error_differences(self, key: str, regime: str) -> list[float]:
        """By how much the error with a frozen kernel is above the network's own."""
        found = []
        for width in self.widths:
            for i in self.window(width, regime):
                result = self.results[width, self.scales[i]]
                found += [
                    frozen - own
                    for frozen, own in zip(result.get(key, []), result["error"], strict=False)
                ]
        return found


def curves(results: dict[str, dict[str, Any]], tasks: dict[str, Task]) -> dict[str, Curves]:
    """The results by kind."""
    found = {}
    for kind in dict.fromkeys(task.kind for task in tasks.values()):
        own = {(t.width, t.scale): name for name, t in tasks.items() if t.kind == kind}
        found[kind] = Curves(
            kind,
            tuple(sorted({width for width, _ in own})),
            tuple(sorted({scale for _, scale in own})),
            {key: results[name] for key, name in own.items()},
            {key: tasks[name] for key, name in own.items()},
        )
    return found


def slope(x: Sequence[float], y: Sequence[float | None]) -> float:
    """The exponent of y in x; NaN where there are no two points, or a value is none."""
    there = [value for value in y if value is not None]
    if len(x) < 2 or len(there) < len(y):
        return math.nan
    return -power_law(x, there).beta


def geometric_mean(values: Sequence[float | None]) -> float:
    """NaN if a value is missing."""
    if any(value is None for value in values):
        return math.nan
    return math.exp(statistics.mean(math.log(value) for value in values if value is not None))


def spread(values: Sequence[float]) -> float:
    """Largest over smallest; NaN for none."""
    return max(values) / min(values) if values and not any(map(math.isnan, values)) else math.nan


def standard_error(values: Sequence[float]) -> float:
    """Of the mean; NaN for one value, or if one is none."""
    if len(values) < 2 or any(map(math.isnan, values)):
        return math.nan
    return statistics.stdev(values) / math.sqrt(len(values))


def _worst(values: Sequence[float]) -> float:
    """The largest; NaN if one is."""
    return math.nan if not values or any(map(math.isnan, values)) else max(values)
