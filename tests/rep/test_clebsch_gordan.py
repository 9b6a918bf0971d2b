"""Clebsch-Gordan coefficients: e3nn's and SymPy's for SO(3) and O(3), invariant for every group."""

import itertools
import random

import pytest
import sympy
import torch
from e3nn import o3 as e3nn_o3
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy.physics.wigner import wigner_3j as exact_3j

from equinet.group import octahedral, so2, so3
from equinet.numerics import random_rotations, real_from_complex, wigner_D
from equinet.rep import Irrep, clebsch_gordan, couple, irreps, wigner_3j
from tests.rep.families import FINITE, LIE, SMALL, binary_tetrahedral, quaternion_group
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64

# Exact in int64 up to l1 + l2 + l3 = 61, in Python's integers beyond.
TRIPLES = [(1, 1, 1), (2, 3, 4), (5, 2, 7), (6, 6, 6), (0, 9, 9), (12, 12, 12), (12, 12, 24)]
LARGE_TRIPLES = [
    (20, 20, 21),
    (20, 21, 21),
    (25, 40, 17),
    (30, 30, 30),
    (30, 30, 60),
]


def triples(lmax: int) -> list[tuple[int, int, int]]:
    return [
        (l1, l2, l3)
        for l1, l2 in itertools.product(range(lmax + 1), repeat=2)
        for l3 in range(abs(l1 - l2), min(l1 + l2, lmax) + 1)
    ]


