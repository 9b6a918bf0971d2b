"""The equivariance error of a network, layer by layer."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from equinet.field import FieldType, Volume
from equinet.field.grid import Grid
from equinet.numerics.arguments import check_integer, is_row
from equinet.testing.equivariance import (
    compared,
    grids_of,
    measured,
    numbers,
    refined,
    run,
    type_after,
    type_of,
    types_inside,
)
from equinet.testing.sizes import evaluating, like_of, sizes_of
from equinet.testing.sources import NAMES, Sources, sources
from equinet.testing.trial import SMOOTHNESS, Draw, common_group, kinds, trials


@dataclass(frozen=True)
class Layer:
    """One row of a report.

    Attributes:
        name: of the module in the model.
        kind: its class.
        error: of the network up to and with this layer, the mean over the elements.
        exact: the same for elements that map the grid to itself, the largest; NaN over other
            spaces.
        sources: errors of the layer alone.
    """

    name: str
    kind: str
    error: float
    exact: float
    sources: Sources


@dataclass(frozen=True)
class Report:
    """Equivariance errors of a network and of its layers; ``str(report)`` is a table.

    Attributes:
        model: its class.
        in_type: what goes in.
        layers: the typed layers, in the order in which they run.
        error: of the whole network, the mean over the elements.
        exact: of the whole network, the largest for elements that map the grid to itself.
        refinement: (scale, error) of the whole network for the same pictures on a grid that is
            ``scale`` times as fine; empty where there is no grid.
        count: number of group elements.
        sizes: of the grid, None over other spaces.
        smoothness: of the fields on the grid.
    """

    model: str
    in_type: FieldType
    layers: tuple[Layer, ...]
    error: float
    exact: float
    refinement: tuple[tuple[int, float], ...]
    count: int
    sizes: tuple[int, ...] | None
    smoothness: float | None

    def __str__(self) -> str:
        return _table(self)


def report(
    model: nn.Module,
    in_type: FieldType | None = None,
    out_type: FieldType | None = None,
    *,
    sizes: tuple[int, ...] | None = None,
    smoothness: float | None = None,
    scales: tuple[int, ...] | None = None,
    count: int = 3,
    batch: int | None = None,
    seed: int = 0,
    arguments: Mapping[str, Any] | None = None,
) -> Report:
    r"""Measure a network and each of its typed layers, and tell the sources of error apart.

    The network is tried as in ``equivariance_error``: over a grid with white noise for the elements
    that map it to itself, and for others with smooth pictures that fade before the end of the grid.
    Every layer is also tried alone, on smooth fields of its own input type that go on beyond the
    end of the grid; its error has the sources of ``equinet.testing.sources`` (E2). They need not
    add up to the error of the layer.

    Args:
        model: any module with typed modules inside, or one that is a single layer.
        in_type: type of the input; ``model.in_type`` if None.
        out_type: type of the output; ``model.out_type`` if None, or invariant.
        sizes: of the grid; small ones at which strided layers keep the centre by default.
        smoothness: of the fields in steps of the grid, 2 by default.
        scales: how much finer the grids of the refinement are; 1, 2, 3 by default, in a volume
            1, 2.
        count: number of group elements.
        batch: number of fields.
        seed: of fields and elements.
        arguments: more keyword arguments of the model, over ``Points``.
    Raises:
        ValueError: as ``equivariance_error``.

    Example:
        >>> from equinet import Plane, nn
        >>> x = Plane("C4").fields("1x regular")
        >>> found = report(nn.ReLU(x))
        >>> found.exact, [layer.kind for layer in found.layers]
        (0.0, ['ReLU'])
    """
    in_type = type_of(model, in_type, "model")
    out_type = type_after(model, out_type)
    on_grid = isinstance(in_type.space, Grid)
    sizes = sizes_of(model, in_type, sizes)
    if scales is not None and not is_row(scales):
        raise TypeError(f"scales: expected integers >= 1, got {scales!r}")
    for scale in scales or ():
        check_integer(scale, "scales")
    network = _Network(model, in_type, out_type)
    draw = Draw(
        count, seed, batch, sizes=sizes, smoothness=smoothness, arguments=arguments,
        grids=network.grids,
    )  # fmt: skip
    keep, others = kinds(network.group, in_type, draw)
    exact = network.errors(replace(draw, exact=True)) if keep else None
    draw = replace(draw, exact=False) if others and on_grid else draw
    error = network.errors(draw) if others or exact is None else exact
    alone: dict[tuple, Sources] = {}
    layers = []
    for i, call in enumerate(error.calls):
        key = (call.name, call.sizes)
        if key not in alone:
            alone[key] = _alone(call, error.elements, draw, like_of(model))
        largest = math.nan if exact is None else float(exact.rows[:, i].max())
        kind = type(call.module).__name__
        layers.append(Layer(call.name, kind, float(error.rows[:, i].mean()), largest, alone[key]))
    curve = _refinement(model, in_type, out_type, draw, scales) if on_grid and others else ()
    return Report(
        type(model).__name__,
        in_type,
        tuple(layers),
        float(error.whole.mean()),
        math.nan if exact is None else float(exact.whole.max()),
        curve,
        len(error.elements),
        sizes,
        (SMOOTHNESS if smoothness is None else smoothness) if on_grid else None,
    )


@dataclass(frozen=True)
class _Call:
    """One run of a typed module inside the network."""

    name: str
    module: nn.Module
    in_type: FieldType
    out_type: FieldType | None
    sizes: tuple[int, ...] | None
    arguments: dict[str, Any]
    output: Tensor


@dataclass(frozen=True)
class _Errors:
    """Errors of every call and of the whole network, ``(elements, calls)`` and ``(elements,)``."""

    elements: Tensor
    calls: list[_Call]
    rows: Tensor
    whole: Tensor


class _Network:
    """A network of which every typed module can be followed."""

    def __init__(self, model: nn.Module, in_type: FieldType, out_type: FieldType | None) -> None:
        self.model, self.in_type, self.out_type = model, in_type, out_type
        types = [*types_inside(model), out_type]
        self.group, self.grids = common_group(in_type, types), grids_of(types)
        self.layers: dict[str, tuple[nn.Module, Any, Any]] = {
            name: (module, module.in_type, getattr(module, "out_type", None))
            for name, module in model.named_modules()
            if isinstance(getattr(module, "in_type", None), FieldType)
            and not isinstance(module, nn.Sequential)
            and module is not model
        } or {"": (model, in_type, out_type)}

    def run(self, x: Tensor, arguments: Mapping[str, Any]) -> tuple[Tensor, list[_Call]]:
        """The output, and what every typed module gave."""
        calls: list[_Call] = []

        def keep(name: str, inputs: tuple, known: dict, output: Tensor) -> None:
            module, in_type, out_type = self.layers[name]
            bound = inspect.signature(module.forward).bind(*inputs, **known).arguments
            (_, x), *more = bound.items()
            sizes = tuple(x.shape[2:]) if isinstance(in_type.space, Grid) else None
            calls.append(_Call(name, module, in_type, out_type, sizes, dict(more), numbers(output)))

        handles = [
            module.register_forward_hook(
                lambda _, inputs, known, output, name=name: keep(name, inputs, known, output),
                with_kwargs=True,
            )
            for name, (module, _, _) in self.layers.items()
        ]
        try:
            return run(self.model, x, arguments), calls
        finally:
            for handle in handles:
                handle.remove()

    def errors(self, draw: Draw) -> _Errors:
        """The errors for one kind of elements."""
        (trial,) = trials(self.model, self.in_type, self.group, draw)
        rows, whole = [], []
        with evaluating(self.model):
            y, calls = self.run(trial.values, trial.arguments(None))
            for g in trial.elements:
                again, moved = self.run(trial.move(g), trial.arguments(g))
                row = [
                    compared(c.out_type, g, c.output, m.output, trial.between)
                    for c, m in zip(calls, moved, strict=True)
                ]
                rows.append(torch.stack(row))
                whole.append(compared(self.out_type, g, y, again, trial.between))
        return _Errors(trial.elements, calls, torch.stack(rows), torch.stack(whole))


def _alone(call: _Call, elements: Tensor, draw: Draw, like: Tensor) -> Sources:
    """The sources of a layer, on its own, for inputs of the size that it has in the network."""
    if call.sizes is None:
        draw = Draw(draw.count, draw.seed, None if call.arguments else draw.batch)
    else:
        draw = replace(draw, sizes=call.sizes, exact=None, arguments=None)
    types = call.in_type, call.out_type
    return sources(call.module, *types, elements, draw, call.arguments or None, like)


def _refinement(
    model: nn.Module,
    in_type: FieldType,
    out_type: FieldType | None,
    draw: Draw,
    scales: tuple[int, ...] | None,
) -> tuple[tuple[int, float], ...]:
    """The error for the same pictures on finer grids."""
    if scales is None:
        scales = (1, 2) if isinstance(in_type.space, Volume) else (1, 2, 3)
    return tuple(
        (scale, measured(model, in_type, out_type, refined(model, in_type, draw, scale)).mean)
        for scale in scales
    )


_HEADS = ("exact", "error", "alone", *NAMES, "shift")


def _table(found: Report) -> str:
    """The report as text, for a fixed width font."""
    rows: list[tuple[str, ...]] = [("layer", "kind", *_HEADS)]
    for layer in found.layers:
        s = layer.sources
        values = (layer.exact, layer.error, s.alone, *(getattr(s, name) for name in NAMES))
        rows.append((layer.name, layer.kind, *map(_number, (*values, s.translation))))
    total = (_number(found.exact), _number(found.error))
    rows.append(("all", found.model, *total, *[""] * (len(_HEADS) - 2)))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            text.ljust(width) if i < 2 else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    rule = "-" * max(map(len, lines))
    where = f"relative equivariance errors, {found.in_type!r}, {found.count} group elements"
    if found.sizes is not None:
        where += f", grid {' x '.join(map(str, found.sizes))}, smoothness {found.smoothness:g}"
    text = [where, rule, lines[0], rule, *lines[1:-1], rule, lines[-1]]
    if found.refinement:
        curve = ", ".join(f"x{scale}: {error:.1e}" for scale, error in found.refinement)
        text.append(f"the same pictures on finer grids: {curve}")
    text.append(_LEGEND if found.sizes is not None else _SHORT_LEGEND)
    return "\n".join(text)


def _number(value: float) -> str:
    if math.isnan(value):
        return "?"
    return "0" if value == 0 else f"{value:.1e}"


_SHORT_LEGEND = "error: of the network up to here; alone: of the layer, and its sources"
_LEGEND = """\
exact, error: of the network up to here, for elements that map the grid to itself and for others
alone: of the layer, whose sources follow; shift: for a translation by a pixel; ?: not measured"""
