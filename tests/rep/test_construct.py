"""Sums, products, powers and duals of representations, by matrices and by characters."""

import itertools
import math
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equinet.group import cyclic, dihedral, octahedral, so2, so3, symmetric
from equinet.rep import (
    Irrep,
    Representation,
    direct_sum,
    dual,
    exterior_power,
    hom,
    irrep,
    irreps,
    regular,
    symmetric_power,
    tensor_product,
    trivial,
    vector,
)
from tests.over import over
from tests.rep.families import FINITE, LIE, SMALL, quaternion_group
from tests.rep.test_decompose import random_matrix, sums
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64
GROUPS = [*FINITE, *LIE]
every_group = over("group", GROUPS)


def elements(rho, count=5):
    return rho.group.sample(count, generator=torch.Generator().manual_seed(3))


def kron(a, b):
    return torch.einsum("zij,zkl->zikjl", a, b).flatten(1, 2).flatten(2)


# ------------------------------------------------------------------ simple ones


@every_group
def test_vector_and_trivial(group, generator):
    g = group.sample(4, generator=generator)
    assert_close(vector(group)(g), g, SYMMETRY)
    assert vector(group).name == "vector" and vector(group).is_orthogonal
    assert_close(trivial(group)(g), torch.ones(4, 1, 1), ROUNDING)
    assert trivial(group).dim == 1 and trivial(group).is_permutation


def test_irrep_by_name_or_number():
    assert irrep(so2(), 3) == irrep(so2(), "3") and irrep(so2(), 3).irreps == (Irrep(so2(), "3"),)
    assert irrep(octahedral(), "T1").name == "T1"
    with pytest.raises(ValueError, match=r"^irrep: expected one of"):
        irrep(octahedral(), 3)


@given(st.data())
def test_direct_sum(data):
    """Block diagonal, in order."""
    group = data.draw(st.sampled_from(GROUPS))
    rhos = data.draw(st.lists(sums([group], most=6), min_size=1, max_size=3))
    g = elements(rhos[0])
    whole = direct_sum(*rhos)
    expected = torch.stack([torch.block_diag(*(rho(h) for rho in rhos)) for h in g])
    assert_close(whole(g), expected, SYMMETRY)
    assert whole.irreps == tuple(psi for rho in rhos for psi in rho.irreps)


def test_a_sum_of_irreps_needs_no_change_of_basis():
    rho = direct_sum(irrep(so3(), 2), irrep(so3(), 0))
    assert rho.Q is None and rho.name == "2 + 0"
    with pytest.raises(ValueError, match=r"^rhos: expected at least one representation, got none"):
        direct_sum()
    with pytest.raises(
        ValueError, match=r"^rhos: expected representations of SO\(3\), got 1 of SO"
    ):
        direct_sum(irrep(so3(), 2), irrep(so2(), 1))


# ------------------------------------------------------------------ products


@given(st.data())
def test_tensor_product(data):
    """The Kronecker product, with the characters' product."""
    group = data.draw(st.sampled_from([*SMALL, *LIE]))
    rho1, rho2 = (data.draw(sums([group], most=3)) for _ in range(2))
    product = tensor_product(rho1, rho2)
    g = elements(rho1)
    assert_close(product(g), kron(rho1(g), rho2(g)), SYMMETRY)
    assert_close(product.character(g), rho1.character(g) * rho2.character(g), SYMMETRY)


def test_products_with_any_layout_of_q_in_memory():
    transposed = random_matrix(3, 2, True).mT
    assert not transposed.is_contiguous()
    rho = Representation(octahedral(), "any", irrep(octahedral(), "T1").irreps, transposed)
    other, g = irrep(octahedral(), "E"), elements(rho)
    assert_close(tensor_product(rho, other)(g), kron(rho(g), other(g)), SYMMETRY)


def test_products_of_so3_are_a_series():
    product = tensor_product(irrep(so3(), 3), irrep(so3(), 2))
    assert product.name == "1x1 + 1x2 + 1x3 + 1x4 + 1x5"
    with pytest.raises(ValueError, match=r"^rhos: expected representations of SO\(3\)"):
        tensor_product(irrep(so3(), 2), irrep(so2(), 1))


@given(sums(SMALL, most=4))
def test_invariants_of_a_product_are_intertwiners(rho):
    """rho (x) rho holds the trivial irrep as often as Hom(rho*, rho) has dimensions."""
    one = trivial(rho.group).irreps[0]
    assert tensor_product(rho, rho).multiplicities.get(one, 0) == len(hom(dual(rho), rho))


# ------------------------------------------------------------------ powers


@given(st.data())
def test_squares(data):
    """chi of Sym^2 and Alt^2 is (chi(g)^2 +- chi(g^2)) / 2, and both make the tensor square."""
    rho = data.draw(sums([*SMALL, *LIE[:9]], most=2))
    g = elements(rho)
    square, at_square = rho.character(g).square(), rho.character(g @ g)
    sym, alt = symmetric_power(rho, 2), exterior_power(rho, 2) if rho.dim > 1 else None
    assert_close(sym.character(g), (square + at_square) / 2, SYMMETRY)
    assert sym.dim == rho.dim * (rho.dim + 1) // 2
    counts = Counter(sym.irreps)
    if alt is not None:
        assert_close(alt.character(g), (square - at_square) / 2, SYMMETRY)
        assert alt.dim == rho.dim * (rho.dim - 1) // 2
        counts += Counter(alt.irreps)
    assert counts == Counter(tensor_product(rho, rho).irreps)


