"""The measured errors as one picture."""

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from examples.common.figures import save


def draw(path: Path, rows: list[dict[str, Any]]) -> None:
    """Three panels: without ReLU, with ReLU, and with ReLU for one input on finer and finer grids.

    Args:
        path: of the picture to write.
        rows: from :func:`~examples.equivariance_error.measure.equivariance_errors`.
    """
    figure = Figure(figsize=(14, 4.4), layout="constrained")
    linear, relu, finer = figure.subplots(1, 3)

    white = [row for row in rows if row["input_band"] == row["band"]]
    _lines(linear, _only(white, relu=False, dtype="float32"), "depth", "delta", by="band")
    _lines(
        linear, _only(white, relu=False, dtype="float64"), "depth", "delta", by="band", line="--"
    )
    linear.set_title("no ReLU: rounding (solid float32, dashed float64)", fontsize=10)
    linear.set(xlabel="number of layers", ylabel="equivariance error Δ", yscale="log")

    with_relu = _only(white, relu=True, dtype="float32")
    _lines(relu, with_relu, "depth", "delta", by="band")
    _lines(relu, with_relu, "depth", "delta_in_band", by="band", line="--")
    relu.set_title("with ReLU (dashed: degrees below the band only)", fontsize=10)
    relu.set(xlabel="number of layers", ylim=(0, None))

    lowest = min(row["input_band"] for row in rows)
    smooth = [row for row in rows if row["input_band"] == lowest]
    _lines(finer, _only(smooth, relu=True, dtype="float32"), "band", "delta", by="depth")
    finer.set_title(f"with ReLU, inputs of degrees below {lowest}", fontsize=10)
    finer.set(xlabel="band of the grid", ylim=(0, None))

    for panel in (linear, relu, finer):
        panel.grid(alpha=0.3)
        panel.legend(fontsize=8)
    save(figure, path)


def _only(rows: list[dict[str, Any]], **wanted: object) -> list[dict[str, Any]]:
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def _lines(
    axes: Axes, rows: list[dict[str, Any]], x: str, y: str, *, by: str, line: str = "-"
) -> None:
    """A line of ``y`` against ``x`` for each value of ``by``."""
    axes.set_xticks(sorted({row[x] for row in rows}))
    values = sorted({row[by] for row in rows})
    colors = matplotlib.colormaps["viridis"]
    for index, value in enumerate(values):
        points = sorted((row[x], row[y], row["delta_error"]) for row in rows if row[by] == value)
        places, heights, errors = zip(*points, strict=True)
        axes.errorbar(
            places,
            heights,
            yerr=errors,
            color=colors(0.9 * index / max(len(values) - 1, 1)),
            linestyle=line,
            marker="o",
            markersize=4,
            label=f"{by} {value}" if line == "-" else None,
        )
