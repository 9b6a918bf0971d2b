"""The vector space in which a field has its values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from equinet.group import Group
from equinet.group.product import block_diagonal
from equinet.numerics.arguments import check_integer
from equinet.numerics.cached import on_cpu
from equinet.numerics.deprecation import warn_renamed
from equinet.numerics.frozen import constant
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

    @constant
    def permutation(self) -> Tensor | None:
        """From components with equal irreps side by side to those of the blocks.

        If ``grouped`` has all copies of the first irrep of ``counts``, then those of the second and
        so on, then ``grouped[..., permutation]`` has them block by block, in the bases of irreps.

        Returns:
            int64 ``(dim,)``; None if equal irreps stand together already.
        """
        psis = [psi for mul, rho in self.blocks for psi in rho.constituents * mul]
        order = torch.tensor(_grouped(psis, self.counts)).argsort()
        return None if torch.equal(order, torch.arange(len(order))) else order

    @property
    def order(self) -> Tensor | None:
        """The former name of ``permutation``."""
        warn_renamed("Fibre.order", "Fibre.permutation")
        return self.permutation

    @constant
    def invariants(self) -> Tensor:
        """The vectors that the group leaves alone, as columns.

        Each lies in one copy of a block, with root mean square 1 over the components of that copy:
        for a trivial block it is 1, for functions on the group the constant function.

        Returns:
            float64 ``(dim, count)``.
        """
        return torch.block_diag(*self._per_copy(_invariants))

    @constant
    def coefficients(self) -> Tensor:
        r"""What takes a vector to the coefficients of the part of it that the group leaves alone.

        .. math:: W V = 1, \qquad V W = \int_H \rho(h)\, dh

        with the ``invariants`` V, so V W is the projector on them along all other irreps.

        Returns:
            W, float64 ``(count, dim)``.
        """
        return torch.block_diag(*self._per_copy(_coefficients))

    def _per_copy(self, function: Callable[[Representation], Tensor]) -> list[Tensor]:
        """Something of the representation of each block, once for each copy."""
        return [value for mul, rho in self.blocks for value in [function(rho)] * mul]

    def matrices(self, *, inverse: bool = False, grouped: bool = False) -> list[Tensor | None]:
        """The change of basis of each block, which every copy of it shares.

        Args:
            inverse: Q^-1, from the components to those in the basis of irreps, instead of Q.
            grouped: equal irreps of a block stand together in the basis of irreps, in the order of
                ``counts``, instead of in the order of the representation.
        Returns:
            One matrix for each block, float64 ``(dim, dim)``; None where it is the identity.
        """
        kinds, found = self.counts, []
        for _, rho in self.blocks:
            matrix = rho.inverse_Q if inverse else rho.Q
            order = _grouped(rho.constituents, kinds)
            if grouped and order != list(range(rho.dim)):
                matrix = torch.eye(rho.dim, dtype=torch.float64) if matrix is None else matrix
                matrix = matrix[order] if inverse else matrix[:, order]
            found.append(matrix)
        return found

    def change_basis(self, x: Tensor, axis: int, *, inverse: bool = False) -> Tensor:
        """Q from the left, or Q^-1 from the right, along one axis; every copy of a block alike.

        Args:
            x: has ``dim`` entries along ``axis``.
            axis: of the components.
            inverse: x Q^-1 instead of Q x.
        Returns:
            As ``x``; ``x`` itself where nothing changes.
        """
        sizes = [(mul, rho.dim) for mul, rho in self.blocks]
        matrices = self.matrices(inverse=inverse)
        if inverse:
            matrices = [None if matrix is None else matrix.mT for matrix in matrices]
        return change_blocks(x, axis, sizes, matrices)


def _grouped(psis: Iterable[Irrep], kinds: Iterable[Irrep]) -> list[int]:
    """Where the components of the irreps are if equal ones stand together, in the order of kinds.

    Args:
        psis: irreps, one after the other.
        kinds: all that are among them, once each.
    """
    rows: dict[Irrep, list[int]] = {psi: [] for psi in kinds}
    start = 0
    for psi in psis:
        rows[psi] += range(start, start + psi.dim)
        start += psi.dim
    return [i for members in rows.values() for i in members]


def _trivial_components(rho: Representation) -> list[int]:
    """The components in the basis of irreps that the group leaves alone."""
    return [part.start for psi, part in rho.parts if psi.is_trivial]


def _invariants(rho: Representation) -> Tensor:
    """The columns of Q that belong to trivial irreps, with root mean square 1."""
    columns = rho.basis[:, _trivial_components(rho)]
    return columns * (rho.dim**0.5 / columns.norm(dim=0))


def _coefficients(rho: Representation) -> Tensor:
    """The rows of Q^-1 that belong to trivial irreps, scaled as the columns of Q are."""
    inverse = rho.inverse_Q
    rows = (rho.basis if inverse is None else inverse)[_trivial_components(rho)]
    return rows / (rows @ _invariants(rho)).diagonal()[:, None]


def change_blocks(
    x: Tensor, axis: int, sizes: Sequence[tuple[int, int]], matrices: Sequence[Tensor | None]
) -> Tensor:
    """Matrices on the blocks along one axis, from the left; every copy of a block alike.

    Args:
        x: has sum of multiplicity times dimension entries along ``axis``.
        axis: of the blocks.
        sizes: (multiplicity, dimension) of each block.
        matrices: one for each block, ``(dim, dim)``, or None for the identity.
    Returns:
        As ``x``; ``x`` itself if all matrices are None.
    """
    if all(matrix is None for matrix in matrices):
        return x
    parts = []
    split = x.split([mul * dim for mul, dim in sizes], axis)
    for part, (mul, dim), matrix in zip(split, sizes, matrices, strict=True):
        if matrix is not None:
            rows = part.movedim(axis, -1).unflatten(-1, (mul, dim))
            part = (rows @ matrix.mT.to(x)).flatten(-2).movedim(-1, axis)
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
