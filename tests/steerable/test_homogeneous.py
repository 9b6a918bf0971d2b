"""Kernels on finite homogeneous spaces: known ones, types of irreps, scale, and bad input.

The theorems themselves, over several hundred cases, are tests/theorems.
"""

import pickle

import pytest
import torch

from equinet.group import (
    cyclic,
    generate,
    icosahedral,
    octahedral,
    orbit_section,
    point_group,
    section,
    so2,
    subgroup_classes,
    symmetric,
    tetrahedral,
    trivial_group,
)
from equinet.rep import Representation, fibre, irrep, irreps, quotient, regular, trivial, vector
from equinet.steerable import HomogeneousKernels, homogeneous_kernels, kernels_between
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64
O, C3, C4 = octahedral(), point_group("C3"), point_group("C4")
FACES = section(O, C4)
CORNERS = section(O, subgroup_classes(O)[3])  # of order 3: about a diagonal of the cube
Q8 = generate(
    torch.tensor(
        [
            [[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]],
            [[0, 0, -1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, -1, 0, 0]],
        ],
        dtype=F64,
    )
)


def _kernels(section_in, section_out, rho_in=None, rho_out=None) -> HomogeneousKernels:
    rho_in = trivial(section_in.subgroup) if rho_in is None else rho_in
    rho_out = trivial(section_out.subgroup) if rho_out is None else rho_out
    return HomogeneousKernels(section_in, section_out, rho_in, rho_out)


def test_sets():
    """Under S_n, functions on n things have two kernels: of the thing itself, of all others."""
    for n in (3, 4, 5):
        things = orbit_section(symmetric(n), torch.eye(n))
        kernels = _kernels(things, things)
        one = torch.eye(n, dtype=F64)
        assert_close(kernels.matrix(kernels.on_group), torch.stack([one, 1 - one]), 0)


def test_a_ring_has_circulant_matrices():
    """Functions on C_n: kappa(y - x), an ordinary correlation."""
    n = 6
    ring = section(cyclic(n), trivial_group(2))
    kernels = _kernels(ring, ring)
    matrices = kernels.matrix(kernels.on_group)
    expected = torch.stack([torch.eye(n, dtype=F64).roll(k, 1) for k in range(n)])
    assert_close(matrices, expected, 0)


def test_faces_of_a_cube():
    """Functions: the face, the opposite one, the four others."""
    kernels = _kernels(FACES, FACES)
    sums = kernels.matrix(kernels.on_group).sum(2)
    assert sorted(sums[:, 0].tolist()) == [1.0, 1.0, 4.0]
    assert_close(kernels.matrix(kernels.on_group).sum(0), torch.ones(6, 6), 0)


@pytest.mark.parametrize(
    ("psi", "ends"),
    [(irrep(C3, "E"), 2), (irrep(tetrahedral(), "E"), 2), (irrep(tetrahedral(), "T"), 1)]
    + [(psi, psi.ends) for psi in irreps(Q8)],
    ids=str,
)
def test_over_a_point_kernels_are_endomorphisms(psi, ends):
    """R, C or H: 1, 2 or 4 real kernels."""
    point = section(psi.group, psi.group)
    kernels = _kernels(point, point, psi, psi)
    assert kernels.dim == len(kernels.on_double_cosets) == ends
    values = psi(psi.group.elements)[:, None]
    maps = kernels.on_double_cosets[:, 0]
    assert_close(values @ maps, maps @ values, SYMMETRY)


def test_quaternionic_type_is_among_the_cases():
    assert sorted(psi.ends for psi in irreps(Q8)) == [1, 1, 1, 1, 4]


def test_kernels_of_complex_type_over_several_points():
    """E of C3 over the corners: C on the corner and the opposite one, R^4 on two rings of three."""
    E = irrep(CORNERS.subgroup, "E")
    kernels = _kernels(CORNERS, CORNERS, E, E)
    counts = kernels.on_double_cosets.abs().amax((2, 3)).count_nonzero(0)
    sizes = kernels.double_cosets.sizes
    assert {(int(s), int(c)) for s, c in zip(sizes, counts, strict=True)} == {(3, 2), (9, 4)}
    assert kernels.dim == 12


