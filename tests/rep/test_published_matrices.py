"""Irreps of O and I against matrices from the literature, with the change of basis stated.

A published irrep is a function on generators. If it is one, ``decompose`` finds the change of basis
Q with published(g) = Q psi(g) Q^-1, which is then checked on every element.
"""

import math

import pytest
import torch

from equinet.group import icosahedral, octahedral
from equinet.rep import decompose, irrep
from tests.tolerances import SYMMETRY, assert_close

F64 = torch.float64
PHI = (1 + math.sqrt(5)) / 2
ROOT = math.sqrt(3) / 2


def from_generators(group, generators, images):
    """The representation with the given images of generators, as a function of elements."""
    table = torch.full((group.order, *images[0].shape), torch.nan, dtype=F64)
    table[0] = torch.eye(len(images[0]), dtype=F64)
    known, new = {0}, [0]
    while new:
        fresh = []
        for i in new:
            for g, image in zip(generators, images, strict=True):
                j = int(group.index(g @ group.elements[i]))
                if j not in known:
                    table[j] = image @ table[i]
                    known.add(j)
                    fresh.append(j)
        new = fresh
    return lambda g: table[group.index(g)]


def rotation(axis, angle):
    axis = torch.tensor(axis, dtype=F64)
    x, y, z = axis / axis.norm()
    cross = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=F64)
    return torch.linalg.matrix_exp(angle * cross)


C4 = rotation([0, 0, 1], math.pi / 2)
C3 = rotation([1, 1, 1], 2 * math.pi / 3)
C5 = rotation([0, 1, PHI], 2 * math.pi / 5)
C2 = rotation([0, 0, 1], math.pi)

# O, by its generators C4 about z and C3 about (1, 1, 1) (Altmann and Herzig 1994, table 31), in the
# bases {2zz - xx - yy, sqrt(3) (xx - yy)}, {x, y, z} and {yz, zx, xy}.
OCTAHEDRAL = {
    "A1": ([[1.0]], [[1.0]]),
    "A2": ([[-1.0]], [[1.0]]),
    "E": ([[1.0, 0], [0, -1]], [[-0.5, -ROOT], [ROOT, -0.5]]),
    "T1": ([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]], [[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]),
    "T2": ([[0.0, 1, 0], [-1, 0, 0], [0, 0, -1]], [[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]),
}


@pytest.mark.parametrize("name", OCTAHEDRAL)
def test_octahedral(name):
    images = [torch.tensor(m, dtype=F64) for m in OCTAHEDRAL[name]]
    check(octahedral(), name, (C4, C3), images)


def conjugate(matrix):
    """sqrt(5) -> -sqrt(5) in the entries 0, 1/2, 1, phi/2, (phi - 1)/2 takes T1 of I to T2."""
    new = {0.0: 0.0, 0.5: 0.5, 1.0: 1.0, PHI / 2: (1 - PHI) / 2, (PHI - 1) / 2: -PHI / 2}
    out = torch.full_like(matrix, torch.nan)
    for old, value in new.items():
        out = torch.where((matrix.abs() - old).abs() < 1e-9, matrix.sign() * value, out)
    return out


def on_frames(g):
    """I permutes the five cubes in a dodecahedron as A5 does: the irrep G on vectors of sum 0.

    A cube is a set of three orthogonal twofold axes.
    """
    frames = [torch.eye(3, dtype=F64)]
    for k in range(1, 5):
        frames.append(torch.linalg.matrix_power(C5, k))

    def same(a, b):
        m = (a.mT @ b).abs()
        return bool(((m < 1e-6) | ((m - 1).abs() < 1e-6)).all())

    permutation = torch.tensor([[float(same(a, g @ b)) for b in frames] for a in frames])
    assert (permutation.sum(0) == 1).all()
    basis = torch.linalg.qr(torch.eye(5, dtype=F64)[:, :4] - torch.ones(5, 4, dtype=F64) / 5).Q
    return basis.mT @ permutation.double() @ basis


def on_quadrupoles(g):
    """The irrep H on symmetric traceless tensors."""
    root = math.sqrt(0.5)
    basis = []
    for i, j in ((0, 1), (1, 2), (0, 2)):
        t = torch.zeros(3, 3, dtype=F64)
        t[i, j] = t[j, i] = root
        basis.append(t)
    basis.append(torch.diag(torch.tensor([root, -root, 0], dtype=F64)))
    basis.append(torch.diag(torch.tensor([1.0, 1, -2], dtype=F64)) / math.sqrt(6))
    b = torch.stack(basis)
    return torch.einsum("aij,ik,jl,bkl->ab", b, g, g, b)


ICOSAHEDRAL = {"T1": lambda g: g, "T2": conjugate, "G": on_frames, "H": on_quadrupoles}


@pytest.mark.parametrize("name", ICOSAHEDRAL)
def test_icosahedral(name):
    generators = (C5, C2, C3)
    check(icosahedral(), name, generators, [ICOSAHEDRAL[name](g) for g in generators])


def check(group, name, generators, images):
    published = from_generators(group, generators, images)
    rho = decompose(group, published)
    assert [psi.name for psi in rho.irreps] == [name]
    q = torch.eye(rho.dim, dtype=F64) if rho.Q is None else rho.Q
    assert_close(q.mT @ q, torch.eye(rho.dim), SYMMETRY)
    g = group.elements
    assert_close(published(g), q @ irrep(group, name)(g) @ q.mT, SYMMETRY)


def test_a_misprint_is_noticed():
    """Negative control: one wrong sign, and the images of generators are no representation."""
    images = [torch.tensor(m, dtype=F64) for m in OCTAHEDRAL["T2"]]
    images[0][2, 2] = 1
    with pytest.raises(ValueError, match="^rho: expected rho\\(gh\\)"):
        decompose(octahedral(), from_generators(octahedral(), (C4, C3), images))
