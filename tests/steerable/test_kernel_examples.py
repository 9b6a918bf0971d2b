"""Kernels that are known: the first group convolutions, harmonic networks, 3D steerable CNNs."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equinet.group import cyclic, dihedral, inversion, o2, o3, octahedral, so2, so3
from equinet.harmonics import Angular, Harmonics, Pixels, filter_grid, spherical_harmonics
from equinet.harmonics.steered import shell_harmonics
from equinet.numerics import wigner_D
from equinet.rep import irrep, regular, trivial, vector
from equinet.steerable import kernel_basis
from tests.steerable.kernel_cases import GRIDS, grid_name, random, rank, scattered, tap_permutation
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64


def same_span(kernels, others) -> bool:
    """Whether two stacks of kernels span the same space."""
    kernels, others = kernels.flatten(1), others.flatten(1)
    return rank(kernels) == rank(others) == rank(torch.cat([kernels, others]))


def angular_kernels(group, rho_in, rho_out, points, lmax):
    return kernel_basis(rho_in, rho_out, Harmonics(group, Angular(lmax))).at(points).dense()


# Group convolutions (arXiv 1602.07576), with free filters.


def lifting_bank(w):
    """From a scalar filter to p4: its copies, turned by 0, 90, 180 and 270 degrees."""
    return torch.stack([torch.rot90(w, k, (-2, -1)) for k in range(4)])[:, None]


def group_bank(w):
    """From p4 to p4, w of shape (4, k, k): turned, and the orientations permuted cyclically."""
    return torch.stack(
        [
            torch.stack([torch.rot90(w[(j - i) % 4], i, (-2, -1)) for j in range(4)])
            for i in range(4)
        ]
    )


@pytest.mark.parametrize("size", [2, 3])
def test_p4_filter_banks(size):
    group, grid = cyclic(4), filter_grid(size, 2)
    one, rho = trivial(group), regular(group)
    free = torch.eye(size**2, dtype=F64).unflatten(1, (size, size))
    banks = torch.stack([lifting_bank(w) for w in free])
    kernels = grid.embed(kernel_basis(one, rho, Pixels(group, grid)).on(grid).dense())
    assert kernels.shape == banks.shape and same_span(kernels, banks)
    free = torch.eye(4 * size**2, dtype=F64).unflatten(1, (4, size, size))
    banks = torch.stack([group_bank(w) for w in free])
    kernels = grid.embed(kernel_basis(rho, rho, Pixels(group, grid)).on(grid).dense())
    assert kernels.shape == banks.shape and same_span(kernels, banks)


def test_filter_banks_turned_the_other_way_are_others():
    group, grid = cyclic(4), filter_grid(3, 2)
    free = torch.eye(9, dtype=F64).unflatten(1, (3, 3))
    banks = torch.stack([lifting_bank(w)[[0, 3, 2, 1]] for w in free])
    basis = kernel_basis(trivial(group), regular(group), Pixels(group, grid))
    assert not same_span(grid.embed(basis.on(grid).dense()), banks)


@pytest.mark.parametrize(
    ("group", "grid", "whole"),
    [
        (dihedral(4), filter_grid(3, 2), True),
        (dihedral(6), filter_grid(3, lattice="hexagonal"), True),
        (octahedral(), filter_grid(2, 3), True),
        (octahedral(), filter_grid(3, 3), False),
    ],
    ids=grid_name,
)
def test_free_filters_on_orbits(group, grid, whole):
    """K_{h, h'}(x) = w_{h^-1 h'}(h^-1 x) for one free filter w for each element."""
    taps, order = len(grid.points), group.order
    there = torch.tensor([tap_permutation(grid, h) for h in group.elements])

    def bank(w):
        """From w of shape (order or 1, taps)."""
        inputs = len(w)
        kernel = torch.zeros(order, inputs, taps, dtype=F64)
        for i in range(order):
            between = group.table[group.inverse[i]] if inputs > 1 else torch.zeros(1).long()
            kernel[i][:, there[i]] = w[between]
        return kernel

    one, rho = trivial(group), regular(group)
    banks = torch.stack([bank(w) for w in torch.eye(taps, dtype=F64)[:, None]])
    kernels = kernel_basis(one, rho, Pixels(group, grid)).on(grid).dense()
    assert same_span(kernels, banks) and len(kernels) == taps
    basis = kernel_basis(rho, rho, Pixels(group, grid))
    assert basis.dim == order * taps
    if whole:
        # Orthogonal kernels: what is left of a filter bank after projection is zero.
        kernels = basis.on(grid).dense().flatten(1)
        kernels = kernels / kernels.norm(dim=1, keepdim=True)
        some = torch.stack([bank(random(order, taps, seed=i)) for i in range(3)]).flatten(1)
        assert_close(some @ kernels.mT @ kernels, some, SYMMETRY)
        other = random(*some.shape, seed=9)
        assert (other @ kernels.mT @ kernels - other).abs().max() > 0.1


@pytest.mark.parametrize(("group", "grid"), [GRIDS[i] for i in (2, 4, 9, 16, 20)], ids=grid_name)
def test_a_convolution_commutes_with_the_group(group, grid):
    """Phi(g f) = g Phi(f) for [g f](x) = rho(g) f(g^-1 x), on a larger grid with zeros around."""
    basis = kernel_basis(
        [(1, vector(group)), (1, trivial(group))],
        [(1, vector(group)), (1, trivial(group))],
        shell_harmonics(group, grid),
    )
    kernels = basis.on(grid)
    shapes = kernels.weight_shapes.values()
    kernel = kernels.expand([random(*shape, seed=i) for i, shape in enumerate(shapes)])
    # Fields on the sums of two taps, by the definition [K * f](x) = sum_y K(y) f(x + y).
    domain = grid.points
    field = random(basis.fibre_in.dim, len(domain), seed=5)
    offset = domain[None] - domain[:, None]  # (x, x', n): y = x' - x
    distance = torch.cdist(
        offset.flatten(0, 1), domain, compute_mode="donot_use_mm_for_euclid_dist"
    )
    near, which = distance.min(1)
    matrix = kernel[..., which] * (near < 1e-9)
    matrix = matrix.unflatten(-1, (len(domain), len(domain)))

    def convolve(f):
        return torch.einsum("oixy,iy->ox", matrix, f)

    def act(rho, h, f):
        moved = torch.empty_like(f)
        moved[:, tap_permutation(grid, h)] = rho(h) @ f
        return moved

    for h in group.generators:
        left = convolve(act(basis.fibre_in, h, field))
        right = act(basis.fibre_out, h, convolve(field))
        assert_close(left, right, SYMMETRY)


# The plane: harmonic networks (arXiv 1612.04642).


@given(st.integers(0, 6), st.integers(0, 6), st.data())
def test_kernels_of_so2(m, n, data):
    """From m to n: turns by (n - m) phi, reflections by (n + m) phi, and their products with i."""
    lmax = data.draw(st.integers(0, m + n + 1), label="lmax")
    angle = torch.linspace(0.1, 6.2, 19, dtype=F64)
    points = 1.7 * torch.stack([angle.cos(), angle.sin()], -1)
    kernels = angular_kernels(so2(), irrep(so2(), m), irrep(so2(), n), points, lmax)
    shapes = []
    for frequency, mirror in ((n - m, 1.0), (n + m, -1.0)):
        if abs(frequency) <= lmax:
            c, s = (frequency * angle).cos(), (frequency * angle).sin()
            shapes.append(
                torch.stack([torch.stack([c, -mirror * s]), torch.stack([s, mirror * c])])
            )
            shapes.append(
                torch.stack([torch.stack([-s, -mirror * c]), torch.stack([c, -mirror * s])])
            )
    if m == 0 or n == 0:  # one component less: the four become two, or one
        shapes = [k[: 2 if n else 1, : 2 if m else 1] for k in shapes[:2]]
        if m == n == 0:
            shapes = shapes[:1]
    assert len(kernels) == len(shapes)
    if shapes:
        assert same_span(kernels, torch.stack(shapes))


def test_kernels_of_o2():
    """Half of those of SO(2): the mirror y -> -y leaves cosines on the diagonal."""
    angle = torch.linspace(0.1, 6.2, 19, dtype=F64)
    points = torch.stack([angle.cos(), angle.sin()], -1)
    for m in (1, 2, 3):
        for n in (1, 2, 3):
            kernels = angular_kernels(o2(), irrep(o2(), m), irrep(o2(), n), points, 6)
            shapes = []
            for frequency, mirror in ((n - m, 1.0), (n + m, -1.0)):
                c, s = (frequency * angle).cos(), (frequency * angle).sin()
                shapes.append(
                    torch.stack([torch.stack([c, -mirror * s]), torch.stack([s, mirror * c])])
                )
            assert len(kernels) == 2 and same_span(kernels, torch.stack(shapes))
    # A pseudo-scalar to vectors: the tangent, not the radius.
    kernels = angular_kernels(o2(), irrep(o2(), "0o"), irrep(o2(), 1), points, 6)
    assert same_span(kernels, torch.stack([-angle.sin(), angle.cos()])[None, :, None])


def test_kernels_of_the_line():
    """Even functions between equal parities, odd ones between different ones."""
    group, x = inversion(1), torch.tensor([[-1.5], [-0.5], [0.5], [1.5]], dtype=F64)
    for a, b in (("0e", "0e"), ("0e", "0o"), ("0o", "0e"), ("0o", "0o")):
        kernels = angular_kernels(group, irrep(group, a), irrep(group, b), x, 5)
        assert len(kernels) == 1
        shape = torch.ones(4, dtype=F64) if a == b else x[:, 0].sign()
        assert same_span(kernels, shape[None, None, None])


# Space: 3D steerable CNNs (arXiv 1807.02547).


@pytest.mark.parametrize("l", range(7))
def test_kernels_from_and_to_scalars_are_harmonics(l):
    points = scattered(so3(), 8)
    y = spherical_harmonics(l, points)[:, l * l :].mT / math.sqrt(2 * l + 1)
    to = angular_kernels(so3(), irrep(so3(), 0), irrep(so3(), l), points, 6)
    assert_close(to, y[None, :, None], SYMMETRY)
    back = angular_kernels(so3(), irrep(so3(), l), irrep(so3(), 0), points, 6)
    assert_close(back, y[None, None], SYMMETRY)


def vector_identities(points):
    x = points / points.norm(dim=1, keepdim=True)
    one = torch.eye(3, dtype=F64)[..., None].expand(3, 3, len(x))
    even = torch.einsum("pi,pj->ijp", x, x) - one / 3
    zero = torch.zeros(len(x), dtype=F64)
    a, b, c = x.unbind(-1)
    cross = torch.stack(
        [torch.stack([zero, -c, b]), torch.stack([c, zero, -a]), torch.stack([-b, a, zero])]
    )
    return one, even, cross


def test_kernels_between_vectors():
    """1, x x^T - 1/3, and for rotations only also the cross product with x."""
    points = scattered(so3(), 8)
    one, even, cross = vector_identities(points)
    for group, polar, shapes in (
        (o3(), "1o", [one, even]),
        (so3(), "1", [one, cross, even]),
    ):
        rho = irrep(group, polar)
        assert rho == vector(group)
        kernels = angular_kernels(group, rho, rho, points, 6)
        assert len(kernels) == len(shapes)
        for kernel, shape in zip(kernels, shapes, strict=True):  # by degree 0, 1, 2
            assert same_span(kernel[None], shape[None])
    # From axial to polar vectors: the cross product alone.
    kernels = angular_kernels(o3(), irrep(o3(), "1e"), irrep(o3(), "1o"), points, 6)
    assert len(kernels) == 1 and same_span(kernels, cross[None])


def test_kernels_on_the_axis_preserve_the_spin():
    """At a point of the polar axis a kernel commutes with the rotations about it: m = m'."""
    axis = torch.tensor([[0.0, 1.0, 0.0]], dtype=F64)
    half = torch.tensor(0.7, dtype=F64)
    about = torch.tensor(
        [[half.cos(), 0, half.sin()], [0, 1, 0], [-half.sin(), 0, half.cos()]], dtype=F64
    )
    for j, l in ((1, 1), (1, 2), (3, 2)):
        kernels = angular_kernels(so3(), irrep(so3(), j), irrep(so3(), l), axis, 6)[..., 0]
        assert len(kernels) == 2 * min(j, l) + 1 == rank(kernels.flatten(1))
        assert_close(wigner_D(l, about) @ kernels, kernels @ wigner_D(j, about), SYMMETRY)


