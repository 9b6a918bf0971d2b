r"""Products of irreps.

For SO(3) and O(3) the coefficients are in closed form, in e3nn's basis and signs. With complex
irreps they are integers under a root (Varshalovich et al. 1988, 8.2),

.. math:: \langle l_1 m_1 l_2 m_2 | l_3 m_3 \rangle = \left[
    \frac{\binom{2 l_1}{s_3} \binom{2 l_2}{s_3}}{\binom{s + 1}{s_3} \binom{2 l_1}{l_1 - m_1}
    \binom{2 l_2}{l_2 - m_2} \binom{2 l_3}{l_3 - m_3}} \right]^{1/2}
    \sum_k (-1)^k \binom{s_3}{k} \binom{s_2}{l_1 - m_1 - k} \binom{s_1}{l_2 + m_2 - k}
    \quad (C1)

with s = l_1 + l_2 + l_3 and s_i = s - 2 l_i. For all other groups they are found by averaging.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from equinet.group import O3, SO3, ProductGroup
from equinet.numerics import real_from_complex
from equinet.numerics.arguments import check_integer, check_memory
from equinet.numerics.cached import cached
from equinet.numerics.frozen import copied
from equinet.rep.irreducible import Irrep, irreps
from equinet.rep.representation import Representation, check_irrep
from equinet.rep.schur import averages, copies

Coupling = tuple[tuple[Irrep, Tensor], ...]


def wigner_3j(l1: int, l2: int, l3: int) -> Tensor:
    r"""The invariant tensor of D^l1 x D^l2 x D^l3 of norm 1, in e3nn's real basis and signs.

    .. math:: C_{ijk} = C_{i'j'k'} D^{l_1}_{i'i}(R) D^{l_2}_{j'j}(R) D^{l_3}_{k'k}(R)

    Returns:
        float64 ``(2 l1 + 1, 2 l2 + 1, 2 l3 + 1)``.
    Raises:
        ValueError: unless \|l1 - l2\| <= l3 <= l1 + l2.
    """
    for name, l in (("l1", l1), ("l2", l2), ("l3", l3)):
        check_integer(l, name, 0)
    if not abs(l1 - l2) <= l3 <= l1 + l2:
        raise ValueError(
            f"l3: expected {abs(l1 - l2)} to {l1 + l2}, the degrees in D^{l1} x D^{l2}, got {l3}"
        )
    size = (2 * l1 + 1) * (2 * l2 + 1) * (2 * l3 + 1) + (l1 + l2 + l3) ** 2  # and the binomials
    check_memory(size, "l1", f"a tensor of degrees {l1}, {l2} and {l3}")
    return _wigner_3j(l1, l2, l3).clone()


@cached()
def _wigner_3j(l1: int, l2: int, l3: int) -> Tensor:
    # One axis after the other, in NumPy: the matrices are tiny, and so must be what is done apart.
    c = np.tensordot(_to_real(l1).conj(), _complex_coefficients(l1, l2, l3), (1, 0))  # i b c
    c = np.tensordot(c, _to_real(l2).conj(), (1, 1))  # i c j
    c = np.real(np.tensordot(c, _to_real(l3), (1, 1)))  # the phases of the bases make it so
    return torch.from_numpy(np.ascontiguousarray(c / np.linalg.norm(c)))


@cached()
def _to_real(l: int) -> np.ndarray:
    """The complex basis in terms of the real one, with the phase that makes products real."""
    return ((-1j) ** l * real_from_complex(l)).numpy()


def _complex_coefficients(l1: int, l2: int, l3: int) -> np.ndarray:
    """The coefficients (C1), float64 ``(2 l1 + 1, 2 l2 + 1, 2 l3 + 1)``."""
    s = l1 + l2 + l3
    # Products of the three binomials are below 2^s; beyond int64 Python's own integers serve.
    binomial = _binomials(s + 2, np.int64 if s < 62 else object)
    s1, s2, s3 = s - 2 * l1, s - 2 * l2, s - 2 * l3
    m1 = np.arange(-l1, l1 + 1)[:, None]
    m2 = np.arange(-l2, l2 + 1)[None]
    m3 = m1 + m2
    total = np.zeros(m3.shape, dtype=binomial.dtype)
    for k in range(s3 + 1):
        a, b = l1 - m1 - k, l2 + m2 - k
        inside = (a >= 0) & (a <= s2) & (b >= 0) & (b <= s1)
        term = binomial[s2, a.clip(0, s2)] * binomial[s1, b.clip(0, s1)] * binomial[s3, k]
        total = total + (-1) ** k * np.where(inside, term, 0)
    allowed = np.abs(m3) <= l3
    # In floating point each binomial is rounded once; quotients first, so that nothing overflows.
    row1, row2, row3, last = (
        binomial[n].astype(np.float64) for n in (2 * l1, 2 * l2, 2 * l3, s + 1)
    )
    first = row1[s3] / row1[l1 - m1] / last[s3]
    root = np.sqrt(first) * np.sqrt(row2[s3] / row2[l2 - m2] / row3[(l3 - m3).clip(0, 2 * l3)])
    values = root * total.astype(np.float64) * allowed
    out = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l3 + 1))
    i, j = np.nonzero(allowed)
    out[i, j, (m3 + l3)[i, j]] = values[i, j]
    return out


@cached(8)
def _binomials(size: int, dtype: type) -> np.ndarray:
    return np.array([[math.comb(n, k) for k in range(size)] for n in range(size)], dtype=dtype)


def couple(psi1: Irrep | Representation, psi2: Irrep | Representation) -> Coupling:
    """The split of psi1 (x) psi2: each irrep in it with an isometry ``(d1 d2, d3)``.

    Raises:
        TypeError: if one is neither an irrep nor a representation that is one in its own basis.
        ValueError: if they are of two groups.
    """
    return copied(_couple(*_irreps_of_one_group(psi1, psi2)))


def _irreps_of_one_group(*psis: Irrep | Representation) -> list[Irrep]:
    """The irreps psi1, psi2, ...; an error that names the first that is none, or of another."""
    found = [check_irrep(psi, f"psi{i}") for i, psi in enumerate(psis, 1)]
    for i, psi in enumerate(found, 1):
        if psi.group != found[0].group:
            raise ValueError(
                f"psi{i}: expected an irrep of {found[0].group}, got {psi.name} of {psi.group}"
            )
    return found


@cached()
def _couple(psi1: Irrep, psi2: Irrep) -> Coupling:
    group = psi1.group
    if isinstance(group, SO3 | O3):
        degrees = range(abs(psi1.degree - psi2.degree), psi1.degree + psi2.degree + 1)
        suffix = "" if isinstance(group, SO3) else "eo"[psi1.name[-1] != psi2.name[-1]]
        return tuple(
            (
                Irrep(group, f"{l}{suffix}"),
                _wigner_3j(psi1.degree, psi2.degree, l).flatten(0, 1) * math.sqrt(2 * l + 1),
            )
            for l in degrees
        )

    degree = psi1.degree + psi2.degree
    haar = group.haar(2 * degree)
    values = [
        torch.einsum("gij,gkl->gikjl", psi1(g), psi2(g)).flatten(3).flatten(1, 2) for g, _ in haar
    ]
    found, room = [], psi1.dim * psi2.dim
    for psi in irreps(group, degree):
        if room and _occurs(psi, psi1, psi2):
            for a in copies(averages(psi, values, haar), psi.endomorphisms):
                found.append((psi, a))
                room -= psi.dim
    return tuple(found)


def _occurs(psi: Irrep, psi1: Irrep, psi2: Irrep) -> bool:
    """Whether psi is in the product, by characters."""
    if isinstance(psi.group, ProductGroup):
        return True  # maybe: a grid of a product is large
    degree = 2 * (psi1.degree + psi2.degree)
    x, x1, x2 = (_characters(p, degree) for p in (psi, psi1, psi2))
    return bool((psi.group.grid(degree)[1] * x * x1 * x2).sum() > 0.5)


@cached(4096)
def _characters(psi: Irrep, degree: int) -> Tensor:
    return psi.character(psi.group.grid(degree)[0])


def clebsch_gordan(
    psi1: Irrep | Representation, psi2: Irrep | Representation, psi3: Irrep | Representation
) -> Tensor:
    r"""All invariant tensors of psi1 x psi2 x psi3, that is, all maps psi1 (x) psi2 -> psi3.

    .. math:: C_{ijk} = C_{i'j'k'}\, \psi_1(g)_{i'i}\, \psi_2(g)_{j'j}\, \psi_3(g)_{k'k}

    Args:
        psi1: an irrep, as ``irreps`` gives it, or a representation that is one, as ``irrep`` does.
        psi2: likewise.
        psi3: likewise.
    Returns:
        float64 ``(count, d1, d2, d3)``, orthonormal: each has norm 1. For SO(3) and O(3) there is
        at most one, with e3nn's signs. For other groups there may be several, of irreps that are
        not of real type dim End(psi3) for each copy of psi3 in the product.

    Raises:
        TypeError: if one is neither.
        ValueError: if they are of different groups.

    Example:
        >>> from equinet.group import octahedral
        >>> from equinet.rep import irreps
        >>> a1, a2, e, t1, t2 = irreps(octahedral())
        >>> clebsch_gordan(t1, t1, e).shape
        torch.Size([1, 3, 3, 2])
    """
    return _clebsch_gordan(*_irreps_of_one_group(psi1, psi2, psi3)).clone()


@cached()
def _clebsch_gordan(psi1: Irrep, psi2: Irrep, psi3: Irrep) -> Tensor:
    maps = [a @ end for psi, a in _couple(psi1, psi2) if psi == psi3 for end in psi3.endomorphisms]
    if not maps:
        return torch.zeros(0, psi1.dim, psi2.dim, psi3.dim, dtype=torch.float64)
    return (torch.stack(maps) / math.sqrt(psi3.dim)).unflatten(1, (psi1.dim, psi2.dim))
