"""Some of the fields, in an order of their own."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.nn.layout import laid_out
from equinet.nn.module import EquivariantModule
from equinet.nn.plain import graph
from equinet.numerics.arguments import check_integer
from equinet.rep.representation import Representation


class Select(EquivariantModule):
    r"""Some of the fields, in an order of their own.

    .. math:: (f_0, \dots, f_{n - 1}) \mapsto (f_{i_0}, \dots, f_{i_{k - 1}})

    With ``Concat`` the fields of each kind go through layers of their own, as in the example, and
    come together again.

    Args:
        in_type: fields over any space.
        fields: their numbers i, from 0, counted over all blocks: of "2x regular + 3x trivial" the
            trivial ones are ``range(2, 5)``. One may stand several times.
    Shape:
        ``in_type.shape(batch, ...)`` to ``out_type.shape(batch, ...)``, in which neighbours of one
        representation are one block.
    Raises:
        TypeError: if ``fields`` is no row of numbers.
        ValueError: if it is empty, or a number is none of a field.

    Example:
        >>> from equinet import Plane, nn
        >>> h = Plane("D4").fields("4x trivial + 2x vector")
        >>> scalars, vectors = nn.Select(h, range(4)), nn.Select(h, [4, 5])
        >>> nn.Concat(
        ...     nn.Sequential(scalars, nn.ReLU(scalars.out_type)),
        ...     nn.Sequential(vectors, nn.NormActivation(vectors.out_type)),
        ... ).out_type
        Plane('D4').fields('4x trivial + 2x vector')
    """

    channels: Tensor

    def __init__(self, in_type: FieldType, fields: Iterable[int]) -> None:
        super().__init__(in_type, in_type)
        if not isinstance(fields, Iterable) or isinstance(fields, str):
            raise TypeError(
                f"fields: expected the numbers of fields, such as range(2), got {fields!r}"
            )
        self.fields = tuple(fields)
        last = in_type.copies - 1
        for number in self.fields:
            check_integer(number, "fields", 0, last)
        if not self.fields:
            raise ValueError(f"fields: expected at least one of 0 to {last}, got none")
        each = [rho for mul, rho in in_type.blocks for _ in range(mul)]
        self.out_type = FieldType(in_type.space, blocks_of([each[i] for i in self.fields]))
        self._channels = _channels(in_type, self.fields)
        first = self._channels[0]
        steps = range(first, first + len(self._channels))
        self.start = first if self._channels == [*steps] else None  # of channels in a row
        self.set_constants()

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        return {} if self.start is not None else {"channels": torch.tensor(self._channels)}

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        if self.start is not None:
            return laid_out(x.narrow(1, self.start, len(self._channels)), x)
        return laid_out(x.index_select(1, self.channels), x)

    def export(self) -> nn.Module:
        """A graph of plain torch functions."""
        return graph(self)


def blocks_of(fields: Sequence[Representation]) -> tuple[tuple[int, Representation], ...]:
    """Blocks of the fields in a row, in which equal neighbours are together.

    Args:
        fields: the representation of each.
    Returns:
        Pairs of a multiplicity and a representation.
    """
    blocks: list[tuple[int, Representation]] = []
    for rho in fields:
        if blocks and blocks[-1][1] == rho:
            blocks[-1] = blocks[-1][0] + 1, rho
        else:
            blocks.append((1, rho))
    return tuple(blocks)


def _channels(in_type: FieldType, fields: Iterable[int]) -> list[int]:
    """The channels of these fields, one field after the other."""
    pairs = zip(in_type.blocks, in_type.dims, strict=True)
    dims = [dim for (mul, _), dim in pairs for _ in range(mul)]
    ends = list(itertools.accumulate(dims))
    return [k for i in fields for k in range(ends[i] - dims[i], ends[i])]
