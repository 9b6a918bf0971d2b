r"""Random fields over a grid that are known everywhere, not at its points only.

In: field types. Out: ``SmoothField``.

.. math:: f(x) = w(x) \sum_k a_k \cos(k x) + b_k \sin(k x), \qquad k \sim N(0, (2 s^2)^{-1})

A sum of waves can be sampled on any grid and moved by any group element without interpolation, and
a window w that depends on |x| alone moves with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from equinet.field import FieldType
from equinet.field.grid import Grid
from equinet.field.space import space_of

_WAVES = 64


@dataclass(frozen=True)
class SmoothField:
    """A batch of random smooth fields, as functions on all of R^n.

    Their covariance is that of ``random_field``: white noise smoothed by a Gaussian.

    Attributes:
        field_type: over a ``Line``, ``Plane`` or ``Volume``.
        waves: the vectors k, ``(waves, n)``, in 1 / units of length.
        coefficients: a and b, ``(batch, channels, 2 waves)``.
        radius: beyond it the field is zero; None for a field without a window.
    """

    field_type: FieldType
    waves: Tensor
    coefficients: Tensor
    radius: float | None = None

    @classmethod
    def draw(
        cls,
        field_type: FieldType,
        batch: int,
        smoothness: float,
        generator: Generator,
        radius: float | None = None,
    ) -> SmoothField:
        """Normal fields of unit variance in every channel.

        Args:
            field_type: of the fields.
            batch: how many.
            smoothness: s, in steps of the grid (the widest, where they differ).
            generator: of the random numbers.
            radius: of the window.
        Returns:
            The fields.
        Raises:
            ValueError: if the fields are not over a grid.
        """
        space = space_of(field_type, Grid, "field_type")
        width = math.sqrt(2) * smoothness * max(space.spacing)
        waves = torch.randn(_WAVES, space.n, generator=generator, dtype=torch.float64) / width
        shape = (batch, field_type.channels, 2 * _WAVES)
        coefficients = torch.randn(shape, generator=generator, dtype=torch.float64)
        return cls(field_type, waves, coefficients / math.sqrt(_WAVES), radius)

    def moved(self, g: Tensor) -> SmoothField:
        """The field rho(g) f(g^-1 x), whose waves are g k."""
        mixed = self.field_type.rho(g) @ self.coefficients
        return replace(self, waves=self.waves @ g.mT, coefficients=mixed)

    def refined(self, scale: float) -> SmoothField:
        """The same picture ``scale`` times as large, or on a grid that much finer."""
        radius = None if self.radius is None else scale * self.radius
        return replace(self, waves=self.waves / scale, radius=radius)

    def sample(self, sizes: Sequence[int], offset: Sequence[float] | None = None) -> Tensor:
        """The values at the points of a grid, float64 ``(batch, channels, *sizes)``.

        Args:
            sizes: of the grid, whose centre is the origin.
            offset: move the grid by these steps along its axes.
        Returns:
            Of every field.
        """
        space = space_of(self.field_type, Grid, "field_type")
        points = space.positions(*sizes).flatten(0, -2)
        if offset is not None:
            for k, sign, steps in zip(space.coordinates, space.signs, offset, strict=True):
                points[:, k] += sign * space.spacing[k] * steps
        phases = points @ self.waves.mT
        values = self.coefficients @ torch.cat([phases.cos(), phases.sin()], 1).mT
        if self.radius is not None:
            values = values * _window(points.norm(dim=1) / self.radius)
        return values.unflatten(-1, tuple(sizes))

    def moved_sample(self, sizes: Sequence[int], g: Tensor) -> Tensor:
        """The values of the moved field.

        Args:
            sizes: of the grid.
            g: the group element, ``(n, n)``.
        Returns:
            float64 ``(batch, channels, *sizes)``.
        """
        return self.moved(g).sample(sizes)


def _window(r: Tensor) -> Tensor:
    """1 up to half the radius, 0 beyond the radius, and a cosine in between."""
    return (1 + (math.pi * (2 * r - 1).clamp(0, 1)).cos()) / 2


def inner_radius(field_type: FieldType, sizes: Sequence[int]) -> float:
    """Radius of the largest ball in a grid, in units of length.

    Args:
        field_type: over the grid.
        sizes: of the grid.
    Returns:
        Half the shortest extent.
    """
    space = space_of(field_type, Grid, "field_type")
    half = [
        (size - 1) / 2 * space.spacing[k] for k, size in zip(space.coordinates, sizes, strict=True)
    ]
    return min(half)
