"""Fields that are multiplied by one function of space."""

from __future__ import annotations

import torch
from torch import Tensor

from equinet.field import FieldType
from equinet.nn import EquivariantModule


class Masked(EquivariantModule):
    """Fields times an invariant function on a grid of one size, such as a disc.

    Args:
        in_type: fields over a grid.
        mask: float64, ``(*sizes)``, which the symmetries of the grid leave as it is.
    Shape:
        ``in_type.shape(batch, *sizes)`` to the same.
    """

    mask: Tensor

    def __init__(self, in_type: FieldType, mask: Tensor) -> None:
        super().__init__(in_type, in_type)
        self._mask = mask
        self.set_constants()

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        return {"mask": self._mask}

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        if x.shape[2:] != self.mask.shape:
            raise ValueError(
                f"x: expected sizes {tuple(self.mask.shape)}, those of the mask, got "
                f"{tuple(x.shape[2:])}"
            )
        return x * self.mask
