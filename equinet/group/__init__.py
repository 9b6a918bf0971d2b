"""Who acts: compact groups whose elements are orthogonal matrices."""

from equinet.group.axial_groups import Axial, axial
from equinet.group.double_coset import DoubleCosets, double_cosets
from equinet.group.finite import FiniteGroup
from equinet.group.generation import generate
from equinet.group.group import Group, is_subgroup
from equinet.group.named import named_group
from equinet.group.permutation import (
    alternating,
    automorphisms,
    permutation_group,
    symmetric,
)
from equinet.group.planar import cyclic, dihedral, inversion, trivial_group
from equinet.group.point import icosahedral, octahedral, point_group, tetrahedral
from equinet.group.product import ProductGroup, direct_product, semidirect_product
from equinet.group.rotations_2d import O2, SO2, o2, so2
from equinet.group.rotations_3d import O3, SO3, o3, so3
from equinet.group.sections import Section, orbit_section, section
from equinet.group.subgroups import (
    Cosets,
    conjugacy_classes,
    cosets,
    find_subgroup,
    subgroup,
    subgroup_classes,
)

__all__ = [
    "O2",
    "O3",
    "SO2",
    "SO3",
    "Axial",
    "Cosets",
    "DoubleCosets",
    "FiniteGroup",
    "Group",
    "ProductGroup",
    "Section",
    "alternating",
    "automorphisms",
    "axial",
    "conjugacy_classes",
    "cosets",
    "cyclic",
    "dihedral",
    "direct_product",
    "double_cosets",
    "find_subgroup",
    "generate",
    "icosahedral",
    "inversion",
    "is_subgroup",
    "named_group",
    "o2",
    "o3",
    "octahedral",
    "orbit_section",
    "permutation_group",
    "point_group",
    "section",
    "semidirect_product",
    "so2",
    "so3",
    "subgroup",
    "subgroup_classes",
    "symmetric",
    "tetrahedral",
    "trivial_group",
]
