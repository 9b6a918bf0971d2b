"""Any matrix representation is recovered; maps between two; restriction to subgroups."""

import itertools
import math
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from equinet.group import (
    axial,
    cyclic,
    dihedral,
    find_subgroup,
    icosahedral,
    o2,
    o3,
    octahedral,
    point_group,
    so2,
    so3,
    subgroup_classes,
    symmetric,
    tetrahedral,
)
from equinet.rep import (
    Irrep,
    Representation,
    correlation_table,
    decompose,
    direct_sum,
    hom,
    irrep,
    irreps,
    regular,
    restrict,
    vector,
)
from tests.rep.families import FINITE, LIE, SMALL, largest
from tests.tolerances import SYMMETRY, assert_close

F64 = torch.float64
GROUPS = [*FINITE, *LIE]


def random_matrix(dim: int, seed: int, orthogonal: bool) -> torch.Tensor:
    """Orthogonal, or with singular values between 1/2 and 2."""
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randn(2, dim, dim, generator=generator, dtype=F64)
    q, _ = torch.linalg.qr(a)
    if orthogonal:
        return q.contiguous()
    stretch = 2 ** (2 * torch.rand(dim, generator=generator, dtype=F64) - 1)
    return (q @ torch.diag(stretch) @ torch.linalg.qr(b)[0]).contiguous()


@st.composite
def sums(draw, groups, most=12):
    """A sum of irreps in any order, of a dimension up to 2 * most, in any basis."""
    group = draw(st.sampled_from(groups))
    found = [psi for psi in irreps(group, largest(group)) if psi.dim <= most]
    psis = draw(st.lists(st.sampled_from(found), min_size=1, max_size=5))
    while sum(psi.dim for psi in psis) > 2 * most:
        psis = psis[:-1]
    dim = sum(psi.dim for psi in psis)
    Q = random_matrix(dim, draw(st.integers(0, 2**32)), draw(st.booleans()))
    return Representation(group, "any", tuple(psis), Q)


# ------------------------------------------------------------------ decompose


def check_decomposition(rho, degree=None):
    found = decompose(rho.group, lambda g: rho(g), degree=degree)
    assert found.multiplicities == rho.multiplicities
    g = rho.group.sample(6, generator=torch.Generator().manual_seed(0))
    assert_close(found(g), rho(g), SYMMETRY)
    assert found.is_orthogonal == rho.is_orthogonal
    return found


@given(sums(FINITE))
def test_finite_groups(rho):
    check_decomposition(rho)


@settings(max_examples=12)
@given(sums(LIE))
def test_continuous_groups(rho):
    """With a known degree and without."""
    check_decomposition(rho, rho.degree)
    check_decomposition(rho)


@settings(max_examples=10)
@given(sums(GROUPS))
def test_the_order_is_that_of_the_irreps_and_does_not_depend_on_the_basis(rho):
    found = decompose(rho.group, lambda g: rho(g))
    order = [
        psi for psi in irreps(rho.group, max(largest(rho.group) or 0, 4)) if psi in found.irreps
    ]
    assert list(dict.fromkeys(found.irreps)) == order
    again = decompose(rho.group, lambda g: rho(g))
    assert again == found and torch.equal(found(rho.group.generators), again(rho.group.generators))


@pytest.mark.parametrize("degree", [5, 17, 32])
def test_the_degree_is_found(degree):
    check_decomposition(irrep(so2(), degree))
    if degree < 12:
        check_decomposition(irrep(o3(), f"{degree}o"))


def test_a_degree_beyond_the_bound():
    far = irrep(so2(), 40)
    message = r"^rho: expected a representation of SO\(2\) with irreps of degree at most 32, got"
    with pytest.raises(ValueError, match=message):
        decompose(so2(), far)
    assert decompose(so2(), far, degree=40).irreps == far.irreps
    with pytest.raises(ValueError, match=r"degree at most 3"):
        decompose(so2(), irrep(so2(), 4), degree=3)


def test_names():
    rho = direct_sum(
        irrep(octahedral(), "T1"), irrep(octahedral(), "A1"), irrep(octahedral(), "T1")
    )
    assert decompose(octahedral(), rho).name == "1xA1 + 2xT1"
    assert decompose(octahedral(), rho, name="mine").name == "mine"


