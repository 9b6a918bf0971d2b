"""What a field type needs to know of a space, and what the spaces have in common.

In: groups, representations. Out: the protocol Space.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from equinet.group import Group, named_group
from equinet.rep.fibres import Block


class Space(Protocol):
    """A homogeneous space G/H with a sampling: what a field type needs to know of it."""

    @property
    def fibre_group(self) -> Group:
        """H, which acts on the fibres."""
        ...

    def axes(self, blocks: tuple[Block, ...]) -> dict[str, int | None]:
        """Names and sizes of the axes after batch and channel; None is any size.

        Raises:
            ValueError: if the space cannot sample such blocks.
        """
        ...


def acting_group(group: Group | str, n: int, space: str) -> Group:
    """The group, or the one of that name, which must act on R^n.

    Raises:
        TypeError: if ``group`` is neither a group nor a name.
        ValueError: if there is no such group, or its matrices have another size.
    """
    if isinstance(group, str):
        return named_group(group, n)
    if not isinstance(group, Group):
        raise TypeError(f"group: expected a Group or its name, got {type(group).__name__}")
    if group.n != n:
        raise ValueError(
            f"group: a {space} needs a group of {n} x {n} matrices, got {group} of "
            f"{group.n} x {group.n} matrices"
        )
    return group


def refuse_infinite(space: Space, blocks: tuple[Block, ...]) -> None:
    """Raise ValueError if a fibre has no finite dimension, which only the sphere can sample."""
    for _, rho in blocks:
        if rho.is_regular:
            raise ValueError(
                f"blocks: fibres over {space} need a finite dimension, got {rho!r}, all functions "
                "on the group; use band-limited ones, such as 'regular(3)', or a finite subgroup"
            )


def check_elements(group: Group, g: Tensor, x: Tensor) -> None:
    """Raise unless ``g`` is one element of the group, or one for each sample of ``x``."""
    group.check(g, "g", x)
