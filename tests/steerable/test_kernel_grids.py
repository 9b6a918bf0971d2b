"""Kernels at the taps of filters: exact symmetries, independence, and the scale of their weights.

A grid sees functions at few points, so two effects are kept apart. Where the group maps the taps to
each other nothing is lost but high degrees: the constraint holds to rounding. Where kernels are
not independent on the taps (aliasing), the numbers stand here.
"""

import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from equinet import Plane
from equinet.group import cyclic, dihedral, inversion, o2, o3, octahedral, so2, so3
from equinet.harmonics import (
    Angular,
    Bessel,
    BSpline,
    Harmonics,
    Pixels,
    Zernike,
    filter_grid,
    gaussian_shells,
)
from equinet.harmonics.steered import shell_harmonics
from equinet.rep import irrep, irreps, quotient, regular, trivial, vector
from equinet.steerable import kernel_basis
from tests.steerable.kernel_cases import (
    GRIDS,
    fibres,
    grid_name,
    random,
    rank,
    scattered,
    seeded,
    tap_permutation,
)
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64
every_grid = pytest.mark.parametrize(("group", "grid"), GRIDS, ids=grid_name)


def random_kernel(kernels):
    shapes = kernels.weight_shapes.values()
    return kernels.expand([random(*shape, seed=i) for i, shape in enumerate(shapes)])


# Exact symmetries.


@every_grid
@pytest.mark.parametrize("family", ["pixels", "shells", "zernike"])
def test_the_constraint_is_a_permutation_of_the_taps(group, grid, family):
    functions = {
        "pixels": lambda: Pixels(group, grid),
        "shells": lambda: shell_harmonics(group, grid),
        "zernike": lambda: Harmonics(group, Zernike(4 * grid.extent, 3, group.n)),
    }[family]()
    small = group.order <= 8
    rho_in = [(1, regular(group))] if small else [(1, vector(group)), (1, trivial(group))]
    rho_out = [(1, vector(group)), (2, trivial(group)), (1, irrep(group, irreps(group)[-1].name))]
    basis = kernel_basis(rho_in, rho_out, functions)
    kernel = random_kernel(basis.on(grid))
    for h in (*group.generators, group.elements[-1]):
        moved = torch.einsum("oa,abp,ib->oip", basis.fibre_out(h), kernel, basis.fibre_in(h))
        assert_close(kernel[..., tap_permutation(grid, h)], moved, ROUNDING)


@pytest.mark.parametrize(
    ("group", "grid"), [(cyclic(8), filter_grid(5, 2)), (so2(), filter_grid(5, 2))], ids=grid_name
)
def test_other_groups_are_not_exact_on_the_grid(group, grid):
    """The taps of a quarter turn are permuted, those of an eighth are not."""
    basis = kernel_basis(vector(group), vector(group), shell_harmonics(group, grid))
    kernel = random_kernel(basis.on(grid))
    quarter = so2().element(torch.tensor(math.pi / 2, dtype=F64))
    there = tap_permutation(grid, quarter)
    moved = torch.einsum("oa,abp,ib->oip", quarter, kernel, quarter)
    assert_close(kernel[..., there], moved, ROUNDING)
    with pytest.raises(KeyError):
        tap_permutation(grid, so2().element(torch.tensor(math.pi / 4, dtype=F64)))
    mirrored = kernel[..., tap_permutation(grid, o2().mirror)]
    moved = torch.einsum("oa,abp,ib->oip", o2().mirror, kernel, o2().mirror)
    assert (mirrored - moved).abs().max() > 0.1


@every_grid
def test_pixel_kernels_are_orthogonal(group, grid):
    """Equal weight decay for all kernels of an irrep: <K, K'> = 0, and (K6) on the diagonal."""
    blocks_in = [(1, vector(group)), (2, trivial(group))]
    blocks_out = [(1, vector(group)), (1, quotient(group, group))]
    kernels = kernel_basis(blocks_in, blocks_out, Pixels(group, grid)).on(grid).dense().flatten(1)
    gram = kernels @ kernels.mT
    assert_close(gram, torch.diag(gram.diagonal()), ROUNDING)


