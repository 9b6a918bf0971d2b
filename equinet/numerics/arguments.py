"""Checks of plain numbers that users give. Before: ``membership``. Next: ``constants``."""

import math
from typing import Any

import torch


def check_integer(argument: str, value: Any, least: int = 1) -> None:
    """Raise ValueError unless ``value`` is an integer, and no truth value, of at least ``least``.

    A symbolic size, of a program that is traced, passes.
    """
    if isinstance(value, torch.SymInt):
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{argument}: expected an integer >= {least}, got {value!r}")


def check_number(argument: str, value: Any, least: float = 0.0) -> None:
    """Raise ValueError unless ``value`` is a finite number of at least ``least``."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not least <= value < math.inf:
        raise ValueError(f"{argument}: expected a finite number >= {least:g}, got {value!r}")