@pytest.mark.parametrize(
    ("group", "what"),
    [
        (octahedral(), "turned round"),
        (dihedral(6), "turned round"),
        (so3(), "turned round"),
        (o2(), "turned round"),
        (octahedral(), "scaled"),
        (dihedral(6), "scaled"),
        (so3(), "scaled"),
        (o2(), "scaled"),
    ],
    ids=str,
)
def test_what_is_no_homomorphism(group, what):
    def wrong(g):
        return g.mT if what == "turned round" else g * g[..., :1, :1] ** 2

    message = r"^rho: expected rho\(gh\) = rho\(g\) rho\(h\), got an error of .* for g = \[\["
    with pytest.raises(ValueError, match=message):
        decompose(group, wrong)


def test_the_identity_must_act_by_one():
    for group in (octahedral(), so3()):
        with pytest.raises(ValueError, match=r"^rho: expected rho\(1\) = 1, got \[\["):
            decompose(group, lambda g: 2 * g)
    with pytest.raises(ValueError, match=r"^rho: expected rho\(1\) = 1, got \[\["):
        decompose(so3(), lambda g: g[..., :2, :])


@pytest.mark.parametrize("number", [5, 17, 37])
def test_what_is_no_homomorphism_at_one_element(number):
    """The sign of one rotation of the icosahedron is wrong."""
    group = icosahedral()
    wrong = torch.ones(group.order, 1, 1, dtype=F64)
    wrong[number] = -1
    with pytest.raises(ValueError, match=r"^rho: expected"):
        decompose(group, lambda g: wrong[group.index(g)])


# ------------------------------------------------------------------ hom


@given(st.data())
def test_hom(data):
    """They commute, are independent, and as many as int chi_in chi_out says."""
    group = data.draw(st.sampled_from(GROUPS))
    rho_in, rho_out = (data.draw(sums([group], most=8)) for _ in range(2))
    basis = hom(rho_in, rho_out)
    assert basis.shape[1:] == (rho_out.dim, rho_in.dim)
    g, weights = group.grid(rho_in.degree + rho_out.degree)
    count = weights @ (rho_in.character(g) * rho_out.character(g))
    assert_close(count, float(len(basis)), SYMMETRY)
    h = group.sample(5, generator=torch.Generator().manual_seed(1))[:, None]
    assert_close(rho_out(h) @ basis, basis @ rho_in(h), SYMMETRY)
    if len(basis):
        flat = basis.flatten(1)
        assert torch.linalg.matrix_rank(flat) == len(basis)


@given(sums(SMALL, most=4), st.integers(0, 100))
def test_hom_is_all_there_is(rho, seed):
    """Its span is the null space of rho_out(h) A - A rho_in(h) for the generators h."""
    other = Representation(rho.group, "other", rho.irreps[::-1], random_matrix(rho.dim, seed, True))
    one, rows = torch.eye(rho.dim, dtype=F64), []
    for h in rho.group.generators:
        rows.append(torch.kron(other(h), one) - torch.kron(one, rho(h).mT.contiguous()))
    values = torch.linalg.svdvals(torch.cat(rows))
    assert int((values < 1e-9).sum()) == len(hom(rho, other))


def test_hom_between_different_irreps_is_zero():
    a, b = irrep(octahedral(), "T1"), irrep(octahedral(), "T2")
    assert hom(a, b).shape == (0, 3, 3) and hom(a, a).shape == (1, 3, 3)
    assert hom(irrep(cyclic(5), 1), irrep(cyclic(5), 1)).shape == (2, 2, 2)
    with pytest.raises(
        ValueError, match=r"^rho_out: expected a representation of O, got one of SO"
    ):
        hom(a, irrep(so3(), 1))


# ------------------------------------------------------------------ restrict

CHAINS = [
    (o3(), so3(), icosahedral(), tetrahedral(), point_group("D2")),
    (o3(), axial("Dinfh"), axial("Dinf"), point_group("D6"), point_group("C3")),
    (so3(), axial("Cinf"), point_group("C4"), point_group("C2")),
    (o2(), so2(), cyclic(8), cyclic(4), cyclic(1)),
    (o2(), dihedral(6), dihedral(3), dihedral(1)),
    (point_group("Oh"), octahedral(), tetrahedral(), point_group("D2"), point_group("C2")),
]


@pytest.mark.parametrize("chain", CHAINS, ids=str)
def test_restriction_in_steps_is_restriction(chain, generator):
    """Res^G_K = Res^H_K Res^G_H: the same matrices, so the same irreps."""
    first = chain[0]
    for psi in irreps(first, 2):
        rho = irrep(first, psi.name)
        steps = rho
        for smaller in chain[1:]:
            steps, at_once = restrict(steps, smaller), restrict(rho, smaller)
            assert steps.group == smaller
            assert steps.multiplicities == at_once.multiplicities
            g = smaller.sample(4, generator=generator)
            assert_close(steps(g), psi(g), SYMMETRY)
            assert_close(at_once(g), psi(g), SYMMETRY)