# Independence on the taps.


def functions_on(radial, group, size):
    """The number of functions, how many are not zero at all taps, and the rank of these."""
    grid = filter_grid(size, group.n)
    values = torch.cat([v.flatten(0, 1) for v in Harmonics(group, radial)(grid.points).values()])
    there = values[values.norm(dim=1) > 1e-8]
    return len(values), len(there), rank(there)


LIE = {1: inversion(1), 2: so2(), 3: so3()}
SIZES = [(n, size) for n, sizes in ((1, (2, 3, 4, 5, 7)), (2, (2, 3, 4, 5, 7)), (3, (2, 3, 4, 5)))
         for size in sizes]  # fmt: skip


@pytest.mark.parametrize(("n", "size"), SIZES)
def test_families_that_are_independent_on_the_taps(n, size):
    """These span what they promise on every filter: all functions, so all kernels too."""
    extent = (size - 1) / 2
    families = [
        gaussian_shells(extent, cutoff="conservative"),
        Bessel(extent + 0.5, n),
        Zernike(extent * math.sqrt(n) + 0.01, size - 1, n),
        Angular(min(size - 1, 1) if n == 1 else size - 1),
    ]
    if size % 2:
        families.append(gaussian_shells(extent, cutoff="compromise"))
    for radial in families:
        total, nonzero, independent = functions_on(radial, LIE[n], size)
        assert total == nonzero == independent


ALIASED = [
    # Of ``total`` functions some vanish on the taps, and the rest have this rank.
    (2, 2, gaussian_shells(0.5), (5, 4, 4)),  # cos 2 phi = 0 on the diagonals
    (2, 2, gaussian_shells(0.5, cutoff="sfcnn"), (7, 6, 4)),
    (2, 4, gaussian_shells(1.5), (14, 14, 13)),
    (2, 4, gaussian_shells(1.5, cutoff="sfcnn"), (18, 18, 15)),
    (2, 3, gaussian_shells(1.0, cutoff="sfcnn"), (10, 9, 9)),  # sin 4 phi = 0
    (2, 5, gaussian_shells(2.0, cutoff="sfcnn"), (23, 23, 22)),
    (2, 7, gaussian_shells(3.0, cutoff="sfcnn"), (40, 40, 39)),
    (3, 2, gaussian_shells(0.5), (9, 7, 7)),
    (3, 2, gaussian_shells(0.5, cutoff="sfcnn"), (16, 13, 8)),
    (3, 4, gaussian_shells(1.5), (34, 34, 32)),
    (3, 4, gaussian_shells(1.5, cutoff="sfcnn"), (52, 52, 44)),
    (3, 3, gaussian_shells(1.0, cutoff="sfcnn"), (26, 25, 23)),
    (3, 5, gaussian_shells(2.0, cutoff="sfcnn"), (75, 75, 75)),
    (1, 3, BSpline(1.5, 2, 1), (4, 4, 3)),
    (2, 3, BSpline(1.5, 2, 1), (6, 6, 6)),
    (2, 5, BSpline(2.5, 3, 4), (27, 26, 21)),
    (3, 3, BSpline(1.5, 2, 2), (18, 18, 15)),
]


@pytest.mark.parametrize(("n", "size", "radial", "numbers"), ALIASED, ids=repr)
def test_families_that_alias(n, size, radial, numbers):
    assert functions_on(radial, LIE[n], size) == numbers


INDEPENDENT = [
    (group, filter_grid(size, group.n))
    for group, sizes in ((o2(), (3, 5, 7)), (so3(), (3, 5)), (o3(), (3,)), (cyclic(8), (3, 5)))
    for size in sizes
]


@pytest.mark.parametrize(("group", "grid"), INDEPENDENT, ids=grid_name)
def test_kernels_are_independent_on_odd_filters(group, grid):
    blocks_in = [(1, vector(group)), (1, irrep(group, irreps(group, 2)[-1].name))]
    blocks_out = [(1, vector(group)), (1, trivial(group))]
    basis = kernel_basis(blocks_in, blocks_out, shell_harmonics(group, grid))
    kernels = basis.on(grid)
    assert kernels.dim == basis.dim == rank(kernels.dense().flatten(1))


