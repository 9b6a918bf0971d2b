"""The claims and the numbers. In: results of the gate and of the runs. Out: Markdown.

Every number of several seeds is their mean. Its standard deviation has two parts: 200 times the
galaxies of the test set are drawn again, and the seeds differ.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from examples.common.claims import Claim, claims_table
from examples.common.table import markdown
from examples.common.training import parameter_count

from .metrics import MEASURES, Estimate, difference, estimate, galaxy_weights, in_sigmas, measures
from .models import NAMES, lastro
from .runs import GATE_BARS, Task, passes

DRAWS = 200
SIGMAS = 2.0
THIRDS = (0.5, 5 / 6, 7 / 6, 1.5)  # of the Einstein radii, in arcseconds
TOOLS = {"radial": "radial profiles, logistic", "gradients": "gradients, logistic"}
FOUND = {"space": "0.93 and 0.73", "ground": "0.98 and 0.84"}  # best network and gradients there
Results = Mapping[str, Mapping[str, Any]]

# Metcalf et al. 2019, arXiv:1802.03609: AUROC, TPR0, TPR10 of some of the 24 entries.
CHALLENGE = (
    ("ground", "CMU-DeepLens-Resnet-ground3", "CNN", "0.98", "0.09", "0.45"),
    ("ground", "CMU-DeepLens-Resnet-Voting", "CNN", "0.98", "0.02", "0.10"),
    ("ground", "LASTRO EPFL", "CNN", "0.97", "0.07", "0.11"),
    ("ground", "Manchester SVM", "SVM / Gabor", "0.93", "0.22", "0.35"),
    ("ground", "ALL-star", "gradients, logistic", "0.84", "0.01", "0.02"),
    ("space", "LASTRO EPFL", "CNN", "0.93", "0.00", "0.08"),
    ("space", "CMU-DeepLens-Resnet", "CNN", "0.92", "0.22", "0.29"),
    ("space", "GAMOCLASS", "CNN", "0.92", "0.07", "0.36"),
    ("space", "Manchester SVM", "SVM / Gabor", "0.81", "0.03", "0.08"),
    ("space", "All-now", "gradients, logistic", "0.73", "0.05", "0.07"),
)


class Scores:
    """The scores of all seeds of a survey, and what is in its test set."""

    def __init__(self, survey: str, tasks: Mapping[str, Task], results: Results) -> None:
        self.runs = [results[name] for name, task in tasks.items() if task.survey == survey]
        self.survey = survey
        test = self.runs[0]["test"]
        self.labels = np.array(test["kind"]) == 0
        self.theta_e = np.array(test["theta_e"])
        self.weights = galaxy_weights(np.array(test["galaxy"]), DRAWS)

    def of(self, arm: str, kind: str = "product") -> np.ndarray:
        """(seeds, n), of a network or of hand-made features."""
        if arm in TOOLS:
            return np.array([run["baselines"][arm] for run in self.runs])
        return np.array([run["arms"][arm][kind] for run in self.runs])

    def estimate(self, arm: str, kind: str = "product") -> Estimate:
        """The measures of one arm."""
        return estimate(self.of(arm, kind), self.labels, self.weights)

    def difference(self, first: str, second: str) -> Estimate:
        """The measures of one arm minus those of another."""
        return difference(self.of(first), self.of(second), self.labels, self.weights)

    @property
    def arms(self) -> list[str]:
        return list(self.runs[0]["arms"])


def scores_of(tasks: Mapping[str, Task], results: Results) -> dict[str, Scores]:
    """By survey."""
    surveys = dict.fromkeys(task.survey for task in tasks.values())
    return {survey: Scores(survey, tasks, results) for survey in surveys}


def gate_table(gates: Results) -> str:
    """What simple features find, and whether the images may be used."""
    rows = [
        [name.removeprefix("gate-"), *(f"{found[key]:.3f}" for key in GATE_BARS),
         "passed" if passes(found) else "**leaks**"]
        for name, found in gates.items()
    ]  # fmt: skip
    return markdown(["survey", *(f"{n} (≤ {bar:.2f})" for n, bar in GATE_BARS.items()), ""], rows)


def measured_table(gates: Results, tasks: Mapping[str, Task], results: Results) -> str:
    """The claims."""
    surveys = scores_of(tasks, results)
    claims = [
        Claim(
            f"a leak: {name} alone, AUROC of logistic regression",
            "",
            ", ".join(f"{gates[g][name]:.3f} ({g.removeprefix('gate-')})" for g in gates),
            f"≤ {bar:.2f}",
            all(found[name] <= bar for found in gates.values()),
        )
        for name, bar in GATE_BARS.items()
    ]
    counts = [parameter_count(lastro(bands)) for bands in (1, 4)]
    claims.append(
        Claim(
            "parameters of LASTRO's network, one band and four",
            "5,674,145",
            " and ".join(f"{count:,}" for count in counts),
            "exact",
            counts == [5_674_145, 5_674_913],
        )
    )
    for survey in surveys.values():
        claims += _claims_of(survey)
    return claims_table(claims + _bands(surveys))


def _claims_of(scores: Scores) -> list[Claim]:
    if "invariant" not in scores.arms:
        return []
    name = scores.survey
    claims = [
        _above(
            f"{name}: {NAMES[arm]} above hand-made features, AUROC",
            FOUND[name],
            scores.difference(arm, "gradients"),
            0,
        )
        for arm in ("invariant", "lastro", "compute")
    ]
    claims += [_harmless(scores, arm) for arm in ("compute", "lastro")]
    claims.append(_rises(scores))
    claims += [
        _above(
            f"{name}: D4-invariant above {NAMES[arm]}, TPR10",
            "no: overfits",
            scores.difference("invariant", arm),
            2,
        )
        for arm in ("compute", "lastro", "parameters")
    ]
    made = {arm: scores.estimate(arm).value for arm in scores.arms}
    best, strictest = (max(made, key=lambda arm: made[arm][measure]) for measure in (0, 2))
    words = f"{NAMES[best]}; {NAMES[strictest]}"
    what = f"{name}: the best by AUROC, and by TPR10"
    return [*claims, Claim(what, "not the same entry", words, "", None)]


def _above(what: str, paper: str, found: Estimate, measure: int) -> Claim:
    value, sigma = float(found.value[measure]), float(found.sigma[measure])
    return Claim(what, paper, in_sigmas(value, sigma), f"> {SIGMAS:g} σ", value > SIGMAS * sigma)


def _harmless(scores: Scores, arm: str) -> Claim:
    found = difference(scores.of(arm), scores.of(arm, "single"), scores.labels, scores.weights)
    value, sigma = float(found.value[0]), float(found.sigma[0])
    what = f"{scores.survey}: the product over D4 does not hurt {NAMES[arm]}, AUROC"
    return Claim(what, "used", in_sigmas(value, sigma), f"≥ -{SIGMAS:g} σ", value >= -2 * sigma)


def _rises(scores: Scores) -> Claim:
    """AUROC of the lenses in each third of the Einstein radii among all that are none."""
    found = []
    for low, high in zip(THIRDS[:-1], THIRDS[1:], strict=True):
        part = ~scores.labels | ((scores.theta_e >= low) & (scores.theta_e < high))
        each = [measures(one[part], scores.labels[part])[0] for one in scores.of("compute")]
        found.append(float(np.mean(each)))
    return Claim(
        f"{scores.survey}: AUROC rises with the Einstein radius (thirds of 0.5″ to 1.5″)",
        "yes",
        " → ".join(f"{value:.3f}" for value in found),
        "rises",
        found[0] < found[1] < found[2],
    )


def _bands(surveys: Mapping[str, Scores]) -> list[Claim]:
    """Whether four bands are better than one, seen as sharply or less so.

    The test sets of the surveys show the same galaxies, lenses and sources, number by number.
    """
    claims = []
    for other, words in (("ground-i", "as blurred"), ("space", "sharper and deeper")):
        if not {"ground", other} <= surveys.keys():
            continue
        four, one = surveys["ground"], surveys[other]
        found = difference(four.of("compute"), one.of("compute"), four.labels, four.weights)
        paper = "0.97 and 0.93 (LASTRO)" if other == "space" else ""
        what = f"four bands (ground) above one band, {words} ({other}), AUROC"
        claims.append(_above(what, paper, found, 0))
    return claims


def details_table(tasks: Mapping[str, Task], results: Results) -> str:
    """Every arm: cost, AUROC, TPR0 and TPR10, the network's own and those of the D4 product."""
    rows = []
    for scores in scores_of(tasks, results).values():
        for arm in (*TOOLS, *scores.arms):
            costs = ["", "", ""]
            if arm in scores.arms:
                runs = [run["arms"][arm] for run in scores.runs]
                spent = np.mean([run["milliseconds"] for run in runs])
                costs = [f"{runs[0]['parameters']:,}", f"{runs[0]['mflop']:.1f}", f"{spent:.2f}"]
            product = scores.estimate(arm)
            row = [scores.survey, TOOLS.get(arm) or NAMES[arm], *costs]
            row += [
                f"{value:.3f} ± {sigma:.3f}"
                for value, sigma in zip(product.value, product.sigma, strict=True)
            ]
            single = "" if arm in TOOLS else f"{scores.estimate(arm, 'single').value[0]:.3f}"
            rows.append([*row, single])
    head = ["survey", "arm", "parameters", "MFLOP", "ms / image", *MEASURES, "AUROC, one view"]
    return markdown(head, rows)


def challenge_table() -> str:
    """The challenge's own numbers, which are of another test set."""
    head = ["challenge", "entry", "method", *MEASURES]
    return (
        markdown(head, [list(row) for row in CHALLENGE])
        + "\n\nThis is not the same test set: these numbers and those above cannot be compared."
    )
