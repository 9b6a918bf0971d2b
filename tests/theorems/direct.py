"""The oracles: what the theorems speak of, from the multiplication table and matrices alone.

A linear space that is invariant under a finite group is counted by averaging: the mean over the
group of a few random vectors more than the space has dimensions spans it, with probability one, so
that their rank is its dimension. If too few were drawn the rank would be their number.
"""

import functools
from collections.abc import Iterable

import torch
from torch import Tensor

from equinet.group import FiniteGroup, Section
from equinet.steerable import HomogeneousKernels

F64 = torch.float64
SPARE = 3  # vectors more than the dimension that is expected


def random(*size: int, seed: int = 0) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=F64)


def rank(vectors: Tensor) -> int:
    """The number of independent ones among ``(count, ...)``; the gap is ten orders wide."""
    flat = vectors.flatten(1)
    return int(_positive(flat @ flat.mT))


def block_ranks(kernels: Tensor, case: HomogeneousKernels) -> list[int]:
    """The rank of each block (rho2, rho1) of kernels ``(count, points, d2, d1)``, row by row."""
    grams = []
    for rows in kernels.split([rho.dim for _, rho in case.fibre_out.blocks], -2):
        for block in rows.split([rho.dim for _, rho in case.fibre_in.blocks], -1):
            flat = block.flatten(1)
            grams.append(flat @ flat.mT)
    return _positive(torch.stack(grams)).tolist()


def _positive(gram: Tensor) -> Tensor:
    """How many eigenvalues are not zero, in each of ``(..., count, count)``."""
    values = torch.linalg.eigvalsh(gram)
    return (values > 1e-10 * values[..., -1:].clamp_min(1e-10)).sum(-1)


@functools.lru_cache(512)
def values(rho) -> Tensor:
    """All matrices of a representation, ``(order, d, d)``."""
    return rho(rho.group.elements)


# Induced representations.


@functools.lru_cache(512)
def induced(section: Section, rho, numbers: tuple[int, ...]) -> Tensor:
    """Ind rho of some elements g: rho(s(x')^-1 g s(x)) where this is in H, else 0.

    Returns:
        ``(count, points * d, points * d)``.
    """
    G, H = section.group, section.subgroup
    inside = torch.full((G.order,), H.order)  # the last value is a matrix of zeros
    inside[G.index(H.elements)] = torch.arange(H.order)
    matrices = torch.cat([values(rho), torch.zeros(1, rho.dim, rho.dim, dtype=F64)])
    s = list(section.numbers)
    steps = G.table[G.inverse[s]][:, G.table[list(numbers)][:, s]]  # (x', g, x)
    return matrices[inside[steps]].permute(1, 0, 3, 2, 4).flatten(3).flatten(1, 2)


@functools.cache
def transversals(G: FiniteGroup) -> tuple[tuple[int, ...], ...]:
    """Representatives of K in K' for each step of a chain of subgroups from 1 to G.

    Every element of G is one product of representatives, one of each step, the last step's first:
    so the mean over G is the mean over one step after another.
    """
    reached, steps = torch.zeros(1, dtype=torch.long), []
    while len(reached) < G.order:
        inside = torch.zeros(G.order, dtype=torch.bool)
        inside[reached] = True
        new = int((~inside).nonzero()[0])
        chosen, cosets = [0], inside.clone()
        queue = [0]
        while queue:  # the cosets of K that products of ``new`` and elements of K reach
            r = queue.pop()
            for step in [new, *reached.tolist()]:
                moved = int(G.table[step, r])
                if not cosets[moved]:
                    cosets[G.table[moved, reached]] = True
                    chosen.append(moved)
                    queue.append(moved)
        steps.append(tuple(chosen))
        reached = cosets.nonzero()[:, 0]
    return tuple(steps)


def intertwiners(case: HomogeneousKernels, count: int) -> Tensor:
    """Random elements of Hom_G(Ind rho1, Ind rho2): means of random matrices over G."""
    into, out = case.section_in, case.section_out
    size1, size2 = len(into) * case.fibre_in.dim, len(out) * case.fibre_out.dim
    matrices = random(count, size2, size1)
    for step in transversals(case.group):
        left, right = induced(out, case.fibre_out, step), induced(into, case.fibre_in, step)
        total = torch.zeros_like(matrices)
        for a, b in zip(left, right, strict=True):
            total += a @ matrices @ b.mT
        matrices = total / len(step)
    return matrices


def point_pairs(matrices: Tensor, case: HomogeneousKernels) -> Tensor:
    """Matrices ``(count, points d2, points d1)`` as ``(count, pairs of points, d2, d1)``."""
    rows = matrices.unflatten(1, (len(case.section_out), -1))
    return rows.unflatten(3, (len(case.section_in), -1)).transpose(2, 3).flatten(1, 2)


