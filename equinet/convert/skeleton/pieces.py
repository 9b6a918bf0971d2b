"""Layers of a skeleton: a call with its cost, and what is known where one is written.

In: a step and the types of its widths. Out: ``Piece``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from equinet import nn as enn
from equinet.convert.skeleton import layers as known
from equinet.convert.skeleton.code import Call
from equinet.convert.skeleton.steps import Step, Value
from equinet.convert.skeleton.widths import Types, together
from equinet.field import FieldType
from equinet.numerics.arguments import is_row
from equinet.numerics.cached import cached


@dataclass(frozen=True)
class Piece:
    """A layer of the skeleton.

    Attributes:
        call: that makes it.
        parameters: numbers that it learns.
        flops: of a forward pass for one sample, as ``enn.summary`` counts them.
    """

    call: Call
    parameters: int = 0
    flops: int = 0


def is_permuted(fields: FieldType) -> bool:
    """Whether the group permutes the values, so that functions may act on each alone."""
    return all(rho.is_permutation for _, rho in fields.blocks)


class Written:
    """A step that is written down.

    Args:
        step: of the plain network.
        types: of the widths.
        name: what a type is called in the code.
    """

    def __init__(self, step: Step, types: Types, name: Callable[[FieldType], str]) -> None:
        self.step, self.types = step, types
        self.name = name
        self.x = step.inputs[0]

    def fields(self, value: Value) -> FieldType:
        """The type of a map, with the gates or the pixels that are in it."""
        found = together(value.row, self.types)
        if value.shuffled:
            return _shuffled(found, value.shuffled)
        return enn.gated(found) if self.has_gates(value) else found

    def has_gates(self, value: Value) -> bool:
        """Whether it has scalars for the gates of its other fields."""
        return value.gates and not is_permuted(together(value.row, self.types))

    def called(self, value: Value) -> str:
        """The name of the type of a map."""
        text = self.name(together(value.row, self.types))
        if value.shuffled:
            return f"enn.shuffled({text}, {value.shuffled})"
        return f"enn.gated({text})" if self.has_gates(value) else text

    def made(self, kind: type, *parts: str, comment: str = "", **values: object) -> Call:
        """The call of a layer of this library on the input."""
        options = known.arguments(kind, values)
        return Call(f"enn.{kind.__name__}", (self.called(self.x), *parts, *options), comment)


@cached(256)
def _shuffled(fields: FieldType, factor: int) -> FieldType:
    return enn.shuffled(fields, factor)


def short(sizes: object) -> object:
    """One number where all are the same; what is no row stays as it is."""
    if not is_row(sizes):
        return sizes
    return sizes[0] if len(set(sizes)) == 1 else tuple(sizes)
