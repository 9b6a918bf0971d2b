"""How a group acts on a vector space: matrix-valued functions of group elements.

In: groups. Out: the nouns Irrep and Representation. Before: ``group``. Next: ``construct``.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from equinet.group import SO2, SO3, Group
from equinet.numerics import wigner_D


@dataclass(frozen=True)
class Irrep:
    """A real irreducible representation psi of a group.

    Attributes:
        group: SO(2), where psi_s rotates by s times the angle, or SO(3), where it is Wigner's D^l
            in e3nn's basis.
        frequency: s or l.
    """

    group: Group
    frequency: int

    def __post_init__(self) -> None:
        if not isinstance(self.group, SO2 | SO3):
            raise TypeError(f"group: expected SO(2) or SO(3), got {self.group!r}")
        if not isinstance(self.frequency, int) or self.frequency < 0:
            raise ValueError(f"frequency: expected an integer >= 0, got {self.frequency!r}")

    @property
    def dim(self) -> int:
        if isinstance(self.group, SO3):
            return 2 * self.frequency + 1
        return 2 if self.frequency else 1

    @property
    def name(self) -> str:
        return str(self.frequency)

    def __call__(self, g: Tensor) -> Tensor:
        """psi(g) of shape ``(..., dim, dim)`` for elements ``g`` of shape ``(..., n, n)``."""
        if not isinstance(self.group, SO2):
            return wigner_D(self.frequency, g)
        if self.frequency == 0:
            return torch.ones_like(g[..., :1, :1])
        return self.group.element(self.frequency * self.group.angle(g))


@dataclass(frozen=True)
class Representation:
    """A representation: a direct sum of irreps, or the regular representation of a Lie group.

    Attributes:
        group: H.
        name: as it is written in field types.
        irreps: the constituents in order; None for the regular representation of a Lie group, that
            is, all functions on H. Fields of that type are sampled on a grid instead.
    """

    group: Group
    name: str = field(compare=False)
    irreps: tuple[Irrep, ...] | None

    @property
    def is_regular(self) -> bool:
        return self.irreps is None

    @property
    def dim(self) -> int:
        """Dimension; a ValueError for the regular representation of a Lie group."""
        if self.irreps is None:
            raise ValueError(f"the regular representation of {self.group} has no finite dimension")
        return sum(irrep.dim for irrep in self.irreps)

    def __call__(self, g: Tensor) -> Tensor:
        """rho(g), block diagonal, of shape ``(..., dim, dim)``."""
        dim = self.dim
        out = g.new_zeros(*g.shape[:-2], dim, dim)
        start = 0
        for irrep in self.irreps or ():
            stop = start + irrep.dim
            out[..., start:stop, start:stop] = irrep(g)
            start = stop
        return out

    def __repr__(self) -> str:
        return f"{self.name} of {self.group}"
