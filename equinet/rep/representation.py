"""How a group acts on a vector space: matrix-valued functions of group elements.

In: irreps. Out: the noun Representation.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import torch
from torch import Tensor

from equinet.group import Group
from equinet.group.group import check_group
from equinet.numerics.arguments import check_string
from equinet.numerics.cached import on_cpu
from equinet.numerics.deprecation import warn_renamed
from equinet.numerics.frozen import constant, hands_out_copies
from equinet.rep.irreducible import Irrep


@hands_out_copies("Q")
@dataclass(frozen=True, eq=False)
class Representation:
    r"""A representation with a known split into irreps.

    .. math:: \rho(g) = Q \Bigl(\bigoplus_i \psi_i(g)\Bigr) Q^{-1}

    Attributes:
        group: H.
        name: as it is written in field types; two representations are equal whatever their names.
        irreps: the constituents in order; None for the regular representation of a continuous
            group, that is, all functions on H. Fields of that type are sampled on a grid instead.
        Q: the change of basis, float64 ``(dim, dim)``; None if it is the identity.
    """

    group: Group
    name: str
    irreps: tuple[Irrep, ...] | None
    Q: Tensor | None = None
    _key: tuple = field(init=False, repr=False)

    @on_cpu
    def __post_init__(self) -> None:
        check_group(self.group)
        check_string(self.name, "name")
        if self.irreps is not None:
            if not isinstance(self.irreps, tuple | list):
                raise TypeError(f"irreps: expected a tuple, got {type(self.irreps).__name__}")
            irreps = tuple(check_irrep(psi, "irreps") for psi in self.irreps)
            object.__setattr__(self, "irreps", irreps)
        for psi in self.irreps or ():
            if psi.group != self.group:
                raise ValueError(
                    f"irreps: expected irreps of {self.group}, got {psi.name} of {psi.group}"
                )
        Q = _checked_basis(self.Q, self.dim) if self.Q is not None else None
        object.__setattr__(self, "Q", Q)
        # Six digits: equal representations compare equal however they were computed.
        basis = None if Q is None else (Q * 1e6).round().long().numpy().tobytes()
        object.__setattr__(self, "_key", (self.group, self.irreps, basis))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Representation) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def is_sampled(self) -> bool:
        """Whether its fields are sampled on the group: the regular one of a continuous group."""
        return self.irreps is None

    @property
    def is_regular(self) -> bool:
        """The old name of ``is_sampled``."""
        warn_renamed("is_regular", "is_sampled")
        return self.is_sampled

    @property
    def is_trivial(self) -> bool:
        """Whether rho(h) = 1 for all h."""
        return self.irreps is not None and all(psi.is_trivial for psi in self.irreps)

    @property
    def dim(self) -> int:
        """Dimension; a ValueError for the regular representation of a continuous group."""
        return sum(psi.dim for psi in self.constituents)

    @property
    def constituents(self) -> tuple[Irrep, ...]:
        """The irreps, of a representation of finite dimension; else a ValueError.

        Raises:
            ValueError: if the dimension is infinite.
        """
        if self.irreps is None:
            raise ValueError(
                f"the regular representation of {self.group} has no finite dimension; name a "
                "largest degree, regular(group, lmax), for a band-limited one"
            )
        return self.irreps

    @property
    def multiplicities(self) -> dict[Irrep, int]:
        """How often each irrep occurs, in the order of their first occurrence."""
        return dict(Counter(self.constituents))

    @property
    def parts(self) -> list[tuple[Irrep, slice]]:
        """Each irrep, and which components in the basis of irreps are its own."""
        found, start = [], 0
        for psi in self.constituents:
            found.append((psi, slice(start, start + psi.dim)))
            start += psi.dim
        return found

    @property
    def degree(self) -> int:
        """The largest degree of an irrep in it; 0 for finite groups."""
        return max((psi.degree for psi in self.constituents), default=0)

    @constant
    def is_orthogonal(self) -> bool:
        """Whether every rho(g) is an orthogonal matrix."""
        # Q need not be orthogonal itself: Q^T Q must commute with all psi_i(g).
        values = self._evaluate(self.group.generators)
        one = torch.eye(self.dim, dtype=torch.float64)
        return bool((values @ values.mT - one).abs().max() < 1e-9)

    @constant
    def is_permutation(self) -> bool:
        """Whether every rho(g) permutes the components, so that functions apply to each alone."""
        values = self._evaluate(self.group.generators)
        return bool((values - values.round()).abs().max() < 1e-9) and bool((values > -0.5).all())

    @property
    def basis(self) -> Tensor:
        """Q as a matrix, also where it is the identity: float64 ``(dim, dim)``."""
        Q = self.Q
        return torch.eye(self.dim, dtype=torch.float64) if Q is None else Q

    @constant
    def inverse_Q(self) -> Tensor | None:
        """Q^-1, None if it is the identity."""
        Q = self.Q
        return None if Q is None else torch.linalg.inv(Q)

    def __call__(self, g: Tensor) -> Tensor:
        """rho(g) of shape ``(..., dim, dim)``, in the dtype and on the device of ``g``."""
        self.group.check(g)
        value = self._evaluate(g)
        return value.round() if self.is_permutation else value  # then without any rounding error

    def _evaluate(self, g: Tensor) -> Tensor:
        blocks = g.new_zeros(*g.shape[:-2], self.dim, self.dim)
        values: dict[Irrep, Tensor] = {}
        for psi, part in self.parts:
            if psi not in values:
                values[psi] = psi.of_checked(g)
            blocks[..., part, part] = values[psi]
        Q, inverse = self.Q, self.inverse_Q
        return blocks if Q is None or inverse is None else Q.to(g) @ blocks @ inverse.to(g)

    def character(self, g: Tensor) -> Tensor:
        """The trace of rho(g), of shape ``(...)``.

        Raises:
            TypeError: if ``g`` is no tensor.
            ValueError: if it is not one of elements of H.
        """
        self.group.check(g)
        return sum(
            (count * psi.character(g) for psi, count in self.multiplicities.items()),
            start=torch.zeros_like(g[..., 0, 0]),
        )

    def __repr__(self) -> str:
        return f"{self.name} of {self.group}"


def check_rep(rho: object, argument: str = "rho") -> Representation:
    """The representation; an irrep is taken as one, and TypeError raised for anything else.

    Args:
        rho: anything.
        argument: what an error calls it.
    Returns:
        The representation.
    Raises:
        TypeError: if it is none.
    """
    if isinstance(rho, Irrep):
        return Representation(rho.group, rho.name, (rho,))
    if not isinstance(rho, Representation):
        raise TypeError(f"{argument}: expected a Representation, got {type(rho).__name__}")
    return rho


def check_irrep(psi: object, argument: str = "psi") -> Irrep:
    """The irrep, or the one that a representation is, in its own basis; else TypeError.

    Args:
        psi: anything.
        argument: what an error calls it.
    Returns:
        The irrep.
    Raises:
        TypeError: if it is none.
    """
    if isinstance(psi, Representation) and psi.irreps and len(psi.irreps) == 1 and psi.Q is None:
        return psi.irreps[0]
    if not isinstance(psi, Irrep):
        what = f"{psi!r}" if isinstance(psi, Representation) else type(psi).__name__
        raise TypeError(
            f"{argument}: expected an irrep, or a representation that is one in its own basis, got "
            f"{what}"
        )
    return psi


def _checked_basis(Q: object, dim: int) -> Tensor | None:
    """A change of basis, None if it is the identity; an error that names Q if it is none."""
    if not isinstance(Q, Tensor):
        raise TypeError(f"Q: expected a float64 matrix, got {type(Q).__name__}")
    if Q.shape != (dim, dim) or Q.dtype != torch.float64:
        raise ValueError(
            f"Q: expected a float64 matrix of shape ({dim}, {dim}), got {Q.dtype} of shape "
            f"{tuple(Q.shape)}"
        )
    if not _is_invertible(Q):
        raise ValueError(f"Q: expected an invertible matrix, got {Q.tolist()}")
    return None if torch.equal(Q, torch.eye(dim, dtype=torch.float64)) else Q.contiguous()


def _is_invertible(matrix: Tensor) -> bool:
    inverse, info = torch.linalg.inv_ex(matrix)
    one = torch.eye(len(matrix), dtype=matrix.dtype)
    return not info and bool((matrix @ inverse - one).abs().max() < 1e-6)


def sum_name(irreps: tuple[Irrep, ...]) -> str:
    """The irreps and how often they occur: "2x0 + 1x1"."""
    return " + ".join(f"{count}x{psi.name}" for psi, count in Counter(irreps).items())
