"""The claims of the paper beside what was measured. In: curves. Out: tables in Markdown."""

import math
import statistics
from collections.abc import Sequence

from examples.common.claims import Claim, claims_table, within
from examples.common.table import markdown

from .measures import REGIMES, Curves, slope, standard_error
from .networks import KINDS, parameters

# The weights of L + 1 homogeneous layers grow by alpha^(-1 / (L + 1)) each until f is 1 / alpha,
# and the kernel is of degree 2 L in them.
PAPER = {"feature": "-1.3 to -1.7", "lazy": "-1"}
SLOPES = {"feature": (-1.7, -1.3), "lazy": (-1.1, -0.9)}
TIMES = (0.9, 1.1)
CONSTANT = 1.1
VARIANCE = (-1.2, -0.8)
COLLAPSE = 1.2
FROZEN = 0.02
EXACT, CONTROL = 1e-10, 1e-3


def claims(found: dict[str, Curves]) -> list[Claim]:
    """All claims on all kinds of networks."""
    lines: list[Claim] = []
    for curves in found.values():
        lines += _scaling(curves)
    if "connected" in found:
        lines += _fluctuations(found["connected"])
    for curves in found.values():
        lines += _frozen(curves)
    if "equivariant" in found:
        worst = max(found["equivariant"].collected("asymmetry"))
        what = "C4 CNN: Theta(x, g x') = Theta(x, x') after learning, relative difference"
        lines.append(within(what, "exact", worst, 0, EXACT, form=".0e"))
    if "plain" in found:
        least = min(found["plain"].collected("asymmetry"))
        what = "plain CNN, the control: the same difference"
        lines.append(within(what, "-", least, CONTROL, math.inf, form=".0e"))
    return lines


def _scaling(curves: Curves) -> list[Claim]:
    """What is said of the change of the kernel and of the time t1."""
    title, lines = KINDS[curves.kind].title, []
    for regime in REGIMES:
        what = f"{title}: slope of the kernel's change, {regime}"
        slopes = curves.slopes("kernel_change", regime)
        lines.append(_all_within(what, PAPER[regime], slopes, *SLOPES[regime]))
    ends = [(i, curves.scales[i]) for i in (-2, -1)] if len(curves.scales) > 1 else []
    last = [
        slope([q for _, q in ends], [curves.curve(width, "kernel_change")[i] for i, _ in ends])
        for width in curves.widths
    ]
    here, what = ", ".join(f"{value:.2f}" for value in last), "between the two largest alphas"
    lines.append(Claim(f"{title}: slope of the kernel's change, {what}", "-1", here, "-", None))
    slopes = curves.slopes("half_time", "feature")
    lines.append(_all_within(f"{title}: slope of t1, feature", "1", slopes, *TIMES))
    value = curves.unevenness("half_time", "lazy")
    what = f"{title}: t1 constant, lazy, largest / smallest"
    lines.append(within(what, "constant", value, 1, CONSTANT))
    for regime in REGIMES:
        if not curves.shared(regime) or len(curves.widths) < 2:
            continue
        over = curves.spread_over_widths("kernel_change")
        worst, error = max(over[i] for i in curves.shared(regime))
        what = f"{title}: the kernel's change, largest / smallest over h, {regime}"
        lines.append(within(what, "one curve", worst, 1, COLLAPSE, deviation=error))
    return lines


def _all_within(
    what: str, paper: str, values: Sequence[tuple[float, float]], low: float, high: float
) -> Claim:
    """The claim that a number lies between two others at every width."""
    here = ", ".join(f"{value:.2f} ± {error:.2f}" for value, error in values)
    return Claim(what, paper, here, f"{low} to {high}", all(low <= v <= high for v, _ in values))


def _fluctuations(curves: Curves) -> list[Claim]:
    """What is said of the variance over the initial weights, and of ensembles."""
    lines = []
    for regime in REGIMES if len(curves.widths) > 1 else ():
        value, deviation = curves.variance_slope(regime)
        what = f"fully connected: slope of Var F in h, {regime}"
        lines.append(within(what, "-1", value, *VARIANCE, deviation=deviation))
    gains = [
        statistics.mean(result["error"]) - result["ensemble_error"]
        for result in curves.results.values()
    ]
    better = sum(gain > 0 for gain in gains)
    here = f"{better} of {len(gains)}, by {100 * statistics.mean(gains):.1f} % of the digits"
    what = "fully connected: the mean of the networks errs less than they do"
    lines.append(Claim(what, "at all alpha", here, "all", better == len(gains)))
    return lines


