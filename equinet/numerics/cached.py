"""Constants that are remembered: on the CPU, whatever torch's default device is.

Next: ``constants``.

Under ``with torch.device("meta")`` a network is made without memory; the numbers that tell its
shape, those of groups and representations, must be there all the same, and must not be remembered
as numbers without a value.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch

F = TypeVar("F", bound=Callable[..., Any])


def on_cpu(function: F) -> F:
    """The function, with tensors that name no device made on the CPU."""

    @functools.wraps(function)
    def compute(*args, **kwargs):
        if torch.get_default_device().type == "cpu":
            return function(*args, **kwargs)
        with torch.device("cpu"):
            return function(*args, **kwargs)

    return compute  # pyright: ignore[reportReturnType]


def cached(size: int | None = None) -> Callable[[F], F]:
    """Remember the values of a pure function of hashable arguments, which is computed on the CPU.

    Args:
        size: how many values are remembered; None for all.
    """
    return lambda function: functools.lru_cache(maxsize=size)(on_cpu(function))  # pyright: ignore
