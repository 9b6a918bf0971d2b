"""The picture: errors of each curve above, and below what follows a power of N."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from examples.common.figures import save

from .measures import Curve, Sampled

COLORS = {"standard": "C0", "lazy": "C3"}
MARKERS = ("o", "s", "^", "v")


def draw(path: Path, curves: Sequence[Curve]) -> None:
    """Write the picture of all curves."""
    columns = max(3, len(curves))
    figure = Figure(figsize=(3.7 * columns, 6.6), layout="constrained")
    panels = figure.subplots(2, columns)
    for panel, curve in zip(panels[0], curves, strict=False):
        _errors(panel, curve)
    for panel in panels.flat[len(curves) : columns]:
        panel.set_axis_off()
    for panel in panels[1, 3:]:
        panel.set_axis_off()
    numbers = sorted({curve.task.points for curve in curves})
    for curve in curves:
        style = {
            "color": COLORS[curve.task.arm],
            "marker": MARKERS[numbers.index(curve.task.points) % len(MARKERS)],
            "label": f"{curve.task.arm}, P = {curve.task.points}",
        }
        n = [one.weights for one in curve.widths]
        _line(panels[1, 0], n, [one.spread for one in curve.widths], style)
        _line(panels[1, 1], n, [one.excess for one in curve.widths], style)
        if curve.task.arm == "standard":
            near = [one for one in curve.widths if one.satisfied >= 0.5]
            above = [one.weights - curve.critical for one in near]
            _line(panels[1, 2], above, [one.norm for one in near], style)
    names = ("deviation of f over starts", "mean error less the ensemble's", "norm of f")
    powers = (-0.25, -0.5, -1.0)
    for panel, power, name in zip(panels[1], powers, names, strict=False):
        panel.set(xlabel="N", title=name, xscale="log", yscale="log")
        panel.yaxis.set_minor_formatter(NullFormatter())
        panel.grid(alpha=0.3)
        _guide(panel, power, at_start=power == -1.0)
    panels[1, 2].set_xlabel("N - N*")
    panels[1, 0].legend(fontsize=8)
    save(figure, path)


def _errors(panel: Axes, curve: Curve) -> None:
    """Errors of single networks, of the ensemble, and of networks that were stopped early."""
    n = [one.weights for one in curve.widths]
    kinds = {
        "single networks": ([one.mean for one in curve.widths], "C0", "o"),
        f"ensemble of {curve.task.networks}": ([one.ensemble for one in curve.widths], "C2", "s"),
        "single, stopped early": ([one.early for one in curve.widths], "C1", "^"),
    }
    for label, (values, color, marker) in kinds.items():
        scaled = [Sampled(100 * one.value, 100 * one.draws) for one in values]
        _line(panel, n, scaled, {"color": color, "marker": marker, "label": label})
    low, high = curve.transition
    if low < high:
        panel.axvspan(low, high, color="0.85", label="N*")
    panel.set(xscale="log", xlabel="N", ylabel="test error, %")
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.set_title(f"{curve.task.arm} arm, P = {curve.task.points:,}")
    panel.grid(alpha=0.3)
    panel.legend(fontsize=8)


def _line(panel: Axes, x: Sequence[float], values: Sequence[Sampled], style: dict) -> None:
    bars = [one.deviation for one in values]
    panel.errorbar(
        x, [one.value for one in values], bars, markersize=4, linewidth=1, capsize=2, **style
    )


def _guide(panel: Axes, power: float, *, at_start: bool) -> None:
    """A dashed line of the theory's slope above the points: at large x, or where x begins."""
    drawn = [line.get_xydata() for line in panel.lines]
    points = np.concatenate(drawn) if drawn else np.empty((0, 2))
    points = points[np.isfinite(points).all(1) & (points > 0).all(1)]
    if not len(points):
        return
    first, last = np.log(points[:, 0].min()), np.log(points[:, 0].max())
    ends = (first, first + (last - first) / 4) if at_start else ((first + last) / 2, last)
    x = np.exp(np.array(ends))
    inside = points[(points[:, 0] >= 0.99 * x[0]) & (points[:, 0] <= 1.01 * x[1])]
    y = 1.5 * (inside[:, 1] * inside[:, 0] ** -power).max() * x**power
    panel.plot(x, y, "--", color="0.4")
    panel.annotate(f"slope {power:g}", (x[0], y[0]), (4, 2), textcoords="offset points", fontsize=8)
