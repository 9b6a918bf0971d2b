"""What the laws are tried on: a new class adds a line here and inherits the suite of its noun."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch

from equinet import FieldType, Sphere, nn, so2, so3
from equinet.group import Group
from equinet.rep import Irrep, Representation, irrep, trivial, vector
from equinet.steerable import smooth

GROUPS: list[Group] = [so2(), so3()]

IRREPS: list[Irrep] = [Irrep(group, frequency) for group in GROUPS for frequency in range(5)]

REPRESENTATIONS: list[Representation] = [
    rho
    for group in GROUPS
    for rho in (
        trivial(group),
        vector(group),
        irrep(group, 3),
        Representation(group, "sum", (Irrep(group, 2), Irrep(group, 0), Irrep(group, 1))),
    )
]

# Functions on the sphere, functions on SO(3), and spin-weighted fields.
FIELDS = ("2x trivial", "2x regular", "2x0 + 1x1 + 1x2", "2x1", "1x3")
FUNCTIONS = ("2x trivial", "2x regular")


@dataclass(frozen=True)
class ModuleCase:
    """A module of ``equinet.nn``, at any band.

    Attributes:
        make: the module with its input sampled at the given band; parameters are seeded.
        exact: whether it commutes with G to rounding; else the error is one of sampling.
        band: a small one, at which all its fields have degrees.
        traced: whether it goes through torch.compile and torch.export too, which takes seconds; a
            case whose graph is like that of another one need not.
    """

    name: str
    make: Callable[[int], torch.nn.Module]
    exact: bool
    band: int
    traced: bool = True

    def __str__(self) -> str:
        return self.name

    def __call__(self) -> torch.nn.Module:
        """The module at its small band."""
        return self.make(self.band)


def _fields(text: str, band: int) -> FieldType:
    return Sphere(band).fields(text)


def _small_band(*texts: str) -> int:
    return 1 + max(int(order) for text in texts for order in re.findall(r"x(\d)", f"{text} x1"))


def _conv(text_in: str, text_out: str, filter=None, up: int = 0, traced=True) -> ModuleCase:
    def make(band: int) -> torch.nn.Module:
        generator = torch.Generator().manual_seed(0)
        types = _fields(text_in, band), _fields(text_out, band + up)
        return nn.SphereConv(*types, filter, generator=generator)

    kind = "" if filter is None else f"{type(filter).__name__}, "
    band = _small_band(text_in, text_out) - min(up, 0)
    return ModuleCase(f"SphereConv({kind}{text_in} -> {text_out})", make, True, band, traced)


def _one_type(
    kind: Callable[..., torch.nn.Module], text: str, exact: bool, *args, traced: bool = True
) -> ModuleCase:
    return ModuleCase(
        f"{kind.__name__}({text})",
        lambda band: kind(_fields(text, band), *args),
        exact,
        _small_band(text),
        traced,
    )


def _network(band: int) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(0)
    x, h = _fields("2x trivial", band), _fields("3x regular", band - 1)
    return nn.Sequential(
        nn.SphereConv(x, h, generator=generator),
        nn.BatchNorm(h),
        nn.ReLU(h),
        nn.SphereConv(h, h, smooth(), generator=generator),
        nn.Integrate(h),
        torch.nn.LayerNorm(3),
    )


MODULES: list[ModuleCase] = [
    _conv("2x trivial", "2x regular"),
    _conv("2x regular", "2x regular", up=-1),
    _conv("2x trivial", "2x trivial"),
    _conv("2x1", "2x0 + 1x1 + 1x2", smooth(), traced=False),
    _conv("2x0 + 1x1 + 1x2", "2x1", up=1),
    _conv("2x1", "1x3"),
    _conv("1x3", "2x trivial", traced=False),
    _conv("2x regular", "2x1"),
    *[_one_type(nn.BatchNorm, text, True, traced=text not in ("2x1", "1x3")) for text in FIELDS],
    *[
        _one_type(nn.Pointwise, text, False, torch.tanh, traced=i == 0)
        for i, text in enumerate(FUNCTIONS)
    ],
    *[_one_type(nn.ReLU, text, False) for text in FUNCTIONS],
    *[_one_type(nn.Integrate, text, True) for text in FUNCTIONS],
    *[_one_type(nn.GlobalMaxPool, text, False) for text in FUNCTIONS],
    ModuleCase("Sequential(a small network)", _network, False, 3),
]
