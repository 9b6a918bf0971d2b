"""The groups and representations that the laws are tried on; for modules see ``module_cases``."""

import torch

from equinet import so2, so3
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
