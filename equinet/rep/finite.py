r"""The irreps of a finite group, by splitting.

In R^n with n <= 3 every irrep of H is a part of some irrep of O(n), so those are restricted to H,
degree by degree, and split, until the squares of the dimensions say that all are found:

.. math:: \sum_\psi \frac{d_\\psi^2}{\dim \mathrm{End}(\\psi)} = |H| \quad (D1)

In more dimensions the products of the defining representation with the irreps found so far take
their place (Burnside: together they hold every irrep). S_n has a closed form.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from equinet.group import FiniteGroup, o2, o3
from equinet.numerics import eigenprojectors, generic_symmetric, range_basis
from equinet.numerics.cached import cached
from equinet.rep.lie import Law, lie_law, lie_names
from equinet.rep.mulliken import irrep_names, sort_key
from equinet.rep.young import is_symmetric, young_tables


@cached(128)
def finite_laws(group: FiniteGroup) -> dict[str, Law]:
    """All irreps of a finite group by name, in the order of the published tables."""
    if group.n > 3 and is_symmetric(group):
        return {name: _law(group, table) for name, table in young_tables(group).items()}
    tables = _all_irreps(group)
    characters = torch.stack([_character(table) for table in tables])
    names = irrep_names(group, characters, [table.shape[-1] for table in tables])
    laws = {name: _law(group, table) for name, table in zip(names, tables, strict=True)}
    assert len(laws) == len(tables), f"names of the irreps of {group} coincide: {names}"
    if group.n == 3:
        return {name: laws[name] for name in sorted(laws, key=sort_key)}
    if group.n < 3:
        return {name: laws[name] for name in sorted(laws, key=_frequency_key)}
    return laws


def _frequency_key(name: str) -> tuple[int, str]:
    digits = name.rstrip("eo")
    return int(digits), name[len(digits) :]


def _law(group: FiniteGroup, table: Tensor) -> Law:
    ends = round(float(_character(table).square().mean()))

    def evaluate(g: Tensor) -> Tensor:
        return table.to(g)[group.index(g)]

    return Law(table.shape[-1], 0, ends, evaluate)


def _character(table: Tensor) -> Tensor:
    return table.diagonal(dim1=-2, dim2=-1).sum(-1)


def _all_irreps(group: FiniteGroup) -> list[Tensor]:
    """Matrices ``(order, dim, dim)`` of all irreps; of each the first copy that turns up."""
    found: list[Tensor] = []
    size = 0.0
    for table in _candidates(group, found):
        for new in _new_irreps(table, found):
            found.append(new)
            size += new.shape[-1] ** 2 / float(_character(new).square().mean())
        if size > group.order - 0.5:
            if group.n > 3:
                found.sort(key=lambda t: (t.shape[-1], (-_character(t)).round(decimals=6).tolist()))
            return found
    raise AssertionError(f"the irreps of {group} are not complete")


def _candidates(group: FiniteGroup, found: list[Tensor]) -> Iterator[Tensor]:
    """Representations that hold every irrep sooner or later, small ones first."""
    yield torch.ones(group.order, 1, 1, dtype=torch.float64)
    if group.n == 1:
        yield group.elements
    elif group.n < 4:
        whole = o2() if group.n == 2 else o3()
        for name in lie_names(whole, group.order):
            law = lie_law(whole, name)
            assert law is not None
            yield law.evaluate(group.elements)
    else:
        i = 0
        while i < len(found):  # the loop body adds to the list
            d = found[i].shape[-1]
            product = torch.einsum("gij,gkl->gikjl", found[i], group.elements)
            yield product.reshape(group.order, d * group.n, d * group.n)
            i += 1


def _new_irreps(table: Tensor, found: list[Tensor]) -> list[Tensor]:
    """The irreps in a representation that are not among those found."""
    dim = table.shape[-1]
    unknown = torch.eye(dim, dtype=torch.float64)
    character = _character(table)
    for old in found:
        x = _character(old)
        if (x * character).mean() > 0.5:
            # The projector on all copies of an irrep, (d / dim End) int chi(h) rho(h) dh.
            weight = old.shape[-1] / float(x.square().mean())
            unknown = unknown - weight * torch.einsum("g,gij->ij", x, table) / len(table)
    if unknown.diagonal().sum() < 0.5:
        return []
    basis = range_basis((unknown + unknown.mT) / 2)
    rest = basis.mT @ table @ basis
    # A generic symmetric matrix that commutes with rest has irreps as eigenspaces.
    seed = generic_symmetric(rest.shape[-1])
    commuting = torch.einsum("gij,jk,glk->il", rest, seed, rest) / len(table)
    new: list[Tensor] = []
    for projector in eigenprojectors((commuting + commuting.mT) / 2):
        part = range_basis(basis @ projector @ basis.mT)
        irrep = part.mT @ table @ part
        x = _character(irrep)
        if all((x * _character(other)).mean() < 0.5 for other in new):
            new.append(irrep)
    return sorted(new, key=lambda t: (t.shape[-1], (-_character(t)).round(decimals=6).tolist()))
