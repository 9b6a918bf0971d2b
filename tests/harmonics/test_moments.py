"""Sampled harmonics act on polynomials as the ones on R^n do (Y2).

The oracle knows no moments: a filter is applied to polynomials, written as sums of monomials,
before and after a rotation that the grid does not have.
"""

import itertools
import math

import pytest
import torch

from equinet.group import inversion, so2, so3
from equinet.harmonics import Bessel, Harmonics, angular_harmonics, filter_grid, shell_harmonics
from equinet.harmonics.moments import match_moments
from equinet.rep import irrep
from tests.steerable.kernel_cases import seeded
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

LIE = {1: inversion(1), 2: so2(), 3: so3()}
GRIDS = [
    filter_grid(3, 2),
    filter_grid(4, 2),
    filter_grid(5, 2),
    filter_grid(7, 2),
    filter_grid(5, lattice="hexagonal"),
    filter_grid(5, 2, dilation=3),
    filter_grid(5, 2, spacing=(1.0, 1.2)),
    filter_grid(3, 3),
    filter_grid(4, 3),
    filter_grid(5, 3),
]
every_grid = pytest.mark.parametrize("grid", GRIDS, ids=str)


def told_apart(grid):
    """The largest degree of polynomials that the taps tell apart: taps along a line, but one."""
    return min(grid.size) - 1


def on(grid, degree):
    """All samples of one degree, ``(profiles, dim, taps)``."""
    group = LIE[grid.n]
    return shell_harmonics(group, grid).on(grid)[irrep(group, degree).constituents[0]]


def raw(grid, degree):
    group = LIE[grid.n]
    return shell_harmonics(group, grid)(grid.points)[irrep(group, degree).constituents[0]]


def monomials(points, degree):
    """All monomials of this degree, ``(points, count)``."""
    ways = itertools.combinations_with_replacement(range(points.shape[-1]), degree)
    return torch.stack([points[:, list(way)].prod(1) for way in ways], 1)


def turned(grid, degree, values, of):
    """How far K(p(R^-1 x)) is from D(R) K(p) for monomials p, relative to the answers of |K|."""
    group = LIE[grid.n]
    (rotation,) = group.sample(1, generator=seeded(3))
    points = grid.points / grid.points.norm(dim=1).max()
    here, there = monomials(points, of), monomials(points @ rotation, of)
    expected = torch.einsum("ij,cjm->cim", irrep(group, degree)(rotation), values @ here)
    return ((values @ there - expected).abs().max() / (values.abs() @ here.abs()).max()).item()


@every_grid
def test_the_answer_to_a_polynomial_turns_with_it(grid):
    """For all polynomials of degree at most J and a rotation that no grid has."""
    worst = 0.0
    for degree in range(1, told_apart(grid) + 1):
        for of in range(degree + 1):
            assert turned(grid, degree, on(grid, degree), of) < 1e-9
            worst = max(worst, turned(grid, degree, raw(grid, degree), of))
    assert worst > 1e-3  # negative control: samples as they are do not


@every_grid
def test_polynomials_of_lower_degree_are_not_seen(grid):
    largest = shell_harmonics(LIE[grid.n], grid).radial.lmax
    for degree in range(1, min(told_apart(grid) + 1, largest) + 1):
        values = on(grid, degree)
        for of in range(min(degree, told_apart(grid) + 1)):
            answers = values @ monomials(grid.points / grid.extent, of)
            assert answers.abs().max() < 1e-9 * values.abs().sum(-1).max()


@pytest.mark.parametrize("n", [2, 3])
def test_a_harmonic_is_the_derivative_that_it_is_in_space(n):
    """On f = harmonic polynomials of degree 2, K answers with c times each, and is not silent."""
    grid = filter_grid(5, n)
    fields = angular_harmonics(2, grid.points)[2] * grid.points.square().sum(1, keepdim=True)
    for kernel, plain in zip(on(grid, 2), raw(grid, 2), strict=True):
        answer, before = kernel @ fields, plain @ fields
        c = before.diagonal().mean()
        assert c > 0.1
        assert_close(answer, c * torch.eye(len(answer), dtype=torch.float64), SYMMETRY)


@pytest.mark.parametrize(("n", "size"), [(2, 3), (2, 5), (2, 7), (3, 3), (3, 5)])
def test_the_answer_to_waves_becomes_isotropic(n, size):
    """To a wave along k a harmonic answers c(|k|) Y_J(k), but for an error of order |k|^2."""
    grid = filter_grid(size, n)
    directions = torch.nn.functional.normalize(
        torch.randn(200, n, dtype=torch.float64, generator=seeded()), dim=1
    )
    for degree in range(1, min(told_apart(grid), 4) + 1):
        y = angular_harmonics(degree, directions)[degree].mT
        for i, kernel in enumerate(on(grid, degree)):
            errors = []
            for length in (math.pi / 4, math.pi / 8):
                phases = grid.points @ directions.mT * length
                answer = kernel @ (phases.sin() if degree % 2 else phases.cos())
                fit = (answer * y).sum() / y.square().sum() * y
                errors.append((answer - fit).norm() / answer.norm())
            assert errors[0] < 0.05, (degree, i)
            assert errors[1] < 0.35 * errors[0] + 1e-4, (degree, i)  # a quarter


@pytest.mark.parametrize(("n", "size"), [(2, 3), (2, 4), (2, 5), (2, 7), (3, 3), (3, 4), (3, 5)])
def test_they_span_as_much_as_before(n, size):
    """What is mended stays independent, so no kernel on the grid is lost."""
    grid = filter_grid(size, n)
    group = LIE[n]
    families = [shell_harmonics(group, grid), Harmonics(group, Bessel(grid.extent + 0.5, n))]
    for functions in families:
        ranks = []
        for samples in (functions(grid.points), functions.on(grid)):
            rows = torch.cat([v.flatten(0, 1) for v in samples.values()])
            rows = rows[rows.norm(dim=1) > 1e-6]
            ranks.append((len(rows), int(torch.linalg.matrix_rank(rows, rtol=1e-6))))
        assert ranks[0] == ranks[1]


@every_grid
def test_what_has_the_moments_stays_as_it_is(grid):
    degrees = range(told_apart(grid) + 1)
    given = [raw(grid, degree) for degree in degrees]
    radius = grid.points.norm(dim=-1) / grid.unit
    profiles = [shell_harmonics(LIE[grid.n], grid).radial(degree, radius) for degree in degrees]
    found = match_moments(given, profiles, grid.points)
    for degree, values in enumerate(found):
        assert_close(values, on(grid, degree), ROUNDING)
    for values, again in zip(found, match_moments(found, profiles, grid.points), strict=True):
        assert_close(again, values, 1e-9)
    assert found[0] is given[0]


def test_a_filter_finer_than_its_taps_is_as_good_as_they_allow():
    """Three taps cannot tell x^3 from x: degree 3 is blind to degree 2, and no more."""
    grid = filter_grid(3, 3)
    assert turned(grid, 3, on(grid, 3), 2) < 1e-9
    assert turned(grid, 3, on(grid, 3), 3) > 1e-3


@pytest.mark.parametrize("size", [(1, 5), (1, 1), (2, 1)])
def test_filters_without_width(size):
    grid = filter_grid(size)
    for values in shell_harmonics(so2(), grid).on(grid).values():
        assert values.isfinite().all()
