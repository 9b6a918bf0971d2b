r"""What every equivariant module is: a ``torch.nn.Module`` that knows its types.

In: field types. Out: the noun Module. Before: ``field``, ``steerable``. Next: ``plain``.
"""

import copy
import itertools

import torch
from torch import Tensor, nn

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

    def check(self, x: Tensor) -> None:
        """Raise unless ``x`` is a batch of fields of ``in_type``, where and as the module is.

        Raises:
            TypeError: if ``x`` is not real floating, or of another dtype than the module (under
                autocast torch casts both).
            ValueError: if its shape is another one, or it is on another device.
        """
        self.in_type.check(x)
        own = next((t for t in _tensors(self) if t.is_floating_point()), None)
        if own is None:
            return
        if own.device != x.device:
            raise ValueError(
                f"x: expected a tensor on {own.device}, where this {type(self).__name__} is, got "
                f"one on {x.device}"
            )
        if own.dtype != x.dtype and not torch.is_autocast_enabled(x.device.type):
            raise TypeError(
                f"x: expected {own.dtype} as this {type(self).__name__}, got {x.dtype}; use "
                f"module.to(x.dtype) or x.to({own.dtype})"
            )

    def export(self) -> nn.Module:
        """The equal module of plain ``torch.nn``, as it computes in evaluation mode.

        Filters are baked into ``torch.nn`` convolutions; what is no class of ``torch.nn`` but a few
        of its functions becomes a graph of these, see ``plain``. Others give a copy of themselves.
        """
        return copy.deepcopy(self).eval()

    def extra_repr(self) -> str:
        if self.out_type is None or self.out_type == self.in_type:
            return repr(self.in_type)
        return f"{self.in_type!r} -> {self.out_type!r}"


def _tensors(module: nn.Module):
    return itertools.chain(module.parameters(), module.buffers())
