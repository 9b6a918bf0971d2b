"""Curves of several draws and their exponent. In: errors at growing n. Out: beta and its error."""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from equinet.learning import KernelRegression, NotPositiveError, power_law
from equinet.learning.kernels import Kernel


class Fit(NamedTuple):
    """A power law n^-beta through the mean of some draws.

    Attributes:
        beta: the exponent of the mean.
        deviation: its standard error, from the scatter of the exponents of single draws; NaN for
            one draw.
    """

    beta: float
    deviation: float

    def __str__(self) -> str:
        scatter = "" if math.isnan(self.deviation) else f" ± {self.deviation:.3f}"
        return f"{self.beta:.3f}{scatter}"


def doubling(first: int, last: int) -> tuple[int, ...]:
    """first, 2 first, 4 first, ... up to ``last``."""
    return tuple(first * 2**k for k in range(max(0, last // first).bit_length()))


def mean(curves: Sequence[Sequence[float]]) -> list[float]:
    """The mean over draws of the errors at each n."""
    return [statistics.fmean(errors) for errors in zip(*curves, strict=True)]


def fit(n: Sequence[int], curves: Sequence[Sequence[float]], last: int | None = None) -> Fit:
    """The exponent of curves (draws, len(n)), from their ``last`` points."""
    start = 0 if last is None else -last
    beta = power_law(n[start:], mean(curves)[start:]).beta
    if len(curves) == 1:
        return Fit(beta, math.nan)
    single = [power_law(n[start:], curve[start:]).beta for curve in curves]
    return Fit(beta, statistics.stdev(single) / math.sqrt(len(single)))


def longest_regression(student: Kernel, x: Tensor) -> KernelRegression:
    """The regression from as many points, the first ones, as the kernel bears in float64."""
    while True:
        try:
            return KernelRegression(student, x)
        except NotPositiveError as refused:
            x = x[: refused.most]


def points_on_sphere(n: int, d: int, generator: torch.Generator) -> Tensor:
    """Points (n, d + 1) drawn evenly from the sphere of dimension d."""
    x = torch.randn(n, d + 1, generator=generator, dtype=torch.float64)
    return x / x.norm(dim=1, keepdim=True)
