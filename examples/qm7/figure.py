"""The errors of all runs against the number of molecules. In: results. Out: a picture."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from examples.common.figures import save

Curves = Mapping[str, Mapping[int, float]]  # errors by size, by name


def curves_figure(path: Path, curves: Curves, composition: float) -> None:
    """A line for each name.

    Args:
        path: of the picture to write.
        curves: mean absolute errors on the test part in kcal/mol.
        composition: the error of a sum over the atoms.
    """
    figure = Figure(figsize=(5.4, 4), layout="constrained")
    panel = figure.subplots()
    for name, curve in curves.items():
        style = "s--" if name == "bag of bonds" else "o-"
        panel.loglog([*curve], [*curve.values()], style, label=name)
    panel.axhline(composition, color="0.6", linewidth=0.8, label="composition alone")
    panel.axhline(1, color="0.6", linewidth=0.8, linestyle=":", label="chemical accuracy")
    sizes = sorted({size for curve in curves.values() for size in curve})
    panel.set_xticks(sizes, [f"{size:,}" for size in sizes])
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.set(xlabel="molecules learned from", ylabel="mean absolute error, kcal/mol")
    panel.grid(alpha=0.3, which="both")
    panel.legend(fontsize=8)
    save(figure, path)
