"""Results as they lie in the folder of the runs. In: a folder. Out: curves, by what they are of."""

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from examples.common.errors import InputError

T = TypeVar("T")


def has_results(folder: Path) -> bool:
    """Whether there is any result."""
    return any(folder.glob("*.json"))


def read_draws(folder: Path, kind: type[T]) -> dict[T, list[dict[str, Any]]]:
    """The results of all draws, by settings; these have seed 0 instead of that of the draw.

    Args:
        folder: of a sweep.
        kind: of its tasks.
    Raises:
        InputError: if there is none, or one is no result of such a task.
    """
    found: dict[T, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            saved = json.loads(path.read_text())
            settings = {key: _frozen(value) for key, value in saved["settings"].items()}
            if {*settings} != {field.name for field in fields(kind)}:  # type: ignore[arg-type]
                raise TypeError("other settings")
            task, result = kind(**settings), saved["result"]
        except OSError as error:
            raise InputError(f"runs: {path} cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"runs: expected the result of a run, got {path}") from error
        if "seed" in settings:
            task = replace(task, seed=0)  # type: ignore[type-var]
        found.setdefault(task, []).append(result)
    if not found:
        raise InputError(f"runs: no results in {folder}: run it first")
    return found


def curves(results: Sequence[dict[str, Any]], *keys: str) -> list[list[float]]:
    """One value of all draws, such as ``result["square"]["Laplace 10"]``."""
    found: list[Any] = list(results)
    for key in keys:
        found = [one[key] for one in found]
    return found


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
