"""The papers' values beside those of the runs. In: results. Out: tables."""

import math
import statistics
from typing import Any

from examples.common.claims import Claim, claims_table, within
from examples.common.descent import Network
from examples.common.table import markdown

from .measures import (
    NEGATIVE,
    POSITIVE,
    Transition,
    decided,
    density_exponent,
    growth,
    margins_of,
    share,
    threshold,
    transition,
    violations_of,
)
from .plan import End, Plan, Results
from .runs import effective, state

GAP = (0.02, 0.3)  # of N_Delta / N, where no network should be
Split = dict[str, Any]


def table(plan: Plan, results: Results) -> str:
    """The claims, then what they rest on."""
    parts = [
        claims_table(claims(plan, results)),
        _ends_table(results),
        _scans_table(plan, results),
    ]
    return "\n\n".join(parts)


def claims(plan: Plan, results: Results) -> list[Claim]:
    """All claims, in the order of the papers."""
    return [
        *_jump_claims(results),
        *_scan_claims(plan, results),
        *_hessian_claims(plan, results),
        *_kink_claims(results),
        *_density_claims(results),
    ]


def transitions(results: Results) -> dict[tuple[int, int], Transition]:
    """r* of each depth and width."""
    return {shape: transition(ends) for shape, ends in results.jumps.items()}


def _jump_claims(results: Results) -> list[Claim]:
    ends = [end for by in results.jumps.values() for one in by.values() for end in one]
    kept = decided(ends)
    between = sum(GAP[0] < share(end) < GAP[1] for end in kept)
    jammed = [share(end) for end in kept if state(end) == "jammed"]
    gap = Claim(
        "networks with N_Δ/N in (.02, .3), of those decided", "none",
        f"{between} of {len(kept)}; {len(ends) - len(kept)} named below", "0", between == 0,
    )  # fmt: skip
    least = min(jammed, default=math.nan)
    lines = [gap, within("least N_Δ/N of a jammed network", "> .4", least, GAP[1], math.inf)]
    found = transitions(results)
    for (depth, _), at in found.items():
        here = f"{at.ratio:.2f} ± {at.error:.2f}"
        lines.append(Claim(f"P/N at the jump, L = {depth}", "about 3 (N = 7854)", here, "", None))
    ratios = [at.ratio for at in found.values()]
    known = all(map(math.isfinite, ratios))
    spread = max(ratios) / min(ratios) if known else math.nan
    lines.append(within("the same for all depths: largest / least", "1", spread, 1, 1.15))
    return lines


def thresholds(plan: Plan, results: Results) -> dict[str, dict[int, list[float]]]:
    """N* of each seed, by data and P."""
    return {
        data: {
            points: [threshold(widths, seed) for seed in range(plan.seeds)]
            for points, widths in scans.items()
        }
        for data, scans in results.scans.items()
    }


def _scan_claims(plan: Plan, results: Results) -> list[Claim]:
    found = thresholds(plan, results)
    random, digits = growth(found["random"]), growth(found["digits"])
    return [
        within(
            "slope of N*(P), random data", "1", -random.beta, 0.85, 1.15,
            deviation=random.deviation,
        ),
        within(
            "slope of N*(P), digits", "about 3/4", -digits.beta, 0.6, 0.9,
            deviation=digits.deviation,
        ),
    ]  # fmt: skip


def splits(ends: list[End]) -> list[Split]:
    """Hessians in two parts."""
    return [end["split"] for end in ends if "split" in end]


def jammed_splits(plan: Plan, results: Results) -> list[tuple[Network, Split]]:
    """Of the ReLU networks that jammed."""
    return [
        (Network(depth, width, width), split)
        for (depth, width), by in results.jumps.items()
        for ends in by.values()
        for split in splits(ends)
    ] + [
        (Network(depth, width, width), split)
        for depth, width, _ in [plan.near]
        for split in splits(results.near)
    ]


