r"""Learning curves of kernels: exact errors of a student on a teacher, and their exponents.

The teacher is a Gaussian field Z with covariance K_T, seen without noise at n points; the student
is the ridgeless regression with a kernel K_S of its own. Its error falls as n^-beta with

.. math:: \beta = \frac{\min(\alpha_T - d,\; 2 \alpha_S)}{d}                           \quad (C1)

where the spectra fall as ``|k|^-alpha`` (Spigler, Geiger and Wyart, arXiv 1905.10843).
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from equinet.learning.kernels import Gaussian, Kernel, Matern, check_points
from equinet.learning.tangent import check_callable
from equinet.numerics.arguments import check_integer, check_memory, real_tensor
from equinet.numerics.values import check_floating

_ALIASES = 10**6  # each takes some microseconds, twice
_BLOCK = 16  # of points whose K(t, t) is the diagonal of one small matrix


class NotPositiveError(ValueError):
    """A kernel that is not positive definite to rounding on the points seen.

    Args:
        message: what was expected, and what came.
        most: on so many of them, the first ones, it is.
    """

    def __init__(self, message: str, most: int) -> None:
        super().__init__(message)
        self.most = most


def exponent(teacher: Matern | Gaussian, student: Matern | Gaussian, d: int) -> float:
    """The exponent beta of (C1).

    Args:
        teacher: K_T.
        student: K_S.
        d: dimension of the space of the points.
    Returns:
        beta > 0 where the error falls; infinite for a Gaussian teacher and student.
    Raises:
        ValueError: if ``d`` is no integer >= 1, or a kernel does not know its decay.

    Example:
        >>> from equinet.learning import Gaussian, Laplace, exponent
        >>> exponent(Laplace(), Laplace(), 2), exponent(Gaussian(), Laplace(), 1)
        (0.5, 4.0)
    """
    check_integer(d, "d")
    _check_knows("decay", teacher, student)
    return min(teacher.decay(d) - d, 2 * student.decay(d)) / d


def _check_knows(what: str, teacher: object, student: object) -> None:
    for name, kernel in (("teacher", teacher), ("student", student)):
        if not hasattr(kernel, what):
            raise ValueError(
                f"{name}: expected a kernel that knows its {what}, such as Matern(1.5), got "
                f"{type(kernel).__name__}"
            )


class KernelRegression:
    r"""Ridgeless regression: the function through all values seen that is a sum of kernels.

    .. math:: \hat f(t) = k(t)^T K^{-1} y, \qquad k(t) = K(x, t)

    K is factored once, whatever is asked then, and for the first n points too.

    Args:
        student: its kernel K.
        x: the points seen, float64 ``(n, d)``.
        jitter: added to the diagonal of K.
    Raises:
        ValueError: if K is not positive definite to rounding; the message says at which n.

    Example:
        >>> x = torch.linspace(0, 3, 7, dtype=torch.float64)[:, None]
        >>> answer = KernelRegression(Matern(2.5), x)(x.sin(), torch.tensor([[1.2]]).double())
        >>> abs(float(answer) - math.sin(1.2)) < 0.01
        True
    """

    def __init__(self, student: Kernel, x: Tensor, *, jitter: float = 0.0) -> None:
        if not isinstance(jitter, int | float) or not 0 <= jitter < math.inf:
            raise ValueError(f"jitter: expected a finite number >= 0, got {jitter!r}")
        check_callable("student", student)
        check_points("x", x, x)
        self.student, self.x = student, x
        self.factor = _cholesky(student(x, x), jitter)

    def first(self, n: int) -> KernelRegression:
        """The regression from the first ``n`` points; nothing is factored again.

        Args:
            n: how many, at least one and at most all.
        Returns:
            A regression that shares the factor of this one.
        """
        check_integer(n, "n", 1, len(self.x))
        less = copy.copy(self)
        less.x, less.factor = self.x[:n], self.factor[:n, :n]
        return less

    def weights(self, test: Tensor) -> Tensor:
        """K^-1 k, by which the values seen are weighted.

        Args:
            test: the points asked for, ``(m, d)``.
        Returns:
            ``(n, m)``.
        """
        check_points("test", test, self.x)
        return torch.cholesky_solve(self.student(self.x, test), self.factor)

    def __call__(self, y: Tensor, test: Tensor) -> Tensor:
        """The answer to values at the points seen.

        Args:
            y: the values, ``(n, ...)``.
            test: the points asked for, ``(m, d)``.
        Returns:
            ``(m, ...)``.
        Raises:
            ValueError: if there is not one value for each point, or ``test`` are no such points.
        """
        check_points("test", test, self.x)
        if not check_floating("y", y).dim() or len(y) != len(self.x):
            raise ValueError(
                f"y: expected a value for each of {len(self.x)} points, got {tuple(y.shape)}"
            )
        solved = torch.cholesky_solve(y.to(self.factor).reshape(len(y), -1), self.factor)
        return (self.student(test, self.x) @ solved).reshape(len(test), *y.shape[1:])

    def expected_error(self, teacher: Kernel, test: Tensor) -> float:
        """The error of :func:`expected_error` on a teacher.

        Args:
            teacher: K_T.
            test: the points asked for, ``(m, d)``.
        Returns:
            E, in units of the error of the answer zero.
        """
        check_callable("teacher", teacher)
        weights = self.weights(test)
        own = torch.cat([teacher(some, some).diagonal() for some in test.split(_BLOCK)])
        errors = own - 2 * (weights * teacher(self.x, test)).sum(0)
        errors = errors + (weights * (teacher(self.x, self.x) @ weights)).sum(0)
        return float(errors.mean() / own.mean())


def expected_error(
    teacher: Kernel, student: Kernel, x: Tensor, test: Tensor, *, jitter: float = 0.0
) -> float:
    r"""The mean squared error of the student, with the mean over all teachers taken exactly.

    .. math:: E = \bigl\langle K_T(t, t) - 2 k_S^T K_S^{-1} k_T
              + k_S^T K_S^{-1} K_T K_S^{-1} k_S \bigr\rangle_t \Big/ \langle K_T(t, t) \rangle_t

    with k = K(x, t): only the points are random, and 1 is the error of the answer zero. For several
    teachers, or the first of the points alone, keep a :class:`KernelRegression`.

    Args:
        teacher: K_T.
        student: K_S.
        x: the points seen, float64 ``(n, d)``.
        test: the points asked for, ``(m, d)``.
        jitter: added to the diagonal of K_S.
    Returns:
        E, from 0 to about 1.
    Raises:
        ValueError: if K_S is not positive definite to rounding; the message says at which n.
    """
    check_callable("teacher", teacher)
    check_callable("student", student)
    check_points("test", test, x)
    return KernelRegression(student, x, jitter=jitter).expected_error(teacher, test)


def _cholesky(gram: Tensor, jitter: float) -> Tensor:
    n = len(gram)
    factor, failed = torch.linalg.cholesky_ex(
        gram + jitter * torch.eye(n, dtype=gram.dtype, device=gram.device)
    )
    if failed:
        raise NotPositiveError(
            f"student: expected a kernel that is positive definite to rounding, got one that is "
            f"not from point {int(failed)} on of n = {n}; use fewer points, a rougher kernel, "
            "or a jitter",
            int(failed) - 1,
        )
    return factor


def lattice_error(
    teacher: Matern | Gaussian,
    student: Matern | Gaussian,
    d: int,
    points: int,
    *,
    aliases: int = 8,
) -> float:
    r"""The error on a periodic lattice, in closed form.

    The lattice of n = points^d points tells apart the frequencies of one Brillouin zone; those that
    differ by multiples m of ``points`` are its aliases. With a_m = S_m / sum S

    .. math:: E = \sum_k \sum_m T_m (1 - a_m)^2 + a_m^2 \Bigl(\sum_{m'} T_{m'} - T_m\Bigr)
              \Big/ \sum_k \sum_m T_m                                                  \quad (C2)

    Args:
        teacher: K_T, whose ``spectrum`` is T.
        student: K_S, whose ``spectrum`` is S.
        d: dimension of the torus, of side 1.
        points: on each axis.
        aliases: m goes from -aliases to aliases on each axis.
    Returns:
        E, in units of the error of the answer zero.
    Raises:
        ValueError: if an argument is out of range.
    """
    _check_knows("spectrum", teacher, student)
    check_integer(d, "d", 1, 16)
    check_integer(points, "points")
    check_integer(aliases, "aliases")
    check_memory(d * points**d, "points", f"a lattice of {points}^{d} points")
    if (2 * aliases + 1) ** d > _ALIASES:
        raise ValueError(
            f"aliases: expected at most {_ALIASES:,} of each frequency, got {(2 * aliases + 1)}^{d}"
        )
    axis = torch.arange(points, dtype=torch.float64) - points // 2
    zone = torch.stack(torch.meshgrid(*[axis] * d, indexing="ij"), -1)
    shifts = list(itertools.product(range(-aliases, aliases + 1), repeat=d))

    def spectra(shift: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        k = (zone + points * torch.tensor(shift, dtype=torch.float64)).square().sum(-1)
        return teacher.spectrum(k, d), student.spectrum(k, d)

    total_t = torch.zeros(zone.shape[:-1], dtype=torch.float64)
    total_s, other_s = total_t.clone(), total_t.clone()
    for shift in shifts:
        t, s = spectra(shift)
        total_t, total_s = total_t + t, total_s + s
        other_s = other_s + s if any(shift) else other_s
    error = torch.zeros((), dtype=torch.float64)
    for shift in shifts:
        t, s = spectra(shift)
        share = s / total_s
        # Of the lowest frequencies 1 - a is tiny; as a sum of the others it keeps its digits.
        rest = 1 - share if any(shift) else other_s / total_s
        error = error + (t * rest**2 + share**2 * (total_t - t)).sum()
    return float(error / total_t.sum())


@dataclass(frozen=True)
class PowerLaw:
    """error = scale * n^-beta, fitted to the logarithms.

    Attributes:
        beta: the exponent.
        scale: the error at n = 1.
        deviation: standard error of beta, from the residuals; 0 for two points.
    """

    beta: float
    scale: float
    deviation: float

    def __call__(self, n: float) -> float:
        """The error at ``n``."""
        return self.scale * n**-self.beta

    def __str__(self) -> str:
        return f"{self.scale:.3g} n^-({self.beta:.3f} +- {self.deviation:.3f})"


def power_law(n: Sequence[float] | Tensor, error: Sequence[float] | Tensor) -> PowerLaw:
    """The straight line through log error against log n, by least squares.

    Args:
        n: at least two different numbers > 0.
        error: as many numbers > 0.
    Returns:
        The exponent, the scale and how far the exponent is known.
    Raises:
        ValueError: if there are fewer, or one is not a finite number > 0.

    Example:
        >>> power_law([10, 100, 1000], [0.1, 0.01, 0.001]).beta
        1.0
    """
    x, y = real_tensor(n, "n"), real_tensor(error, "error")
    for name, value in (("n", x), ("error", y)):
        if value.dim() != 1 or not bool((value.isfinite() & (value > 0)).all()):
            raise ValueError(f"{name}: expected finite numbers > 0, got {value.tolist()}")
    if len(x) != len(y) or len(x.unique()) < 2:
        raise ValueError(
            f"error: expected one for each of at least two different n, got {len(y)} for {len(x)}"
        )
    u, v = x.log(), y.log()
    du, dv = u - u.mean(), v - v.mean()
    slope = float((du * dv).sum() / du.square().sum())
    residual = (dv - slope * du).square().sum() / max(1, len(x) - 2)
    deviation = float((residual / du.square().sum()).sqrt()) if len(x) > 2 else 0.0
    return PowerLaw(round(-slope, 12), math.exp(float(v.mean() - slope * u.mean())), deviation)
