"""The pictures. In: curves. Out: files."""

import statistics
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from examples.common.figures import save

from .measures import REGIMES, Curves
from .networks import KINDS

COLOURS = {"connected": "C0", "plain": "C1", "equivariant": "C2"}
MARKS = ("o", "s", "^", "D", "v")


def claims_figure(path: Path, found: dict[str, Curves]) -> None:
    """The kernel's change and t1 against sqrt(h) alpha, and the variance against h."""
    figure = Figure(figsize=(12, 3.9), layout="constrained")
    change, time, variance = figure.subplots(1, 3)
    for kind, curves in found.items():
        for width, mark in zip(curves.widths, MARKS, strict=False):
            label = f"{KINDS[kind].title}, {width} {KINDS[kind].unit}"
            look = {"color": COLOURS[kind], "marker": mark, "markersize": 4, "linewidth": 0.9}
            change.plot(curves.scales, curves.curve(width, "kernel_change"), label=label, **look)
            time.plot(curves.scales, curves.curve(width, "half_time"), **look)
    for kind, curves in found.items():
        for regime, line in zip(REGIMES, ("-", ":"), strict=True):
            _variance(variance, curves, regime, COLOURS[kind], line)
    _guides(change, time, found)
    change.set(xlabel="sqrt(h) alpha", ylabel="|Theta - Theta0| / |Theta0|")
    time.set(xlabel="sqrt(h) alpha", ylabel="t1, the loss is halved")
    variance.set(xlabel="h", ylabel="Var F over initial weights")
    for axes in (change, time, variance):
        axes.set(xscale="log", yscale="log")
        axes.grid(alpha=0.3)
    widths = sorted({width for curves in found.values() for width in curves.widths})
    variance.set_xticks(widths, [str(width) for width in widths])
    variance.xaxis.set_minor_locator(NullLocator())
    change.legend(fontsize=7)
    variance.legend(fontsize=7)
    save(figure, path)


def _variance(axes: Axes, curves: Curves, regime: str, colour: str, line: str) -> None:
    scales = [curves.scales[i] for i in curves.shared(regime)]
    if not scales:
        return
    values = [
        statistics.mean(curves.results[width, scale]["variance"] for scale in scales)
        for width in curves.widths
    ]
    label = f"{KINDS[curves.kind].title}, {regime}"
    axes.plot(curves.widths, values, line, marker="o", markersize=4, color=colour, label=label)
    guide = [values[0] * curves.widths[0] / width for width in curves.widths]
    axes.plot(curves.widths, guide, "--", color="0.6", linewidth=0.9)


def _guides(change: Axes, time: Axes, found: dict[str, Curves]) -> None:
    """The slopes of the paper, dashed, shifted beside the curves of the first kind."""
    curves = next(iter(found.values()))
    width = curves.widths[-1]
    shifts = ((change, "kernel_change", -1.5, "feature", 0.3), (change, "kernel_change", -1, "lazy",
              0.3), (time, "half_time", 1, "feature", 0.5))  # fmt: skip
    for axes, key, exponent, regime, shift in shifts:
        inside = curves.window(width, regime)
        if inside:
            x = np.array([curves.scales[i] for i in inside])
            first = curves.curve(width, key)[inside[0]]
            axes.plot(x, shift * first * (x / x[0]) ** exponent, "k--", linewidth=0.9)
            axes.annotate(
                f"slope {exponent}", (x[-1], shift * first * (x[-1] / x[0]) ** exponent),
                fontsize=8, ha="right", va="top",
            )  # fmt: skip


def errors_figure(path: Path, found: dict[str, Curves]) -> None:
    """Errors of single networks, of ensembles and with frozen kernels, one panel for each kind."""
    figure = Figure(figsize=(4 * len(found), 3.6), layout="constrained")
    for axes, (kind, curves) in zip(figure.subplots(1, len(found), squeeze=False)[0],
                                    found.items(), strict=True):  # fmt: skip
        width = curves.widths[-1]
        own = [curves.results[width, scale] for scale in curves.scales]
        x = np.array(curves.scales)
        for shift, (key, label) in enumerate(
            (
                ("error", "single networks"),
                ("initial_error", "frozen initial kernel"),
                ("final_error", "frozen final kernel"),
            )
        ):
            values = [[100 * v for v in result.get(key, [])] for result in own]
            if all(len(v) > 1 for v in values):
                axes.errorbar(
                    x * 1.12 ** (shift - 1), [statistics.mean(v) for v in values],
                    [statistics.stdev(v) for v in values], fmt="o-", markersize=4, capsize=2,
                    linewidth=0.9, label=label,
                )  # fmt: skip
        ensemble = [100 * result["ensemble_error"] for result in own]
        axes.plot(x, ensemble, "k^--", markersize=4, linewidth=0.9, label="ensemble")
        axes.set(xscale="log", xlabel="sqrt(h) alpha", ylabel="test error, %")
        axes.set_title(f"{KINDS[kind].title}, {width} {KINDS[kind].unit}", fontsize=10)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    save(figure, path)
