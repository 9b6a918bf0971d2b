"""Functions that build representations."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from equinet.group import FiniteGroup, Group, cosets
from equinet.group.group import check_group
from equinet.group.product import block_diagonal
from equinet.numerics.arguments import check_integer, check_memory
from equinet.numerics.cached import cached
from equinet.rep.coupling import couple
from equinet.rep.decomposition import decompose
from equinet.rep.irreducible import Irrep, trivial_irrep
from equinet.rep.representation import Representation, check_rep, sum_name


def irrep(group: Group, name: str | int) -> Representation:
    """The irrep called ``name``, such as "T1u", "2o" or 2, as a representation.

    Raises:
        TypeError: if ``group`` is no group, or ``name`` no name.
        ValueError: if there is none of that name.
    """
    if isinstance(name, bool):
        raise TypeError(f"name: expected a string or an integer, got {name!r}")
    psi = Irrep(group, str(name) if isinstance(name, int) else name)
    return Representation(group, psi.name, (psi,))


def trivial(group: Group) -> Representation:
    """rho(g) = 1."""
    return Representation(group, "trivial", (trivial_irrep(group),))


def vector(group: Group) -> Representation:
    """The defining representation rho(g) = g."""
    return _vector(check_group(group))


@cached()
def _vector(group: Group) -> Representation:
    return decompose(group, lambda g: g, name="vector")


def direct_sum(*rhos: Representation) -> Representation:
    """The direct sum: block diagonal matrices."""
    rhos = tuple(check_rep(rho, "rhos") for rho in rhos)
    group = _same_group(rhos)
    dim = sum(rho.dim for rho in rhos)
    Q = None
    if any(rho.Q is not None for rho in rhos):
        check_memory(dim**2, "rhos", f"a matrix of size {dim}")
        Q = block_diagonal([rho.basis for rho in rhos])
    irreps = tuple(psi for rho in rhos for psi in rho.constituents)
    return Representation(group, " + ".join(rho.name for rho in rhos), irreps, Q)


def tensor_product(rho1: Representation, rho2: Representation) -> Representation:
    """The tensor product: Kronecker products of matrices, with its split into irreps."""
    rho1, rho2 = check_rep(rho1, "rho1"), check_rep(rho2, "rho2")
    group = _same_group((rho1, rho2))
    dim = rho1.dim * rho2.dim
    check_memory(dim**2, "rho1", f"a product of dimension {rho1.dim} times {rho2.dim}")
    found: list[Irrep] = []
    columns = []
    for psi1, rows in rho1.parts:
        for psi2, others in rho2.parts:
            for psi, a in couple(psi1, psi2):
                column = torch.zeros(rho1.dim, rho2.dim, psi.dim, dtype=torch.float64)
                column[rows, others] = a.unflatten(0, (psi1.dim, psi2.dim))
                found.append(psi)
                columns.append(column.flatten(0, 1))
    Q = torch.cat(columns, 1)
    if rho1.Q is not None or rho2.Q is not None:
        Q = torch.kron(rho1.basis, rho2.basis) @ Q
    return Representation(group, sum_name(tuple(found)), tuple(found), Q)


def dual(rho: Representation) -> Representation:
    """The dual, rho*(g) = rho(g^-1)^T; the same matrices where rho is orthogonal."""
    rho = check_rep(rho)
    if rho.Q is None:
        return rho
    inverse = rho.inverse_Q
    assert inverse is not None
    return Representation(rho.group, f"dual({rho.name})", rho.constituents, inverse.mT.contiguous())


def symmetric_power(rho: Representation, k: int) -> Representation:
    r"""The action on the symmetric tensors of rank k, of dimension binomial(dim + k - 1, k).

    The components are those of the orthonormal basis of symmetrised products of basis vectors, in
    the order of a dictionary.
    """
    rho, k = check_rep(rho), check_integer(k, "k", 0)
    _check_power(rho, k)
    indices = list(itertools.combinations_with_replacement(range(rho.dim), k))
    return _power(rho, k, indices, 1)


def exterior_power(rho: Representation, k: int) -> Representation:
    """The action on the antisymmetric tensors of rank k, of dimension binomial(dim, k)."""
    rho = check_rep(rho)
    if check_integer(k, "k", 0) > rho.dim:
        raise ValueError(f"k: expected at most the dimension {rho.dim} of {rho!r}, got {k}")
    _check_power(rho, k)
    return _power(rho, k, list(itertools.combinations(range(rho.dim), k)), -1)


def _check_power(rho: Representation, k: int) -> None:
    """Raise ValueError if the matrices of the k-th Kronecker power are too large."""
    power = min(rho.dim, 10**6) ** min(2 * k, 1000)
    # One for each element at which it is evaluated: all, or a grid of some degrees.
    count = rho.group.order if isinstance(rho.group, FiniteGroup) else 2 * k * rho.degree + 1
    check_memory(power * count, "k", f"tensors of rank {k} over {rho.dim} dimensions")


def _power(
    rho: Representation, k: int, indices: list[tuple[int, ...]], sign: int
) -> Representation:
    if k == 0:
        return trivial(rho.group)
    basis = torch.zeros(len(indices), *[rho.dim] * k, dtype=torch.float64)
    for i, index in enumerate(indices):
        for order in itertools.permutations(range(k)):
            parity = torch.linalg.det(torch.eye(k)[list(order)]) if sign < 0 else 1
            basis[(i, *(index[p] for p in order))] += float(parity)
    basis = basis.flatten(1)
    basis = basis / basis.norm(dim=1, keepdim=True)

    def power(g: Tensor) -> Tensor:
        return basis @ tensor_power(rho(g), k) @ basis.mT

    name = f"{'Sym' if sign > 0 else 'Alt'}{k}({rho.name})"
    return decompose(rho.group, power, name=name, degree=_degree(rho, k))


def _degree(rho: Representation, k: int) -> int | None:
    return None if rho.group.is_finite else k * rho.degree


def tensor_power(value: Tensor, k: int) -> Tensor:
    """The k-th Kronecker power of matrices ``(..., d, d)``."""
    out = value
    for _ in range(k - 1):
        out = torch.einsum("...ij,...kl->...ikjl", out, value).flatten(-4, -3).flatten(-2)
    return out


def induce(rho: Representation, group: Group) -> Representation:
    r"""The representation of ``group`` induced from rho of a subgroup H of finite index.

    .. math:: [\mathrm{Ind}\,\rho](g)_{ij} = \rho(r_i^{-1} g r_j) \text{ if } g r_j \in r_i H,
              \text{ else } 0

    Components are (coset, component of rho), cosets in the order of ``group.cosets``.
    """
    rho = check_rep(rho)
    subgroup = rho.group
    whole = cosets(check_group(group), subgroup)
    count, d = len(whole), rho.dim
    elements = group.order if isinstance(group, FiniteGroup) else 1
    check_memory(
        (count * d) ** 2 * elements, "rho", f"an induced representation of dimension {count * d}"
    )

    def induced(g: Tensor) -> Tensor:
        r = whole.representatives.to(g)
        flat = g.reshape(-1, group.n, group.n)
        out = g.new_zeros(len(flat), count, d, count, d)
        every = torch.arange(len(flat), device=g.device)
        for j in range(count):
            moved = flat @ r[j]
            i = whole.number(moved)
            out[every, i, :, j, :] = rho(r[i].mT @ moved)
        return out.reshape(*g.shape[:-2], count * d, count * d)

    degree = None if group.is_finite else rho.degree
    return decompose(group, induced, name=f"induced({subgroup.name},{rho.name})", degree=degree)


def _same_group(rhos: tuple[Representation, ...]) -> Group:
    if not rhos:
        raise ValueError("rhos: expected at least one representation, got none")
    for rho in rhos[1:]:
        if rho.group != rhos[0].group:
            raise ValueError(f"rhos: expected representations of {rhos[0].group}, got {rho!r}")
    return rhos[0].group
