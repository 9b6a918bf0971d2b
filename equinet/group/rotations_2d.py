"""The rotations of the plane, and with the reflections O(2)."""

import math
from dataclasses import dataclass

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
from equinet.numerics.arguments import check_integer
from equinet.numerics.membership import are_rotations


@dataclass(frozen=True, repr=False)
class SO2(Group):
    """SO(2) as 2 x 2 rotation matrices."""

    n: int = 2

    @property
    def name(self) -> str:
        return "SO(2)"

    @property
    def generators(self) -> Tensor:
        return self.element(torch.ones(1, dtype=torch.float64))  # one radian: never the identity

    def element(self, angle: Tensor) -> Tensor:
        """Rotation by ``angle`` radians, counter-clockwise; ``(*angle.shape, 2, 2)``."""
        c, s = angle.cos(), angle.sin()
        return torch.stack([c, -s, s, c], -1).unflatten(-1, (2, 2))

    def angle(self, g: Tensor) -> Tensor:
        """Angle in (-pi, pi] of the rotations ``g``.

        Raises:
            TypeError: if ``g`` is no tensor.
            ValueError: if it is not one of rotations of the plane.
        """
        self.check(g)
        return torch.atan2(g[..., 1, 0], g[..., 0, 0])

    def haar(self, degree: int) -> tuple[Factor, ...]:
        # Equidistant angles integrate cos(k angle) exactly for 0 < k < their number.
        count = check_integer(degree, "degree", 0, LARGEST_DEGREE) + 1
        angles = 2 * math.pi * torch.arange(count, dtype=torch.float64) / count
        return ((self.element(angles), torch.full((count,), 1 / count, dtype=torch.float64)),)

    def sample(self, *size: int, generator: torch.Generator | None = None) -> Tensor:
        check_sample(size, 2)
        return self.element(
            2 * math.pi * torch.rand(size, generator=generator, dtype=torch.float64)
        )

    def mask(self, elements: Tensor, tolerance: float = TOLERANCE) -> Tensor:
        return are_rotations(elements, tolerance)

    def conjugate(self, by: Tensor) -> Group:
        check_orthogonal(by, 2, "by")
        return self


@dataclass(frozen=True, repr=False)
class O2(Group):
    """O(2): rotations, and rotations after the reflection y -> -y."""

    n: int = 2

    @property
    def name(self) -> str:
        return "O(2)"

    @property
    def components(self) -> Tensor:
        return torch.stack([self.identity(), self.mirror])

    @property
    def generators(self) -> Tensor:
        return torch.cat([so2().generators, self.mirror[None]])

    @property
    def mirror(self) -> Tensor:
        """The reflection y -> -y."""
        return torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64))

    def haar(self, degree: int) -> tuple[Factor, ...]:
        return (*so2().haar(degree), halves(self.components))

    def sample(self, *size: int, generator: torch.Generator | None = None) -> Tensor:
        rotation = so2().sample(*size, generator=generator)
        return rotation @ self.components[torch.randint(2, size, generator=generator)]

    def conjugate(self, by: Tensor) -> Group:
        check_orthogonal(by, 2, "by")
        return self


def halves(pair: Tensor) -> Factor:
    """Two elements of equal weight."""
    return pair, torch.full((2,), 0.5, dtype=torch.float64)


def so2() -> SO2:
    """The group of rotations of the plane."""
    return SO2()


def o2() -> O2:
    """The group of rotations and reflections of the plane."""
    return O2()
