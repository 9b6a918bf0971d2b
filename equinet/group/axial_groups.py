"""The continuous groups about an axis of space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from equinet.group.group import TOLERANCE, Factor, Group, check_orthogonal
from equinet.group.rotations_2d import O2, SO2, o2, so2
from equinet.numerics.arguments import real_tensor

# Names by Schoenflies: is there a reflection in the plane across the axis, and is the sign of the
# axis +1, the determinant of the planar part, or free?
_KINDS = {
    "Cinf": (False, "fixed"),
    "Cinfv": (True, "fixed"),
    "Cinfh": (False, "free"),
    "Dinf": (True, "tied"),
    "Dinfh": (True, "free"),
}

Axis = tuple[float, float, float]


@dataclass(frozen=True, repr=False)
class Axial(Group):
    r"""A continuous group that maps an axis to itself, by its Schoenflies name.

    .. math:: g = F \begin{pmatrix} h & 0 \\ 0 & s \end{pmatrix} F^T, \qquad F e_z = \text{axis}

    ========  ===========  ==============================================
    name      h            s
    ========  ===========  ==============================================
    Cinf      SO(2)        1
    Cinfv     O(2)         1, so reflections are mirrors through the axis
    Cinfh     SO(2)        1 or -1
    Dinf      O(2)         det h, so reflections are half turns across it
    Dinfh     O(2)         1 or -1
    ========  ===========  ==============================================

    Attributes:
        kind: the name.
        axis: a unit vector, one of the two along the axis.
    """

    kind: str
    axis: Axis

    @property
    def name(self) -> str:
        return self.kind

    @property
    def planar(self) -> SO2 | O2:
        """The group of the planar parts h."""
        return o2() if _KINDS[self.kind][0] else so2()

    @property
    def has_free_sign(self) -> bool:
        """Whether the sign s is independent of h."""
        return _KINDS[self.kind][1] == "free"

    @property
    def frame(self) -> Tensor:
        """F, ``(3, 3)``."""
        return frame(self.axis)

    def element(self, h: Tensor, sign: Tensor | None = None) -> Tensor:
        """The element with planar part ``h`` ``(..., 2, 2)`` and, if that is free, its sign.

        Args:
            h: the planar part.
            sign: of the axis, ``(...)``; None where h decides it.
        Returns:
            Elements ``(..., 3, 3)``.
        """
        if sign is None:
            tied = _KINDS[self.kind][1] == "tied"
            sign = torch.linalg.det(h) if tied else torch.ones_like(h[..., 0, 0])
        g = torch.nn.functional.pad(h, (0, 1, 0, 1))
        g[..., 2, 2] = sign
        f = self.frame.to(g)
        return f @ g @ f.mT

    def parts(self, g: Tensor) -> tuple[Tensor, Tensor]:
        """The planar part ``(..., 2, 2)`` and the sign ``(...)`` of elements."""
        f = self.frame.to(g)
        inner = f.mT @ g @ f
        return inner[..., :2, :2], inner[..., 2, 2]

    @property
    def components(self) -> Tensor:
        h = self.planar.components
        if not self.has_free_sign:
            return self.element(h)
        sign = torch.ones(len(h), dtype=torch.float64)
        return torch.cat([self.element(h, sign), self.element(h, -sign)])

    @property
    def generators(self) -> Tensor:
        turn = self.element(so2().generators, torch.ones(1, dtype=torch.float64))
        return torch.cat([turn, self.components[1:]])

    def haar(self, degree: int) -> tuple[Factor, ...]:
        ((turns, weights),) = so2().haar(degree)
        about = self.element(turns, torch.ones(len(turns), dtype=torch.float64)), weights
        parts = self.components
        if len(parts) == 1:
            return (about,)
        return about, (parts, torch.full((len(parts),), 1 / len(parts), dtype=torch.float64))

    def sample(self, *size: int, generator: torch.Generator | None = None) -> Tensor:
        h = self.planar.sample(*size, generator=generator)
        if not self.has_free_sign:
            return self.element(h)
        sign = 2.0 * torch.randint(2, size, generator=generator) - 1
        return self.element(h, sign.double())

    def mask(self, elements: Tensor, tolerance: float = TOLERANCE) -> Tensor:
        h, sign = self.parts(elements)
        whole = self.element(h, sign.sign())
        inside = super().mask(elements, tolerance)
        inside = inside & ((whole - elements).abs() < tolerance).all(-1).all(-1)
        det = torch.linalg.det(h).sign()
        if not isinstance(self.planar, O2):
            inside = inside & (det > 0)
        rule = _KINDS[self.kind][1]
        if rule == "free":
            return inside
        return inside & (sign.sign() == (det if rule == "tied" else 1))

    def conjugate(self, by: Tensor) -> Axial:
        by = check_orthogonal(by, 3, "by")
        return axial(self.kind, (by @ torch.tensor(self.axis, dtype=torch.float64)).tolist())


def axial(kind: str, axis: Sequence[float] = (0.0, 0.0, 1.0)) -> Axial:
    """The continuous group ``kind`` (see ``Axial``) about ``axis``, a vector of any length.

    Args:
        kind: the Schoenflies name, such as "Cinfv".
        axis: along the axis, either way.
    Returns:
        The group; axes along one line give equal groups.
    Raises:
        TypeError: if ``axis`` is not made of numbers.
        ValueError: if there is no such group, or the axis is zero or not in space.
    """
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ValueError(f"kind: expected one of {', '.join(_KINDS)}, got {kind!r}")
    return Axial(3, kind, unit_axis(axis))


def unit_axis(axis: Sequence[float]) -> Axis:
    """The unit vector along ``axis`` whose last non-zero component is positive.

    Raises:
        TypeError: if ``axis`` is not made of numbers.
        ValueError: if it is zero, or not three of them.
    """
    values = real_tensor(axis, "axis").flatten().tolist()
    length = math.hypot(*values)
    if len(values) != 3 or not 0 < length < math.inf:
        raise ValueError(f"axis: expected a vector of three numbers, not zero, got {axis!r}")
    # Twelve digits: equal axes compare equal however they were computed.
    x, y, z = (round(a / length, 12) + 0.0 for a in values)
    last = next(a for a in (z, y, x) if a)
    return (x, y, z) if last > 0 else (-x + 0.0, -y + 0.0, -z + 0.0)


def frame(axis: Axis) -> Tensor:
    """The rotation by the smallest angle that takes z to the unit vector ``axis``, ``(3, 3)``."""
    x, y, z = (a / math.hypot(*axis) for a in axis)
    k = 1 / (1 + z)  # z >= 0 for a unit axis, so this is at most 1
    rows = [[1 - k * x * x, -k * x * y, x], [-k * x * y, 1 - k * y * y, y], [-x, -y, z]]
    return torch.tensor(rows, dtype=torch.float64)
