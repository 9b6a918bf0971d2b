r"""The periodic lattice Z_n^2 with its plane groups, as a finite homogeneous space.

In: finite groups of the plane. Out: ``torus``. Before: ``homogeneous``. Next: ``transform``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from equinet.field.homogeneous import HomogeneousSpace
from equinet.field.space import acting_group
from equinet.group import FiniteGroup, permutation_group, semidirect_product
from equinet.group.product import block_diagonal, direct_product
from equinet.group.subgroup import check_finite
from equinet.numerics.cached import cached

# Basis vectors are the columns.
_SQUARE = ((1.0, 0.0), (0.0, 1.0))
_TRIANGULAR = ((1.0, 0.5), (0.0, math.sqrt(3) / 2))


@cached(16)
def torus(size: int, group: FiniteGroup | str) -> HomogeneousSpace:
    r"""An image of ``size`` x ``size`` pixels that goes on periodically: G = Z_n^2 x| H over G/H.

    The lattice is the square one, or the triangular one where the group does not keep that.
    Its points are B v, v in Z_n^2, with basis vectors B on which H acts by integer matrices,

    .. math:: (t, h)\, v = t + B^{-1} h B\, v \mod n, \qquad s(v) = (v, 1)

    so that the cocycle h(x, g) is the part h of g, whatever the point. Points are the pixels in
    raster order: row i and column j, point i * size + j, is v = (j, -i), x to the right and y
    upwards. The feature maps of the square lattice are images, ``x.flatten(2)``. The group is p4 or
    p4m for "C4" and "D4", p6 or p6m for "C6" and "D6".

    Matrices of G and of H act on the functions on Z_n^2, then on the plane: the last two rows and
    columns of an element are h.

    Args:
        size: n, of each side.
        group: H, a finite group of the plane that keeps a lattice, or its name: "C1", "C2", "C4",
            "D1", "D2", "D4" (square), "C3", "C6", "D3", "D6" (triangular).
    Raises:
        TypeError: if ``group`` is neither, or infinite.
        ValueError: if ``size`` is not an integer >= 1, or the group keeps neither lattice.

    Example:
        >>> p4 = torus(5, "C4")
        >>> p4.group.order, len(p4), p4.fibre_group.order
        (100, 25, 4)
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(f"size: expected an integer >= 1, got {size!r}")
    plane = check_finite(acting_group(group, 2, "torus"))
    integer = _integer_matrices(plane)
    step = permutation_group([*range(1, size), 0])
    shifts = check_finite(direct_product(step, step)).renamed(f"Z{size}^2")

    def move(h: Tensor, elements: Tensor) -> Tensor:
        v = _amounts(size, elements) @ integer[int(plane.index(h))].mT
        return _translations(size, v % size)

    whole = semidirect_product(shifts, plane, move)
    corner = shifts.index(torch.eye(2 * size, dtype=torch.float64))
    fixes = whole.elements[:, corner, corner] == 1
    fibre = FiniteGroup(whole.n, whole.elements[fixes], plane.name)
    row, column = torch.arange(size**2) // size, torch.arange(size**2) % size
    pixels = _translations(size, torch.stack([column, -row % size], 1))
    regular = torch.nn.functional.one_hot(shifts.table[shifts.index(pixels)], size**2).double().mT
    still = torch.eye(2, dtype=torch.float64).expand(size**2, 2, 2)
    return HomogeneousSpace(whole, fibre, block_diagonal([regular, still]))


def _integer_matrices(plane: FiniteGroup) -> Tensor:
    """B^-1 h B of each element for the lattice that the group keeps, int64 ``(order, 2, 2)``."""
    for basis in (_SQUARE, _TRIANGULAR):
        B = torch.tensor(basis, dtype=torch.float64)
        matrices = torch.linalg.inv(B) @ plane.elements @ B
        if (matrices - matrices.round()).abs().max() < 1e-6:
            return matrices.round().long()
    raise ValueError(
        "group: expected one that keeps the square or the triangular lattice, C1, C2, C3, C4, C6, "
        f"D1, D2, D3, D4 or D6, got {plane!r}"
    )


def _amounts(size: int, elements: Tensor) -> Tensor:
    """How far translations go, int64 ``(count, 2)``."""
    return torch.stack([elements[:, :size, 0].argmax(1), elements[:, size:, size].argmax(1)], 1)


def _translations(size: int, v: Tensor) -> Tensor:
    """Elements of Z_n^2 that go as far as ``v`` ``(count, 2)`` says, each from 0 to n - 1."""
    powers = torch.stack([torch.eye(size, dtype=torch.float64).roll(k, 0) for k in range(size)])
    return block_diagonal([powers[v[:, 0]], powers[v[:, 1]]])
