r"""What a model is made of and what it costs, found without computing it.

In: a model and the sizes of its input. Out: ``Summary``.

The model's copy on torch's meta device is called once; there tensors have shapes and no values.
"""

from __future__ import annotations

import copy
import inspect
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from equinet.field import FieldType
from equinet.field.graph import Graph
from equinet.nn.arguments import check_keywords
from equinet.nn.kernel_layer import KernelLayer
from equinet.nn.module import EquivariantModule
from equinet.nn.surroundings import example, other_fields, takes
from equinet.numerics.arguments import check_integer, is_row
from equinet.numerics.tables import Table, Tabular, count_cell

aten = torch.ops.aten
_POINTS = 8  # of a cloud that is nobody's

# Products that torch's counter leaves out.
_FORMULAS = flop_registry | {
    aten.baddbmm_: flop_registry[aten.baddbmm],
    aten.mv: lambda a, b, **_: 2 * a.numel(),
    aten.addmv: lambda c, a, b, **_: 2 * a.numel(),
    aten.dot: lambda a, b, **_: 2 * a.numel(),
}


@dataclass(frozen=True)
class LayerSummary:
    """One line of a summary.

    Attributes:
        name: of the module in the model, as in ``named_modules``.
        kind: its class.
        in_type: type of its input, or None.
        out_type: type of its output, or None.
        output: shape of its last output; None if it has not run.
        calls: how often it has run.
        parameters: numbers that it learns, but for those that an earlier layer has too.
        flops: two for each multiplication and addition of its convolutions and matrix products,
            where they depend on the input; transforms by FFT and pointwise functions do not count.
        expansion: the same, of those that do not: a filter is made of its weights, once a call and
            whatever the batch is.
        activations: bytes of its outputs.
        dead_paths: names of the pairs of representations (in, out) without an equivariant map.
    """

    name: str
    kind: str
    in_type: FieldType | None
    out_type: FieldType | None
    output: tuple[int, ...] | None
    calls: int
    parameters: int
    flops: int
    expansion: int
    activations: int
    dead_paths: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Summary(Tabular):
    """What a model is made of and what a forward pass costs; ``str`` makes a table of it.

    Attributes:
        in_type: type of the input.
        input: shape of the input; None if the sizes are not known, so that the model has not run.
        layers: those that have or do something themselves, in order.
        parameter_bytes: memory of the parameters.
        buffer_bytes: memory of the buffers.
    """

    in_type: FieldType
    input: tuple[int, ...] | None
    layers: tuple[LayerSummary, ...]
    parameter_bytes: int
    buffer_bytes: int

    @property
    def parameters(self) -> int:
        """How many numbers the model learns, those that are shared once."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def flops(self) -> int:
        """Of a forward pass, without the making of filters."""
        return sum(layer.flops for layer in self.layers)

    @property
    def expansion(self) -> int:
        """FLOPs of the making of filters."""
        return sum(layer.expansion for layer in self.layers)

    @property
    def activation_bytes(self) -> int:
        """Memory of the outputs of all layers."""
        return sum(layer.activations for layer in self.layers)

    @property
    def dead_paths(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """Pairs of representations without an equivariant map, of the layers that have any."""
        return {layer.name: layer.dead_paths for layer in self.layers if layer.dead_paths}

    def table(self) -> Table:
        """A row for each layer, and below it what the model costs."""
        where = f", of shape {_shape(self.input)}" if self.input else "; give sizes for its costs"
        notes = [f"Parameters: {self.parameters:,}"]
        memory = [("parameters", self.parameter_bytes), ("buffers", self.buffer_bytes)]
        if self.input is not None:
            cost = f"FLOPs: {count_cell(self.flops)} a forward pass"
            made = f", and {count_cell(self.expansion)} to make the filters"
            notes.append(cost + made * bool(self.expansion))
            memory.append(("outputs of layers", self.activation_bytes))
        notes.append("Memory: " + ", ".join(f"{_bytes(n)} of {what}" for what, n in memory))
        if self.dead_paths:
            notes.append("No equivariant map:")
        for name, pairs in self.dead_paths.items():
            notes.append(f"  {name or '.'}: " + ", ".join(f"{a} -> {b}" for a, b in pairs))
        return Table(
            f"Input: {self.in_type!r}{where}",
            ("layer", "kind", "type", "output", "parameters", "FLOPs", "memory"),
            "<<<<>>>",
            tuple(map(_cells, self.layers)),
            notes=tuple(notes),
        )


def summary(
    model: nn.Module,
    in_type: FieldType | None = None,
    *,
    sizes: Sequence[int] | None = None,
    batch: int | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> Summary:
    """Types, parameters, FLOPs, memory and dead paths of a model, which is not changed.

    Nothing is computed, so a model may be as large as it likes; but one whose ``forward`` asks for
    values, with ``x.max().item()`` say, cannot be summed up.

    Args:
        model: any module; one of this library knows its type.
        in_type: type of the input; ``model.in_type`` if None.
        sizes: of the axes of the grid. Without them there are no shapes, FLOPs and activations.
        batch: number of inputs; over ``Points``, of points, by default those of the positions in
            ``arguments`` or 8, else 1.
        arguments: more keyword arguments of the model, such as positions and edges. Over ``Points``
            positions and all pairs of points are taken where none are given.
    Returns:
        The summary; ``str`` or ``print`` makes a table of it.
    Raises:
        ValueError: if there is no type, the sizes do not fit it, or ``forward`` takes other
            arguments.

    Example:
        >>> from equinet import nn as enn
        >>> from equinet.field import Plane
        >>> plane = Plane("C4")
        >>> conv = enn.Conv2d(plane.fields("1x trivial"), plane.fields("2x regular"), 3)
        >>> found = summary(conv, sizes=(28, 28))
        >>> found.parameters, found.flops == 2 * 9 * 8 * 26**2
        (18, True)
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: expected a torch.nn.Module, got {type(model).__name__}")
    if sizes is not None and not is_row(sizes):
        raise TypeError(f"sizes: expected integers, one for each axis, got {sizes!r}")
    check_keywords(arguments)
    if batch is not None:
        check_integer(batch, "batch", least=0, most=2**31 - 1)
    in_type = getattr(model, "in_type", None) if in_type is None else in_type
    if not isinstance(in_type, FieldType):
        raise ValueError(
            f"in_type: expected a FieldType, since {type(model).__name__} does not know its own, "
            f"got {in_type!r}"
        )
    given, space = dict(arguments or {}), in_type.space
    if batch is None:
        batch = _POINTS if space.in_clouds and "positions" in takes(model) else 1
        batch = len(given["positions"]) if "positions" in given else batch
    if space.in_clouds:
        given = example(model, torch.empty(batch, space.group.n, device="meta")) | given
    shape = None if sizes is None and in_type.open_axes else in_type.shape(batch, *(sizes or ()))
    rows = _rows(model)
    traces = [_Trace() for _ in rows]
    if shape is not None:
        given = other_fields(model, shape) | given
        _check_arguments(model, given)
        _run(model, shape, given, traces)
    counted: set[int] = set()
    layers = [_layer(row, trace, counted) for row, trace in zip(rows, traces, strict=True)]
    shown = [layer for row, layer in zip(rows, layers, strict=True) if row.last or _own(layer)]
    parameters = {id(p): p.nbytes for p in model.parameters()}
    buffers = {id(b): b.nbytes for b in model.buffers()}
    return Summary(in_type, shape, tuple(shown), sum(parameters.values()), sum(buffers.values()))


