"""The picture of a report shows its numbers."""

import math
from dataclasses import replace

import pytest

from equinet import plot
from equinet.field import Plane
from equinet.testing import LayerReport, Report, Sources
from tests.tolerances import ROUNDING, assert_close

FIRST = LayerReport("0", "Conv2d", 0.02, 1e-16, Sources(0.03, 1e-16, 0.01, 0.02, 0.0, 0.0, 0.004))
SECOND = LayerReport("1", "ReLU", 0.05, 1e-16, Sources(0.02, 1e-16, 0.0, math.nan, 0.0, 0.02, 0.0))
REPORT = Report(
    "Sequential", Plane("C8").fields("1x trivial"), (FIRST, SECOND), 0.05, 1e-16,
    ((1, 0.05), (2, 0.02), (4, 0.01)), 3, (17, 17), 2.0,
)  # fmt: skip


def test_bars_are_the_sources():
    """Stacked from left to right, the first layer at the top; what is not known has no bar."""
    bars, _ = plot.report(REPORT).axes
    assert bars.yaxis_inverted()
    assert [label.get_text() for label in bars.get_yticklabels()] == ["0 Conv2d", "1 ReLU"]
    names = ["interpolation", "padding", "stride", "aliasing", "kernel"]
    ends = [0.0, 0.0]
    for name, container in zip(names, bars.containers, strict=True):
        assert container.get_label() == name
        for row, (bar, layer) in enumerate(zip(container, REPORT.layers, strict=True)):
            width = getattr(layer.sources, name)
            assert_close(bar.get_x(), ends[row], ROUNDING)
            assert_close(bar.get_width(), 0.0 if math.isnan(width) else width, ROUNDING)
            ends[row] += bar.get_width()
    assert_close(ends, [0.034, 0.02], ROUNDING)


def test_marks_are_the_errors():
    bars, curve = plot.report(REPORT).axes
    alone, error = bars.lines
    assert alone.get_label() == "layer alone" and list(alone.get_xdata()) == [0.03, 0.02]
    assert error.get_label() == "network so far" and list(error.get_xdata()) == [0.02, 0.05]
    measured, law = curve.lines
    assert list(measured.get_xdata()) == [1, 2, 4] and list(measured.get_ydata()) == [
        0.05,
        0.02,
        0.01,
    ]
    assert_close(law.get_ydata(), [0.05, 0.025, 0.0125], ROUNDING)
    assert curve.get_xscale() == curve.get_yscale() == "log"


def test_without_a_refinement_there_is_one_panel():
    assert len(plot.report(replace(REPORT, refinement=())).axes) == 1
    assert len(plot.report(replace(REPORT, refinement=((1, 0.0), (2, 0.0)))).axes) == 1


def test_it_draws_into_a_given_figure():
    figure = plot.report(REPORT)
    top, bottom = figure.__class__(layout="constrained").subfigures(2, 1)
    assert plot.report(REPORT, figure=bottom) is bottom
    assert len(bottom.axes) == 2 and not top.axes


def test_what_is_no_report_is_refused():
    with pytest.raises(TypeError, match="^found: expected an equinet.testing.Report, got str"):
        plot.report("report")
    with pytest.raises(ValueError, match="^found: expected a report with layers"):
        plot.report(replace(REPORT, layers=()))
