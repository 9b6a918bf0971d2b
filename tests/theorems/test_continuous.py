"""The theorems for SO(3)/SO(2), the sphere, and SE(3)/SO(3), space.

Kernels over a double coset are Hom over its stabiliser: SO(2) at a point of space off the origin,
SO(3) at the origin; on the sphere nothing, but SO(2) at the two poles.
"""

import itertools
import math

import pytest
import torch
from torch import Tensor

from equinet.group import so2, so3
from equinet.harmonics import Angular, Harmonics
from equinet.harmonics.grid import degree_columns
from equinet.numerics import angles_to_matrix, random_rotations, wigner_D
from equinet.rep import irrep, irreps
from equinet.steerable import kernel_basis, smooth
from equinet.steerable.sphere import wigner_D_rows
from tests.over import over
from tests.tolerances import SYMMETRY, assert_close

F64 = torch.float64
DEGREES = range(5)
SPINS = range(4)
every_pair_of_degrees = over("j, l", itertools.product(DEGREES, repeat=2))
every_pair_of_spins = over("m, n", itertools.product(SPINS, repeat=2))


def _intertwiners(left: list[Tensor], right: list[Tensor]) -> Tensor:
    """An orthonormal basis of {K: left K = K right}, ``(count, d2, d1)``, by singular values."""
    d2, d1 = len(left[0]), len(right[0])
    one2, one1 = torch.eye(d2, dtype=F64), torch.eye(d1, dtype=F64)
    constraint = torch.cat(
        [
            torch.kron(a, one1) - torch.kron(one2, b.mT.contiguous())
            for a, b in zip(left, right, strict=True)
        ]
    )
    _, values, vectors = torch.linalg.svd(constraint)
    return vectors[values < 1e-9].unflatten(1, (d2, d1))


def _rank(kernels: Tensor) -> int:
    return int(torch.linalg.matrix_rank(kernels.flatten(1), atol=1e-8, rtol=1e-8))


# SE(3)/SO(3)


def _turn(axis: Tensor) -> Tensor:
    """The rotation about an axis by its length."""
    x, y, z = axis.tolist()
    return torch.linalg.matrix_exp(torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=F64))


@every_pair_of_degrees
def test_kernels_of_space(j, l, generator):
    """2 min(j, l) + 1 at every point off the origin, delta_jl at it: by brute force and here."""
    x = torch.randn(3, generator=generator, dtype=F64)
    basis = kernel_basis(irrep(so3(), l), irrep(so3(), j), Harmonics(so3(), Angular(j + l)))

    about = _turn(x / x.norm())  # by one radian about x: its powers are dense in SO(2)
    assert_close(about @ x, x, SYMMETRY)
    expected = _intertwiners([wigner_D(j, about)], [wigner_D(l, about)])
    assert len(expected) == basis.dim == 2 * min(j, l) + 1
    kernels = basis.at(x[None]).dense()[..., 0]
    assert _rank(kernels) == len(expected)
    assert _rank(torch.cat([kernels, expected])) == len(expected)  # and they are the same

    rotations = random_rotations(2, generator=generator)
    left, right = wigner_D(j, rotations), wigner_D(l, rotations)
    assert len(_intertwiners(list(left), list(right))) == (j == l)
    assert _rank(basis.at(torch.zeros(1, 3, dtype=F64)).dense()[..., 0]) == (j == l)


def test_one_rotation_is_not_all_of_them(generator):
    """Negative control: at the origin a stabiliser that is too small gives too many kernels."""
    rotation = wigner_D(2, random_rotations(1, generator=generator))
    assert len(_intertwiners(list(rotation), list(rotation))) == 5


# SO(3)/SO(2)


def _rho(spin: int, angle: float | Tensor) -> Tensor:
    return irrep(so2(), spin)(so2().element(torch.as_tensor(angle, dtype=F64)))


