"""Gates of scalars of both parities, each block with functions of its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.nn import EquivariantModule
from equinet.nn.arguments import check_elementwise
from equinet.nn.layout import laid_out

Scalars = tuple[int, int, nn.Module]  # their first channel, how many they are, and their function


class BlockGates(EquivariantModule):
    r"""Scalars pass through functions, and every other field is multiplied by one of a scalar.

    .. math:: s_b \mapsto \phi_b(s_b), \qquad (t_b, f) \mapsto \phi_b(t_b)\, f

    It is what e3nn's ``Gate`` is: scalars and gates stand anywhere in the input, and may change
    their sign under a reflection, if their function is even or odd. An ``nn.Gate`` has one function
    for all scalars, one for all gates, and the gates first.

    Args:
        in_type: the fields, with the gates.
        out_type: fields over the same space: the scalars, then what is gated.
        scalars: each block of those, with its function.
        gates: the same for gates.
        gated: the first channel, the multiplicity and the dim of each block that is gated, in the
            order of the gates.
    Shape:
        ``in_type.shape(batch, ...)`` to ``out_type.shape(batch, ...)``.
    Raises:
        ValueError: if a function is not elementwise.
    """

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        scalars: Sequence[Scalars],
        gates: Sequence[Scalars],
        gated: Sequence[tuple[int, int, int]],
    ) -> None:
        super().__init__(in_type, out_type)
        self.aliases = in_type.space.is_band_limited
        self.scalars = [(start, count) for start, count, _ in scalars]
        self.gates = [(start, count) for start, count, _ in gates]
        self.gated = list(gated)
        self.functions = nn.ModuleList(function for *_, function in (*scalars, *gates))
        axes = len(in_type.space.axes(in_type.blocks))
        for _, count, function in (*scalars, *gates):
            check_elementwise(function, "function", [1] * count, axes)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        parts = [
            function(x.narrow(1, *place))
            for place, function in zip(self.scalars + self.gates, self.functions, strict=True)
        ]
        parts, gates = parts[: len(self.scalars)], parts[len(self.scalars) :]
        if gates:
            sizes = [mul for _, mul, _ in self.gated]
            by_field = torch.cat(gates, 1).unsqueeze(2).split(sizes, 1)
            for (start, mul, dim), t in zip(self.gated, by_field, strict=True):
                fields = x.narrow(1, start, mul * dim).unflatten(1, (mul, dim))
                parts.append((fields * t).flatten(1, 2))
        return laid_out(torch.cat(parts, 1), x)
