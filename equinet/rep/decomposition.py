r"""Any matrix representation into irreps, and the maps between two representations."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from equinet.group import FiniteGroup, Group, is_subgroup
from equinet.group.group import Factor, check_group
from equinet.numerics.arguments import check_integer, check_string
from equinet.rep.irreducible import Irrep, irreps
from equinet.rep.representation import Representation, check_rep, sum_name
from equinet.rep.schur import Map, averages, copies

_SMALL = 1e-8
_LARGEST = 32  # degree that is tried for continuous groups


def decompose(
    group: Group, rho: Map, *, name: str | None = None, degree: int | None = None
) -> Representation:
    r"""The split of a matrix representation into irreps, with the change of basis.

    .. math:: \rho(g) = Q \Bigl(\bigoplus_i \psi_i(g)\Bigr) Q^{-1}

    Args:
        group: H.
        rho: a function from elements ``(..., n, n)``, float64, to matrices ``(..., dim, dim)``;
            they need not be orthogonal.
        name: of the result; by default the irreps and how often they occur.
        degree: a bound of the degrees of the irreps in rho, for a continuous group; found by trial
            if it is not known.
    Raises:
        ValueError: if rho is no representation of the group.

    Example:
        >>> from equinet.group import octahedral
        >>> rho = decompose(octahedral(), lambda g: g * torch.linalg.det(g)[..., None, None])
        >>> [psi.name for psi in rho.irreps]
        ['T1']
    """
    check_group(group)
    if not callable(rho):
        raise TypeError(f"rho: expected a function of elements, got {type(rho).__name__}")
    if name is not None:
        check_string(name, "name")
    if degree is not None:
        check_integer(degree, "degree", 0)
    one = rho(group.identity())
    if not isinstance(one, Tensor) or one.dim() != 2 or not one.is_floating_point():
        raise TypeError("rho: expected a function that gives real matrices, one for one element")
    dim = one.shape[-1]
    if one.shape != (dim, dim) or not (one - torch.eye(dim)).abs().max() < _SMALL:
        raise ValueError(f"rho: expected rho(1) = 1, got {one.tolist()}")
    _check_homomorphism(group, rho)
    for bound in _bounds(group, degree):
        psis, Q = _split(group, rho, dim, bound)
        if Q.shape[1] == dim:
            result = Representation(group, name or sum_name(psis), psis, _plain(Q))
            if _agrees(result, rho):
                return result
    limit = _LARGEST if degree is None else degree
    raise ValueError(
        f"rho: expected a representation of {group} with irreps of degree at most {limit}, got "
        "one with others (or a function that is not continuous); name a larger degree"
    )


def _bounds(group: Group, degree: int | None) -> Iterator[int]:
    if group.is_finite:
        yield 0
    elif degree is not None:
        yield degree
    else:
        yield from (2**i for i in range(_LARGEST.bit_length()))


def _split(group: Group, rho: Map, dim: int, degree: int) -> tuple[tuple[Irrep, ...], Tensor]:
    """The irreps up to ``degree`` in rho and the vectors they are made of, as columns."""
    haar = group.haar(2 * degree)
    values = [rho(g) for g, _ in haar]
    root = _metric_root(values, haar, dim)
    if root is not None:
        values = [root @ value @ torch.linalg.inv(root) for value in values]
    found, columns, room = [], [], dim
    for psi in irreps(group, degree):
        if not room:
            break
        for a in copies(averages(psi, values, haar), psi.endomorphisms):
            found.append(psi)
            columns.append(a)
            room -= psi.dim
    Q = torch.cat(columns, 1) if columns else torch.zeros(dim, 0, dtype=torch.float64)
    return tuple(found), Q if root is None else torch.linalg.solve(root, Q)


def _metric_root(values: list[Tensor], haar: tuple[Factor, ...], dim: int) -> Tensor | None:
    """S^1/2 with S = int rho^T rho, for which S^1/2 rho S^-1/2 is orthogonal; None if S = 1."""
    metric = torch.eye(dim, dtype=torch.float64)
    # For g = abc the inner factor of rho(g)^T rho(g) is that of a.
    for value, (_, w) in zip(values, haar, strict=True):
        metric = (w[:, None, None] * (value.mT @ metric @ value)).sum(0)
    if (metric - torch.eye(dim)).abs().max() < _SMALL:
        return None
    eigenvalues, vectors = torch.linalg.eigh(metric)
    return (vectors * eigenvalues.sqrt()) @ vectors.mT


def _plain(Q: Tensor) -> Tensor:
    """Zeros and ones that were missed by rounding."""
    near = Q.round()
    return torch.where((Q - near).abs() < 1e-14, near, Q)


def _agrees(result: Representation, rho: Map) -> bool:
    g = result.group.generators
    g = torch.cat([g, g @ g[0]])
    return bool((result(g) - rho(g)).abs().max() < 1e-7)


def _check_homomorphism(group: Group, rho: Map) -> None:
    # All elements of a finite group; for a continuous one enough to catch what is none.
    g = group.components if group.is_finite else group.grid(2)[0]
    values = rho(g)
    for a in group.generators:
        error = float((rho(a @ g) - rho(a) @ values).abs().max())
        if not error < 1e-6:
            raise ValueError(
                f"rho: expected rho(gh) = rho(g) rho(h), got an error of {error:.2g} for g = "
                f"{a.tolist()}"
            )


def restrict(rho: Representation, subgroup: Group) -> Representation:
    """The same matrices as a representation of a subgroup, split into its irreps.

    Example:
        >>> from equinet.group import octahedral, so3
        >>> from equinet.rep import irrep
        >>> restrict(irrep(so3(), "2"), octahedral()).name
        '1xE + 1xT2'
    """
    rho = check_rep(rho)
    if check_group(subgroup, "subgroup") == rho.group:
        return rho
    if not is_subgroup(subgroup, rho.group):
        raise ValueError(f"subgroup: expected a subgroup of {rho.group}, got {subgroup}")
    degree = None if isinstance(rho.group, FiniteGroup) else rho.degree
    return decompose(subgroup, rho, degree=degree)


def hom(rho_in: Representation, rho_out: Representation) -> Tensor:
    r"""A basis of Hom_H(rho_in, rho_out): all A with rho_out(h) A = A rho_in(h).

    By Schur's lemma a map is free between equal irreps, up to End(psi), and zero between different
    ones: A = Q_out (sum of c_ij E) Q_in^-1.

    Returns:
        float64 ``(count, dim_out, dim_in)``, count = sum over psi of m_out m_in dim End(psi).
    """
    rho_in, rho_out = check_rep(rho_in, "rho_in"), check_rep(rho_out, "rho_out")
    if rho_in.group != rho_out.group:
        raise ValueError(
            f"rho_out: expected a representation of {rho_in.group}, got one of {rho_out.group}"
        )
    found = []
    for psi, rows in rho_out.parts:
        for other, columns in rho_in.parts:
            if psi == other:
                for end in psi.endomorphisms:
                    a = torch.zeros(rho_out.dim, rho_in.dim, dtype=torch.float64)
                    a[rows, columns] = end
                    found.append(a)
    if not found:
        return torch.zeros(0, rho_out.dim, rho_in.dim, dtype=torch.float64)
    basis = torch.stack(found)
    if rho_out.Q is not None:
        basis = rho_out.Q @ basis
    return basis if rho_in.inverse_Q is None else basis @ rho_in.inverse_Q
