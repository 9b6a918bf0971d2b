"""The cases of the theorems: finite groups, pairs of their subgroups, pairs of representations.

Cases are named by integers, so that nothing is computed before a test runs: subgroups are numbered
as in ``subgroup_classes``. Sections are drawn at random, that no test leans on a canonical one.
"""

import functools
import math
from typing import NamedTuple

import torch
from torch import Tensor

from equinet.group import (
    FiniteGroup,
    Section,
    alternating,
    dihedral,
    generate,
    icosahedral,
    octahedral,
    semidirect_product,
    subgroup_classes,
    symmetric,
)
from equinet.group.product import block_diagonal
from equinet.rep import Fibre, Representation, irreps, quotient, regular
from equinet.steerable import HomogeneousKernels

F64 = torch.float64


def torus_group(size: int) -> FiniteGroup:
    """p4m on the periodic lattice: Z_size^2 x| D_4, translations as pairs of cyclic shifts."""
    one = torch.eye(size, dtype=F64)
    shifts = torch.stack([one.roll(k, 0) for k in range(size)])
    steps = torch.stack([block_diagonal([shifts[1], one]), block_diagonal([one, shifts[1]])])
    translations = generate(steps, f"Z{size}^2")

    def turn(h: Tensor, t: Tensor) -> Tensor:
        by = torch.stack([t[:, :size, 0].argmax(-1), t[:, size:, size].argmax(-1)], -1)
        moved = (by.to(h) @ h.mT).round().long() % size
        return block_diagonal([shifts[moved[:, 0]], shifts[moved[:, 1]]])

    return semidirect_product(translations, dihedral(4), turn)


def quaternion_group(*units: tuple[float, float, float, float]) -> FiniteGroup:
    """A group of unit quaternions, acting on R^4 from the left: its faithful irrep is like that."""

    def left(a: float, b: float, c: float, d: float) -> Tensor:
        rows = [[a, -b, -c, -d], [b, a, -d, c], [c, d, a, -b], [d, -c, b, a]]
        return torch.tensor(rows, dtype=F64)

    return generate(torch.stack([left(*unit) for unit in units]))


def _dicyclic(n: int) -> FiniteGroup:
    angle = math.pi / n
    return quaternion_group((math.cos(angle), math.sin(angle), 0, 0), (0, 0, 1, 0))


_MAKERS = {
    "S4": lambda: symmetric(4),
    "A5": lambda: alternating(5),
    "S5": lambda: symmetric(5),
    "O": octahedral,
    "I": icosahedral,
    "Z2^2 x| D4": lambda: torus_group(2),
    "Z3^2 x| D4": lambda: torus_group(3),
    "Q8": lambda: _dicyclic(2),
    "Dic3": lambda: _dicyclic(3),
    "2T": lambda: quaternion_group((0, 1, 0, 0), (0.5, 0.5, 0.5, 0.5)),
}

# The order of each group and its number of classes of conjugate subgroups, for all but p4m the size
# of the published table of marks.
ORDERS = {
    "S4": (24, 11), "A5": (60, 9), "S5": (120, 19), "O": (24, 11), "I": (60, 9),
    "Z2^2 x| D4": (32, 65), "Z3^2 x| D4": (72, 26), "Q8": (8, 6), "Dic3": (12, 6), "2T": (24, 7),
}  # fmt: skip

# Of the larger groups every so many pairs of subgroups are taken.
_STRIDES = {
    "S4": 2, "A5": 3, "S5": 8, "O": 3, "I": 4, "Z2^2 x| D4": 61, "Z3^2 x| D4": 17,
}  # fmt: skip

# Of these pairs the gate takes fewer of most groups; the others are slow.
_GATE = {"S4": 4, "A5": 6, "S5": 16, "O": 6, "I": 8, "Q8": 3, "Dic3": 3, "2T": 3}


@functools.cache
def group(name: str) -> FiniteGroup:
    return _MAKERS[name]().renamed(name)


class Pair(NamedTuple):
    """A group and the numbers of the subgroups H1 and H2, of the input and of the output."""

    group: str
    first: int
    second: int

    def __str__(self) -> str:
        return f"{self.group}-H{self.first}-H{self.second}"


def _pairs(strides: dict[str, int]) -> list[Pair]:
    found = []
    for name, (_, classes) in ORDERS.items():
        stride = strides.get(name, 1)
        # 5 i + j runs through all remainders along rows and along columns.
        found += [
            Pair(name, i, j)
            for i in range(classes)
            for j in range(classes)
            if (5 * i + j) % stride == 0
        ]
    return found


PAIRS = _pairs(_STRIDES)
GATE = _pairs(_STRIDES | _GATE)


@functools.cache
def subgroup(name: str, number: int) -> FiniteGroup:
    return subgroup_classes(group(name))[number].renamed(f"H{number}")


@functools.cache
def section(name: str, number: int, seed: int = 0) -> Section:
    """A section with random elements s(x) and points in random order; s(H) = 1."""
    G, H = group(name), subgroup(name, number)
    generator = torch.Generator().manual_seed(1000 * number + seed)
    inclusion = G.index(H.elements)
    seen = torch.zeros(G.order, dtype=torch.bool)
    seen[inclusion] = True
    numbers = [0]
    for g in torch.randperm(G.order, generator=generator).tolist():
        if not seen[g]:
            numbers.append(g)
            seen[G.table[g, inclusion]] = True
    order = torch.randperm(len(numbers), generator=generator).tolist()
    return Section(G, H, tuple(numbers[i] for i in order))


@functools.cache
def fibre(name: str, number: int, reducible: bool) -> Fibre:
    """Every irrep of a subgroup once, then, if asked for, its regular and a quotient."""
    H = subgroup(name, number)
    rhos = [Representation(H, psi.name, (psi,)) for psi in irreps(H)]
    if reducible and H.order > 1:
        rhos += [regular(H), quotient(H, subgroup_classes(H)[1])]
    return Fibre(tuple((1, rho) for rho in rhos))


@functools.lru_cache(8)
def kernels(pair: Pair) -> HomogeneousKernels:
    """The kernels between these fibres, each of whose blocks is a case of its own."""
    name, first, second = pair
    sections = section(name, first), section(name, second)
    return HomogeneousKernels(*sections, *_fibres(pair))


def blocks(pair: Pair) -> list[tuple[Representation, Representation]]:
    """The pairs (rho2, rho1) of blocks, row by row: the cases."""
    ins, outs = _fibres(pair)
    return [(rho2, rho1) for _, rho2 in outs.blocks for _, rho1 in ins.blocks]


def _fibres(pair: Pair) -> tuple[Fibre, Fibre]:
    name, first, second = pair
    orders = subgroup(name, first).order, subgroup(name, second).order
    reducible = group(name).order <= 60 and max(orders) <= 12 and (first + 2 * second) % 5 == 0
    return fibre(name, first, reducible), fibre(name, second, reducible)
