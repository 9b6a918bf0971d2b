"""The point groups of space by their Schoenflies and Hermann-Mauguin names.

Standard orientation: the main axis is z, half turns across it start with that about x, mirrors
through it with the plane xz; the cubic groups have their fourfold or twofold axes along x, y, z,
the icosahedral ones twofold axes along x, y, z and fivefold axes along (0, 1, phi) and its cyclic
permutations.
"""

import difflib
import math
import re
from collections.abc import Sequence

import torch
from torch import Tensor

from equinet.group.axial_groups import axial, frame, unit_axis
from equinet.group.finite import FiniteGroup
from equinet.group.generation import generate
from equinet.group.group import Group
from equinet.numerics.cached import cached
from equinet.numerics.pages import explained

HERMANN_MAUGUIN = {
    "1": "C1", "-1": "Ci",
    "2": "C2", "m": "Cs", "2/m": "C2h",
    "222": "D2", "mm2": "C2v", "mmm": "D2h",
    "4": "C4", "-4": "S4", "4/m": "C4h", "422": "D4", "4mm": "C4v", "-42m": "D2d", "4/mmm": "D4h",
    "3": "C3", "-3": "S6", "32": "D3", "3m": "C3v", "-3m": "D3d",
    "6": "C6", "-6": "C3h", "6/m": "C6h", "622": "D6", "6mm": "C6v", "-6m2": "D3h", "6/mmm": "D6h",
    "23": "T", "m-3": "Th", "432": "O", "-43m": "Td", "m-3m": "Oh",
}  # fmt: skip

# Other symbols for the same groups; orientations across the axis are not told apart.
_SYNONYMS = {
    **{"-62m": "D3h", "-4m2": "D2d", "m3": "Th", "m3m": "Oh"},
    **{"C1h": "Cs", "S2": "Ci"},
}

POINT_GROUP_NAMES = (
    *HERMANN_MAUGUIN,
    *HERMANN_MAUGUIN.values(),
    *("I", "Ih", "Cinf", "Cinfv", "Cinfh", "Dinf", "Dinfh"),
)

_CUBIC = ("T", "Td", "Th", "O", "Oh", "I", "Ih")
_INFINITE = ("C", "Cv", "Ch", "D", "Dh")
_AXIAL_NAME = re.compile("(C|D|S)([1-9][0-9]*|inf)(v|h|d|)")
_LARGEST = 2500  # of a rotation about the main axis: D_nh has four times as many elements
_NO_AXIS = (0.0, 0.0, 1.0)


def point_group(name: str, axis: Sequence[float] = _NO_AXIS) -> Group:
    """A point group of space by name: "Td", "T_d", "C4v", "D7d", "S8", "m-3m", "-42m", "Dinfh".

    Args:
        name: by Schoenflies, of any order, or one of the 32 by Hermann and Mauguin.
        axis: the main axis. The standard orientation is turned from z to it by the smallest
            rotation; use ``Group.conjugate`` for any other one.
    Returns:
        A finite group, or for "Cinf" and its kin an ``Axial`` one.
    Raises:
        ValueError: for a name that is not one, with the nearest that are.
        TypeError: if ``name`` is not a string.
    """
    schoenflies = schoenflies_name(name)
    match = _AXIAL_NAME.fullmatch(schoenflies)
    if match and match[2] != "inf" and (len(match[2]) > 6 or int(match[2]) > _LARGEST):
        raise ValueError(f"name: expected an order of at most {_LARGEST}, got {name!r}")
    if match and match[2] == "inf" and match[1] + match[3] in _INFINITE:
        return axial(schoenflies, axis)
    generators = _generators(schoenflies, match)
    if generators is None:
        raise unknown_name("name", name, POINT_GROUP_NAMES)
    group = _standard(schoenflies)
    direction = unit_axis(axis)
    if direction == _NO_AXIS:
        return group
    return group.conjugate(frame(direction))


def schoenflies_name(name: str) -> str:
    """The Schoenflies symbol that is meant by ``name``, "Td" for "T_d".

    Raises:
        TypeError: if it is not a string.
    """
    if not isinstance(name, str):
        raise TypeError(f"name: expected a string, got {type(name).__name__}")
    plain = HERMANN_MAUGUIN.get(name, without_subscript(name))
    return _SYNONYMS.get(plain, plain)


def without_subscript(name: str) -> str:
    """The name with its subscript on the line: "Td" for "T_d"."""
    return re.sub("(?<=[A-Za-z0-9])_(?=[A-Za-z0-9])", "", name)


