"""Results of many runs as one Markdown table, beside the paper's."""

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

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


def read_results(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Results of runs, from ``result.json`` files or from folders that are searched for them."""
    files = []
    for path in paths:
        files += sorted(path.rglob("result.json")) if path.is_dir() else [path]
    return [json.loads(file.read_text()) for file in files]


def markdown(results: list[dict[str, Any]]) -> str:
    """A row for the paper and one for each group of runs that differ in seed and regime only.

    X/Y means: learned on X, tested on Y; R rotated, NR not rotated. With several seeds a cell is
    "mean ± standard deviation (number of runs)".
    """
    groups: dict[tuple, list[dict[str, Any]]] = defaultdict(list)
    for result in results:
        groups[_group(result)].append(result)
    head = ["network", "parameters", "data (train+test)", "epochs", "schedule", *REGIMES]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for network, cells in PAPER.items():
        paper = [
            f"{network}, paper",
            "~68K" if network == "planar" else "~58K",
            "60000+10000",
            "20",
            "constant",
        ]
        lines.append("| " + " | ".join(paper + [cells[regime] for regime in REGIMES]) + " |")
    for group in sorted(groups, key=str):
        cells = [_cell(groups[group], *REGIMES[regime]) for regime in REGIMES]
        lines.append("| " + " | ".join([*map(str, group), *cells]) + " |")
    return "\n".join(lines)


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
    values = [r["accuracy"][test_on] for r in results if r["settings"]["train_on"] == train_on]
    if not values:
        return ""
    mean = f"{statistics.mean(values):.3f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.3f} ({len(values)})"
