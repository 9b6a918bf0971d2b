"""The vector space in which a field has its values. Before: ``named``. Next: ``cartesian``."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from equinet.group import Group
from equinet.group.product import block_diagonal
from equinet.rep.irreps import Irrep
from equinet.rep.representation import Representation

Block = tuple[int, Representation]


@dataclass(frozen=True)
class Fibre:
    """The vector space in which a field has its values: copies of representations of one group.

    Attributes:
        blocks: (multiplicity, representation) in order; a block is copy-major.
    """

    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        if not self.blocks:
            raise ValueError("blocks: expected at least one (multiplicity, representation)")
        for mul, rho in self.blocks:
            if not isinstance(mul, int) or isinstance(mul, bool) or mul < 1:
                raise ValueError(f"multiplicity: expected an integer >= 1, got {mul!r}")
            if rho.group != self.group:
                raise ValueError(f"blocks: expected representations of {self.group}, got {rho!r}")

    @property
    def group(self) -> Group:
        """H."""
        return self.blocks[0][1].group

    @property
    def dim(self) -> int:
        return sum(mul * rho.dim for mul, rho in self.blocks)

    def __call__(self, g: Tensor) -> Tensor:
        """The action on all components, block diagonal, ``(..., dim, dim)``."""
        return block_diagonal([value for mul, rho in self.blocks for value in [rho(g)] * mul])

    @property
    def counts(self) -> dict[Irrep, int]:
        """How often each irrep occurs."""
        found: dict[Irrep, int] = {}
        for mul, rho in self.blocks:
            for psi, count in rho.multiplicities.items():
                found[psi] = found.get(psi, 0) + mul * count
        return found

    @functools.cached_property
    def order(self) -> Tensor | None:
        """Where each component in the basis of irreps is found if equal irreps stand together.

        Components of ``sorted[..., order]`` are those of the fibre, up to the Q of the blocks; None
        if they stand together already.
        """
        rows: dict[Irrep, list[int]] = {psi: [] for psi in self.counts}
        start = 0
        for mul, rho in self.blocks:
            for _ in range(mul):
                for psi in rho.constituents:
                    rows[psi] += range(start, start + psi.dim)
                    start += psi.dim
        order = torch.tensor([i for members in rows.values() for i in members]).argsort()
        return None if torch.equal(order, torch.arange(len(order))) else order

    def change_basis(self, x: Tensor, axis: int, *, inverse: bool = False) -> Tensor:
        """Q, or Q^-1 from the right, along one axis of ``x``; every copy of a block alike."""
        if all(rho.Q is None for _, rho in self.blocks):
            return x
        parts = x.split([mul * rho.dim for mul, rho in self.blocks], axis)
        return torch.cat(
            [
                _change(part, axis, mul, rho, inverse)
                for part, (mul, rho) in zip(parts, self.blocks, strict=True)
            ],
            axis,
        )


def _change(x: Tensor, axis: int, mul: int, rho: Representation, inverse: bool) -> Tensor:
    matrix = rho.inverse_Q if inverse else rho.Q
    if matrix is None:
        return x
    matrix = matrix.to(x) if inverse else matrix.mT.to(x)  # acts on the last axis, from the right
    rows = x.movedim(axis, -1).unflatten(-1, (mul, rho.dim))
    return (rows @ matrix).flatten(-2).movedim(-1, axis)


def fibre(blocks: Representation | Iterable[Block]) -> Fibre:
    """The fibre of a field type's blocks, or of one representation."""
    if isinstance(blocks, Representation):
        return Fibre(((1, blocks),))
    return Fibre(tuple(blocks))
