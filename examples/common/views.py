"""Runs that are tested upright and rotated. In: their results. Out: pictures and a table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .figures import confusion_figure, curves_figure
from .settings import Settings
from .table import cell, markdown, read_results

VIEWS = ("upright", "rotated")


def tell(result: dict[str, Any], classes: Sequence[str], out: Path) -> None:
    """Draw the curves and the confusion of one run, and print how much it reads right.

    Args:
        result: of ``training.fit``, with settings that say ``network`` and ``train_on``.
        classes: their names.
        out: folder of the run.
    """
    settings = result["settings"]
    title = f"{settings['network']}, trained {settings['train_on']}"
    names = {"train_accuracy": "training"} | {view: f"test, {view}" for view in VIEWS}
    curves_figure(out / "curves.png", {title: result["history"]}, names, 1 / len(classes))
    confusion_figure(out / "confusion.png", result["confusion"], classes)
    shares = ", ".join(f"{value:.4f} {view}" for view, value in result["accuracy"].items())
    print(f"{title}: {shares}")
    print(f"result.json, curves.png, confusion.png and checkpoints are in {out}")


def views_table(runs: Sequence[Path], kind: type[Settings]) -> str:
    """A line for each kind of run, with the mean over those that differ in the seed alone.

    Args:
        runs: files and folders of results.
        kind: of their settings.
    """
    groups: dict[tuple[str, ...], list[dict[str, float]]] = {}
    for result in read_results(runs, kind):
        settings = result["settings"]
        name, sizes, _ = settings["data"].rsplit(" ", 2)
        row = settings["network"], f"{result['parameters']:,}", f"{name} {sizes}"
        row += settings["train_on"], str(settings["epochs"])
        groups.setdefault(row, []).append(result["accuracy"])
    head = ["network", "parameters", "data (train+test)", "trained", "epochs"]
    rows = [
        [*row, *(cell([accuracy[view] for accuracy in found]) for view in VIEWS)]
        for row, found in sorted(groups.items())
    ]
    return markdown([*head, *(f"tested {view}" for view in VIEWS)], rows)
