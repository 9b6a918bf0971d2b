"""The equivariance error of a network, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from equinet.field import FieldType
from equinet.numerics.arguments import check_integer, is_row
from equinet.numerics.tables import Table, Tabular, error_cell
from equinet.testing.draws import Draw
from equinet.testing.experiments import Experiment, Outputs, type_of
from equinet.testing.outcomes import Call, Outcome, Part, errors, outcome
from equinet.testing.sizes import argument_types
from equinet.testing.sources import NAMES, Sources, sources
from equinet.testing.trials import SMOOTHNESS, trials

_SCALES = {1: (1, 2, 3), 2: (1, 2, 3), 3: (1, 2)}  # of the refinement, by the dimension
_ALWAYS = ("exact", "error", "alone")  # columns that are shown if they are zero too


@dataclass(frozen=True)
class LayerReport:
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
class Report(Tabular):
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
    layers: tuple[LayerReport, ...]
    error: float
    exact: float
    refinement: tuple[tuple[int, float], ...]
    count: int
    sizes: tuple[int, ...] | None
    smoothness: float | None

    def table(self) -> Table:
        """A row for each layer; sources that are zero everywhere have no column."""
        columns = {
            "exact": [layer.exact for layer in self.layers],
            "error": [layer.error for layer in self.layers],
            "alone": [layer.sources.alone for layer in self.layers],
            **{name: [getattr(layer.sources, name) for layer in self.layers] for name in NAMES},
            "shift": [layer.sources.translation for layer in self.layers],
        }
        needless = {
            head
            for head, values in columns.items()
            if all(math.isnan(value) or value == 0 and head not in _ALWAYS for value in values)
        }
        shown = {h: map(error_cell, values) for h, values in columns.items() if h not in needless}
        rows = zip([(c.name, c.kind) for c in self.layers], *shown.values(), strict=True)
        whole = {"exact": error_cell(self.exact), "error": error_cell(self.error)}
        total = ("all", self.model, *(whole.get(head, "") for head in shown))
        return Table(
            "\n".join([f"relative equivariance errors, {self.in_type!r}", _conditions(self)]),
            ("layer", "kind", *shown),
            "<<" + ">" * len(shown),
            tuple((*names, *cells) for names, *cells in rows),
            None if [layer.name for layer in self.layers] == [""] else total,
            tuple(_notes(self)),
        )


def report(
    model: nn.Module,
    in_type: FieldType | None = None,
    out_type: Outputs = None,
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
        out_type: type of the output; ``model.out_type`` if None, or invariant; of several outputs a
            dict, as in ``equivariance_error``.
        sizes: of the grid; small ones at which strided layers keep the centre by default.
        smoothness: of the fields in steps of the grid, 2 by default.
        scales: how much finer the grids of the refinement are; 1, 2, 3 by default, in a volume
            1, 2.
        count: number of group elements.
        batch: number of fields.
        seed: of fields and elements.
        arguments: more keyword arguments of the model, over ``Points``; its input too, if that is
            no field, as in ``equivariance_error``.
    Returns:
        The errors of the network and, for every typed layer, their sources.
    Raises:
        TypeError, ValueError: as ``equivariance_error``.

    Example:
        >>> from equinet import Plane, nn
        >>> x = Plane("C4").fields("1x regular")
        >>> found = report(nn.ReLU(x))
        >>> found.exact, [layer.kind for layer in found.layers]
        (0.0, ['ReLU'])
    """
    type_of(model, in_type, "model", arguments)
    if scales is not None and not is_row(scales):
        raise TypeError(f"scales: expected integers >= 1, got {scales!r}")
    for scale in scales or ():
        check_integer(scale, "scales")
    draw = Draw(count, seed, batch, sizes=sizes, smoothness=smoothness, arguments=arguments)
    experiment = Experiment.of(model, in_type, out_type, draw)
    grid, layers = experiment.in_type.space.grid, _layers(experiment)
    tried = trials(experiment, by_kind=True)
    found = [outcome(experiment, trial, layers) for trial in tried]
    last, exact, curve = found[-1], None, ()
    if grid is not None and not tried[0].between:  # those that keep it have a column of their own
        exact = found[0]
    if grid is not None and tried[-1].between:
        chosen = _SCALES[grid.n] if scales is None else scales
        curve = tuple((scale, _finer(experiment, scale)) for scale in chosen)
    return Report(
        type(model).__name__,
        experiment.in_type,
        tuple(_rows(experiment, last, exact)),
        last.error.mean,
        math.nan if exact is None else exact.error.max,
        curve,
        len(last.error.elements),
        None if grid is None else experiment.sizes,
        None if grid is None else SMOOTHNESS if smoothness is None else smoothness,
    )