def _frozen(curves: Curves) -> list[Claim]:
    """What is said of learning with a kernel that stays."""
    title, lines = KINDS[curves.kind].title, []
    for regime, name in (("feature", "final"), ("lazy", "initial")):
        differences = curves.error_differences(f"{name}_error", regime)
        if not differences:
            continue
        mean, deviation = statistics.mean(differences), standard_error(differences)
        here = f"{mean:+.3f} ± {deviation:.3f}"
        what = f"{title}: error with the frozen {name} kernel less the network's, {regime}"
        lines.append(Claim(what, "0", here, f"within {FROZEN}", abs(mean) <= FROZEN))
    return lines


def errors_table(found: dict[str, Curves]) -> str:
    """Test errors in per cent, of the widest networks of each kind."""
    rows = []
    for kind, curves in found.items():
        width = curves.widths[-1]
        for scale in curves.scales:
            result = curves.results[width, scale]
            rows.append(
                [
                    KINDS[kind].title, str(width), f"{scale:g}", _percent(result["error"]),
                    f"{100 * result['ensemble_error']:.1f}",
                    _percent(result.get("initial_error", [])),
                    _percent(result.get("final_error", [])),
                ]
            )  # fmt: skip
    head = ["networks", "h", "sqrt(h) alpha", "single", "ensemble", "frozen initial kernel",
            "frozen final kernel"]  # fmt: skip
    return markdown(head, rows)


def runs_table(found: dict[str, Curves]) -> str:
    """Sizes, and how the flows ended."""
    rows = []
    for kind, curves in found.items():
        for width in curves.widths:
            own = [curves.results[width, scale] for scale in curves.scales]
            train = curves.tasks[width, curves.scales[0]].train
            count = parameters(kind, width)
            reasons = [reason for result in own for reason in result["reason"]]
            steps = [step for result in own for step in result["steps"]]
            regimes = ", ".join(str(len(curves.window(width, regime))) for regime in REGIMES)
            rows.append(
                [
                    KINDS[kind].title, f"{width} {KINDS[kind].unit}", f"{count:,}",
                    f"{count / train:.0f}", regimes,
                    f"{reasons.count('reached')} of {len(reasons)}",
                    f"{min(steps):,} to {max(steps):,}",
                ]
            )  # fmt: skip
    head = ["networks", "h", "N", "N / n", "scales in the windows: feature, lazy",
            "at the end of their flow", "steps"]  # fmt: skip
    return markdown(head, rows)


def curves_table(found: dict[str, Curves]) -> str:
    """The curves of the widest networks, with the slope from each scale to the next.

    The growth of a layer is the norm of its weights over that at the start.
    """
    rows = []
    for kind, curves in found.items():
        width = curves.widths[-1]
        change = curves.curve(width, "kernel_change")
        time = curves.curve(width, "half_time")
        for i, scale in enumerate(curves.scales):
            result = curves.results[width, scale]
            local = slope(curves.scales[i : i + 2], change[i : i + 2])
            rows.append(
                [
                    KINDS[kind].title, str(width), f"{scale:g}", f"{change[i]:.3g}",
                    "" if math.isnan(local) else f"{local:.2f}", f"{time[i]:.3g}",
                    f"{result['variance']:.3g}",
                    ", ".join(f"{value:.2f}" for value in result["growth"]),
                ]
            )  # fmt: skip
    head = ["networks", "h", "sqrt(h) alpha", "kernel's change", "slope to the next", "t1",
            "Var F", "growth of the layers"]  # fmt: skip
    return markdown(head, rows)


def report(found: dict[str, Curves]) -> str:
    """All tables."""
    tables = claims_table(claims(found)), runs_table(found), errors_table(found)
    return "\n\n".join([*tables, curves_table(found)])


def _percent(values: Sequence[float]) -> str:
    if not values:
        return ""
    mean = f"{100 * statistics.mean(values):.1f}"
    return f"{mean} ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else mean
