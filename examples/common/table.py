"""Results of many runs as one Markdown table."""

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .errors import InputError
from .settings import Settings, read_settings


def read_results(paths: Sequence[Path], kind: type[Settings]) -> list[dict[str, Any]]:
    """Results of runs, from ``result.json`` files or from folders that are searched for them.

    Args:
        paths: files and folders.
        kind: of the settings that the runs had.
    Raises:
        InputError: if there is none, or it is no result of such a run.
    """
    files = []
    for path in paths:
        files += sorted(path.rglob("result.json")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"runs: no result.json in {', '.join(map(str, paths))}: train first")
    return [_result(file, kind) for file in files]


def _result(file: Path, kind: type[Settings]) -> dict[str, Any]:
    try:
        result = json.loads(file.read_text())
        found = {name: result[name] for name in ("settings", "parameters", "accuracy", "history")}
    except OSError as error:
        raise InputError(f"runs: {file} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"runs: expected the result of a run, got {file}") from error
    read_settings(kind, found["settings"], file)
    return result


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
