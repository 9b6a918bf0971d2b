r"""What every equivariant module is: a ``torch.nn.Module`` that knows its types.

In: field types. Out: the noun Module. Before: ``field``, ``steerable``. Next: ``sphere_conv``.
"""

from equinet.field import FieldType
from equinet.numerics import Constants


class EquivariantModule(Constants):
    r"""A map Phi between feature maps with Phi(g f) = g Phi(f) for all g in G.

    ``forward`` takes and returns plain tensors; the types say what they mean.

    Attributes:
        in_type: type of the input.
        out_type: type of the output, or None for plain vectors that G leaves unchanged.
        aliases: whether the output has degrees that the grid cannot hold, so that the equation
            holds up to that error only.
    """

    in_type: FieldType
    out_type: FieldType | None
    aliases = False

    def __init__(self, in_type: FieldType, out_type: FieldType | None) -> None:
        super().__init__()
        for name, value in (("in_type", in_type), ("out_type", out_type)):
            if not isinstance(value, FieldType) and not (name == "out_type" and value is None):
                raise TypeError(f"{name}: expected a FieldType, got {type(value).__name__}")
        self.in_type, self.out_type = in_type, out_type

    def extra_repr(self) -> str:
        if self.out_type is None or self.out_type == self.in_type:
            return repr(self.in_type)
        return f"{self.in_type!r} -> {self.out_type!r}"
