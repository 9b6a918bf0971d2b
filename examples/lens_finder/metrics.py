"""How well scores tell lenses from the rest, and how sure that is.

AUROC is the chance that a lens has a higher score than another image. TPR(k) is the largest share
of the lenses above a threshold that at most k other images reach: TPR0 has k = 0, TPR10 k = 9,
fewer than ten false positives. Scores and labels are arrays (n,).
"""

import math
from typing import NamedTuple

import numpy as np

MEASURES = ("AUROC", "TPR0", "TPR10")


class Curve(NamedTuple):
    """Weights above each distinct score, the highest first: a point of the curve each."""

    true: np.ndarray
    false: np.ndarray


def purity_curve(scores: np.ndarray, labels: np.ndarray) -> Curve:
    """How many lenses and how many others lie at or above each score."""
    return _curve(_levels(scores), labels, np.ones(len(scores)))


def _levels(scores: np.ndarray) -> np.ndarray:
    """0 for the highest score, the same number for equal ones."""
    return np.unique(-scores, return_inverse=True)[1]


def _curve(levels: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> Curve:
    true = np.bincount(levels, weights * labels).cumsum()
    return Curve(true, np.bincount(levels, weights).cumsum() - true)


def auroc(curve: Curve) -> float:
    """The area under the curve; equal scores count half."""
    true, false = (np.concatenate([[0.0], c]) for c in curve)
    return float(np.trapezoid(true, false) / (true[-1] * false[-1]))


def tpr(curve: Curve, allowed: int) -> float:
    """The largest share of the lenses with at most ``allowed`` others among them."""
    fine = curve.true[curve.false <= allowed]
    return float(fine[-1] / curve.true[-1]) if len(fine) else 0.0


def measures(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """AUROC, TPR0, TPR10."""
    return _measures(purity_curve(scores, labels))


def _measures(curve: Curve) -> np.ndarray:
    return np.array([auroc(curve), tpr(curve, 0), tpr(curve, 9)])


def galaxy_weights(galaxies: np.ndarray, draws: int, seed: int = 0) -> np.ndarray:
    """Bootstrap over galaxies (draws, n): how often each image's galaxy was drawn.

    Images of one galaxy are not independent, so galaxies are drawn, not images.
    """
    names, member = np.unique(galaxies, return_inverse=True)
    generator = np.random.default_rng(seed)
    counts = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    return counts[:, member]


class Estimate(NamedTuple):
    """Means over seeds of AUROC, TPR0 and TPR10, (3,), and their standard deviations."""

    value: np.ndarray
    sigma: np.ndarray


def estimate(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> Estimate:
    """The mean of the measures over seeds, (seeds, n) scores, and how far it is to be trusted.

    The variance is that of the mean over seeds when galaxies are drawn again, plus that of the
    seeds over their number.
    """
    return _summary(*_all(scores, labels, weights))


def difference(
    first: np.ndarray, second: np.ndarray, labels: np.ndarray, weights: np.ndarray
) -> Estimate:
    """First minus second: the same galaxies and the same seed for both each time."""
    a, b = _all(first, labels, weights), _all(second, labels, weights)
    return _summary(a[0] - b[0], a[1] - b[1])


def _all(
    scores: np.ndarray, labels: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Measures (seeds, 3), and with each draw of galaxies (seeds, draws, 3)."""
    plain = np.array([measures(one, labels) for one in scores])
    levels = [_levels(one) for one in scores]
    drawn = np.array([[_measures(_curve(one, labels, w)) for w in weights] for one in levels])
    return plain, drawn


def _summary(plain: np.ndarray, drawn: np.ndarray) -> Estimate:
    seeds = plain.var(0, ddof=1) / len(plain) if len(plain) > 1 else 0.0
    return Estimate(plain.mean(0), np.sqrt(drawn.mean(0).var(0) + seeds))


def in_sigmas(value: float, sigma: float) -> str:
    """ "+0.012 ± 0.004 (3.0 σ)"."""
    many = value / sigma if sigma > 0 else math.copysign(math.inf, value) if value else 0.0
    return f"{value:+.3f} ± {sigma:.3f} ({many:+.1f} σ)"