@given(st.data())
def test_restriction_to_any_subgroup(data):
    """Multiplicities are int chi chi_psi / dim End(psi)."""
    group = data.draw(st.sampled_from(SMALL))
    smaller = data.draw(st.sampled_from(subgroup_classes(group)))
    rho = data.draw(sums([group], most=8))
    found = restrict(rho, smaller)
    g = smaller.elements
    assert_close(found(g), rho(g), SYMMETRY)
    for psi in irreps(smaller):
        count = (rho.character(g) * psi.character(g)).mean() / psi.ends
        assert_close(count, float(found.multiplicities.get(psi, 0)), SYMMETRY)


def test_restricting_to_the_group_itself_and_to_others():
    rho = vector(octahedral())
    assert restrict(rho, octahedral()) is rho
    turned = octahedral().conjugate(so3().generators[0])
    with pytest.raises(ValueError, match=r"^subgroup: expected a subgroup of O, got O"):
        restrict(rho, turned)
    with pytest.raises(ValueError, match=r"^subgroup: expected a subgroup of O, got I"):
        restrict(rho, icosahedral())
    with pytest.raises(ValueError, match=r"has no finite dimension"):
        restrict(regular(so3()), octahedral())


def test_crystal_field_splitting():
    """The degrees 0 to 4 in the octahedral and the icosahedral field, as in any book."""
    cubic = ["1xA1", "1xT1", "1xE + 1xT2", "1xA2 + 1xT1 + 1xT2", "1xA1 + 1xE + 1xT1 + 1xT2"]
    icosahedron = ["1xA", "1xT1", "1xH", "1xT2 + 1xG", "1xG + 1xH"]
    for l in range(5):
        assert restrict(irrep(so3(), l), octahedral()).name == cubic[l]
        assert restrict(irrep(so3(), l), icosahedral()).name == icosahedron[l]


@pytest.mark.parametrize(
    ("group", "smaller"), [("Td", "C2v"), ("I", "D5"), ("D6h", "C6v"), ("O", "D4")]
)
def test_correlation_tables_count(group, smaller):
    """By characters, element by element; names are checked against books elsewhere."""
    group = point_group(group)
    smaller = find_subgroup(group, point_group(smaller))
    table = correlation_table(group, smaller)
    assert list(table) == [psi.name for psi in irreps(group)]
    for name, parts in table.items():
        counts = Counter()
        for term in parts.split(" + "):
            digits = "".join(itertools.takewhile(str.isdigit, term))
            counts[term[len(digits) :]] += int(digits or 1)
        character = Irrep(group, name).character(smaller.elements)
        total = sum(m * Irrep(smaller, n).character(smaller.elements) for n, m in counts.items())
        assert_close(total, character, SYMMETRY)


def test_a_correlation_table():
    assert correlation_table(octahedral(), tetrahedral()) == {
        "A1": "A",
        "A2": "A",
        "E": "E",
        "T1": "T",
        "T2": "T",
    }
    assert correlation_table(point_group("Oh"), point_group("C1"))["T1u"] == "3A"
    with pytest.raises(TypeError, match=r"^group: expected a finite group"):
        correlation_table(so3(), octahedral())


def test_restriction_of_permutations():
    """Branching: the partition loses one corner at a time, S_4 to the S_3 that fixes the last."""
    group = symmetric(4)
    fixing = group.elements[group.elements[:, 3, 3] == 1]
    smaller = type(group)(4, fixing, "S3 in S4")
    dims = {
        name: Counter(p.dim for p in restrict(irrep(group, name), smaller).irreps)
        for name in ("[4]", "[3,1]", "[2,2]", "[2,1,1]")
    }
    assert dims == {
        "[4]": Counter({1: 1}),
        "[3,1]": Counter({1: 1, 2: 1}),
        "[2,2]": Counter({2: 1}),
        "[2,1,1]": Counter({2: 1, 1: 1}),
    }


def test_rotations_of_the_plane_in_space(generator):
    """D^l is the sum of all frequencies up to l; about y its components are them in order."""
    group = axial("Cinf", (0.0, 1.0, 0.0))
    for l in range(4):
        names = [psi.name for psi in restrict(irrep(so3(), l), group).irreps]
        assert names == ["A", *(f"E{k}" for k in range(1, l + 1))]
    angle = torch.tensor(0.7, dtype=F64)
    g = so3().element(angle, 0 * angle, 0 * angle)
    assert_close(
        restrict(irrep(so3(), 2), group).character(g),
        1 + 2 * math.cos(0.7) + 2 * math.cos(1.4),
        SYMMETRY,
    )
