"""Modules in a row, with their types compared. Before: ``pool``."""

from collections import OrderedDict

from torch import nn

from equinet.field import FieldType


class Sequential(nn.Sequential):
    """``torch.nn.Sequential`` that refuses neighbours whose field types do not fit.

    Plain torch modules may stand anywhere; types are compared between equivariant modules with only
    such modules in between. ``in_type`` and ``out_type`` are those of the first and last of them.

    Raises:
        ValueError: if the output of a module has another type than the next one takes.
    """

    def __init__(self, *args: nn.Module | OrderedDict[str, nn.Module]) -> None:
        super().__init__(*args)
        previous: nn.Module | None = None
        for name, module in self.named_children():
            if not isinstance(getattr(module, "in_type", None), FieldType):
                continue
            if previous is not None:
                _compare(previous, module, name)
            previous = module

    @property
    def in_type(self) -> FieldType | None:
        return next((m.in_type for m in self if hasattr(m, "in_type")), None)

    @property
    def out_type(self) -> FieldType | None:
        typed = [m for m in self if hasattr(m, "in_type")]
        return typed[-1].out_type if typed else None


def _compare(previous: nn.Module, module: nn.Module, name: str) -> None:
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
