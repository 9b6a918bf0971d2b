"""Modules in a row, with their types compared. Before: ``structure``. Next: ``summary``."""

from itertools import pairwise
from typing import Any

from torch import nn

from equinet.field import FieldType, HomogeneousSpace, Points, Sphere
from equinet.field.grid import Grid
from equinet.group.group import is_subgroup
from equinet.nn.structure import exported
from equinet.rep.fibre import Block


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

    def export(self) -> nn.Module:
        """``torch.nn.Sequential`` of the exported modules, in evaluation mode."""
        return exported(self).eval()

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
    raise ValueError(
        f"{label}: expected {wanted!r}, got {given!r} from {type(previous).__name__}; "
        f"{_mend(given, wanted, type(previous).__name__)}"
    )


def _mend(given: FieldType, wanted: FieldType, maker: str) -> str:
    """What would bring the two types together."""
    a, b = given.space, wanted.space
    if type(a) is not type(b):
        return _between_spaces(given, wanted)
    if isinstance(a, Sphere) and a != b:
        return f"let both be sampled at one band, {a} or {b}"
    if isinstance(a, HomogeneousSpace) and isinstance(b, HomogeneousSpace):
        if a.group != b.group:
            return f"let both be spaces of one group, {a.group} or {b.group}"
        return f"put enn.HomogeneousConv from {given!r} to {wanted!r} between them"
    if a.fibre_group != b.fibre_group:
        if is_subgroup(b.fibre_group, a.fibre_group):
            return f"put enn.Restrict({given!r}, {b.fibre_group.name!r}) between them"
        return f"let both have one group, {a.fibre_group} or {b.fibre_group}"
    if isinstance(a, Grid) and a != b:
        return f"let both have one spacing, that of {a} or of {b}"
    if _are_gates(given.blocks, wanted.blocks):
        return f"did you mean the output of {maker} to be {wanted!r}, with the gates: enn.gated(h)?"
    how = "a convolution"
    if isinstance(a, Grid):
        how = "a convolution or enn.Linear"
    elif not isinstance(a, Sphere):
        how = "enn.PointConv or enn.Linear" if isinstance(a, Points) else "enn.Linear"
    return f"put {how} from {given!r} to {wanted!r} between them"


def _between_spaces(given: FieldType, wanted: FieldType) -> str:
    if not wanted.space.axes(wanted.blocks):
        return f"enn.GlobalAvgPool({given!r}) leads from fields to vectors"
    return (
        f"no module leads from fields over {given.space} to fields over {wanted.space}; "
        "make both types over one space"
    )


def _are_gates(given: tuple[Block, ...], wanted: tuple[Block, ...]) -> bool:
    """Whether a block of scalars before the given blocks makes the wanted ones."""
    return wanted[1:] == given and wanted[0][1].is_trivial
