"""The claims of the papers and what was measured. In: a folder of results. Out: claims, details."""

import math
from pathlib import Path

from examples.common.claims import Claim, within
from examples.common.table import markdown

from .fits import Fit, fit, mean
from .measured import (
    LAST,
    Exponent,
    Gain,
    fewest_points,
    gains,
    lattice_exponents,
    sphere_exponents,
)
from .pairs import label
from .pictures import KERNELS, MARGINS, Draw
from .results import curves, has_results, read_draws
from .symmetry import TEACHERS
from .turned import Turned

LATTICE_BARS = {1: 0.01, 2: 0.05}
SPHERE_BAR = 0.15
GAIN_BAR = 0.15
SPREAD_BAR = 0.05
# The paper's exponent and that of its later version; what is near enough.
PICTURES = {
    "digits": ("MNIST", "0.4, later 0.36", 0.30, 0.42),
    "cifar": ("CIFAR-10", "0.1, later 0.07", 0.05, 0.15),
}


def all_claims(folder: Path) -> tuple[list[Claim], list[str]]:
    """The claims of all parts that have results, and a table of details of each."""
    claims, details = [], []
    for name, part in PARTS.items():
        if has_results(folder / name):
            found, text = part(folder / name)
            claims += found
            details.append(text)
    return claims, details


def lattice(folder: Path) -> tuple[list[Claim], str]:
    """The theorem in closed form."""
    exponents = lattice_exponents(folder)
    claims = []
    for d in sorted({one.d for one in exponents}):
        here = [one for one in exponents if one.d == d]
        what = f"lattice, d = {d}: largest distance of beta from the theorem, {len(here)} pairs"
        claims.append(_worst(what, here, LATTICE_BARS.get(d)))
    return claims, "Lattices\n\n" + _exponent_table(exponents)


def spheres(folder: Path) -> tuple[list[Claim], str]:
    """The theorem on random points."""
    exponents, claims = sphere_exponents(folder), []
    for d in sorted({one.d for one in exponents}):
        required = [one for one in exponents if one.d == d and is_required(one)]
        what = f"random points on S^{d}: largest distance of beta, {len(required)} pairs"
        claims.append(_worst(what, required, SPHERE_BAR))
    lines = [
        f"- S^{d}, student {label(nu)}: Cholesky's factor of K ended after {most} of {n} points"
        for (d, nu), (most, n) in sorted(fewest_points(folder).items())
        if most < n
    ]
    table = _exponent_table(exponents)
    return claims, "\n".join(["Random points on spheres", "", table, "", *lines]).rstrip()


def is_required(one: Exponent) -> bool:
    """Whether a pair has a bar: with smooth students float64 ends before the power law begins."""
    return one.pair.student == 0.5 or (one.d >= 2 and one.pair.student <= 1.5)


def _worst(what: str, exponents: list[Exponent], bar: float | None) -> Claim:
    worst = max(exponents, key=lambda one: one.off)
    good = sum(one.off <= (bar or math.inf) for one in exponents)
    here = f"{worst.off:.3f} ({worst.pair})"
    if bar is None:
        return Claim(what, "0", here, "approaches", None)
    here += f"; {good} of {len(exponents)} within"
    return Claim(what, "0", here, f"≤ {bar:.2f}", worst.off <= bar)


def _exponent_table(exponents: list[Exponent]) -> str:
    head = [
        "d",
        "teacher / student",
        "theorem",
        "limited by",
        "beta",
        "from n",
        "error at the last n",
    ]
    rows = []
    for one in exponents:
        limit = "student" if one.pair.is_limited_by_student(one.d) else "teacher"
        window = f"{one.n[-one.last]:,} to {one.n[-1]:,}"
        row = [str(one.d), str(one.pair), f"{one.theory:.3f}", limit, str(one.here), window]
        rows.append([*row, f"{one.error[-1]:.2e}"])
    return markdown(head, rows)


