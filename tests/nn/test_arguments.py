"""Functions and numbers that a module is given: what does not fit is refused by name."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from equinet.field import Plane, Point, Volume
from equinet.nn.arguments import check_elementwise
from equinet.nn.gate import Gate
from equinet.nn.induced import InducedNormActivation
from equinet.nn.norm_activation import NormActivation, squash
from equinet.nn.pointwise import Pointwise

SPACE = Volume("O").fields("3x A1 + 1x T1")
# Each takes a function, under a name.
MAKERS = {
    "Pointwise": (lambda f: Pointwise(Plane("C4").fields("2x regular"), f), "function"),
    "Gate": (lambda f: Gate(SPACE, f), "function"),
    "its gate": (lambda f: Gate(Volume("O").fields("2x T1 + 1x E"), gate=f), "gate"),
    "NormActivation": (lambda f: NormActivation(SPACE, f), "function"),
    "InducedNormActivation": (lambda f: InducedNormActivation(SPACE, 1, f), "function"),
}
every_maker = pytest.mark.parametrize("maker", MAKERS)


class Ramp(nn.Module):
    """Looks at where a value is."""

    def forward(self, x):
        return x * torch.linspace(1, 2, x.shape[-1])


class Learned(nn.Module):
    """Begins as the identity for every channel, and is learned to be another function of each."""

    def __init__(self, channels):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        return x * self.factor.view(-1, *[1] * (x.dim() - 2))


KEPT = "a function that leaves its input as it is, .*"
ALONE = r"a function of each value alone, .* random, looks at other values, or tells places apart"
WRONG = [
    (3, TypeError, "a function, .*, got 3"),
    (None, TypeError, "a function, .*, got None"),
    (nn.ReLU, TypeError, r"a function, got the class ReLU; make a module of it, ReLU\(\)"),
    (lambda x: x > 0, TypeError, "a function to real numbers, .* to torch.bool"),
    (lambda x: x.sum().item(), TypeError, "a function to real numbers, .* to float"),
    (torch.fft.fft, TypeError, "a function to real numbers, .* to torch.complex64"),
    (torch.softmax, ValueError, "an elementwise function, .* which fails on .*dim"),
    (lambda x: x.nothing, ValueError, "an elementwise function, .* no attribute 'nothing'"),
    (nn.PReLU(77), ValueError, "an elementwise function, .* got PReLU.* which fails on .* 77"),
    (lambda x: x.sum(0), ValueError, "a function that keeps the shape"),
    (
        nn.ReLU(inplace=True),
        ValueError,
        KEPT + "inplace=False",
    ),
    (torch.sigmoid_, ValueError, KEPT + "the _ at the end"),
    (lambda x: x.softmax(0), ValueError, ALONE),
    (lambda x: x.cumsum(-1), ValueError, ALONE),
    (lambda x: x.sort(0).values, ValueError, ALONE),
    (lambda x: x.flip(-1), ValueError, ALONE),
    (lambda x: x - x.mean(), ValueError, ALONE),
    (lambda x: x.roll(1, 0), ValueError, ALONE),
    (nn.Dropout(0.5), ValueError, ALONE),
    (nn.RReLU(), ValueError, ALONE),
    (torch.rand_like, ValueError, ALONE),
    (Ramp(), ValueError, ALONE),
]


@every_maker
def test_what_is_no_elementwise_function(maker):
    make, name = MAKERS[maker]
    for function, error, text in WRONG:
        with pytest.raises(error, match=f"^{name}: expected {text}"):
            make(function)


@every_maker
def test_elementwise_functions_are_taken(maker):
    """The negative control of the check, also with values that are not numbers."""
    make, _ = MAKERS[maker]
    learned = [nn.PReLU(), Learned(1), nn.GELU(), nn.ReLU()]
    clipped = [lambda x: x.clamp(-1, 1), functional.hardswish, torch.log, torch.sqrt, lambda x: x]
    constant = [torch.ones_like, lambda x: 0 * x, lambda x: x.float()]
    for function in (torch.sin, squash, torch.abs, *learned, *clipped, *constant):
        state = torch.get_rng_state()
        make(function)
        assert torch.equal(torch.get_rng_state(), state)


def test_one_function_for_all_components_of_a_field():
    """A factor for each channel is right on scalars, and breaks fields that are permuted."""
    plane = Plane("C4")
    for function in (nn.PReLU(8), Learned(8), lambda x: x * torch.arange(8.0)[:, None, None]):
        Pointwise(plane.fields("8x trivial"), function)
        with pytest.raises(ValueError, match="^function: the group permutes .* got .* each chann"):
            Pointwise(plane.fields("2x regular"), function)
    each = torch.tensor([1.0, 2.0]).repeat_interleave(4)[:, None, None]
    Pointwise(plane.fields("2x regular"), lambda x: x * each)  # one a field
    Gate(SPACE, nn.PReLU(3))
    NormActivation(Plane("SO(2)").fields("4x1"), nn.PReLU(4))
    with pytest.raises(ValueError, match="^function: expected an elementwise .* got PReLU"):
        NormActivation(Plane("SO(2)").fields("4x1 + 2x2"), nn.PReLU(4))  # seen block by block


def test_a_learned_function_is_tried_with_other_numbers(generator):
    """Why: it begins with equal ones, and what it learns breaks the symmetry."""
    h = Point("C4", 2).fields("1x regular")
    function = Learned(4)
    x = torch.randn(5, 4, generator=generator)
    turned = x.roll(1, 1)
    assert torch.equal(function(turned), function(x).roll(1, 1))
    with torch.no_grad():
        function.factor[0] = 2.0
    assert not torch.equal(function(turned), function(x).roll(1, 1))
    with pytest.raises(ValueError, match="^function: the group permutes"):
        Pointwise(h, Learned(4))
    assert torch.equal(Learned(4).factor, torch.ones(4))  # and it is left as it was


def test_an_odd_function_stays_odd():
    """PReLU with slope 1 is odd, until it learns."""
    h = Point("C4", 2).fields("2x1 + 1x2")
    for function in (nn.PReLU(init=1.0), lambda x: x.abs(), nn.Softplus(), torch.sqrt):
        with pytest.raises(ValueError, match=r"^function: .* odd function"):
            Pointwise(h, function)
    for function in (torch.tanh, nn.Tanhshrink(), torch.asin, Learned(1)):
        Pointwise(h, function)


def test_on_torchs_devices_and_dtypes(default_dtype):
    with torch.device("meta"):
        Gate(SPACE, nn.PReLU(), nn.Sigmoid())
    default_dtype(torch.float64)
    Gate(SPACE, nn.PReLU(), nn.Sigmoid())
    Gate(SPACE, nn.PReLU().bfloat16())
    default_dtype(torch.bfloat16)
    check_elementwise(torch.tanh, "function", [3, 1], 2)


@pytest.mark.parametrize("eps", [0, -1e-3, 1e-20, math.nan, math.inf, 10**400, True, None, "1", 1j])
def test_epsilon_is_a_positive_number(eps):
    """And its square is above 0 in single precision, else a field that vanishes would be NaN."""
    for make, size in ((NormActivation, ()), (InducedNormActivation, (1,))):
        with pytest.raises(ValueError, match="^eps: expected a number > 1e-18, got "):
            make(SPACE, *size, eps=eps)


@pytest.mark.parametrize("bias", [1e-5, None, 1, "no"])
def test_a_bias_is_learned_or_not(bias):
    """A third number is not read as "learn it", such as an epsilon in the wrong place."""
    with pytest.raises(TypeError, match="^bias: expected True or False, got "):
        NormActivation(SPACE, torch.tanh, bias)


def test_the_smallest_epsilon():
    module = NormActivation(SPACE, torch.sigmoid, eps=1.1e-18)
    assert module(torch.zeros(SPACE.shape(1, 2, 2, 2))).isfinite().all()


def test_squash_takes_tensors():
    with pytest.raises(TypeError, match="^n: expected a real floating tensor, got float"):
        squash(3.0)  # pyright: ignore