def test_a_kernel_on_the_group_depends_on_no_section():
    """Other elements s(x), and points in another order: the same kernels, the same map of fields.

    Fields over the two sections are one Mackey function F(s(x)), in two lists of numbers.
    """
    E, B = irrep(C4, "E"), irrep(C4, "B")
    flipped = section(O, C4, FACES.group.elements[list(FACES.numbers)].flip(0))
    order = list(range(1, 6))
    moved = O.elements[list(FACES.numbers)]
    moved[order] = moved[order] @ C4.elements[1]
    assert _kernels(FACES, FACES, E, B).on_group.equal(_kernels(flipped, FACES, E, B).on_group)
    turned = section(O, C4, moved)
    kernels, others = _kernels(FACES, FACES, E, B), _kernels(turned, FACES, E, B)
    assert_close(kernels.on_group, others.on_group, 0)
    f = torch.randn(2, 6, generator=torch.Generator().manual_seed(0), dtype=F64)
    same = f.clone()  # F(s(x) h) = rho(h)^-1 F(s(x))
    same[:, order] = E(C4.elements[1]).mT @ f[:, order]
    kernel = kernels.on_group
    assert_close(kernels.correlate(kernel, f), others.correlate(kernel, same), ROUNDING)


def test_two_arguments():
    """kappa(ug, ug') = kappa(g, g') (T1), and the sum over G is |H1| times that over the points."""
    E = irrep(C4, "E")
    kernels = _kernels(FACES, CORNERS, E, vector(CORNERS.subgroup))
    kernel = kernels.on_group[:3]
    two = kernels.two_arguments(kernel)
    assert two.shape == (3, 24, 24, 3, 2)
    for u in (1, 5, 17):
        assert_close(two[:, O.table[u]][:, :, O.table[u]], two, 0)
    f = torch.randn(2, 6, generator=torch.Generator().manual_seed(1), dtype=F64)
    h = E(C4.elements[C4.inverse])[FACES.remainder]
    mackey = (h @ f.T[FACES.coset][..., None]).squeeze(-1)  # (|G|, 2)
    out = torch.einsum("nghij,hj->ngi", two, mackey) / C4.order
    at_points = out[:, list(CORNERS.numbers)].mT
    assert_close(kernels.correlate(kernel, f), at_points, ROUNDING)


def test_correlate_broadcasts(generator):
    kernels = _kernels(FACES, CORNERS, regular(C4))
    f = torch.randn(5, 4, 6, generator=generator, dtype=F64)
    whole = kernels.correlate(kernels.on_group[:2, None], f)
    assert whole.shape == (2, 5, 1, 8)
    assert_close(whole[1, 3], kernels.correlate(kernels.on_group[1], f[3]), ROUNDING)


def test_a_representation_that_is_not_orthogonal(generator):
    """The solutions change with the basis, and their number does not."""
    E = irrep(C4, "E")
    Q = torch.randn(2, 2, generator=generator, dtype=F64)
    skew = Representation(C4, "skew", E.constituents, Q)
    kernels = _kernels(FACES, FACES, skew, skew)
    basis = kernels.on_group
    assert len(basis) == kernels.dim == _kernels(FACES, FACES, E, E).dim
    assert int(torch.linalg.matrix_rank(basis.flatten(1))) == kernels.dim
    assert_close(kernels.project(basis), basis, SYMMETRY)
    assert_close(kernels.lift_points(kernels.restrict_to_points(basis)), basis, SYMMETRY)


def test_kernels_between_irreps_are_orthogonal():
    for psi_in in irreps(C4):
        for psi_out in irreps(CORNERS.subgroup):
            kernels = kernels_between(FACES, CORNERS, psi_in, psi_out)
            assert kernels.shape[1:] == (24, psi_out.dim, psi_in.dim)
            gram = kernels.flatten(1) @ kernels.flatten(1).mT
            assert_close(gram, gram.diagonal().diag(), ROUNDING)
            assert len(kernels) == _kernels(FACES, CORNERS, psi_in, psi_out).dim


# Between fibres, for the layers.

FIBRES = [
    (FACES, fibre([(2, regular(C4)), (1, trivial(C4))])),
    (CORNERS, fibre([(1, regular(CORNERS.subgroup)), (2, irrep(CORNERS.subgroup, "E"))])),
    (section(O, O), fibre([(1, quotient(O, C4)), (1, irrep(O, "T1"))])),
    (section(O, trivial_group(3)), fibre([(2, trivial(trivial_group(3)))])),
]
every_pair = pytest.mark.parametrize(
    ("ins", "outs"), [(i, o) for i in FIBRES for o in FIBRES], ids=lambda v: str(len(v[0]))
)


@every_pair
def test_layers_have_all_kernels(ins, outs):
    """As many weights as Mackey's formula counts, and each kernel obeys (T2)."""
    kernels = HomogeneousKernels(ins[0], outs[0], ins[1], outs[1])
    sampled = homogeneous_kernels(ins[0], outs[0], ins[1], outs[1])
    assert sampled.dim == kernels.dim and sampled.points == (24,)
    dense = sampled.dense().permute(0, 3, 1, 2)
    assert int(torch.linalg.matrix_rank(dense.flatten(1))) == kernels.dim
    assert_close(kernels.project(dense), dense, SYMMETRY)


