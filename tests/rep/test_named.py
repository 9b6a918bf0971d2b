"""Representations by the names that field types use."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equinet.group import (
    axial,
    cosets,
    cyclic,
    dihedral,
    find_subgroup,
    o2,
    o3,
    octahedral,
    point_group,
    so2,
    so3,
    subgroup,
    symmetric,
)
from equinet.rep import (
    induce,
    irrep,
    irreps,
    named,
    quotient,
    regular,
    restrict,
    trivial,
    vector,
)
from tests.rep.families import FINITE, LIE, largest
from tests.tolerances import SYMMETRY, assert_close


@given(st.sampled_from([*FINITE, *LIE]))
def test_names_of_every_group(group):
    assert named(group, "trivial") == trivial(group)
    assert named(group, "vector") == vector(group)
    assert named(group, "regular") == regular(group)
    for psi in irreps(group, largest(group)):
        assert named(group, psi.name) == irrep(group, psi.name)


@given(st.sampled_from([group for group in LIE if " x " not in group.name]), st.integers(0, 3))
def test_regular_up_to_a_degree(group, lmax):
    rho = named(group, f"regular({lmax})")
    assert rho == regular(group, lmax) and rho.degree == lmax and rho.name == f"regular({lmax})"


@pytest.mark.parametrize("group", [so2(), so3()], ids=str)
def test_irreps_that_are_trivial_or_the_vectors(group):
    assert named(group, "0") == trivial(group) and named(group, "1") == vector(group)


def test_quotients():
    group = octahedral()
    threefold = find_subgroup(group, point_group("C3"))
    rho = named(group, "quotient(C3)")
    assert rho == quotient(group, threefold) and rho.dim == 8
    assert named(group, "quotient( C3 )") == rho
    assert named(group, "quotient(O)") == trivial(group)
    # As matrices: the trivial group is a subgroup whatever it is called.
    g = group.elements
    assert_close(named(group, "quotient(C1)")(g), regular(group)(g), SYMMETRY)
    assert named(dihedral(6), "quotient(D2)").dim == 3
    assert named(so3(), "quotient(Cinf,3)") == quotient(so3(), axial("Cinf"), 3)
    assert named(so3(), "quotient(O, 4)").dim == 1 + 9
    assert named(o2(), "quotient(SO(2),3)") == quotient(o2(), so2(), 3)
    assert named(point_group("m-3m"), "quotient(-43m)").dim == 2
    assert named(symmetric(3), "quotient(Cs)").dim == 3


def test_the_subgroup_in_the_standard_orientation_is_preferred():
    """C4 about z, not about the x axis that comes before it in some order."""
    rho = named(octahedral(), "quotient(C4)")
    about_z = point_group("C4")
    whole = cosets(octahedral(), about_z)
    assert rho == quotient(octahedral(), about_z) and rho.dim == len(whole)
    fixed = rho(about_z.elements)[:, 0, 0]
    assert_close(fixed, torch.ones(4), SYMMETRY)


def test_induced():
    group = octahedral()
    inside = find_subgroup(group, point_group("D3"))
    assert named(group, "induced(D3,E)") == induce(irrep(inside, "E"), group)
    assert named(group, "induced(D3, A1)").dim == 4
    assert named(o2(), "induced(SO(2),3)") == induce(irrep(so2(), 3), o2())
    assert named(o3(), "induced(SO(3),1)").multiplicities == {
        psi: 1 for name in ("1e", "1o") for psi in irrep(o3(), name).irreps
    }
    assert named(axial("Dinfh"), "induced(Cinf,E2)").dim == 8
    assert named(dihedral(4), "induced(C4,1)").dim == 4


@pytest.mark.parametrize(
    ("group", "name"),
    [
        (octahedral(), "quotient(D3)"),
        (octahedral(), "induced(D3,E)"),
        (dihedral(6), "quotient(C2)"),
        (so3(), "quotient(Cinf,3)"),
        (o2(), "induced(SO(2),3)"),
        (so2(), "regular(4)"),
        (octahedral(), "vector"),
        (symmetric(4), "[3,1]"),
        (so2(), "regular"),
    ],
)
def test_the_name_of_a_representation_finds_it_again(group, name):
    rho = named(group, name)
    assert rho.name == name and named(group, rho.name) == rho


@pytest.mark.parametrize(
    ("group", "name", "message"),
    [
        (so2(), "", r"^irrep: expected one of 0, 1, .* of SO\(2\), got ''"),
        (so2(), "Regular", r"of SO\(2\), got 'Regular'"),
        (so2(), "1e", r"got '1e'; did you mean 1"),
        (octahedral(), "T1g", r"^irrep: expected one of A1, .* got 'T1g'; did you mean T1"),
        (o3(), "1", r"got '1'; did you mean 1[eo]"),
        (
            so2(),
            "regular()",
            r"^representation: expected a largest degree, got '' in 'regular\(\)'",
        ),
        (so2(), "regular(x)", r"^representation: expected a largest degree, got 'x'"),
        (so2(), "regular(-1)", r"^representation: expected a largest degree, got '-1'"),
        (so3(), "quotient(Cinf,e)", r"^representation: expected a largest degree, got 'e' in"),
        (so3(), "quotient(Cinf)", r"^lmax: expected the largest degree, since SO\(3\)"),
        (octahedral(), "quotient(Q9)", r"^group: expected the name of a group, got 'Q9'"),
        (octahedral(), "quotient(C5)", r"expected a subgroup of O up to its orientation, got C5"),
        (octahedral(), "quotient()", r"^group: expected the name of a group, got ''"),
        (octahedral(), "induced(D3)", r"^representation: expected induced\(subgroup, irrep\), got"),
        (octahedral(), "induced(D3,T1)", r"^irrep: expected one of A1, A2, E of D3, got 'T1'"),
        (
            so3(),
            "induced(O,A1)",
            r"^subgroup: expected a subgroup of finite index in SO\(3\), got O",
        ),
        (octahedral(), "quotient(C4", r"^irrep: expected one of .* got 'quotient\(C4'"),
    ],
)
def test_names_that_are_none(group, name, message):
    with pytest.raises(ValueError, match=message):
        named(group, name)


@pytest.mark.parametrize("name", ["regular(2)", "quotient(C2,3)"])
def test_a_degree_means_nothing_for_a_finite_group(name):
    with pytest.raises(ValueError, match="degree"):
        named(cyclic(4), name)


def test_subgroups_by_hand():
    """What no name says: any subgroup and any irrep of it."""
    group = octahedral()
    smaller = subgroup(group, group.elements[5:6])
    rho = induce(trivial(smaller), group)
    assert rho.dim == group.order // smaller.order
    assert restrict(rho, smaller).dim == rho.dim
