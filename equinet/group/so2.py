"""The rotations of the plane. Before: ``group``. Next: ``so3``."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from equinet.group.group import Group


@dataclass(frozen=True, repr=False)
class SO2(Group):
    """SO(2) as 2 x 2 rotation matrices."""

    name: str = "SO(2)"
    n: int = 2

    def element(self, angle: Tensor) -> Tensor:
        """Rotation by ``angle`` radians, counter-clockwise; ``(*angle.shape, 2, 2)``."""
        c, s = angle.cos(), angle.sin()
        return torch.stack([c, -s, s, c], -1).unflatten(-1, (2, 2))

    def angle(self, g: Tensor) -> Tensor:
        """Angle in (-pi, pi] of the rotations ``g``."""
        return torch.atan2(g[..., 1, 0], g[..., 0, 0])

    def sample(self, *size: int, generator: torch.Generator | None = None) -> Tensor:
        return self.element(
            2 * math.pi * torch.rand(size, generator=generator, dtype=torch.float64)
        )

    def contains(self, elements: Tensor, tolerance: float = 1e-5) -> bool:
        return super().contains(elements, tolerance) and bool(
            (torch.linalg.det(elements) > 0).all()
        )


def so2() -> SO2:
    """The group of rotations of the plane."""
    return SO2()
