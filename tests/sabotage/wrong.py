"""Values that an argument cannot have, by the kind of a sound one, and what came of them.

A call with such a value must refuse it by name. Where it does not, the value was taken silently,
and that is right only if it can be read in one way alone: see ``WELCOME``.
"""

from __future__ import annotations

import functools
import math
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

import equinet as eq
from equinet.group import Group
from equinet.rep import Irrep, Representation
from tests.sabotage.calls import Call

SECONDS = 10  # beyond that a call hangs

# What an error may name besides the parameters: the parts of what a parameter is made of.
PARTS = {
    *("multiplicity", "representation", "blocks", "fields", "irrep", "spacing", "group", "name"),
    *("sizes", "batch", "in_type", "out_type", "elements", "generators", "band", "degree"),
}
NAMED = re.compile(r"^(?:module \S+ \(\w+\): )?([A-Za-z_+*]\w*)")

# Not numbers of things, and not numbers.
INTEGERS = st.one_of(
    st.sampled_from([math.nan, math.inf, 2.5, "3", "\u0663", None, True, (), [1.0], 1j, b"1"]),
    st.integers(max_value=-1),
    st.floats(allow_nan=True).filter(
        lambda x: x != x or x != round(x) if math.isfinite(x) else True
    ),
    st.text(max_size=5),
)
FLOATS = st.sampled_from([math.nan, math.inf, -math.inf, "1.0", None, (), 1j, b"1", object()])
STRINGS = st.one_of(
    st.sampled_from(["", "nonsense", "C\u0663", "O2)", 7, b"C4", ["C4"], 2.5, "x" * 5000]),
    st.text(max_size=6),
)
ANYTHING = st.sampled_from([None, "nonsense", 4, 2.5, math.nan, (), object(), np.zeros(3), dict])
SEQUENCES = st.sampled_from([None, "33", 2.5, math.nan, (1.5,), ("a",), (None,), {1: 2}, (-1,) * 3])


def wrong(value: Any) -> st.SearchStrategy | None:
    """Values that stand for no ``value`` of this kind; None for flags, and where all is welcome."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return INTEGERS
    if isinstance(value, float):
        return FLOATS
    if isinstance(value, str):
        return STRINGS
    if isinstance(value, Tensor):
        return st.sampled_from(_spoilt(value))
    if isinstance(value, Group | Representation | Irrep | eq.FieldType):
        return ANYTHING
    if isinstance(value, tuple | list):
        return SEQUENCES
    return ANYTHING


def _spoilt(x: Tensor) -> list[Any]:
    """Tensors like ``x`` but for one thing, and what is no tensor."""
    found: list[Any] = [None, "x", 1j, math.nan, (), x.tolist(), x.numpy(), x.bool(), x.to_sparse()]
    found += [x[None, None, None], x.to(torch.complex64) if not x.is_complex() else x.abs().long()]
    if x.is_floating_point():
        found += [x.long(), torch.full_like(x, math.nan), torch.full_like(x, math.inf)]
    else:
        found += (
            [x.double(), -1 - x, x + 10**6] if not x.is_complex() and x.dtype != torch.bool else []
        )
    if x.dim() and x.shape[-1] > 1:
        found.append(x[..., :-1])
    return found


# --- what came of it ------------------------------------------------------------------------------


class HangingError(Exception):
    """A call that takes longer than ``SECONDS``."""


@contextmanager
def _limited() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise HangingError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def outcome(call: Call, argument: str, value: Any) -> tuple[str, str]:
    """How the call met the value, and the text: "refused" and "passed on" are good."""
    try:
        with _limited():
            result = call(**{argument: value})
    except HangingError:
        return "hangs", ""
    except (ValueError, TypeError) as error:
        text = str(error)
        found = NAMED.match(text)
        named = found and (found[1] in call.names | PARTS or found[1].startswith("*"))
        kind = "refused" if named and ":" in text else "without a name"
        return kind, f"{type(error).__name__}: {text}"
    except Exception as error:
        return "raw error", f"{type(error).__name__}: {error}"
    if _shows(value, result):
        return "passed on", ""
    return "taken silently", type(result).__name__


def _shows(value: Any, result: Any) -> bool:
    """Whether numbers that are none come out again, where everyone sees them."""
    if not isinstance(value, Tensor) or value.is_sparse or not value.is_floating_point():
        return False
    if value.isfinite().all():
        return False
    return any(not y.isfinite().all() for y in _tensors(result))


def _tensors(result: Any) -> list[Tensor]:
    if isinstance(result, Tensor):
        return [result]
    if isinstance(result, tuple | list):
        return [y for part in result for y in _tensors(part)]
    return [torch.tensor(result)] if isinstance(result, float) else []


# Taken, and rightly: by the callable (all that begins so) and the argument, with the reason.
WELCOME: dict[tuple[str, str], str] = {}


def is_welcome(call: Call, argument: str) -> bool:
    return any(call.name.startswith(name) and argument == key for name, key in WELCOME)


partial: Callable[..., Any] = functools.partial
