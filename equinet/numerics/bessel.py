r"""Bessel functions as sums of plane waves, and their zeros."""

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from equinet.numerics.cached import cached


@cached(256)
def bessel_table(n: int, degree: int, bound: float) -> tuple[tuple[float, ...], ...]:
    """The zeros of f_l up to ``bound``, f_l' there, and the nodes and weights of (J1).

    A scan in steps below 1 finds every zero: they are more than 2.4 apart, and none is below l,
    where f_l is so small near 0 that its sign is noise. Then bisection, then Newton's method.

    Args:
        n: the dimension of space, 2 or 3 (or 1, with plain cosines and sines).
        degree: l.
        bound: up to which zeros are wanted.
    Returns:
        The four rows.
    """
    nodes, weights = plane_waves(n, degree, bound)
    waves, slopes = wave(np, degree), wave(np, degree + 1)
    sign = 1 if degree % 2 else -1  # sin' = cos, cos' = -sin

    def f(x: np.ndarray) -> np.ndarray:
        return waves(np.multiply.outer(x, nodes)) @ weights

    def derivative(x: np.ndarray) -> np.ndarray:
        return sign * slopes(np.multiply.outer(x, nodes)) @ (weights * nodes)

    x = np.linspace(min(degree, bound), bound, math.ceil(bound) + 2)
    positive = f(x) >= 0
    (change,) = np.nonzero(positive[:-1] != positive[1:])
    low, high, start = x[change], x[change + 1], positive[change]
    for _ in range(6):
        middle = (low + high) / 2
        left = (f(middle) >= 0) == start
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    z = (low + high) / 2
    for _ in range(4):  # from an error below 1/64 to rounding in three steps
        z = z - f(z) / derivative(z)
    tables = (z, derivative(z), nodes, weights)
    return tuple(tuple(table.tolist()) for table in tables)


def plane_waves(n: int, degree: int, reach: float) -> tuple[np.ndarray, np.ndarray]:
    r"""Nodes t and weights w that make a Bessel function a sum of plane waves, float64.

    .. math:: f_l(x) = \sum_q w_q \{\cos, \sin\}(x t_q), \quad l \{\text{even}, \text{odd}\},
              \qquad 0 \le x \le reach \quad (J1)

    For n = 2 this is the midpoint rule for the periodic integral
    J_l(x) = 2 / pi int_0^{pi/2} {cos, sin}(l tau) {cos, sin}(x sin tau) d tau, for n = 3 Gauss's
    rule for j_l(x) = (-1)^{[l/2]} int_0^1 P_l(t) {cos, sin}(x t) dt. Their errors are of the size
    of Bessel functions of order 4 size - l, which are below rounding for these sizes.

    Args:
        n: the dimension of space.
        degree: l.
        reach: the largest x.
    Returns:
        Nodes and weights, ``(size,)`` each.
    """
    if n == 1:
        return np.ones(1), np.ones(1)
    size = math.ceil((degree + 1.5 * reach + 40) / 4)
    if n == 2:
        tau = math.pi * (np.arange(size) + 0.5) / (2 * size)
        return np.sin(tau), wave(np, degree)(degree * tau) / size
    nodes, weights = (half[size:] for half in np.polynomial.legendre.leggauss(2 * size))
    legendre = np.polynomial.legendre.legval(nodes, degree * [0.0] + [1.0])
    return nodes, (-1) ** (degree // 2) * weights * legendre


def wave(module: ModuleType, degree: int) -> Callable[..., Any]:
    """Cosine for even degrees, sine for odd ones, of torch or numpy.

    Args:
        module: ``torch`` or ``numpy``.
        degree: l.
    Returns:
        ``module.cos`` or ``module.sin``.
    """
    return module.sin if degree % 2 else module.cos
