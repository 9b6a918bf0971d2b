"""The law Phi(g f) = g Phi(f) for elements that map a grid to itself, and fields to try it on."""

import torch

from equinet import Line, Plane, Point, Points, Volume
from equinet.field import act, random_field
from equinet.rep import Representation, irreps
from tests.tolerances import SYMMETRY, assert_close

F64 = torch.float64

# Grids with all their symmetries, odd and even, and spaces without a grid.
TYPES = [
    Line("O(1)").fields("2x trivial + 1x vector + 1x regular"),
    Plane("C4").fields("2x trivial + 2x regular + 1x vector"),
    Plane("D4").fields("2x trivial + 1x regular + 2x vector"),
    Volume("O").fields("2x trivial + 1x quotient(C4) + 1x vector + 1x E"),
    Volume("Oh").fields("2x A1g + 2x T1u + 1x Eg"),
    Point("SO(3)", dim=3).fields("3x0 + 2x1 + 1x2"),
    Points("O(3)", dim=3).fields("2x0e + 1x0o + 2x1o"),
]
GRIDS = TYPES[:5]
PERMUTED = [
    Line("O(1)").fields("2x trivial + 1x regular"),
    Plane("D4").fields("2x trivial + 1x regular + 1x quotient(C2)"),
    Volume("O").fields("2x trivial + 1x quotient(C4)"),
]


def field(in_type, size=5, batch=2, generator=None, dtype=F64):
    """Smooth noise; ``size`` along every axis of a grid."""
    axes = len(in_type.space.axes(in_type.blocks))
    sizes = (size,) * axes or None
    return random_field(in_type, batch, sizes=sizes, generator=generator, dtype=dtype)


def elements(in_type, generator):
    """Some of H that map every grid to itself, generators and one more; without a grid any."""
    group = in_type.space.group
    if group.is_finite:
        return torch.cat([group.generators, group.elements[-1:]])
    return group.sample(2, generator=generator)


def assert_equivariant(module, x, generator=None):
    """To rounding, for each of the elements; x is moved there, and the result from here."""
    in_type, out_type = module.in_type, module.out_type
    y = module(x)
    assert y.numel() and y.abs().max() > 1e-3
    for g in elements(in_type, generator):
        moved = module(act(in_type, g, x))
        assert_close(moved, y if out_type is None else act(out_type, g, y), SYMMETRY)


def skew(group):
    """A representation that is not orthogonal."""
    psis = tuple(irreps(group, 1)[:2])
    dim = sum(psi.dim for psi in psis)
    Q = torch.eye(dim, dtype=F64) + torch.ones(dim, dim, dtype=F64).triu(1)
    return Representation(group, "skew", psis, Q)
