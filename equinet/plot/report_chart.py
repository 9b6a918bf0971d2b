"""Equivariance reports as bars by source and a curve of refinement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.ticker import FixedLocator, NullLocator

from equinet.plot.canvas import INK, Picture

_SOURCES = {  # in the order in which they are stacked, with colours that print apart
    "interpolation": "#9ecae1",
    "padding": "#3182bd",
    "stride": "#fdae6b",
    "aliasing": "#e6550d",
    "kernel": "#756bb1",
}
_ROW = 0.3  # height of a layer, in inches


class _Sources(Protocol):
    @property
    def alone(self) -> float: ...


class _LayerReport(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def error(self) -> float: ...
    @property
    def sources(self) -> _Sources: ...


class _Report(Protocol):
    """What is drawn of an ``equinet.testing.Report``."""

    @property
    def layers(self) -> Sequence[_LayerReport]: ...
    @property
    def refinement(self) -> Sequence[tuple[int, float]]: ...


def report(found: _Report, *, figure: FigureBase | None = None) -> FigureBase:
    """An equivariance report: a bar for each layer, and the error on finer grids.

    Bars are the sources of error of the layer alone, stacked; the mark on a bar is its error alone,
    to which they need not add up. The line is the error of the network up to the layer. Where there
    is a refinement, a second panel shows the error of the whole network against the scale of the
    grid, on logarithmic axes, beside a line that falls as 1 / scale.

    Args:
        found: what ``equinet.testing.report`` returns.
        figure: where to draw; by default a new one.
    Returns:
        The figure that was drawn into.
    Raises:
        TypeError: if it is something else.
        ValueError: if it has no layers.

    Example:
        >>> from equinet.field import Plane
        >>> from equinet import nn, testing
        >>> found = testing.report(nn.ReLU(Plane("C8").fields("1x regular")))
        >>> [ax.get_xlabel() for ax in report(found).axes]
        ['relative error', 'scale of the grid']
    """
    if not hasattr(found, "layers") or not hasattr(found, "refinement"):
        raise TypeError(f"found: expected an equinet.testing.Report, got {type(found).__name__}")
    if not found.layers:
        raise ValueError("found: expected a report with layers, got one without")
    curve = [(scale, error) for scale, error in found.refinement if error > 0]
    if figure is None:
        height = 1.5 + _ROW * len(found.layers)
        figure = Picture(figsize=(7.2 if curve else 5.2, max(height, 2.2)), layout="constrained")
    if curve:
        bars, line = figure.subplots(1, 2, width_ratios=(2.4, 1))
        _curve(line, curve)
    else:
        bars = figure.subplots()
    _bars(bars, found.layers)
    return figure


def _bars(ax: Axes, layers: Sequence[_LayerReport]) -> None:
    rows = range(len(layers))
    left = [0.0] * len(layers)
    for name, colour in _SOURCES.items():
        widths = [_known(getattr(layer.sources, name)) for layer in layers]
        ax.barh(rows, widths, 0.7, left, color=colour, label=name)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    alone = [layer.sources.alone for layer in layers]
    ax.plot(alone, rows, "|", color=INK, markersize=14, markeredgewidth=2, label="layer alone")
    error = [layer.error for layer in layers]
    ax.plot(error, rows, "o-", color=INK, markersize=3.5, lw=0.8, label="network so far")
    ax.set_yticks(rows, [f"{layer.name} {layer.kind}".strip() for layer in layers])
    ax.invert_yaxis()  # the first layer is at the top
    ax.set_xlim(left=0)
    ax.set_xlabel("relative error", fontsize=9)
    _plain(ax)
    ax.figure.legend(loc="outside upper center", ncols=4, fontsize=8, frameon=False)


def _curve(ax: Axes, curve: Sequence[tuple[int, float]]) -> None:
    scales, errors = zip(*curve, strict=True)
    ax.loglog(scales, errors, "o-", color=INK, markersize=4, lw=1)
    ax.loglog(scales, [errors[0] * scales[0] / s for s in scales], ":", color="0.6", lw=1)
    ax.text(scales[-1], errors[0] * scales[0] / scales[-1], "1 / scale", color="0.5", fontsize=8,
            ha="right", va="bottom")  # fmt: skip
    ax.xaxis.set_major_locator(FixedLocator(scales))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticklabels([str(s) for s in scales])
    ax.set_xlabel("scale of the grid", fontsize=9)
    ax.set_title("same pictures, finer grids", fontsize=9)
    _plain(ax)


def _plain(ax: Axes) -> None:
    ax.tick_params(which="both", labelsize=8)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def _known(value: float) -> float:
    """The value, 0 where it was not measured."""
    return 0.0 if math.isnan(value) else value
