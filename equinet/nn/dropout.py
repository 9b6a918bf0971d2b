"""Dropout of whole fields. Before: ``batch_norm``. Next: ``pool``."""

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.nn.field_norm import field_of
from equinet.nn.module import EquivariantModule


class FieldDropout(EquivariantModule):
    r"""In training, set whole fields to zero with probability p, and divide the others by 1 - p.

    All components of a field and all of space share one draw, for each sample, so the values that
    are left transform as before; ``torch.nn.Dropout3d`` on trivial fields. Over ``Points`` the
    first axis has points, and each point has its own draw.

    Args:
        in_type: fields over any space.
        p: the probability, from 0 to 1.
    """

    field_of: Tensor

    def __init__(self, in_type: FieldType, p: float = 0.5) -> None:
        super().__init__(in_type, in_type)
        if isinstance(p, bool) or not isinstance(p, int | float) or not 0 <= p <= 1:
            raise ValueError(f"p: expected a probability from 0 to 1, got {p!r}")
        self.p, self.fields = float(p), in_type.copies
        self.set_constants()

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        return {"field_of": field_of(self.in_type)}

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        if not self.training:
            return x
        kept = nn.functional.dropout(x.new_ones(x.shape[0], self.fields), self.p)
        kept = kept.index_select(1, self.field_of)
        return x * kept.view(*kept.shape, *[1] * (x.dim() - 2))

    def export(self) -> nn.Module:
        """``torch.nn.Identity``."""
        return nn.Identity()

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, p={self.p:g}"
