"""Modules in a row, with their types compared. Before: ``pool``."""

from itertools import pairwise
from typing import Any

from torch import nn

from equinet.field import FieldType


class Sequential(nn.Sequential):
    """``torch.nn.Sequential`` that refuses neighbours whose field types do not fit.

    Plain torch modules may stand anywhere; types are compared between equivariant modules with only
    such modules in between. ``in_type`` and ``out_type`` are those of the first and last of them.

    Raises:
        ValueError: if the output of a module has another type than the next one takes.
    """

    in_type: Any = None
    out_type: Any = None

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._compare_all()

    def append(self, module: nn.Module) -> "Sequential":
        before = dict(self._modules)
        super().append(module)
        self._compare_all(before)
        return self

    def insert(self, index: int, module: nn.Module) -> "Sequential":
        before = dict(self._modules)
        super().insert(index, module)
        self._compare_all(before)
        return self

    def __setitem__(self, index: int, module: nn.Module) -> None:  # pyright: ignore
        before = dict(self._modules)
        super().__setitem__(index, module)
        self._compare_all(before)

    def extend(self, sequential: Any) -> "Sequential":
        for module in sequential:
            self.append(module)
        return self

    def _compare_all(self, before: dict[str, Any] | None = None) -> None:
        """Compare all neighbours; where they do not fit, the modules are those of ``before``."""
        typed = [(name, module) for name, module in self.named_children() if _is_typed(module)]
        try:
            for (_, previous), (name, module) in pairwise(typed):
                _compare(previous, module, name)
        except ValueError:
            if before is not None:
                self._modules.clear()
                self._modules.update(before)
            raise
        if typed:
            self.in_type, self.out_type = typed[0][1].in_type, typed[-1][1].out_type


def _is_typed(module: Any) -> bool:
    return isinstance(getattr(module, "in_type", None), FieldType)


def _compare(previous: Any, module: Any, name: str) -> None:
    given, wanted = previous.out_type, module.in_type
    if given == wanted:
        return
    label = f"module {name} ({type(module).__name__})"
    if given is None:
        raise ValueError(
            f"{label}: expected {wanted!r}, got plain vectors from {type(previous).__name__}; "
            "it has to come before the pooling"
        )
    if given.blocks == wanted.blocks:
        mend = f"let both be sampled at one band, {given.space} or {wanted.space}"
    else:
        mend = f"put a convolution from {given!r} to {wanted!r} between them"
    raise ValueError(
        f"{label}: expected {wanted!r}, got {given!r} from {type(previous).__name__}; {mend}"
    )