def subspace(dim, k, sign):
    """Symmetrised products of basis vectors, orthonormal, in the order of a dictionary."""
    combinations = itertools.combinations_with_replacement if sign > 0 else itertools.combinations
    rows = []
    for index in combinations(range(dim), k):
        row = torch.zeros([dim] * k, dtype=F64)
        for order in itertools.permutations(range(k)):
            swaps = sum(a > b for a, b in itertools.combinations(order, 2))
            row[tuple(index[i] for i in order)] += (-1) ** swaps if sign < 0 else 1
        rows.append(row.flatten() / row.norm())
    return torch.stack(rows)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize(
    "rho",
    [
        vector(octahedral()),
        irrep(so3(), 1),
        irrep(dihedral(5), "1"),
        irrep(quaternion_group(), "G"),
        Representation(
            octahedral(), "skew", irrep(octahedral(), "T1").irreps, random_matrix(3, 1, False)
        ),
    ],
    ids=str,
)
def test_components_of_powers(rho, k):
    """Those of orthonormal symmetrised products; dim binomial(d + k - 1, k) and binomial(d, k)."""
    g = elements(rho)
    power = rho(g)
    for _ in range(k - 1):
        power = kron(power, rho(g))
    for build, sign, dim in (
        (symmetric_power, 1, math.comb(rho.dim + k - 1, k)),
        (exterior_power, -1, math.comb(rho.dim, k)),
    ):
        if dim:
            basis, found = subspace(rho.dim, k, sign), build(rho, k)
            assert found.dim == dim == len(basis)
            assert_close(found(g), basis @ power @ basis.mT, SYMMETRY)


def test_the_top_power_is_the_determinant():
    for rho in (vector(octahedral()), vector(symmetric(4)), irrep(octahedral(), "E")):
        g = elements(rho)
        top = exterior_power(rho, rho.dim)
        assert_close(top(g)[:, 0, 0], torch.linalg.det(rho(g)), SYMMETRY)


def test_small_and_bad_powers():
    rho = vector(octahedral())
    assert symmetric_power(rho, 0) == exterior_power(rho, 0) == trivial(octahedral())
    assert symmetric_power(rho, 1).irreps == rho.irreps
    assert symmetric_power(rho, 2).name == "Sym2(vector)"
    with pytest.raises(
        ValueError, match=r"^k: expected at most the dimension 3 of vector of O, got"
    ):
        exterior_power(rho, 4)
    for build, k in itertools.product((symmetric_power, exterior_power), (-1, 1.0, True, "2")):
        with pytest.raises(ValueError, match=r"^k: expected an integer >= 0, got"):
            build(rho, k)


# ------------------------------------------------------------------ duals


@given(sums(GROUPS))
def test_dual(rho):
    """rho*(g) = rho(g^-1)^T, and the dual of the dual is rho."""
    g = elements(rho)
    assert_close(dual(rho)(g), rho(g.mT).mT, SYMMETRY)
    assert_close(dual(dual(rho))(g), rho(g), SYMMETRY)
    if rho.is_orthogonal:
        assert_close(dual(rho)(g), rho(g), SYMMETRY)
    elif rho.dim > 1:
        assert (dual(rho)(g) - rho(g)).abs().max() > 1e-6


def test_the_pairing_of_a_dual_with_its_representation_is_invariant():
    rho = Representation(
        octahedral(), "skew", irrep(octahedral(), "T1").irreps, random_matrix(3, 5, False)
    )
    g = elements(rho)
    x, y = torch.randn(2, 3, generator=torch.Generator().manual_seed(0), dtype=F64)
    pairing = ((dual(rho)(g) @ x) * (rho(g) @ y)).sum(-1)
    assert_close(pairing, (x @ y).expand(5), SYMMETRY)
    assert dual(rho) != rho and dual(irrep(octahedral(), "T1")) == irrep(octahedral(), "T1")


@every_group
def test_orthogonal_powers_and_products(group):
    """What is built of orthogonal matrices is orthogonal."""
    rho = vector(group)
    if rho.dim <= 3:
        for built in (tensor_product(rho, rho), symmetric_power(rho, 2), dual(rho)):
            assert built.is_orthogonal
            assert built.Q is None or torch.allclose(
                built.Q @ built.Q.mT, torch.eye(built.dim, dtype=F64), rtol=0, atol=ROUNDING
            )


def test_products_of_functions_with_a_representation():
    """regular (x) rho = dim rho times regular, for every irrep."""
    group = cyclic(6)
    for psi in irreps(group):
        product = tensor_product(regular(group), irrep(group, psi.name))
        assert product.multiplicities == {
            p: psi.dim * n for p, n in regular(group).multiplicities.items()
        }
