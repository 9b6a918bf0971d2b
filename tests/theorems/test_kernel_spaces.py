"""All equivariant linear maps are correlations, and their kernels are three spaces that are one.

dim Hom_G = Mackey's formula = dim K_G = dim K_C = dim K_D, integer by integer, and every map found
by brute force is the correlation with a kernel. A test is a pair of subgroups; it has all the laws.
"""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from equinet.group import subgroup_classes
from equinet.steerable import HomogeneousKernels
from tests.theorems import cases, direct
from tests.theorems.cases import GATE, ORDERS, PAIRS, Pair
from tests.tolerances import ROUNDING, SYMMETRY, assert_close


class Solved(NamedTuple):
    """A pair of subgroups with the numbers of Mackey's formula and maps found by brute force.

    Attributes:
        pair: which.
        case: the kernels between all representations of both.
        mackey: (T6) for each pair of them.
        maps: random elements of Hom_G, a few more than it has dimensions in any block.
    """

    pair: Pair
    case: HomogeneousKernels
    mackey: list[int]
    maps: Tensor


def _solved(pair: Pair) -> Solved:
    case = cases.kernels(pair)
    mackey = [
        HomogeneousKernels(case.section_in, case.section_out, rho1, rho2).dim
        for rho2, rho1 in cases.blocks(pair)
    ]
    return Solved(pair, case, mackey, direct.intertwiners(case, max(mackey) + direct.SPARE))


def five_numbers_agree(solved: Solved) -> None:
    """The null space by brute force, (T6), and the three kernel spaces, each from its own law."""
    case, probes = solved.case, len(solved.maps)
    spaces = {
        "Hom_G": direct.point_pairs(solved.maps, case),
        "K_G": direct.on_group(case, probes),
        "K_C": direct.on_points(case, probes),
        "K_D": direct.on_double_cosets(case, probes),
        "basis of K_G": case.on_group,
    }
    ranks = {name: direct.block_ranks(vectors, case) for name, vectors in spaces.items()}
    wrong = [
        f"{rho1} -> {rho2}: Mackey {solved.mackey[i]}, { ({n: r[i] for n, r in ranks.items()}) }"
        for i, (rho2, rho1) in enumerate(cases.blocks(solved.pair))
        if any(numbers[i] != solved.mackey[i] for numbers in ranks.values())
    ]
    assert not wrong
    assert len(case.on_group) == case.dim == sum(solved.mackey)


def every_equivariant_map_is_a_correlation(solved: Solved) -> None:
    """The kernel of a map obeys (T2), is made of the basis, and its correlation (T5) is the map."""
    case, maps = solved.case, solved.maps
    kernels = case.kernel_of(maps)
    assert direct.violation(case, kernels) < SYMMETRY
    assert_close(case.matrix(kernels), maps, SYMMETRY)
    assert_close(direct.twisted_correlation(case, case.restrict_to_points(kernels)), maps, SYMMETRY)
    basis = case.on_group.flatten(1)
    basis = basis / basis.norm(dim=1, keepdim=True)
    flat = kernels.flatten(1)
    assert_close(flat @ basis.mT @ basis, flat, SYMMETRY)


def every_correlation_is_an_equivariant_map(solved: Solved) -> None:
    case = solved.case
    weights = direct.random(3, case.dim)
    kernels = torch.tensordot(weights, case.on_group, 1)
    assert direct.violation(case, kernels) < SYMMETRY
    assert direct.inequivariance(case, case.matrix(kernels)) < SYMMETRY
    f = direct.random(2, 1, case.fibre_in.dim, len(case.section_in))
    expected = case.matrix(kernels) @ f.mT.flatten(-2)[..., None]
    g = case.correlate(kernels, f)
    assert_close(g.mT.flatten(-2), expected.squeeze(-1), SYMMETRY)


def the_three_spaces_are_one(solved: Solved) -> None:
    """There and back between K_D, K_C and K_G, from random elements of each (T3, T4)."""
    case = solved.case
    on_group = direct.on_group(case, 2)
    on_points = direct.on_points(case, 2)
    on_double_cosets = torch.tensordot(direct.random(2, case.dim), case.on_double_cosets, 1)
    assert_close(case.lift_points(case.restrict_to_points(on_group)), on_group, ROUNDING)
    lifted = case.lift_double_cosets(case.restrict_to_double_cosets(on_group))
    assert_close(lifted, on_group, ROUNDING)
    lifted = case.lift_points(on_points)
    assert direct.violation(case, lifted) < ROUNDING
    assert_close(case.restrict_to_points(lifted), on_points, ROUNDING)
    lifted = case.lift_double_cosets(on_double_cosets)
    assert direct.violation(case, lifted) < SYMMETRY
    assert_close(case.restrict_to_double_cosets(lifted), on_double_cosets, ROUNDING)


def projection(solved: Solved) -> None:
    """(T2) as a projector: it keeps K_G, and makes any function an element of it."""
    case = solved.case
    kernel = direct.random(1, case.group.order, case.fibre_out.dim, case.fibre_in.dim)
    projected = case.project(kernel)
    assert direct.violation(case, projected) < ROUNDING
    assert_close(case.project(projected), projected, ROUNDING)


LAWS = (
    five_numbers_agree,
    every_equivariant_map_is_a_correlation,
    every_correlation_is_an_equivariant_map,
    the_three_spaces_are_one,
    projection,
)


@pytest.mark.parametrize("pair", GATE, ids=str)
def test_the_theorems(pair):
    solved = _solved(pair)
    for law in LAWS:
        law(solved)


@pytest.mark.slow
@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair not in GATE], ids=str)
def test_the_theorems_for_more_pairs(pair):
    test_the_theorems(pair)


@pytest.mark.parametrize("name", ORDERS)
def test_groups(name):
    group = cases.group(name)
    assert (group.order, len(subgroup_classes(group))) == ORDERS[name]


def test_number_of_cases():
    """Several hundred, with every class of subgroups as H1 and as H2, and every irrep of each."""
    assert len(PAIRS) >= 300 and len(set(PAIRS)) == len(PAIRS)
    assert len(GATE) >= 200 and set(GATE) < set(PAIRS)
    for name, (_, classes) in ORDERS.items():
        pairs = [pair for pair in GATE if pair.group == name]
        assert {pair.first for pair in pairs} == set(range(classes))
        assert {pair.second for pair in pairs} == set(range(classes))