def pictures(folder: Path) -> tuple[list[Claim], str]:
    """Digits and CIFAR-10."""
    claims, rows = [], []
    for task, results in read_draws(folder, Draw).items():
        name, paper, low, high = PICTURES[task.kind]
        betas = {}
        for kernel in KERNELS:
            square, sign = (curves(results, kind, kernel) for kind in ("square", "sign"))
            betas[kernel] = fit(task.n, square)
            claims.append(_ranged(f"{name}, regression, {kernel}", paper, betas[kernel], low, high))
            rows.append(_picture_row(f"{name}, {kernel}", "square", task.n, square))
            rows.append(_picture_row(f"{name}, {kernel}", "sign of it", task.n, sign))
        values = [one.beta for one in betas.values()]
        spread = max(values) - min(values)
        what = f"{name}, regression: spread of beta over the {len(values)} kernels"
        claims.append(within(what, "0", spread, -math.inf, SPREAD_BAR, form=".3f"))
        for kernel in MARGINS:
            margin, n = curves(results, "margin", kernel), task.margin_n
            what = f"{name}, classification by the margin, {kernel}"
            claims.append(_ranged(what, paper, fit(n, margin), low, high))
            rows.append(_picture_row(f"{name}, {kernel}", "margin", n, margin))
    head = ["data, kernel", "error", "n", "beta, all n", f"beta, last {LAST} n", "at the last n"]
    return claims, "Pictures\n\n" + markdown(head, rows)


def _ranged(what: str, paper: str, here: Fit, low: float, high: float) -> Claim:
    deviation = None if math.isnan(here.deviation) else here.deviation
    return within(what, paper, here.beta, low, high, form=".3f", deviation=deviation)


def _picture_row(name: str, kind: str, n: tuple[int, ...], errors: list[list[float]]) -> list[str]:
    whole, tail = fit(n, errors), fit(n, errors, LAST)
    window = f"{n[0]:,} to {n[-1]:,}"
    return [name, kind, window, str(whole), str(tail), f"{mean(errors)[-1]:.4f}"]


def symmetry(folder: Path) -> tuple[list[Claim], str]:
    """What groups are worth."""
    claims, rows = [], []
    for gain in gains(folder):
        rows.append(_gain_row(gain))
        action, both = (
            gain.task.action,
            zip(("invariant", "plain"), (gain.invariant, gain.plain), gain.theory, strict=True),
        )
        if gain.ratio:
            order = gain.task.elements
            what = f"{action} on S^2: error_plain({order} n) / error_invariant(n)"
            here, low, high = Fit(gain.factor, gain.deviation), 1 - GAIN_BAR, 1 + GAIN_BAR
            claims.append(_ranged(what, "1", here, low, high))
            continue
        for student, here, theory in both:
            what = f"{action}, {TEACHERS[gain.task.teacher]}: beta of the {student} student"
            low, high = theory - GAIN_BAR, theory + GAIN_BAR
            claims.append(_ranged(what, f"{theory:.3f}", here, low, high))
    head = ["action", "teacher", "n", "ratio at each n", "beta, invariant", "beta, plain"]
    return claims, "Symmetry\n\n" + markdown(head, rows)


def _gain_row(gain: Gain) -> list[str]:
    task = gain.task
    ratio = ", ".join(f"{one:.2f}" for one in gain.ratio)
    window = f"{task.n[0]:,} to {task.n[-1]:,}"
    return [task.action, task.teacher, window, ratio, str(gain.invariant), str(gain.plain)]


def turned(folder: Path) -> tuple[list[Claim], str]:
    """Digits turned by right angles."""
    rows = []
    for task, results in read_draws(folder, Turned).items():
        plain, invariant = (mean(curves(results, kind)) for kind in ("plain", "invariant"))
        for n, one, other in zip(task.n, plain, invariant, strict=True):
            rows.append([f"{n:,}", f"{one:.3f}", f"{other:.3f}"])
    head = ["n", "plain kernel", "its mean over C4"]
    return [], "Digits turned by right angles, squared error\n\n" + markdown(head, rows)


PARTS = {
    "lattice": lattice,
    "spheres": spheres,
    "digits": pictures,
    "symmetry": symmetry,
    "turned": turned,
}
