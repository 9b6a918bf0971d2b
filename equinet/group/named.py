"""Groups by name."""

import re

from equinet.group.group import Group
from equinet.group.planar import cyclic, dihedral, inversion, trivial_group
from equinet.group.point import (
    POINT_GROUP_NAMES,
    is_point_group_name,
    point_group,
    unknown_name,
    without_subscript,
)
from equinet.group.rotations_2d import o2, so2
from equinet.group.rotations_3d import o3, so3
from equinet.numerics.arguments import check_integer
from equinet.numerics.cached import on_cpu

_NAMES = {
    1: ("trivial", "O(1)"),
    2: ("trivial", "SO(2)", "O(2)", *(f"{kind}{n}" for kind in "CD" for n in (1, 2, 3, 4, 6, 8))),
    3: ("trivial", "SO(3)", "O(3)", *POINT_GROUP_NAMES),
}
_WHERE = {1: "on the line", 2: "in the plane", 3: "in space"}


@on_cpu
def named_group(name: str, n: int) -> Group:
    """The group called ``name`` of matrices of size ``n``: "C8" in the plane, "m-3m" in space.

    On the line "trivial" and "O(1)"; in the plane C_N, D_N, "SO(2)", "O(2)"; in space all names of
    ``point_group``, "SO(3)" and "O(3)".

    Args:
        name: of the group.
        n: the dimension, 1, 2 or 3.
    Returns:
        The group in its standard orientation.
    Raises:
        ValueError: for a name that is not one, with the nearest that are.
        TypeError: if ``name`` is not a string.
    """
    if not isinstance(name, str):
        raise TypeError(f"group: expected a Group or its name, got {type(name).__name__}")
    check_integer(n, "n", 1, 3)
    plain = without_subscript(re.sub(r"^(S?O)\(([123])\)$", r"\1\2", name))
    if plain in ("trivial", "C1"):
        return trivial_group(n)
    if n == 1 and plain in ("O1", "D1", "Ci"):
        return inversion(1)
    match = re.fullmatch("([CD])([1-9][0-9]*)", plain)
    if n == 2 and match:
        # An order beyond any, where there are too many digits for a number.
        order = int(match[2][:20])
        return (cyclic if match[1] == "C" else dihedral)(order)
    continuous = {(2, "SO2"): so2, (2, "O2"): o2, (3, "SO3"): so3, (3, "O3"): o3}
    if (n, plain) in continuous:
        return continuous[n, plain]()
    if n == 3 and is_point_group_name(name):
        return point_group(name)
    raise unknown_name("group", name, _NAMES[n], _WHERE[n])
