"""Spaces without a grid: points at any positions, and a single point.

In: groups. Out: Points, Point.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Self

import torch
from torch import Tensor

from equinet.field.fibre_action import turn_fibres
from equinet.field.field_type import FieldType
from equinet.field.space import Space, acting_group, refuse_infinite
from equinet.group import Group
from equinet.numerics.arguments import check_integer
from equinet.numerics.cached import on_cpu
from equinet.numerics.values import check_real
from equinet.rep.fibres import Block


@dataclass(frozen=True, init=False, repr=False)
class Fibres(Space):
    """Feature vectors without axes of space, ``(batch, channel)``.

    Attributes:
        group: H <= O(n), which acts on the fibres; its elements are what ``act`` takes.
    """

    _group: Group

    is_parallel = True

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
        object.__setattr__(self, "_group", acting_group(group, dim, f"{kind} of dim {dim}"))

    @property
    def n(self) -> int:
        """Dimension of the space on which the group acts."""
        return self.group.n

    @property
    def group(self) -> Group:
        """H; the translations of G need no element of their own."""
        return self._group

    @property
    def fibre_group(self) -> Group:
        """H, which acts on the fibres."""
        return self._group

    def axes(self, blocks: tuple[Block, ...]) -> dict[str, int | None]:
        """None: there are only batch and channel."""
        refuse_infinite(self, blocks)
        return {}

    def act(self, field_type: FieldType, g: Tensor, x: Tensor, order: int) -> Tensor:
        return turn_fibres(field_type, g, x)

    def restrict(self, subgroup: Group) -> Self:
        return type(self)(subgroup)

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

    in_clouds = True
    maps = "enn.PointConv or enn.Linear"

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
        self.group.check(g, "g", positions)
        g = (g if g.dim() == 3 else g[None]).to(positions)
        return torch.einsum("zij,zj->zi", g, positions)