def _kernels(m: int, n: int, angles: Tensor, count: int) -> Tensor:
    """Kernels on SO(3) from spin n to spin m, ``(kernels, points, d2, d1)``, of low degrees.

    The entries of D^l in the rows +-m and the columns +-n, between endomorphisms of both irreps.
    """
    first = max(m, n)
    matrices = wigner_D_rows(first + count, (m,), (n,), angles)[first:]
    ends2, ends1 = (irreps(so2(), 3)[spin].endomorphisms for spin in (m, n))
    # Orders are listed from -m to m, the components of an irrep of SO(2) as (cos, sin).
    blocks = torch.stack([w.flip(0, 1).permute(2, 0, 1) for w in matrices])
    return torch.stack([a @ blocks @ b for a in ends2 for b in ends1], 1).flatten(0, 1)


@every_pair_of_spins
def test_spin_weighted_kernels_are_phases_in_alpha_and_gamma(m, n, generator):
    """kappa(alpha, beta, gamma) = rho_m(alpha) kappa(0, beta, 0) rho_n(gamma)."""
    angles = torch.rand(6, 3, generator=generator, dtype=F64) * math.pi
    whole = _kernels(m, n, angles, 3)
    section = _kernels(m, n, angles * torch.tensor([0.0, 1.0, 0.0], dtype=F64), 3)
    assert_close(_rho(m, angles[:, 0]) @ section @ _rho(n, angles[:, 2]), whole, SYMMETRY)


@every_pair_of_spins
def test_spin_weighted_kernels_are_free_in_beta(m, n):
    """Any matrices at any angles beta off the poles are the values of a kernel."""
    d2, d1 = _rho(m, 0).shape[-1], _rho(n, 0).shape[-1]
    beta = torch.linspace(0.6, 2.4, 4, dtype=F64)
    angles = torch.stack([torch.zeros(4, dtype=F64), beta, torch.zeros(4, dtype=F64)], 1)
    assert _rank(_kernels(m, n, angles, 6)) == 4 * d2 * d1


@every_pair_of_spins
@pytest.mark.parametrize(("beta", "turn"), [(0.0, 1.0), (math.pi, -1.0)], ids=["north", "south"])
def test_spin_weighted_kernels_at_the_poles(m, n, beta, turn):
    """At a pole, fixed by SO(2), kappa intertwines: gamma^-1 Y(a) gamma = Y(a), or Y(-a)."""
    pole = torch.tensor([[0.0, beta, 0.0]], dtype=F64)
    gamma = angles_to_matrix(*pole[0].unbind(-1))
    angle = torch.tensor([1.0, 0.0, 0.0], dtype=F64)
    about = angles_to_matrix(*angle.unbind(-1))
    assert_close(gamma.mT @ about @ gamma, angles_to_matrix(*(turn * angle).unbind(-1)), SYMMETRY)

    expected = _intertwiners([_rho(m, 1.0)], [_rho(n, turn)])
    assert len(expected) == (m == n) * (1 if m == 0 else 2)
    kernels = _kernels(m, n, pole, 4)[:, 0]
    assert _rank(kernels) == len(expected)
    assert _rank(torch.cat([kernels, expected])) == len(expected)


@every_pair_of_spins
def test_filters_of_the_sphere_have_all_spin_weighted_kernels(m, n, generator):
    """Degree by degree, as many matrices W^l as there are kernels."""
    angles = torch.rand(12, 3, generator=generator, dtype=F64) * math.pi
    first, count, ends = max(m, n), 3, (1 + (m > 0)) * (1 + (n > 0))
    by_degree = _kernels(m, n, angles, count).unflatten(0, (count, ends))
    matrices = smooth(knots=first + count, max_order=first).matrices(first + count, (m,), (n,))
    for l, kernels in enumerate(by_degree, first):
        w = matrices[l].flatten(0, 1)
        assert _rank(kernels) == int(torch.linalg.matrix_rank(w)) == len(w)
        assert len(w) == degree_columns(l, (m,)) * degree_columns(l, (n,))
