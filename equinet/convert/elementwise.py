"""Functions of each number, as modules."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_MODULES: dict[Callable[..., Tensor], type[nn.Module]] = {
    F.silu: nn.SiLU,
    F.relu: nn.ReLU,
    torch.relu: nn.ReLU,
    torch.tanh: nn.Tanh,
    F.tanh: nn.Tanh,
    torch.sigmoid: nn.Sigmoid,
    F.sigmoid: nn.Sigmoid,
    F.softplus: nn.Softplus,
    F.gelu: nn.GELU,
}


class Elementwise(nn.Module):
    """A function of each number, times a constant.

    Args:
        function: elementwise.
        factor: the constant.
    """

    def __init__(self, function: Callable[[Tensor], Tensor], factor: float = 1.0) -> None:
        super().__init__()
        self.function, self.factor = function, factor

    def forward(self, x: Tensor) -> Tensor:
        """The function times the constant."""
        return self.factor * self.function(x)

    def extra_repr(self) -> str:
        name = getattr(self.function, "__name__", None)
        return f"factor={self.factor:g}" if name is None else f"{name}, factor={self.factor:g}"


def plain(function: Callable[[Tensor], Tensor]) -> nn.Module:
    """The module of ``torch.nn`` for a function, a copy of one that is a module, or a wrapper."""
    if isinstance(function, nn.Module):
        return copy.deepcopy(function)
    return _MODULES[function]() if function in _MODULES else Elementwise(function)