@given(
    st.integers(0, 4),
    st.integers(0, 4),
    st.sampled_from(["conservative", "compromise", "sfcnn"]),
    st.sampled_from([1, 2, 3, 4, 5, 7]),
)
def test_counts_of_the_shells(l, j, cutoff, size):
    """sum_m #{J in [|l - j|, l + j], J <= J_max[m]}, shells m at 0, 1, 2 or 1/2, 3/2, ..."""
    grid = filter_grid(size, 3)
    functions = shell_harmonics(so3(), grid, cutoff=cutoff)
    basis = kernel_basis(irrep(so3(), l), irrep(so3(), j), functions)
    extra = {"conservative": 0, "compromise": 1, "sfcnn": 2}[cutoff]
    radii = [(size - 1) / 2 - i for i in range((size - 1) // 2 + 1)]
    tops = [int(2 * m) + extra if m > 0 else 0 for m in radii]
    assert basis.dim == sum(J <= top for top in tops for J in range(abs(l - j), l + j + 1))


def block(multiplicities):
    """Fields of degrees 0, 1, 2, ... in a gated block: with one more scalar for each field."""
    return [(mul, irrep(so3(), l)) for l, mul in enumerate(multiplicities) if mul]


def parameters(fields, size, classes):
    """Of a network of gated blocks: kernels, a bias for each scalar and gate, a linear layer."""
    functions = shell_harmonics(so3(), filter_grid(size, 3))
    total = (fields[-1][0] + 1) * classes
    for lower, upper in zip(fields, fields[1:], strict=False):
        scalars = sum(upper)
        out = (scalars, *upper[1:])
        total += scalars + kernel_basis(block(lower), block(out), functions).dim
    return total


def test_published_networks():
    """Tetris and SHREC17: 41,198 and 142,617 parameters."""
    tetris = [(1,), (4, 4, 4, 1), (16, 16, 16, 0), (32, 16, 16, 0), (128,)]
    assert parameters(tetris, 5, 8) == 41198
    shrec = [(1,), *2 * [(8, 4, 2)], *2 * [(16, 8, 4)], *3 * [(32, 16, 8)], (512,)]
    assert parameters(shrec, 5, 55) == 142617


def test_published_layer_by_hand():
    """The first layer of the Tetris network: 1 scalar to 4 + 9 scalars and 4, 4, 1 fields."""
    functions = shell_harmonics(so3(), filter_grid(5, 3))
    shells = {0: 3, 1: 2, 2: 2, 3: 2}  # kernels from a scalar to each degree: J_max is 0, 3, 5
    basis = kernel_basis(block((1,)), block((13, 4, 4, 1)), functions)
    assert {out.degree: count for (out, _), count in basis.counts.items()} == shells
    assert basis.dim == 13 * 3 + 4 * 2 + 4 * 2 + 1 * 2 == 57
    kernels = basis.on(filter_grid(5, 3))
    assert kernels.dim == 57 and kernels.dense().shape == (57, 13 + 12 + 20 + 7, 1, 125)
    assert_close(kernels.dense()[..., 62].flatten(1)[:, 13:], torch.zeros(57, 39), ROUNDING)
