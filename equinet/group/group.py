"""What every group offers. Its elements are orthogonal matrices, batched tensors ``(..., n, n)``.

In: nothing. Out: the noun Group.

The product is ``g @ h``, the inverse is ``g.mT`` and the action on points is a matrix times a
vector. A subgroup consists of some of the same matrices, so it needs no map into the larger group.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, NoReturn

import torch
from torch import Tensor

from equinet.numerics.arguments import check_integer, check_memory, real_tensor
from equinet.numerics.membership import TOLERANCE, are_orthogonal, check_members
from equinet.numerics.values import came

LARGEST_DEGREE = 10_000  # of a quadrature

# Elements ``(count, n, n)`` and their weights ``(count,)``.
Factor = tuple[Tensor, Tensor]


@dataclass(frozen=True, repr=False)
class Group:
    r"""A compact group H <= O(n), a value: equal groups compare and hash equal.

    A concrete group says which orthogonal matrices belong to it (``mask``), and how to integrate
    over them: every element is a product a b ... of one element of each factor of ``haar``, and

    .. math:: \int_H f(h)\, dh = \sum_{a, b, \dots} w_a w_b \cdots f(a b \cdots)
              \quad (H1)

    is exact for products of matrix entries of representations as long as their degrees sum to at
    most ``degree``.

    Attributes:
        n: size of the matrices.
        elements: of a finite group, all of them, ``(order, n, n)``; an infinite one has no such
            attribute, but ``sample`` and ``grid``.
    """

    n: int

    # Whoever names a group by a string knows whether it is finite, and a type checker does not.
    if TYPE_CHECKING:
        elements: Tensor = field(init=False)
    else:

        def __getattr__(self, name: str) -> NoReturn:
            """Say of an infinite group why it has no ``elements``."""
            if name == "elements" and not self.is_finite:
                raise AttributeError(
                    f"{self} has infinitely many elements; use sample(count) or grid(degree)"
                )
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def name(self) -> str:
        """For people, and in the strings that name groups.

        Raises:
            TypeError: if the class does not say.
        """
        raise TypeError(f"{type(self).__name__} is not a concrete group")

    @property
    def is_finite(self) -> bool:
        return False

    def identity(self, dtype: torch.dtype = torch.float64) -> Tensor:
        """The neutral element, ``(n, n)``."""
        return torch.eye(self.n, dtype=dtype)

    @property
    def components(self) -> Tensor:
        """One element of each connected component, the identity first: ``(count, n, n)``."""
        return self.identity()[None]

    @property
    def generators(self) -> Tensor:
        """Elements whose products are dense in the group, ``(count, n, n)``.

        Raises:
            TypeError: if the class does not say.
        """
        raise TypeError(f"{type(self).__name__} is not a concrete group")

    def haar(self, degree: int) -> tuple[Factor, ...]:
        """Haar measure as in (H1), exact up to ``degree``, float64.

        Args:
            degree: up to which it is exact.
        Returns:
            The factors, elements ``(count, n, n)`` and their weights ``(count,)``.
        Raises:
            ValueError: if ``degree`` is no degree, or a quadrature of it is too large.
        """
        raise TypeError(f"{type(self).__name__} is not a concrete group")

    def grid(self, degree: int) -> Factor:
        """Elements ``(count, n, n)`` and weights of sum 1 of a quadrature exact up to ``degree``.

        A finite group gives all its elements, whatever the degree.

        Raises:
            ValueError: if ``degree`` is no degree, or so many elements do not fit into memory.
        """
        factors = self.haar(check_integer(degree, "degree", 0))
        count = prod(len(w) for _, w in factors)
        check_memory(count * self.n**2, "degree", f"a grid of {count} elements")
        elements, weights = self.identity()[None], torch.ones(1, dtype=torch.float64)
        for more, w in factors:
            elements = (elements[:, None] @ more).flatten(0, 1)
            weights = (weights[:, None] * w).flatten()
        return elements, weights

    def sample(self, *size: int, generator: torch.Generator | None = None) -> Tensor:
        """Elements drawn from Haar measure, float64 ``(*size, n, n)``.

        Args:
            size: the shape of the batch.
            generator: of random numbers.
        Returns:
            ``(*size, n, n)``.
        Raises:
            ValueError: if a size is not an integer >= 0, or they are too many to fit into memory.
        """
        raise TypeError(f"{type(self).__name__} is not a concrete group")

    def mask(self, elements: Tensor, tolerance: float = TOLERANCE) -> Tensor:
        """Which matrices in ``elements`` ``(..., n, n)`` belong to the group: bool ``(...)``.

        Args:
            elements: matrices of the size of the group.
            tolerance: the largest difference of an entry.
        Returns:
            Whether each belongs.
        """
        return are_orthogonal(elements, tolerance)

    def contains(self, elements: Tensor, tolerance: float = TOLERANCE) -> bool:
        """Whether every matrix in ``elements`` ``(..., n, n)`` belongs to the group.

        Args:
            elements: anything; what is no tensor of real matrices of size n is in no group.
            tolerance: the largest difference of an entry.
        Returns:
            Whether all belong.
        """
        if not isinstance(elements, Tensor):
            return False
        if elements.shape[-2:] != (self.n, self.n) or not elements.is_floating_point():
            return False
        return bool(self.mask(elements, tolerance).all())

    def check(self, elements: Tensor, argument: str = "g", like: Tensor | None = None) -> None:
        """Raise unless they are elements of the group, one or one for each sample of ``like``.

        Values are not looked at while they are traced or mapped, nor on the meta device.

        Args:
            elements: matrices ``(..., n, n)``.
            argument: what an error calls them.
            like: what they move, ``(batch, ...)``.
        Raises:
            TypeError: if ``elements`` is not a tensor.
            ValueError: if it is one of another shape or dtype, or of other matrices.
        """
        check_members(elements, self.n, self.mask, self.name, argument, like)

    def conjugate(self, by: Tensor) -> Group:
        """The group of all ``by @ h @ by.T``, for an orthogonal matrix ``by`` ``(n, n)``.

        Args:
            by: in O(n).
        Returns:
            The conjugate; the group itself where it is the same.
        Raises:
            ValueError: if ``by`` is not an orthogonal matrix of size n.
        """
        raise TypeError(f"{type(self).__name__} is not a concrete group")

    def __repr__(self) -> str:
        return self.name


def check_matrices(g: Tensor, n: int, argument: str = "g") -> None:
    """Raise unless ``g`` is a tensor of matrices ``(..., n, n)``, whatever their values.

    Args:
        g: anything.
        n: the size.
        argument: what an error calls it.
    Raises:
        TypeError: if it is no tensor.
        ValueError: if it has another shape.
    """
    if not isinstance(g, Tensor):
        raise TypeError(f"{argument}: expected a tensor, got {came(g)}")
    if g.dim() < 2 or g.shape[-2] != n or g.shape[-1] != n:
        raise ValueError(f"{argument}: expected (..., {n}, {n}), got {tuple(g.shape)}")


def check_sample(size: tuple[int, ...], n: int) -> None:
    """Raise ValueError unless these are sizes of a batch of matrices that fits into memory.

    Args:
        size: of the batch.
        n: of each matrix.
    Raises:
        ValueError: if they are none.
    """
    for length in size:
        check_integer(length, "size", 0)
    check_memory(prod(size) * n**2, "size", f"{prod(size)} elements")


def check_orthogonal(matrix: Tensor, n: int, argument: str) -> Tensor:
    """The nearest matrix that is orthogonal in float64; ValueError if that is not near.

    Args:
        matrix: orthogonal up to the tolerance for elements of groups.
        n: its size.
        argument: what an error calls it.
    Returns:
        float64 ``(n, n)``.
    Raises:
        TypeError: if it is no tensor of real numbers.
        ValueError: if it is another matrix.
    """
    matrix = real_tensor(matrix, argument)
    one = torch.eye(n, dtype=torch.float64)
    error = (matrix.mT @ matrix - one).abs().max() if matrix.shape == (n, n) else torch.inf
    if not error < TOLERANCE:
        raise ValueError(
            f"{argument}: expected an orthogonal matrix of shape ({n}, {n}), got {matrix.tolist()}"
        )
    if error < 1e-15:
        return matrix
    u, _, v = torch.linalg.svd(matrix)
    return u @ v


def check_group(group: object, argument: str = "group") -> Group:
    """The group, if it is one; else TypeError.

    Args:
        group: anything.
        argument: what an error calls it.
    Returns:
        The group itself.
    Raises:
        TypeError: if it is none.
    """
    if not isinstance(group, Group):
        raise TypeError(f"{argument}: expected a Group, got {type(group).__name__}")
    return group


def is_subgroup(subgroup: Group, group: Group) -> bool:
    """Whether every element of ``subgroup`` is one of ``group``.

    Args:
        subgroup: H.
        group: G.
    Returns:
        Whether H is a subset of G; groups of matrices of two sizes have no element in common.
    Raises:
        TypeError: if one is no group.
    """
    check_group(subgroup, "subgroup")
    check_group(group)
    if subgroup.n != group.n or group.is_finite and not subgroup.is_finite:
        return False
    # A closed subgroup that holds generators holds all products and limits of them.
    return group.contains(subgroup.generators)


def check_subgroup(subgroup: Group, group: Group, argument: str = "subgroup") -> None:
    """Raise ValueError unless ``subgroup`` consists of elements of ``group``.

    Args:
        subgroup: H.
        group: G.
        argument: what an error calls H.
    Raises:
        TypeError: if one is no group.
        ValueError: if H is not in G.
    """
    check_group(subgroup, argument)
    if is_subgroup(subgroup, group):
        return
    why = f"whose elements are not all in {group} (a conjugate of it may be: see Group.conjugate)"
    if subgroup.is_finite and group.is_finite:
        small, large = len(subgroup.components), len(group.components)
        if large % small:
            why = f"whose order {small} does not divide {large}"
    raise ValueError(f"{argument}: expected a subgroup of {group}, got {subgroup}, {why}")
