"""The data type of a feature map: a space and a list of (multiplicity, representation).

In: representations and strings. Out: the noun FieldType. Before: ``rep``. Next: ``space``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from equinet.group import Group
from equinet.rep import Representation, named

Block = tuple[int, Representation]


class Space(Protocol):
    """A homogeneous space G/H with a sampling: what a field type needs to know of it."""

    @property
    def fibre_group(self) -> Group:
        """H, which acts on the fibres."""
        ...

    def axes(self, blocks: tuple[Block, ...]) -> dict[str, int]:
        """Names and sizes of the axes after batch and channel; refuses blocks it cannot sample."""
        ...


@dataclass(frozen=True)
class FieldType:
    r"""What a feature map is: fields over ``space`` whose fibres transform by representations of H.

    .. math:: [g f](x) = \\rho(g) f(g^{-1} x)

    Channels are the blocks in order; a block is multiplicity-major: (copy, component).

    Attributes:
        space: where the fields live.
        blocks: (multiplicity, representation) in order.
    """

    space: Space
    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        if not self.blocks:
            raise ValueError(
                "blocks: expected at least one (multiplicity, representation), got none"
            )
        for mul, rho in self.blocks:
            if not isinstance(mul, int) or mul < 1:
                raise ValueError(f"multiplicity: expected an integer >= 1, got {mul!r}")
            if not isinstance(rho, Representation):
                raise TypeError(
                    f"representation: expected a Representation, got {type(rho).__name__}"
                )
            if rho.group != self.space.fibre_group:
                raise ValueError(
                    f"representation: fields over {self.space} need a representation of "
                    f"{self.space.fibre_group}, got {rho!r}"
                )
        self.space.axes(self.blocks)

    @property
    def is_regular(self) -> bool:
        """Whether the fields are functions on the whole group (regular fibres throughout)."""
        return all(rho.is_regular for _, rho in self.blocks)

    @property
    def channels(self) -> int:
        """Size of the channel axis; a sampled regular field takes one channel and more axes."""
        return sum(mul * (1 if rho.is_regular else rho.dim) for mul, rho in self.blocks)

    def shape(self, batch: int) -> tuple[int, ...]:
        """Shape of a batch of feature maps of this type."""
        return (batch, self.channels, *self.space.axes(self.blocks).values())

    def check(self, x: Tensor, argument: str = "x") -> None:
        """Raise unless ``x`` has the shape and kind of a batch of such feature maps.

        Raises:
            TypeError: if ``x`` is not real floating.
            ValueError: if its shape is another one.
        """
        if not x.is_floating_point():
            raise TypeError(f"{argument}: expected a real floating tensor, got {x.dtype}")
        axes = self.space.axes(self.blocks)
        if x.dim() != 2 + len(axes) or x.shape[1:] != self.shape(0)[1:]:
            names = ", ".join(["batch", "channel", *axes])
            sizes = ", ".join(["batch", str(self.channels), *map(str, axes.values())])
            raise ValueError(
                f"{argument}: expected ({names}) = ({sizes}) for {self!r}, got {tuple(x.shape)}"
            )

    def __str__(self) -> str:
        return " + ".join(
            f"{mul}x{rho.name}" if rho.name[0].isdigit() else f"{mul}x {rho.name}"
            for mul, rho in self.blocks
        )

    def __repr__(self) -> str:
        return f"{self.space}.fields({str(self)!r})"


_TERM = re.compile(r"\s*(\d+)\s*x\s*([A-Za-z0-9_]+)\s*")


def parse_blocks(text: str, group: Group) -> tuple[Block, ...]:
    """Blocks from the string notation, such as "16x0 + 8x1" or "8x regular".

    Raises:
        ValueError: if the string does not parse; the message names the position.
    """
    blocks, position = [], 0
    for term in text.split("+"):
        where = f"at position {position} of {text!r}"
        match = _TERM.fullmatch(term)
        if match is None:
            raise ValueError(
                f"fields: expected terms like '16x0' or '8x regular' joined by '+', got {term!r} "
                f"{where}"
            )
        try:
            blocks.append((int(match[1]), named(group, match[2])))
        except ValueError as error:
            raise ValueError(f"fields: {error} {where}") from error
        position += len(term) + 1
    return tuple(blocks)
