"""Closed forms of the irreps of the continuous groups.

Names: SO(2) and SO(3) by degree "0", "1", ...; O(2) "0e", "0o", "1", ...; O(3) by degree and parity
"0e", "0o", "1e", ...; the axial groups as chemists do, "A1", "A2", "E1", ... with g and u.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from equinet.group import O2, O3, SO2, SO3, Axial, Group
from equinet.numerics import wigner_D

_NUMBER = re.compile("0|[1-9][0-9]{,8}")  # no degree has more digits


class Law(NamedTuple):
    """What an irrep is.

    Attributes:
        dim: dimension.
        degree: frequency or degree, of which the degrees of products are at most the sum; 0 for
            finite groups.
        ends: dimension of End: 1, 2 or 4 for an irrep of real, complex or quaternionic type.
        evaluate: from elements ``(..., n, n)`` to matrices ``(..., dim, dim)``.
    """

    dim: int
    degree: int
    ends: int
    evaluate: Callable[[Tensor], Tensor]


def lie_names(group: Group, lmax: int) -> list[str]:
    """Names of the irreps up to degree ``lmax``, by degree.

    Args:
        group: a continuous one that is no product.
        lmax: the largest degree.
    Returns:
        The names.
    Raises:
        TypeError: if it is another group.
    """
    positive = range(1, lmax + 1)
    if isinstance(group, SO2 | SO3):
        return [str(k) for k in range(lmax + 1)]
    if isinstance(group, O2):
        return ["0e", "0o", *map(str, positive)]
    if isinstance(group, O3):
        return [f"{l}{p}" for l in range(lmax + 1) for p in "eo"]
    if isinstance(group, Axial):
        ones = ("A1", "A2") if isinstance(group.planar, O2) else ("A",)
        parities = ("g", "u") if group.has_free_sign else ("",)
        stems = [*ones, *(f"E{k}" for k in positive)]
        return [stem + parity for stem in stems for parity in parities]
    raise TypeError(f"group: expected a continuous group with known irreps, got {group!r}")


def lie_alias(group: Group, name: str) -> str:
    """The name of an irrep that is also called otherwise.

    Args:
        group: any.
        name: "2y" is, in O(3) and as e3nn has it, that of the harmonics of degree 2, "2e".
    Returns:
        The name that ``lie_names`` has, or what was given.
    """
    match = re.fullmatch("(0|[1-9][0-9]{,8})y", name) if isinstance(group, O3) else None
    return f"{match[1]}{'eo'[int(match[1]) % 2]}" if match else name


def lie_law(group: Group, name: str) -> Law | None:
    """The irrep called ``name``, None if there is none.

    Args:
        group: a continuous one that is no product.
        name: of an irrep, or not.
    Returns:
        Its law.
    """
    if isinstance(group, SO2):
        return _so2(int(name)) if _NUMBER.fullmatch(name) else None
    if isinstance(group, SO3):
        return _so3(int(name)) if _NUMBER.fullmatch(name) else None
    if isinstance(group, O2):
        return _o2(name)
    if isinstance(group, O3):
        match = re.fullmatch(r"(0|[1-9][0-9]{,8})([eo])", name)
        return _o3(int(match[1]), -1 if match[2] == "o" else 1) if match else None
    assert isinstance(group, Axial)
    return _axial(group, name)


def _so2(k: int) -> Law:
    if k == 0:
        return Law(1, 0, 1, lambda g: torch.ones_like(g[..., :1, :1]))
    return Law(2, k, 2, lambda g: _turn(g, k))


def _turn(g: Tensor, k: int) -> Tensor:
    """Rotation by k times the angle of the image of the x axis."""
    angle = k * torch.atan2(g[..., 1, 0], g[..., 0, 0])
    c, s = angle.cos(), angle.sin()
    return torch.stack([c, -s, s, c], -1).unflatten(-1, (2, 2))


def _det(g: Tensor) -> Tensor:
    """The sign of the determinant, ``(..., 1, 1)``."""
    return torch.linalg.det(g.detach()).sign()[..., None, None]


def _o2(name: str) -> Law | None:
    if name in ("0e", "0o"):
        even = _so2(0)
        return even if name == "0e" else even._replace(evaluate=_det)
    if not _NUMBER.fullmatch(name) or name == "0":
        return None
    k = int(name)

    def evaluate(g: Tensor) -> Tensor:
        # g is a rotation, for det g = -1 after the reflection y -> -y.
        turn = _turn(g, k)
        return torch.cat([turn[..., :1], turn[..., 1:] * _det(g)], -1)

    return Law(2, k, 1, evaluate)


def _so3(l: int) -> Law:
    return Law(2 * l + 1, l, 1, lambda g: wigner_D(l, g))


def _o3(l: int, parity: int) -> Law:
    def evaluate(g: Tensor) -> Tensor:
        det = _det(g)
        rotation = wigner_D(l, g * det)
        return rotation if parity == 1 else rotation * det

    return Law(2 * l + 1, l, 1, evaluate)


def _axial(group: Axial, name: str) -> Law | None:
    match = re.fullmatch(r"(?:A([12]?)|E([1-9][0-9]{,8}))([gu]?)", name)
    reflects = isinstance(group.planar, O2)
    if match is None or bool(match[3]) != group.has_free_sign:
        return None
    if match[2] is None and bool(match[1]) != reflects:
        return None
    k = int(match[2] or 0)
    # Inversion is a half turn, (-1)^k, times the change of sign along the axis.
    flips = match[3] != "" and (1 if match[3] == "g" else -1) != (-1) ** k
    # Subscript 1 is even under half turns across the axis, which may change that sign too.
    odd = (match[1] == "2") != (flips and k == 0)
    planar = _o2(str(k) if k else "0o" if odd else "0e") if reflects else _so2(k)
    assert planar is not None

    def evaluate(g: Tensor) -> Tensor:
        h, sign = group.parts(g)
        value = planar.evaluate(h)
        return value * sign.detach().sign()[..., None, None] if flips else value

    return planar._replace(evaluate=evaluate)
