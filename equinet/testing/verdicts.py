"""Whether a module passes as equivariant.

In: an experiment. Out: ``Verdict``.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from equinet.testing.experiments import Experiment
from equinet.testing.outcomes import EquivarianceError, errors, outcome
from equinet.testing.trials import trials

# What rounding leaves of an equivariant linear map.
_EXACT = {torch.float64: 1e-10, torch.float32: 1e-4}
_ALIASED = 0.1
_FALL = 0.8  # the error on a grid twice as fine, over the error
_FLOOR = 0.5  # of a right layer whose filter has few pixels


class Verdict(NamedTuple):
    """Whether a module passes.

    Attributes:
        error: over a grid that of the elements that keep it, if there are any.
        failure: what is wrong; None if it passes.
    """

    error: EquivarianceError
    failure: str | None


def verdict(experiment: Experiment, tolerance: float | None = None) -> Verdict:
    """Try a module on elements of each kind, up to the first failure; see ``assert_equivariant``.

    Args:
        experiment: the module, the types and what to try it on.
        tolerance: of what is exact; by default what rounding leaves, or aliasing.
    Returns:
        The errors, and what is wrong.
    Raises:
        TypeError, ValueError: if an option has no meaning, or an output cannot be measured.
    """
    name = type(experiment.module).__name__
    limit = tolerance
    if limit is None:
        limit = _ALIASED if experiment.aliases else _EXACT.get(experiment.like.dtype, 0.1)
    falls = experiment.draw.exact is None or tolerance is None
    found = []
    for trial in trials(experiment, by_kind=True):
        error = outcome(experiment, trial).error
        found.append(error)
        if trial.between and falls:
            failure = _rising(experiment, error) if error.mean > _FLOOR else None
        else:
            above = not error.max <= limit
            failure = f"{name} is not equivariant within {limit:g}: {error}" if above else None
        if failure is not None:
            return Verdict(found[0], failure)
    return Verdict(found[0], None)


def _rising(experiment: Experiment, coarse: EquivarianceError) -> str | None:
    """What is wrong if the mean error does not fall on a grid that is twice as fine."""
    finer = experiment.refined(2)
    fine = errors(finer, trials(finer))
    if fine.mean <= _FALL * coarse.mean:
        return None
    return (
        f"{type(experiment.module).__name__} is not equivariant between the grid points: the mean "
        f"error {coarse.mean:.2e} does not fall on a grid twice as fine, where it is "
        f"{fine.mean:.2e} (exact=True leaves this out): {fine}"
    )
