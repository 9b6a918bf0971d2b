"""What a plain network computes: its operations.

In: nothing. Out: ``Operation`` and ``Operand``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.fx.node import map_aggregate

PAGE = "guide/from_torch.md#from-a-model-of-yours"
DROP_PATHS = ("DropPath", "StochasticDepth")  # of timm and torchvision


@dataclass(frozen=True)
class Operation:
    """One step of a plain network.

    Attributes:
        name: of the module, as in ``named_modules``; of a function its name.
        kind: the module that is called, or the name of the function or method.
        args: its arguments, an ``Operand`` where it is the result of another step.
        kwargs: those by name.
        shape: of the result; None if that is no tensor.
        parameter: whether it is a tensor that the network holds.
    """

    name: str
    kind: nn.Module | str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    shape: tuple[int, ...] | None
    parameter: bool = False

    @property
    def operands(self) -> list[int]:
        """Numbers of the steps whose results it takes."""
        found: list[int] = []
        map_aggregate(
            (self.args, self.kwargs),
            lambda arg: found.append(arg.number) if isinstance(arg, Operand) else None,
        )
        return found


@dataclass(frozen=True)
class Operand:
    """The result of a step.

    Attributes:
        number: of the step.
    """

    number: int
