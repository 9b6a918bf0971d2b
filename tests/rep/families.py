"""The groups on which the tests of representations are tried: some of every family."""

import math

import torch

from equinet.group import (
    FiniteGroup,
    Group,
    alternating,
    axial,
    cyclic,
    dihedral,
    direct_product,
    generate,
    icosahedral,
    inversion,
    o2,
    o3,
    octahedral,
    permutation_group,
    point_group,
    semidirect_product,
    so2,
    so3,
    symmetric,
    tetrahedral,
    trivial_group,
)
from equinet.numerics import angles_to_matrix

F64 = torch.float64


def _left(w: float, x: float, y: float, z: float) -> torch.Tensor:
    """Multiplication of quaternions by w + x i + y j + z k from the left, ``(4, 4)``."""
    rows = [[w, -x, -y, -z], [x, w, -z, y], [y, z, w, -x], [z, -y, x, w]]
    return torch.tensor(rows, dtype=F64)


def quaternion_group() -> FiniteGroup:
    """{1, -1, i, -i, j, -j, k, -k}, with one irrep of quaternionic type."""
    return generate(torch.stack([_left(0, 1, 0, 0), _left(0, 0, 1, 0)]), "Q8")


def dicyclic(n: int) -> FiniteGroup:
    """Of order 4 n, with quaternionic irreps of two complex dimensions."""
    c, s = math.cos(math.pi / n), math.sin(math.pi / n)
    return generate(torch.stack([_left(c, s, 0, 0), _left(0, 0, 1, 0)]), f"Dic{n}")


def binary_tetrahedral() -> FiniteGroup:
    """Of order 24, with irreps of all three types."""
    return generate(torch.stack([_left(0.5, 0.5, 0.5, 0.5), _left(0, 1, 0, 0)]), "2T")


def frobenius() -> FiniteGroup:
    """The maps x -> a x + b of Z_7 with a^3 = 1, of order 21: a complex pair of dimension 3."""
    return permutation_group(
        [(i + 1) % 7 for i in range(7)], [2 * i % 7 for i in range(7)], name="7:3"
    )


_TURN = angles_to_matrix(*torch.tensor([0.3, 1.1, -0.7], dtype=F64))

LINE = [trivial_group(1), inversion(1)]
PLANE = [
    *[cyclic(n) for n in (1, 3, 4, 8)],
    *[dihedral(n) for n in (1, 2, 5, 6)],
    dihedral(4).conjugate(so2().element(torch.tensor(0.4, dtype=F64))).renamed("D4 turned"),
]
SPACE = [
    trivial_group(3),
    inversion(3),
    *[point_group(name) for name in ("Cs", "C3h", "C4h", "C5v", "D2", "D3", "S4")],
    *[point_group(name) for name in ("D2h", "D3d", "D4d", "S8", "Td", "Th", "Oh")],
    tetrahedral(),
    octahedral(),
    icosahedral(),
    point_group("Ih"),
    octahedral().conjugate(_TURN).renamed("O turned"),
    point_group("D5", (1.0, 2.0, -0.5)).renamed("D5 about (1, 2, -1/2)"),
]
PERMUTATIONS = [*[symmetric(n) for n in (2, 3, 4, 5)], alternating(4), alternating(5)]
ABSTRACT = [
    quaternion_group(),
    dicyclic(3),
    binary_tetrahedral(),
    frobenius(),
    semidirect_product(cyclic(5), dihedral(1)),
    direct_product(cyclic(3), cyclic(4)),
    direct_product(cyclic(3), quaternion_group()),
    direct_product(dihedral(3), inversion(1)),
    direct_product(symmetric(3), symmetric(3)),
]
FINITE: list[FiniteGroup] = [*LINE, *PLANE, *SPACE, *PERMUTATIONS, *ABSTRACT]

# Small enough for loops over all pairs and triples of irreps.
SMALL: list[FiniteGroup] = [group for group in FINITE if group.order <= 24]

AXIAL = [axial(kind) for kind in ("Cinf", "Cinfv", "Cinfh", "Dinf", "Dinfh")]
LIE: list[Group] = [
    so2(),
    o2(),
    so3(),
    o3(),
    *AXIAL,
    axial("Dinfh", (1.0, 1.0, 0.3)),
    direct_product(so3(), cyclic(3)),
    direct_product(so2(), so2()),
    direct_product(so2(), quaternion_group()),
]


def largest(group: Group) -> int | None:
    """The degree up to which the irreps of a continuous group are tried; None for a finite one."""
    if group.is_finite:
        return None
    return {"SO(3)": 4, "O(3)": 3}.get(group.name, 2 if " x " in group.name else 4)
