r"""Kernels of the distance, how smooth they are, and their averages over a group.

A kernel whose Fourier transform falls as |k|^-alpha makes functions with (alpha - d) / 2
derivatives in the mean square:

============  ================================================  =================
kernel        K(r)                                              alpha in R^d
============  ================================================  =================
``Laplace``   exp(-r / sigma)                                   d + 1
``Matern``    polynomial(z) exp(-z), z = sqrt(2 nu) r / sigma   d + 2 nu
``Gaussian``  exp(-r^2 / 2 sigma^2)                             infinite
============  ================================================  =================
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from equinet.numerics.arguments import is_number
from equinet.numerics.values import came, check_real, is_readable

Kernel = Callable[[Tensor, Tensor], Tensor]
Elements = Tensor | Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Matern:
    r"""The Matern kernel of half-integer nu.

    .. math:: K(r) = e^{-z} \frac{p!}{(2p)!} \sum_{i=0}^p \frac{(p+i)!}{i! (p-i)!} (2z)^{p-i},
              \qquad z = \sqrt{2 \nu}\, r / \sigma, \quad \nu = p + 1/2                \quad (K1)

    Attributes:
        nu: 1/2, 3/2, 5/2, ...; functions have less than nu derivatives.
        sigma: in units of length.
    """

    nu: float
    sigma: float = 1.0

    def __post_init__(self) -> None:
        _check_positive("sigma", self.sigma)
        if not is_number(self.nu):
            raise TypeError(f"nu: expected a number, got {type(self.nu).__name__}")
        if not 0 < self.nu < 50 or (self.nu - 0.5) % 1:
            raise ValueError(f"nu: expected 1/2, 3/2, 5/2, ... below 50, got {self.nu!r}")

    def __call__(self, x: Tensor, x2: Tensor) -> Tensor:
        """K(|x - x'|) for all pairs of points.

        Args:
            x: points, ``(n, d)``.
            x2: others, ``(m, d)``.
        Returns:
            ``(n, m)``.
        """
        return self.of_distance(_distances(x, x2))

    def of_distance(self, r: Tensor) -> Tensor:
        """K(r), elementwise."""
        z = math.sqrt(2 * self.nu) * r / self.sigma
        p = int(self.nu)
        terms = [
            math.factorial(p + i) / (math.factorial(i) * math.factorial(p - i))
            for i in range(p + 1)
        ]
        total = sum(c * (2 * z) ** (p - i) for i, c in enumerate(terms))
        return math.factorial(p) / math.factorial(2 * p) * total * torch.exp(-z)

    def decay(self, d: int) -> float:
        """The exponent alpha in d dimensions."""
        return d + 2 * self.nu

    def spectrum(self, k: Tensor, d: int) -> Tensor:
        """The Fourier transform, up to a factor.

        Args:
            k: squared lengths of frequencies, of any shape.
            d: the dimension.
        Returns:
            A value for each of them, of the same shape.
        """
        return (2 * self.nu / self.sigma**2 + 4 * math.pi**2 * k) ** -(self.nu + d / 2)


@dataclass(frozen=True)
class Laplace(Matern):
    """exp(-r / sigma), the Matern kernel of nu = 1/2.

    Attributes:
        sigma: in units of length.
    """

    nu: float = 0.5

    def __init__(self, sigma: float = 1.0) -> None:
        object.__setattr__(self, "sigma", sigma)
        object.__setattr__(self, "nu", 0.5)
        self.__post_init__()


@dataclass(frozen=True)
class Gaussian:
    """exp(-r^2 / 2 sigma^2).

    Attributes:
        sigma: in units of length.
    """

    sigma: float = 1.0

    def __post_init__(self) -> None:
        _check_positive("sigma", self.sigma)

    def __call__(self, x: Tensor, x2: Tensor) -> Tensor:
        """K(|x - x'|) for all pairs of points.

        Args:
            x: points, ``(n, d)``.
            x2: others, ``(m, d)``.
        Returns:
            ``(n, m)``.
        """
        return self.of_distance(_distances(x, x2))

    def of_distance(self, r: Tensor) -> Tensor:
        """K(r), elementwise."""
        return torch.exp(-(r**2) / (2 * self.sigma**2))

    def decay(self, d: int) -> float:
        """Faster than any power."""
        return math.inf

    def spectrum(self, k: Tensor, d: int) -> Tensor:
        """The Fourier transform, up to a factor.

        Args:
            k: squared lengths of frequencies, of any shape.
            d: the dimension.
        Returns:
            A value for each of them, of the same shape.
        """
        return torch.exp(-2 * math.pi**2 * self.sigma**2 * k)


def averaged(kernel: Kernel, elements: Elements) -> Kernel:
    r"""The kernel of the functions that a group leaves alone.

    .. math:: K_G(x, x') = \frac1{|G|} \sum_g K(x, g x')                               \quad (K2)

    It is positive, and invariant in both arguments, if K(g x, g x') = K(x, x').

    Args:
        kernel: K of points ``(n, d)`` and ``(m, d)``.
        elements: matrices ``(|G|, d, d)``, or a function from points ``(m, d)`` to all their images
            ``(|G|, m, d)``, one element of the group after the other.
    Returns:
        The averaged kernel.
    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if the elements are no matrices ``(|G|, d, d)``.
    """
    if not callable(kernel):
        raise TypeError(f"kernel: expected a function of x and x', got {type(kernel).__name__}")
    if isinstance(elements, Tensor):
        check_real("elements", elements, ("|G|", "d", "d"))
        if elements.shape[1] != elements.shape[2] or not len(elements):
            raise ValueError(f"elements: expected (|G|, d, d), got {tuple(elements.shape)}")
    elif not callable(elements):
        raise TypeError(f"elements: expected a tensor or a function, got {came(elements)}")

    def images(x: Tensor) -> Tensor:
        if not isinstance(elements, Tensor):
            return elements(x)
        if elements.shape[1] != x.shape[1]:
            raise ValueError(
                f"x: expected points in {elements.shape[1]} dimensions, got {tuple(x.shape)}"
            )
        return torch.einsum("gij,mj->gmi", elements.to(x), x)

    def mean(x: Tensor, x2: Tensor) -> Tensor:
        moved = images(x2)
        total = torch.zeros(len(x), len(x2), dtype=x.dtype, device=x.device)
        for points in moved:  # one element at a time, so that memory does not grow with |G|
            total = total + kernel(x, points)
        return total / len(moved)

    return mean


def check_points(name: str, points: Tensor, x: Tensor) -> None:
    """Raise unless ``x`` and ``points`` are real points ``(n, d)`` and ``(m, d)``."""
    for argument, value in (("x", x), (name, points)):
        if isinstance(value, Tensor) and value.dim() == 2 and value.layout == torch.strided:
            if value.is_floating_point():
                if is_readable(value) and not bool(value.isfinite().all()):
                    raise ValueError(
                        f"{argument}: expected finite points, got an infinite or NaN one"
                    )
                continue
        got = came(value)
        if isinstance(value, Tensor):
            got = f"{value.dtype} {tuple(value.shape)}, {value.layout}"
        raise ValueError(f"{argument}: expected real points (n, d), got {got}")
    if x.shape[1] != points.shape[1]:
        raise ValueError(
            f"{name}: expected points in {x.shape[1]} dimensions, got {tuple(points.shape)}"
        )


def _distances(x: Tensor, x2: Tensor) -> Tensor:
    check_points("x2", x2, x)
    # By differences: from products the small distances would lose their digits.
    return torch.cdist(x, x2, compute_mode="donot_use_mm_for_euclid_dist")


def _check_positive(name: str, value: float) -> None:
    if not is_number(value) or not 0 < value < math.inf:
        raise ValueError(f"{name}: expected a finite number > 0, got {value!r}")
