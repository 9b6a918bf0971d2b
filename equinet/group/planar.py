"""The finite groups of the line and of the plane. Before: ``double_coset``. Next: ``so2``."""

import math

import torch

from equinet.group.finite import FiniteGroup, finite_group
from equinet.group.so2 import so2
from equinet.numerics.cached import cached


def _check_count(n: int) -> None:
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ValueError(f"n: expected an integer >= 1, got {n!r}")


@cached()
def cyclic(n: int) -> FiniteGroup:
    """C_n, the rotations of the plane by multiples of 2 pi / n; element k is that by 2 pi k / n."""
    _check_count(n)
    angles = 2 * math.pi * torch.arange(n, dtype=torch.float64) / n
    return finite_group(_clean(so2().element(angles)), f"C{n}")


@cached()
def dihedral(n: int) -> FiniteGroup:
    """D_n, the symmetries of the regular n-gon with a corner on the x axis.

    Elements are the rotations of C_n, then each of them after the reflection y -> -y.
    """
    _check_count(n)
    rotations = cyclic(n).elements
    mirror = torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64))
    return finite_group(torch.cat([rotations, rotations @ mirror]), f"D{n}")


@cached()
def trivial_group(n: int) -> FiniteGroup:
    """The identity alone, as a matrix of size n."""
    _check_count(n)
    return finite_group(torch.eye(n, dtype=torch.float64)[None], "C1")


@cached()
def inversion(n: int) -> FiniteGroup:
    """The group {1, -1}: on the line O(1), the reflection; in space C_i, the inversion."""
    _check_count(n)
    one = torch.eye(n, dtype=torch.float64)
    names = {1: "O(1)", 2: "C2", 3: "Ci"}
    return finite_group(torch.stack([one, -one]), names.get(n, f"{{1, -1}} in O({n})"))


def _clean(matrices: torch.Tensor) -> torch.Tensor:
    """Cosines that are 0, 1/2 or 1 but for rounding become so: such matrices are then exact."""
    half = (2 * matrices).round() / 2
    return torch.where((matrices - half).abs() < 1e-15, half, matrices)