def _hessian_claims(plan: Plan, results: Results) -> list[Claim]:
    pairs = jammed_splits(plan, results)
    control = splits(results.softplus)
    both = [split for _, split in pairs] + control
    error = max((split["error"] for split in both), default=math.nan)
    weyl = sum(split["obeys_weyl"] for split in both)
    ranks = sum(s["rank"] <= min(s["violated"], effective(n)) for n, s in pairs)
    shares = [split["negative_share"] for _, split in pairs] or [math.nan]
    middle = _mean([split["negative_share"] for split in control])
    equal = sum(s["inertia_p"]["positive"] == s["inertia_p"]["negative"] for _, s in pairs)
    return [
        within("largest entry of H - (H0 + Hp)", "0", error, -math.inf, 1e-10, form=".0e"),
        Claim(
            "N_-(Hp) ≤ rank J + N_-(H)", "Weyl", f"{weyl} of {len(both)}", "all",
            weyl == len(both) > 0,
        ),
        Claim(
            "rank J ≤ min(N_Δ, N_eff)", "", f"{ranks} of {len(pairs)}", "all",
            ranks == len(pairs) > 0,
        ),
        Claim(
            "C0, the share of negative eigenvalues of Hp, ReLU", "1/2",
            f"{min(shares):.3f} to {max(shares):.3f}; equal numbers of both signs in {equal}",
            "0.4 to 0.6", min(shares) >= 0.4 and max(shares) <= 0.6,
        ),
        Claim("C0, softplus", "below 1/2", f"{middle:.3f}", "", None),
    ]  # fmt: skip


def _kink_claims(results: Results) -> list[Claim]:
    ends = [end for end in results.near if "kinks" in end]
    if not ends:
        return []
    shares = [end["kinks"]["count"] / end["weights"] for end in ends]
    left = [end["kinks"]["least"] / end["kinks"]["gradient"] for end in ends]
    held = sum(end["split"]["inertia"]["negative"] <= end["kinks"]["count"] for end in ends)
    smooth = [end["gradient"] for end in results.softplus]
    rough = [end["gradient"] for end in ends]
    return [
        Claim("kinks / N at a jammed end", "", _spread(shares, ".2f"), "", None),
        Claim("norm of the gradient there", "0", _spread(rough, ".0e"), "", None),
        Claim("the same with softplus, which has no kinks", "0", _spread(smooth, ".0e"), "", None),
        Claim("least subgradient / gradient", "0", _spread(left, ".3f"), "", None),
        Claim("N_-(H) ≤ kinks", "", f"{held} of {len(ends)}", "", None),
    ]


def _spread(values: list[float], form: str) -> str:
    """The median, and all values lie between the other two."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:{form}} ({low:{form}} to {high:{form}})"


def _density_claims(results: Results) -> list[Claim]:
    near = [end for end in results.near if state(end) == "jammed"]
    if len(near) < 2:
        return []
    theta = density_exponent([violations_of(end) for end in near], POSITIVE)
    gamma = density_exponent([margins_of(end) for end in near], NEGATIVE)
    rows = [
        (f"θ, Δ from {POSITIVE[0]:.3f} to 1 of its root mean square", "0.3", theta, 1),
        (f"γ, -Δ from {NEGATIVE[0]:.3f} to {NEGATIVE[1]:g}", "0.2", gamma, -1),
    ]
    return [
        Claim(
            what, paper,
            f"{sign * e.value:.2f} ± {e.deviation:.2f} ({e.count} of {len(near)} networks)", "",
            None,
        )
        for what, paper, e, sign in rows
    ]  # fmt: skip


def _ends_table(results: Results) -> str:
    rows = []
    for (depth, width), by in results.jumps.items():
        for ratio, ends in sorted(by.items()):
            rows.append([
                str(depth), str(width), str(ends[0]["weights"]), f"{ratio:.2f}",
                ", ".join(f"{share(end):.3f}" for end in ends),
                _states(ends),
                ", ".join(f"{end['loss']:.0e}" for end in ends),
                ", ".join(f"{end['gradient']:.0e}" for end in ends),
                ", ".join(str(end["silent"]) for end in ends),
                ", ".join(str(end["dead"]) for end in ends),
            ])  # fmt: skip
    head = ["L", "h", "N", "P/N", "N_Δ/N", "", "loss", "gradient", "silent points", "dead units"]
    return markdown(head, rows)


def _states(ends: list[End]) -> str:
    names = [state(end) for end in ends]
    counts = [f"{names.count(name)} {name}" for name in dict.fromkeys(names)]
    return names[0] if len(counts) == 1 else ", ".join(names)


def _scans_table(plan: Plan, results: Results) -> str:
    rows = []
    for data, by_points in thresholds(plan, results).items():
        for points, found in by_points.items():
            middle = _mean([n for n in found if math.isfinite(n)])
            values = ", ".join(f"{n:.0f}" if math.isfinite(n) else "none" for n in found)
            rows.append([data, str(points), values, f"{points / middle:.2f}"])
    return markdown(["data", "P", "N* of each seed", "P/N*"], rows)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan
