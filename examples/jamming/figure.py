"""The pictures of the table. In: results. Out: pictures."""

import math
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from examples.common.figures import save

from .claims import GAP, jammed_splits, splits, thresholds, transitions
from .measures import (
    NEGATIVE,
    POSITIVE,
    density_exponent,
    growth,
    margins_of,
    share,
    violations_of,
)
from .plan import Plan, Results
from .runs import state

MARKS = {"satisfied": "o", "jammed": "o", "undecided": "x", "silent": "+"}


def claims_figure(path: Path, plan: Plan, results: Results) -> None:
    """The jump, N*(P), and both distributions."""
    figure = Figure(figsize=(10.5, 7.4), layout="constrained")
    panels = figure.subplots(2, 2).flatten()
    _jump_panel(panels[0], results)
    _growth_panel(panels[1], plan, results)
    near = [end for end in results.near if state(end) == "jammed"]
    if len(near) > 1:
        _density_panel(panels[2], [violations_of(end) for end in near], POSITIVE, 0.3)
        panels[2].set(title="violations, near the jump", xlabel="Δ / root mean square")
        _density_panel(panels[3], [margins_of(end) for end in near], NEGATIVE, -0.2)
        panels[3].set(title="margins that hold, near the jump", xlabel="-Δ")
    save(figure, path)


def _jump_panel(panel: Axes, results: Results) -> None:
    found = transitions(results)
    for number, ((depth, width), by) in enumerate(results.jumps.items()):
        color, at = f"C{number}", found[depth, width]
        for name in MARKS:
            points = [
                (ratio, share(end)) for ratio in by for end in by[ratio] if state(end) == name
            ]
            if points:
                x, y = zip(*points, strict=True)
                panel.plot(np.add(x, 0.03 * number), y, MARKS[name], color=color, alpha=0.7)
        label = f"L = {depth}, h = {width}: jump at {at.ratio:.2f} ± {at.error:.2f}"
        if math.isfinite(at.ratio):
            panel.axvline(at.ratio, color=color, linewidth=1)
            panel.axvspan(at.ratio - at.error, at.ratio + at.error, color=color, alpha=0.12)
        panel.plot([], [], "o", color=color, label=label)
    for name in ("undecided", "silent"):
        panel.plot([], [], MARKS[name], color="0.3", label=name)
    panel.axhspan(*GAP, color="0.85", label="the gap")
    panel.axhline(0.4, color="0.4", linestyle="--", linewidth=1, label="paper: > .4")
    panel.set(xlabel="P / N", ylabel=r"$N_\Delta$ / N", title="the jump")
    panel.legend(fontsize=7)


def _growth_panel(panel: Axes, plan: Plan, results: Results) -> None:
    names = {"random": ("random data", 1.0), "digits": ("digits, even or odd", 0.75)}
    for number, (data, by_points) in enumerate(thresholds(plan, results).items()):
        law, (name, paper) = growth(by_points), names[data]
        if not math.isfinite(law.beta):
            continue
        points = np.array(sorted(by_points))
        label = f"{name}: slope {-law.beta:.2f} ± {law.deviation:.2f}"
        for p in points:
            values = by_points[int(p)]
            panel.plot([p] * len(values), values, "o", color=f"C{number}", alpha=0.6)
        line = np.array([law(float(p)) for p in points])
        panel.plot(points, line, color=f"C{number}", label=label)
        middle = math.sqrt(points[0] * points[-1])
        panel.plot(
            points, law(middle) * (points / middle) ** paper, "--", color=f"C{number}",
            linewidth=1, label=f"slope {paper:g}",
        )  # fmt: skip
    panel.set(xscale="log", yscale="log", xlabel="P", ylabel="N*", title="the threshold")
    if panel.lines:
        panel.legend(fontsize=7)


def _density_panel(
    panel: Axes, samples: list[np.ndarray], window: tuple[float, float], paper: float
) -> None:
    pooled = np.concatenate(samples)
    if not len(pooled):
        return
    edges = np.logspace(-4, 1, 26)
    counts = np.histogram(pooled, edges)[0]
    density = counts / np.diff(edges) / len(pooled)
    middle = np.sqrt(edges[1:] * edges[:-1])
    seen = counts > 0
    panel.errorbar(
        middle[seen], density[seen], density[seen] / np.sqrt(counts[seen]), fmt=".", color="C0"
    )
    found = density_exponent(samples, window)
    inside = seen & (middle > window[0]) & (middle < window[1])
    for value, style, name in (
        (found.value, "-", f"{found.value:.2f} ± {found.deviation:.2f}"),
        (paper, "--", f"paper: {paper:g}"),
    ):
        if not inside.any() or not math.isfinite(value):
            continue
        height = np.exp(np.mean(np.log(density[inside] / middle[inside] ** value)))
        ends = np.array(window)
        panel.plot(ends, height * ends**value, style, color="C3", label=f"exponent {name}")
    panel.axvspan(*window, color="0.93")
    panel.set(xscale="log", yscale="log", ylabel="density")
    panel.legend(fontsize=7)


def spectrum_figure(path: Path, plan: Plan, results: Results) -> None:
    """Eigenvalues of H0, Hp and H of one jammed network, and of Hp with softplus.

    The network is the first one beyond the jump of the first depth.
    """
    figure = Figure(figsize=(11, 3), layout="constrained")
    panels = figure.subplots(1, 4)
    relu = next(iter(jammed_splits(plan, results)), None)
    if relu is not None:
        split = relu[1]
        for panel, key, title in zip(
            panels, ("spectrum_0", "spectrum_p", "spectrum"), ("$H_0$", "$H_p$", "H"), strict=False
        ):
            _spectrum_panel(panel, split[key], f"{title}, ReLU")
    for split in splits(results.softplus)[:1]:
        _spectrum_panel(panels[3], split["spectrum_p"], "$H_p$, softplus")
    panels[0].set_ylabel("eigenvalues")
    save(figure, path)


def _spectrum_panel(panel: Axes, values: list[float], title: str) -> None:
    found = np.asarray(values)
    small = 1e-9 * np.abs(found).max()
    found = found[np.abs(found) > small]
    edge = np.quantile(np.abs(found), 0.95)
    bins = np.linspace(-edge, edge, 42)
    panel.hist(found, bins, color="C0")
    panel.hist(-found, bins, histtype="step", color="C3", linewidth=1, label="mirrored")
    panel.legend(fontsize=7)
    negative, positive = int((found < 0).sum()), int((found > 0).sum())
    panel.axvline(0, color="0.5", linewidth=0.8)
    panel.set(title=f"{title}: {negative} -, {positive} +", xlabel="eigenvalue")
