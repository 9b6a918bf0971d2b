"""What is remembered is made outside of every mode of torch, and serves outside of it."""

import functools

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from equinet.numerics.cached import cached, on_cpu


class Zeros(TorchFunctionMode):
    """A mode that changes values."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        value = function(*args, **(kwargs or {}))
        return value * 0 if isinstance(value, torch.Tensor) else value


class Doubled(TorchDispatchMode):
    """Another one, below autograd."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        value = function(*args, **(kwargs or {}))
        return value + value if isinstance(value, torch.Tensor) else value


def fake():
    return pytest.importorskip("torch._subclasses").FakeTensorMode()


def in_context(context):
    def run(function):
        with context():
            return function()

    return run


def in_transform(transform):
    def run(function):
        out = []

        def f(x):
            out.append(function())
            return x.sum()

        transform(f)
        return out[0]

    return run


X = torch.ones(2)
MODES = {
    "inference": in_context(torch.inference_mode),
    "no grad": in_context(torch.no_grad),
    "autocast": in_context(lambda: torch.autocast("cpu", torch.bfloat16)),
    "meta": in_context(lambda: torch.device("meta")),
    "fake": in_context(fake),
    "functions": in_context(Zeros),
    "dispatch": in_context(Doubled),
    "grad": in_transform(lambda f: torch.func.grad(f)(X)),
    "vmap": in_transform(lambda f: torch.func.vmap(f)(X)),
    "functionalize": in_transform(lambda f: torch.func.functionalize(f)(X)),
}
every_mode = pytest.mark.parametrize("run", MODES.values(), ids=MODES)


def powers(base):
    """Some powers, through a matrix product, which autocast would round to two digits."""
    row = torch.arange(1.0, 4.0)[:, None]
    return (row @ torch.full((1, 3), float(base))).diagonal() + torch.ones(3)


def is_plain(x):
    """Whether a tensor is what the function gives outside of every mode, also in a gradient."""
    if x.is_inference() or x.is_meta or type(x) is not torch.Tensor or "lvl" in repr(x):
        return False
    weight = torch.ones(3, requires_grad=True)
    (weight * x).sum().backward()
    return torch.equal(x, powers(0.1)) and torch.equal(weight.grad, x)


@every_mode
def test_what_is_cached_is_made_outside_of_every_mode(run):
    remembered = cached()(powers)
    run(lambda: remembered(0.1))
    assert is_plain(remembered(0.1))
    assert remembered.cache_info().misses == 1


def test_a_plain_cache_keeps_what_a_mode_made():
    """Negative control."""
    harmless = {"no grad", "vmap"}
    for name, run in MODES.items():
        remembered = functools.lru_cache(powers)
        run(lambda remembered=remembered: remembered(0.1))
        assert is_plain(remembered(0.1)) == (name in harmless), name


def test_errors_and_nested_calls():
    """An error comes through as it is; a function that calls another one shares its thread."""

    @on_cpu
    def inner(x):
        if x < 0:
            raise ValueError("x: expected a number >= 0")
        return x + 1

    @on_cpu
    def outer(x):
        return 2 * inner(x)

    assert outer(1) == 4
    with pytest.raises(ValueError, match="^x: expected"):
        outer(-1)
