"""Gates that stand anywhere among the channels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.nn import EquivariantModule
from equinet.nn.layout import laid_out


class ChannelGates(EquivariantModule):
    r"""Fields that are multiplied by functions of gates, wherever these stand.

    .. math:: t_k = \sigma(x_{g(k)} - b_{n(k)}), \qquad y_c = x_{f(c)}\, t_{k(c)}

    It is what the gated nonlinearities of escnn are: each gate has a learned bias, and a gate may
    be a function on cosets, whose values multiply the parts of an induced field. An ``nn.Gate`` has
    the gates first, and none for scalars; its biases are those of the layer before it.

    Args:
        in_type: the fields, with the gates.
        out_type: fields over the same space; the gates t_k first, if they are kept.
        function: sigma, elementwise.
        gates: g, the channel of each gate.
        biases: n, the number of the bias of each gate.
        fields: f, the channel of x for each channel that is gated.
        numbers: k, the number of its gate.
        order: of the channels, the gates before those that are gated, as they come out; None if the
            gates do not come out.
        device, dtype: of the module, as in ``torch.nn``.
    Shape:
        ``in_type.shape(batch, ...)`` to ``out_type.shape(batch, ...)``.
    """

    gates: Tensor
    biases: Tensor
    fields: Tensor
    numbers: Tensor

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        function: nn.Module,
        *,
        gates: Sequence[int],
        biases: Sequence[int],
        fields: Sequence[int],
        numbers: Sequence[int],
        order: Sequence[int] | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_type, out_type)
        self.aliases = in_type.space.is_band_limited
        self.function = function
        self._places = {"gates": gates, "biases": biases, "fields": fields, "numbers": numbers}
        if order is not None:
            self._places["order"] = order
        self.bias = nn.Parameter(torch.empty(max(biases) + 1))
        self.reset_parameters()
        self.set_constants()
        self.place(device, dtype)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """B = 0; nothing is drawn."""
        nn.init.zeros_(self.bias)

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        return {name: torch.tensor(places) for name, places in self._places.items()}

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        b = self.bias.index_select(0, self.biases).view(-1, *[1] * (x.dim() - 2))
        t = self.function(x.index_select(1, self.gates) - b)
        y = x.index_select(1, self.fields) * t.index_select(1, self.numbers)
        order = self._buffers.get("order")
        if order is not None:
            y = torch.cat([t, y], 1).index_select(1, order)
        return laid_out(y, x)
