"""A plain network as steps between fields, whose numbers are open.

In: what a plain network computes. Out: ``Step``, whose values have widths.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from equinet.convert.skeleton import layers as known


@dataclass(frozen=True)
class Value:
    """What a step gives: fields on a grid, or a vector of invariants.

    Attributes:
        number: of the step that gives it; 0 is the input.
        row: the widths of its channels, in order; of a vector also numbers of features.
        sizes: of the grid; empty for a vector.
        last: whether the channels of the plain tensor stand behind the axes of space.
        gates: whether a gate follows, for which there are more scalars where it needs them.
        shuffled: pixels along an axis that its channels become, or 0.
        pooled: "avg" or "max" if the plain tensor is already the pool of this map.
        positions: of the map that was flattened into this vector.
        padding: what the plain tensor has more at both ends of each axis, and how it was made.
    """

    number: int
    row: tuple[Any, ...]
    sizes: tuple[int, ...] = ()
    last: bool = False
    gates: bool = False
    shuffled: int = 0
    pooled: str = ""
    positions: int = 1
    padding: tuple[tuple[int, ...], str] | None = None


@dataclass(frozen=True)
class Step:
    """A layer or a join of the skeleton to be.

    Attributes:
        name: of the plain module or function.
        kind: the plain module, or a word: "add", "sub", "mul", "cat", "scale", "head", "squeeze",
            "layer_scale".
        inputs: what it takes.
        out: what it gives.
        layers: the plain modules that learn here.
        extra: what its kind needs beside.
    """

    name: str
    kind: nn.Module | str
    inputs: tuple[Value, ...]
    out: Value
    layers: tuple[nn.Module, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """What the plain layers learn."""
        return sum(p.numel() for layer in self.layers for p in layer.parameters())

    @property
    def flops(self) -> int:
        """Of the plain layers for one sample, two for each multiplication and addition."""
        total = 0
        for layer in self.layers:
            if isinstance(layer, (*known.CONVOLUTIONS, *known.TRANSPOSED, nn.Linear)):
                up = isinstance(layer, known.TRANSPOSED)
                sizes = self.inputs[0].sizes if up else self.out.sizes
                points = 1 if self.kind == "squeeze" else math.prod(sizes)
                total += 2 * layer.weight.numel() * points
        return total

    @property
    def unread(self) -> int:
        """Weights of a plain ``Linear`` for positions that are averaged here."""
        if not isinstance(self.kind, nn.Linear) or self.inputs[0].positions == 1:
            return 0
        numbers = self.kind.weight.numel()
        return numbers - numbers // self.inputs[0].positions
