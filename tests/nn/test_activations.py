"""Pointwise functions by the names of torch.nn; their equivariance is in tests/laws."""

import copy
import inspect
import math
import pickle

import pytest
import torch
from torch import nn

from equinet import nn as enn
from equinet import testing
from equinet.field import Plane, Point, Sphere
from tests.tolerances import SINGLE, assert_close

CASES = [
    ("ReLU", {}),
    ("ReLU", {"inplace": True}),
    ("LeakyReLU", {}),
    ("LeakyReLU", {"negative_slope": -0.3}),
    ("LeakyReLU", {"negative_slope": 0.2, "inplace": True}),
    ("ELU", {}),
    ("ELU", {"inplace": True}),
    ("ELU", {"alpha": 2.0}),
    ("GELU", {}),
    ("GELU", {"approximate": "tanh"}),
    ("SiLU", {}),
    ("SiLU", {"inplace": True}),
    ("Sigmoid", {}),
    ("Softplus", {}),
    ("Softplus", {"beta": 3.0, "threshold": 1.0}),
    ("Tanh", {}),
]


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_it_is_torchs(name, options, generator):
    """The same numbers, the same module to export, the same arguments in the same order."""
    ours, torchs = getattr(enn, name), getattr(nn, name)
    module = ours(Plane("C4").fields("1x trivial + 1x regular"), **options)
    x = 3 * torch.randn(2, 5, 4, 4, generator=generator)
    given, expected = x.clone(), torchs(**options)(x.clone())
    y = module(given)
    assert torch.equal(y, expected) and torch.equal(module.export()(x.clone()), expected)
    if options.get("inplace"):
        assert y.data_ptr() == given.data_ptr()
    else:
        assert torch.equal(given, x)
    assert repr(module.export()) == repr(torchs(**options))
    assert type(module.export()) is torchs and not module.state_dict()
    if "__init__" in vars(torchs):  # else it takes none
        own, expected = (inspect.signature(kind).parameters for kind in (ours, torchs))
        pairs = [(p.name, p.default) for p in expected.values()]
        assert [(p.name, p.default) for p in own.values()][1:] == pairs


def test_which_fields():
    """Only tanh is odd."""
    signs = Point("O(3)", dim=3).fields("2x0o")
    with pytest.raises(TypeError, match="^in_type: expected a FieldType, got str"):
        enn.ReLU("2x0")  # pyright: ignore
    for name in {name for name, _ in CASES} - {"Tanh"}:
        with pytest.raises(ValueError, match=r"^function: .* odd function"):
            getattr(enn, name)(signs)
        with pytest.raises(ValueError, match="^in_type: a pointwise function acts on values"):
            getattr(enn, name)(Plane("SO(2)").fields("1x1"))
        with pytest.raises(TypeError, match="^in_type: expected a FieldType, got str"):
            getattr(enn, name)("2x0")
    assert enn.Tanh(signs).out_type == signs


def test_arguments_out_of_range():
    h = Plane("C4").fields("1x regular")
    wrong = [
        (enn.LeakyReLU, "negative_slope", [math.nan, math.inf, None, True, "0.1"]),
        (enn.ELU, "alpha", [math.nan, None, torch.ones(2)]),
        (enn.GELU, "approximate", ["tan", None, True, 0]),
        (enn.Softplus, "beta", [0, -1.0, math.nan]),
        (enn.Softplus, "threshold", [math.nan, None]),
    ]
    for kind, name, values in wrong:
        for value in values:
            with pytest.raises(ValueError, match=f"^{name}: expected "):
                kind(h, **{name: value})
    for kind in (enn.ReLU, enn.LeakyReLU, enn.ELU, enn.SiLU, enn.Dropout):
        for value in (1, None, "yes"):
            with pytest.raises(TypeError, match="^inplace: expected True or False, got"):
                kind(h, inplace=value)


