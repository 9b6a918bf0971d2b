"""Results of many runs as one Markdown table, beside the paper's."""

from collections import defaultdict
from typing import Any

from examples.common import table

# Table 1 of Cohen, Geiger, Koehler, Welling, "Spherical CNNs", ICLR 2018.
PAPER = {
    "planar": {"NR/NR": "0.98", "R/R": "0.23", "NR/R": "0.11"},
    "spherical": {"NR/NR": "0.96", "R/R": "0.95", "NR/R": "0.94"},
}
REGIMES = {
    "NR/NR": ("upright", "upright"),
    "R/R": ("rotated", "rotated"),
    "NR/R": ("upright", "rotated"),
}


def markdown(results: list[dict[str, Any]]) -> str:
    """A row for the paper and one for each group of runs that differ in seed and regime only.

    X/Y means: learned on X, tested on Y; R rotated, NR not rotated. With several seeds a cell is
    "mean ± standard deviation (number of runs)".
    """
    groups: dict[tuple, list[dict[str, Any]]] = defaultdict(list)
    for result in results:
        groups[_group(result)].append(result)
    rows = []
    for network, cells in PAPER.items():
        size = "~68K" if network == "planar" else "~58K"
        paper = [f"{network}, paper", size, "60000+10000", "20", "constant"]
        rows.append(paper + [cells[regime] for regime in REGIMES])
    for group in sorted(groups, key=str):
        rows.append([*map(str, group), *(_cell(groups[group], *REGIMES[r]) for r in REGIMES)])
    head = ["network", "parameters", "data (train+test)", "epochs", "schedule", *REGIMES]
    return table.markdown(head, rows)


def _group(result: dict[str, Any]) -> tuple:
    settings = result["settings"]
    name, sizes, _ = settings["data"].rsplit(" ", 2)
    return (
        settings["network"],
        f"{result['parameters']:,}",
        f"{name} {sizes}",
        settings["epochs"],
        settings["schedule"],
    )


def _cell(results: list[dict[str, Any]], train_on: str, test_on: str) -> str:
    return table.cell(
        [r["accuracy"][test_on] for r in results if r["settings"]["train_on"] == train_on]
    )