def _layers(experiment: Experiment) -> tuple[Part, ...]:
    """The typed modules inside, or all of it as one layer."""
    model, found = experiment.module, []
    for name, module in model.named_modules():
        in_type, out_type = (getattr(module, which, None) for which in ("in_type", "out_type"))
        is_whole = module is model or isinstance(module, nn.Sequential)
        is_whole |= isinstance(out_type, Mapping)  # of several outputs
        if isinstance(in_type, FieldType) and not is_whole:
            found.append(Part(name, module, in_type, out_type))
    if experiment.outputs is not None:
        return tuple(found)
    return tuple(found) or (Part("", model, experiment.in_type, experiment.out_type),)


def _rows(experiment: Experiment, last: Outcome, exact: Outcome | None) -> Iterator[LayerReport]:
    """A row for each run of a layer; the layer alone is tried once for each size."""
    known: dict[tuple[str, tuple[int, ...]], Sources] = {}
    for i, call in enumerate(last.calls):
        key = call.layer.name, call.sizes
        if key not in known:
            known[key] = sources(_alone(experiment, call), last.error.elements)
        largest = math.nan if exact is None else float(exact.layers[:, i].max())
        mean, kind = float(last.layers[:, i].mean()), type(call.layer.module).__name__
        yield LayerReport(call.layer.name, kind, mean, largest, known[key])


def _alone(experiment: Experiment, call: Call) -> Experiment:
    """A layer on its own, for inputs of the size that it has in the network."""
    draw, (_, module, in_type, out_type) = experiment.draw, call.layer
    if in_type.space.grid is None:
        more = argument_types(module, in_type)  # fields, which are drawn
        given = {
            name: value
            for name, value in call.arguments.items()
            if value is not None and name not in more
        }
        batch = None if given else draw.batch
        axes = zip(in_type.axes.values(), call.sizes, strict=True)
        sizes = tuple(size for wanted, size in axes if wanted is None)
        draw = Draw(draw.count, draw.seed, batch, sizes=sizes or None, arguments=given or None)
    else:
        draw = replace(draw, sizes=call.sizes, exact=None, arguments=None)
    return Experiment.of(module, in_type, out_type, draw, like=experiment.like)


def _finer(experiment: Experiment, scale: int) -> float:
    """The mean error for the same pictures on a finer grid."""
    fine = experiment.refined(scale)
    return errors(fine, trials(fine)).mean


def _conditions(found: Report) -> str:
    """What the network was tried on."""
    text = f"{found.count} group element{'s' if found.count > 1 else ''}"
    if found.sizes is not None:
        text += f", grid {' x '.join(map(str, found.sizes))}, smoothness {found.smoothness:g}"
    return text


def _notes(found: Report) -> Iterator[str]:
    """What stands below the table."""
    if found.refinement:
        curve = ", ".join(f"x{scale}: {error:.1e}" for scale, error in found.refinement)
        yield f"the same pictures on finer grids: {curve}"
    if found.sizes is None:
        yield "error: of the network up to here; alone: of the layer, whose sources follow"
        return
    yield "exact: of the network up to here, for elements that map the grid to itself; error: for"
    yield "others; alone: of the layer, whose sources follow, but for those that are 0 everywhere;"
    yield "shift: for a translation by a pixel; -: not measured"
