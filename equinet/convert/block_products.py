"""Sums of products between blocks of fields."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.nn import EquivariantModule, Product

Ends = tuple[int, int, int]  # numbers of the blocks on the left, on the right, of the output


class BlockProducts(EquivariantModule):
    r"""A sum of products, each between one block on the left, one on the right, one of the output.

    .. math:: z_o = \sum_{(i, j, o)} P_{ijo}(x_i, y_j)

    It is what e3nn's ``TensorProduct`` is for any list of instructions "uvw" and "uvu"; a
    ``Product`` has all paths.

    Args:
        in_type: the left fields.
        right_type: the right fields, over the same space.
        out_type: fields over the same space; blocks that no product leads to are zero.
        products: (i, j, o) and P for each.
    Shape:
        As ``Product``.
    """

    def __init__(
        self,
        in_type: FieldType,
        right_type: FieldType,
        out_type: FieldType,
        products: Sequence[tuple[Ends, Product]],
    ) -> None:
        super().__init__(in_type, out_type)
        self.right_type = right_type
        self.ends = [ends for ends, _ in products]
        self.products = nn.ModuleList(product for _, product in products)

    @property
    def argument_types(self) -> dict[str, FieldType]:
        return {"y": self.right_type}

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """The sum of the products.

        Args:
            x: the left fields, ``in_type.shape(batch, ...)``.
            y: the right fields, ``right_type.shape(batch, ...)``.
        Returns:
            ``out_type.shape(batch, ...)``.
        """
        self.check(x)
        self.right_type.check(y, "y")
        left = [x[:, part] for part in self.in_type.slices]
        right = [y[:, part] for part in self.right_type.slices]
        terms: list[list[Tensor]] = [[] for _ in self.out_type.blocks]
        for (i, j, o), product in zip(self.ends, self.products, strict=True):
            terms[o].append(product(left[i], right[j]))
        parts = [
            sum(some[1:], some[0])
            if some
            else x.new_zeros(x.shape[0], part.stop - part.start, *x.shape[2:])
            for some, part in zip(terms, self.out_type.slices, strict=True)
        ]
        return torch.cat(parts, 1)

    def extra_repr(self) -> str:
        return f"{self.in_type!r} x {self.right_type!r} -> {self.out_type!r}"
