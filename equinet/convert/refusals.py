"""Layers of other libraries that have no equal here: which they are, and what is nearest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from torch import nn

from equinet.numerics.pages import explained

ONE_BY_ONE = "hand over its layers one by one"


def kind_of(module: object, kinds: Iterable[str], packages: Sequence[str]) -> str | None:
    """Which of these classes of a library a module is of; None if of none.

    Args:
        module: anything.
        kinds: names of classes.
        packages: the names of the library's packages.
    Returns:
        The name of its class, or of the nearest above it.
    """
    known = set(kinds)
    for kind in type(module).__mro__:
        if kind.__module__.partition(".")[0] in packages and kind.__name__ in known:
            return kind.__name__
    return None


def refusal(
    module: object,
    expected: str,
    nearest: Mapping[str, str],
    converted: Iterable[str],
    packages: Sequence[str],
    argument: str = "module",
) -> TypeError:
    """The error for what is no layer that has an equal here, with what is nearest to it.

    Args:
        module: which came.
        expected: what was to come.
        nearest: for each class that is refused the end of a sentence.
        converted: the classes that are converted.
        packages: the names of the library's packages.
        argument: what the error calls it.
    Returns:
        To be raised.
    """
    kind = kind_of(module, nearest, packages)
    hint = "" if kind is None else f"; {nearest[kind]}"
    if isinstance(module, nn.Module) and hint in ("", f"; {ONE_BY_ONE}"):
        every = {*converted, *nearest}
        parts = [name for name, part in module.named_modules() if name]
        inside = [name for name in parts if kind_of(module.get_submodule(name), every, packages)]
        hint = f"; {ONE_BY_ONE}: {', '.join(inside[:5])}" if inside else hint
    got = kind if type(module).__name__.startswith("GraphModule") else type(module).__name__
    text = f"{argument}: expected {expected}, got {got}{hint}"
    return TypeError(explained(text, "guide/converters.md#what-has-no-equal"))
