"""Regular and quotient representations: functions on a group and on its cosets."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equinet.group import (
    axial,
    cosets,
    cyclic,
    dihedral,
    icosahedral,
    inversion,
    o2,
    o3,
    octahedral,
    so2,
    so3,
    subgroup_classes,
    tetrahedral,
    trivial_group,
)
from equinet.rep import (
    Irrep,
    decompose,
    fourier_basis,
    irreps,
    quotient,
    regular,
    restrict,
    trivial,
)
from tests.over import over
from tests.rep.families import FINITE, LIE, SMALL
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64
every_finite_group = over("group", FINITE)


# ------------------------------------------------------------------ values on finite groups


@every_finite_group
def test_regular(group):
    """[rho(g) f](h) = f(g^-1 h): the point mass at h goes to g h, by the multiplication table."""
    rho = regular(group)
    assert rho.dim == group.order and rho.name == "regular"
    some = torch.arange(0, group.order, max(1, group.order // 12))
    expected = torch.zeros(len(some), group.order, group.order, dtype=F64)
    for k, g in enumerate(some):
        for h in range(group.order):
            expected[k, group.table[g, h], h] = 1
    assert_close(rho(group.elements[some]), expected, SYMMETRY)
    assert rho.is_permutation and rho.is_orthogonal
    f = torch.randn(group.order, generator=torch.Generator().manual_seed(0), dtype=F64)
    moved = rho(group.elements[some]) @ f
    back = group.table[group.inverse[some]]  # [g, h] is the number of g^-1 h
    assert_close(moved, f[back], SYMMETRY)


@every_finite_group
def test_regular_holds_every_irrep(group):
    """d / dim End times."""
    counts = regular(group).multiplicities
    assert counts == {psi: psi.dim // psi.ends for psi in irreps(group)}


@given(st.data())
def test_quotient(data):
    """[rho(g) f](x) = f(g^-1 x): the coset r H goes to g r H, by brute force over elements."""
    group = data.draw(st.sampled_from(SMALL))
    smaller = data.draw(st.sampled_from(subgroup_classes(group)))
    rho = quotient(group, smaller)
    whole = cosets(group, smaller)
    assert rho.dim == len(whole) == group.order // smaller.order
    assert rho.name == f"quotient({smaller.name})"
    members = [group.index(r @ smaller.elements).tolist() for r in whole.representatives]
    where = {element: i for i, coset in enumerate(members) for element in coset}
    assert len(where) == group.order  # every element is in one coset
    expected = torch.zeros(group.order, rho.dim, rho.dim, dtype=F64)
    for g in range(group.order):
        for j, coset in enumerate(members):
            images = {where[int(group.table[g, x])] for x in coset}
            assert len(images) == 1
            expected[g, images.pop(), j] = 1
    assert_close(rho(group.elements), expected, SYMMETRY)
    assert rho.is_permutation


@given(st.data())
def test_multiplicities_in_quotients(data):
    """As often as psi has vectors that H leaves alone, over dim End(psi)."""
    group = data.draw(st.sampled_from(FINITE))
    smaller = data.draw(st.sampled_from(subgroup_classes(group)[:12]))
    counts = quotient(group, smaller).multiplicities
    for psi in irreps(group):
        fixed = psi.character(smaller.elements).mean() / psi.ends
        assert_close(fixed, float(counts.get(psi, 0)), SYMMETRY)


def test_extreme_quotients():
    group = octahedral()
    assert_close(
        quotient(group, trivial_group(3))(group.elements), regular(group)(group.elements), SYMMETRY
    )
    assert quotient(group, group) == trivial(group)
    g = group.elements
    assert (quotient(group, tetrahedral())(g) - torch.eye(2)).abs().max() == pytest.approx(1)


@given(st.sampled_from(SMALL))
def test_decomposing_the_permutation_matrices(group):
    """The general split finds the same irreps as the closed form (G1)."""
    rho = regular(group)
    found = decompose(group, rho)
    assert found.multiplicities == rho.multiplicities
    assert_close(found(group.elements), rho(group.elements), SYMMETRY)


@every_finite_group
def test_fourier_basis_of_a_finite_group(group):
    """Orthonormal, complete, and Q of the regular representation but for its norm."""
    basis = fourier_basis(group, group.elements)
    assert basis.shape == (group.order, group.order)
    assert_close(basis.mT @ basis / group.order, torch.eye(group.order), SYMMETRY)
    Q = regular(group).Q
    assert_close(torch.ones(1, 1) if Q is None else Q, basis / math.sqrt(group.order), ROUNDING)


# ------------------------------------------------------------------ band-limited, on Lie groups

REGULAR = [(group, 1 if " x " in group.name else 2) for group in LIE]
QUOTIENTS = [
    (so3(), axial("Cinf"), 3),
    (so3(), axial("Cinf", (0.0, 1.0, 0.0)), 3),
    (so3(), axial("Dinf"), 4),
    (so3(), octahedral(), 6),
    (o3(), axial("Cinfv", (1.0, 2.0, 3.0)), 3),
    (o3(), so3(), 2),
    (o3(), inversion(3), 2),
    (so3(), icosahedral(), 6),
    (so2(), cyclic(4), 8),
    (o2(), so2(), 3),
    (o2(), dihedral(3), 6),
    (o2(), cyclic(2), 4),
    (axial("Dinfh"), axial("Cinfv"), 3),
    (axial("Cinfh"), axial("Cinf"), 2),
]
CASES = [*((group, None, lmax) for group, lmax in REGULAR), *QUOTIENTS]
every_case = over("group, smaller, lmax", CASES)


def representation(group, smaller, lmax):
    return regular(group, lmax) if smaller is None else quotient(group, smaller, lmax)


@every_case
def test_band_limited_functions_move_by_their_coefficients(group, smaller, lmax, generator):
    """f(u^-1 g) = fourier_basis(g) rho(u) f_hat, and f(g h) = f(g) for all h in H."""
    rho = representation(group, smaller, lmax)
    f_hat = torch.randn(rho.dim, generator=generator, dtype=F64)
    u, g = group.sample(2, 6, generator=generator)
    moved = fourier_basis(group, u.mT @ g, lmax, smaller) @ f_hat
    by_coefficients = (fourier_basis(group, g, lmax, smaller)[:, None] @ rho(u) @ f_hat)[:, 0]
    assert_close(moved, by_coefficients, SYMMETRY)
    if smaller is not None:
        h = smaller.sample(6, generator=generator)
        same = fourier_basis(group, g @ h, lmax, smaller)
        assert_close(same, fourier_basis(group, g, lmax, smaller), SYMMETRY)


@every_case
def test_band_limited_functions_are_orthonormal(group, smaller, lmax):
    g, weights = group.grid(2 * lmax * len(getattr(group, "factors", (1,))))
    basis = fourier_basis(group, g, lmax, smaller)
    gram = torch.einsum("g,gi,gj->ij", weights, basis, basis)
    assert_close(gram, torch.eye(representation(group, smaller, lmax).dim), SYMMETRY)


@every_case
def test_band_limited_multiplicities(group, smaller, lmax):
    """All matrix entries that H leaves alone: int over H of chi, over dim End."""
    counts = representation(group, smaller, lmax).multiplicities
    for psi in irreps(group, lmax):
        fixed = torch.tensor(float(psi.dim), dtype=F64)
        if smaller is not None:
            h, weights = smaller.grid(psi.degree)
            fixed = weights @ psi.character(h)
        assert_close(fixed / psi.ends, float(counts.get(psi, 0)), SYMMETRY)


def test_known_dimensions():
    """Spherical harmonics, functions on SO(3), cubic harmonics."""
    assert quotient(so3(), axial("Cinf"), 5).dim == 36
    assert regular(so3(), 3).dim == 1 + 9 + 25 + 49
    cubic = [psi.name for psi in quotient(so3(), octahedral(), 9).irreps]
    assert cubic == ["0", "4", "6", "8", "9"]
    assert [psi.name for psi in quotient(so3(), icosahedral(), 12).irreps] == ["0", "6", "10", "12"]


def test_wrong_functions_are_noticed(generator):
    """Negative control: moved the other way, or invariant under another subgroup."""
    rho = quotient(so3(), axial("Cinf"), 2)
    u, g = so3().sample(2, 6, generator=generator)
    basis = fourier_basis(so3(), g, 2, axial("Cinf"))
    moved = fourier_basis(so3(), u @ g, 2, axial("Cinf"))
    assert (moved - (basis[:, None] @ rho(u))[:, 0]).abs().max() > 0.1
    h = axial("Cinf", (1.0, 0.0, 0.0)).sample(6, generator=generator)
    assert (fourier_basis(so3(), g @ h, 2, axial("Cinf")) - basis).abs().max() > 0.1


def test_the_sphere_as_a_quotient_holds_the_spherical_harmonics(generator):
    """Functions on SO(3)/SO(2) about y: D^l_m0, the harmonics at the image of the pole."""
    about_y = axial("Cinf", (0.0, 1.0, 0.0))
    g = so3().sample(5, generator=generator)
    basis = fourier_basis(so3(), g, 3, about_y)
    for l in range(4):
        column = Irrep(so3(), str(l))(g)[:, :, l] * math.sqrt(2 * l + 1)
        part = basis[:, l**2 : (l + 1) ** 2]
        sign = torch.sign((part * column).sum())
        assert_close(part, sign * column, SYMMETRY)


@given(st.integers(1, 6), st.integers(0, 6))
def test_sampling_band_limited_functions(n, lmax):
    """On n > 2 lmax points of the circle they are functions on C_n: the split agrees."""
    group = cyclic(2 * lmax + n)
    found = restrict(regular(so2(), lmax), group).multiplicities
    whole = regular(group).multiplicities
    assert all(count <= whole[psi] for psi, count in found.items())


def test_dtypes(generator):
    g = so3().sample(2, 3, generator=generator).float()
    assert fourier_basis(so3(), g, 2).dtype == torch.float32
    assert fourier_basis(so3(), g, 2).shape == (2, 3, 35)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"^lmax: expected the largest degree, since SO\(3\) is"):
        quotient(so3(), octahedral())
    with pytest.raises(ValueError, match="^lmax: expected an integer from 0 to 1,000, got -1"):
        regular(so3(), -1)
    with pytest.raises(ValueError, match=r"^subgroup: expected a subgroup of O, got I"):
        quotient(octahedral(), icosahedral())
    with pytest.raises(TypeError, match=r"^subgroup: expected a Group, got str"):
        quotient(octahedral(), "C3")
    with pytest.raises(ValueError, match=r"^lmax: expected the largest degree, since SO\(2\) is"):
        fourier_basis(so2(), so2().identity())
