"""Direct and semidirect products."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from equinet.group.finite import FiniteGroup, finite_group
from equinet.group.group import TOLERANCE, Factor, Group, check_group, check_orthogonal
from equinet.group.subgroups import check_finite
from equinet.numerics.arguments import check_memory


@dataclass(frozen=True, repr=False)
class ProductGroup(Group):
    """G x H x ... of which some factor is continuous, as block diagonal matrices.

    Attributes:
        factors: G, H, ... in the order of the blocks.
    """

    factors: tuple[Group, ...]

    @property
    def name(self) -> str:
        return " x ".join(factor.name for factor in self.factors)

    def element(self, *parts: Tensor) -> Tensor:
        """The element with the given blocks, ``(..., n_i, n_i)`` each."""
        return block_diagonal(parts)

    def parts(self, g: Tensor) -> tuple[Tensor, ...]:
        """The blocks of ``g`` ``(..., n, n)``."""
        sizes = [factor.n for factor in self.factors]
        rows = g.split(sizes, -2)
        return tuple(row.split(sizes, -1)[i] for i, row in enumerate(rows))

    def _embed(self, i: int, elements: Tensor) -> Tensor:
        """Elements of factor i, with the identity in the other blocks."""
        size = elements.shape[:-2]
        blocks = [factor.identity().expand(*size, -1, -1) for factor in self.factors]
        blocks[i] = elements
        return block_diagonal(blocks)

    @property
    def components(self) -> Tensor:
        found = self.identity()[None]
        for i, factor in enumerate(self.factors):
            found = (found[:, None] @ self._embed(i, factor.components)).flatten(0, 1)
        return found

    @property
    def generators(self) -> Tensor:
        return torch.cat(
            [self._embed(i, factor.generators) for i, factor in enumerate(self.factors)]
        )

    def haar(self, degree: int) -> tuple[Factor, ...]:
        return tuple(
            (self._embed(i, elements), weights)
            for i, factor in enumerate(self.factors)
            for elements, weights in factor.haar(degree)
        )

    def sample(self, *size: int, generator: torch.Generator | None = None) -> Tensor:
        return block_diagonal([f.sample(*size, generator=generator) for f in self.factors])

    def mask(self, elements: Tensor, tolerance: float = TOLERANCE) -> Tensor:
        parts = self.parts(elements)
        inside = torch.ones(elements.shape[:-2], dtype=torch.bool, device=elements.device)
        for factor, part in zip(self.factors, parts, strict=True):
            inside = inside & factor.mask(part, tolerance)
        return inside & ((block_diagonal(parts) - elements).abs() < tolerance).all(-1).all(-1)

    def conjugate(self, by: Tensor) -> Group:
        by = check_orthogonal(by, self.n, "by")
        parts = self.parts(by)
        if not torch.allclose(block_diagonal(parts), by, atol=TOLERANCE):
            raise ValueError(f"by: expected a block diagonal matrix for {self}, got {by.tolist()}")
        return direct_product(
            *(f.conjugate(part) for f, part in zip(self.factors, parts, strict=True))
        )


def block_diagonal(blocks: tuple[Tensor, ...] | list[Tensor]) -> Tensor:
    """Square blocks ``(..., n_i, n_i)`` of equal batch shape along a diagonal."""
    n = sum(block.shape[-1] for block in blocks)
    out = blocks[0].new_zeros(*blocks[0].shape[:-2], n, n)
    start = 0
    for block in blocks:
        stop = start + block.shape[-1]
        out[..., start:stop, start:stop] = block
        start = stop
    return out


def direct_product(*groups: Group) -> Group:
    """The direct product, as block diagonal matrices; finite if all factors are.

    Args:
        groups: the factors, in the order of the blocks.
    Returns:
        A ``FiniteGroup`` if all factors are finite, else a ``ProductGroup``.
    Raises:
        TypeError: if a factor is no group.
        ValueError: if there is none, or so many elements do not fit into memory.

    Example:
        >>> from equinet.group import cyclic, inversion, point_group
        >>> direct_product(cyclic(4), inversion(1)) == point_group("C4h")
        True
    """
    if not groups:
        raise ValueError("groups: expected at least one group, got none")
    for group in groups:
        check_group(group, "groups")
    if not all(isinstance(group, FiniteGroup) for group in groups):
        flat = (g.factors if isinstance(g, ProductGroup) else (g,) for g in groups)
        return ProductGroup(sum(g.n for g in groups), tuple(itertools.chain.from_iterable(flat)))
    factors = [check_finite(group) for group in groups]
    order = prod(factor.order for factor in factors)
    n = sum(factor.n for factor in factors)
    check_memory(order * n**2, "groups", f"{order} elements of {n} x {n} matrices")
    indices = torch.cartesian_prod(*(torch.arange(f.order) for f in factors)).view(order, -1)
    blocks = [f.elements[i] for f, i in zip(factors, indices.unbind(1), strict=True)]
    return finite_group(block_diagonal(blocks), " x ".join(f.name for f in factors))


def semidirect_product(
    normal: FiniteGroup,
    acting: FiniteGroup,
    action: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> FiniteGroup:
    r"""N x| H: the pairs (n, h) with (n, h)(n', h') = (n \alpha_h(n'), h h').

    Elements are represented on the functions on N, where (n, h) takes the point mass at m to that
    at n alpha_h(m), next to the matrices of H.

    Args:
        normal: N.
        acting: H.
        action: alpha, from one element h and elements n ``(count, n, n)`` to elements of N; by
            default the conjugation h n h^-1, for N and H of matrices of one size.
    Returns:
        The group.
    Raises:
        ValueError: if alpha_h does not map N to itself, or is not a homomorphism.
        TypeError: if N or H is not finite, or ``action`` is no function.

    Example:
        >>> from equinet.group import cyclic, dihedral
        >>> semidirect_product(cyclic(5), dihedral(1)).order
        10
    """
    normal, acting = check_finite(normal, "normal"), check_finite(acting, "acting")
    if action is None:
        if normal.n != acting.n:
            raise ValueError(
                f"action: expected one, since {normal} and {acting} have matrices of sizes "
                f"{normal.n} and {acting.n}, got none"
            )
        action = _conjugation
    if not callable(action):
        raise TypeError(f"action: expected a function of h and elements, got {action!r}")
    order, n = normal.order * acting.order, normal.order + acting.n
    check_memory(order * n**2, "normal", f"{order} elements of {n} x {n} matrices")
    images, elements = [], normal.elements
    for h in acting.elements:
        moved = action(h, elements)
        inside = isinstance(moved, Tensor) and moved.shape == elements.shape
        if not inside or not normal.contains(moved):
            raise ValueError(f"action: expected elements of {normal}, got others for h = {h}")
        images.append(normal.index(moved))
    alpha = torch.stack(images)  # [h, m] is the number of alpha_h(m)
    _check_automorphisms(alpha, normal, acting)
    size = normal.order
    where = normal.table[:, alpha].transpose(0, 1)  # [h, n, m] is the number of n alpha_h(m)
    masses = torch.nn.functional.one_hot(where, size).double().mT
    masses = masses.flatten(0, 1)
    blocks = [masses, acting.elements.repeat_interleave(size, 0)]
    return finite_group(block_diagonal(blocks), f"{normal.name} x| {acting.name}")


def _conjugation(h: Tensor, n: Tensor) -> Tensor:
    return h @ n @ h.mT


def _check_automorphisms(alpha: Tensor, normal: FiniteGroup, acting: FiniteGroup) -> None:
    table = normal.table
    for i, image in enumerate(alpha):
        if not torch.equal(image[table], table[image][:, image]):
            raise ValueError(
                f"action: expected automorphisms of {normal}, got a map that does not keep "
                f"products for element {i} of {acting}"
            )
    one = torch.arange(normal.order)
    if not torch.equal(alpha[0], one) or not torch.equal(alpha[acting.table], alpha[:, alpha]):
        raise ValueError(
            f"action: expected alpha_1 = 1 and alpha_gh = alpha_g alpha_h for {acting}, got another"
        )
