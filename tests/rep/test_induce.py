"""Induced representations: Frobenius reciprocity, transitivity, functions on cosets."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equinet.group import (
    axial,
    cosets,
    cyclic,
    dihedral,
    direct_product,
    inversion,
    o2,
    o3,
    octahedral,
    point_group,
    so2,
    so3,
    subgroup_classes,
    symmetric,
    trivial_group,
)
from equinet.rep import (
    direct_sum,
    hom,
    induce,
    irrep,
    irreps,
    quotient,
    regular,
    restrict,
    tensor_product,
    trivial,
)
from tests.rep.families import FINITE, SMALL
from tests.rep.test_decompose import sums
from tests.tolerances import SYMMETRY, assert_close

F64 = torch.float64

# Groups and subgroups of finite index of the continuous groups.
LIE_PAIRS = [
    (o2(), so2()),
    (o3(), so3()),
    (axial("Cinfv"), axial("Cinf")),
    (axial("Cinfh"), axial("Cinf")),
    (axial("Dinf"), axial("Cinf")),
    (axial("Dinfh"), axial("Cinf")),
    (axial("Dinfh"), axial("Cinfh")),
    (axial("Dinfh", (1.0, 2.0, 2.0)), axial("Cinfv", (1.0, 2.0, 2.0))),
    (direct_product(so2(), cyclic(4)), direct_product(so2(), cyclic(2))),
]
every_pair = pytest.mark.parametrize(("group", "smaller"), LIE_PAIRS, ids=str)


@st.composite
def subgroups(draw, groups=SMALL):
    group = draw(st.sampled_from(groups))
    return group, draw(st.sampled_from(subgroup_classes(group)))


def brute_force(rho, group, g):
    """rho(r_i^-1 g r_j) where that lies in H, block by block."""
    r, d = cosets(group, rho.group).representatives, rho.dim
    out = torch.zeros(len(r) * d, len(r) * d, dtype=F64)
    for i, left in enumerate(r):
        for j, right in enumerate(r):
            h = left.mT @ g @ right
            if rho.group.contains(h):
                out[i * d : (i + 1) * d, j * d : (j + 1) * d] = rho(h)
    return out


@given(st.data())
def test_the_matrices(data):
    group, smaller = data.draw(subgroups())
    rho = data.draw(sums([smaller], most=2))
    found = induce(rho, group)
    assert found.dim == rho.dim * group.order // smaller.order
    assert found.name == f"induced({smaller.name},any)"
    for g in group.elements[:: max(1, group.order // 6)]:
        assert_close(found(g), brute_force(rho, group, g), SYMMETRY)


@every_pair
def test_the_matrices_for_continuous_groups(group, smaller, generator):
    for psi in irreps(smaller, 1):
        rho = irrep(smaller, psi.name)
        found = induce(rho, group)
        assert found.dim == rho.dim * len(cosets(group, smaller))
        for g in group.sample(3, generator=generator):
            assert_close(found(g), brute_force(rho, group, g), SYMMETRY)


@settings(max_examples=12)
@given(subgroups([group for group in FINITE if group.order <= 60]))
def test_frobenius_reciprocity(pair):
    """Hom_G(Ind psi, chi) and Hom_H(psi, Res chi) have one dimension, for all psi and chi."""
    group, smaller = pair
    for psi in irreps(smaller):
        if psi.dim * group.order <= 64 * smaller.order:
            inside = irrep(smaller, psi.name)
            induced = induce(inside, group)
            for chi in irreps(group):
                whole = irrep(group, chi.name)
                assert len(hom(induced, whole)) == len(hom(inside, restrict(whole, smaller)))


@every_pair
def test_frobenius_reciprocity_for_continuous_groups(group, smaller):
    for psi in irreps(smaller, 1):
        inside = irrep(smaller, psi.name)
        induced = induce(inside, group)
        for chi in irreps(group, 1 if " x " in group.name else 2):
            whole = irrep(group, chi.name)
            assert len(hom(induced, whole)) == len(hom(inside, restrict(whole, smaller)))


@given(subgroups([group for group in FINITE if group.order <= 60]))
def test_induced_from_trivial_is_the_quotient(pair):
    """The same matrices: functions on the cosets, in their order."""
    group, smaller = pair
    if group.order <= 48 * smaller.order:
        induced = induce(trivial(smaller), group)
        g = group.elements
        assert_close(induced(g), quotient(group, smaller)(g), SYMMETRY)
        assert induced.is_permutation


@pytest.mark.parametrize("group", [g for g in FINITE if g.order <= 12], ids=str)
def test_induced_from_the_trivial_group_is_regular(group):
    induced = induce(trivial(trivial_group(group.n)), group)
    assert_close(induced(group.elements), regular(group)(group.elements), SYMMETRY)


@settings(max_examples=10)
@given(st.data())
def test_in_steps(data):
    """Ind_H^G Ind_K^H = Ind_K^G, up to the order of the cosets."""
    group, middle = data.draw(subgroups())
    smaller = data.draw(st.sampled_from(subgroup_classes(middle)))
    psi = data.draw(st.sampled_from(irreps(smaller)))
    rho = irrep(smaller, psi.name)
    steps, at_once = induce(induce(rho, middle), group), induce(rho, group)
    assert steps.multiplicities == at_once.multiplicities


def test_in_steps_for_continuous_groups():
    small, middle, group = axial("Cinf"), axial("Cinfv"), axial("Dinfh")
    for psi in irreps(small, 1):
        rho = irrep(small, psi.name)
        steps, at_once = induce(induce(rho, middle), group), induce(rho, group)
        assert steps.multiplicities == at_once.multiplicities


@settings(max_examples=10)
@given(st.data())
def test_sums_and_products(data):
    """Ind(a + b) = Ind a + Ind b, and Ind(psi (x) Res chi) = Ind psi (x) chi."""
    group, smaller = data.draw(subgroups([g for g in SMALL if g.order <= 12]))
    psi = irrep(smaller, data.draw(st.sampled_from(irreps(smaller))).name)
    chi = irrep(group, data.draw(st.sampled_from(irreps(group))).name)
    both = induce(direct_sum(psi, restrict(chi, smaller)), group)
    apart = direct_sum(induce(psi, group), induce(restrict(chi, smaller), group))
    assert both.multiplicities == {p: n for p, n in apart.multiplicities.items()}
    left = induce(tensor_product(psi, restrict(chi, smaller)), group)
    right = tensor_product(induce(psi, group), chi)
    assert left.multiplicities == right.multiplicities


def test_known_cases():
    """From SO(2) to O(2) frequencies stay; from SO(3) to O(3) both parities come."""
    assert induce(irrep(so2(), 0), o2()).name == "induced(SO(2),0)"
    assert [p.name for p in induce(irrep(so2(), 0), o2()).irreps] == ["0e", "0o"]
    assert [p.name for p in induce(irrep(so2(), 3), o2()).irreps] == ["3", "3"]
    assert [p.name for p in induce(irrep(so3(), 2), o3()).irreps] == ["2e", "2o"]
    # The six faces of a cube: A1 + E + T1, and the permutations of four things.
    faces = induce(trivial(point_group("C4")), octahedral())
    assert [p.name for p in faces.irreps] == ["A1", "E", "T1"]
    group = symmetric(4)
    fixing = type(group)(4, group.elements[group.elements[:, 3, 3] == 1], "S3 in S4")
    assert [p.name for p in induce(trivial(fixing), group).irreps] == ["[4]", "[3,1]"]


def test_dtype_and_batch(generator):
    rho = induce(irrep(cyclic(4), 1), dihedral(4))
    g = dihedral(4).sample(2, 3, generator=generator)
    assert rho(g).shape == (2, 3, 4, 4) and rho(g.float()).dtype == torch.float32
    assert rho(g[:0]).shape == (0, 3, 4, 4)


def test_bad_subgroups():
    with pytest.raises(ValueError, match=r"^subgroup: expected a subgroup of O, got Ci"):
        induce(trivial(inversion(3)), octahedral())
    message = r"^subgroup: expected a subgroup of finite index in SO\(3\), got O"
    with pytest.raises(ValueError, match=message):
        induce(trivial(octahedral()), so3())
    with pytest.raises(ValueError, match=r"of finite index in SO\(3\), got Cinf"):
        induce(trivial(axial("Cinf")), so3())
    with pytest.raises(ValueError, match=r"of finite index in O\(3\), got Dinfh"):
        induce(trivial(axial("Dinfh")), o3())
