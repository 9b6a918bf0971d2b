r"""What a model is made of and what it costs, found without computing it.

In: a model and the sizes of its input. Out: ``Summary``.

The model's copy on torch's meta device is called once; there tensors have shapes and no values.
"""

from __future__ import annotations

import copy
import inspect
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.field.graph import Graph
from equinet.nn.arguments import check_keywords
from equinet.nn.costs import Counter, Trace, storages, watch
from equinet.nn.kernel_layer import KernelLayer
from equinet.nn.module import EquivariantModule, is_source
from equinet.nn.steerable import Steerable
from equinet.nn.surroundings import example, example_kinds, first_name, other_fields, takes
from equinet.numerics.arguments import check_integer, is_row
from equinet.numerics.tables import Table, Tabular, count_cell

_POINTS = 8  # of a cloud that is nobody's


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
        plain: numbers that the layer of ``torch.nn`` with as many channels learns, of which it
            takes as many FLOPs; 0 if there is none, as for layers that are not over grids.
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
    plain: int = 0


@dataclass(frozen=True)
class Summary(Tabular):
    """What a model is made of and what a forward pass costs; ``str`` makes a table of it.

    Attributes:
        in_type: type of the input; None where that is no field.
        input: shape of the input; None if the sizes are not known, so that the model has not run.
        layers: those that have or do something themselves, in order.
        parameter_bytes: memory of the parameters.
        buffer_bytes: memory of the buffers.
    """

    in_type: FieldType | None
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

    @property
    def widening(self) -> float:
        """How many times the fields have as many parameters as plain layers of these channels.

        Both grow with the square of the width. At the same FLOPs the channels are the same; 1
        where no layer has a plain one of its kind.
        """
        layers = [layer for layer in self.layers if layer.plain]
        own = sum(layer.parameters for layer in layers)
        return math.sqrt(sum(layer.plain for layer in layers) / own) if own else 1.0

    @property
    def uneven(self) -> dict[str, int]:
        """Channels between layers over grids, gates too, of more than 8 and no multiple of it.

        Products of matrices, by which grids are convolved, come in blocks of 8 or 16. By the name
        of the layer that they leave.
        """
        *inner, _ = [layer for layer in self.layers if layer.plain] or [None]
        left = {layer.name: layer.out_type.channels for layer in inner if layer and layer.out_type}
        return {name: count for name, count in left.items() if count > 8 and count % 8}

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
        plain = sum(layer.plain for layer in self.layers)
        if plain:
            notes.append(
                f"Plain layers of these channels: {plain:,} parameters at the same FLOPs, as many "
                f"as {self.widening:.1f} times the fields have"
            )
        if self.uneven:
            counts = [f"{n} of {name or '.'} ({-n % 8} more)" for name, n in self.uneven.items()]
            notes.append("Channels that are no multiple of 8, slow: " + ", ".join(counts))
        if self.dead_paths:
            notes.append("No equivariant map:")
        for name, pairs in self.dead_paths.items():
            notes.append(f"  {name or '.'}: " + ", ".join(f"{a} -> {b}" for a, b in pairs))
        kind = "no field" if self.in_type is None else repr(self.in_type)
        return Table(
            f"Input: {kind}{where}",
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
            positions and all pairs of points are taken where none are given. Where the input is
            no field, as the species of atoms are, it is among them, and the others too.
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
    given = dict(arguments or {})
    x = given.pop(first_name(model), None)
    in_type = getattr(model, "in_type", None) if in_type is None else in_type
    if isinstance(in_type, FieldType):
        if x is None:
            x, given = _field(model, in_type, sizes, batch, given)
    elif in_type is not None or x is None:
        raise ValueError(
            f"in_type: expected a FieldType, since {type(model).__name__} does not know its own, "
            f"got {in_type!r}; an input that is no field goes into arguments, as "
            f"{first_name(model)!r}"
        )
    rows = _rows(model)
    traces = [Trace() for _ in rows]
    if x is not None:
        _check_arguments(model, given)
        _run(model, x, given, traces)
    counted: set[int] = set()
    layers = [_layer(row, trace, counted) for row, trace in zip(rows, traces, strict=True)]
    shown = [layer for row, layer in zip(rows, layers, strict=True) if row.last or _own(layer)]
    parameters = {id(p): p.nbytes for p in model.parameters()}
    buffers = {id(b): b.nbytes for b in model.buffers()}
    shape = None if x is None else tuple(x.shape)
    return Summary(in_type, shape, tuple(shown), sum(parameters.values()), sum(buffers.values()))


def _field(
    model: nn.Module,
    in_type: FieldType,
    sizes: Sequence[int] | None,
    batch: int | None,
    given: dict[str, Any],
) -> tuple[Tensor | None, dict[str, Any]]:
    """A field without numbers, None if its sizes are not known, and the arguments beside it."""
    space = in_type.space
    if batch is None:
        batch = _POINTS if space.in_clouds and "positions" in takes(model) else 1
        batch = len(given["positions"]) if "positions" in given else batch
    given = example_kinds(model, batch) | given
    if space.in_clouds:
        given = example(model, torch.empty(batch, space.group.n, device="meta")) | given
    if sizes is None and in_type.open_axes:
        return None, given
    shape = in_type.shape(batch, *(sizes or ()))
    floating = (t for t in [*model.parameters(), *model.buffers()] if t.is_floating_point())
    dtype = next((t.dtype for t in floating), None)
    x = torch.empty(shape, dtype=dtype, device="meta")
    known = {key: _of_dtype(value, x) for key, value in given.items()}
    return x, {key: y.to(x) for key, y in other_fields(model, shape).items()} | known


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
            (isinstance(module, EquivariantModule) or is_source(module))
            and not any(isinstance(part, EquivariantModule) for part in parts)
        )
        if last:
            inner |= parts
        rows.append(_Row(name, module, last))
    return rows


