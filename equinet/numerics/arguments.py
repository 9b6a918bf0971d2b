"""What a caller may hand over: numbers in range, real tensors, sizes that fit into memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
import torch
from torch import Tensor

Size = int | Sequence[int]  # one for all axes, or one for each

_MOST = 2**31 - 1  # of what torch takes for a size, a stride or a padding
MEMORY = 2**30  # bytes that one table, basis or list of matrices may take


def is_row(value: object) -> TypeGuard[Sequence[Any]]:
    """Whether it is a list or tuple of things; text and bytes, which are sequences too, are not."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)


def per_axis(value: object, n: int) -> tuple[Any, ...]:
    """The entries of a row, or a single thing ``n`` times.

    Args:
        value: a row with an entry for each axis, or one thing for all of them.
        n: the number of axes.
    Returns:
        The entries; their number is not checked.
    """
    return tuple(value) if is_row(value) else (value,) * n


def is_integer(value: object, least: float = 1, most: float = math.inf) -> TypeGuard[int]:
    """Whether it is an integer in range, of Python or numpy; True and False are none.

    Args:
        value: anything.
        least: the smallest that counts.
        most: the largest that counts.
    Returns:
        True or False.
    """
    if isinstance(value, np.integer):
        value = int(value)
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether it is an integer or a float; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_integer(value: object, argument: str, least: float = 1, most: float = math.inf) -> int:
    """The value, if it is an integer in range.

    A symbolic size, of a program that is traced, passes.

    Args:
        value: anything.
        argument: what an error calls it.
        least: the smallest that is allowed.
        most: the largest that is allowed.
    Returns:
        The value, as an integer of Python.
    Raises:
        ValueError: if it is no such integer; True and False are none.
    """
    if isinstance(value, torch.SymInt):
        return value  # pyright: ignore[reportReturnType]
    if not is_integer(value, least, most):
        wanted = f">= {least}" if most == math.inf else f"from {least} to {most:,}"
        raise ValueError(f"{argument}: expected an integer {wanted}, got {value!r}")
    return int(value) if isinstance(value, np.integer) else value


def each(value: Size, n: int, argument: str, least: int = 1) -> tuple[int, ...]:
    """One integer for each axis, as layers of ``torch.nn`` take them.

    Args:
        value: one for all axes, or one for each.
        n: the number of axes.
        argument: its name, for the error.
        least: the smallest that is allowed.
    Returns:
        The integers, one for each axis.
    Raises:
        ValueError: if they are anything else.
    """
    values = per_axis(value, n)
    if len(values) != n or not all(is_integer(v, least) for v in values):
        raise ValueError(f"{argument}: expected {n} integers >= {least} or one, got {value!r}")
    if max(values) > _MOST:
        raise ValueError(f"{argument}: expected integers up to {_MOST:,}, got {value!r}")
    return values


def check_number(
    value: object, argument: str, least: float = -math.inf, above: float = -math.inf
) -> float:
    """The value as a float, if it is a number that torch can hold and in range; else ValueError.

    Args:
        value: anything.
        argument: what an error calls it.
        least: the smallest number that is allowed.
        above: a number below all that are allowed.
    Returns:
        The value as a float.
    Raises:
        ValueError: if it is no such number, infinite, or too large for torch's default dtype.
    """
    number = value if is_number(value) else math.nan
    largest = torch.finfo(torch.get_default_dtype()).max
    if not (least <= number and max(above, -largest) < number < largest):
        kind = f"number > {above:g}" if above > -math.inf else "finite number"
        kind += f" >= {least:g}" if least > -math.inf else ""
        raise ValueError(f"{argument}: expected a {kind}, got {value!r}")
    return float(number)


def check_flag(value: object, argument: str) -> bool:
    """The value; TypeError unless it is True or False.

    Args:
        value: anything.
        argument: what an error calls it.
    Returns:
        The value itself.
    Raises:
        TypeError: if it is no flag.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{argument}: expected True or False, got {value!r}")
    return value


def check_string(value: object, argument: str) -> str:
    """The value, if it is a string; else TypeError.

    Args:
        value: anything.
        argument: what an error calls it.
    Returns:
        The value itself.
    Raises:
        TypeError: if it is no string.
    """
    if not isinstance(value, str):
        raise TypeError(f"{argument}: expected a string, got {type(value).__name__}")
    return value


def check_choice(value: object, argument: str, choices: Sequence[str]) -> str:
    """The value, if it is one of these words; else ValueError.

    Args:
        value: anything.
        argument: what an error calls it.
        choices: the words, at least two.
    Returns:
        The value itself.
    Raises:
        ValueError: if it is none of them.
    """
    if not isinstance(value, str) or value not in choices:
        *words, last = map(repr, choices)
        raise ValueError(f"{argument}: expected {', '.join(words)} or {last}, got {value!r}")
    return value


def check_generator(value: object, argument: str = "generator") -> None:
    """Raise TypeError unless it is a ``torch.Generator`` or None; a seed is none.

    Args:
        value: anything.
        argument: what an error calls it.
    Raises:
        TypeError: if it is neither.
    """
    if value is not None and not isinstance(value, torch.Generator):
        raise TypeError(
            f"{argument}: expected a torch.Generator, such as torch.Generator().manual_seed(0), or "
            f"None, got {value!r}"
        )


def check_memory(numbers: int, argument: str, what: str) -> None:
    """Raise ValueError if that many numbers of eight bytes are more than ``MEMORY``.

    Args:
        numbers: how many.
        argument: what an error names as the cause.
        what: they would make, for the error.
    Raises:
        ValueError: if they are too many.
    """
    if 8 * numbers > MEMORY:
        raise ValueError(
            f"{argument}: expected what fits into {MEMORY / 2**30:.0f} GiB, got {what}, which "
            f"takes {_gibibytes(8 * numbers)} GiB"
        )


def _gibibytes(size: int) -> str:
    """Of any length: a float has no room for 10^400 bytes."""
    size = -(-size // 2**30)
    return f"{size}" if size < 10**6 else f"10^{len(str(size)) - 1}"


def real_tensor(value: object, argument: str) -> Tensor:
    """The value, a tensor or nested lists of real numbers, in float64; else TypeError.

    Args:
        value: anything.
        argument: what an error calls it.
    Returns:
        float64, without a derivative.
    Raises:
        TypeError: if it is no dense tensor of real numbers, nor lists that make one.
    """
    if not isinstance(value, Tensor):
        try:
            value = torch.as_tensor(value, dtype=None if hasattr(value, "dtype") else torch.float64)
        except (TypeError, ValueError, RuntimeError, OverflowError):
            raise TypeError(
                f"{argument}: expected a tensor of real numbers, got {_short(value)}"
            ) from None
    if value.is_complex() or value.dtype == torch.bool or value.layout != torch.strided:
        got = value.dtype if value.layout == torch.strided else value.layout
        raise TypeError(f"{argument}: expected a tensor of real numbers, got {got}")
    return value.detach().double()


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 80 else type(value).__name__