@every_grid
def test_kernels_of_pixels_are_independent(group, grid):
    basis = kernel_basis(vector(group), vector(group), Pixels(group, grid))
    kernels = basis.on(grid)
    assert kernels.dim == basis.dim == rank(kernels.dense().flatten(1))


def test_functions_that_vanish_at_all_taps_are_left_out():
    """cos 2 phi on a 2 x 2 filter; for C4 it and sin 2 phi are functions apart."""
    grid, group = filter_grid(2, 2), cyclic(4)
    basis = kernel_basis(irrep(group, "2"), trivial(group), Harmonics(group, Angular(2)))
    assert basis.dim == 2 and basis.on(grid).dim == 1
    assert basis.at(grid.points).dim == 2


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e6])
def test_the_unit_of_length_does_not_matter(unit):
    grid = filter_grid(5, 3, spacing=unit)
    plain = filter_grid(5, 3)
    pairs = [
        (shell_harmonics(so3(), grid), shell_harmonics(so3(), plain)),
        (Harmonics(so3(), Zernike(3.0, 4, 3), unit), Harmonics(so3(), Zernike(3.0, 4, 3))),
        (Pixels(octahedral(), grid), Pixels(octahedral(), plain)),
    ]
    for functions, other in pairs:
        rho = vector(functions.group)
        found = kernel_basis(rho, rho, functions).on(grid)
        expected = kernel_basis(rho, rho, other).on(plain)
        assert_close(random_kernel(found), random_kernel(expected), SYMMETRY)


def test_profiles_that_are_small_everywhere():
    grid = filter_grid(5, 3, spacing=1e6)
    basis = kernel_basis(trivial(so3()), trivial(so3()), Harmonics(so3(), Zernike(3e6, 4, 3)))
    assert basis.on(grid).dim == basis.dim


# The scale (K6).


def output_covariance(kernels):
    """Of the outputs for white noise and independent weights of variance 1, ``(out, out)``."""
    every = kernels.dense()
    return torch.einsum("koip,kaip->oa", every, every)


@every_grid
def test_outputs_have_variance_one_on_grids_with_the_symmetry(group, grid):
    blocks_in = [(2, trivial(group)), (1, vector(group))]
    blocks_out = [(1, vector(group)), (2, trivial(group)), (1, regular(group))]
    if group.order > 24:
        blocks_out = blocks_out[:2]
    kernels = kernel_basis(blocks_in, blocks_out, Pixels(group, grid)).on(grid)
    # Not only the variances: components are uncorrelated, in the basis of group elements too.
    # Irreps that no kernel ends in stay 0.
    reached = {out for out, _ in kernels.pairs}
    space = kernels.fibre_out
    expected = [
        float(psi in reached) for psi, m in space.counts.items() for _ in range(m * psi.dim)
    ]
    matrix = torch.diag(torch.tensor(expected, dtype=F64))
    if space.permutation is not None:
        matrix = matrix[space.permutation][:, space.permutation]
    matrix = space.change_basis(space.change_basis(matrix, 0), 1, inverse=True)
    assert_close(output_covariance(kernels), matrix, SYMMETRY)


@given(st.data())
def test_mixed_fibres_keep_variance(data):
    """On a grid with the symmetry every component, else the mean over each irrep."""
    group, grid = data.draw(st.sampled_from(GRIDS[:14]), label="case")
    blocks = [data.draw(fibres(group, 2, 8), label=side) for side in ("in", "out")]
    functions = data.draw(
        st.sampled_from([Pixels(group, grid), shell_harmonics(group, grid)]), label="functions"
    )
    basis = kernel_basis(blocks[0], blocks[1], functions)
    assume(all(rho.is_orthogonal for _, rho in basis.fibre_out.blocks + basis.fibre_in.blocks))
    assume(0 < basis.dim <= 400)
    kernels = basis.on(grid)
    reached = {out for out, _ in kernels.pairs}
    assume(reached == set(basis.fibre_out.counts))
    assert_close(output_covariance(kernels).diagonal(), torch.ones(basis.fibre_out.dim), SYMMETRY)


