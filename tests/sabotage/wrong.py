"""Values that an argument cannot have, by the kind of a sound one, and what came of them.

A call with such a value must refuse it by name. Where it does not, the value was taken silently,
and that is right only if it can be read in one way alone: see ``WELCOME``.
"""

from __future__ import annotations

import math
import re
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from equinet.learning import Flow, HessianSplit
from equinet.transforms import Graph
from tests.sabotage.calls import Call
from tests.tolerances import SINGLE

SECONDS = 10.0  # beyond that a call hangs
MEMORY = 4 * 2**30  # bytes that no call may take
GOOD = {"refused", "passed on", "the same", "possible"}

# What an error may name besides the parameters: the parts of what a parameter is made of.
PARTS = {
    *("multiplicity", "representation", "blocks", "fields", "irrep", "spacing", "group", "name"),
    *("sizes", "batch", "in_type", "out_type", "elements", "generators", "band", "degree"),
    *("permutation", "ensemble", "x", "grid"),
}
NAMED = re.compile(r"^(?:module \S+ \(\w+\): |\w+: (?=\w+: ))?([A-Za-z_+*]\w*)")


class Wrong(NamedTuple):
    """A value that is not what is asked for.

    Attributes:
        value: it.
        kind: "wrong"; "negative" of numbers; "text" and "number" of names; "fractions" of a
            sequence; "nan", "infinite", "complex" and "real" of a tensor, "cut" of one with a
            shorter last axis, "axes" of one with more; "large", which is right where it takes
            neither time nor memory; "alike", which stands for the sound value, and must then lead
            to the same result, as "axes" must.
    """

    value: Any
    kind: str = "wrong"


def _wrong(*values: Any) -> st.SearchStrategy[Wrong]:
    return st.sampled_from([Wrong(value) for value in values])


NEGATIVE = st.integers(max_value=-1).map(lambda n: Wrong(n, "negative"))
LARGE = st.sampled_from([10**6, 10**12]).map(lambda n: Wrong(n, "large"))
NO_INTEGERS = _wrong(math.nan, math.inf, 2.5, "3", "\u0663", None, True, (), [1.0], 1j, b"1")
BETWEEN = st.floats().filter(lambda x: not x.is_integer()).map(Wrong)
INTEGERS = NO_INTEGERS | NEGATIVE | LARGE | BETWEEN | st.text(max_size=5).map(Wrong)
FLOATS = _wrong(math.nan, math.inf, -math.inf, "1.0", None, (), 1j, b"1", object())
FLOATS |= st.just(Wrong(-1.0, "negative"))
TEXTS = st.sampled_from(["nonsense", "C\u0663", "O2)", "x" * 5000, "", "\0", " "])
STRINGS = (TEXTS | st.text(max_size=6)).map(lambda text: Wrong(text, "text"))
STRINGS |= _wrong(b"C4", ["C4"], 2.5, None) | st.just(Wrong(7, "number"))
SEQUENCES = _wrong(None, "33", 2.5, math.nan, ("a",), (None,), {1: 2}, object())
SEQUENCES |= st.just(Wrong((1.5,), "fractions"))
SEQUENCES |= st.just(Wrong((-1, -1, -1), "negative"))
ANYTHING = _wrong(None, "nonsense", 4, 2.5, math.nan, (), object(), np.zeros(3), {})


def wrong(value: Any) -> st.SearchStrategy[Wrong] | None:
    """Values that stand for no ``value`` of this kind; None for flags, and where all is welcome."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, Tensor):
        return st.sampled_from(list(_spoilt(value)))
    kinds = ((int, INTEGERS), (float, FLOATS), (str, STRINGS), (tuple | list | range, SEQUENCES))
    return next((found for kind, found in kinds if isinstance(value, kind)), ANYTHING)


def _spoilt(x: Tensor) -> Iterator[Wrong]:
    """Tensors like ``x`` but for one thing, and what is no tensor."""
    yield from map(Wrong, (None, "x", 1j, math.nan, (), x.to_sparse()))
    yield from (Wrong(same, "alike") for same in (x.tolist(), x.numpy()))
    yield Wrong(x[None, None, None], "axes")
    if not x.is_complex():
        yield Wrong(x.to(torch.complex64), "complex")
    for dtype in {torch.bool, torch.int64, torch.float64} - {x.dtype}:
        other = x.to(dtype) if not x.is_complex() else x.abs().to(dtype)
        kind = "real" if x.is_complex() and dtype == torch.float64 else "wrong"
        yield Wrong(other, "alike" if torch.equal(other.to(x.dtype), x) else kind)
    if x.is_floating_point():
        yield Wrong(torch.full_like(x, math.nan), "nan")
        yield Wrong(torch.full_like(x, math.inf), "infinite")
    if x.dtype == torch.int64:
        yield from (Wrong(-1 - x, "negative"), Wrong(x + 10**6, "large"))
    if x.dim() and x.shape[-1] > 1:
        yield Wrong(x[..., :-1], "cut")


# --- what came of it ------------------------------------------------------------------------------


class HangingError(Exception):
    """A call that takes too long."""


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Bound time and memory; in the main thread, where signals arrive."""

    def stop(*_: object) -> None:
        raise HangingError

    before = signal.signal(signal.SIGALRM, stop)
    bounds = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, bounds[1]))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, bounds)


