"""All equivariant kernels: the constraint, completeness by two oracles, and independence."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from equinet.group import O2, O3, SO2, SO3, cyclic, o2, o3, octahedral, so2, so3
from equinet.harmonics import (
    Angular,
    Harmonics,
    Pixels,
    angular_harmonics,
    gaussian_shells,
)
from equinet.rep import (
    Representation,
    fibre,
    irreps,
    regular,
    trivial,
    vector,
)
from equinet.steerable import KernelBasis, kernel_basis
from tests.steerable.kernel_cases import (
    GRIDS,
    GROUPS,
    bases,
    block_dim,
    class_quadrature,
    constraint,
    fibres,
    generating,
    grid_name,
    harmonics_character,
    harmonics_matrix,
    name,
    null_space,
    rank,
    residual,
    scattered,
    seeded,
    tap_permutation,
    weights_of,
)
from tests.tolerances import SYMMETRY, assert_close

F64 = torch.float64
CLOSED_FORMS = (SO2, O2, SO3, O3)
every_group = pytest.mark.parametrize("group", GROUPS, ids=name)
groups = st.sampled_from(GROUPS)


# Every pair of irreps: of finite groups all, of the classical ones to degree 6.


def every_irrep(group, lmax: int, angular: int) -> KernelBasis:
    """The kernels between all irreps to degree ``lmax``: every pair in one basis."""
    whole = fibre([(1, Representation(group, psi.name, (psi,))) for psi in irreps(group, lmax)])
    return KernelBasis(whole, whole, Harmonics(group, Angular(angular)))


def check_every_pair(group, lmax: int, angular: int) -> None:
    basis = every_irrep(group, lmax, angular)
    points, elements = scattered(group, 4), group.sample(3, generator=seeded())
    before = basis.at(points)
    after = basis.at(torch.einsum("hij,pj->hpi", elements, points))
    for (psi_out, psi_in), kernels in before.pairs.items():
        moved = torch.einsum("hoa,kabp,hib->koihp", psi_out(elements), kernels, psi_in(elements))
        assert_close(after.pairs[psi_out, psi_in], moved, SYMMETRY)
    # The number of kernels is the integral of the product of three characters.
    g, w = class_quadrature(group, 2 * lmax + angular)
    psis = list(basis.fibre_in.counts)
    characters = torch.stack([psi.character(g) for psi in psis])
    degrees = range(2 if group.n == 1 else angular + 1)
    functions = sum(harmonics_character(degree, g) for degree in degrees)
    expected = torch.einsum("ag,bg,g,g->ab", characters, characters, functions, w)
    found = [[basis.counts.get((a, b), 0) for b in psis] for a in psis]
    assert_close(found, expected, 1e-9)
    assert basis.dim == round(float(expected.sum()))


@every_group
def test_every_pair_of_irreps(group):
    small = not (isinstance(group, CLOSED_FORMS) or group.is_finite)
    check_every_pair(group, *((1, 2) if small else (6, 3)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "group",
    [g for g in GROUPS if not (g.is_finite or isinstance(g, CLOSED_FORMS))],
    ids=name,
)
def test_every_pair_of_irreps_to_degree_six(group):
    check_every_pair(group, 6, 4)


# Any representations and any profiles.


@given(bases())
def test_the_kernel_constraint(basis):
    assume(basis.dim)
    for h in basis.group.sample(2, generator=seeded()):
        assert residual(basis, h, scattered(basis.group, 5)) < SYMMETRY


@given(bases())
def test_the_number_of_kernels_is_that_of_the_characters(basis):
    group, radial = basis.group, basis.functions.radial
    g, w = class_quadrature(group, 12)
    chi_in, chi_out = (
        sum((mul * rho.character(g) for mul, rho in space.blocks), torch.zeros_like(w))
        for space in (basis.fibre_in, basis.fibre_out)
    )
    degrees = range(min(radial.lmax, 1 if group.n == 1 else radial.lmax) + 1)
    functions = sum(radial.count(J) * harmonics_character(J, g) for J in degrees)
    expected = float((w * functions * chi_in * chi_out).sum())
    assert expected == pytest.approx(round(expected), abs=1e-8)
    assert (
        basis.dim
        == round(expected)
        == sum(
            basis.fibre_out.counts[a] * basis.fibre_in.counts[b] * count
            for (a, b), count in basis.counts.items()
        )
    )


@settings(max_examples=30)
@given(bases(most=1, largest=4))
def test_kernels_span_the_null_space_of_the_constraint(basis):
    """Brute force: the constraint on all coefficients (matrix entry x harmonic), by its SVD."""
    group, radial, h = basis.group, basis.functions.radial, generating(basis.group)
    rho_out, rho_in = basis.fibre_out(h), basis.fibre_in(h)
    degrees = range(min(radial.lmax, 1 if group.n == 1 else radial.lmax) + 1)
    functions = sum(radial.count(J) * (2 * J + 1) for J in degrees)
    points = scattered(group, 2 * functions)
    angular, rows = angular_harmonics(degrees.stop - 1, points), []
    for J in degrees:
        D = torch.stack([harmonics_matrix(J, element) for element in h])
        assume(rho_out.shape[-1] * rho_in.shape[-1] * D.shape[-1] <= 450)
        solutions = null_space(constraint(D, rho_out, rho_in)).unflatten(1, (-1, D.shape[-1]))
        profiles = radial(J, points.norm(dim=1))
        values = torch.einsum("sem,pm,rp->srep", solutions, angular[J], profiles)
        rows.append(values.flatten(0, 1).flatten(1))
    brute = torch.cat(rows)
    assert basis.dim == len(brute)
    kernels = basis.at(points).dense().flatten(1)
    if basis.dim:
        assert rank(kernels) == rank(brute) == rank(torch.cat([kernels, brute])) == basis.dim


@given(st.data())
def test_pixel_kernels_span_the_null_space_of_the_constraint(data):
    """Brute force over all filters, with the permutation matrices of the taps."""
    group, grid = data.draw(st.sampled_from(GRIDS), label="case")
    blocks = [data.draw(fibres(group, 1, 6), label=side) for side in ("in", "out")]
    taps = len(grid.points)
    assume(block_dim(blocks[0]) * block_dim(blocks[1]) * taps <= 500)
    basis = kernel_basis(blocks[0], blocks[1], Pixels(group, grid))
    h = generating(group)
    permutations = torch.zeros(len(h), taps, taps, dtype=F64)
    for permutation, element in zip(permutations, h, strict=True):
        permutation[tap_permutation(grid, element), range(taps)] = 1  # e_q(h x) = e_{h^-1 q}(x)
    brute = null_space(constraint(permutations, basis.fibre_out(h), basis.fibre_in(h)))
    assert basis.dim == len(brute)
    if basis.dim:
        kernels = basis.on(grid).dense().flatten(1)
        assert rank(kernels) == rank(torch.cat([kernels, brute])) == basis.dim


@pytest.mark.parametrize(("group", "grid"), GRIDS, ids=grid_name)
def test_free_filters_between_regular_fields(group, grid):
    """Hom(R[H] x R^taps, R[H]) has |H| taps dimensions: |H| free filters, shared by the rest."""
    functions, rho = Pixels(group, grid), regular(group)
    assert kernel_basis(rho, rho, functions).dim == group.order * len(grid.points)
    assert kernel_basis(trivial(group), rho, functions).dim == len(grid.points)
    assert kernel_basis(rho, trivial(group), functions).dim == len(grid.points)


@given(bases(most=1, largest=5))
def test_kernels_are_linearly_independent(basis):
    assume(0 < basis.dim <= 80)
    count = 3 * sum(n * psi.dim for psi, n in basis.functions.counts.items())
    assert rank(basis.at(scattered(basis.group, count)).dense().flatten(1)) == basis.dim


# Negative controls.


@pytest.mark.parametrize("group", [so2(), o2(), so3(), o3(), cyclic(4), octahedral()], ids=str)
def test_a_perturbed_kernel_breaks_the_constraint(group):
    basis = kernel_basis(
        vector(group),
        [(1, vector(group)), (1, trivial(group))],
        Harmonics(group, gaussian_shells(2.0, lmax=3)),
    )
    points, elements = scattered(group, 5), group.sample(20, generator=seeded())
    weights = weights_of(basis.at(points))
    bump = torch.zeros(group.n + 1, group.n, 1, dtype=F64)
    bump[0, 1] = 1e-3
    before, worst = basis.at(points).expand(weights) + bump, 0.0
    for h in elements:
        assert residual(basis, h, points) < SYMMETRY
        after = basis.at(points @ h.mT).expand(weights) + bump
        moved = torch.einsum("oa,abp,ib->oip", basis.fibre_out(h), before, basis.fibre_in(h))
        worst = max(worst, float((after - moved).abs().max()))
    assert worst > 1e-4


def test_kernels_of_a_subgroup_break_the_constraint_of_the_group():
    small, large = cyclic(4), so2()
    points = scattered(small, 6)
    basis = kernel_basis(vector(small), vector(small), Harmonics(small, Angular(4)))
    h = large.element(torch.tensor(0.5, dtype=F64))
    before, after = basis.at(points), basis.at(points @ h.mT)
    weights = weights_of(before)
    moved = torch.einsum("oa,abp,ib->oip", h, before.expand(weights), h)
    assert (after.expand(weights) - moved).abs().max() > 0.1
    assert basis.dim > kernel_basis(vector(large), vector(large), Harmonics(large, Angular(4))).dim
