"""A plain network, read step by step.

In: what it computes. Out: ``Step``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import nn

from equinet.convert.skeleton import layers as known
from equinet.convert.skeleton.joins import Joins
from equinet.convert.skeleton.operations import DROP_PATHS, Operation
from equinet.convert.skeleton.steps import Step, Value
from equinet.convert.skeleton.widths import Width, leaves_of
from equinet.field import FieldType
from equinet.nn import shuffled

_SAME = ("contiguous", "clone", "detach", "to", "float", "double", "type_as", "identity")
_SHAPES = ("flatten", "view", "reshape", "squeeze", "unsqueeze", "getitem")
_TURNS = ("permute", "transpose", "movedim", "moveaxis", "swapaxes")


def read(
    model: nn.Module, operations: list[Operation], in_type: FieldType, out_type: FieldType | None
) -> list[Step]:
    """The steps of a plain network between fields.

    Args:
        model: the network, of which learned factors are read.
        operations: its steps; the first is the input, the last gives the output.
        in_type: of the input.
        out_type: of the output, where it is a map; None for invariants.
    Returns:
        The steps in order.
    Raises:
        ValueError: for a step that has no equal, with its path and what is nearest.
    """
    reader = _Reader(model, operations, in_type)
    for number in range(1, len(operations)):
        if number not in reader.absorbed:
            reader.values[number] = reader.value(number)
    reader.finish(out_type)
    return reader.steps


class _Reader(Joins):
    """What knows each layer."""

    def value(self, number: int) -> Value:
        """What an operation gives."""
        self.number, self.operation = number, self.operations[number]
        if number in self.squeezes:
            return self.squeezed(self.squeezes[number])
        module = known.layer(self.operation)
        if module is not None:
            if isinstance(self.operation.kind, nn.Module):
                self.check(module)
                if len(self.operation.args) > 1 or self.operation.kwargs:
                    raise self.refusal("it is called with more than its input", "one argument")
            return self._by_kind(module)(module)
        word = str(self.operation.kind)
        if self.operation.parameter:
            return Value(-1, ())
        functions: dict[str, Callable[[], Value]] = {
            "add": self.sum, "sub": self.sum, "mul": self.product, "truediv": self.product,
            "cat": self.concatenation, "mean": self.mean, "max": self.mean, "pad": self.pad,
        } | dict.fromkeys(_SHAPES, self.reshaped) | dict.fromkeys(_TURNS, self.turned) | (
            dict.fromkeys(_SAME, self.same)
        )  # fmt: skip
        if word not in functions:
            raise known.no_equal(self.operation)
        return functions[word]()

    def finish(self, out_type: FieldType | None) -> None:
        """Let what comes out be what is wanted, invariants by default."""
        out = self.values[len(self.operations) - 1]
        self.operation = self.operations[-1]
        if out.pooled or out.padding:
            raise self.refusal("it ends the network", "enn.GlobalAvgPool")
        if out.positions > 1:
            raise self.refusal("positions of a map come out", "a map as the output")
        if out.last:
            raise self.refusal("channels stand last in the output", "a permute less")
        if out_type is not None and out.sizes:
            self._give(leaves_of(out.row), out_type)
        for leaf in leaves_of([part for part in out.row if isinstance(part, Width)]):
            leaf.fixed = leaf.fixed or self.space.fields(f"{leaf.channels}x trivial")

    def _give(self, leaves: list[Width], out_type: FieldType) -> None:
        """Let the output be these fields."""
        channels = sum(leaf.channels for leaf in leaves)
        if channels != out_type.channels:
            raise ValueError(
                f"out_fields: expected {channels} channels, as the model gives, got "
                f"{out_type.channels} of {str(out_type)!r}"
            )
        first, *others = leaves
        if others or first.fixed not in (None, out_type):
            known_as = "a row of several maps" if others else f"{first.fixed}, by other steps"
            raise ValueError(
                f"out_fields: expected None for an output that is {known_as}, got {str(out_type)!r}"
            )
        first.fixed = out_type

    # --- layers ------------------------------------------------------------------------------

    def _by_kind(self, module: nn.Module) -> Callable[[Any], Value]:
        kinds: list[tuple[Any, Callable[[Any], Value]]] = [
            ((*known.CONVOLUTIONS, *known.TRANSPOSED), self._convolved),
            (nn.Linear, self._linear),
            ((*known.BATCH_NORMS, *known.INSTANCE_NORMS, nn.GroupNorm), self._normed),
            (known.LAST_NORMS, self._normed_last),
            (known.ACTIVATIONS, self._activated),
            ((*known.AVERAGES, *known.MAXIMA), self._windows),
            ((*known.ADAPTIVE_AVERAGES, *known.ADAPTIVE_MAXIMA), self._adaptive),
            (known.UPSAMPLES, self._upsampled),
            (known.SHARES, self._shares),
            (nn.Flatten, lambda _: self.reshaped()),
            (nn.Identity, lambda _: self.same()),
            (known.PADS, self.pad),
            (nn.PixelShuffle, self._shuffled),
        ]
        return next((road for kind, road in kinds if isinstance(module, kind)), self._kept)

    def _convolved(self, module: Any) -> Value:  # noqa: ANN401 - one of six classes
        x = self.input()
        padding = x.padding
        if padding is not None:
            x = replace(x, padding=None)
            amounts, mode = padding
            own = module.padding if isinstance(module.padding, tuple) else (1,)
            if any(own) and not mode == module.padding_mode == "zeros":
                raise self.refusal("what comes before pads it too", "one padding")
            padding = tuple(a + b for a, b in zip(amounts, own, strict=True)), mode
        else:
            x = self.map()
        if x.last or len(x.sizes) != len(module.kernel_size):
            raise self.refusal(f"its input is no map of {len(module.kernel_size)} axes", "a map")
        if len(set(module.stride)) > 1:
            raise self.refusal(
                f"its stride {module.stride} leads to a grid of another shape",
                f"stride={max(module.stride)}, or a skeleton that you edit by docs/guide/unet.md",
            )
        factor = self.shuffle()
        row: tuple[Width, ...] = (Width(module.out_channels // max(1, factor**2)),)
        groups = module.groups
        if groups > 1 and groups == module.in_channels == module.out_channels:
            row = x.row
            for leaf in leaves_of(row):
                leaf.whole = True
        elif groups > 1:
            for leaf in leaves_of([*x.row, *row]):
                leaf.quantum = math.lcm(leaf.quantum, groups)
        out = Value(0, row, self.outer(), gates=self.is_activated(), shuffled=factor)
        return self.add(module, (x,), out, padding=padding)

    def _shuffled(self, module: nn.PixelShuffle) -> Value:
        x = self.map()
        if x.shuffled != module.upscale_factor:
            raise self.refusal(
                "the group permutes the pixels of a block, and so the channels that become them",
                "enn.PixelShuffle behind a convolution to enn.shuffled(h), or enn.Upsample",
            )
        try:
            shuffled(self.space.fields("1x trivial"), module.upscale_factor)
        except ValueError as error:  # of the group
            why = str(error).removeprefix("factor: ").partition("; ")[0]
            raise self.refusal(f"it {why}", "enn.Upsample, or a smaller group") from error
        return self.add(module, (x,), replace(x, shuffled=0, sizes=self.outer()))

    def _linear(self, module: nn.Linear) -> Value:
        x = self.input()
        if not x.sizes:
            return self.add(module, (x,), Value(0, (module.out_features,)))
        if not x.last:
            raise self.refusal("it mixes the positions of a map", "a convolution")
        out = replace(x, row=(Width(module.out_features),), gates=self.is_activated())
        return self.add(module, (x,), out)

    def _normed(self, module: Any) -> Value:  # noqa: ANN401 - one of seven classes
        x = self.input()
        if not x.sizes:
            if not isinstance(module, nn.BatchNorm1d):
                raise self.refusal("its input are invariants", "nn.LayerNorm")
            return self.add(module, (x,), x)
        x = self.map()
        if isinstance(module, known.INSTANCE_NORMS) and module.track_running_stats:
            raise self.refusal("running statistics make it a batch norm", "enn.BatchNorm(h)")
        if isinstance(module, nn.GroupNorm):
            for leaf in leaves_of(x.row):
                leaf.quantum = math.lcm(leaf.quantum, module.num_groups)
        return self.add(module, (x,), x)

    def _normed_last(self, module: nn.LayerNorm | nn.RMSNorm) -> Value:
        x = self.input()
        if x.sizes and not (x.last and len(module.normalized_shape) == 1):
            raise self.refusal("it has numbers of its own for each position", "enn.GroupNorm(h, 1)")
        return self.add(module, (x,), x)

    def _activated(self, module: nn.Module) -> Value:
        x = self.input()
        if x.sizes:
            x = self.map()
        return self.add(module, (x,), replace(x, gates=False))

    def _kept(self, module: nn.Module) -> Value:
        """Dropout of some kind."""
        x = self.input()
        chance = getattr(module, "drop_prob", getattr(module, "p", 0))
        if not chance:
            return x
        if not x.sizes and type(module).__name__ in DROP_PATHS:
            raise self.refusal("its input are invariants", "nn.Dropout")
        x = replace(x, pooled="") if x.pooled else x
        return replace(self.add(module, (x,), x), pooled=self.input().pooled)

    def _windows(self, module: Any) -> Value:  # noqa: ANN401 - one of six classes
        x = self.map()
        if getattr(module, "return_indices", False):
            raise self.refusal("the place of a maximum moves with the fields", "enn.MaxPool")
        stride = module.stride
        if isinstance(stride, tuple) and len(set(stride)) > 1:
            raise self.refusal(
                f"its stride {stride} leads to a grid of another shape", "enn.AvgPool"
            )
        return self.add(module, (x,), replace(x, sizes=self.outer()))

    def _adaptive(self, module: nn.Module) -> Value:
        x = self.map()
        sizes = self.outer()
        if sizes == x.sizes:
            return x
        mean = isinstance(module, known.ADAPTIVE_AVERAGES)
        if set(sizes) == {1}:
            return replace(x, sizes=sizes, pooled="avg" if mean else "max", gates=False)
        if not mean:
            raise self.refusal("windows of a maximum have no equal", "enn.MaxPool")
        return self.add(module, (x,), replace(x, sizes=sizes))

    def _upsampled(self, module: nn.Upsample) -> Value:
        x = self.map()
        sizes = self.outer()
        if sizes == x.sizes:
            return x
        factors = [new / old for new, old in zip(sizes, x.sizes, strict=True)]
        whole = len(set(factors)) == 1 and factors[0] == int(factors[0])
        nearest = module.mode in ("nearest", "nearest-exact")
        if module.mode in ("bicubic", "area") or min(factors) < 1 or nearest and not whole:
            raise self.refusal(
                f"mode {module.mode!r} by factors {factors} is not here",
                "enn.Upsample(h, 2), or enn.Downsample(h, 2)",
            )
        factor = int(factors[0]) if whole and not module.align_corners else None
        return self.add(module, (x,), replace(x, sizes=sizes), factor=factor, nearest=nearest)

    def _shares(self, module: Any) -> Value:  # noqa: ANN401 - one of four classes
        x = self.input()
        if x.sizes:
            x = self.map()
            if getattr(module, "dim", 1) not in (1, -len(x.sizes) - 1) or x.last:
                raise self.refusal("it mixes the positions of a map", "nn.Softmax(1)")
            for leaf in leaves_of(x.row):
                leaf.fixed = leaf.fixed or self.space.fields(f"{leaf.channels}x trivial")
        return self.add(module, (x,), replace(x, gates=False))