def outcome(
    call: Call, argument: str, value: Any, kind: str = "wrong", seconds: float = SECONDS
) -> tuple[str, str]:
    """How the call met the value, one of ``GOOD`` or not, and the text."""
    try:
        with _limited(seconds):
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
    if kind in ("alike", "axes") and _alike(result, call()):
        return "the same", ""
    if kind == "large":
        return "possible", ""
    if _shows(value, result):
        return "passed on", ""
    return "taken silently", type(result).__name__


def _alike(result: Any, sound: Any) -> bool:
    """Whether the results are equal, but for axes of size 1."""
    if isinstance(sound, Tensor):
        shapes = [[n for n in y.shape if n != 1] for y in (result, sound)]
        result = result.flatten().to(sound.dtype)
        return shapes[0] == shapes[1] and torch.allclose(
            result, sound.flatten(), rtol=SINGLE, atol=SINGLE, equal_nan=True
        )
    if isinstance(sound, tuple | list):
        return len(result) == len(sound) and all(map(_alike, result, sound))
    if isinstance(sound, dict):
        return list(result) == list(sound) and all(_alike(result[key], sound[key]) for key in sound)
    if isinstance(sound, torch.nn.Module):  # which have no equality either
        return repr(result) == repr(sound) and _alike(result.state_dict(), sound.state_dict())
    if isinstance(sound, Flow | Graph | HessianSplit):  # they have tensors, and no equality
        return _alike(vars(result), vars(sound))
    return bool(result == sound)


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