def _layer(row: _Row, trace: Trace, counted: set[int]) -> LayerSummary:
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
        _plain_parameters(module) if count else 0,
    )  # fmt: skip


def _plain_parameters(module: nn.Module) -> int:
    """Of the layer of ``torch.nn`` with as many channels, where its products are those of this."""
    if not isinstance(module, Steerable) or module.in_type.space.grid is None:
        return 0
    twin: Any = on_meta(module)
    with torch.device("meta"):
        filters = twin.dense().numel()
    return filters + (0 if module.bias is None else module.out_type.channels)


def _own(layer: LayerSummary) -> bool:
    """Whether a module that has parts has or does something itself."""
    return any((layer.parameters, layer.flops, layer.expansion, layer.activations))


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


def _run(model: nn.Module, x: Tensor, arguments: Mapping[str, Any], traces: list[Trace]) -> None:
    """Call a copy of the model, in evaluation mode, on the meta device."""
    twin = on_meta(model)
    x, known = x.to("meta"), {key: _without_numbers(value) for key, value in arguments.items()}
    counter = Counter(storages((x, known)))
    seen = storages([x, known, *twin.parameters(), *twin.buffers()])
    for row, trace in zip(_rows(twin), traces, strict=True):
        watch(row.module, trace, counter, seen)
    with torch.device("meta"), counter:
        twin(x, **known)


def _of_dtype(value: object, x: Tensor) -> object:
    """Positions that were made here, and a cell, in the dtype of the fields."""
    if isinstance(value, Graph):
        return value.to(x.dtype)
    if isinstance(value, Tensor) and value.is_meta and value.is_floating_point():
        return value.to(x)
    return value


def _without_numbers(value: object) -> object:
    """An argument on the meta device."""
    return value.to("meta") if isinstance(value, Tensor | Graph) else value


def on_meta(model: nn.Module) -> nn.Module:
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


def _cells(layer: LayerSummary) -> tuple[str, ...]:
    """A line of the table."""
    types = "" if layer.in_type is None else str(layer.in_type)
    if layer.out_type != layer.in_type:
        types = f"{types} -> {'vectors' if layer.out_type is None else layer.out_type}".strip()
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