IN_PLACE = [enn.ReLU, enn.LeakyReLU, enn.ELU, enn.SiLU, enn.Dropout]


@pytest.mark.parametrize("kind", IN_PLACE)
def test_in_place(kind, generator):
    """The same numbers and derivatives, in a network and alone, and what torch refuses."""
    h = Plane("C4").fields("2x regular")
    x = torch.randn(h.shape(2, 5, 5), generator=generator)
    results = []
    for inplace in (False, True):
        conv = enn.Conv2d(h, h, 3, generator=torch.Generator().manual_seed(0))
        net = enn.Sequential(conv, enn.BatchNorm(h), kind(h, inplace=inplace), conv)
        torch.manual_seed(0)
        y = net(x)
        y.square().sum().backward()
        results.append(torch.cat([y.flatten(), conv.weight.grad.flatten()]).detach())
    assert_close(*results, SINGLE)  # some derivatives are computed from the result
    module = kind(h, inplace=True)
    again = pickle.loads(pickle.dumps(copy.deepcopy(module)))
    for one in (module, again):
        given = x.clone()
        assert one(given) is given and not torch.equal(given, x)
    torch.manual_seed(0)
    expected = kind(h)(x)
    torch.manual_seed(0)
    assert torch.equal(torch.vmap(module, randomness="same")(x.clone()[None])[0], expected)
    with pytest.raises(RuntimeError, match="leaf Variable"):
        module(x.clone().requires_grad_())


@pytest.mark.compile
@pytest.mark.parametrize("kind", IN_PLACE)
def test_in_place_through_compile_and_export(kind, generator):
    """They write over the input too."""
    h = Plane("C4").fields("2x regular")
    module = kind(h, inplace=True).eval()
    x = torch.randn(h.shape(2, 5, 5), generator=generator)
    expected = kind(h).eval()(x)
    compiled = torch.compile(module, fullgraph=True, dynamic=True, backend="aot_eager")
    program = torch.export.export(module, (x.clone(),)).module()
    for one in (compiled, program, module.export()):
        given = x.clone()
        assert torch.equal(one(given), expected) and torch.equal(given, expected)


def test_in_place_on_the_sphere(generator):
    """Behind a spherical convolution, whose transform keeps nothing of its output."""
    h = Sphere(3).fields("2x trivial")
    x, gradients = torch.randn(h.shape(1), generator=generator), []
    for inplace in (False, True):
        conv = enn.SphereConv(h, h, generator=torch.Generator().manual_seed(0))
        nn.Sequential(conv, enn.ReLU(h, inplace=inplace), conv)(x).square().sum().backward()
        gradients.append([p.grad for p in conv.parameters()])
    assert all(map(torch.equal, *gradients))


def test_an_input_that_is_needed_again_must_not_be_overwritten(generator):
    """Negative control: the sum of a residual changes."""
    h = Plane("C4").fields("2x regular")
    x = torch.randn(h.shape(2, 5, 5), generator=generator)
    right, wrong = (enn.Residual(enn.ReLU(h, inplace=flag)) for flag in (False, True))
    assert not torch.equal(right(x), wrong(x.clone()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_checks_measure_a_layer_before_the_next_one_writes_over_it(dtype, generator):
    """The layer before it is measured by its own output: a plain one here, which is wrong."""
    h, found = Plane("C4").fields("2x vector + 2x trivial"), []
    lone = Plane("C4").fields("6x trivial")
    for inplace in (False, True):
        torch.manual_seed(0)
        broken = enn.Typed(nn.Conv2d(6, 6, 3), h, lone)
        net = enn.Sequential(broken, enn.ReLU(lone, inplace=inplace)).to(dtype)
        found.append(testing.report(net, sizes=(7, 7)))
        testing.assert_equivariant(enn.ReLU(lone, inplace=inplace))
    assert [layer.error for layer in found[0].layers] == [layer.error for layer in found[1].layers]
    assert found[0].layers[0].error > 0.1
