"""From functions on a finite group to vectors."""

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.group.subgroups import check_finite
from equinet.nn.layout import laid_out
from equinet.nn.module import EquivariantModule
from equinet.nn.plain import graph
from equinet.rep import regular, vector


class VectorFieldPool(EquivariantModule):
    r"""The largest value of a function on H, as a vector in the direction where it is taken.

    .. math:: f \mapsto f(h^*)\, h^* e_1, \qquad h^* = \arg\max_h f(h)

    A regular field of a finite group becomes a vector: [rho(g) f](h) = f(g^-1 h) has its maximum at
    g h*, so the vector turns with g. e_1 is the unit vector along the first axis. Where several
    elements have the largest value, as in a flat background, h* e_1 is the mean of their vectors.

    Args:
        in_type: regular fields of a finite group.
    Shape:
        ``in_type.shape(batch, ...)`` to ``out_type.shape(batch, ...)``, with a vector for each
        field.
    Raises:
        ValueError: for other fields.

    Example:
        >>> from equinet.field import Plane
        >>> VectorFieldPool(Plane("C8").fields("4x regular")).out_type
        Plane('C8').fields('4x vector')
    """

    directions: Tensor

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type, _vectors(in_type))
        self.set_constants()

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        group = check_finite(self.in_type.space.fibre_group)
        return {"directions": group.elements[:, :, 0]}

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        # All blocks are alike: (batch, field, element of the group, ...).
        f = x.unflatten(1, (-1, self.in_type.dims[0]))
        value = f.amax(2, keepdim=True)
        largest = (f == value).to(x.dtype)
        axes = [1] * len(self.in_type.space.axes(self.in_type.blocks))
        directions = self.directions.to(x.dtype)
        coordinates = [directions[:, i].view(-1, *axes) for i in range(self.out_type.dims[0])]
        sums = [(largest * d).sum(2, keepdim=True) for d in coordinates]
        y = torch.cat(sums, 2) * (value / largest.sum(2, keepdim=True))
        return laid_out(y.flatten(1, 2), x)

    def export(self) -> nn.Module:
        """A graph of plain torch functions."""
        return graph(self)


def _vectors(in_type: FieldType) -> FieldType:
    """Each regular field replaced by a vector."""
    if not isinstance(in_type, FieldType):
        raise TypeError(f"in_type: expected a FieldType, got {type(in_type).__name__}")
    group = in_type.space.fibre_group
    for _, rho in in_type.blocks:
        if not group.is_finite or rho != regular(group):
            raise ValueError(
                f"in_type: expected regular fields of a finite group, got {rho!r} in {in_type!r}"
            )
    return FieldType(in_type.space, tuple((mul, vector(group)) for mul, _ in in_type.blocks))
