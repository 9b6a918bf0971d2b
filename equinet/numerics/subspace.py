"""Subspaces of R^n and bases of them that do not depend on a library's whims.

In: symmetric matrices. Out: orthonormal bases.
"""

import torch
from torch import Tensor

from equinet.numerics.arguments import check_integer, check_memory
from equinet.numerics.values import check_real

_GAP = 1e-6  # eigenvalues and norms that differ by less are equal
_BLOCK = 64  # rows that are made orthogonal to others at once


def range_basis(projector: Tensor) -> Tensor:
    """Orthonormal basis of the range of an orthogonal projector, float64 ``(n, rank)``.

    It is the Gram-Schmidt basis of the projector's columns, longest remaining one first, the first
    of those that are equally long. So it depends on the subspace alone, and coordinate axes that
    lie in it are members.

    Raises:
        TypeError, ValueError: if ``projector`` is not a square matrix of finite real numbers.
    """
    _check_square("projector", projector)
    rest, basis = projector.clone(), []
    rank = round(float(projector.diagonal().sum()))
    for _ in range(rank):
        lengths = rest.diagonal()
        pivot = int((lengths > lengths.max() - _GAP).to(torch.int8).argmax())
        vector = rest[:, pivot] / rest[pivot, pivot].sqrt()
        for other in basis:  # once more: the rounding of the first pass does not add up
            vector = vector - other * (other @ vector)
        vector = vector / vector.norm()
        basis.append(vector)
        rest = rest - vector[:, None] * vector
    return torch.stack(basis, 1) if basis else projector[:, :0]


def independent(rows: Tensor) -> list[int]:
    """The numbers of the rows of order one that are no sums of multiples of those before them.

    Args:
        rows: ``(count, n)``.
    Returns:
        As many as the rank, ascending.
    """
    return _gram_schmidt(rows)[0]


def span_basis(rows: Tensor) -> Tensor:
    """Orthonormal basis of the span of rows of order one, by Gram and Schmidt in their order.

    Args:
        rows: ``(count, n)``.
    Returns:
        ``(rank, n)``.
    """
    return _gram_schmidt(rows)[1]


def _gram_schmidt(rows: Tensor) -> tuple[list[int], Tensor]:
    """The rows that are kept, and what becomes of them; many at a time, by products of matrices."""
    found, basis = [], rows[:0]
    for start in range(0, len(rows), _BLOCK):
        rest = rows[start : start + _BLOCK]
        rest = rest - (rest @ basis.mT) @ basis
        new = _pivots(rest @ rest.mT)
        found += [start + i for i in new]
        rest = rest[new]
        for _ in range(2):  # once more: the rounding of the first pass does not add up
            rest = rest - (rest @ basis.mT) @ basis
            triangle = torch.linalg.cholesky(rest @ rest.mT)
            rest = torch.linalg.solve_triangular(triangle, rest, upper=False)
        basis = torch.cat([basis, rest])
    return found, basis


def _pivots(products: Tensor) -> list[int]:
    """Which rows are independent of those before them, from the inner products of all."""
    rest, found = products.clone(), []
    for i in range(len(rest)):
        if rest[i, i] > _GAP**2:
            found.append(i)
            rest -= torch.outer(rest[i], rest[i] / rest[i, i])
    return found


def eigenprojectors(symmetric: Tensor) -> list[Tensor]:
    """Projectors on the eigenspaces of a symmetric matrix, by increasing eigenvalue.

    Raises:
        TypeError, ValueError: if it is not a square matrix of finite real numbers.
    """
    _check_square("symmetric", symmetric)
    values, vectors = torch.linalg.eigh(symmetric)
    starts = [0, *((values[1:] - values[:-1] > _GAP).nonzero()[:, 0] + 1).tolist(), len(values)]
    return [
        vectors[:, a:b] @ vectors[:, a:b].mT for a, b in zip(starts[:-1], starts[1:], strict=True)
    ]


def generic_symmetric(n: int) -> Tensor:
    """A symmetric matrix ``(n, n)`` with no structure, the same on every machine.

    Raises:
        ValueError: if ``n`` is no size, or too large to fit into memory.
    """
    check_integer(n, "n", 0)
    check_memory(n * n, "n", f"a matrix of {n} rows")
    i = torch.arange(1, n * n + 1, dtype=torch.float64)
    golden = (5**0.5 - 1) / 2
    values = torch.frac(i * golden * i.sqrt()).view(n, n) - 0.5  # no period, no pattern
    return values + values.mT


def _check_square(name: str, matrix: Tensor) -> None:
    check_real(name, matrix, ("n", "n"))
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name}: expected a square matrix, got {tuple(matrix.shape)}")
