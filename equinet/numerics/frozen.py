"""Values that stay as they are: the tensors that they hand out are copies.

A tensor can be changed in place by whoever holds it, and groups, representations and kernels are
remembered for the whole process: a change of one would be seen everywhere, by values that compare
equal as well. So a frozen value keeps its tensors to itself, as ``_name``, and its public ``name``
gives a copy. Code of the class itself reads ``_name`` where a copy would cost too much.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from equinet.numerics.cached import on_cpu

T = TypeVar("T")


def copied(value: T) -> T:
    """The value with copies of all tensors in it, however deep in tuples, lists and dicts.

    Args:
        value: anything; what is neither a tensor nor one of these is handed on.
    Returns:
        A value of the same kind.
    """
    found: Any = value
    if isinstance(value, Tensor):
        found = value.clone()
    elif type(value) is tuple:
        found = tuple(map(copied, value))
    elif type(value) is list:
        found = list(map(copied, value))
    elif isinstance(value, dict):
        found = {key: copied(one) for key, one in value.items()}
    return found


_copied_without_modes = on_cpu(copied)


def _handed_out(value: T) -> T:
    """A copy, with numbers also in a mode that makes none, such as FakeTensorMode."""
    return (copied if type(torch.empty(0)) is Tensor else _copied_without_modes)(value)


def hands_out_copies(*names: str) -> Callable[[type[T]], type[T]]:
    """Of a dataclass: what is given for these fields is copied, and so is what they give.

    Args:
        names: of the fields.
    Returns:
        The decorator of the class.
    """

    def decorate(cls: type[T]) -> type[T]:
        for name in names:
            setattr(cls, name, _copies_of(f"_{name}"))
        return cls

    return decorate


def _copies_of(held: str) -> property:
    def give(value: object) -> object:
        return _handed_out(getattr(value, held))

    def take(value: object, given: object) -> None:
        object.__setattr__(value, held, copied(given))

    return property(give, take)


class constant(property):  # noqa: N801 - a decorator, as property is
    """A property of a frozen value: computed once, outside of every mode, and given as a copy."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        held, make = f"_{function.__name__}", on_cpu(function)

        def give(value: object) -> object:
            if not hasattr(value, held):
                object.__setattr__(value, held, make(value))
            return _handed_out(getattr(value, held))

        super().__init__(give, doc=function.__doc__)
