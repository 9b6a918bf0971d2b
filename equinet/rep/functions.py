r"""Functions on a group and on its quotients.

The functions on G/H are spanned by the matrix entries of irreps at vectors that H leaves alone,

.. math:: f(g) = \sum_\psi \sqrt{d_\psi} \sum_{v, i} \hat f^\psi_{vi}\, (\psi(g) v)_i, \qquad
          \psi(h) v = v \quad \forall h \in H \quad (G1)

and these are orthonormal for Haar measure if each psi takes vectors v that are orthonormal and
orthogonal to the images of one another under End(psi). [rho(u) f](g) = f(u^-1 g) acts on the
coefficients of each (psi, v) by psi(u).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from equinet.group import FiniteGroup, Group, cosets
from equinet.group.group import check_group, check_subgroup
from equinet.numerics import range_basis
from equinet.numerics.arguments import check_integer, check_memory
from equinet.numerics.cached import cached
from equinet.rep.irreducible import LARGEST_DEGREE, Irrep, irreps
from equinet.rep.representation import Representation


def invariant_vectors(psi: Irrep, subgroup: Group | None) -> Tensor:
    """The vectors v of (G1), of which each stands for its images under End(psi) as well.

    Args:
        psi: an irrep of G.
        subgroup: H, which leaves them alone; None for the group of the identity alone.
    Returns:
        Orthonormal rows, float64 ``(count, dim)``.
    """
    return _invariant_vectors(psi, subgroup).clone()


@cached()
def _invariant_vectors(psi: Irrep, subgroup: Group | None) -> Tensor:
    projector = torch.eye(psi.dim, dtype=torch.float64)
    if subgroup is None and psi.ends == 1:
        return projector
    if subgroup is not None:
        for g, w in subgroup.haar(psi.degree):
            projector = projector @ torch.einsum("g,gij->ij", w, psi(g))
        projector = (projector + projector.mT) / 2
    found = []
    while projector.diagonal().sum() > 0.5:
        v = range_basis(projector)[:, 0]
        found.append(v)
        same = psi.endomorphisms @ v
        projector = projector - same.mT @ same
    return torch.stack(found) if found else torch.zeros(0, psi.dim, dtype=torch.float64)


def regular(group: Group, lmax: int | None = None) -> Representation:
    r"""The action of the group on the functions on itself, [rho(g) f](h) = f(g^-1 h).

    Args:
        group: a finite group: the components are the values at its elements, in order, so that
            rho(g) is a permutation matrix; or a continuous one.
        lmax: for a continuous group the largest degree; the components are the coefficients (G1).
            If None, all functions: fields of that type are sampled on a grid of the group.
    """
    _check_degree(check_group(group), lmax)
    if isinstance(group, FiniteGroup):
        check_memory(group.order**2, "group", f"functions on the {group.order} elements of {group}")
        return _values_at_cosets(group, None, "regular")
    if lmax is None:
        return Representation(group, "regular", None)
    return _coefficients(group, None, lmax, f"regular({lmax})")


def quotient(group: Group, subgroup: Group, lmax: int | None = None) -> Representation:
    r"""The action of the group on the functions on its left cosets, [rho(g) f](x) = f(g^-1 x).

    Args:
        group: G; if finite, the components are the values at the cosets in order, so that rho(g)
            is a permutation matrix.
        subgroup: H.
        lmax: for a continuous group the largest degree; the components are the coefficients (G1).
    """
    check_subgroup(subgroup, check_group(group))
    _check_degree(group, lmax)
    if group.is_finite:
        return _values_at_cosets(group, subgroup, f"quotient({subgroup.name})")
    if lmax is None:
        raise ValueError(
            f"lmax: expected the largest degree, since {group} is continuous, got None"
        )
    return _coefficients(group, subgroup, lmax, f"quotient({subgroup.name},{lmax})")


def fourier_basis(
    group: Group, g: Tensor, lmax: int | None = None, subgroup: Group | None = None
) -> Tensor:
    r"""The basis functions of (G1) at elements of the group, so that f(g) = basis @ f_hat.

    Args:
        group: G.
        g: elements ``(..., n, n)``.
        lmax: the largest degree, for a continuous group.
        subgroup: H, for functions on G/H.
    Returns:
        ``(..., dim)`` in the order of the components of the band-limited regular or quotient
        representation, in the dtype of ``g``.
    """
    if subgroup is not None:
        check_subgroup(subgroup, check_group(group))
    _check_degree(check_group(group), lmax)
    group.check(g)
    columns = []
    for psi in irreps(group, lmax):
        vectors = invariant_vectors(psi, subgroup)
        if len(vectors):
            value = psi(g)
            columns += [math.sqrt(psi.dim) * (value @ v.to(g)) for v in vectors]
    return torch.cat(columns, -1)


def _check_degree(group: Group, lmax: int | None) -> None:
    """Raise ValueError for a degree of functions on a finite group, which have none."""
    if lmax is not None:
        check_integer(lmax, "lmax", 0, LARGEST_DEGREE)
        if group.is_finite:
            raise ValueError(f"lmax: expected None, since {group} is finite, got {lmax!r}")


def _irreps_of_functions(group: Group, subgroup: Group | None, lmax: int | None):
    found: list[Irrep] = []
    for psi in irreps(group, lmax):
        found += [psi] * len(invariant_vectors(psi, subgroup))
    return tuple(found)


def _coefficients(group: Group, subgroup: Group | None, lmax: int, name: str) -> Representation:
    return Representation(group, name, _irreps_of_functions(group, subgroup, lmax))


def _values_at_cosets(group: Group, subgroup: Group | None, name: str) -> Representation:
    points = group.components if subgroup is None else cosets(group, subgroup).representatives
    basis = fourier_basis(group, points, None, subgroup)
    Q = basis / math.sqrt(len(points))
    return Representation(group, name, _irreps_of_functions(group, subgroup, None), Q)
