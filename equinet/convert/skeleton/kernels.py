"""The partners of layers with kernels, and what stands behind the map.

In: a convolution or a linear layer. Out: ``Piece``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from equinet import nn as enn
from equinet.convert.skeleton import layers as known
from equinet.convert.skeleton.code import Call
from equinet.convert.skeleton.costs import invariants, kernel_counts, kernels
from equinet.convert.skeleton.pieces import Piece, Written, short
from equinet.convert.skeleton.steps import Value
from equinet.convert.skeleton.widths import Width, together
from equinet.field import FieldType
from equinet.nn.centred import Centred
from equinet.nn.requirements import check_alike, grid_of
from equinet.numerics.arguments import per_axis


class Kernels(Written):
    """What mixes channels."""

    def convolution(self, module: Any) -> list[Piece]:  # noqa: ANN401 - one of six classes
        """A convolution or a transposed one."""
        into, out = self.fields(self.x), self.fields(self.step.out)
        up = isinstance(module, known.TRANSPOSED)
        kind = getattr(enn, type(module).__name__)
        given = known.options(module)
        folded = self.step.extra.get("padding")
        if folded is not None:
            given["padding"], given["padding_mode"] = folded
        self.check_alike(given, ("kernel_size", "dilation", "padding"))
        groups = self._groups(module, into, out)
        counts = kernel_counts(into, out, given["kernel_size"], given["dilation"])
        bias = module.bias is not None
        parameters = kernels(counts, into, out) // groups + bias * invariants(out)
        taps = math.prod(given["kernel_size"])
        points = math.prod(self.x.sizes if up else self.step.out.sizes)
        flops = 2 * points * taps * into.channels * out.channels // groups
        names = ("stride", "padding", "output_padding", "dilation", "padding_mode")
        values = {name: short(given[name]) for name in names if name in given}
        parts = known.arguments(kind, values | {"groups": groups, "bias": bias})
        if _is_depthwise(module) and len(into.blocks) == 1:  # at any width
            shown = f"groups={self.called(self.x)}.copies"
            parts = [shown if part == f"groups={groups}" else part for part in parts]
        size = repr(short(given["kernel_size"]))
        comment = ", ".join(filter(None, [self.step.name, self.off_centre(module, given)]))
        ends = (self.called(self.x), self.called(self.step.out), size)
        return [Piece(Call(f"enn.{kind.__name__}", (*ends, *parts), comment), parameters, flops)]

    def check_alike(self, given: dict[str, Any], names: Sequence[str]) -> None:
        """Raise ValueError if the group exchanges axes along which a layer is not the same."""
        space = grid_of(self.fields(self.x))
        for name in names:
            if name in given and not isinstance(given[name], str):
                check_alike(space, name, per_axis(given[name], space.n))

    def _groups(self, module: Any, into: FieldType, out: FieldType) -> int:  # noqa: ANN401
        """Of a convolution; as many as there can be for a depthwise one."""
        if module.groups == 1:
            return 1
        counts = [mul for fields in (into, out) for mul, _ in fields.blocks]
        if _is_depthwise(module):
            return math.gcd(*counts)
        if any(count % module.groups for count in counts):
            raise known.refused(
                self.step.name, type(module).__name__,
                f"{module.groups} groups do not divide the fields {into} and {out}", "groups=1",
            )  # fmt: skip
        return module.groups

    def off_centre(self, module: Any, given: dict[str, Any]) -> str:  # noqa: ANN401
        """What a comment says of a layer that leaves the centre of its grid."""
        sizes = " x ".join(map(str, self.x.sizes))
        if isinstance(module, known.TRANSPOSED):
            lopsided = any(given["output_padding"])
            return "lopsided, with output_padding at one end" if lopsided else ""
        n = len(self.x.sizes)
        padding = given["padding"]
        if padding == "same":
            pairs = zip(given["dilation"], given["kernel_size"], strict=True)
            odd = any(d * (k - 1) % 2 for d, k in pairs)
            return "lopsided, with an even filter that keeps the size" if odd else ""
        padding = 0 if padding == "valid" else padding
        rows = [per_axis(given.get(key, 1), n) for key in ("kernel_size", "stride", "dilation")]
        fields = together(self.x.row, self.types)
        centred = Centred(
            fields, "", rows[0], rows[1], per_axis(padding, n), rows[2],
            ceil_mode=given.get("ceil_mode", False),
        )  # fmt: skip
        return f"off the centre of {sizes}" if centred.wrong_axes(self.x.sizes) else ""

    def linear(self, module: nn.Linear) -> list[Piece]:
        """A linear layer at every point."""
        return [self.mixing(self.fields(self.x), self.step.out, module.bias is not None)]

    def mixing(self, into: FieldType, out: Value, bias: bool = True) -> Piece:
        """``enn.Linear`` at every point."""
        fields = self.fields(out)
        one = (1,) * len(self.x.sizes)
        counts = kernel_counts(into, fields, one, one)
        parameters = kernels(counts, into, fields) + bias * invariants(fields)
        flops = 2 * math.prod(self.x.sizes) * into.channels * fields.channels
        parts = (self.called(out), *known.arguments(enn.Linear, {"bias": bias}))
        comment = self.step.name if isinstance(self.step.kind, nn.Linear) else "for the gates"
        return Piece(self.made(enn.Linear, *parts, comment=comment), parameters, flops)

    def of_vectors(self, module: Any) -> list[Piece]:  # noqa: ANN401 - what may stand behind maps
        """A plain layer of invariants."""
        count, text = self._features()
        is_linear = isinstance(module, nn.Linear)
        names: dict[type[nn.Module], str] = {
            nn.Linear: "in_features", nn.BatchNorm1d: "num_features",
            nn.LayerNorm: "normalized_shape", nn.RMSNorm: "normalized_shape",
        }  # fmt: skip
        if isinstance(module, nn.PReLU) and module.num_parameters > 1:
            names[nn.PReLU] = "num_parameters"
        changes = {names[type(module)]: text} if type(module) in names else {}
        call = replace(known.plain(module, **changes), comment=self.step.name * is_linear)
        if is_linear:
            out = module.out_features
            bias = out if module.bias is not None else 0
            return [Piece(call, count * out + bias, 2 * count * out)]
        learned = len(list(module.parameters()))
        single = isinstance(module, nn.PReLU) and module.num_parameters == 1
        return [Piece(call, learned * (1 if single else count))]

    def _features(self) -> tuple[int, str]:
        """How many numbers a vector has, and how the code says it."""
        count, parts, number = 0, [], 0
        for part in self.x.row:
            if isinstance(part, Width):
                fields = together([part], self.types)
                count += fields.copies
                text = self.name(fields)
                parts.append(f"({text}).copies" if "+" in text else f"{text}.copies")
            else:
                count, number = count + part, number + part
        if number:
            parts.append(str(number))
        return count, " + ".join(parts)


def _is_depthwise(module: Any) -> bool:  # noqa: ANN401 - a convolution
    """Whether each channel is convolved on its own."""
    return 1 < module.groups == module.in_channels == module.out_channels
