"""What the networks are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from typing import NamedTuple

from torch import Generator, Tensor, nn, relu

from equinet import nn as enn
from equinet.field import FieldType, Space
from equinet.numerics.arguments import check_memory, is_row

Norm = Callable[[FieldType], nn.Module]
Function = Callable[[Tensor], Tensor]

MOST = 1000  # layers, of anything


class Style(NamedTuple):
    """How a network goes from one type to another.

    Attributes:
        layer: makes a linear layer from two types, without a bias where a norm follows.
        norm: makes a norm from a type.
        function: of single values.
        generator: for the initial weights of the last layer.
    """

    layer: Callable[..., enn.EquivariantModule]
    norm: Norm = enn.BatchNorm
    function: Function = relu
    generator: Generator | None = None

    def block(self, x: FieldType, h: FieldType) -> enn.Sequential:
        """A layer from x to h, a norm, and the nonlinearity that the fields admit.

        Where the group permutes the components of all fields it is the function itself, else a
        ``Gate`` with the function of the scalars.
        """
        if not all(rho.is_sampled or rho.is_permutation for _, rho in h.blocks):
            return enn.gated_layer(self.layer, x, h, norm=self.norm, function=self.function)
        last = enn.ReLU(h) if self.function is relu else enn.Pointwise(h, self.function)
        return enn.Sequential(self.layer(x, h), self.norm(h), last)

    def last(self, x: FieldType, y: FieldType) -> nn.Module:
        """A layer alone, with its bias."""
        return self.layer(x, y, bias=True)

    def residual(self, h: FieldType) -> enn.Residual:
        """Two layers beside the identity."""
        return enn.Residual(enn.Sequential(self.block(h, h), self.layer(h, h), self.norm(h)))

    def head(self, x: FieldType, classes: int) -> list[nn.Module]:
        """As many invariant functions as there are fields, their means, and numbers of these."""
        scalars = x.space.fields(f"{x.copies}x trivial")
        check_memory(scalars.channels * classes, "classes", f"a last layer to {classes:,} numbers")
        last = nn.Linear(scalars.channels, classes)
        for parameter in last.parameters():  # as torch does, by the generator
            bound = scalars.channels**-0.5
            nn.init.uniform_(parameter, -bound, bound, generator=self.generator)
        return [self.block(x, scalars), enn.GlobalAvgPool(scalars), last]


class Step(NamedTuple):
    """The way between two levels of a U-Net.

    Attributes:
        down: makes layers from the types of the two levels, that lead from the first to the second.
        up: makes a module that leads from fields on the second level to those on the first.
    """

    down: Callable[[FieldType, FieldType], list[nn.Module]]
    up: Callable[[FieldType], nn.Module]


def ladder(
    style: Style, hidden: list[FieldType], steps: list[Step], blocks: int
) -> list[nn.Module]:
    """Layers on one level and, between them, those on the levels below, beside a skip.

    Args:
        style: of the layers.
        hidden: types of the levels from fine to coarse.
        steps: between them, one fewer.
        blocks: layers of each level on the way down.
    Returns:
        The modules, from the first type to itself.
    """
    h, *lower = hidden
    here: list[nn.Module] = [style.block(h, h) for _ in range(blocks)]
    if not lower:
        return here
    step, *others = steps
    up = step.up(lower[0])
    below = enn.Sequential(*step.down(h, lower[0]), *ladder(style, lower, others, blocks), up)
    both = enn.Concat(enn.Identity(h), below)
    assert both.out_type is not None  # its branches have one
    return [*here, both, style.block(both.out_type, h)]


def typed(space: Space, fields: FieldType | str, argument: str = "hidden") -> FieldType:
    """A type over a space, or the one of that name.

    Raises:
        TypeError: if it is neither.
        ValueError: for a type over another space.
    """
    if isinstance(fields, str):
        return space.fields(fields)
    if not isinstance(fields, FieldType):
        raise TypeError(f"{argument}: expected a field type or its name, got {fields!r}")
    if fields.space != space:
        raise ValueError(f"{argument}: expected fields over {space}, got {fields!r}")
    return fields


def check_norm(norm: object) -> None:
    """Raise TypeError unless it can make a norm of a type."""
    if not callable(norm):
        raise TypeError(f"norm: expected a class such as enn.BatchNorm, got {norm!r}")
    try:
        signature(norm).bind("in_type")
    except TypeError as error:
        raise TypeError(
            "norm: expected what makes a norm of a type alone, such as enn.BatchNorm or "
            f"functools.partial(enn.GroupNorm, num_groups=2), got {norm!r}: {error}"
        ) from error
    except ValueError:  # it does not say what it takes
        return


def check_hidden(hidden: object) -> Sequence[str | FieldType]:
    """The types of the levels, or their names.

    Raises:
        TypeError: for a single one, and for what are no types.
        ValueError: for none.
    """
    if not is_row(hidden) or not all(isinstance(h, str | FieldType) for h in hidden):
        raise TypeError(
            "hidden: expected the fields of each level, such as ['4x regular', '8x regular'], got "
            f"{hidden!r}"
        )
    if not hidden:
        raise ValueError("hidden: expected the fields of one level at least, got none")
    return hidden
