"""Functions of values that are sampled, from coefficients to coefficients."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.nn import EquivariantModule
from equinet.nn.layout import laid_out


class SampledPointwise(EquivariantModule):
    r"""A function of the values that coefficients have on a grid.

    .. math:: \hat f \mapsto A^+ \sigma(A \hat f)

    An ``nn.FourierPointwise`` finds A and its quadrature from the group; this one is given both, as
    escnn made them.

    Args:
        in_type: fields of one representation.
        out_type: as many fields of one representation, over the same space.
        function: sigma, elementwise.
        synthesis: A, float64 ``(samples, dim in)``.
        analysis: its inverse, float64 ``(dim out, samples)``.
    Shape:
        ``in_type.shape(batch, ...)`` to ``out_type.shape(batch, ...)``.
    """

    synthesis: Tensor
    analysis: Tensor

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        function: nn.Module,
        synthesis: Tensor,
        analysis: Tensor,
    ) -> None:
        super().__init__(in_type, out_type)
        self.aliases = True
        self.function = function
        self._matrices = {"synthesis": synthesis, "analysis": analysis}
        self.set_constants()

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        return self._matrices

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        f = x.unflatten(1, (-1, self.synthesis.shape[1]))
        values = self.function(torch.einsum("ni,bci...->bcn...", self.synthesis, f))
        return laid_out(torch.einsum("in,bcn...->bci...", self.analysis, values).flatten(1, 2), x)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, samples={len(self.synthesis)}"