# Taken, and rightly: by the callable (all that begins so), the argument and the kind ("" for all),
# with the reason.
WELCOME: dict[tuple[str, str, str], str] = {
    ("", "argument", ""): "It is what the caller calls his argument, for the message.",
    ("", "seed", ""): "Every integer is a seed.",
    ("s2_fft", "spin", "negative"): "A spin may be negative.",
    ("equiangular", "start", "negative"): "A longitude may be west.",
    ("gauss", "start", "negative"): "A longitude may be west.",
    ("Sample", "longitude_start", "negative"): "A longitude may be west.",
    ("Rings", "name", "text"): "Rings may be called anything.",
    ("s2_ifft", "spin", "negative"): "A spin may be negative.",
    ("Representation", "name", "text"): "A representation may be called anything.",
    ("automorphisms", "name", "text"): "A group may be called anything.",
    ("RadialNetwork", "basis", "number"): "It is the number of Gaussians, for one version more.",
    ("irrep", "name", "number"): "The degree of an irrep of SO(3) is its name.",
    ("Irrep", "name", "number"): "The degree of an irrep of SO(3) is its name.",
    ("axial", "axis", "negative"): "An axis may point anywhere.",
    ("FieldType.split", "x", ""): "It makes views, of numbers of any kind.",
    ("EquivariantModule.check", "x", ""): "It looks at the shape; what is not finite passes on.",
    ("act", "x", "cut"): "The sizes of a grid are open.",
    ("resample", "x", "cut"): "The sizes of a grid are open.",
    ("point_group", "axis", "negative"): "An axis may point anywhere.",
    ("wigner_d", "beta", "cut"): "It takes any number of angles.",
    ("legendre", "cosine", "cut"): "It takes any number of cosines.",
    ("angular_harmonics", "points", "cut"): "It serves the line, the plane and space.",
    ("points_to_angles", "points", "infinite"): "A point at infinity lies in a direction.",
    ("s2_fft", "signal", "complex"): "A signal may be complex.",
    ("so3_fft", "signal", "complex"): "A signal may be complex.",
    ("s2_ifft", "spectrum", "real"): "A spectrum may be real.",
    ("so3_ifft", "spectrum", "real"): "A spectrum may be real.",
    ("GaussianShells", "radii", "fractions"): "A shell may have any radius.",
    ("resample", "coordinates", "axes"): "The points of a sample may have any number of axes.",
    ("Ensemble", "seeds", "negative"): "Every integer is a seed.",
    ("Ensemble.", "x", "cut"): "What they take, the networks say.",
    ("gradient_flow", "x", "cut"): "What they take, the networks say.",
    ("hessian_split", "x", "cut"): "What it takes, the network says.",
    ("Laplace.__call__", "", "infinite"): "The kernel of points far apart is 0.",
    ("hinge", "margin", "infinite"): "A sample with an infinite margin costs nothing.",
    ("soft_hinge", "margin", "infinite"): "A sample with an infinite margin costs nothing.",
    ("hinge", "margin", "cut"): "It takes any number of samples.",
    ("soft_hinge", "margin", "cut"): "It takes any number of samples.",
    ("square", "margin", "cut"): "It takes any number of samples.",
    ("relu", "x", "cut"): "It takes any number of numbers.",
    ("satisfied", "margin", ""): "The answer is no for what is not a number above 1.",
    ("violations", "margins", "nan"): "What is not a number is violated.",
    ("violations", "margins", "infinite"): "An infinite margin is satisfied.",
    ("violations", "margins", "cut"): "It takes any number of samples.",
    ("voxelize", "values", "cut"): "The number of channels is open.",
    ("Potential", "shifts", "negative"): "An energy may have either sign.",
    ("Potential", "scales", "negative"): "A scale may have either sign.",
    ("Potential", "shifts", "fractions"): "An energy may be any number.",
    ("Potential", "scales", "fractions"): "A scale may be any number, and one serves all species.",
    ("farthest_points", "positions", "cut"): "It serves the line, the plane and space.",
    ("voxel_points", "positions", "cut"): "It serves the line, the plane and space.",
    ("Graph", "cells", "negative"): "A neighbour may be in any cell.",
    (".forward", "edges", "cut"): "The number of edges is open.",
    (".forward", "x", "cut"): "The sizes of a grid are open, and the number of points.",
    (".forward", "input", "cut"): "The sizes of a grid are open, and the number of points.",
    ("ELU", "alpha", "negative"): "A factor may be negative.",
    ("LeakyReLU", "negative_slope", "negative"): "A slope may be negative.",
    ("LayerScale", "init", "negative"): "A factor may be negative.",
    ("Softplus", "threshold", "negative"): "Where the function becomes linear may lie anywhere.",
    ("FieldDropout", "x", "alike"): "It drops other fields each time.",
    ("DropPath", "x", "alike"): "It drops other samples each time.",
    ("Sigmoid", "x", "infinite"): "The function has limits.",
    ("Tanh", "x", "infinite"): "The function has limits.",
    ("_vouched", "x", "infinite"): "What is vouched for may have limits.",
    ("squash", "n", "cut"): "It takes any number of norms.",
    ("to_winds", "x", "cut"): "The axes of points are open.",
    ("to_polarisation", "x", "cut"): "The axes of points are open.",
    ("from_torch_harmonics", "coefficients", "cut"): "Orders from some m on may be left out.",
    ("from_torch", "example", "nan"): "Its shape alone matters.",
    ("from_torch", "example", "infinite"): "Its shape alone matters.",
    ("from_torch", "example", "cut"): "The sizes of a grid are open.",
    ("Sample.nearest", "", ""): "It takes values of any kind.",
    ("rotate_randomly", "signal", "alike"): "It draws another rotation each time.",
    ("rotate_randomly", "signal", "axes"): "It draws another rotation each time.",
}


def is_welcome(call: Call, argument: str, kind: str) -> bool:
    return any(
        (call.name.startswith(name) or call.name.endswith(name))
        and key in ("", argument)
        and of in ("", kind)
        for name, key, of in WELCOME
    )


def spoilt(calls: tuple[Call, ...]) -> st.SearchStrategy[tuple[Call, str, Wrong]]:
    """A call, one of its arguments, and a wrong value for it."""
    pairs = [
        (call, argument, values)
        for call in calls
        for argument, sound in call.arguments.items()
        if (values := wrong(sound)) is not None
    ]
    drawn = st.sampled_from(pairs).flatmap(
        lambda pair: st.tuples(st.just(pair[0]), st.just(pair[1]), pair[2])
    )
    return drawn.filter(lambda case: not _is_sound(*case))


def _is_sound(call: Call, argument: str, wrong: Wrong) -> bool:
    optional = wrong.value is None and argument in call.optional
    return optional or is_welcome(call, argument, wrong.kind)