@every_pair
def test_initial_weights_keep_the_variance(ins, outs):
    """Inputs and weights of variance 1 give components of variance 1 (T7), exactly."""
    kernels = HomogeneousKernels(ins[0], outs[0], ins[1], outs[1])
    sampled = homogeneous_kernels(ins[0], outs[0], ins[1], outs[1])
    matrices = kernels.matrix(sampled.dense().permute(0, 3, 1, 2))
    variance = matrices.square().sum((0, 2))
    assert_close(variance, torch.ones_like(variance), SYMMETRY)


def test_the_norm_over_the_group_would_be_too_small():
    """Negative control: (K6) counts every element of a coset of H1, (T5) reads one of them."""
    kernels = _kernels(FACES, FACES)
    scalars = fibre(trivial(C4))
    unscaled = homogeneous_kernels(FACES, FACES, scalars, scalars).scaled()
    matrices = kernels.matrix(unscaled.dense().permute(0, 3, 1, 2))
    assert_close(matrices.square().sum((0, 2)), torch.full((6,), 0.25), ROUNDING)


# Values and bad input.


def test_is_a_value():
    kernels = _kernels(FACES, CORNERS, irrep(C4, "E"))
    again = pickle.loads(pickle.dumps(kernels))
    assert again == kernels and hash(again) == hash(kernels)
    assert_close(again.on_group, kernels.on_group, 0)
    assert kernels != _kernels(FACES, CORNERS)


def test_constants_have_values_under_the_meta_device():
    with torch.device("meta"):
        I, five = icosahedral(), subgroup_classes(icosahedral())[4]
        corners = section(I, five)
        kernels = _kernels(corners, corners)
        assert kernels.on_points.device.type == kernels.steps.device.type == "cpu"
        sampled = homogeneous_kernels(corners, corners, *[fibre(regular(five))] * 2)
    assert all(kernel.device.type == "cpu" for kernel in sampled.pairs.values())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((O, FACES, trivial(C4), trivial(C4)), TypeError, "section_in: expected a Section"),
        ((FACES, so2(), trivial(C4), trivial(C4)), TypeError, "section_out: expected a Section"),
        ((FACES, FACES, "E", trivial(C4)), TypeError, "fibre_in: expected an irrep"),
        ((FACES, FACES, trivial(C4), None), TypeError, "fibre_out: expected an irrep"),
        ((FACES, FACES, trivial(O), trivial(C4)), ValueError, "fibre_in: expected a rep.* of C4"),
        ((FACES, FACES, trivial(C4), trivial(C3)), ValueError, "fibre_out: expected .* got .* C3"),
        ((FACES, FACES, trivial(C4), irrep(so2(), 1)), ValueError, "fibre_out: expected .* SO"),
        (
            (FACES, section(tetrahedral(), tetrahedral()), trivial(C4), trivial(tetrahedral())),
            ValueError,
            "section_out: expected a section of O, as section_in, got a section of T",
        ),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        HomogeneousKernels(*arguments)
    if all(hasattr(rho, "group") for rho in arguments[2:]) and error is ValueError:
        with pytest.raises(error, match=message):
            homogeneous_kernels(*arguments[:2], *(fibre(rho) for rho in arguments[2:]))


@pytest.mark.parametrize(
    ("method", "of"),
    [
        ("lift_double_cosets", "double cosets"),
        ("restrict_to_double_cosets", "elements"),
        ("lift_points", "points"),
        ("restrict_to_points", "elements"),
        ("project", "elements"),
        ("two_arguments", "elements"),
        ("matrix", "elements"),
    ],
)
def test_bad_kernels(method, of):
    kernels = _kernels(FACES, CORNERS, irrep(C4, "E"))
    with pytest.raises(ValueError, match=f"kernel: expected shape .* {of}, 1, 2"):
        getattr(kernels, method)(torch.zeros(5, 1, 2))


def test_no_kernel_but_zero():
    point = section(O, O)
    blocks = fibre(irrep(O, "A1")), fibre(irrep(O, "A2"))
    with pytest.raises(ValueError, match="no kernel but zero from 1x A1 over O/O to 1x A2"):
        homogeneous_kernels(point, point, *blocks)
    with pytest.raises(ValueError, match="group of the fibre|expected"):
        kernels_between(point, FACES, irreps(O)[0], irreps(O)[0])
