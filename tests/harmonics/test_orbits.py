"""All functions on the orbits of taps: they are steered, and give every kernel once."""

import copy
import pickle

import pytest
import torch

from equinet.group import (
    SO2,
    axial,
    cyclic,
    dihedral,
    direct_product,
    icosahedral,
    o2,
    octahedral,
    so2,
    so3,
)
from equinet.harmonics import Orbits, Pixels, filter_grid, shell_harmonics
from equinet.rep import Fibre, irreps
from equinet.rep.representation import check_rep
from equinet.steerable import TapKernels, kernel_basis
from tests.over import over
from tests.steerable.kernel_cases import seeded
from tests.tolerances import ROUNDING, assert_close

# The group, the size of the filter, and the largest degree of the functions.
CASES = [
    (cyclic(8), 5, 0),
    (dihedral(3), 4, 0),
    (icosahedral(), 3, 0),
    (so2(), 5, 2),
    (o2(), 4, 2),
    (so3(), 3, 2),
    (axial("Cinf", (1.0, 1.0, 0.0)), 3, 1),
    (axial("Dinf", (0.0, 1.0, 0.0)), 3, 1),
    (axial("Dinfh"), 3, 1),
]


@over("group, size, lmax", CASES)
def test_functions_transform_by_their_irrep(group, size, lmax):
    """f(h x) = psi(h) f(x), also where h takes a tap to a place without one."""
    functions = Orbits(group, filter_grid(size, group.n), lmax)
    points = functions.grid.points
    values = functions(points)
    assert values.keys() == functions.counts.keys()
    for h in [*group.generators, *group.sample(1, generator=seeded()).double()]:
        moved = functions(points @ h.mT)
        for psi, value in values.items():
            assert value.shape == (functions.counts[psi], psi.dim, len(points))
            assert_close(moved[psi], torch.einsum("ij,cjp->cip", psi(h), value), ROUNDING)
    norms = sum(value.square().sum() for value in values.values())
    assert norms > 1  # the negative control: not all of them are 0


@over("group, size, lmax", CASES)
def test_they_make_every_kernel_once(group, size, lmax):
    """As many kernels as characters count, none of which is a sum of others on the taps."""
    grid = filter_grid(size, group.n)
    psis = irreps(group, None if group.is_finite else lmax // 2)[:4]
    fibre = Fibre(tuple((1, check_rep(psi)) for psi in psis))
    sampled = kernel_basis(fibre.blocks, fibre.blocks, Orbits(group, grid, lmax)).on(grid)
    assert sampled.dim == TapKernels(fibre, fibre, grid).dim
    for kernels in sampled.pairs.values():
        assert torch.linalg.matrix_rank(kernels.flatten(1)) == len(kernels)
    if isinstance(group, SO2) or group == cyclic(8):  # the negative control: shells give fewer
        shells = shell_harmonics(group, grid)
        assert kernel_basis(fibre.blocks, fibre.blocks, shells).on(grid).dim < sampled.dim


def test_pixels_are_the_orbits_of_a_group_that_keeps_the_grid():
    grid = filter_grid(3, 2)
    values, orbits = (kind(cyclic(4), grid)(grid.points) for kind in (Pixels, Orbits))
    assert list(values) == list(orbits)
    for psi, value in values.items():
        assert_close(orbits[psi], value, 0)
    with pytest.raises(ValueError, match="^grid: expected taps that C8 maps to each other"):
        Pixels(cyclic(8), grid)


def test_they_are_zero_off_the_orbits():
    functions = Orbits(so2(), filter_grid(3, 2), 2)
    points = torch.tensor([[0.6, 0.8], [1.1, 0.0], [0.0, 2.0]], dtype=torch.float64)
    for value in functions(points).values():
        assert_close(value[..., 1:], torch.zeros_like(value[..., 1:]), 0)
    assert max(float(v[..., 0].abs().max()) for v in functions(points).values()) > 0.4
    one = functions(points[0].float())
    assert {v.dtype for v in one.values()} == {torch.float32}
    assert all(v.dim() == 2 for v in one.values())


def test_they_are_values():
    functions = Orbits(octahedral(), filter_grid(3, 3))
    assert pickle.loads(pickle.dumps(functions)) == copy.deepcopy(functions) == functions
    assert functions != Orbits(octahedral(), filter_grid(5, 3))
    for arguments, error, text in [
        ((octahedral(), filter_grid(3, 2)), ValueError, "^grid: expected one of 3 dimensions"),
        ((direct_product(o2(), cyclic(2)), filter_grid(3, 2)), TypeError, "^group: expected a fin"),
        (("C8", filter_grid(3, 2)), TypeError, "^group"),
        ((so2(), filter_grid(3, 2), -1), ValueError, "^lmax"),
        ((so2(), 3), TypeError, "^grid"),
    ]:
        with pytest.raises(error, match=text):
            Orbits(*arguments)