def to_complex(c: torch.Tensor) -> torch.Tensor:
    """The tensor for the textbook complex bases, from that for the real ones."""
    q1, q2, q3 = (real_from_complex(size // 2) for size in c.shape)
    return torch.einsum("ijk,ia,jb,kc->abc", c.to(q1.dtype), q1, q2, q3)


# ------------------------------------------------------------------ SO(3), by e3nn and SymPy


def test_equals_e3nn():
    """Values and signs, all degrees up to 6."""
    for l1, l2, l3 in triples(6):
        theirs = e3nn_o3.wigner_3j(l1, l2, l3, dtype=F64)
        assert_close(wigner_3j(l1, l2, l3), theirs, 1e-6)


@pytest.mark.parametrize(("l1", "l2", "l3"), [(7, 8, 9), (11, 11, 11), (10, 3, 8), (11, 11, 2)])
def test_equals_e3nn_at_larger_degrees(l1, l2, l3):
    assert_close(wigner_3j(l1, l2, l3), e3nn_o3.wigner_3j(l1, l2, l3, dtype=F64), 1e-6)


@pytest.mark.parametrize(("l1", "l2", "l3"), [*TRIPLES, *LARGE_TRIPLES])
def test_equals_sympy(l1, l2, l3):
    """In the complex bases it is the 3j symbol, up to one phase +-1 or +-i for all entries.

    Both are invariant and of norm 1. SymPy's values are roots of exact fractions.
    """
    c = to_complex(wigner_3j(l1, l2, l3))
    orders = [
        (m1, m2)
        for m1, m2 in itertools.product(range(-l1, l1 + 1), range(-l2, l2 + 1))
        if abs(m1 + m2) <= l3
    ]
    chosen = random.Random(l1 + l2 + l3).sample(orders, min(40, len(orders)))
    exact = [exact_3j(l1, l2, l3, m1, m2, -m1 - m2) for m1, m2 in chosen]
    expected = torch.tensor([float(sympy.N(value, 30)) for value in exact], dtype=F64)
    found = torch.stack([c[l1 + m1, l2 + m2, l3 - m1 - m2] for m1, m2 in chosen])
    largest_entry = int(expected.abs().argmax())
    phase = found[largest_entry] / expected[largest_entry]
    assert min(abs(phase - unit) for unit in (1, -1, 1j, -1j)) < ROUNDING
    assert_close(found / phase, expected.to(found.dtype), ROUNDING)
    m1, m2, m3 = (torch.arange(-l, l + 1) for l in (l1, l2, l3))
    forbidden = (m1[:, None, None] + m2[:, None] + m3) != 0
    assert c[forbidden].abs().max() < ROUNDING


@pytest.mark.parametrize(
    ("l1", "l2", "last"),
    [(3, 5, 8), (8, 12, 20), (15, 15, 30), (20, 20, 21), (20, 22, 42)],
)
def test_orthogonal(l1, l2, last):
    """sum over i, j of C_ijk C'_ijk' = delta delta_kk' / (2 l3 + 1), and all l3 fill the space."""
    pieces = [
        wigner_3j(l1, l2, l3).flatten(0, 1) * (2 * l3 + 1) ** 0.5
        for l3 in range(abs(l1 - l2), last + 1)
    ]
    whole = torch.cat(pieces, 1)
    assert_close(whole.mT @ whole, torch.eye(whole.shape[1]), ROUNDING)
    if last == l1 + l2:
        assert whole.shape[0] == whole.shape[1]


@pytest.mark.parametrize(("l1", "l2", "l3"), [(1, 2, 3), (4, 4, 4), (6, 9, 12), (15, 15, 15)])
def test_invariant(l1, l2, l3, generator):
    r = random_rotations(3, generator=generator)
    c = wigner_3j(l1, l2, l3)
    d = [wigner_D(l, r) for l in (l1, l2, l3)]
    moved = torch.einsum("ijk,zia,zjb,zkc->zabc", c, *d)
    assert_close(moved, c.expand_as(moved), SYMMETRY)
    assert_close(c.square().sum(), 1.0, ROUNDING)


def test_invariant_at_large_degree(generator):
    r = random_rotations(generator=generator)
    c = wigner_3j(24, 24, 24)
    d = wigner_D(24, r)
    assert_close(torch.einsum("ijk,ia,jb,kc->abc", c, d, d, d), c, SYMMETRY)


def test_products_of_vectors():
    """1 x 1 -> 0 is the scalar product, -> 1 the cross product, up to their norms."""
    eye = torch.eye(3, dtype=F64)
    assert_close(wigner_3j(1, 1, 0)[..., 0], eye / 3**0.5, ROUNDING)
    cross = torch.linalg.cross(eye[:, None].expand(3, 3, 3), eye.expand(3, 3, 3))
    assert_close(wigner_3j(1, 1, 1), cross / 6**0.5, ROUNDING)


def test_symmetric_under_exchange():
    """C_jik = (-1)^(l1 + l2 + l3) C_ijk."""
    for l1, l2, l3 in triples(4):
        sign = (-1) ** (l1 + l2 + l3)
        assert_close(wigner_3j(l1, l2, l3), sign * wigner_3j(l2, l1, l3).transpose(0, 1), ROUNDING)


def test_bad_degrees():
    with pytest.raises(
        ValueError, match=r"^l3: expected 1 to 5, the degrees in D\^2 x D\^3, got 6"
    ):
        wigner_3j(2, 3, 6)
    with pytest.raises(ValueError, match=r"^l3: expected 1 to 5.*got 0"):
        wigner_3j(2, 3, 0)
    for bad in (-1, 1.0, True, "1"):
        with pytest.raises(ValueError, match=r"^l2: expected an integer >= 0, got"):
            wigner_3j(1, bad, 1)


def test_the_cached_values_are_not_handed_out():
    wigner_3j(2, 2, 2).zero_()
    assert wigner_3j(2, 2, 2).norm() > 0.5
    psi = Irrep(octahedral(), "E")
    clebsch_gordan(psi, psi, psi).zero_()
    assert clebsch_gordan(psi, psi, psi).norm() > 0.5


# ------------------------------------------------------------------ every group


def check_coupling(psi1, psi2, generator):
    """The isometries a of ``couple`` are orthogonal, fill the space, and split psi1 (x) psi2."""
    pieces = couple(psi1, psi2)
    whole = torch.cat([a for _, a in pieces], 1)
    assert whole.shape == (psi1.dim * psi2.dim,) * 2
    assert_close(whole.mT @ whole, torch.eye(len(whole)), SYMMETRY)
    g = psi1.group.sample(4, generator=generator)
    product = torch.einsum("zij,zkl->zikjl", psi1(g), psi2(g)).flatten(1, 2).flatten(2)
    found = sum(a @ psi(g) @ a.mT for psi, a in pieces)
    assert_close(found, product, SYMMETRY)


@pytest.mark.parametrize("group", FINITE, ids=str)
def test_couple_finite(group, generator):
    found = irreps(group)
    pairs = list(itertools.product(found, repeat=2))
    for psi1, psi2 in pairs if group.order <= 8 else pairs[:: len(pairs) // 6 + 1]:
        if psi1.dim * psi2.dim <= 36:
            check_coupling(psi1, psi2, generator)


@pytest.mark.parametrize("group", LIE, ids=str)
def test_couple_lie(group, generator):
    found = irreps(group, 1 if " x " in group.name else 2)
    pairs = list(itertools.product(found, repeat=2))
    for psi1, psi2 in pairs if len(pairs) <= 9 else pairs[:: len(pairs) // 6]:
        check_coupling(psi1, psi2, generator)


def test_coupling_can_fail(generator):
    """Negative control: not the product with another irrep."""
    t1, t2, e = (Irrep(octahedral(), name) for name in ("T1", "T2", "E"))
    check_coupling(t1, e, generator)
    g = octahedral().elements
    found = sum(a @ psi(g) @ a.mT for psi, a in couple(t1, e))
    other = torch.einsum("zij,zkl->zikjl", t2(g), e(g)).flatten(1, 2).flatten(2)
    assert (found - other).abs().max() > 0.5


@given(st.data())
def test_clebsch_gordan_of_finite_groups(data):
    """Invariant, orthonormal, as many as int chi1 chi2 chi3 says."""
    group = data.draw(st.sampled_from(SMALL))
    psis = [data.draw(st.sampled_from(irreps(group))) for _ in range(3)]
    check_invariants(group, *psis)


def check_invariants(group, psi1, psi2, psi3):
    c = clebsch_gordan(psi1, psi2, psi3)
    assert c.shape[1:] == (psi1.dim, psi2.dim, psi3.dim)
    g, weights = group.grid(psi1.degree + psi2.degree + psi3.degree)
    count = weights @ (psi1.character(g) * psi2.character(g) * psi3.character(g))
    assert_close(count, float(len(c)), SYMMETRY)
    moved = torch.einsum("nijk,zia,zjb,zkc->znabc", c, *(psi(g[:30]) for psi in (psi1, psi2, psi3)))
    assert_close(moved, c.expand_as(moved), SYMMETRY)
    assert_close(c.flatten(1) @ c.flatten(1).mT, torch.eye(len(c)), SYMMETRY)


@pytest.mark.parametrize("group", [quaternion_group(), binary_tetrahedral()], ids=str)
def test_all_triples(group):
    for psis in itertools.product(irreps(group), repeat=3):
        check_invariants(group, *psis)


@settings(max_examples=12)
@given(st.data())
def test_clebsch_gordan_of_continuous_groups(data):
    group = data.draw(st.sampled_from(LIE))
    found = irreps(group, 1 if " x " in group.name else 2)
    check_invariants(group, *(data.draw(st.sampled_from(found)) for _ in range(3)))


def test_irreps_that_are_not_of_real_type_have_several():
    """g -> (psi x psi -> trivial): dim End(psi) of them."""
    group = quaternion_group()
    g, one = Irrep(group, "G"), Irrep(group, "A1")
    assert len(clebsch_gordan(g, g, one)) == 4
    assert len(clebsch_gordan(*[Irrep(so2(), "1")] * 2, Irrep(so2(), "2"))) == 2
    assert len(clebsch_gordan(*[Irrep(so2(), "1")] * 3)) == 0


def test_so3_has_one_with_the_signs_of_e3nn():
    one, two, three = (Irrep(so3(), str(l)) for l in (1, 2, 3))
    assert_close(clebsch_gordan(one, two, three)[0], wigner_3j(1, 2, 3), ROUNDING)
    assert clebsch_gordan(one, one, three).shape == (0, 3, 3, 7)


def test_irreps_of_another_group():
    e, two = Irrep(octahedral(), "E"), Irrep(so3(), "2")
    with pytest.raises(ValueError, match=r"^psi2: expected an irrep of O, got 2 of SO\(3\)"):
        couple(e, two)
    with pytest.raises(ValueError, match=r"^psi2: expected an irrep of O, got 2 of SO\(3\)"):
        clebsch_gordan(e, two, e)


def test_the_third_irrep_of_another_group():
    e, two = Irrep(octahedral(), "E"), Irrep(so3(), "2")
    with pytest.raises(ValueError, match=r"^psi3: expected an irrep of O, got 2 of SO\(3\)"):
        clebsch_gordan(e, e, two)
