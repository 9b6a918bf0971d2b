"""Modules in a row, with their types compared."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from torch import Tensor, nn

from equinet.field import FieldType
from equinet.field.graph import Graph
from equinet.group.group import is_subgroup
from equinet.nn.module import is_source
from equinet.nn.plain import exported
from equinet.nn.surroundings import handed, surroundings, takes, takes_of
from equinet.nn.untyped import after, instead, keeps
from equinet.numerics.pages import explained
from equinet.rep.fibres import Block

F = TypeVar("F", bound=Callable[..., Any])


def _compared(change: F) -> F:
    """A method that changes the row: the types are compared after it, else nothing has changed."""

    @functools.wraps(change)
    def changed(self: Sequential, *args: object, **kwargs: object) -> object:
        if vars(self).get("_changes"):  # within another change
            return change(self, *args, **kwargs)
        before = dict(vars(self).get("_modules", {}))
        vars(self)["_changes"] = True
        try:
            result = change(self, *args, **kwargs)
            self.in_type, self.out_type, broken = _walk(self._modules)
            self._takes = {name: takes(part) for name, part in self._modules.items()}
        except Exception:
            self._modules.clear()
            self._modules.update(before)
            raise
        finally:
            vars(self)["_changes"] = False
        known = [module for _, module, _ in _walk(before)[2]] if broken else []
        lines = [
            f"module {name} ({type(module).__name__}) of plain torch is not known to keep the "
            f"symmetry of {fields!r}: {instead(module)}"
            for name, module, fields in broken
            if not any(module is other for other in known)
        ]
        if lines:
            page = "guide/from_torch.md#the-names-of-torchnn-and-ours"
            warnings.warn(explained("; ".join(lines), page), stacklevel=2)
        return result

    return changed  # pyright: ignore[reportReturnType]


class Sequential(nn.Sequential):
    """``torch.nn.Sequential`` that refuses neighbours whose field types do not fit.

    ``in_type`` is that of the first equivariant module, ``out_type`` that behind the last one.
    A module that makes fields of something else may come first, such as ``transforms.Sample`` of
    data or ``torch.nn.Embedding`` of species: it has an ``out_type`` only (an embedding makes
    invariants), and the row has no ``in_type`` then.

    Plain torch modules may stand behind these, where the fields have become plain vectors, and
    wherever they keep the symmetry: ``torch.nn.ReLU`` or ``Dropout`` where the group permutes the
    values, ``BatchNorm2d`` on scalars, ``AvgPool2d`` and ``Upsample`` on a grid. Of others it
    warns; ``enn.Typed`` marks one of which you know that it is equivariant.

    A network of points is called with their positions and graph too, ``net(x, positions, graph)``:
    each module gets, by the names of the arguments of its ``forward``, what it takes of
    ``positions``, ``graph`` or ``edges``, ``batch`` (the cloud of each point) and ``count``, and
    what else the row is called with by name, such as ``kind=``.

    Raises:
        ValueError: if the output of a module has another type than the next one takes.
        TypeError: for None as a module; in ``forward`` for an argument that no module takes.
    Warns:
        UserWarning: for a plain module that is not known to keep the symmetry of its fields.
    """

    in_type: Any = None
    out_type: Any = None
    _takes: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    __init__ = _compared(nn.Sequential.__init__)
    append = _compared(nn.Sequential.append)
    __setitem__ = _compared(nn.Sequential.__setitem__)
    __delitem__ = _compared(nn.Sequential.__delitem__)
    __imul__ = _compared(nn.Sequential.__imul__)

    @_compared
    def add_module(self, name: str, module: nn.Module | None) -> None:
        """Put a module at the end, under a name.

        Args:
            name: an attribute by which it is found.
            module: what comes last.
        Raises:
            ValueError: if its type does not fit.
        """
        super().add_module(name, module)

    @_compared
    def insert(self, index: int, module: nn.Module) -> Sequential:
        """Put a module between two others.

        Args:
            index: of the module before which it comes.
            module: what comes there.
        Returns:
            The row itself.
        Raises:
            ValueError: if its types do not fit.
        """
        super().insert(index, module)
        return self

    @_compared
    def extend(self, sequential: Iterable[nn.Module]) -> Sequential:
        for module in list(sequential):
            self.append(module)
        return self

    @_compared
    def __iadd__(self, other: nn.Sequential) -> Sequential:
        return super().__iadd__(nn.Sequential(*other) if other is self else other)

    def __add__(self, other: object) -> Sequential:
        return type(self)(*self, *other) if isinstance(other, nn.Sequential) else NotImplemented

    def __radd__(self, other: object) -> Sequential:
        return type(self)(*other, *self) if isinstance(other, nn.Sequential) else NotImplemented

    def __mul__(self, other: int) -> Sequential:
        return type(self)(*super().__mul__(other))

    @property
    def takes(self) -> tuple[str, ...]:
        """What the row takes after the fields, to hand it on."""
        return takes_of(self._modules.values())

    def forward(
        self,
        input: Any,  # noqa: ANN401 - what the first module takes
        positions: Tensor | None = None,
        graph: Graph | Tensor | None = None,
        **others: Any,  # noqa: ANN401 - what modules take by these names
    ) -> Any:  # noqa: ANN401
        """What comes out of the last module.

        Args:
            input: what goes into the first module.
            positions: of points, ``(points, n)``.
            graph: their ``transforms.Graph``, or its edges.
            **others: more arguments, for the modules that take them.
        Returns:
            The output.
        Raises:
            TypeError: for an argument that no module takes.
        """
        if positions is None and graph is None and not others:
            return super().forward(input)
        for name in others:
            if not any(name in names for names in self._takes.values()):
                raise TypeError(
                    f"{name}: expected an argument of a module of this row, got one of none"
                )
        given = surroundings(positions, graph, others)
        for name, module in self._modules.items():
            if module is not None:
                input = module(input, **handed(self._takes[name], given))
        return input

    def export(self) -> nn.Module:
        """``torch.nn.Sequential`` of the exported modules, in evaluation mode.

        A row of which a module needs more than the fields is copied.
        """
        return exported(self).eval()


def _walk(modules: Mapping[str, Any]) -> tuple[Any, Any, list[tuple[str, nn.Module, Any]]]:
    """The types of the ends, and the plain modules that break the symmetry with their fields."""
    parts = list(_parts(modules))
    head = next((part for _, part in parts if _is_typed(part) or is_source(part)), None)
    first = fields = getattr(head, "in_type", None)
    previous, broken = None, []
    for name, module in parts:
        begins = is_source(module) and (previous is None or fields is not None)
        if _is_typed(module) or begins:
            wanted = getattr(module, "in_type", None)
            if previous is not None and fields != wanted:
                label = f"module {name} ({type(module).__name__})"
                raise ValueError(_misfit(previous, fields, wanted, label))
            fields, previous = getattr(module, "out_type", None), module
        elif fields is not None:
            if isinstance(module, nn.Embedding) and previous is None:
                first = None  # of numbers of species, which are no fields
            if not keeps(module, fields):
                broken.append((name, module, fields))
            fields = fields if previous is None else after(module, fields)
    return first, fields, broken


def _parts(modules: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The modules in the order in which they run, those inside of a plain row too."""
    for name, module in modules.items():
        if module is None:  # torch takes it, and fails when it is called
            raise TypeError(f"module {prefix}{name}: expected a torch.nn.Module, got None")
        if isinstance(module, nn.Sequential) and not _is_typed(module):
            yield from _parts(module._modules, f"{prefix}{name}.")
        else:
            yield prefix + name, module


