"""Fields over finite homogeneous spaces that the tests of both pictures are tried on."""

import torch
from hypothesis import strategies as st

from equinet.field import FieldType, HomogeneousSpace, random_field
from equinet.group import FiniteGroup, dihedral, octahedral, section, subgroup_classes, symmetric
from equinet.rep import irrep, irreps, regular, trivial
from tests.laws.cases import quaternion_group

GROUPS = {
    "D4": dihedral(4),
    "S4": symmetric(4),
    "O": octahedral(),
    "Q8": quaternion_group(),
}


def random_space(group: FiniteGroup, H: FiniteGroup, seed: int) -> HomogeneousSpace:
    """G/H with its points in any order and any element of each coset for s, but 1 for H."""
    generator = torch.Generator().manual_seed(seed)
    s = section(group, H)
    members = group.table[list(s.numbers)][:, s.inclusion]
    numbers = members.gather(1, torch.randint(H.order, (len(s), 1), generator=generator))[:, 0]
    numbers[s.base] = 0
    order = torch.randperm(len(s), generator=generator)
    return HomogeneousSpace(group, H, group.elements[numbers[order]])


def every_kind(space: HomogeneousSpace) -> FieldType:
    """Two scalars, a field of each irrep and a regular one."""
    H = space.fibre_group
    return space.fields(
        [(2, trivial(H)), *((1, irrep(H, psi.name)) for psi in irreps(H)), (1, regular(H))]
    )


@st.composite
def field_types(draw) -> FieldType:
    """Over G/H for any of the groups, any subgroup and any section, with every kind of field."""
    group = GROUPS[draw(st.sampled_from(sorted(GROUPS)))]
    H = draw(st.sampled_from(subgroup_classes(group)))
    return every_kind(random_space(group, H, draw(st.integers(0, 1000))))


def noise(field_type: FieldType, batch: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return random_field(field_type, batch, generator=generator, dtype=torch.float64)
