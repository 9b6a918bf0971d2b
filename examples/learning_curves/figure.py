"""Pictures of what was measured. In: a folder of results. Out: a picture for each part of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from examples.common.figures import save

from .fits import mean
from .measured import LAST, Exponent, Gain, gains, lattice_exponents, sphere_exponents
from .pairs import Pair
from .pictures import KERNELS, MARGINS, Draw
from .results import curves, has_results, read_draws
from .symmetry import TEACHERS
from .turned import Turned

SHOWN = (Pair(0.5, 0.5), Pair(1.5, 0.5), Pair(2.5, 0.5), Pair(float("inf"), 0.5), Pair(2.5, 1.5))
PAPER_SLOPES = {"digits": (0.4, 0.36), "cifar": (0.1, 0.07)}
NAMES = {"digits": "MNIST, even or odd", "cifar": "CIFAR-10, first or last five classes"}


def draw(folder: Path, out: Path) -> list[Path]:
    """Draw all parts that have results; the paths of the pictures."""
    drawn = []
    for needed, make in ((("spheres", "lattice"), _theory), (("symmetry",), _symmetry),
                         (("digits",), _pictures)):  # fmt: skip
        if all(has_results(folder / part) for part in needed):
            path = out / f"{make.__name__[1:]}.png"
            save(make(folder), path)
            drawn.append(path)
    return drawn


def _panel(
    panel: Any, title: str, x: str = "points n", y: str = "", ticks: Sequence[int] | None = None
) -> None:
    """Logarithmic axes; marked at powers of two, or at ``ticks``."""
    panel.set(title=title, xlabel=x, ylabel=y, yscale="log")
    panel.set_xscale("log", base=2)
    if ticks:
        panel.set_xticks(ticks, [f"{n:,}" for n in ticks])
    panel.grid(alpha=0.3)


def _slope(panel: Any, n: Sequence[int], error: Sequence[float], beta: float, **style: Any) -> None:
    """The law n^-beta through the last point."""
    x = np.array([n[0], n[-1]], dtype=float)
    panel.plot(x, error[-1] * (x / x[-1]) ** -beta, **{"color": "0.4", "linewidth": 0.9, **style})


def _theory(folder: Path) -> Figure:
    figure = Figure(figsize=(9, 7.4), layout="constrained")
    panels = figure.subplots(2, 2).flatten()
    found = sphere_exponents(folder / "spheres")
    for panel, d in zip(panels, (1, 2, 3), strict=False):
        for color, pair in enumerate(SHOWN):
            for one in (one for one in found if one.d == d and one.pair == pair):
                name = f"{pair}: {one.theory:.2f}, here {one.here.beta:.2f}"
                panel.plot(one.n, one.error, "o-", color=f"C{color}", markersize=4, label=name)
                _slope(
                    panel, one.n[-one.last :], one.error[-one.last :], one.theory, linestyle="--"
                )
        _panel(panel, f"random points on S^{d}", y="error, all teachers' mean")
        panel.set_ylim(bottom=panel.get_ylim()[0] / 300)  # room for the legend
        panel.legend(fontsize=7, title="teacher / student: theorem", title_fontsize=7)
    _diagonal(panels[3], lattice_exponents(folder / "lattice"), found)
    return figure


def _diagonal(panel: Any, lattice: Sequence[Exponent], spheres: Sequence[Exponent]) -> None:
    for found, name, marker, filled in (
        (lattice, "lattice", "s", False),
        (spheres, "random points", "o", True),
    ):
        for d, color in ((1, "C0"), (2, "C1"), (3, "C2")):
            here = [one for one in found if one.d == d]
            theory, beta = [one.theory for one in here], [one.here.beta for one in here]
            face = color if filled else "none"
            label = f"{name}, d = {d}"
            panel.plot(theory, beta, marker, color=color, markerfacecolor=face, label=label)
    ends = np.array([0.25, 10])
    panel.plot(ends, ends, color="0.4", linewidth=0.9, linestyle="--")
    _panel(panel, "all pairs", "beta of the theorem", "beta measured", (1, 2, 4, 8))
    panel.set_yticks((1, 2, 4, 8), ("1", "2", "4", "8"))
    panel.legend(fontsize=7)


def _symmetry(folder: Path) -> Figure:
    found = gains(folder / "symmetry")
    figure = Figure(figsize=(8.6, 6.6), layout="constrained")
    panels = figure.subplots(2, 2)
    finite = [gain for gain in found if gain.ratio]
    for color, gain in enumerate(finite):
        task, c = gain.task, f"C{color}"
        panels[0, 0].plot(
            task.plain_n, gain.plain_error, "-", color=c, label=f"{task.action}, plain"
        )
        panels[0, 0].plot(task.n, gain.invariant_error, "o--", color=c, markersize=4)
        name = f"{task.action}, invariant: ratio {gain.factor:.2f}"
        large = [n * task.elements for n in task.n]
        panels[0, 1].plot(task.plain_n, gain.plain_error, "-", color=c)
        panels[0, 1].plot(large, gain.invariant_error, "o", color=c, markersize=5, label=name)
    _panel(panels[0, 0], "finite groups on S^2, circles: invariant", y="error")
    _panel(
        panels[0, 1],
        "the invariant students moved to n |G|",
        "points n, or n |G| of the invariant student",
        "error",
    )
    for panel, d in zip(panels[1], (2, 3), strict=True):
        chosen = [gain for gain in found if not gain.ratio and gain.task.d == d]
        _continuous(panel, chosen)
        _panel(panel, f"SO(2) on S^{d}", y="error")
        panel.set_ylim(bottom=panel.get_ylim()[0] / 30)  # room for the legend
    for panel in panels.flatten():
        panel.legend(fontsize=7)
    return figure


def _continuous(panel: Any, found: Sequence[Gain]) -> None:
    for color, gain in enumerate(found):
        for name, line, error, n, here, theory in (
            ("invariant", "o-", gain.invariant_error, gain.task.n, gain.invariant, gain.theory[0]),
            ("plain", "s:", gain.plain_error, gain.task.plain_n, gain.plain, gain.theory[1]),
        ):
            label = f"{TEACHERS[gain.task.teacher]}, {name}: {theory:.2f}, here {here.beta:.2f}"
            panel.plot(n, error, line, color=f"C{color}", markersize=4, label=label)
            _slope(panel, n[-LAST:], error[-LAST:], theory, linestyle="--")


def _pictures(folder: Path) -> Figure:
    found = read_draws(folder / "digits", Draw)
    turned = read_draws(folder / "turned", Turned) if has_results(folder / "turned") else {}
    figure = Figure(figsize=(4.2 * (len(found) + bool(turned)), 4.8), layout="constrained")
    panels = list(figure.subplots(1, len(found) + bool(turned), squeeze=False)[0])
    for panel, (task, results) in zip(panels, found.items(), strict=False):
        for color, kernel in enumerate(KERNELS):
            error = mean(curves(results, "square", kernel))
            panel.plot(task.n, error, "o-", color=f"C{color}", markersize=4, label=kernel)
            if kernel in MARGINS:
                error = mean(curves(results, "margin", kernel))
                name = f"{kernel}, margin"
                panel.plot(task.margin_n, error, "s:", color=f"C{color}", markersize=4, label=name)
        for beta, line in zip(PAPER_SLOPES[task.kind], ("--", "-."), strict=True):
            anchor = mean(curves(results, "square", "Laplace 10"))
            _slope(panel, task.n, [0.6 * one for one in anchor], beta, linestyle=line,
                   label=f"slope {beta}")  # fmt: skip
        what = "squared error; margin: wrong answers"
        _panel(panel, NAMES[task.kind], "pictures n", what, task.n)
        panel.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)
    for task, results in turned.items():
        for color, kind in enumerate(("plain", "invariant")):
            error = mean(curves(results, kind))
            name = "plain kernel" if kind == "plain" else "its mean over C4"
            panels[-1].plot(task.n, error, "o-", color=f"C{color}", markersize=4, label=name)
            if kind == "invariant":
                label = "the latter over 4 n"
                large = [4 * n for n in task.n]
                panels[-1].plot(large, error, ":", color=f"C{color}", label=label)
        title = "MNIST turned by right angles"
        _panel(panels[-1], title, "pictures n", "squared error", task.n[::2])
        panels[-1].legend(fontsize=7)
    return figure
