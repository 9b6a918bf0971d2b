"""Sums, products and rows of maps.

In: operations of a plain network that join others. Out: values.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from equinet.convert.skeleton.operations import Operand
from equinet.convert.skeleton.shapes import Shapes
from equinet.convert.skeleton.squeeze import Squeeze
from equinet.convert.skeleton.steps import Value
from equinet.convert.skeleton.widths import Width, leaves_of, unite


class Joins(Shapes):
    """What takes more than one map."""

    def operands(self) -> list[Value]:
        """Both operands, if both are results of steps."""
        return [self.values[arg.number] for arg in self.operation.args if isinstance(arg, Operand)]

    def sum(self) -> Value:
        """A sum or a difference of two maps."""
        values = self.operands()
        if self.operation.kwargs.get("alpha", 1) != 1 or len(self.operation.args) > 2:
            raise self.refusal("a factor of its own has no equal", "0.5 * x")
        if len(values) < 2 or any(value.number < 0 for value in values):
            raise self.refusal("a constant is added", "the bias of a layer")
        return self.joined(str(self.operation.kind), values)

    def joined(self, word: str, values: list[Value]) -> Value:
        """Two maps of the same type, value by value."""
        a, b = values
        if any(value.pooled or value.padding for value in values) or a.last != b.last:
            raise self.refusal("one of its operands is no map as it is", "two maps")
        if a.sizes != b.sizes or a.positions != b.positions:
            raise self.refusal(f"sizes {a.sizes} and {b.sizes} differ", "enn.SqueezeExcite")
        fields = [[part for part in value.row if isinstance(part, Width)] for value in values]
        same = a.row == b.row or all(
            len(f) == len(v.row) for f, v in zip(fields, values, strict=True)
        )
        if not same or not unite(tuple(fields[0]), tuple(fields[1])):
            raise self.refusal(
                "its operands have different channels", "a Linear before one of them"
            )
        a, b = replace(a, gates=False), replace(b, gates=False)
        return self.add(word, (a, b), a)

    def product(self) -> Value:
        """A map times a number, a learned factor, or a map."""
        values = self.operands()
        numbers = [arg for arg in self.operation.args if isinstance(arg, int | float)]
        if len(values) == 1 and numbers:
            number = numbers[0]
            if self.operation.kind == "truediv":
                if isinstance(self.operation.args[0], int | float):
                    raise self.refusal("a quotient by fields has no equal", "enn.Product")
                number = 1 / number
            x = self.map(values[0]) if values[0].sizes else values[0]
            return self.add("scale", (x,), replace(x, gates=False), number=number)
        if len(values) == 2 and self.operation.kind == "mul":
            if any(value.number < 0 for value in values):
                return self._factors(values)
            return self._gated(values)
        raise self.refusal("it is no product of two maps, nor of one with a number", "enn.Product")

    def _factors(self, values: list[Value]) -> Value:
        """A learned factor for each channel."""
        x, at = (values[0], 1) if values[1].number < 0 else (values[1], 0)
        name = self.operations[self.operation.args[at].number].name
        learned = dict(self.model.named_parameters()).get(name)
        channels = sum(leaf.channels for leaf in leaves_of(x.row)) if x.sizes else 0
        shape = self.operations[self.operation.args[at].number].shape or ()
        wanted = (channels,) if x.last else (channels, *[1] * len(x.sizes))
        shape = shape[1:] if shape[:1] == (1,) and len(shape) > len(wanted) else shape
        if learned is None or not x.sizes or shape != wanted or x.pooled or x.padding:
            raise self.refusal("a factor that is none of each channel", "enn.LayerScale(h)")
        holder = nn.Module()
        holder.weight = nn.Parameter(torch.empty(channels, device="meta"))
        start = float(f"{float(learned.detach().double().mean()):.6g}")
        x = replace(x, gates=False)
        return self.add("layer_scale", (x,), x, init=start, layers=(holder,))

    def _gated(self, values: list[Value]) -> Value:
        """Maps times a map of one channel, or, of values that are permuted, times each other."""
        a, b = values
        single = [v for v in values if v.sizes and [w.channels for w in leaves_of(v.row)] == [1]]
        if any(v.pooled or v.padding or not v.sizes for v in values) or a.sizes != b.sizes:
            raise self.refusal("its factors are no maps of one size", "enn.SqueezeExcite(h)")
        if a.last != b.last:
            raise self.refusal("one factor has its channels last", "two maps")
        if not single:
            return self.joined("mul", values)
        mask = single[-1]
        (leaf,) = leaves_of(mask.row)
        leaf.fixed = leaf.fixed or self.space.fields("1x trivial")
        x = a if mask is b else b
        x, mask = replace(x, gates=False), replace(mask, gates=False)
        return self.add("mul", (x, mask), x, mask=True)

    def concatenation(self) -> Value:
        """The channels of maps in a row."""
        operands, *rest = self.operation.args
        dim = (*rest, self.operation.kwargs.get("dim", 0))[0]
        values = [self.values[operand.number] for operand in operands]
        first = values[0]
        axis = len(first.sizes) + 1 if first.last or not first.sizes else 1
        axes = len(first.sizes) + 2 if first.sizes else 2
        if dim % axes != axis or any(v.pooled or v.padding for v in values):
            raise self.refusal("it joins other axes than the channels", "torch.cat(maps, 1)")
        if len({(v.sizes, v.last, v.positions) for v in values}) > 1:
            raise self.refusal("its maps have different sizes", "enn.Upsample(h, size=sizes)")
        row = tuple(part for value in values for part in value.row)
        inputs = tuple(replace(value, gates=False) for value in values)
        return self.add("cat", inputs, replace(first, row=row, gates=False))

    def squeezed(self, found: Squeeze) -> Value:
        """A map that is weighed by what it is on the whole."""
        x = self.values[found.source]
        if not x.sizes or x.pooled or x.padding or x.last:
            raise self.refusal("it weighs what is no map", "enn.SqueezeExcite(h)")
        self.operation = replace(self.operation, name=found.name)
        for module in found.layers:
            self.check(module)
        x = replace(x, gates=False)
        return self.add("squeeze", (x,), x, layers=found.layers, squeeze=found)
