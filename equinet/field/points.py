"""Spaces without a grid: points at any positions, and a single point.

In: groups. Out: Points, Point.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor

from equinet.field.field_type import FieldType
from equinet.field.space import acting_group, check_elements, refuse_infinite
from equinet.group import Group
from equinet.numerics.arguments import check_integer
from equinet.numerics.cached import on_cpu
from equinet.numerics.values import check_real
from equinet.rep.fibres import Block


@dataclass(frozen=True, init=False, repr=False)
class Fibres:
    """Feature vectors without axes of space, ``(batch, channel)``.

    Attributes:
        group: H <= O(n), which acts on the fibres; its elements are what ``act`` takes.
    """

    group: Group

    @on_cpu
    def __init__(self, group: Group | str, dim: int | None = None) -> None:
        """Make the space.

        Args:
            group: H, or its name.
            dim: of the space on which H acts; needed for a group given by its name.
        """
        if dim is not None:  # groups have names in up to three dimensions
            check_integer(dim, "dim", 1, 3 if isinstance(group, str) else inf)
        kind = type(self).__name__
        if dim is None:
            if not isinstance(group, Group):
                raise ValueError(
                    f"dim: expected the dimension of the space on which {group!r} acts, such as "
                    f"{kind}({group!r}, dim=3), got None"
                )
            dim = group.n
        object.__setattr__(self, "group", acting_group(group, dim, f"{kind} of dim {dim}"))

    @property
    def n(self) -> int:
        """Dimension of the space on which the group acts."""
        return self.group.n

    @property
    def fibre_group(self) -> Group:
        """H, which acts on the fibres."""
        return self.group

    def fields(self, blocks: str | Iterable[Block]) -> FieldType:
        """The field type with these blocks, a string such as "4x0 + 2x1" or a list of pairs.

        Raises:
            TypeError: if ``blocks`` is neither.
            ValueError: if the string does not parse or the blocks do not fit the space.
        """
        return FieldType.over(self, blocks)

    def axes(self, blocks: tuple[Block, ...]) -> dict[str, int | None]:
        """None: there are only batch and channel."""
        refuse_infinite(self, blocks)
        return {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.group.name!r}, dim={self.n})"


class Point(Fibres):
    """No space at all: vectors on which H acts, ``(batch, channel)``.

    Example:
        >>> Point("SO(3)", dim=3).fields("16x0 + 8x1").shape(32)
        (32, 40)
    """


class Points(Fibres):
    """Points at any positions in R^n. Feature maps are ``(points, channel)``.

    The positions are a tensor of their own, ``(points, n)``; a cloud, or a batch of clouds, is the
    concatenation of its points. G = R^n x| H moves positions and features together.

    Example:
        >>> Points("O(3)", dim=3).fields("16x0e + 8x1o").shape(1000)
        (1000, 40)
    """

    def move(self, g: Tensor, positions: Tensor) -> Tensor:
        r"""The moved positions, x goes to g x.

        Args:
            g: elements of H, ``(n, n)`` or one for each point, ``(points, n, n)``.
            positions: ``(points, n)``.
        Returns:
            ``(points, n)``, in the dtype of ``positions``.
        Raises:
            TypeError: if the positions are not real floating.
            ValueError: if ``g`` is not in the group, or a shape is another one.
        """
        check_real("positions", positions, ("points", self.n))
        check_elements(self.group, g, positions)
        g = (g if g.dim() == 3 else g[None]).to(positions)
        return torch.einsum("zij,zj->zi", g, positions)
