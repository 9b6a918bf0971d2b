"""Fields taken apart into irreps, and put together again."""

from __future__ import annotations

import torch
from torch import Tensor

from equinet.field import FieldType
from equinet.numerics import Constant, Constants
from equinet.rep.fibres import change_blocks


class _IrrepParts(Constants):
    """The way between fields and the copies of each of their irreps, counted over all blocks.

    Args:
        fields: of finite dimension.

    Attributes:
        irreps: (copies, dimension) of each.
    """

    def __init__(self, fields: FieldType) -> None:
        super().__init__()
        self.fibre = fields.fibre
        self.blocks = [(mul, rho.dim) for mul, rho in fields.blocks]
        self.irreps = [(count, psi.dim) for psi, count in fields.fibre.counts.items()]
        self.set_constants()

    def _ordered(self, z: Tensor) -> Tensor:
        order = self._buffers.get("order")
        return z if order is None else z.index_select(0, order)


class SplitIrreps(_IrrepParts):
    """All copies of each irrep of the fields."""

    def constants(self, dtype: torch.dtype) -> dict[str, Constant]:
        found: dict[str, Constant] = {"inverse": self.fibre.matrices(inverse=True)}
        if self.fibre.permutation is not None:
            found["order"] = self.fibre.permutation.argsort()
        return found

    def forward(self, x: Tensor) -> list[Tensor]:
        """From ``(channels, points)`` all copies of each irrep: ``(copy, component, points)``."""
        z = change_blocks(x, 0, self.blocks, self.listed("inverse", gaps=True))
        parts = self._ordered(z).split([count * dim for count, dim in self.irreps])
        return [part.unflatten(0, size) for part, size in zip(parts, self.irreps, strict=True)]


class JoinIrreps(_IrrepParts):
    """Fields of the copies of each irrep, the inverse of ``SplitIrreps``."""

    def constants(self, dtype: torch.dtype) -> dict[str, Constant]:
        found: dict[str, Constant] = {"basis": self.fibre.matrices()}
        if self.fibre.permutation is not None:
            found["order"] = self.fibre.permutation
        return found

    def forward(self, terms: list[list[Tensor]], x: Tensor) -> Tensor:
        """The sum of the terms of each irrep, zero where there are none.

        Args:
            terms: for each irrep any number of ``(copy, component and point)``.
            x: ``(any, points)``, for the number of points, dtype and device.
        Returns:
            ``(channels, points)``.
        """
        parts = [
            sum(some[1:], some[0]).reshape(count * dim, x.shape[1])
            if some
            else x.new_zeros(count * dim, x.shape[1])
            for some, (count, dim) in zip(terms, self.irreps, strict=True)
        ]
        z = self._ordered(torch.cat(parts))
        return change_blocks(z, 0, self.blocks, self.listed("basis", gaps=True))
