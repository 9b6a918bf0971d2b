"""Gates: fields that are multiplied by functions of scalars."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.nn.arguments import check_elementwise
from equinet.nn.layout import laid_out
from equinet.nn.module import EquivariantModule
from equinet.nn.plain import graph
from equinet.ops import relu
from equinet.rep import trivial


class Gate(EquivariantModule):
    r"""Scalars pass through a function, and every other field is multiplied by a gate.

    .. math:: s \mapsto \text{function}(s), \qquad (t, f) \mapsto \text{gate}(t)\, f

    t is a scalar of its own for each field f, so this commutes with G for every representation.
    Scalars are the fields that H leaves alone; a field that changes its sign is gated like the
    others. The gates t are the first channels of the input, which ``gated`` makes room for.

    Over the sphere the result has degrees above the band, so the equivariance is approximate there.

    Args:
        out_type: the fields without their gates; ``in_type`` is ``gated(out_type)``.
        function: of the scalars, elementwise.
        gate: of the gates, elementwise.
    Shape:
        ``in_type.shape(batch, ...)`` to ``out_type.shape(batch, ...)``.
    Raises:
        ValueError: for fields sampled on the whole group, which are functions: use ``ReLU``; if a
            function is not elementwise.
        TypeError: if it is no function.

    Example:
        >>> from equinet.field import Volume
        >>> gate = Gate(Volume("SO(3)").fields("16x0 + 8x1 + 4x2"))
        >>> gate.in_type
        Volume('SO(3)').fields('12x trivial + 16x0 + 8x1 + 4x2')
    """

    def __init__(
        self,
        out_type: FieldType,
        function: Callable[[Tensor], Tensor] = relu,
        gate: Callable[[Tensor], Tensor] = torch.sigmoid,
    ) -> None:
        super().__init__(_gated(out_type, "out_type"), out_type)
        self.aliases = out_type.space.is_band_limited
        self.function, self.gate = function, gate
        self.gates = [0 if rho.is_trivial else mul for mul, rho in out_type.blocks]
        self.shapes = [
            (mul, dim) for (mul, _), dim in zip(out_type.blocks, out_type.dims, strict=True)
        ]
        axes = len(out_type.space.axes(out_type.blocks))
        check_elementwise(gate, "gate", [1] * max(1, sum(self.gates)), axes)
        scalars = zip(self.shapes, self.gates, strict=True)
        for count in {mul * dim for (mul, dim), gates in scalars if not gates} or {1}:
            check_elementwise(function, "function", [1] * count, axes)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        # One split, so that the backward pass writes its gradient once.
        first, *parts = x.split([sum(self.gates), *(mul * dim for mul, dim in self.shapes)], 1)
        gates = self.gate(first).unsqueeze(2).split(self.gates, 1)
        # A gate acts on all components of its field alike: axes (batch, field, component, ...).
        parts = [
            (part.unflatten(1, shape) * t).flatten(1, 2) if used else self.function(part)
            for part, shape, t, used in zip(parts, self.shapes, gates, self.gates, strict=True)
        ]
        return laid_out(torch.cat(parts, 1), x)

    def export(self) -> nn.Module:
        """A graph of plain torch functions."""
        return graph(self)


def gated(field_type: FieldType) -> FieldType:
    """The input of ``Gate(field_type)``: one scalar for each field that is none, then all fields.

    Raises:
        ValueError: for fields sampled on the whole group.

    Example:
        >>> from equinet.field import Plane
        >>> gated(Plane("D4").fields("4x trivial + 2x vector"))
        Plane('D4').fields('2x trivial + 4x trivial + 2x vector')
    """
    return _gated(field_type, "field_type")


def _gated(field_type: FieldType, name: str) -> FieldType:
    if not isinstance(field_type, FieldType):
        raise TypeError(f"{name}: expected a FieldType, got {type(field_type).__name__}")
    for _, rho in field_type.blocks:
        if rho.is_sampled:
            raise ValueError(
                f"{name}: expected fields of finite dimension, got {rho!r} in {field_type!r}; "
                "these are sampled functions, for which enn.ReLU serves"
            )
    count = sum(mul for mul, rho in field_type.blocks if not rho.is_trivial)
    if not count:
        return field_type
    gates = FieldType(field_type.space, ((count, trivial(field_type.space.fibre_group)),))
    return gates + field_type
