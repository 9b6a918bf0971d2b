"""The vector space in which a field has its values."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from equinet.group import Group
from equinet.group.product import block_diagonal
from equinet.numerics.arguments import check_integer
from equinet.numerics.cached import on_cpu
from equinet.rep.irreducible import Irrep
from equinet.rep.representation import Representation, check_rep

Block = tuple[int, Representation]


@dataclass(frozen=True)
class Fibre:
    """The vector space in which a field has its values: copies of representations of one group.

    Attributes:
        blocks: (multiplicity, representation) in order; a block is copy-major.
    """

    blocks: tuple[Block, ...]

    @on_cpu
    def __post_init__(self) -> None:
        if not isinstance(self.blocks, tuple | list):
            raise TypeError(f"blocks: expected pairs, got {type(self.blocks).__name__}")
        if not self.blocks:
            raise ValueError("blocks: expected at least one (multiplicity, representation)")
        blocks = []
        for block in self.blocks:
            if not isinstance(block, tuple | list) or len(block) != 2:
                raise TypeError(
                    f"blocks: expected pairs (multiplicity, representation), got {block!r}"
                )
            check_integer(block[0], "multiplicity", 1)
            blocks.append((block[0], check_rep(block[1], "blocks")))
        object.__setattr__(self, "blocks", tuple(blocks))
        for _, rho in self.blocks:
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
    @on_cpu
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

    @functools.cached_property
    @on_cpu
    def invariants(self) -> Tensor:
        """The vectors that the group leaves alone, as columns, float64 ``(dim, count)``.

        Each lies in one copy of a block, with root mean square 1 over the components of that copy:
        for a trivial block it is 1, for functions on the group the constant function.
        """
        columns, start = [], 0
        for mul, rho in self.blocks:
            within = _invariants(rho)
            for _ in range(mul):
                column = torch.zeros(self.dim, within.shape[1], dtype=torch.float64)
                column[start : start + rho.dim] = within
                columns.append(column)
                start += rho.dim
        return torch.cat(columns, 1)

    def matrices(self, *, inverse: bool = False) -> list[Tensor | None]:
        """Q or Q^-1 of each block, None where it is the identity."""
        return [rho.inverse_Q if inverse else rho.Q for _, rho in self.blocks]

    def change_basis(self, x: Tensor, axis: int, *, inverse: bool = False) -> Tensor:
        """Q, or Q^-1 from the right, along one axis of ``x``; every copy of a block alike."""
        sizes = [(mul, rho.dim) for mul, rho in self.blocks]
        return change_blocks(x, axis, sizes, self.matrices(inverse=inverse), inverse=inverse)


def _invariants(rho: Representation) -> Tensor:
    """The columns of Q that belong to trivial irreps."""
    basis = torch.eye(rho.dim, dtype=torch.float64) if rho.Q is None else rho.Q
    starts, start = [], 0
    for psi in rho.constituents:
        if psi.is_trivial:
            starts.append(start)
        start += psi.dim
    columns = basis[:, starts]
    return columns * (rho.dim**0.5 / columns.norm(dim=0))


def change_blocks(
    x: Tensor,
    axis: int,
    sizes: Sequence[tuple[int, int]],
    matrices: Sequence[Tensor | None],
    *,
    inverse: bool,
) -> Tensor:
    """Matrices on the blocks along one axis, from the left, or inverse ones from the right.

    Args:
        x: has sum of multiplicity times dimension entries along ``axis``.
        axis: of the blocks.
        sizes: (multiplicity, dimension) of each block.
        matrices: one for each block, ``(dim, dim)``, or None for the identity.
        inverse: whether they stand on the right.
    """
    if all(matrix is None for matrix in matrices):
        return x
    parts = []
    split = x.split([mul * dim for mul, dim in sizes], axis)
    for part, (mul, dim), matrix in zip(split, sizes, matrices, strict=True):
        if matrix is not None:
            matrix = matrix.to(x) if inverse else matrix.mT.to(x)
            rows = part.movedim(axis, -1).unflatten(-1, (mul, dim))
            part = (rows @ matrix).flatten(-2).movedim(-1, axis)
        parts.append(part)
    return torch.cat(parts, axis)


def fibre(blocks: Irrep | Representation | Iterable[Block]) -> Fibre:
    """The fibre of a field type's blocks, or of one representation.

    Raises:
        TypeError: if they are neither.
        ValueError: if there are none, or some of several groups.
    """
    if isinstance(blocks, Irrep | Representation):
        return Fibre(((1, check_rep(blocks)),))
    if not isinstance(blocks, Iterable) or isinstance(blocks, str):
        raise TypeError(
            "blocks: expected a representation or pairs (multiplicity, representation), got "
            f"{type(blocks).__name__}"
        )
    return Fibre(tuple(blocks))
