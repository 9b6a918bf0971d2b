"""Finite groups: a list of matrices in a canonical order, closed under products.

The order of the elements depends on the matrices alone. In the plane and in space proper rotations
come before improper ones, and within each they are sorted by the Euler angles (beta, alpha, gamma)
of g = det(g) Z(alpha) Y(beta) Z(gamma), so that rotations about the main axis z come first and by
angle. In other dimensions the matrices are sorted by their entries, largest first, which sorts
permutation matrices like words in a dictionary. The identity is always number 0.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from equinet.group.group import (
    TOLERANCE,
    Factor,
    Group,
    check_matrices,
    check_orthogonal,
    check_sample,
)
from equinet.group.lookup import Lookup, frame, keys
from equinet.numerics.arguments import check_integer, check_memory, check_string
from equinet.numerics.cached import cached, on_cpu
from equinet.numerics.frozen import hands_out_copies
from equinet.numerics.values import came

_DIGITS = 1e6  # elements are sorted by six digits
_EQUAL = 1e-9  # equal groups are interchangeable: far below the tolerance of any check of values
_SMALL = 1024  # an order up to which a table is at hand


@hands_out_copies("elements")
@dataclass(frozen=True, repr=False, eq=False)
class FiniteGroup(Group):
    """A finite group of orthogonal matrices. Build it with ``generate`` or a named function.

    Two finite groups are equal if they consist of the same matrices, up to the rounding of float64.

    Attributes:
        n: size of the matrices.
        elements: all of them, float64 ``(order, n, n)``; given in any order, kept in the canonical
            one.
        label: its name.

    Raises:
        ValueError: if the elements are not a group up to the rounding of float64.
    """

    elements: Tensor
    label: str
    _elements: Tensor = field(init=False)
    _hash: int = field(init=False)

    @on_cpu
    def __post_init__(self) -> None:
        _check_elements(self._elements, check_integer(self.n, "n", 1))
        check_string(self.label, "label")
        elements = self._elements[_canonical_order(self._elements)]
        object.__setattr__(self, "_elements", elements)
        # Four digits in general position: the same for equal groups, and in every process.
        digits = (keys(elements @ frame(self.n)) * 1e4).round().long()
        object.__setattr__(self, "_hash", zlib.crc32(digits.numpy().tobytes()))
        if not _is_closed(self):
            raise ValueError(
                f"elements: expected all elements of a group, each once and exact in float64, got "
                f"{len(elements)} matrices whose products are not among them (see generate)"
            )

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, FiniteGroup) or self._hash != other._hash:
            return False
        mine, others = self._elements, other._elements
        return mine.shape == others.shape and bool(((mine - others).abs() < _EQUAL).all())

    def __hash__(self) -> int:
        return self._hash

    @property
    def name(self) -> str:
        return self.label

    @property
    def is_finite(self) -> bool:
        return True

    @property
    def order(self) -> int:
        """The number of elements."""
        return len(self._elements)

    @property
    def components(self) -> Tensor:
        return self.elements

    @property
    def generators(self) -> Tensor:
        return self._elements[list(_generators(self))]

    def haar(self, degree: int) -> tuple[Factor, ...]:
        check_integer(degree, "degree", 0)
        return ((self.elements, torch.full((self.order,), 1 / self.order, dtype=torch.float64)),)

    def sample(self, *size: int, generator: torch.Generator | None = None) -> Tensor:
        check_sample(size, self.n)
        return self._elements[torch.randint(self.order, size, generator=generator)]

    def index(self, g: Tensor) -> Tensor:
        """Number of the element that is nearest to each matrix of ``g`` ``(..., n, n)``.

        Raises:
            TypeError: if ``g`` is no tensor.
            ValueError: if it has another shape.
        """
        check_matrices(g, self.n)
        if self.order == 1:
            return torch.zeros(g.shape[:-2], dtype=torch.long, device=g.device)
        vectors = frame(self.n).to(g)
        return _nearest(g @ vectors, self._elements.to(g) @ vectors)

    def mask(self, elements: Tensor, tolerance: float = TOLERANCE) -> Tensor:
        nearest = self._elements.to(elements)[self.index(elements)]
        return ((elements - nearest).abs() < tolerance).all(-1).all(-1)

    @on_cpu
    def numbers(self, elements: Tensor) -> Tensor:
        """The number of each of many elements ``(count, n, n)``, int64; -1 where it is none."""
        return _lookup(self).find(elements.double() @ frame(self.n), TOLERANCE)

    @property
    def table(self) -> Tensor:
        """The multiplication table, int64 ``(order, order)``: g_i g_j is number table[i, j].

        Raises:
            ValueError: if it does not fit into memory.
        """
        check_memory(self.order**2, "group", f"the multiplication table of {self}")
        return _table(self).clone()

    @on_cpu
    def products(self, i: Tensor, j: Tensor) -> Tensor:
        """The numbers of g_i g_j, for numbers i and j that broadcast; without the whole table.

        Args:
            i: int64, of the left factors.
            j: int64, of the right factors.
        Returns:
            int64, in the shape that i and j broadcast to.
        """
        i, j = torch.broadcast_tensors(i, j)
        if self.order <= _SMALL:
            return _table(self)[i, j]
        images = self._elements @ frame(self.n)
        parts = zip(i.flatten().split(_SMALL**2), j.flatten().split(_SMALL**2), strict=True)
        found = [_lookup(self).find(self._elements[a] @ images[b]) for a, b in parts]
        return torch.cat(found).view(i.shape)

    @property
    def inverse(self) -> Tensor:
        """Number of the inverse of each element, int64 ``(order,)``."""
        return _lookup(self).find(self._elements.mT @ frame(self.n))

    def conjugate(self, by: Tensor) -> FiniteGroup:
        by = check_orthogonal(by, self.n, "by")
        return finite_group(by @ self._elements @ by.mT, self.label)

    def renamed(self, label: str) -> FiniteGroup:
        """The same group under another name."""
        return FiniteGroup(self.n, self._elements, label)


def finite_group(elements: Tensor, label: str) -> FiniteGroup:
    """The finite group with these elements, which must be all of it, in any order.

    Args:
        elements: float64 ``(order, n, n)``.
        label: its name.
    Returns:
        The group.
    Raises:
        ValueError: if the elements are not a group.
    """
    return FiniteGroup(elements.shape[-1], elements, label)


def _check_elements(elements: Tensor, n: int) -> None:
    """Raise unless these are orthogonal matrices in float64, the identity among them."""
    if not isinstance(elements, Tensor) or elements.dtype != torch.float64:
        kind = elements.dtype if isinstance(elements, Tensor) else came(elements)
        raise TypeError(f"elements: expected a float64 tensor, got {kind} (see generate)")
    if elements.dim() != 3 or not len(elements) or elements.shape[1:] != (n, n):
        raise ValueError(
            f"elements: expected matrices (order, {n}, {n}), got {tuple(elements.shape)}"
        )
    error = (elements.mT @ elements - torch.eye(n, dtype=torch.float64)).abs().max()
    if not error < 1e-12:
        raise ValueError(
            f"elements: expected matrices that are orthogonal in float64, got an error of "
            f"{float(error):.1e} (see generate)"
        )


@cached(128)
def _lookup(group: FiniteGroup) -> Lookup:
    return Lookup(group._elements @ frame(group.n))


def _is_closed(group: FiniteGroup) -> bool:
    """Whether products with the generators are elements, up to the rounding of float64."""
    elements = group._elements
    if len(Lookup(elements @ frame(group.n)).firsts(1e-6)) < len(elements):
        return False
    if (elements[0] - torch.eye(group.n)).abs().max() > 1e-12:
        return False
    for i in _generators(group):
        numbers = _after(group, i)
        if (numbers < 0).any() or (elements @ elements[i] - elements[numbers]).abs().max() > 1e-12:
            return False
    return True


def _nearest(images: Tensor, known: Tensor) -> Tensor:
    """Which of the known images of the frame, of equal length, is nearest to each of others."""
    return (images.flatten(-2) @ known.flatten(-2).mT).argmax(-1)


def _rounded(elements: Tensor) -> Tensor:
    return (elements.detach() * _DIGITS).round().long()


def _canonical_order(elements: Tensor) -> Tensor:
    n = elements.shape[-1]
    columns = _euler_columns(elements) if n in (2, 3) else -_rounded(elements).flatten(1)
    _, rank = columns.unique(dim=0, return_inverse=True)  # sorted like words in a dictionary
    return rank.argsort(stable=True)


def _euler_columns(elements: Tensor) -> Tensor:
    """Integers (improper, beta, alpha, gamma) of matrices of size 2 or 3, ``(count, 4)``."""
    improper = torch.linalg.det(elements) < 0
    if elements.shape[-1] == 2:  # the image of the x axis, for a reflection twice its mirror
        alpha = torch.atan2(elements[:, 1, 0], elements[:, 0, 0])
        beta = gamma = torch.zeros_like(alpha)
    else:
        rotation = torch.where(improper[:, None, None], -elements, elements)
        pole = rotation[:, :, 2]
        beta = torch.atan2(torch.hypot(pole[:, 0], pole[:, 1]), pole[:, 2])
        level = torch.hypot(pole[:, 0], pole[:, 1]) > 1e-6
        # At the poles alpha and gamma are not told apart: the image of the x axis decides.
        alpha = torch.where(
            level,
            torch.atan2(pole[:, 1], pole[:, 0]),
            torch.atan2(rotation[:, 1, 0], rotation[:, 0, 0]),
        )
        gamma = torch.where(
            level, torch.atan2(rotation[:, 2, 1], -rotation[:, 2, 0]), torch.zeros_like(alpha)
        )
    angles = torch.stack([beta, alpha, gamma], -1)
    angles = _rounded(torch.remainder(angles + 1e-7, 2 * math.pi))
    return torch.cat([improper.long()[:, None], angles], -1)


@cached(128)
def _table(group: FiniteGroup) -> Tensor:
    # Few products of matrices: if g = s h, its row is that of s after that of h.
    order, vectors = group.order, frame(group.n)
    rows = torch.empty(order, order, dtype=torch.long)
    rows[0] = torch.arange(order)
    known = torch.zeros(order, dtype=torch.bool)
    known[0] = True
    steps: list[Tensor] = []
    images = group._elements @ vectors
    for i in range(order):
        if known[i]:
            continue
        steps.append(_lookup(group).find(group._elements[i] @ images))
        new = known.nonzero()[:, 0]
        while len(new):
            reached = []
            for step in steps:
                products = step[rows[new]]
                numbers = products[:, 0]
                fresh = ~known[numbers]
                rows[numbers[fresh]] = products[fresh]
                known[numbers[fresh]] = True
                reached.append(numbers[fresh])
            new = torch.cat(reached)
    return rows


@cached(512)
def _after(group: FiniteGroup, i: int) -> Tensor:
    """The numbers of g g_i for all elements g, -1 where there is none, int64 ``(order,)``."""
    images = group._elements[i] @ frame(group.n)
    return _lookup(group).find(group._elements @ images)


@cached(128)
def _generators(group: FiniteGroup) -> tuple[int, ...]:
    """The first elements, each not a product of those before it, that generate the group."""
    chosen: list[int] = []
    reached = torch.zeros(group.order, dtype=torch.bool)
    reached[0] = True
    while not reached.all():
        chosen.append(int(reached.to(torch.int8).argmin()))
        reached = closure(group, chosen)
    return tuple(chosen) or (0,)


def closure(group: FiniteGroup, chosen: Sequence[int]) -> Tensor:
    """Which elements are products of the chosen ones: bool ``(order,)``.

    Args:
        group: G.
        chosen: numbers of elements.
    Returns:
        Which of all elements are in the subgroup that they generate.
    """
    reached = torch.zeros(group.order, dtype=torch.bool)
    new = torch.zeros(1, dtype=torch.long)
    steps = [_after(group, i) for i in chosen]
    while len(new):
        reached[new] = True
        new = torch.cat([step[new] for step in steps] or [new[:0]]).unique()
        new = new[~reached[new]]
    return reached
