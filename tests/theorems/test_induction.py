"""What is induced and what is not: Frobenius reciprocity, and the converse of the theorem.

Layers are correlations if their spaces are fields, that is, induced representations, and only if.
"""

import itertools

import pytest
import torch

from equinet.group import section
from equinet.rep import Fibre, Representation, direct_sum, irrep, irreps, trivial
from equinet.steerable import HomogeneousKernels
from tests.theorems import cases, direct
from tests.theorems.cases import ORDERS
from tests.tolerances import ROUNDING, SYMMETRY, assert_close


def _count(rho1, rho2) -> int:
    """dim Hom_H(rho1, rho2) from characters, at the elements of H, which both know."""
    elements = rho1.group.elements
    return round(float((rho1.character(elements) * rho2.character(elements)).mean()))


def _point(name: str):
    """The space of one point, G/G: fields over it are representations of G."""
    return section(cases.group(name), cases.group(name))


@pytest.mark.parametrize("name", ORDERS)
def test_frobenius_reciprocity(name):
    """dim Hom_G(Ind psi, Psi) = dim Hom_H(psi, Res Psi), and the same from Psi to Ind psi."""
    point, every = _point(name), irreps(cases.group(name))
    count = ORDERS[name][1]
    for number in range(0, count, 1 + count // 12):
        s = cases.section(name, number)
        for psi, Psi in itertools.product(irreps(s.subgroup), every):
            expected = _count(psi, Psi)
            assert HomogeneousKernels(s, point, psi, Psi).dim == expected
            assert HomogeneousKernels(point, s, Psi, psi).dim == expected


@pytest.mark.parametrize(("name", "number"), [("S4", 4), ("A5", 7), ("2T", 2), ("Z3^2 x| D4", 9)])
def test_frobenius_reciprocity_is_a_map(name, number):
    """A in Hom_H(psi, Res Psi) is the intertwiner f -> sum_y Psi(s(y)) A f(y), and back."""
    s, G = cases.section(name, number), cases.group(name)
    for psi, Psi in itertools.product(irreps(s.subgroup), irreps(G)):
        case = HomogeneousKernels(s, _point(name), psi, Psi)
        maps = case.on_double_cosets[:, 0]
        elements = s.subgroup.elements
        for A in maps:
            assert_close(Psi(elements) @ A, A @ psi(elements), SYMMETRY)
            whole = torch.cat(list(Psi(G.elements[list(s.numbers)]) @ A), 1)
            lifted = case.lift_double_cosets(A[None])
            assert_close(case.matrix(lifted), whole, ROUNDING)
            assert_close(case.kernel_of(whole)[0], A, ROUNDING)


def _representations(group, dim: int) -> list[Representation]:
    """All representations of this dimension, up to equivalence."""
    parts = [
        combination
        for length in range(1, dim + 1)
        for combination in itertools.combinations_with_replacement(irreps(group), length)
        if sum(psi.dim for psi in combination) == dim
    ]
    return [Representation(group, str(i), psis) for i, psis in enumerate(parts)]


def _field_types(name: str, dim: int) -> list[tuple]:
    """All (section, rho) with H smaller than G whose fields have this many numbers."""
    found = []
    for number in range(ORDERS[name][1] - 1):
        s = cases.section(name, number)
        if dim % len(s) == 0:
            found += [(s, rho) for rho in _representations(s.subgroup, dim // len(s))]
    return found


def _invertible(s, rho, V, name) -> bool:
    """Whether some intertwiner from fields to V is; a random one has the largest rank of all."""
    case = HomogeneousKernels(s, _point(name), rho, V)
    (matrix,) = direct.intertwiners(case, 1)
    return int(torch.linalg.matrix_rank(matrix, atol=1e-8)) == V.dim


NOT_INDUCED = [("A5", "G"), ("A5", "H"), ("S5", "[4,1]"), ("S5", "[2,1,1,1]")]


@pytest.mark.parametrize(("name", "psi"), NOT_INDUCED)
def test_some_spaces_are_not_induced(name, psi):
    """For no H < G and no rho of H are fields over G/H equivalent to this irrep, over the reals.

    So it is no space of fields but over the one point G/G, and no layer that ends in it is a
    correlation over a smaller H.
    """
    V = irrep(cases.group(name), psi)
    for s, rho in _field_types(name, V.dim):
        assert not _invertible(s, rho, V, name)


def test_induced_spaces_are_found():
    """The same search finds the functions on five points: 1 + 4 of A5 are fields over A5/A4."""
    G = cases.group("A5")
    V = direct_sum(trivial(G), irrep(G, "G"))
    found = [(s, rho) for s, rho in _field_types("A5", 5) if _invertible(s, rho, V, "A5")]
    ((s, rho),) = found
    assert (s.subgroup.order, rho.is_trivial) == (12, True)


def _distance_from_correlations(matrices, s) -> torch.Tensor:
    """How far maps from functions on G to functions on G/H are from all correlations, relatively.

    M[x, g] = kappa(s(x)^-1 g) for any kappa: the nearest one has the mean over x for kappa.
    """
    table, numbers = s.group.table, list(s.numbers)
    read = torch.stack([matrices[:, x, table[number]] for x, number in enumerate(numbers)], 1)
    rest = read - read.mean(1, keepdim=True)
    return rest.flatten(1).norm(dim=1) / read.flatten(1).norm(dim=1)


def test_maps_to_a_space_that_is_not_induced_are_no_correlations():
    """Functions on A5 to its 5-dimensional irrep, written as functions on five points in any way.

    None of the maps is a correlation over A5/A4, all are over the one point A5/A5. The functions
    on five points themselves are the positive control.
    """
    G = cases.group("A5")
    V, alone, point = irrep(G, "H"), cases.section("A5", 0), _point("A5")
    (five,) = (s for s, _ in _field_types("A5", 5) if s.subgroup.order == 12)
    functions = trivial(alone.subgroup)
    case = HomogeneousKernels(alone, point, functions, V)
    maps = direct.intertwiners(case, 5)
    assert direct.rank(maps) == case.dim == 5
    assert_close(case.matrix(case.kernel_of(maps)), maps, SYMMETRY)
    order = list(alone.numbers)
    on_elements = torch.empty_like(maps)
    on_elements[:, :, order] = maps
    for seed in range(10):
        identify = torch.linalg.qr(direct.random(5, 5, seed=seed)).Q
        assert _distance_from_correlations(identify @ on_elements, five).min() > 0.3

    scalars = HomogeneousKernels(alone, five, functions, trivial(five.subgroup))
    maps = direct.intertwiners(scalars, 5)
    on_elements = torch.empty_like(maps)
    on_elements[:, :, order] = maps
    assert _distance_from_correlations(on_elements, five).max() < SYMMETRY


def test_without_the_projection_equivariance_fails():
    """Negative control: a kernel that does not obey (T2) is no equivariant map, on any pair."""
    for name in ("S4", "A5", "Q8", "Z2^2 x| D4"):
        s1, s2 = cases.section(name, 2), cases.section(name, 3)
        blocks = [Fibre(((1, Representation(s.subgroup, "all", irreps(s.subgroup))),))
                  for s in (s1, s2)]  # fmt: skip
        case = HomogeneousKernels(s1, s2, *blocks)
        kernel = direct.random(1, case.group.order, blocks[1].dim, blocks[0].dim)
        assert direct.inequivariance(case, case.matrix(kernel)) > 0.1
        assert direct.inequivariance(case, case.matrix(case.project(kernel))) < SYMMETRY


def test_the_wrong_subgroup_gives_another_number():
    """Negative control: S4 has two classes of subgroups of order 2, and their numbers differ."""
    swap, double = (cases.section("S4", number) for number in (1, 2))
    assert swap.subgroup.order == double.subgroup.order == 2
    numbers = [HomogeneousKernels(s, s, trivial(s.subgroup), trivial(s.subgroup)).dim
               for s in (swap, double)]  # fmt: skip
    case = HomogeneousKernels(swap, swap, trivial(swap.subgroup), trivial(swap.subgroup))
    brute = direct.rank(direct.intertwiners(case, 12))
    assert brute == numbers[0] != numbers[1]
