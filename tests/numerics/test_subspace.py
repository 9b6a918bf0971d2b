"""Subspaces and bases of them that depend on nothing else."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from equinet.numerics import eigenprojectors, generic_symmetric, range_basis
from equinet.numerics.subspace import independent, span_basis
from tests.tolerances import ROUNDING, assert_close

F64 = torch.float64
seeds = st.integers(0, 2**32)


def spanning(n: int, rank: int, seed: int) -> torch.Tensor:
    """Random vectors ``(n, rank)``."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, rank, generator=generator, dtype=F64)


def projector(vectors: torch.Tensor) -> torch.Tensor:
    """On the span of the columns."""
    q, _ = torch.linalg.qr(vectors)
    return q @ q.mT


@st.composite
def shapes(draw):
    n = draw(st.integers(1, 12))
    return n, draw(st.integers(0, n))


# ------------------------------------------------------------------ bases


@given(shapes(), seeds)
def test_an_orthonormal_basis_of_the_range(shape, seed):
    n, rank = shape
    p = projector(spanning(n, rank, seed))
    basis = range_basis(p)
    assert basis.shape == (n, rank) and basis.dtype == F64
    assert_close(basis.mT @ basis, torch.eye(rank), ROUNDING)
    assert_close(basis @ basis.mT, p, ROUNDING)


@given(shapes(), seeds)
def test_it_depends_on_the_subspace_alone(shape, seed):
    """Not on the vectors that span it: those are mixed at random."""
    n, rank = shape
    vectors = spanning(n, rank, seed)
    mixed = vectors @ spanning(rank, rank, seed + 1)
    assert_close(range_basis(projector(vectors)), range_basis(projector(mixed)), 1e-8)


@given(shapes(), seeds, st.data())
def test_coordinate_axes_in_the_subspace_are_members(shape, seed, data):
    n, rank = shape
    axes = sorted(data.draw(st.sets(st.integers(0, n - 1), max_size=rank)))
    vectors = spanning(n, rank, seed)
    vectors[:, : len(axes)] = torch.eye(n, dtype=F64)[:, axes]
    basis = range_basis(projector(vectors))
    inside = (basis[axes] - 1).abs() < 1e-7  # the axis itself, since columns have length 1
    assert (inside.sum(1) == 1).all()


def test_all_of_space_and_nothing():
    assert torch.equal(range_basis(torch.eye(4, dtype=F64)), torch.eye(4, dtype=F64))
    assert range_basis(torch.zeros(4, 4, dtype=F64)).shape == (4, 0)


def test_equal_lengths_in_the_order_of_the_axes():
    """The plane x + y + z = 0: e_x is projected first, rounding does not decide."""
    p = torch.eye(3, dtype=F64) - 1 / 3
    expected = torch.tensor([[2.0, -1.0, -1.0], [0.0, 1.0, -1.0]], dtype=F64)
    expected = (expected / expected.norm(dim=1, keepdim=True)).mT
    assert_close(range_basis(p), expected, ROUNDING)
    noise = 1e-12 * torch.diag(torch.tensor([0.0, 1.0, 2.0], dtype=F64))
    assert_close(range_basis(p + noise), expected, 1e-11)


def test_the_projector_is_left_alone():
    p = projector(spanning(5, 2, 0))
    before = p.clone()
    range_basis(p)
    assert torch.equal(p, before)


def test_the_same_bits_again():
    p = projector(spanning(9, 4, 3))
    assert torch.equal(range_basis(p), range_basis(p.clone()))


@pytest.mark.parametrize("rank", [20, 60])
def test_stays_orthonormal_in_many_dimensions(rank):
    p = projector(spanning(80, rank, 1))
    basis = range_basis(p)
    assert_close(basis.mT @ basis, torch.eye(rank), ROUNDING)
    assert_close(basis @ basis.mT, p, ROUNDING)


# ------------------------------------------------------------------ eigenspaces


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9), seeds)
def test_projectors_on_eigenspaces(values, seed):
    """P_i P_j = delta_ij P_i, sum P_i = 1, sum lambda_i P_i = A, eigenvalues ascending."""
    n = len(values)
    q, _ = torch.linalg.qr(spanning(n, n, seed))
    a = q @ torch.diag(torch.tensor(values, dtype=F64)) @ q.mT
    found = eigenprojectors((a + a.mT) / 2)
    distinct = sorted(set(values))
    assert len(found) == len(distinct)
    assert_close(sum(found), torch.eye(n), ROUNDING)
    assert_close(sum(v * p for v, p in zip(distinct, found, strict=True)), a, 1e-11)
    for v, p in zip(distinct, found, strict=True):
        assert_close(p.trace(), float(values.count(v)), ROUNDING)
        for other in found:
            assert_close(p @ other, p if other is p else torch.zeros_like(p), ROUNDING)


def test_rounding_does_not_split_an_eigenspace():
    a = torch.diag(torch.tensor([1.0, 1.0 + 1e-12, 1.1], dtype=F64))
    assert [round(float(p.trace())) for p in eigenprojectors(a)] == [2, 1]


def test_generic_matrices_have_no_structure():
    """Symmetric, with simple eigenvalues and no zeros: for every size that occurs."""
    for n in range(1, 25):
        a = generic_symmetric(n)
        assert a.dtype == F64 and torch.equal(a, a.mT)
        assert len(eigenprojectors(a)) == n
        assert a.abs().min() > 1e-5 and a.abs().max() <= 1
    assert torch.equal(generic_symmetric(6), generic_symmetric(6))


def test_a_structured_matrix_is_not_generic():
    """Negative control: the identity has one eigenspace."""
    assert len(eigenprojectors(torch.eye(5, dtype=F64))) == 1


def test_gram_and_schmidt_row_by_row(generator):
    """By blocks it is what the textbook does, of more rows than a block, many of them dependent."""
    rows = torch.randn(150, 40, generator=generator, dtype=F64) / 40**0.5
    mixed = torch.randn(150, 150, generator=generator, dtype=F64).tril(-1)
    dependent = torch.arange(150) % 5 > 0  # 30 are not
    rows[dependent] = (mixed @ (rows * ~dependent[:, None]))[dependent]
    rows = torch.nn.functional.normalize(rows, dim=1, eps=1e-9)
    expected: list[torch.Tensor] = []
    numbers = []
    for i, row in enumerate(rows):
        for _ in range(2):
            for other in expected:
                row = row - (row @ other) * other
        if row.norm() > 1e-6:
            expected.append(row / row.norm())
            numbers.append(i)
    assert independent(rows) == numbers and len(numbers) == 30
    assert_close(span_basis(rows), torch.stack(expected), ROUNDING)
    assert span_basis(rows[:0]).shape == (0, 40) and independent(rows[:0]) == []
    with pytest.raises(AssertionError):  # of the other order it is another one
        assert_close(span_basis(rows.flip(0)), torch.stack(expected), 1e-3)
