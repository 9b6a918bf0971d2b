r"""The periodic lattice Z_n^2 with its plane groups, as a finite homogeneous space.

In: finite groups of the plane. Out: ``torus``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from equinet.field.homogeneous import HomogeneousSpace
from equinet.field.space import acting_group
from equinet.group import FiniteGroup, so2
from equinet.group.product import block_diagonal
from equinet.group.subgroups import check_finite
from equinet.numerics.arguments import check_integer, check_memory
from equinet.numerics.cached import cached

# Basis vectors are the columns.
_SQUARE = ((1.0, 0.0), (0.0, 1.0))
_TRIANGULAR = ((1.0, 0.5), (0.0, math.sqrt(3) / 2))


def torus(size: int, group: FiniteGroup | str) -> HomogeneousSpace:
    r"""An image of ``size`` x ``size`` pixels that goes on periodically: G = Z_n^2 x| H over G/H.

    The lattice is the square one, or the triangular one where the group does not keep that.
    Its points are B v, v in Z_n^2, with basis vectors B on which H acts by integer matrices,

    .. math:: (t, h)\, v = t + B^{-1} h B\, v \mod n, \qquad s(v) = (v, 1)

    so that the cocycle h(x, g) is the part h of g, whatever the point. Points are the pixels in
    raster order: row i and column j, point i * size + j, is v = (j, -i), x to the right and y
    upwards. The feature maps of the square lattice are images, ``x.flatten(2)``. The group is p4 or
    p4m for "C4" and "D4", p6 or p6m for "C6" and "D6".

    Matrices of G and of H act on the waves exp(2 pi i k v / n) of a few k that H permutes, as
    vectors (cos, sin), then on the plane: the last two rows and columns of an element are h.

    Args:
        size: n, of each side.
        group: H, a finite group of the plane that keeps a lattice, or its name: "C1", "C2", "C4",
            "D1", "D2", "D4" (square), "C3", "C6", "D3", "D6" (triangular).
    Returns:
        The space.
    Raises:
        TypeError: if ``group`` is neither, or infinite.
        ValueError: if ``size`` is not an integer >= 1, or the group keeps neither lattice.

    Example:
        >>> p4 = torus(5, "C4")
        >>> p4.group.order, len(p4), p4.fibre_group.order
        (100, 25, 4)
    """
    return _torus(check_integer(size, "size", 1), check_finite(acting_group(group, 2, "torus")))


@cached(16)
def _torus(size: int, plane: FiniteGroup) -> HomogeneousSpace:
    integer, triangular = _integer_matrices(plane)
    points, dim = size**2, 2 * (3 if triangular else 2) + 2
    check_memory(points * plane.order * dim**2, "size", f"{points * plane.order} elements")
    row, column = torch.arange(points) // size, torch.arange(points) % size
    pixels = torch.stack([column, -row], 1)
    waves = _waves(triangular)
    shifts = block_diagonal([_turns(size, pixels @ waves.mT), _still(points)])
    turns = block_diagonal([_permuted(waves, integer), plane.elements])
    whole = FiniteGroup(dim, (shifts[:, None] @ turns).flatten(0, 1), f"Z{size}^2 x| {plane.name}")
    fibre = FiniteGroup(dim, turns, plane.name)
    return HomogeneousSpace(whole, fibre, shifts)


def _integer_matrices(plane: FiniteGroup) -> tuple[Tensor, bool]:
    """B^-1 h B of each element, int64 ``(order, 2, 2)``, and whether the lattice is triangular."""
    for basis in (_SQUARE, _TRIANGULAR):
        B = torch.tensor(basis, dtype=torch.float64)
        matrices = torch.linalg.inv(B) @ plane.elements @ B
        if (matrices - matrices.round()).abs().max() < 1e-6:
            return matrices.round().long(), basis is _TRIANGULAR
    raise ValueError(
        "group: expected one that keeps the square or the triangular lattice, C1, C2, C3, C4, C6, "
        f"D1, D2, D3, D4 or D6, got {plane!r}"
    )


def _waves(triangular: bool) -> Tensor:
    """Whole numbers k, up to sign all that H makes of one, int64 ``(waves, 2)``."""
    return torch.tensor([[1, 0], [0, 1], [1, 1]][: 3 if triangular else 2])


def _turns(size: int, steps: Tensor) -> Tensor:
    """Rotations by k v steps of 2 pi / n, a block for each wave, ``(count, 2 waves, 2 waves)``."""
    angles = 2 * math.pi * (steps % size).double() / size
    return block_diagonal(list(so2().element(angles).unbind(1)))


def _still(count: int) -> Tensor:
    return torch.eye(2, dtype=torch.float64).expand(count, 2, 2)


def _permuted(waves: Tensor, integer: Tensor) -> Tensor:
    """Where h takes the waves, k -> k h^-1, and that with another sign by a reflection."""
    out = torch.zeros(len(integer), 2 * len(waves), 2 * len(waves), dtype=torch.float64)
    moved = waves @ torch.linalg.inv(integer.double()).round().long()  # (order, waves, 2)
    for sign in (1, -1):
        flip = torch.diag(torch.tensor([1.0, sign], dtype=torch.float64))
        for h, i, j in (moved[:, :, None] == sign * waves).all(-1).nonzero().tolist():
            out[h, 2 * j : 2 * j + 2, 2 * i : 2 * i + 2] = flip
    return out
