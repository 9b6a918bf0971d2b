"""The rotations of space. Before: ``so2``."""

from dataclasses import dataclass

import torch
from torch import Tensor

from equinet.group.group import Group
from equinet.numerics import angles_to_matrix, matrix_to_angles, random_rotations


@dataclass(frozen=True, repr=False)
class SO3(Group):
    """SO(3) as 3 x 3 rotation matrices; Euler angles R = Y(alpha) X(beta) Y(gamma) as in e3nn."""

    name: str = "SO(3)"
    n: int = 3

    def element(self, alpha: Tensor, beta: Tensor, gamma: Tensor) -> Tensor:
        """R = Y(alpha) X(beta) Y(gamma), angles in radians; ``(..., 3, 3)``."""
        return angles_to_matrix(alpha, beta, gamma)

    def angles(self, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Euler angles (alpha, beta, gamma) of ``g``, beta in [0, pi]."""
        return matrix_to_angles(g)

    def sample(self, *size: int, generator: torch.Generator | None = None) -> Tensor:
        return random_rotations(*size, generator=generator)

    def contains(self, elements: Tensor, tolerance: float = 1e-5) -> bool:
        return super().contains(elements, tolerance) and bool(
            (torch.linalg.det(elements) > 0).all()
        )


def so3() -> SO3:
    """The group of rotations of space."""
    return SO3()
