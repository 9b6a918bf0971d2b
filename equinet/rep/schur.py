r"""Intertwiners by averaging over the group: all of representation theory that is computed.

In: groups, and representations as plain functions. Out: bases of Hom.

For an irrep psi of dimension d and an orthogonal representation rho,

.. math:: T(X) = \int_H \rho(h) X \psi(h)^{-1} dh, \qquad P = d \int_H \psi_{00}(h) \rho(h)\, dh
          \qquad (I1)

T is the orthogonal projector on Hom(psi, rho). By Schur's lemma P is a projector too, and for x in
its range A = d T(x e_0^T) is an intertwiner with A e_0 = x. Orthonormal x give orthogonal A with
tr A^T A = d, and all of them together span Hom(psi, rho).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from equinet.group.group import Factor
from equinet.numerics import range_basis

Map = Callable[[Tensor], Tensor]  # elements (..., n, n) to matrices (..., dim, dim)


class Average(NamedTuple):
    """One factor of Haar measure.

    Attributes:
        weights: ``(count,)``.
        rho: values of rho at its elements, ``(count, dim rho, dim rho)``.
        psi: values of psi, ``(count, dim, dim)``.
    """

    weights: Tensor
    rho: Tensor
    psi: Tensor


def averages(psi: Map, rho: Sequence[Tensor], haar: Sequence[Factor]) -> list[Average]:
    """The factors of the averages (I1).

    Args:
        psi: the irrep.
        rho: values of the representation at the elements of each factor.
        haar: the factors of a quadrature exact for products of entries of both.
    Returns:
        One average for each factor.
    """
    return [Average(w, r, psi(g)) for (g, w), r in zip(haar, rho, strict=True)]


def projector(factors: Sequence[Average]) -> Tensor:
    """P of (I1), ``(dim rho, dim rho)``."""
    # psi_00(abc) = sum_ij psi_0i(a) psi_ij(b) psi_j0(c), factor by factor.
    row = None
    for i, (w, r, p) in enumerate(factors):
        if i == len(factors) - 1:
            p = p[:, :, :1]
        if row is None:
            row = torch.einsum("gj,gxy->jxy", w[:, None] * p[:, 0], r)
        else:
            step = torch.einsum("gij,gxy->ijxy", w[:, None, None] * p, r)
            row = torch.einsum("ixz,ijzy->jxy", row, step)
    assert row is not None
    total = row[0] * factors[0].psi.shape[-1]
    return (total + total.mT) / 2


def lift(x: Tensor, factors: Sequence[Average]) -> Tensor:
    """The map d T(x e_0^T) of (I1) for each column of ``x``: ``(columns, dim rho, dim)``.

    Args:
        x: columns in the range of P, ``(dim rho, columns)``.
        factors: ``averages`` of psi and rho.
    Returns:
        The maps A of (I1).
    """
    d = factors[0].psi.shape[-1]
    out = torch.zeros(x.shape[1], x.shape[0], d, dtype=torch.float64)
    out[:, :, 0] = d * x.mT
    for w, r, p in reversed(factors):
        moved = torch.einsum("gxy,nyj->ngxj", w[:, None, None] * r, out)
        out = torch.einsum("ngxj,gij->nxi", moved, p)
    return out


def endomorphisms(psi: Map, haar: Sequence[Factor]) -> Tensor:
    """A basis of End(psi) with 1, 2 or 4 elements: 1, then square roots of -1; ``(e, d, d)``.

    Args:
        psi: the irrep.
        haar: the factors of a quadrature exact for products of four entries of psi.
    Returns:
        float64; they are orthogonal, with tr E^T E = d.
    """
    factors = averages(psi, [psi(g) for g, _ in haar], haar)
    basis = lift(range_basis(projector(factors)), factors)
    one = torch.eye(basis.shape[-1], dtype=torch.float64)
    found = [one]
    for a in basis:
        for b in found:  # End(psi) is R, C or H, with tr(a^T b) as its scalar product
            a = a - b * (b * a).sum() / len(one)
        size = a.square().sum()
        if size > 1e-6:
            found.append(a * (len(one) / size).sqrt())
    return torch.stack(found)


def copies(factors: Sequence[Average], ends: Tensor) -> list[Tensor]:
    """The copies of an irrep in rho: isometries ``(dim rho, dim)`` with orthogonal ranges.

    Args:
        factors: ``averages`` of psi and of an orthogonal rho.
        ends: ``endomorphisms(psi)``.
    Returns:
        The maps A of (I1), each with A^T A = 1.
    """
    rest, found = projector(factors), []
    while rest.diagonal().sum() > 0.5:
        a = lift(range_basis(rest)[:, :1], factors)[0]
        found.append(a)
        taken = a @ ends[:, :, 0].mT  # the vectors x that give a copy with the same range
        rest = rest - taken @ taken.mT
    return found
