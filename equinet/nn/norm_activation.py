"""Functions of the norm of a field."""

from collections.abc import Callable

import torch
from torch import Tensor, fx, nn

from equinet.field import FieldType
from equinet.nn.arguments import check_elementwise
from equinet.nn.layout import laid_out
from equinet.nn.module import EquivariantModule
from equinet.nn.plain import graph, wide
from equinet.nn.requirements import check_orthogonal
from equinet.numerics.arguments import check_flag, check_number
from equinet.numerics.values import check_floating
from equinet.ops import relu

_SMALLEST = 1e-18  # the square of a smaller epsilon would be 0 in single precision


class NormActivation(EquivariantModule):
    r"""A function of the norm of every field, which keeps its direction.

    .. math:: f \mapsto \frac{f}{n}\, \sigma(n + b), \qquad n = \sqrt{|f|^2 + \epsilon^2}

    b is learned, one a field. The norm is invariant where rho(h) is orthogonal. A scalar is a
    vector of one component: its sign stays and its absolute value is changed, so this is an odd
    function of it.

    With ``relu`` and b = 0, where it starts, the layer is the identity; b < 0 cuts fields that are
    shorter than -b. ``torch.sigmoid``, ``torch.nn.functional.softplus`` and ``squash`` are other
    choices. epsilon keeps all derivatives finite at f = 0, where f has no direction.

    Over the sphere the result has degrees above the band, so the equivariance is approximate there.

    Args:
        in_type: fields with orthogonal rho.
        function: sigma, elementwise.
        bias: learn b; else b = 0.
        eps: epsilon, in units of the field.
        device, dtype: of the module, as in ``torch.nn``.
    Raises:
        ValueError: if a rho is not orthogonal, or of infinite dimension, if ``function`` is not
            elementwise, or ``eps`` not above 1e-18.
        TypeError: if ``function`` is no function, or ``bias`` neither True nor False.
    """

    def __init__(
        self,
        in_type: FieldType,
        function: Callable[[Tensor], Tensor] = relu,
        bias: bool = True,
        eps: float = 1e-3,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_type, in_type)
        check_orthogonal(in_type)
        self.aliases = in_type.space.is_band_limited
        self.function, self.eps = function, check_number(eps, "eps", above=_SMALLEST)
        self.sizes: list[int] = list(in_type.dims)  # of what has a norm of its own
        self.ones = [1] * (2 + len(in_type.axes))  # part, component, space
        self.multiplicities = [mul for mul, _ in in_type.blocks]
        # It sees the norms of one block, (batch, copy, part, 1, ...).
        axes = 2 + len(in_type.axes)
        for count in set(self.multiplicities):
            check_elementwise(function, "function", [1] * count, axes)
        learned = check_flag(bias, "bias")
        self.bias = nn.Parameter(torch.empty(in_type.copies)) if learned else None
        self.reset_parameters()
        self.place(device, dtype)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """B = 0; nothing is drawn."""
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        y = wide(x)  # squares need the digits
        parts = self.in_type.split(y)
        biases = [None] * len(parts) if self.bias is None else self.bias.split(self.multiplicities)
        out = [
            self._activate(part.unflatten(2, (-1, size)), bias).flatten(1, 3)
            for part, size, bias in zip(parts, self.sizes, biases, strict=True)
        ]
        return laid_out(torch.cat(out, 1).to(x.dtype), x)

    def _activate(self, f: Tensor, bias: Tensor | None) -> Tensor:
        """Fields ``(batch, copy, part, component, ...)``, a bias for each copy."""
        norm = (f.square().sum(3, keepdim=True) + self.eps**2).sqrt()
        shifted = norm if bias is None else norm + bias.view(-1, *self.ones).to(norm)
        return f * (self.function(shifted) / norm)

    def export(self) -> nn.Module:
        """A graph of plain torch functions."""
        return graph(self)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, bias={self.bias is not None}, eps={self.eps:g}"


def squash(n: Tensor) -> Tensor:
    """n^2 / (1 + n^2), the nonlinearity of capsules, for ``NormActivation``."""
    if not isinstance(n, fx.Proxy):
        check_floating("n", n)
    square = n.square()
    return square / (1 + square)
