"""Functions that build representations. Before: ``representation``."""

from equinet.group import Group
from equinet.rep.representation import Irrep, Representation


def irrep(group: Group, frequency: int) -> Representation:
    """The irrep of SO(2) or SO(3) with the given frequency s or degree l."""
    psi = Irrep(group, frequency)
    return Representation(group, psi.name, (psi,))


def trivial(group: Group) -> Representation:
    """rho(g) = 1."""
    return Representation(group, "0", (Irrep(group, 0),))


def vector(group: Group) -> Representation:
    """The defining representation rho(g) = g; for SO(2) and SO(3) it is the irrep 1."""
    return irrep(group, 1)


def regular(group: Group) -> Representation:
    """The action of the group on the functions on itself, [rho(g) f](h) = f(g^-1 h)."""
    return Representation(group, "regular", None)


def named(group: Group, name: str) -> Representation:
    """The representation called ``name``: "trivial", "vector", "regular" or an irrep such as "2".

    Raises:
        ValueError: if there is none.
    """
    builders = {"trivial": trivial, "vector": vector, "regular": regular}
    if name in builders:
        return builders[name](group)
    if name.isascii() and name.isdigit():
        return irrep(group, int(name))
    raise ValueError(
        f"representation: expected one of {', '.join(builders)} or an irrep 0, 1, 2, ... of "
        f"{group}, got {name!r}"
    )
