"""Clouds of every kind, and their neighbours found by trying all images."""

from dataclasses import dataclass

import torch
from torch import Tensor

SKEW = [[3.0, 0.0, 0.0], [1.2, 2.7, 0.0], [-0.6, 0.9, 3.6]]


@dataclass(frozen=True)
class Case:
    """Points in a cell, some of them outside of it.

    Attributes:
        name: what is special.
        cell: a list of rows; None in open space.
        pbc: for each axis whether it repeats.
        radius: the largest distance.
        count: of points.
    """

    name: str
    cell: list[list[float]] | None
    pbc: tuple[bool, ...]
    radius: float
    count: int = 5

    def __str__(self) -> str:
        return self.name

    def points(self, generator: torch.Generator) -> Tensor:
        n = len(self.pbc)
        return 6 * torch.rand(self.count, n, generator=generator, dtype=torch.float64) - 2

    def options(self) -> dict:
        if self.cell is None:
            return {}
        return {"cell": torch.tensor(self.cell, dtype=torch.float64), "pbc": self.pbc}


CASES = [
    Case("open", None, (False,) * 3, 1.9, 80),
    Case("open plane", None, (False,) * 2, 1.0, 70),
    Case("crystal", SKEW, (True,) * 3, 1.3),
    Case("small cell", SKEW, (True,) * 3, 5.0, 3),
    Case("slab", SKEW, (True, True, False), 2.5),
    Case("slab without a third vector", [*SKEW[:2], [0.0] * 3], (True, True, False), 2.5),
    Case("slab along other axes", [SKEW[0], SKEW[0], SKEW[2]], (True, False, True), 2.5),
    Case("wire", [[0.0] * 3, SKEW[1], [0.0] * 3], (False, True, False), 4.0),
    Case("no axis", SKEW, (False,) * 3, 2.0, 70),
    Case("plane", [[2.0, 0.5], [0.0, 1.5]], (True, True), 2.1),
    Case("strip", [[2.0, 0.5], [0.0, 0.0]], (True, False), 2.1),
    Case("line", [[1.0]], (True,), 2.5),
    Case("at the radius", [[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]], (True,) * 3, 1.0, 1),
]


def neighbours(case: Case, x: Tensor, far: int = 9, loop: bool = False) -> list[tuple[int, ...]]:
    """All (i, j, *s), sorted, with |x_j - x_i + s cell| at most the radius."""
    n = x.shape[1]
    cell = torch.zeros(n, n, dtype=x.dtype) if case.cell is None else case.options()["cell"]
    axes = [torch.arange(-far, far + 1) if repeats else torch.tensor([0]) for repeats in case.pbc]
    steps = torch.cartesian_prod(*axes).reshape(-1, n).to(x)
    vectors = x + (steps @ cell)[:, None, None] - x[:, None]  # (s, i, j)
    near = vectors.norm(dim=-1) <= case.radius
    found = [(i, j, *steps[s].long().tolist()) for s, i, j in near.nonzero().tolist()]
    return sorted(edge for edge in found if edge[0] != edge[1] or any(edge[2:]) or loop)
