"""The data type of a feature map: a space and a list of (multiplicity, representation).

In: representations and strings. Out: the noun FieldType.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, fx

from equinet.field.notation import format_blocks, parse_blocks
from equinet.group.group import check_group
from equinet.numerics.arguments import check_integer
from equinet.numerics.cached import on_cpu
from equinet.numerics.deprecation import warn_renamed
from equinet.numerics.pages import explained
from equinet.numerics.values import came
from equinet.rep import Fibre, Representation
from equinet.rep.fibres import Block

if TYPE_CHECKING:
    from equinet.field.space import Space

# What a space must say of itself; ``Space`` has defaults for all but the first four.
_SPACE = (
    "group", "fibre_group", "axes", "act", "fields", "noise", "room", "weights", "grid", "keeps",
    "restrict", "bridge", "is_parallel", "in_clouds", "is_band_limited", "noise_options", "maps",
    "page",
)  # fmt: skip


@dataclass(frozen=True)
class FieldType:
    r"""What a feature map is: fields over ``space`` whose fibres transform by representations of H.

    .. math:: [g f](x) = \rho(g) f(g^{-1} x)

    Channels are the blocks in order; a block is multiplicity-major: (copy, component).

    Attributes:
        space: where the fields live.
        blocks: (multiplicity, representation) in order.
    """

    space: Space
    blocks: tuple[Block, ...]

    @on_cpu
    def __post_init__(self) -> None:
        _check_space(self.space)
        check_group(self.space.group)
        if not isinstance(self.blocks, Iterable):
            raise TypeError(
                f"blocks: expected pairs (multiplicity, representation), got {self.blocks!r}"
            )
        blocks = tuple(_pair(block, i) for i, block in enumerate(self.blocks))
        if not blocks:
            raise ValueError(
                "blocks: expected at least one (multiplicity, representation), got none"
            )
        for mul, rho in blocks:
            check_integer(mul, "multiplicity")
            if not isinstance(rho, Representation):
                raise TypeError(
                    f"representation: expected a Representation, got {type(rho).__name__}"
                )
            if rho.group != self.space.fibre_group:
                raise ValueError(
                    f"representation: fields over {self.space} need a representation of "
                    f"{self.space.fibre_group}, got {rho!r}"
                )
        axes = self.space.axes(blocks)
        if not isinstance(axes, dict):
            raise TypeError(
                f"space: expected axes as a dict of names and sizes, got {axes!r} from {self.space}"
            )
        object.__setattr__(self, "blocks", blocks)

    @classmethod
    @on_cpu
    def over(cls, space: Space, blocks: str | Iterable[Block]) -> FieldType:
        """The type with these blocks.

        Args:
            space: where the fields live.
            blocks: a string such as "4x0 + 2x1", or a list of pairs (multiplicity, representation).
        Returns:
            The type.
        Raises:
            TypeError: if ``blocks`` is neither, or ``space`` is no space.
            ValueError: if the string does not parse or the blocks do not fit the space.
        """
        _check_space(space)
        if isinstance(blocks, str):
            return cls(space, parse_blocks(blocks, space.fibre_group))
        if not isinstance(blocks, Iterable):
            raise TypeError(
                "blocks: expected a string such as '4x0 + 2x1' or a list of pairs (multiplicity, "
                f"representation), got {blocks!r}"
            )
        return cls(space, tuple(blocks))

    @property
    def is_sampled(self) -> bool:
        """Whether the fields are functions on the whole group, sampled on a grid of it."""
        return all(rho.is_sampled for _, rho in self.blocks)

    @property
    def is_regular(self) -> bool:
        """The old name of ``is_sampled``."""
        warn_renamed("is_regular", "is_sampled")
        return self.is_sampled

    @property
    def axes(self) -> dict[str, int | None]:
        """Names and sizes of the axes after batch and channel; None is any size."""
        return self.space.axes(self.blocks)

    @property
    def open_axes(self) -> tuple[str, ...]:
        """Names of the axes of any size, those that ``shape`` and ``random_field`` must be told."""
        return tuple(name for name, size in self.axes.items() if size is None)

    @property
    def has_points(self) -> bool:
        """Whether there is a space to average over: axes, or points of clouds along the batch."""
        return bool(self.axes) or self.space.in_clouds

    @property
    def channels(self) -> int:
        """Size of the channel axis; a sampled regular field takes one channel and more axes."""
        return self.slices[-1].stop

    @property
    def slices(self) -> tuple[slice, ...]:
        """The range of channels of each block."""
        ranges, start = [], 0
        for mul, rho in self.blocks:
            stop = start + mul * (1 if rho.is_sampled else rho.dim)
            ranges.append(slice(start, stop))
            start = stop
        return tuple(ranges)

    @property
    def dims(self) -> tuple[int, ...]:
        """The number of channels of one copy of each block."""
        return tuple(1 if rho.is_sampled else rho.dim for _, rho in self.blocks)

    @property
    def copies(self) -> int:
        """The number of fields: of all copies of all blocks."""
        return sum(mul for mul, _ in self.blocks)

    def split(self, x: Tensor) -> list[Tensor]:
        """The blocks of feature maps as views, ``(batch, multiplicity, dim, ...)`` each.

        Raises:
            TypeError: if ``x`` is not a tensor.
            ValueError: if it has another number of channels.
        """
        if not isinstance(x, Tensor | fx.Proxy):
            raise TypeError(f"x: expected a tensor, got {came(x)}")
        if isinstance(x, Tensor) and x.layout != torch.strided:
            raise TypeError(f"x: expected a dense tensor, got one of layout {x.layout}")
        if isinstance(x, Tensor) and (x.dim() < 2 or x.shape[1] != self.channels):
            raise ValueError(
                f"x: expected (batch, {self.channels}, ...) for {self!r}, got {tuple(x.shape)}"
            )
        parts = x.split(
            [mul * dim for (mul, _), dim in zip(self.blocks, self.dims, strict=True)], 1
        )
        return [
            part.unflatten(1, (mul, dim))
            for part, (mul, _), dim in zip(parts, self.blocks, self.dims, strict=True)
        ]

    @property
    def fibre(self) -> Fibre:
        """The space of values at one point, with the action of H on it."""
        return Fibre(self.blocks)

    def rho(self, g: Tensor) -> Tensor:
        r"""What ``g`` does to all channels at one point, a block diagonal matrix.

        Args:
            g: elements of H, ``(..., n, n)``.
        Returns:
            ``(..., channels, channels)``, in the dtype and on the device of ``g``.
        Raises:
            TypeError: if ``g`` is not a tensor.
            ValueError: for sampled regular fields, whose fibre has no finite dimension, and if
                ``g`` are not elements of H.
        """
        if not isinstance(g, Tensor):
            raise TypeError(f"g: expected a tensor of elements, got {came(g)}")
        return self.fibre(g)

    def shape(self, batch: int, *sizes: int) -> tuple[int, ...]:
        """Shape of a batch of feature maps of this type.

        Args:
            batch: number of feature maps; over ``Points``, of points.
            sizes: of the ``open_axes``.
        Returns:
            ``(batch, channels, *axes)``.
        Raises:
            TypeError: if the batch or a size is not an integer.
            ValueError: if one is negative, or there are more or fewer sizes than open axes.
        """
        _check_size("batch", batch)
        for size in sizes:
            _check_size("sizes", size)
        free = self.open_axes
        if len(sizes) != len(free):
            names = f"one for each axis ({', '.join(free)})" if free else "none"
            raise ValueError(f"sizes: {self!r} expected {names}, got {sizes}")
        rest = iter(sizes)
        fixed = (next(rest) if size is None else size for size in self.axes.values())
        return (batch, self.channels, *fixed)

    def check(self, x: Tensor, argument: str = "x") -> None:
        """Raise unless ``x`` has the shape and kind of a batch of such feature maps.

        Args:
            x: what is checked.
            argument: its name in the error.
        Raises:
            TypeError: if ``x`` is not a tensor, or not real floating.
            ValueError: if its shape is another one.
        """
        if not isinstance(x, Tensor):
            raise TypeError(f"{argument}: expected a real floating tensor, got {came(x)}")
        if not x.is_floating_point():
            raise TypeError(f"{argument}: expected a real floating tensor, got {x.dtype}")
        if x.layout != torch.strided:
            raise TypeError(f"{argument}: expected a dense tensor, got one of layout {x.layout}")
        axes = {"channel": self.channels, **self.axes}
        # A size may be symbolic: compared with !=, never looked up in a tuple.
        if x.dim() != 1 + len(axes) or any(
            size is not None and size != actual
            for size, actual in zip(axes.values(), x.shape[1:], strict=True)
        ):
            names = ", ".join(["batch", *axes])
            sizes = ", ".join(
                ["batch", *("any" if size is None else str(size) for size in axes.values())]
            )
            text = f"{argument}: expected ({names}) = ({sizes}) for {self!r}, got {tuple(x.shape)}"
            if x.dim() == len(axes):
                text += f"; a single sample is {argument}[None]"
            elif self.space.page and x.shape[1] == self.channels:
                text = explained(text, self.space.page)
            raise ValueError(text)

    def __add__(self, other: FieldType) -> FieldType:
        """The direct sum: the channels of ``self``, then those of ``other``.

        Raises:
            TypeError: if the other is not a FieldType.
            ValueError: if its fields live over another space.
        """
        if not isinstance(other, FieldType):
            return NotImplemented
        if other.space != self.space:
            raise ValueError(
                f"+: expected fields over the same space, got {self.space} and {other.space}"
            )
        return FieldType(self.space, self.blocks + other.blocks)

    def __str__(self) -> str:
        return format_blocks(self.blocks)

    def __repr__(self) -> str:
        return f"{self.space}.fields({str(self)!r})"


def _check_space(space: object) -> None:
    """Raise TypeError unless it can be the space of a field type."""
    lacking = [name for name in _SPACE if not hasattr(type(space), name)]
    if len(lacking) == len(_SPACE):
        raise TypeError(f"space: expected one such as Plane('C8'), got {space!r}")
    if lacking:
        raise TypeError(
            f"space: expected a subclass of equinet.field.Space, got {type(space).__name__} "
            f"without {', '.join(lacking[:4])}"
        )
    if type(space).__hash__ is None:
        raise TypeError(
            f"space: expected a value that can be hashed, such as a frozen dataclass, got {space!r}"
        )


def _check_size(name: str, value: object) -> None:
    """Raise unless it is an integer >= 0; one of a compiled program may be symbolic."""
    if isinstance(value, bool) or not isinstance(value, int | torch.SymInt):
        raise TypeError(f"{name}: expected integers >= 0, got {value!r}")
    if value < 0:
        raise ValueError(f"{name}: expected integers >= 0, got {value!r}")


def check_type(field_type: object, argument: str = "field_type") -> None:
    """Raise TypeError unless it is a field type."""
    if not isinstance(field_type, FieldType):
        raise TypeError(f"{argument}: expected a FieldType, got {type(field_type).__name__}")


def _pair(block: Block, index: int) -> Block:
    """The block as a tuple; ValueError unless it has two entries."""
    if not isinstance(block, tuple | list) or len(block) != 2:
        raise ValueError(
            f"blocks: expected pairs (multiplicity, representation), got {block!r} at index {index}"
        )
    mul, rho = block
    return mul, rho
