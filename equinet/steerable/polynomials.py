r"""Equivariant polynomials, the maps that are not linear but in the powers of a vector.

.. math:: P(\rho(h) x) = \psi(h) P(x), \qquad
          P \in \bigoplus_{\nu \ge 1} \mathrm{Hom}_H(\mathrm{Sym}^\nu V, \psi) \quad (K8)

Every one of degree nu is a sum of products of those of degree nu - 1 with x, coupled by
``rep.clebsch_gordan``: so all are found degree by degree, on the monomials, and what is not
independent is left out.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from equinet.numerics.arguments import check_memory
from equinet.numerics.cached import cached, on_cpu
from equinet.numerics.subspace import independent
from equinet.rep import Irrep, clebsch_gordan, couple

Monomial = tuple[int, ...]  # numbers of the variables, ascending


def monomials(dim: int, degree: int) -> list[Monomial]:
    """All monomials of one degree in ``dim`` variables, in the order of a dictionary."""
    return list(itertools.combinations_with_replacement(range(dim), degree))


@cached(64)
def equivariant_polynomials(
    psis: tuple[Irrep, ...], outs: tuple[Irrep, ...], order: int
) -> tuple[Tensor, ...]:
    """A basis of the equivariant polynomials (K8) of degrees 1 to ``order``.

    The symmetric tensors of those of one degree are orthonormal.

    Args:
        psis: whose sum is V, each once.
        outs: where the polynomials lead.
        order: the largest degree.
    Returns:
        For each irrep of ``outs`` the coefficients of the monomials, by degree and then by
        dictionary, float64 ``(polynomials, dim, monomials)``.
    Raises:
        ValueError: if the products among which they are found do not fit into memory.
    """
    dim = sum(psi.dim for psi in psis)
    for degree in range(2, order):  # those to all irreps; of the last degree ``_next`` knows better
        few, many = (math.comb(dim + nu - 1, nu) for nu in (degree - 1, degree))
        check_memory(dim * few * many, "order", f"products of degree {degree} of {dim} variables")
    starts = list(itertools.accumulate([psi.dim for psi in psis], initial=0))
    rows: list[list[Tensor]] = [[] for _ in outs]
    sizes = [len(monomials(dim, degree)) for degree in range(1, order + 1)]
    found = {
        psi: F.pad(psi.endomorphisms / math.sqrt(psi.dim), (start, dim - start - psi.dim))
        for psi, start in zip(psis, starts, strict=False)
    }
    for degree in range(1, order + 1):
        if degree > 1:
            found = _next(found, psis, outs if degree == order else None, dim, degree)
        before, after = sum(sizes[: degree - 1]), sum(sizes[degree:])
        for own, out in zip(rows, outs, strict=True):
            if out in found:
                own.append(F.pad(found[out], (before, after)))
    return tuple(
        torch.cat(own) if own else torch.zeros(0, out.dim, sum(sizes), dtype=torch.float64)
        for own, out in zip(rows, outs, strict=True)
    )


def _next(
    found: dict[Irrep, Tensor],
    psis: tuple[Irrep, ...],
    outs: tuple[Irrep, ...] | None,
    dim: int,
    degree: int,
) -> dict[Irrep, Tensor]:
    """The polynomials of a degree to ``outs``, or to all irreps, from those of one degree less."""
    names = monomials(dim, degree)
    number = {name: i for i, name in enumerate(names)}
    times = torch.tensor(
        [
            [number[tuple(sorted((*name, i)))] for name in monomials(dim, degree - 1)]
            for i in range(dim)
        ]
    )
    # The norm of a symmetric tensor is that of its polynomial, with alpha! / degree! a monomial.
    norms = torch.tensor([_norm(name) for name in names], dtype=torch.float64)
    targets = outs or dict.fromkeys(
        out for psi, chi in itertools.product(found, psis) for out, _ in couple(psi, chi)
    )
    result = {}
    for out in targets:
        pairs = [
            (basis, len(clebsch_gordan(psi, chi, out)))
            for chi, (psi, basis) in itertools.product(psis, found.items())
        ]
        products = sum(len(basis) * ways for basis, ways in pairs) * out.dim * len(names)
        check_memory(products, "order", f"products of degree {degree} to {out.name}")
        basis = _independent(out, found, psis, times, norms)
        for _ in range(2):  # once more: the rounding of the first pass does not add up
            one = math.sqrt(out.dim) * basis[:, 0]
            triangle = torch.linalg.cholesky(one @ one.mT)
            flat = torch.linalg.solve_triangular(triangle, basis.flatten(1), upper=False)
            basis = flat.view_as(basis)
        if len(basis):
            result[out] = basis / norms
    return result


def _independent(
    out: Irrep,
    below: dict[Irrep, Tensor],
    psis: tuple[Irrep, ...],
    times: Tensor,
    norms: Tensor,
) -> Tensor:
    """Products of polynomials with x, coupled to ``out``, that span all of them.

    The inner product of equivariant maps to an irrep is the same in each of its components, as
    their P Q^T is a multiple of 1, or that and an antisymmetric part: the first one tells all.
    """
    starts = itertools.accumulate([chi.dim for chi in psis], initial=0)
    pairs = [
        (clebsch_gordan(psi, chi, out), basis, times[start : start + chi.dim].flatten())
        for chi, start in zip(psis, starts, strict=False)
        for psi, basis in below.items()
    ]

    def products(c: Tensor, basis: Tensor, index: Tensor) -> Tensor:
        terms = torch.einsum("qaid,pam->qpdim", c, basis).flatten(3).flatten(0, 1)
        product = terms.new_zeros(*terms.shape[:2], len(norms))
        return product.index_add(2, index, terms) * norms

    pairs = [pair for pair in pairs if len(pair[0])]
    if not pairs:
        return norms.new_zeros(0, out.dim, len(norms))
    first = [products(c[..., :1], basis, index)[:, 0] for c, basis, index in pairs]
    kept, start, found = independent(math.sqrt(out.dim) * torch.cat(first)), 0, []
    for pair, own in zip(pairs, first, strict=True):
        numbers = [i - start for i in kept if start <= i < start + len(own)]
        found.append(products(*pair)[numbers])
        start += len(own)
    return torch.cat(found)


def _norm(name: Monomial) -> float:
    return math.sqrt(_factorials(name) / math.factorial(len(name)))


def _factorials(name: Monomial) -> int:
    """Alpha!, the product of the factorials of the exponents."""
    return math.prod(math.factorial(name.count(i)) for i in set(name))


def mean_squares(polynomials: Tensor, dim: int, order: int) -> Tensor:
    r"""E \|P(x)\|^2 for normal x of variance 1, from the expansion in Hermite polynomials.

    .. math:: E |P|^2 = \sum_j \Bigl\| \frac{\Delta^j P}{2^j j!} \Bigr\|^2, \qquad
              \Bigl\| \sum_\alpha c_\alpha x^\alpha \Bigr\|^2 = \sum_\alpha \alpha!\, c_\alpha^2

    Args:
        polynomials: homogeneous, by their coefficients as of ``equivariant_polynomials``.
        dim: number of variables.
        order: the largest degree.
    Returns:
        ``(polynomials,)``.
    """
    names = [name for degree in range(order + 1) for name in monomials(dim, degree)]
    number = {name: i for i, name in enumerate(names)}
    second = [  # derivatives: of which monomial, to which, and the factor
        (number[name], number[_without_two(name, i)], count * (count - 1))
        for name in names
        for i in set(name)
        if (count := name.count(i)) > 1
    ]
    source, target, factor = torch.tensor(second or [(0, 0, 0)]).T
    weights = torch.tensor([_factorials(name) for name in names], dtype=torch.float64)
    p = F.pad(polynomials, (1, 0))  # the constant is a monomial too
    total = p.new_zeros(len(p))
    for j in range(order // 2 + 1):
        total += (p.square() * weights).sum((1, 2)) / (2**j * math.factorial(j)) ** 2
        p = torch.zeros_like(p).index_add(2, target, p[..., source] * factor)
    return total


def _without_two(name: Monomial, i: int) -> Monomial:
    start = name.index(i)
    return name[:start] + name[start + 2 :]


def _character(psis: tuple[Irrep, ...], g: Tensor) -> Tensor:
    return torch.stack([psi.character(g) for psi in psis]).sum(0)


def _powers(psis: tuple[Irrep, ...], g: Tensor, order: int) -> list[Tensor]:
    r"""The characters of Sym^nu V to an order, h_nu = 1 / nu \sum_i chi_V(g^i) h_{nu - i}."""
    moved = [torch.linalg.matrix_power(g, i) for i in range(1, order + 1)]
    sums = [_character(psis, power) for power in moved]
    h = [torch.ones(len(g), dtype=torch.float64)]
    for degree in range(1, order + 1):
        terms = [sums[i] * h[degree - 1 - i] for i in range(degree)]
        h.append(torch.stack(terms).sum(0) / degree)
    return h


@dataclass(frozen=True)
class SymmetricMaps:
    """All equivariant polynomials between two sums of irreps, counted by characters.

    Attributes:
        psis: whose sum the polynomials start from.
        outs: where they lead.
        order: the largest degree; the smallest is 1.
        filters: how many times there are all of them.
    """

    psis: tuple[Irrep, ...]
    outs: tuple[Irrep, ...]
    order: int
    filters: int = 1

    @property
    @on_cpu
    def dim(self) -> int:
        """The mean of chi_{Sym^nu V} chi_out, summed over the degrees nu."""
        degrees = [max(psi.degree for psi in some) for some in (self.psis, self.outs)]
        g, weights = self.psis[0].group.grid(self.order * degrees[0] + degrees[1])
        h = torch.stack(_powers(self.psis, g, self.order)[1:]).sum(0)
        return self.filters * round(float(weights @ (h * _character(self.outs, g))))
