"""Pointwise functions by the names of torch.nn; their equivariance is in tests/laws."""

import inspect
import math

import pytest
import torch
from torch import nn

from equinet import nn as enn
from equinet.field import Plane, Point

CASES = [
    ("LeakyReLU", {}),
    ("LeakyReLU", {"negative_slope": -0.3}),
    ("ELU", {}),
    ("ELU", {"alpha": 2.0}),
    ("GELU", {}),
    ("GELU", {"approximate": "tanh"}),
    ("SiLU", {}),
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
    assert torch.equal(module(x), torchs(**options)(x))
    assert repr(module.export()) == repr(torchs(**options))
    assert type(module.export()) is torchs and not module.state_dict()
    if "__init__" in vars(torchs):  # else it takes none
        own, expected = (inspect.signature(kind).parameters for kind in (ours, torchs))
        pairs = [(p.name, p.default) for p in expected.values() if p.name != "inplace"]
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
    with pytest.raises(TypeError, match="inplace"):
        enn.SiLU(h, inplace=True)  # pyright: ignore
