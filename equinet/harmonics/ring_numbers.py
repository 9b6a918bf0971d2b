"""The numbers that rings are made of: rows of them, checked, and how good their quadrature is."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from equinet.numerics.arguments import check_integer, check_number
from equinet.numerics.cached import on_cpu

_POLE = 1e-9  # the sine of an angle that counts as a pole
_ROUNDED = 1e-6  # radians, by which angles in single precision may be off


def check_longitude(value: object, argument: str) -> float:
    """The value, if it is an angle in radians of at most a whole turn.

    Args:
        value: anything.
        argument: what an error calls it.
    Raises:
        ValueError: if it is larger, as angles in degrees are, or no finite number.
    """
    angle = check_number(value, argument)
    if abs(angle) > 2 * math.pi + _ROUNDED:
        raise ValueError(
            f"{argument}: expected radians, at most 2 pi, got {angle:g}; if these are degrees, "
            f"{argument}=math.radians({angle:g})"
        )
    return angle


def floats(values: object, argument: str, size: int | None = None) -> tuple[float, ...]:
    """A row of finite numbers.

    Args:
        values: a row, an array or a tensor.
        argument: what an error calls it.
        size: how many there must be.
    Raises:
        TypeError: if it is no row of numbers.
        ValueError: if there are more or less, or one is not finite.
    """
    row = values.tolist() if isinstance(values, Tensor) else values
    if not isinstance(row, Iterable) or isinstance(row, str):
        raise TypeError(f"{argument}: expected a row of numbers, got {type(values).__name__}")
    try:
        found = tuple(float(value) for value in row)
    except (TypeError, ValueError):
        raise TypeError(f"{argument}: expected a row of numbers, got {values!r}") from None
    if size is not None and len(found) != size:
        raise ValueError(
            f"{argument}: expected a number for each of {size} rings, got {len(found)}"
        )
    if not all(map(math.isfinite, found)):
        raise ValueError(f"{argument}: expected finite numbers, got {ends(found)}")
    return found


def counts_of(values: object, size: int) -> tuple[int, ...]:
    """A number of points for each ring.

    Args:
        values: a row, an array or a tensor.
        size: the number of rings.
    Raises:
        ValueError: if it is no such row.
    """
    row = values.tolist() if isinstance(values, Tensor | np.ndarray) else values
    if not isinstance(row, Sequence) or len(row) != size:
        raise ValueError(
            f"counts: expected a number of points for each of {size} rings, got {values!r}"
        )
    return tuple(check_integer(count, "counts") for count in row)


def symmetric(beta: tuple[float, ...]) -> tuple[float, ...]:
    """The angles, exactly symmetric about the equator if they nearly are.

    Args:
        beta: from the north pole, in radians.
    """
    off = [a + b - math.pi for a, b in zip(beta, reversed(beta), strict=True)]
    if max(map(abs, off)) > _ROUNDED:
        return beta
    return tuple(a - both / 2 for a, both in zip(beta, off, strict=True))


@on_cpu
def measured_degree(
    beta: tuple[float, ...],
    weight: tuple[float, ...],
    counts: tuple[int, ...],
    is_uniform: bool,
    error: float,
) -> int:
    """The largest band for whose products of two fields the quadrature errs no more than that.

    Args:
        beta: angle of each ring from the north pole, in radians.
        weight: of each ring.
        counts: number of points of each ring.
        is_uniform: whether rings have one length and start.
        error: of the mean of a Legendre polynomial.
    Returns:
        The band, at least 1.
    """
    longitudes = min(
        (count + 1) / (2 * math.sin(b)) if math.sin(b) > _POLE else math.inf
        for b, count in zip(beta, counts, strict=True)
    )
    if is_uniform:
        longitudes = (counts[0] + 1) // 2
    most = int(min(longitudes, len(beta)))
    weights = torch.tensor(weight, dtype=torch.float64)
    cosine = torch.tensor(beta, dtype=torch.float64).cos()
    before, value = torch.zeros_like(cosine), torch.ones_like(cosine)
    for l in range(2 * most - 1):
        if abs(float(weights @ value) - (l == 0)) > error:
            return max(1, (l + 1) // 2)
        before, value = value, ((2 * l + 1) * cosine * value - l * before) / (l + 1)
    return max(1, most)


def ends(row: Sequence[float]) -> str:
    """How many there are, and the first and last of them.

    Args:
        row: numbers.
    """
    return f"{len(row)} from {row[0]:g} to {row[-1]:g}" if row else "none"
