"""The finite groups of the line and of the plane."""

import math

import torch

from equinet.group.finite import FiniteGroup, finite_group
from equinet.group.rotations_2d import so2
from equinet.numerics.arguments import check_integer
from equinet.numerics.cached import cached

_LARGEST = 100_000  # elements of a group are listed
_LARGEST_MATRIX = 1000


def cyclic(n: int) -> FiniteGroup:
    """C_n, the rotations of the plane by multiples of 2 pi / n; element k is that by 2 pi k / n.

    Raises:
        ValueError: unless n is from 1 to 100,000.
    """
    return _cyclic(check_integer(n, "n", 1, _LARGEST))


@cached()
def _cyclic(n: int) -> FiniteGroup:
    angles = 2 * math.pi * torch.arange(n, dtype=torch.float64) / n
    return finite_group(_clean(so2().element(angles)), f"C{n}")


def dihedral(n: int) -> FiniteGroup:
    """D_n, the symmetries of the regular n-gon with a corner on the x axis.

    Elements are the rotations of C_n, then each of them after the reflection y -> -y.

    Raises:
        ValueError: unless n is from 1 to 100,000.
    """
    return _dihedral(check_integer(n, "n", 1, _LARGEST))


@cached()
def _dihedral(n: int) -> FiniteGroup:
    rotations = _cyclic(n).elements
    mirror = torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64))
    return finite_group(torch.cat([rotations, rotations @ mirror]), f"D{n}")


def trivial_group(n: int) -> FiniteGroup:
    """The identity alone, as a matrix of size n.

    Raises:
        ValueError: unless n is from 1 to 1000.
    """
    return _trivial(check_integer(n, "n", 1, _LARGEST_MATRIX))


@cached()
def _trivial(n: int) -> FiniteGroup:
    return finite_group(torch.eye(n, dtype=torch.float64)[None], "C1")


def inversion(n: int) -> FiniteGroup:
    """The group {1, -1}: on the line O(1), the reflection; in space C_i, the inversion.

    Raises:
        ValueError: unless n is from 1 to 1000.
    """
    return _inversion(check_integer(n, "n", 1, _LARGEST_MATRIX))


@cached()
def _inversion(n: int) -> FiniteGroup:
    one = torch.eye(n, dtype=torch.float64)
    names = {1: "O(1)", 2: "C2", 3: "Ci"}
    return finite_group(torch.stack([one, -one]), names.get(n, f"{{1, -1}} in O({n})"))


def _clean(matrices: torch.Tensor) -> torch.Tensor:
    """Cosines that are 0, 1/2 or 1 but for rounding become so: such matrices are then exact."""
    half = (2 * matrices).round() / 2
    return torch.where((matrices - half).abs() < 1e-15, half, matrices)
