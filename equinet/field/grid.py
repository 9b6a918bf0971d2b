r"""Grids on R^n as spaces: the line, the plane and the volume.

In: groups. Out: Line, Plane, Volume.

A field over a grid is a feature map of a convolutional network: G = R^n x| H moves it, and H, which
the user picks, acts on its fibres.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar, Self

import torch
from torch import Tensor

from equinet.field.field_type import FieldType
from equinet.field.grid_action import move
from equinet.field.grid_noise import smooth_noise
from equinet.field.space import Noise, Space, acting_group, refuse_infinite
from equinet.group import Group
from equinet.numerics.arguments import check_integer, check_memory, is_integer, per_axis
from equinet.numerics.cached import on_cpu
from equinet.rep.fibres import Block

_SMOOTHNESS = 2.0
_NEAR = 1e-6  # the rounding of a matrix


@dataclass(frozen=True, init=False, repr=False)
class Grid(Space):
    """A rectangular grid of points in R^n, of any size, its centre at the origin.

    The spacing matters to ``act`` and to the layers through its ratios only: voxels of 1 x 1 x 3
    are long, in any unit.

    Attributes:
        group: H <= O(n), which acts on the fibres; its elements are what ``act`` takes.
        spacing: distance of neighbouring points along x, y, z, in units of length.
        steps: the same as fractions, with which strides are followed without rounding.
    """

    _group: Group
    spacing: tuple[float, ...]
    steps: tuple[Fraction, ...] = field(compare=False)

    # The axes after batch and channel, in order, and whether the index grows with the coordinate.
    names: ClassVar[tuple[str, ...]]
    signs: ClassVar[tuple[int, ...]]

    is_parallel = True
    noise_options = ("smoothness",)
    maps = "a convolution or enn.Linear"

    @on_cpu
    def __init__(
        self,
        group: Group | str,
        spacing: float | Fraction | Iterable[float | Fraction] = 1.0,
    ) -> None:
        kind = type(self)
        steps = _per_axis(spacing, self.n)
        object.__setattr__(self, "_group", acting_group(group, self.n, kind.__name__))
        object.__setattr__(self, "spacing", tuple(float(step) for step in steps))
        object.__setattr__(self, "steps", steps)

    @property
    def n(self) -> int:
        """Dimension of the space."""
        return len(self.names)

    @property
    def group(self) -> Group:
        """H; the translations of G need no element of their own."""
        return self._group

    @property
    def fibre_group(self) -> Group:
        """H, which acts on the fibres."""
        return self._group

    @property
    def grid(self) -> Self:
        """Itself."""
        return self

    def coarsened(self, stride: int | Sequence[int]) -> Self:
        """The grid of every s-th point along each axis, as a layer with a stride has it.

        The unit of length is such that the finest step keeps its number. So a stride that is the
        same along all axes leaves the grid as it is, the way of several strides does not matter,
        and ``refined`` leads back.

        Args:
            stride: one number, or one for each axis of a feature map, in their order.
        Raises:
            ValueError: if these are not integers >= 1.

        Example:
            >>> thick = Volume("SO(3)", spacing=(1.0, 1.0, 2.0))
            >>> thick.coarsened((2, 2, 1))
            Volume('SO(3)')
            >>> thick.coarsened((2, 2, 1)).refined((2, 2, 1)) == thick == thick.coarsened(3)
            True
        """
        return self._scaled([Fraction(s) for s in self._counts(stride, "stride")])

    def refined(self, factor: int | Sequence[int]) -> Self:
        """The grid with s points in place of one along each axis; see ``coarsened``.

        Args:
            factor: one number, or one for each axis of a feature map, in their order.
        Raises:
            ValueError: if these are not integers >= 1.
        """
        return self._scaled([Fraction(1, s) for s in self._counts(factor, "factor")])

    def _counts(self, values: int | Sequence[int], name: str) -> tuple[int, ...]:
        counts = per_axis(values, self.n)
        if len(counts) != self.n or not all(map(is_integer, counts)):
            raise ValueError(f"{name}: expected {self.n} integers >= 1 or one, got {values!r}")
        return counts

    def _scaled(self, factors: list[Fraction]) -> Self:
        steps = list(self.steps)
        for k, factor in zip(self.coordinates, factors, strict=True):
            steps[k] *= factor
        unit = min(self.steps) / min(steps)
        return type(self)(self.group, [unit * step for step in steps])

    def axes(self, blocks: tuple[Block, ...]) -> dict[str, int | None]:
        """One axis of any size for each coordinate."""
        refuse_infinite(self, blocks)
        return dict.fromkeys(self.names)

    def act(self, field_type: FieldType, g: Tensor, x: Tensor, order: int) -> Tensor:
        return move(self, field_type, g, x, order)

    def noise(self, field_type: FieldType, batch: int, asked: Noise) -> Tensor:
        sizes = asked.sizes
        if sizes is None:
            raise ValueError(f"sizes: expected the sizes of the axes of {field_type!r}, got None")
        width = _SMOOTHNESS if asked.smoothness is None else asked.smoothness
        return smooth_noise(field_type.shape(batch, *sizes), width, asked.generator)

    def keeps(self, elements: Tensor, sizes: tuple[int, ...]) -> Tensor:
        """Signed permutations of the axes, of axes that have one size and one spacing."""
        size = torch.zeros(self.n, dtype=torch.float64)
        size[list(self.coordinates)] = torch.tensor(sizes, dtype=torch.float64)
        spacing = torch.tensor(self.spacing, dtype=torch.float64)
        alike = (size[:, None] == size) & (spacing[:, None] == spacing)
        zero = elements.abs() < _NEAR
        one = (elements.abs() - 1).abs() < _NEAR
        return (zero | one & alike).all(-1).all(-1)

    def restrict(self, subgroup: Group) -> Self:
        return type(self)(subgroup, self.steps)

    def bridge(self, given: FieldType, wanted: FieldType) -> str:
        other = wanted.space
        if other.fibre_group != self.group or other == self:
            return ""
        return f"let both have one spacing, that of {self} or of {other}"

    @property
    def coordinates(self) -> tuple[int, ...]:
        """Which of x, y, z (0, 1, 2) each axis is, in the order of the axes."""
        return tuple("xyz".index(name) for name in self.names)

    def positions(self, *sizes: int, dtype: torch.dtype = torch.float64) -> Tensor:
        """The points of a grid of these sizes, relative to its centre, in units of length.

        Args:
            sizes: of the axes, in their order.
            dtype: of the result.
        Returns:
            ``(*sizes, n)``, the last axis is (x, y, z).
        Raises:
            TypeError: if ``dtype`` is not a real floating type.
            ValueError: if there is not one size >= 1 for each axis, or they do not fit into memory.
        """
        if len(sizes) != self.n:
            raise ValueError(f"sizes: expected one for each of {self.names}, got {sizes}")
        for size in sizes:
            check_integer(size, "sizes", 0)
        check_memory(self.n * math.prod(sizes), "sizes", f"{sizes} points")
        if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
            raise TypeError(f"dtype: expected a real floating type, got {dtype!r}")
        offsets = [torch.arange(size, dtype=torch.float64) - (size - 1) / 2 for size in sizes]
        mesh = torch.meshgrid(*offsets, indexing="ij")
        columns = {
            k: sign * self.spacing[k] * offset
            for k, sign, offset in zip(self.coordinates, self.signs, mesh, strict=True)
        }
        return torch.stack([columns[k] for k in range(self.n)], -1).to(dtype)

    def __repr__(self) -> str:
        name = type(self).__name__
        if set(self.spacing) == {1.0}:
            return f"{name}({self.group.name!r})"
        spacing = self.spacing if self.n > 1 else self.spacing[0]
        return f"{name}({self.group.name!r}, spacing={spacing})"


class Line(Grid):
    """A grid on R^1. Feature maps are ``(batch, channel, x)``, x to the right.

    Example:
        >>> Line("O(1)", spacing=0.5).fields("2x trivial").shape(8, 100)
        (8, 2, 100)
    """

    names = ("x",)
    signs = (1,)


class Plane(Grid):
    """A grid on R^2. Feature maps are ``(batch, channel, y, x)``.

    The axis x points to the right along the last axis, y *upwards* against the second to last, so
    that a rotation by +90 degrees is ``torch.rot90(img, 1, (-2, -1))``.

    Example:
        >>> Plane("C8").fields("4x trivial + 2x vector").shape(8, 64, 48)
        (8, 8, 64, 48)
    """

    names = ("y", "x")
    signs = (-1, 1)


class Volume(Grid):
    """A grid on R^3. Feature maps are ``(batch, channel, x, y, z)``.

    Example:
        >>> Volume("SO(3)", spacing=(1.0, 1.0, 3.0)).fields("4x0 + 2x1").shape(8, 32, 32, 10)
        (8, 10, 32, 32, 10)
    """

    names = ("x", "y", "z")
    signs = (1, 1, 1)


_SHORT = 10**6  # numbers such as 0.7 and 5 / 3 have smaller denominators


def _per_axis(
    spacing: float | Fraction | Iterable[float | Fraction], n: int
) -> tuple[Fraction, ...]:
    """The spacing as n numbers."""
    if isinstance(spacing, str | bytes):
        raise TypeError(f"spacing: expected a number or {n} of them, got {spacing!r}")
    values = tuple(spacing) if isinstance(spacing, Iterable) else (spacing,) * n
    if any(isinstance(v, bool) or not isinstance(v, int | float | Fraction) for v in values):
        raise TypeError(f"spacing: expected a number or {n} of them, got {spacing!r}")
    if len(values) != n or not all(0 < v < math.inf for v in values):
        raise ValueError(f"spacing: expected {n} finite numbers > 0 or one, got {spacing!r}")
    return tuple(_fraction(v) for v in values)


def _fraction(value: float | Fraction) -> Fraction:
    """The number that was meant: 7 / 10 for 0.7, whatever its binary digits are."""
    short = Fraction(value).limit_denominator(_SHORT)
    return short if isinstance(value, float) and float(short) == value else Fraction(value)
