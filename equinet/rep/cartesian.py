"""Cartesian tensors with index symmetries."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

import torch
from torch import Tensor

from equinet.group import Group
from equinet.group.group import check_group
from equinet.numerics import range_basis
from equinet.numerics.arguments import check_memory
from equinet.numerics.cached import cached, on_cpu
from equinet.numerics.values import came
from equinet.rep.construct import tensor_power
from equinet.rep.decomposition import decompose
from equinet.rep.representation import Representation

_MAX_RANK = 6


@dataclass(frozen=True)
class CartesianTensor:
    r"""Tensors T_{ij...} on which the group acts by its matrices, with index symmetries.

    .. math:: (g T)_{ij\dots} = \sum_{i'j'\dots} g_{ii'} g_{jj'} \cdots T_{i'j'\dots}

    Attributes:
        group: the group.
        formula: the indices and what permutations of them do: "ij" (no symmetry), "ij=ji"
            (symmetric), "ij=-ji", "ijk=jik=-ikj", "ijkl=jikl=klij" (elasticity).

    Example:
        >>> from equinet.group import o3
        >>> stress = CartesianTensor(o3(), "ij=ji")
        >>> stress.representation.name
        '1x0e + 1x2e'
        >>> stress.to_irreps(torch.eye(3))
        tensor([1.7321, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000])
    """

    group: Group
    formula: str

    @on_cpu
    def __post_init__(self) -> None:
        check_group(self.group)
        if not isinstance(self.formula, str):
            raise TypeError(f"formula: expected a string, got {type(self.formula).__name__}")
        size = self.group.n ** min(self.rank, _MAX_RANK)
        check_memory(size**2, "formula", f"tensors of {size} components")
        if not len(_split(self)[1]):
            raise ValueError(f"formula: expected tensors other than zero, got {self.formula!r}")

    @property
    def rank(self) -> int:
        """The number of indices."""
        return len(self.formula.partition("=")[0])

    @property
    def representation(self) -> Representation:
        """The split into irreps, a direct sum; its components are those of ``to_irreps``."""
        psis = _split(self)[0]
        return Representation(self.group, psis.name, psis.constituents)

    @property
    def change_of_basis(self) -> Tensor:
        """The orthonormal tensors that are the components, float64 ``(dim, n, n, ...)``."""
        return _split(self)[1].clone()

    def to_irreps(self, tensor: Tensor) -> Tensor:
        """Tensors ``(..., n, n, ...)`` to components ``(..., dim)``; other symmetries are lost.

        Raises:
            TypeError: if ``tensor`` is not a real floating tensor.
            ValueError: if its last axes are not ``rank`` times n.
        """
        size = (self.group.n,) * self.rank
        _check_tensor(tensor, "tensor")
        if tensor.dim() < self.rank or tensor.shape[tensor.dim() - self.rank :] != size:
            raise ValueError(
                f"tensor: expected (..., {', '.join(map(str, size))}), got {tuple(tensor.shape)}"
            )
        return tensor.flatten(-self.rank) @ _split(self)[1].flatten(1).to(tensor).mT

    def to_tensor(self, components: Tensor) -> Tensor:
        """Components ``(..., dim)`` to tensors ``(..., n, n, ...)``.

        Raises:
            TypeError: if ``components`` is not a real floating tensor.
            ValueError: if its last axis has another size.
        """
        _check_tensor(components, "components")
        basis = _split(self)[1].to(components)
        if components.dim() < 1 or components.shape[-1] != len(basis):
            raise ValueError(
                f"components: expected (..., {len(basis)}), got {tuple(components.shape)}"
            )
        flat = components @ basis.flatten(1)
        return flat.unflatten(-1, basis.shape[1:])


def _check_tensor(value: Tensor, argument: str) -> None:
    if not isinstance(value, Tensor) or not value.is_floating_point():
        kind = value.dtype if isinstance(value, Tensor) else came(value)
        raise TypeError(f"{argument}: expected a real floating tensor, got {kind}")


@cached()
def _split(tensor: CartesianTensor) -> tuple[Representation, Tensor]:
    """The representation on the tensors with the symmetry, and its basis, irrep by irrep."""
    n, k = tensor.group.n, tensor.rank
    symmetries = _symmetries(tensor.formula)
    projector = torch.zeros(n**k, n**k, dtype=torch.float64)
    identity = torch.eye(n**k, dtype=torch.float64).view(n**k, *[n] * k)
    for permutation, sign in symmetries.items():
        moved = identity.permute(0, *(1 + p for p in permutation))
        projector += sign * moved.reshape(n**k, n**k) / len(symmetries)
    basis = range_basis(projector)
    if not basis.shape[1]:
        return decompose(tensor.group, lambda g: torch.ones_like(g[..., :1, :1])), basis.mT

    def action(g: Tensor) -> Tensor:
        return basis.mT @ tensor_power(g, k) @ basis

    degree = None if tensor.group.is_finite else k
    rho = decompose(tensor.group, action, degree=degree)
    vectors = basis if rho.Q is None else basis @ rho.Q
    return rho, vectors.mT.reshape(-1, *[n] * k)


def _symmetries(formula: str) -> dict[tuple[int, ...], int]:
    """All permutations of the indices that the formula implies, with their signs."""
    terms = formula.split("=")
    indices = terms[0]
    if not re.fullmatch(r"[a-z]+", indices) or len(set(indices)) != len(indices):
        raise ValueError(
            f"formula: expected different lower-case letters at position 0, as in 'ij=ji', got "
            f"{formula!r}"
        )
    if len(indices) > _MAX_RANK:
        raise ValueError(f"formula: expected at most {_MAX_RANK} indices, got {formula!r}")
    generators, position = [], len(indices) + 1
    for term in terms[1:]:
        bare = term.removeprefix("-")
        if sorted(bare) != sorted(indices):
            raise ValueError(
                f"formula: expected a permutation of {indices!r} at position {position} of "
                f"{formula!r}, got {term!r}"
            )
        generators.append((tuple(indices.index(c) for c in bare), -1 if bare != term else 1))
        position += len(term) + 1
    found = {tuple(range(len(indices))): 1}
    new = dict(found)
    while new:
        products = {}
        for (p, s), (q, t) in itertools.product(new.items(), generators):
            product = tuple(p[i] for i in q)
            if found.get(product, s * t) != s * t:
                # T = -T for some permutation: only the zero tensor is left, which is refused.
                return dict.fromkeys(found, 0)
            if product not in found:
                products[product] = s * t
        found |= products
        new = products
    return found
