"""The end of a map, and axes that change places.

In: operations of a plain network that look at shapes. Out: values.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch

from equinet.convert.skeleton import layers as known
from equinet.convert.skeleton.reading import Reading
from equinet.convert.skeleton.steps import Value
from equinet.convert.skeleton.widths import leaves_of

_PADDINGS = {
    "Zero": "zeros",
    "Constant": "zeros",
    "Reflection": "reflect",
    "Replication": "replicate",
}


class Shapes(Reading):
    """What looks at the shape of a map."""

    def same(self) -> Value:
        """What changes nothing here."""
        return self.input()

    def reshaped(self) -> Value:
        """Flatten, view, and what else may be the end of the map."""
        x, shape = self.input(), self.operation.shape
        old = self.operations[self.operation.args[0].number].shape
        if shape is not None and shape == old:
            return x
        channels = sum(leaf.channels for leaf in leaves_of(x.row)) if x.sizes else 0
        points = math.prod(x.sizes)
        plain_part = self.operation.kind == "getitem" and points > 1
        if x.sizes and points == 1 and shape and shape[:2] == (self.batch, channels) != shape:
            return x  # of the axes of one point some are left
        if not x.sizes or shape != (self.batch, channels * points) or plain_part:
            raise self.refusal(
                f"from {old} to {shape} channels and positions change places",
                "flatten at the end of the map, and a network that has no map behind it",
            )
        return self.head(x, x.pooled or "avg")

    def head(self, x: Value, how: str) -> Value:
        """Invariants in place of a map."""
        points = 1 if x.pooled else math.prod(x.sizes)
        if points > 1 and not x.number:
            raise self.refusal("no layer has looked at the map", "a convolution before it")
        x = self.map() if not x.pooled else replace(x, pooled="")
        x = replace(x, padding=None)
        return self.add("head", (x,), Value(0, x.row, positions=points), how=how)

    def turned(self) -> Value:
        """Channels behind space, or back."""
        x, shape = self.map(), self.operation.shape or ()
        channels = sum(leaf.channels for leaf in leaves_of(x.row))
        first, last = (self.batch, channels, *x.sizes), (self.batch, *x.sizes, channels)
        order = self._order(len(shape))
        there = (0, *range(2, len(shape)), 1)
        back = (0, len(shape) - 1, *range(1, len(shape) - 1))
        if (order, x.last) == (there, False) and shape == last:
            return replace(x, last=True)
        if (order, x.last) == (back, True) and shape == first:
            return replace(x, last=False)
        raise self.refusal("axes of a map change places", "a map whose axes keep their order")

    def _order(self, axes: int) -> tuple[int, ...]:
        """Which old axis each new one is."""
        given = self.operation.args[1:] or tuple(self.operation.kwargs.values())
        if len(given) == 1:
            given = tuple(given[0])
        source = torch.empty(*range(2, 2 + axes), device="meta")
        if self.operation.kind == "permute":
            moved = source.permute(*given)
        elif self.operation.kind in ("movedim", "moveaxis"):
            moved = source.movedim(*given)
        else:
            moved = source.transpose(*given)
        return tuple(size - 2 for size in moved.shape)

    def mean(self) -> Value:
        """Over all of space, or refused."""
        x, shape = self.input(), self.operation.shape
        dims = self.operation.kwargs.get("dim", (*self.operation.args[1:], None)[0])
        old = len(self.operations[self.operation.args[0].number].shape or ())
        dims = {d % old for d in (dims if isinstance(dims, tuple | list) else [dims or 0])}
        space = set(range(1, old - 1) if x.last else range(2, old))
        how = "avg" if self.operation.kind == "mean" else "max"
        if not x.sizes or x.padding or dims != space or shape is None:
            raise self.refusal("it is no mean or maximum over all of a map", "x.mean((2, 3))")
        if len(shape) == 2:
            return self.head(replace(x, pooled=how, last=False), how)
        return replace(x, pooled=how, sizes=(1,) * len(x.sizes), gates=False)

    def pad(self, module: Any = None) -> Value:  # noqa: ANN401 - one of twelve classes, or None
        """A padding, for the convolutions behind it."""
        x = self.map()
        if module is None:
            amounts = list(self.operation.args[1])
            mode = (*self.operation.args[2:], self.operation.kwargs.get("mode", "constant"))[0]
            value = (*self.operation.args[3:], self.operation.kwargs.get("value"))[0]
            mode = "zeros" if mode == "constant" else mode
        else:
            amounts, value = list(module.padding), getattr(module, "value", 0)
            kind = type(module).__name__.partition("Pad")[0]
            mode = _PADDINGS.get(kind, "circular")
        if not any(amounts):
            return x
        before, after = amounts[-2::-2], amounts[::-2]
        if before != after or len(before) != len(x.sizes) or value:
            raise self.refusal("it pads one end of an axis more than the other", "padding=")
        used = [known.layer(self.operations[i]) for i in self.users[self.number]]
        if not used or not all(isinstance(one, known.CONVOLUTIONS) for one in used):
            raise self.refusal("no convolution follows, of which it is the padding", "padding=")
        return replace(x, padding=(tuple(before), mode))