def _is_typed(module: object) -> bool:
    return isinstance(getattr(module, "in_type", None), FieldType)


def _misfit(previous: object, given: FieldType | None, wanted: FieldType | None, label: str) -> str:
    """What an error says of a module that wants other fields than the one before it gives."""
    maker = type(previous).__name__
    if wanted is None:
        return f"{label}: expected to come first, as it takes no fields, got {given!r} from {maker}"
    if given is None:
        return (
            f"{label}: expected {wanted!r}, got plain vectors from {maker}; "
            "it has to come before the pooling"
        )
    mend = _mend(given, wanted, maker)
    return explained(
        f"{label}: expected {wanted!r}, got {given!r} from {maker}; {mend}",
        "guide/from_torch.md#2-give-every-feature-map-a-type",
    )


def _mend(given: FieldType, wanted: FieldType, maker: str) -> str:
    """What would bring the two types together."""
    a, b = given.space, wanted.space
    if type(a) is not type(b):
        return _between_spaces(given, wanted)
    if found := a.bridge(given, wanted):
        return found
    if a.fibre_group != b.fibre_group:
        if is_subgroup(b.fibre_group, a.fibre_group):
            return f"put enn.Restrict({given!r}, {b.fibre_group.name!r}) between them"
        return f"let both have one group, {a.fibre_group} or {b.fibre_group}"
    if _are_gates(given.blocks, wanted.blocks):
        return f"did you mean the output of {maker} to be {wanted!r}, with the gates: enn.gated(h)?"
    return f"put {a.maps} from {given!r} to {wanted!r} between them"


def _between_spaces(given: FieldType, wanted: FieldType) -> str:
    if not wanted.axes:
        return f"enn.GlobalAvgPool({given!r}) leads from fields to vectors"
    return (
        f"no module leads from fields over {given.space} to fields over {wanted.space}; "
        "make both types over one space"
    )


def _are_gates(given: tuple[Block, ...], wanted: tuple[Block, ...]) -> bool:
    """Whether a block of scalars before the given blocks makes the wanted ones."""
    return wanted[1:] == given and wanted[0][1].is_trivial
