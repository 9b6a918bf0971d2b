"""The measured errors as one picture."""

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure


def draw(path: Path, rows: list[dict[str, Any]]) -> None:
    """Error against the number of layers (one line for each band) and against the band.

    Args:
        path: of the picture to write.
        rows: from :func:`~examples.equivariance_error.measure.equivariance_errors`.
    """
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _lines(left, rows, along="depth", by="band")
    _lines(right, rows, along="band", by="depth")
    left.set(xlabel="number of layers", ylabel="equivariance error Δ", yscale="log")
    right.set(xlabel="band", yscale="log")
    for panel in (left, right):
        panel.grid(alpha=0.3)
        panel.legend(fontsize=7, ncols=2)
    left.set_title("ReLU: dotted.  float32: filled marks.  float64: open marks", fontsize=9)
    figure.savefig(path, dpi=120)


def _lines(axes: Axes, rows: list[dict[str, Any]], along: str, by: str) -> None:
    values = sorted({row[by] for row in rows})
    colors = matplotlib.colormaps["viridis"]
    for index, value in enumerate(values):
        color = colors(0.9 * index / max(len(values) - 1, 1))
        for relu in (False, True):
            for dtype in ("float32", "float64"):
                line = sorted(
                    (row[along], row["delta"], row["delta_error"])
                    for row in rows
                    if (row[by], row["relu"], row["dtype"]) == (value, relu, dtype)
                )
                # With ReLU both precisions give the same curve; one of them is enough.
                if not line or (relu and dtype == "float64"):
                    continue
                x, delta, error = zip(*line, strict=True)
                axes.errorbar(
                    x,
                    delta,
                    yerr=error,
                    color=color,
                    linestyle=":" if relu else "-",
                    marker="o",
                    markersize=4,
                    markerfacecolor="white" if dtype == "float64" else color,
                    label=f"{by} {value}" if not relu and dtype == "float32" else None,
                )
