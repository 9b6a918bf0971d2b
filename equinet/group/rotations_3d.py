"""The rotations of space, and with the inversion O(3)."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from equinet.group.group import (
    LARGEST_DEGREE,
    TOLERANCE,
    Factor,
    Group,
    check_orthogonal,
    check_sample,
)
from equinet.group.rotations_2d import halves
from equinet.numerics import angles_to_matrix, matrix_to_angles, random_rotations
from equinet.numerics.arguments import check_integer
from equinet.numerics.membership import are_rotations


@dataclass(frozen=True, repr=False)
class SO3(Group):
    """SO(3) as 3 x 3 rotation matrices; Euler angles R = Y(alpha) X(beta) Y(gamma) as in e3nn."""

    n: int = 3

    @property
    def name(self) -> str:
        return "SO(3)"

    @property
    def generators(self) -> Tensor:
        one, zero = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
        return torch.cat([self.element(one, zero, zero), self.element(zero, one, zero)])

    def element(self, alpha: Tensor, beta: Tensor, gamma: Tensor) -> Tensor:
        """R = Y(alpha) X(beta) Y(gamma), angles in radians; ``(..., 3, 3)``.

        Args:
            alpha: about y, last.
            beta: about x.
            gamma: about y, first.
        Returns:
            The rotations, in the shape that the angles broadcast to.
        """
        return angles_to_matrix(alpha, beta, gamma)

    def angles(self, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Euler angles (alpha, beta, gamma) of ``g``, beta in [0, pi]."""
        return matrix_to_angles(g)

    def haar(self, degree: int) -> tuple[Factor, ...]:
        # dR = d alpha sin(beta) d beta d gamma / 8 pi^2: equidistant angles about y, Gauss's rule
        # in cos(beta).
        count = check_integer(degree, "degree", 0, LARGEST_DEGREE) + 1
        ring = 2 * math.pi * torch.arange(count, dtype=torch.float64) / count
        nodes, weights = map(torch.from_numpy, np.polynomial.legendre.leggauss(degree // 2 + 1))
        zero, flat = torch.zeros_like(ring), torch.zeros_like(nodes)
        about_y = self.element(ring, zero, zero)
        uniform = torch.full((count,), 1 / count, dtype=torch.float64)
        about_x = self.element(flat, nodes.acos(), flat)
        return (about_y, uniform), (about_x, weights / 2), (about_y, uniform)

    def sample(self, *size: int, generator: torch.Generator | None = None) -> Tensor:
        check_sample(size, 3)
        return random_rotations(*size, generator=generator)

    def mask(self, elements: Tensor, tolerance: float = TOLERANCE) -> Tensor:
        return are_rotations(elements, tolerance)

    def conjugate(self, by: Tensor) -> Group:
        check_orthogonal(by, 3, "by")
        return self


@dataclass(frozen=True, repr=False)
class O3(Group):
    """O(3): rotations, and rotations times -1."""

    n: int = 3

    @property
    def name(self) -> str:
        return "O(3)"

    @property
    def components(self) -> Tensor:
        return torch.stack([self.identity(), -self.identity()])

    @property
    def generators(self) -> Tensor:
        return torch.cat([so3().generators, -self.identity()[None]])

    def haar(self, degree: int) -> tuple[Factor, ...]:
        return (*so3().haar(degree), halves(self.components))

    def sample(self, *size: int, generator: torch.Generator | None = None) -> Tensor:
        rotation = so3().sample(*size, generator=generator)
        return rotation @ self.components[torch.randint(2, size, generator=generator)]

    def conjugate(self, by: Tensor) -> Group:
        check_orthogonal(by, 3, "by")
        return self


def so3() -> SO3:
    """The group of rotations of space."""
    return SO3()


def o3() -> O3:
    """The group of rotations and rotoinversions of space."""
    return O3()
