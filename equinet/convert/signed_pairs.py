"""A function of each number and of its negative."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.nn import EquivariantModule
from equinet.nn.arguments import check_elementwise
from equinet.nn.layout import laid_out


class SignedPairs(EquivariantModule):
    r"""A function of each number and of its negative, side by side.

    .. math:: y_{2c} = \sigma(x_c), \qquad y_{2c + 1} = \sigma(-x_c)

    Where components change their sign, the two values are exchanged. It is the concatenated
    nonlinearity of escnn; an ``nn.Pointwise`` takes odd functions only of such fields.

    Args:
        in_type: fields whose components are permuted up to a sign.
        out_type: fields over the same space with two components for each of the input.
        function: sigma, elementwise.
    Shape:
        ``in_type.shape(batch, ...)`` to ``out_type.shape(batch, ...)``.
    Raises:
        ValueError: if the function is not elementwise.
    """

    def __init__(self, in_type: FieldType, out_type: FieldType, function: nn.Module) -> None:
        super().__init__(in_type, out_type)
        self.aliases = in_type.space.is_band_limited
        check_elementwise(function, "function", [1] * out_type.channels, len(in_type.axes))
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        return laid_out(self.function(torch.stack([x, -x], 2).flatten(1, 2)), x)