def is_point_group_name(name: str) -> bool:
    """Whether ``point_group`` knows the name."""
    plain = schoenflies_name(name)
    match = _AXIAL_NAME.fullmatch(plain)
    if match and match[2] == "inf":
        return match[1] + match[3] in _INFINITE
    return _generators(plain, match) is not None


_FEW = 3  # names, that are all said


def unknown_name(argument: str, name: str, known: Sequence[str], where: str = "") -> ValueError:
    """The error for a name that is not one, with the nearest that are.

    Args:
        argument: what the caller calls the name.
        name: that is none.
        known: all that are.
        where: they are, such as "in the plane".
    Returns:
        The error, to be raised.
    """
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.3)
    if not near and len(known) <= _FEW:
        near = known
    hint = f"; the nearest {where}{' ' * bool(where)}are {', '.join(near)}" if near else ""
    text = f"{argument}: expected the name of a group, got {name!r}{hint}"
    return ValueError(explained(text, "guide/from_torch.md#1-name-the-space-and-the-symmetry"))


@cached()
def _standard(schoenflies: str) -> FiniteGroup:
    generators = _generators(schoenflies, _AXIAL_NAME.fullmatch(schoenflies))
    assert generators is not None
    return generate(torch.stack(generators), schoenflies)


def octahedral() -> FiniteGroup:
    """O, the 24 rotations of the cube."""
    return _standard("O")


def tetrahedral() -> FiniteGroup:
    """T, the 12 rotations of the tetrahedron."""
    return _standard("T")


def icosahedral() -> FiniteGroup:
    """I, the 60 rotations of the icosahedron."""
    return _standard("I")


def _generators(name: str, axial_name: re.Match | None) -> list[Tensor] | None:
    """Generators by Schoenflies name, None for a name that is not one."""
    one, minus = _diagonal(1, 1, 1), _diagonal(-1, -1, -1)
    across, through = _diagonal(1, 1, -1), _diagonal(1, -1, 1)  # sigma_h, sigma_v
    half_turn = _diagonal(1, -1, -1)  # C2' about x
    if name in ("Cs", "Ci"):
        return [across if name == "Cs" else minus]
    if name in _CUBIC:
        threefold = torch.eye(3, dtype=torch.float64).roll(1, 0)  # about (1, 1, 1)
        start = [threefold, half_turn]
        extra = {
            "T": [],
            "Td": [across @ _turn(4)],
            "Th": [minus],
            "O": [_turn(4)],
            "Oh": [_turn(4), minus],
            "I": [_fivefold()],
            "Ih": [_fivefold(), minus],
        }
        return start + extra[name]
    if axial_name is None or axial_name[2] == "inf" or len(axial_name[2]) > 6:
        return None
    n = int(axial_name[2])
    kinds = {
        "C": [_turn(n)],
        "Cv": [_turn(n), through],
        "Ch": [_turn(n), across],
        "D": [_turn(n), half_turn],
        "Dh": [_turn(n), half_turn, across],
        "Dd": [_turn(2 * n) @ across, half_turn],
        "S": [_turn(n) @ across],
    }
    kind = axial_name[1] + axial_name[3]
    if n == 1 and kind in ("C", "D", "Dh", "Dd"):
        # D1 and its kin are C2, C2v and C2h about another axis: their usual names say which.
        return [one] if kind == "C" else None
    if kind == "S" and n % 2:
        return None  # S_n with odd n is C_nh
    return kinds.get(kind)


def _diagonal(*entries: float) -> Tensor:
    return torch.diag(torch.tensor(entries, dtype=torch.float64))


def _turn(n: int) -> Tensor:
    """Rotation about z by 2 pi / n."""
    # The sine of a quarter turn and the cosine of a sixth are exact this way.
    root = math.sqrt(0.75)
    exact = {1: (1, 0), 2: (-1, 0), 3: (-0.5, root), 4: (0, 1), 6: (0.5, root)}
    c, s = exact.get(n, (math.cos(2 * math.pi / n), math.sin(2 * math.pi / n)))
    return torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64)


def _fivefold() -> Tensor:
    """Rotation by 2 pi / 5 about (0, 1, phi)."""
    phi = (1 + math.sqrt(5)) / 2
    a, b, c = 0.5, phi / 2, (phi - 1) / 2  # cos(pi/3), cos(pi/5), cos(2 pi/5)
    return torch.tensor([[c, -b, a], [b, a, c], [-a, c, b]], dtype=torch.float64)
