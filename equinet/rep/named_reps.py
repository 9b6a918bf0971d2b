"""Representations by name, as they are written in field types."""

from __future__ import annotations

import re

from equinet.group import FiniteGroup, Group, find_subgroup, named_group
from equinet.group.group import check_group
from equinet.rep.construct import induce, irrep, trivial, vector
from equinet.rep.functions import quotient, regular
from equinet.rep.representation import Representation

_CALL = re.compile(r"(regular|quotient|induced)\((.*)\)")


def named(group: Group, name: str) -> Representation:
    """The representation called ``name``.

    ==========================  =============================================================
    "trivial", "vector"         rho(g) = 1 and rho(g) = g
    "regular", "regular(3)"     functions on the group, of a continuous one up to a degree
    "quotient(C4)"              functions on the cosets of a subgroup, the first of its kind
    "quotient(Cinf,3)"          the same for a continuous group, up to a degree
    "induced(C4,E)"             induced from an irrep of a subgroup of finite index
    anything else               an irrep: "2", "1o", "T1u", "[3,1]"
    ==========================  =============================================================

    Args:
        group: H.
        name: from the table.
    Returns:
        The representation, which has this name.
    Raises:
        ValueError: if there is none.
        TypeError: if ``group`` is no group, or ``name`` no string.
    """
    check_group(group)
    if not isinstance(name, str):
        raise TypeError(f"name: expected a string, got {type(name).__name__}")
    simple = {"trivial": trivial, "vector": vector, "regular": regular}
    if name in simple:
        return simple[name](group)
    call = _CALL.fullmatch(name)
    if call is None:
        return irrep(group, name)
    first, *rest = (part.strip() for part in call[2].split(",", 1))
    if group.is_finite and (call[1] == "regular" or call[1] == "quotient" and rest):
        raise ValueError(
            f"representation: expected no degree, since {group} is finite, got {name!r}"
        )
    if call[1] == "regular":
        return regular(group, _degree(first, name))
    subgroup = named_group(first, group.n)
    if isinstance(group, FiniteGroup) and isinstance(subgroup, FiniteGroup):
        subgroup = find_subgroup(group, subgroup)
    if call[1] == "induced":
        if not rest:
            raise ValueError(f"representation: expected induced(subgroup, irrep), got {name!r}")
        return induce(irrep(subgroup, rest[0]), group)
    return quotient(group, subgroup, _degree(rest[0], name) if rest else None)


def _degree(text: str, name: str) -> int:
    if not re.fullmatch("0|[1-9][0-9]{,8}", text):
        raise ValueError(f"representation: expected a largest degree, got {text!r} in {name!r}")
    return int(text)
