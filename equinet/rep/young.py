r"""Young's orthogonal form of the irreps of S_n.

A standard tableau of a partition of n is a filling of its diagram with 0, ..., n - 1 that grows
along rows and columns. The tableaux are a basis of the irrep, in which the transposition of i and
i + 1 acts by

.. math:: s_i T = \tfrac1r\, T + \sqrt{1 - \tfrac1{r^2}}\; T', \qquad
          r = c_T(i + 1) - c_T(i)

where T' has i and i + 1 exchanged and c, the content of a cell, is its column minus its row.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from equinet.group import FiniteGroup

Partition = tuple[int, ...]


def is_symmetric(group: FiniteGroup) -> bool:
    """Whether the group consists of all permutation matrices of its size, at least two."""
    if group.n < 2 or group.order != math.factorial(group.n):
        return False
    entries = group.elements
    return bool(((entries.abs() < 1e-6) | ((entries - 1).abs() < 1e-6)).all())


def aliases(group: FiniteGroup) -> dict[str, str]:
    """The partitions that name irreps of S_2 and S_3, which are groups of the plane and space."""
    known = {2: {"[2]": "0e", "[1,1]": "0o"}, 3: {"[3]": "A1", "[2,1]": "E", "[1,1,1]": "A2"}}
    return known[group.n] if group.n in known and is_symmetric(group) else {}


def partitions(n: int, largest: int | None = None) -> Iterator[Partition]:
    """Partitions of n, the largest first: (3,), (2, 1), (1, 1, 1).

    Args:
        n: the sum.
        largest: of the parts; None for any.
    Returns:
        Each partition once, its parts from the largest on.
    """
    if n == 0:
        yield ()
    for first in range(min(n, largest or n), 0, -1):
        for rest in partitions(n - first, first):
            yield (first, *rest)


def _tableaux(shape: Partition) -> list[tuple[int, ...]]:
    """Standard tableaux, each as the row of 0, 1, ..., in the order of a dictionary."""
    found = [()]
    for _ in range(sum(shape)):
        longer = []
        for rows in found:
            for row, length in enumerate(shape):
                fits = rows.count(row) < length
                if fits and (row == 0 or rows.count(row) < rows.count(row - 1)):
                    longer.append((*rows, row))
        found = longer
    return found


def young_generators(shape: Partition) -> Tensor:
    """The matrices of the transpositions of 0 and 1, 1 and 2, ...: ``(n - 1, dim, dim)``."""
    tableaux = _tableaux(shape)
    number = {rows: i for i, rows in enumerate(tableaux)}
    out = torch.zeros(sum(shape) - 1, len(tableaux), len(tableaux), dtype=torch.float64)
    for i, rows in enumerate(tableaux):
        contents = [rows[:k].count(row) - row for k, row in enumerate(rows)]
        for k in range(len(rows) - 1):
            r = contents[k + 1] - contents[k]
            out[k, i, i] = 1 / r
            if abs(r) > 1:
                swapped = (*rows[:k], rows[k + 1], rows[k], *rows[k + 2 :])
                out[k, number[swapped], i] = math.sqrt(1 - 1 / r**2)
    return out


def young_tables(group: FiniteGroup) -> dict[str, Tensor]:
    """All irreps of S_n by partition, "[2,1]": matrices of its elements ``(order, dim, dim)``."""
    n = group.n
    swaps = torch.eye(n, dtype=torch.float64).repeat(n - 1, 1, 1)
    for i in range(n - 1):
        swaps[i, [i, i + 1]] = swaps[i, [i + 1, i]]
    shapes = list(partitions(n))
    generators = [young_generators(shape) for shape in shapes]
    tables = [
        torch.eye(g.shape[-1], dtype=torch.float64).repeat(group.order, 1, 1) for g in generators
    ]
    # Breadth first from the identity, each element one transposition after a known one.
    known = torch.zeros(group.order, dtype=torch.bool)
    known[0], new = True, torch.zeros(1, dtype=torch.long)
    while len(new):
        layer = []
        for i, swap in enumerate(swaps):
            products = group.index(swap @ group.elements[new])
            fresh = ~known[products]
            reached = products[fresh]
            for table, generator in zip(tables, generators, strict=True):
                table[reached] = generator[i] @ table[new[fresh]]
            known[reached] = True
            layer.append(reached)
        new = torch.cat(layer)
    names = ["[" + ",".join(map(str, shape)) + "]" for shape in shapes]
    return dict(zip(names, tables, strict=True))
