r"""How the groups of escnn and e2cnn act on space, and their elements for matrices.

Their volumes have the axes (-z, -y, x), ours (x, y, z); images have (-y, x) in both. So a tensor
stays as it is if an element that they write as R is written here as

.. math:: P R P^{-1}, \qquad P (x, y, z) = (-z, -y, x)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from equinet.group import (
    Axial,
    FiniteGroup,
    Group,
    axial,
    named_group,
    o2,
    o3,
    point_group,
    so2,
    so3,
)
from equinet.group.finite import finite_group

Element = Any  # an element of a group of theirs


class PeerGroup(Protocol):
    """A group; its class says which parameters an element has."""

    name: str
    continuous: bool
    elements: Sequence[Element] | None


class PeerSpace(Protocol):
    """A gspace: a group, and how it acts on R^dimensionality.

    ``basespace_action`` of escnn is a function of elements; e2cnn has ``axis`` instead, the angle
    of the mirror.
    """

    fibergroup: PeerGroup
    dimensionality: int


class _Made(PeerGroup, Protocol):
    """A continuous group of escnn, which makes elements of parameters."""

    PARAM: str

    def element(self, value: Element, param: str) -> Element: ...


# From their (x, y, z) to the axes of a volume.
P = torch.tensor([[0, 0, -1], [0, -1, 0], [1, 0, 0]], dtype=torch.float64)


@dataclass(frozen=True, eq=False)
class Correspondence:
    """A group of theirs and the same one here.

    Attributes:
        group: ours.
        element: theirs for one of ours, ``(n, n)``; of a finite group for its number.
    """

    group: Group
    element: Callable[[Any], Element]

    def matrices(self, theirs: Callable[[Element], Any]) -> Callable[[Tensor], Tensor]:
        """A function of their elements with values in matrices, as one of ours, ``(..., n, n)``.

        Args:
            theirs: a representation.
        Returns:
            Float64 ``(..., dim, dim)`` for elements ``(..., n, n)``.
        """

        def value(element: Element) -> Tensor:
            return torch.as_tensor(theirs(self.element(element)), dtype=torch.float64)

        group = self.group
        if isinstance(group, FiniteGroup):
            table = torch.stack([value(i) for i in range(group.order)])
            return lambda g: table[group.index(g)]

        def each(g: Tensor) -> Tensor:
            values = torch.stack([value(h) for h in g.reshape(-1, *g.shape[-2:])])
            return values.view(*g.shape[:-2], *values.shape[1:])

        return each


def correspondence(space: PeerSpace) -> Correspondence:
    """The group of this library that acts on the axes of tensors as that of a gspace does.

    Args:
        space: of escnn or e2cnn.
    Returns:
        The group, in the plane or in space, and their elements.
    Raises:
        ValueError: if the group is none of the line, the plane or space.
    """
    theirs = space.fibergroup
    action = _action(space)
    if not theirs.continuous:
        return _finite(theirs, action)
    kind, made = _kind(theirs), cast(_Made, theirs)
    if kind in ("SO3", "O3"):
        return Correspondence(so3() if kind == "SO3" else o3(), lambda g: _of_space(made, g))
    sheets = list(_sheets(made))
    if not sheets:
        raise _unknown(theirs)
    return _about_axis(theirs, action, sheets)


def _kind(group: object) -> str:
    return type(group).__name__


def _unknown(group: PeerGroup) -> ValueError:
    return ValueError(
        "module: expected a group of the plane or of space (cyclic, dihedral, SO(2), O(2), SO(3), "
        "O(3), octahedral, icosahedral, or one of these times the inversion), got "
        f"{group.name}; give its layers a gspace on R^2 or R^3"
    )


# --- how elements act -----------------------------------------------------------------------------


def _action(space: PeerSpace) -> Callable[[Element], Tensor]:
    """From an element of theirs to its matrix on the coordinates of tensors."""
    given: Any = getattr(space, "basespace_action", None)
    natural = _natural(space) if given is None else given

    def act(e: Element) -> Tensor:
        matrix = torch.as_tensor(natural(e), dtype=torch.float64)
        return P @ matrix @ P.mT + 0.0 if len(matrix) == 3 else matrix

    return act


def _natural(space: PeerSpace) -> Callable[[Element], Tensor]:
    """How elements act where a gspace does not say: over a point, and in e2cnn."""
    group: Any = space.fibergroup
    axis = float(getattr(space, "axis", 0.0))
    kind, count = _kind(group), len(group.elements or ())
    inner = _kind(getattr(group, "G2", None))
    if kind == "CyclicGroup":
        if type(space).__name__ == "Flip2dOnR2":
            return lambda e: _planar(_value(e), 0.0, axis)
        return lambda e: _planar(0, 2 * math.pi * _value(e) / count, 0.0)
    if kind == "DihedralGroup":
        return lambda e: _planar(_value(e)[0], 4 * math.pi * _value(e)[1] / count, axis)
    if kind == "SO2":
        return lambda e: _planar(0, _value(e), 0.0)
    if kind == "O2":
        return lambda e: _planar(_value(e)[0], _value(e)[1], axis)
    if kind in _SOLID:
        return lambda e: _rotation(_value(e))
    if kind == "O3" or kind == "DirectProductGroup" and inner in _SOLID:
        return lambda e: (-1) ** _value(e)[0] * _rotation(_value(e)[1])
    raise _unknown(group)


_SOLID = ("SO3", "Octahedral", "Icosahedral")


def _value(e: Element) -> Element:
    """The parameters of an element, which e2cnn has bare."""
    return getattr(e, "value", e)


def _planar(flip: int, angle: float, axis: float) -> Tensor:
    """The mirror through the line at an angle, if ``flip``, and then a rotation."""
    angle += 2 * axis * flip
    c, s, sign = math.cos(angle), math.sin(angle), (-1) ** flip
    return torch.tensor([[c, -s * sign], [s, c * sign]], dtype=torch.float64)


def _rotation(quaternion: Sequence[float]) -> Tensor:
    """The rotation of a quaternion whose last component is the real one."""
    x, y, z, w = (float(q) for q in quaternion)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return torch.tensor(rows, dtype=torch.float64)


# --- which group it is ----------------------------------------------------------------------------


def _finite(theirs: PeerGroup, action: Callable[[Element], Tensor]) -> Correspondence:
    elements = list(theirs.elements or ())
    matrices = torch.stack([action(e) for e in elements])
    group = _named(finite_group(_polished(matrices), theirs.name))
    numbers = group.numbers(matrices).tolist()
    ordered = [elements[numbers.index(i)] for i in range(group.order)]
    return Correspondence(group, ordered.__getitem__)


def _polished(matrices: Tensor) -> Tensor:
    """The nearest orthogonal matrices, and entries that are 0 or 1 but for rounding."""
    u, _, v = torch.linalg.svd(matrices)
    near = u @ v
    half = (2 * near).round() / 2
    return torch.where((near - half).abs() < 1e-12, half, near) + 0.0


def _named(group: FiniteGroup) -> FiniteGroup:
    """The group that has a name here, if it is one; else the group, named like what it is."""
    order = group.order
    axes = [_Z, (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)] if group.n == 3 else [_Z]
    for stem in _stems(group):
        for axis in axes:
            other = named_group(stem, group.n) if axis == _Z else point_group(stem, axis)
            if other == group and isinstance(other, FiniteGroup):
                return other
    if group.n == 2:  # about other mirrors
        return group.renamed(f"D{order // 2}")
    return group.renamed(f"{group.name} of escnn")


_Z = (0.0, 0.0, 1.0)


def _stems(group: FiniteGroup) -> list[str]:
    """Names of groups of the same order."""
    order = group.order
    if order == 1:
        return ["trivial"]
    if group.n == 2:
        return [f"C{order}"] + [f"D{order // 2}"] * (order % 2 == 0)
    found = [f"C{order}"]
    if order % 2 == 0 and order > 2:
        found += [f"D{order // 2}", f"C{order // 2}v", f"C{order // 2}h"]
    if order % 4 == 0 and order > 4:
        found.append(f"D{order // 4}h")
    return found + {2: ["Cs", "Ci"], 24: ["O"], 48: ["Oh"], 60: ["I"], 120: ["Ih"]}.get(order, [])


def _of_space(theirs: _Made, g: Tensor) -> Element:
    """The element of SO(3) or O(3) for a matrix of ours."""
    R = P.mT @ g.double().cpu() @ P
    if _kind(theirs) == "SO3":
        return theirs.element(R.numpy(), "MAT")
    inversion = int(torch.linalg.det(R) < 0)
    return theirs.element((inversion, ((-1) ** inversion * R).numpy()), "MAT")


Sheet = Callable[[float], Element]  # of a group of rotations about an axis, from the angle


def _sheets(theirs: _Made) -> Iterator[Sheet]:
    """The connected components of a group about an axis, which begin with that of 1."""
    kind = _kind(theirs)
    inner = _kind(getattr(theirs, "G2", None))
    is_bare = not hasattr(theirs, "element")  # as in e2cnn

    def element(value: Element) -> Element:
        return value if is_bare else theirs.element(value, theirs.PARAM)

    if kind == "SO2":
        yield element
    elif kind == "O2":
        yield lambda angle: element((0, angle))
        yield lambda angle: element((1, angle))
    elif kind == "DirectProductGroup" and inner in ("SO2", "O2"):
        for c in (0, 1):
            if inner == "SO2":
                yield lambda angle, c=c: element((c, angle))
            else:
                yield lambda angle, c=c: element((c, (0, angle)))
                yield lambda angle, c=c: element((c, (1, angle)))


def _about_axis(
    theirs: PeerGroup, action: Callable[[Element], Tensor], sheets: list[Sheet]
) -> Correspondence:
    """A group of rotations about an axis, with all its sheets."""
    one, quarter, half = (action(sheets[0](angle)) for angle in (0.0, math.pi / 2, math.pi))
    cosine = (one - half) / 2
    sine = quarter - (one + half) / 2
    starts = torch.stack([action(sheet(0.0)) for sheet in sheets])
    group = _continuous(theirs, sine, starts)

    def element(g: Tensor) -> Element:
        turns = g.double().cpu() @ starts.mT  # a rotation about the axis on the right sheet
        angles = torch.atan2((turns * sine).sum((1, 2)), (turns * cosine).sum((1, 2)))
        c, s = angles.cos()[:, None, None], angles.sin()[:, None, None]
        back = (one + half) / 2 + c * cosine + s * sine
        i = int((back - turns).abs().amax((1, 2)).argmin())
        return sheets[i](float(angles[i]))

    return Correspondence(group, element)


def _continuous(theirs: PeerGroup, sine: Tensor, starts: Tensor) -> Group:
    """The group about an axis that has these components."""
    if len(sine) == 2:
        return so2() if len(starts) == 1 else o2()
    direction = (sine[2, 1], sine[0, 2], sine[1, 0])
    for kind in ("Cinf", "Cinfv", "Cinfh", "Dinf", "Dinfh"):
        group = axial(kind, [float(x) for x in direction])
        if isinstance(group, Axial) and len(group.components) == len(starts):
            if group.contains(starts):
                return group
    raise _unknown(theirs)