@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_irreps_of_continuous_groups_keep_their_mean_variance(size):
    """The grid is a cube, so the components of an irrep of SO(3) differ, but not their mean."""
    group, grid = so3(), filter_grid(size, 3)
    out = [(2, irrep(group, 0)), (1, irrep(group, 1)), (2, irrep(group, 2))]
    basis = kernel_basis(
        [(2, irrep(group, 0)), (1, irrep(group, 1))], out, shell_harmonics(group, grid)
    )
    variance = output_covariance(basis.on(grid)).diagonal()
    copies = variance.split([1, 1, 3, 5, 5])
    assert_close(torch.stack([v.mean() for v in copies]), torch.ones(5), SYMMETRY)
    # Up to 1 the cube has no preferred component, for 2 it splits E from T2, unless the filter is
    # too small for kernels of degree 2.
    assert_close(variance[:5], torch.ones(5), SYMMETRY)
    assert ((variance[5:] - 1).abs().max() > 1e-3) == (size > 2)


def test_kernels_at_points_are_not_scaled():
    basis = kernel_basis(irrep(so3(), 1), irrep(so3(), 1), Harmonics(so3(), Angular(2)))
    raw = basis.at(scattered(so3(), 9))
    # |C|^2 = 1 is shared by the 2J + 1 harmonics, whose squares sum to 1.
    expected = torch.tensor([1, 1 / 3, 1 / 5], dtype=F64)[:, None].expand(3, 9)
    assert_close(raw.dense().square().sum((1, 2)), expected, ROUNDING)
    norms = raw.scaled().dense().square().sum((1, 2, 3))
    assert_close(norms, torch.ones(3), ROUNDING)  # d_out / N_out = 3 / 3


def test_a_convolution_with_random_weights_keeps_variance():
    """The statement of (K6), by sampling: white noise in, variance one out."""
    group, grid = dihedral(4), filter_grid(3, 2)
    basis = kernel_basis([(2, regular(group))], [(1, regular(group)), (1, vector(group))],
                         Pixels(group, grid))  # fmt: skip
    kernels, generator = basis.on(grid), seeded()
    total = torch.zeros(basis.fibre_out.dim, dtype=F64)
    draws = 200
    for _ in range(draws):
        weights = [
            torch.randn(s, generator=generator, dtype=F64) for s in kernels.weight_shapes.values()
        ]
        filters = grid.embed(kernels.expand(weights))
        noise = torch.randn(1, basis.fibre_in.dim, 12, 12, generator=generator, dtype=F64)
        total += torch.nn.functional.conv2d(noise, filters).square().mean((0, 2, 3))
    assert_close(total / draws, torch.ones(basis.fibre_out.dim), 0.1)


@pytest.mark.parametrize(
    "name, size",
    [
        *[("C8", size) for size in (2, 4, 7)],
        *[("C16", size) for size in (3, 5)],
        *[(name, size) for name in ("SO(2)", "O(2)") for size in (2, 3, 4, 5, 7)],
    ],
)
def test_a_constant_field_meets_the_trivial_irrep_only(name, size):
    """The sum of a kernel over its taps is an intertwiner, as its integral over R^n is."""
    plane = Plane(name)
    texts = {"SO(2)": "1x0 + 1x1 + 1x2 + 1x4", "O(2)": "1x0e + 1x0o + 1x1 + 1x2 + 1x4"}
    blocks = plane.fields(texts.get(name, "1x regular")).blocks
    grid = filter_grid(size, 2)
    functions = shell_harmonics(plane.group, grid)
    basis = kernel_basis(blocks, blocks, functions)
    sums = basis.on(grid).dense().sum(-1)
    g = plane.group.sample(5, generator=torch.Generator().manual_seed(0))
    rho = basis.fibre_in(g)
    assert_close(rho[:, None] @ sums, sums @ rho[:, None], ROUNDING)
    # Negative control: the functions themselves have samples with other sums.
    plain = basis.at(grid.points).dense().sum(-1)
    if size >= 5:
        assert (rho[:, None] @ plain - plain @ rho[:, None]).abs().max() > 1e-3