# The three kernel spaces: means over the groups in their constraints, of orthogonal matrices.


def on_group(case: HomogeneousKernels, count: int) -> Tensor:
    """Random elements of K_G (T2), ``(count, |G|, d2, d1)``."""
    table, rho1, rho2 = case.group.table, case.fibre_in, case.fibre_out
    kernel = random(count, len(table), rho2.dim, rho1.dim)
    kernel = _mean(
        value.mT @ kernel[:, table[number]]  # of rho2(h)^-1 kappa(h g)
        for value, number in zip(values(rho2), _numbers(case, rho2), strict=True)
    )
    return _mean(
        kernel[:, table[:, number]] @ value.mT
        for value, number in zip(values(rho1), _numbers(case, rho1), strict=True)
    )


def on_points(case: HomogeneousKernels, count: int) -> Tensor:
    """Random elements of K_C (T3), ``(count, |G/H1|, d2, d1)``."""
    s, rho1, rho2 = case.section_in, case.fibre_in, case.fibre_out
    kernel = random(count, len(s), rho2.dim, rho1.dim)
    return _mean(
        value.mT @ kernel[:, s.moved[number]] @ values(rho1)[s.cocycle[number]]
        for value, number in zip(values(rho2), _numbers(case, rho2), strict=True)
    )


def on_double_cosets(case: HomogeneousKernels, count: int) -> Tensor:
    """Random elements of K_D (T4) at one point of each orbit of H2 on G/H1, as matrices.

    h is in the stabiliser of gamma H1 if the matrix gamma^-1 h gamma is an element of H1.
    """
    s, rho1, rho2 = case.section_in, case.fibre_in, case.fibre_out
    H1, H2 = rho1.group, rho2.group
    orbit = s.moved[_numbers(case, rho2)].amin(0)  # its first point, for each point
    found = []
    for x in orbit.unique().tolist():
        gamma = case.group.elements[s.numbers[x]]
        partners = gamma.mT @ H2.elements @ gamma
        stable = H1.mask(partners)
        left, right = values(rho2)[stable], values(rho1)[H1.index(partners[stable])]
        kernel = random(count, rho2.dim, rho1.dim, seed=x)
        found.append(_mean(a.mT @ kernel @ b for a, b in zip(left, right, strict=True)))
    return torch.stack(found, 1)


def _numbers(case: HomogeneousKernels, rho) -> list[int]:
    """The numbers in G of the elements of the subgroup that rho represents."""
    return case.group.index(rho.group.elements).tolist()


def _mean(tensors: Iterable[Tensor]) -> Tensor:
    found = list(tensors)
    return torch.stack(found).mean(0)


# The laws themselves.


@functools.lru_cache(512)
def _generators(G: FiniteGroup, rho) -> list[tuple[int, Tensor]]:
    """The generators of the subgroup that rho represents: their numbers in G, and matrices."""
    elements = rho.group.generators
    return list(zip(G.index(elements).tolist(), rho(elements), strict=True))


def violation(case: HomogeneousKernels, kernel: Tensor) -> float:
    """By how much kernels on G break (T2), for generators of both subgroups."""
    table, worst = case.group.table, 0.0
    for number, value in _generators(case.group, case.fibre_out):
        worst = max(worst, float((kernel[:, table[number]] - value @ kernel).abs().max()))
    for number, value in _generators(case.group, case.fibre_in):
        worst = max(worst, float((kernel[:, table[:, number]] - kernel @ value).abs().max()))
    return worst


def inequivariance(case: HomogeneousKernels, matrices: Tensor) -> float:
    """The largest entry of Ind rho2(g) M - M Ind rho1(g) over generators g of G."""
    numbers = tuple(case.group.index(case.group.generators).tolist())
    left = induced(case.section_out, case.fibre_out, numbers)
    right = induced(case.section_in, case.fibre_in, numbers)
    pairs = zip(left, right, strict=True)
    return max(float((a @ matrices - matrices @ b).abs().max()) for a, b in pairs)


def twisted_correlation(case: HomogeneousKernels, kernel: Tensor) -> Tensor:
    """The matrix of (T5) as it stands, from kernels on the points ``(count, |G/H1|, d2, d1)``."""
    s1, s2 = case.section_in, case.section_out
    twist = values(case.fibre_in)
    rows = []
    for number in s2.numbers:
        u = int(case.group.inverse[number])  # s2(x)^-1
        steps = case.group.table[u, list(s1.numbers)]  # s2(x)^-1 s1(y)
        rows.append(kernel[:, s1.moved[u]] @ twist[s1.remainder[steps]])
    blocks = torch.stack(rows, 1)  # (count, x, y, d2, d1)
    return blocks.transpose(2, 3).flatten(3).flatten(1, 2)
