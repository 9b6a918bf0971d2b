"""The papers' claims beside what was measured, and the numbers of each width, in Markdown."""

import math
from collections.abc import Sequence

from examples.common.claims import Claim, claims_table, within
from examples.common.table import markdown

from .measures import BEYOND, FITTED_WIDTH, Curve, Measured, Sampled, level, minus, slope

SIGMAS = 2.0
NAMES = {"standard": "standard arm", "lazy": "lazy arm"}


def title(curve: Curve) -> str:
    """Which curve it is."""
    task = curve.task
    return (
        f"{NAMES[task.arm]}, P = {task.points:,}: {task.networks} networks of each width, "
        f"L = {task.depth}, {task.test:,} test points"
    )


def claims(curve: Curve) -> list[Claim]:
    """What the papers say of one curve; of N* they speak for networks that learn as theirs do."""
    return [*_wide(curve), *(_transition(curve) if curve.task.arm == "standard" else [])]


def excess_over_plateau(window: Sequence[Measured]) -> list[Sampled]:
    """The mean errors less the mean of all ensembles' errors."""
    plateau = level([one.ensemble for one in window])
    return [minus(one.mean, plateau) for one in window]


def departure(errors: Sequence[Sampled]) -> float:
    """How far an error is from the mean of them all, at most, in its own deviations."""
    if len(errors) < 3:
        return math.nan
    return max(abs(minus(error, level(errors)).sigmas) for error in errors)


def _wide(curve: Curve) -> list[Claim]:
    """Claims on large N."""
    window, beyond = curve.window, curve.beyond
    n = [one.weights for one in window]
    spread = slope(n, [one.spread for one in window])
    own = slope(n, [one.excess for one in window])
    common = slope(n, excess_over_plateau(window))
    nothing = Sampled(math.nan, own.draws)
    fall = minus(beyond[0].mean, beyond[-1].mean) if beyond else nothing
    gain = beyond[0].excess if beyond else nothing
    worse = minus(beyond[0].ensemble, beyond[-1].mean) if beyond else nothing
    return [
        within("deviation of f over starts: slope in N", "-1/4", spread.value, -0.30, -0.20,
               form=".3f", deviation=spread.deviation),
        within("mean error less the ensemble's of the same N: slope", "-1/2", own.value,
               -0.65, -0.35, form=".3f", deviation=own.deviation),
        within("mean error less eps_inf, the mean of all ensembles: slope", "-1/2", common.value,
               -0.65, -0.35, form=".3f", deviation=common.deviation),
        within(f"mean error falls from {BEYOND:g} N* on, in deviations", "falls",
               fall.sigmas, SIGMAS, math.inf),
        within(f"ensemble below single networks at {BEYOND:g} N*, in deviations", "below",
               gain.sigmas, SIGMAS, math.inf),
        within(f"ensemble at {BEYOND:g} N* above single networks at the largest N, in deviations",
               "not above", worse.sigmas, -math.inf, SIGMAS),
        within(f"ensemble flat from {BEYOND:g} N* on: largest departure, in deviations", "flat",
               departure([one.ensemble for one in beyond]), -math.inf, SIGMAS),
        within("the same for infinitely many networks, ensemble - excess / (k - 1)", "flat",
               departure([one.limit for one in beyond]), -math.inf, SIGMAS),
    ]  # fmt: skip


def _transition(curve: Curve) -> list[Claim]:
    """Claims on what happens near N*."""
    low, high = curve.transition
    points, critical = curve.task.points, curve.critical
    small, peak = curve.rise
    rise, early = minus(peak.mean, small.mean), minus(peak.early, small.early)
    norms = [norm_slope(curve, place) for place in (critical, low, high)]
    place = f"N = {small.weights:,} to {peak.weights:,}"
    rises = rise.sigmas > SIGMAS
    cusp = rises and 0.5 <= peak.weights / critical <= 2
    removed = rises and early.sigmas <= SIGMAS
    return [
        Claim("N*, where half of the networks get all margins", "below P / C_0, C_0 = 1/2",
              f"{low:,.0f} to {high:,.0f}", f"≤ {2 * points:,}", high <= 2 * points),
        within(f"norm of f against N - N* up to {BEYOND:g} N*: slope (N* at either side: "
               f"{norms[1].value:.2f}, {norms[2].value:.2f})", "-1", norms[0].value, -1.3, -0.7,
               deviation=norms[0].deviation),
        Claim("the mean error rises to a cusp at N*", "a cusp", _change(rise) + f", {place}",
              f"> {SIGMAS:g} deviations, within a factor 2 of N*", cusp),
        Claim("early stopping takes the rise away", "no cusp", _change(early) + ", the same N",
              f"≤ {SIGMAS:g} deviations", removed),
    ]  # fmt: skip


def norm_slope(curve: Curve, critical: float) -> Sampled:
    """Of the norm of f against N - N*, for some N*."""
    near = curve.near(critical)
    return slope([one.weights - critical for one in near], [one.norm for one in near])


def _change(difference: Sampled) -> str:
    return f"{100 * difference.value:+.2f} ± {100 * difference.deviation:.2f} %"


def report(curves: Sequence[Curve]) -> str:
    """All claims and all numbers."""
    parts = []
    for curve in curves:
        parts += [f"**{title(curve)}**", claims_table(claims(curve))]
        parts += [_places(curve), details(curve)]
    return "\n\n".join(parts)


def _places(curve: Curve) -> str:
    """Where N* is and what was fitted."""
    low, high = curve.transition
    widths = ", ".join(str(one.task.width) for one in curve.window) or "none"
    return (
        f"Half of the networks get all margins from N = {low:,.0f} to {high:,.0f} on, so "
        f"N* = {curve.critical:,.0f}. Slopes at large N are fitted to the widths {widths}: from "
        f"{FITTED_WIDTH} neurons and {BEYOND:g} N* on, where all networks have all margins."
    )


def details(curve: Curve) -> str:
    """The numbers of each width."""
    head = [
        "width", "N", "all margins", "steps", "deviation of f", "norm of f", "mean error %",
        "ensemble %", "infinite ensemble %", "stopped early %",
    ]  # fmt: skip
    rows = [
        [str(one.task.width), f"{one.weights:,}", f"{one.satisfied:.0%}", f"{max(one.steps):,}",
         _cell(one.spread, 1, 3), _cell(one.norm, 1, 2), _cell(one.mean, 100, 2),
         _cell(one.ensemble, 100, 2), _cell(one.limit, 100, 2), _cell(one.early, 100, 2)]
        for one in curve.widths
    ]  # fmt: skip
    return markdown(head, rows)


def _cell(one: Sampled, times: float, digits: int) -> str:
    return f"{times * one.value:.{digits}f} ± {times * one.deviation:.{digits}f}"
