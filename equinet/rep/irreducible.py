"""The irreducible representations of every group, by name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from equinet.group import FiniteGroup, Group, ProductGroup
from equinet.group.group import Factor, check_group
from equinet.numerics import eigenprojectors, generic_symmetric, range_basis
from equinet.numerics.arguments import check_integer
from equinet.numerics.cached import cached
from equinet.rep.finite import finite_laws
from equinet.rep.lie import Law, lie_alias, lie_law, lie_names
from equinet.rep.schur import Map, averages, endomorphisms, projector
from equinet.rep.young import aliases

LARGEST_DEGREE = 1000  # of an irrep that is evaluated: a matrix with a side of 2001

_KINDS = {1: "real", 2: "complex", 4: "quaternionic"}


@dataclass(frozen=True)
class Irrep:
    """A real irreducible representation psi of a group, a value.

    Attributes:
        group: the group.
        name: degree or frequency for continuous groups and in the plane ("2", "1o"), Mulliken's
            symbol for the point groups of space ("T1g"), the partition for S_n ("[3,1]"), which
            for S_2 and S_3 is another way to write the name as a group of the plane and of space.
        dim: its dimension.
        degree: frequency or degree of an irrep of a continuous group; 0 for finite groups.
        ends: dimension of End(psi), the matrices that commute with all psi(g): 1, 2 or 4.

    Raises:
        ValueError: if the group has no irrep of that name; the message lists or suggests some.
    """

    group: Group
    name: str
    dim: int = field(init=False, repr=False, compare=False)
    degree: int = field(init=False, repr=False, compare=False)
    ends: int = field(init=False, repr=False, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_group(self.group)
        if not isinstance(self.name, str):
            raise TypeError(f"name: expected a string, got {type(self.name).__name__}")
        if isinstance(self.group, FiniteGroup):
            object.__setattr__(self, "name", aliases(self.group).get(self.name, self.name))
        else:
            object.__setattr__(self, "name", lie_alias(self.group, self.name))
        law = _law(self.group, self.name)
        for attribute in ("dim", "degree", "ends"):
            object.__setattr__(self, attribute, getattr(law, attribute))
        object.__setattr__(self, "_hash", hash((self.group, self.name)))

    def __hash__(self) -> int:
        return self._hash  # irreps are the keys of many dictionaries

    def __reduce__(self) -> tuple[type[Irrep], tuple[Group, str]]:
        return Irrep, (self.group, self.name)  # hashes of strings differ between processes

    @property
    def kind(self) -> str:
        """Its type: "real", "complex" or "quaternionic", as End(psi) is R, C or H."""
        return _KINDS[self.ends]

    @property
    def endomorphisms(self) -> Tensor:
        """A basis of End(psi): 1, and for the other types square roots of -1; ``(ends, d, d)``."""
        return _endomorphisms(self).clone()

    @property
    def is_trivial(self) -> bool:
        return self == trivial_irrep(self.group)

    def __call__(self, g: Tensor) -> Tensor:
        """psi(g) of shape ``(..., dim, dim)`` for elements ``g`` of shape ``(..., n, n)``."""
        self.group.check(g)
        return self.of_checked(g)

    def of_checked(self, g: Tensor) -> Tensor:
        """psi(g) for what ``group.check`` has seen."""
        return _law(self.group, self.name).evaluate(g)

    def character(self, g: Tensor) -> Tensor:
        """The trace of psi(g), of shape ``(...)``."""
        return self(g).diagonal(dim1=-2, dim2=-1).sum(-1)


def irreps(group: Group, lmax: int | None = None) -> tuple[Irrep, ...]:
    """The irreps of a group: of a finite one all, of a continuous one those up to degree ``lmax``.

    Irreps of a finite group have degree 0: any ``lmax`` gives all of them.

    Args:
        group: H.
        lmax: the largest degree, for a continuous group.
    Returns:
        All of them, by degree, or in the order of the published tables.
    Raises:
        TypeError: if ``group`` is no group.
        ValueError: if ``lmax`` is no degree, or None for a continuous group.

    Example:
        >>> from equinet.group import octahedral
        >>> [psi.name for psi in irreps(octahedral())]
        ['A1', 'A2', 'E', 'T1', 'T2']
    """
    check_group(group)
    if isinstance(group, FiniteGroup):
        if lmax is not None:
            check_integer(lmax, "lmax", 0)
        return tuple(Irrep(group, name) for name in finite_laws(group))
    if lmax is None:
        raise ValueError(
            f"lmax: expected the largest degree, since {group} is continuous, got None"
        )
    check_integer(lmax, "lmax", 0, LARGEST_DEGREE)
    if isinstance(group, ProductGroup):
        return tuple(Irrep(group, name) for name in _product_names(group, lmax))
    return tuple(Irrep(group, name) for name in lie_names(group, lmax))


def trivial_irrep(group: Group) -> Irrep:
    """The irrep psi(g) = 1."""
    check_group(group)
    return _trivial_irrep(group)


@cached()
def _trivial_irrep(group: Group) -> Irrep:
    return irreps(group, 0)[0]


@cached()
def _law(group: Group, name: str) -> Law:
    if isinstance(group, FiniteGroup):
        law = finite_laws(group).get(name)
    elif isinstance(group, ProductGroup):
        law = _product_law(group, name)
    else:
        law = lie_law(group, name)
    if law is None:
        names = [psi.name for psi in irreps(group, 4)]
        likeness = {psi: difflib.SequenceMatcher(None, psi, name).ratio() for psi in names}
        near = [psi for psi in names if likeness[psi] == max(0.5, *likeness.values())]
        dots = "" if group.is_finite else ", ..."
        hint = f"; did you mean {' or '.join(near[:3])}?" if near else ""
        raise ValueError(
            f"irrep: expected one of {', '.join(names)}{dots} of {group}, got {name!r}{hint}"
        )
    return law


@cached()
def _endomorphisms(psi: Irrep) -> Tensor:
    if psi.ends == 1:
        return torch.eye(psi.dim, dtype=torch.float64)[None]
    return endomorphisms(psi, psi.group.haar(4 * psi.degree))


# Irreps of G x H are parts of psi_a (x) psi_b: all of it, unless neither is of real type.


def _product_names(group: ProductGroup, lmax: int) -> list[str]:
    found = [("", 0)]
    for factor in group.factors:
        found = [
            (f"{name};{psi.name}" if name else psi.name, degree + psi.degree)
            for name, degree in found
            for psi in irreps(factor, lmax)
            if degree + psi.degree <= lmax
        ]
    return [name + part for name, _ in found for part in _product_parts(group, name)]


def _factors(group: ProductGroup, name: str) -> list[Irrep]:
    return [
        Irrep(factor, part) for factor, part in zip(group.factors, name.split(";"), strict=True)
    ]


@cached()
def _product_parts(group: ProductGroup, name: str) -> dict[str, Law]:
    """The different irreps in a tensor product of irreps of the factors, by suffix of the name."""
    psis = _factors(group, name)
    ends = torch.ones(1, 1, 1, dtype=torch.float64)
    for psi in psis:
        ends = torch.stack([torch.kron(a, b) for a in ends for b in psi.endomorphisms])
    degree = sum(psi.degree for psi in psis)
    if len(ends) == max(psi.ends for psi in psis):
        return {"": Law(ends.shape[-1], degree, len(ends), _kron(group, psis))}
    # End of the product holds several symmetric matrices; a generic one splits it.
    seed = generic_symmetric(len(ends))[0]
    symmetric = torch.einsum("e,eij->ij", seed, ends + ends.mT)
    whole = _kron(group, psis)
    haar = group.haar(4 * degree)
    found: list[Law] = []
    for p in eigenprojectors(symmetric):
        basis = range_basis(p)

        def evaluate(g: Tensor, basis: Tensor = basis) -> Tensor:
            b = basis.to(g)
            return b.mT @ whole(g) @ b

        count = len(endomorphisms(evaluate, haar))
        law = Law(basis.shape[1], degree, count, evaluate)
        if not any(_equivalent(f, law, haar) for f in found):
            found.append(law)
    if len(found) == 1:
        return {"": found[0]}
    return {letter: law for letter, law in zip("abcd", found, strict=False)}


def _equivalent(one: Law, other: Law, haar: Sequence[Factor]) -> bool:
    values = [other.evaluate(g) for g, _ in haar]
    overlap = projector(averages(one.evaluate, values, haar))
    return one.dim == other.dim and float(overlap.diagonal().sum()) > 0.5


def _kron(group: ProductGroup, psis: list[Irrep]) -> Map:
    def evaluate(g: Tensor) -> Tensor:
        value = torch.ones_like(g[..., :1, :1])
        for psi, part in zip(psis, group.parts(g), strict=True):
            block = psi(part)
            value = torch.einsum("...ij,...kl->...ikjl", value, block).flatten(-4, -3).flatten(-2)
        return value

    return evaluate


def _product_law(group: ProductGroup, name: str) -> Law | None:
    if name.count(";") != len(group.factors) - 1:
        return None
    stem, suffix = (name[:-1], name[-1]) if name[-1] in "abcd" else (name, "")
    return _product_parts(group, stem).get(suffix)