class _Row(NamedTuple):
    """A module that may have a line, and whether none of its parts has."""

    name: str
    module: nn.Module
    last: bool


def _rows(model: nn.Module) -> list[_Row]:
    """The modules of a model once each; what a layer of ours is made of is its own affair."""
    rows, inner = [], set()
    for name, module in model.named_modules():
        if module in inner:
            continue
        parts = set(module.modules()) - {module}
        last = not parts or (
            isinstance(module, EquivariantModule)
            and not any(isinstance(part, EquivariantModule) for part in parts)
        )
        if last:
            inner |= parts
        rows.append(_Row(name, module, last))
    return rows


def _layer(row: _Row, trace: _Trace, counted: set[int]) -> LayerSummary:
    """The line of a module; ``counted`` are the parameters of the lines above."""
    name, module, last = row
    own = {id(p): p.numel() for p in module.parameters(recurse=last)}
    count = sum(number for key, number in own.items() if key not in counted)
    counted.update(own)
    types = [getattr(module, which, None) for which in ("in_type", "out_type")]
    in_type, out_type = (t if isinstance(t, FieldType) else None for t in types)
    paths = module.dead_paths() if isinstance(module, KernelLayer) else []
    return LayerSummary(
        name, type(module).__name__, in_type, out_type, trace.output, trace.calls, count,
        trace.flops, trace.expansion, trace.activations, tuple(dict.fromkeys(paths)),
    )  # fmt: skip


def _own(layer: LayerSummary) -> bool:
    """Whether a module that has parts has or does something itself."""
    return any((layer.parameters, layer.flops, layer.expansion, layer.activations))


@dataclass
class _Trace:
    """What a module did while the model ran."""

    output: tuple[int, ...] | None = None
    calls: int = 0
    flops: int = 0
    expansion: int = 0
    activations: int = 0


