"""What families of radial profiles are, and what they share.

In: radii. Out: a protocol, a base class and its helpers; the families are in ``radial``.
"""

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from equinet.numerics.arguments import check_integer


class Radial(Protocol):
    """What a family of radial profiles offers; a value, hashable by content and picklable."""

    @property
    def lmax(self) -> int:
        """Largest degree with any profile."""
        ...

    def count(self, degree: int) -> int:
        """Number of profiles of this angular degree, 0 beyond ``lmax``."""
        ...

    def __call__(self, degree: int, r: Tensor) -> Tensor:
        """The profiles of this angular degree at ``r``.

        Args:
            degree: the angular degree J >= 0.
            r: real, >= 0, any shape.
        Returns:
            ``(count(degree), *r.shape)`` in the dtype of ``r``, differentiable in ``r``, with
            finite gradients at 0.
        Raises:
            ValueError: if ``degree`` is negative or ``r`` is not real.
        """
        ...


class Profiles:
    """What the families share: the checks, and no profiles beyond ``lmax``.

    A family defines ``_count`` and ``_values`` for degrees 0 <= J <= ``lmax``.
    """

    lmax: int

    def count(self, degree: int) -> int:
        """Number of profiles of this angular degree, 0 beyond ``lmax``."""
        check_integer(degree, "degree", 0)
        return self._count(degree) if degree <= self.lmax else 0

    def __call__(self, degree: int, r: Tensor) -> Tensor:
        """The profiles of this angular degree at ``r``.

        Args:
            degree: the angular degree J >= 0.
            r: real, >= 0, any shape.
        Returns:
            ``(count(degree), *r.shape)`` in the dtype of ``r``.
        Raises:
            ValueError: if ``degree`` is negative or ``r`` is not real.
        """
        if not r.is_floating_point():
            raise ValueError(f"r: expected a real tensor, got {r.dtype}")
        if self.count(degree) == 0:
            return r.new_zeros(0, *r.shape)
        return self._values(degree, r)

    def _count(self, degree: int) -> int:
        raise TypeError(f"{type(self).__name__} does not say how many profiles it has")

    def _values(self, degree: int, r: Tensor) -> Tensor:
        raise TypeError(f"{type(self).__name__} does not define its profiles")


def column(numbers: Sequence[float], r: Tensor) -> Tensor:
    """The numbers as a tensor that broadcasts against another from the left.

    Args:
        numbers: of any length.
        r: the other tensor, which gives dtype and device.
    Returns:
        ``(len(numbers), 1, ..., 1)``.
    """
    return r.new_tensor(numbers).reshape(-1, *r.ndim * [1])


def cut_off(value: Tensor, r: Tensor, radius: float) -> Tensor:
    """Values of profiles, and 0 beyond the radius; NaN stays NaN.

    Args:
        value: of the profiles at ``r``.
        r: radii.
        radius: where the profiles end.
    Returns:
        A tensor of the shape of ``value``.
    """
    return torch.where(r > radius, 0, value)


def complete(instance: object, **values: object) -> None:
    """Set fields of a frozen dataclass, in its ``__post_init__``.

    Args:
        instance: of the dataclass.
        values: by the names of the fields.
    """
    for name, value in values.items():
        object.__setattr__(instance, name, value)


def capped(lmax: int | None, largest: int) -> int:
    """The largest degree of a family.

    Args:
        lmax: what the user asks for; None for all that there is.
        largest: what there is.
    Returns:
        The smaller of the two.
    """
    if lmax is None:
        return largest
    check_integer(lmax, "lmax", 0)
    return min(lmax, largest)


def positive(name: str, value: float) -> float:
    """A number > 0 as a float.

    Args:
        name: of the argument.
        value: the argument.
    Returns:
        The number.
    Raises:
        ValueError: if it is none, or infinite.
    """
    if not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"{name}: expected a number > 0, got {value!r}")
    return float(value)
