"""What the laws are tried on: a new class adds a line here and inherits the suite of its noun."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch

from equinet import FieldType, Sphere, nn, so2, so3
from equinet.group import (
    FiniteGroup,
    Group,
    alternating,
    axial,
    cyclic,
    dihedral,
    direct_product,
    generate,
    inversion,
    o2,
    o3,
    octahedral,
    point_group,
    semidirect_product,
    symmetric,
    trivial_group,
)
from equinet.rep import (
    Irrep,
    Representation,
    direct_sum,
    irrep,
    irreps,
    regular,
    tensor_product,
    trivial,
    vector,
)
from equinet.steerable import smooth

AXIAL = ("Cinf", "Cinfv", "Cinfh", "Dinf", "Dinfh")
TILTED = (1.0, -2.0, 0.5)  # an axis in no plane of symmetry
POINT = ("Ci", "C3h", "C5v", "D2h", "D6d", "S8", "T", "Td", "Th", "O", "Oh", "I", "Ih")


def quaternion_group() -> FiniteGroup:
    """Q8 on the quaternions R^4: multiplication by i and by j from the left."""
    i = [[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]]
    j = [[0, 0, -1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, -1, 0, 0]]
    return generate(torch.tensor([i, j], dtype=torch.float64), "Q8")


def generic_rotation() -> torch.Tensor:
    """A rotation about no axis of symmetry by no special angle."""
    angles = torch.tensor([0.4, 1.3, -2.2], dtype=torch.float64)
    return so3().element(*angles)


GROUPS: list[Group] = [
    *(so2(), so3(), o2(), o3()),
    *(axial(kind) for kind in AXIAL),
    *(axial(kind, TILTED) for kind in AXIAL),
    *(inversion(1), trivial_group(2), cyclic(3), cyclic(8), dihedral(1), dihedral(4), dihedral(5)),
    *(point_group(name) for name in POINT),
    point_group("D3", TILTED),
    octahedral().conjugate(generic_rotation()),
    *(symmetric(4), alternating(5), quaternion_group()),
    direct_product(cyclic(3), dihedral(2)),
    semidirect_product(cyclic(5), dihedral(1)),
    direct_product(o2(), cyclic(3)),
]


def _largest_degree(group: Group) -> int:
    """Of the irreps that are tried; finite groups have no choice."""
    return 4 if group in (so2(), so3()) else 2


IRREPS: list[Irrep] = [psi for group in GROUPS for psi in irreps(group, _largest_degree(group))]


def _in_another_basis(group: Group) -> Representation:
    """The last two irreps and the first, with a change of basis that is not orthogonal."""
    found = irreps(group, 1)
    psis = (*found[-2:], found[0])
    dim = sum(psi.dim for psi in psis)
    basis = torch.eye(dim, dtype=torch.float64) + torch.ones(dim, dim).triu(1) / dim
    return Representation(group, "skew", psis, basis)


REPRESENTATIONS: list[Representation] = [
    rho
    for group in GROUPS
    for rho in (
        trivial(group),
        vector(group),
        direct_sum(vector(group), trivial(group)),
        tensor_product(vector(group), irrep(group, irreps(group, 1)[-1].name)),
        regular(group) if group.is_finite else regular(group, 1),
        _in_another_basis(group),
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
