"""The checker never calls a module equivariant that it could not measure, and says why."""

import math

import pytest
import torch

from equinet import Plane, Point, Points, Sphere
from equinet.nn import Linear, Typed
from equinet.testing import assert_equivariant, certificate, equivariance_error, report

SPACES = {
    "plane": Plane("C4").fields("1x trivial"),
    "sphere": Sphere(2).fields("1x trivial"),
    "point": Point("SO(3)", dim=3).fields("2x0"),
    "points": Points("SO(3)", dim=3).fields("2x0"),
}
every_space = pytest.mark.parametrize("x", SPACES.values(), ids=SPACES)


class Maps(torch.nn.Module):
    """A function as a module between equal types."""

    def __init__(self, x, function):
        super().__init__()
        self.in_type = self.out_type = x
        self.function = function

    def forward(self, x):
        return self.function(x)


class Sometimes(torch.nn.Module):
    """NaN at the third call only: in an output for a moved field."""

    def __init__(self, x):
        super().__init__()
        self.in_type = self.out_type = x
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x * (math.nan if self.calls == 3 else 1.0)


@every_space
def test_what_cannot_be_measured_is_refused(x):
    wrong = {
        "NaN": (lambda y: y * math.nan, ValueError, "finite"),
        "infinite": (lambda y: y / 0, ValueError, "finite"),
        "one NaN": (lambda y: torch.where(y == y.max(), math.nan, y), ValueError, "finite"),
        "zero": (lambda y: 0 * y, ValueError, "vanishes"),
        "complex": (lambda y: y + 1j, TypeError, "real tensor, got torch.complex"),
        "a pair": (lambda y: (y, y), TypeError, "real tensor, got tuple"),
        "nothing": (lambda y: None, TypeError, "real tensor, got NoneType"),
    }
    for check in (assert_equivariant, equivariance_error, certificate, report):
        for what, (function, error, message) in wrong.items():
            with pytest.raises(error, match=f"^module: .*{message}"):
                check(Maps(x, function))
                pytest.fail(f"{check.__name__} took {what}")
    with pytest.raises(ValueError, match="^module: .*finite"):
        assert_equivariant(Sometimes(x))


@every_space
def test_what_draws_random_numbers_fails(x):
    with pytest.raises(AssertionError, match="not equivariant"):
        assert_equivariant(Maps(x, torch.rand_like))


def test_a_module_that_writes_into_its_input_is_seen_through():
    """Clamping one of two components in place: the second run would find nothing to clamp."""
    x = Point("SO(2)", dim=2).fields("1x1")

    def clamp(y):
        y[:, 0] = y[:, 0].clamp(min=0)
        return y

    with pytest.raises(AssertionError):
        assert_equivariant(Maps(x, lambda y: clamp(y.clone())))
    with pytest.raises(AssertionError):
        assert_equivariant(Maps(x, clamp))
    given = equivariance_error(Maps(x, clamp)), equivariance_error(Maps(x, lambda y: clamp(+y)))
    assert torch.equal(given[0].errors, given[1].errors) and given[0].max > 0.1


ARGUMENTS = {
    "count": (0, -1, 2.0, True, None, "3"),
    "batch": (0, -2, 1.5, True, "2"),
    "seed": (-1, 0.5, None),
    "smoothness": (-1.0, math.nan, math.inf, "2", True),
    "exact": (1, "yes"),
    "elements": (torch.eye(2), torch.zeros(0, 2, 2), [[1]]),
    "tolerance": (math.nan, -1.0, math.inf, "1e-3", True),
    "arguments": ([1], 3),
    "out_type": ("1x trivial", 3),
    "in_type": ("1x trivial", 3),
    "module": (None, lambda x: x),
    "scales": ((0,), (1.5,)),
}
TAKES = {
    equivariance_error: "count batch seed smoothness exact elements arguments out_type in_type",
    assert_equivariant: "count batch seed smoothness exact tolerance arguments out_type in_type",
    report: "count batch seed smoothness arguments out_type in_type scales",
    certificate: "seed arguments out_type in_type",
}


@pytest.mark.parametrize("check", TAKES, ids=lambda check: check.__name__)
def test_arguments_are_refused_by_name(check):
    x = SPACES["plane"]
    for name in TAKES[check].split():
        for value in ARGUMENTS[name]:
            with pytest.raises((TypeError, ValueError), match=f"^{name}: expected"):
                check(Maps(x, torch.tanh), **{name: value})
                pytest.fail(f"{name}={value!r} was taken")
    name = "model" if check is report else "module"
    for value in ARGUMENTS["module"]:
        with pytest.raises(TypeError, match=f"^{name}: expected a torch.nn.Module"):
            check(value, x)


def test_right_modules_still_pass():
    x = SPACES["point"]
    assert assert_equivariant(Linear(x, x).double(), tolerance=0.5, batch=1, count=1).max < 1e-10


class Inside(torch.nn.Module):
    """Layers of which one gives a tuple, or that run as the input decides."""

    def __init__(self, x, kind):
        super().__init__()
        self.in_type = self.out_type = x
        self.first, self.second, self.kind = Linear(x, x), Linear(x, x), kind
        self.pair = Typed(Maps(x, lambda y: (y, y)), x, None)

    def forward(self, x):
        y = self.first(x)
        if self.kind == "pair":
            return self.pair(y)[0]
        return self.second(y) if x.flatten()[0] > 0 else self.first(y)


def test_the_report_names_the_layer_that_it_cannot_follow():
    x = Plane("C4").fields("1x vector")
    with pytest.raises(TypeError, match="^module.pair.module: expected it to return a real"):
        report(Inside(x, "pair"))
    with pytest.raises(ValueError, match="^module: expected the same layers to run for moved"):
        report(Inside(x, "choice"))
