"""Results of many runs as one Markdown table."""

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any


def read_results(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Results of runs, from ``result.json`` files or from folders that are searched for them."""
    files = []
    for path in paths:
        files += sorted(path.rglob("result.json")) if path.is_dir() else [path]
    return [json.loads(file.read_text()) for file in files]


def cell(values: Sequence[float], form: str = ".3f") -> str:
    """The value of one run, "mean ± standard deviation (number of runs)" of several."""
    if not values:
        return ""
    mean = format(statistics.mean(values), form)
    if len(values) == 1:
        return mean
    return f"{mean} ± {format(statistics.stdev(values), form)} ({len(values)})"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)