class _Counter(TorchDispatchMode):
    """Counts the products of the layer that is running, and follows what depends on the input."""

    def __init__(self, inputs: dict[int, Any]) -> None:
        super().__init__()
        self.depends = dict(inputs)
        self.running: list[_Trace] = []

    def __torch_dispatch__(
        self,
        func: torch._ops.OpOverload,
        types: Sequence[type],
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        depends = any(key in self.depends for key in _storages((args, kwargs)))
        if depends:
            self.depends |= _storages(out)
        formula = _FORMULAS.get(func._overloadpacket)
        if formula is not None and self.running:
            flops = formula(*args, **kwargs, out_val=out)
            if depends:
                self.running[-1].flops += flops
            else:
                self.running[-1].expansion += flops
        return out


def _storages(tree: object) -> dict[int, Any]:
    """Where tensors lie, by a number that is theirs as long as this is kept."""
    found = [leaf.untyped_storage() for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]
    return {storage._cdata: storage for storage in found}


def _check_arguments(model: nn.Module, arguments: Mapping[str, Any]) -> None:
    """Raise ValueError unless these are what ``forward`` takes besides the fields."""
    _, *takes = inspect.signature(model.forward).parameters.values()
    named = [p for p in takes if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    names = {p.name for p in named}
    missing = [p.name for p in named if p.default is p.empty and p.name not in arguments]
    more = [] if any(p.kind is p.VAR_KEYWORD for p in takes) else sorted({*arguments} - names)
    if missing or more:
        wanted = ", ".join(p.name for p in named) or "none"
        needed = f", of which it needs {', '.join(missing)}" if missing else ""
        raise ValueError(
            f"arguments: expected a dict of what {type(model).__name__} takes beside the fields, "
            f"{wanted}{needed}, got {', '.join(arguments) or 'none'}"
        )


def _run(
    model: nn.Module, shape: tuple[int, ...], arguments: Mapping[str, Any], traces: list[_Trace]
) -> None:
    """Call a copy of the model, in evaluation mode, on the meta device."""
    twin = _on_meta(model)
    like = next((t for t in [*model.parameters(), *model.buffers()] if t.is_floating_point()), None)
    x = torch.empty(shape, dtype=None if like is None else like.dtype, device="meta")
    known = {key: _without_numbers(value, x) for key, value in arguments.items()}
    counter = _Counter(_storages((x, known)))
    seen = _storages([x, known, *twin.parameters(), *twin.buffers()])
    for row, trace in zip(_rows(twin), traces, strict=True):
        _watch(row.module, trace, counter, seen)
    with torch.device("meta"), counter:
        twin(x, **known)


def _without_numbers(value: object, x: Tensor) -> object:
    """An argument on the meta device; positions that were made here are of the dtype of ``x``."""
    if isinstance(value, Graph):
        return value.to("meta", x.dtype)
    if not isinstance(value, Tensor):
        return value
    return value.to(x) if value.is_meta and value.is_floating_point() else value.to("meta")


def _on_meta(model: nn.Module) -> nn.Module:
    """A copy in evaluation mode whose tensors, shared ones too, are on the meta device."""
    copies: dict[int, Any] = {}
    for module in model.modules():
        held = (module._parameters, module._buffers, vars(module))
        for value in itertools.chain.from_iterable(tensors.values() for tensors in held):
            if isinstance(value, nn.Parameter):
                copies[id(value)] = nn.Parameter(value.detach().to("meta"), value.requires_grad)
            elif isinstance(value, Tensor):
                copies[id(value)] = value.detach().to("meta")
    return copy.deepcopy(model, copies).eval()


def _watch(module: nn.Module, trace: _Trace, counter: _Counter, seen: dict[int, Any]) -> None:
    """Have the module write down what it does; ``seen`` is memory that is counted already."""

    def before(*_: object) -> None:
        counter.running.append(trace)

    def after(_: nn.Module, __: object, output: object) -> None:
        counter.running.pop()
        trace.calls += 1
        tensors = [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]
        trace.output = tuple(tensors[0].shape) if tensors else None
        new = {key: s for key, s in _storages(tensors).items() if key not in seen}
        trace.activations += sum(storage.nbytes() for storage in new.values())
        seen.update(new)

    module.register_forward_pre_hook(before)
    module.register_forward_hook(after)


def _cells(layer: LayerSummary) -> tuple[str, ...]:
    """A line of the table."""
    types = "" if layer.in_type is None else str(layer.in_type)
    if layer.in_type is not None and layer.out_type != layer.in_type:
        types += f" -> {'vectors' if layer.out_type is None else layer.out_type}"
    name = layer.name or "."
    if layer.calls > 1:
        name += f" ({layer.calls} calls)"
    costs = ("", "", "")
    if layer.output is not None:
        costs = (_shape(layer.output), count_cell(layer.flops), _bytes(layer.activations))
    return name, layer.kind, types, costs[0], f"{layer.parameters:,}", *costs[1:]


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _bytes(number: int) -> str:
    text = count_cell(number)
    return f"{text}B" if " " in text else f"{text} B"
