"""Indicator functions of pixels: all functions on a grid, steered by a group that permutes it."""

import copy
import json
import pickle
import re

import pytest
import torch

from equinet.group import cyclic, dihedral, octahedral, point_group, so2, so3
from equinet.harmonics import Pixels, filter_grid
from equinet.rep import irreps
from tests.steerable.kernel_cases import GRIDS, grid_name, seeded, tap_permutation
from tests.tolerances import ROUNDING, assert_close

F64 = torch.float64
every_grid = pytest.mark.parametrize(("group", "grid"), GRIDS, ids=grid_name)


@every_grid
def test_functions_transform_by_their_irrep(group, grid):
    """f(h x) = psi(h) f(x), where the taps are permuted exactly."""
    functions = Pixels(group, grid)
    values = functions(grid.points)
    assert values.keys() == functions.counts.keys()
    for h in group.elements:
        moved = functions(grid.points @ h.mT)
        there = tap_permutation(grid, h)
        for psi, value in values.items():
            assert value.shape == (functions.counts[psi], psi.dim, len(grid.points))
            expected = torch.einsum("ij,cjp->cip", psi(h), value)
            assert_close(value[..., there], expected, ROUNDING)
            assert_close(moved[psi], expected, ROUNDING)


@every_grid
def test_functions_span_all_functions_on_the_grid(group, grid):
    """They are an orthonormal basis of R^taps."""
    functions = Pixels(group, grid)
    rows = torch.cat([v.flatten(0, 1) for v in functions(grid.points).values()])
    assert sum(count * psi.dim for psi, count in functions.counts.items()) == len(grid.points)
    assert_close(rows @ rows.mT, torch.eye(len(rows)), ROUNDING)


@every_grid
def test_counts_are_those_of_the_permutation_character(group, grid):
    """The number of taps that h leaves in place is the character of the functions."""
    fixed = [sum(i == j for i, j in enumerate(tap_permutation(grid, h))) for h in group.elements]
    fixed = torch.tensor(fixed, dtype=F64)
    counts = Pixels(group, grid).counts
    for psi in irreps(group):
        expected = (fixed * psi.character(group.elements)).mean() / psi.ends
        assert counts.get(psi, 0) == round(float(expected))
        assert_close(expected, expected.round(), ROUNDING)


def test_the_first_group_convolutions():
    """Under C4 a 3 x 3 filter is a centre and two orbits of four pixels, each regular."""
    counts = Pixels(cyclic(4), filter_grid(3, 2)).counts
    assert {psi.name: count for psi, count in counts.items()} == {"0": 3, "1": 2, "2": 2}
    counts = Pixels(octahedral(), filter_grid(2, 3)).counts
    # The corners of a cube: A1 + A2 + T1 + T2.
    assert {psi.name: count for psi, count in counts.items()} == {
        "A1": 1,
        "A2": 1,
        "T1": 1,
        "T2": 1,
    }


def test_values_at_other_points_are_zero():
    grid = filter_grid(3, 2, spacing=2.0)
    functions = Pixels(dihedral(4), grid)
    points = torch.tensor([[2.0, 0.0], [1.0, 0.0], [9.0, 9.0], [0.0, 1e-3]], dtype=F64)
    tap = grid.points.tolist().index([2.0, 0.0])
    for psi, value in functions(points).items():
        assert_close(value[..., 0], functions(grid.points)[psi][..., tap], 0)
        assert_close(value[..., 1:], torch.zeros_like(value[..., 1:]), 0)
    single = functions(grid.points.float().view(3, 3, 2))
    for psi, value in functions(grid.points).items():
        assert single[psi].shape == (functions.counts[psi], psi.dim, 3, 3)
        assert single[psi].dtype == torch.float32
        assert_close(single[psi].flatten(-2), value.float(), 0)


def test_values_are_hashable_and_picklable():
    cases = [Pixels(group, grid) for group, grid in GRIDS]
    assert len(set(cases)) == len(cases)
    for functions in cases:
        for other in (pickle.loads(pickle.dumps(functions)), copy.deepcopy(functions)):
            assert other == functions and hash(other) == hash(functions)
            for psi, value in functions(functions.grid.points).items():
                assert_close(other(other.grid.points)[psi], value, 0)


OUTSIDE = [
    (cyclic(8), filter_grid(3, 2)),
    (cyclic(4), filter_grid((3, 5))),
    (dihedral(4), filter_grid(3, 2, spacing=(1.0, 1.5))),
    (cyclic(3), filter_grid(3, 2)),
    (cyclic(4), filter_grid(3, lattice="hexagonal")),
    (dihedral(4).conjugate(so2().element(torch.tensor(0.4, dtype=F64))), filter_grid(3, 2)),
    (octahedral(), filter_grid((3, 3, 2))),
    (octahedral(), filter_grid(3, 3, spacing=(1.0, 1.0, 2.0))),
    (octahedral().conjugate(so3().sample(generator=seeded())), filter_grid(3, 3)),
    (point_group("I"), filter_grid(3, 3)),
]


@pytest.mark.parametrize(("group", "grid"), OUTSIDE, ids=grid_name)
def test_a_grid_that_is_not_mapped_to_itself(group, grid):
    """The message names an element and a tap that it takes to where there is none."""
    with pytest.raises(ValueError, match="grid: expected taps that .* maps to each other") as error:
        Pixels(group, grid)
    found = re.search(r"where (\[\[.*\]\]) takes (\[.*\]) to (\[.*\])$", str(error.value))
    assert found is not None
    element, tap, place = (torch.tensor(json.loads(text), dtype=F64) for text in found.groups())
    assert_close(element @ tap, place, ROUNDING)
    assert (grid.points - tap).abs().amax(1).min() < 1e-6
    assert (grid.points - place).abs().amax(1).min() > 1e-2


def test_the_scale_of_the_grid_does_not_matter():
    for spacing in (1e3, 1e-3):
        grid = filter_grid(3, 2, spacing=spacing)
        with pytest.raises(ValueError, match="grid: expected taps"):
            Pixels(cyclic(8), grid)
        for psi, value in Pixels(cyclic(4), grid)(grid.points).items():
            plain = Pixels(cyclic(4), filter_grid(3, 2))
            assert_close(value, plain(plain.grid.points)[psi], ROUNDING)


def test_a_very_fine_grid_is_checked_too():
    with pytest.raises(ValueError, match="grid: expected taps"):
        Pixels(cyclic(8), filter_grid(3, 2, spacing=1e-7))


def test_bad_input():
    with pytest.raises(TypeError, match=r"group: expected a finite group, got SO\(2\)"):
        Pixels(so2(), filter_grid(3, 2))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="grid: expected one of 2 dimensions for C4, got 3"):
        Pixels(cyclic(4), filter_grid(3, 3))
