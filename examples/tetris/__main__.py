"""Command line: ``python -m examples.tetris train | table | figure``."""

import argparse
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch

from examples.common.figures import confusion_figure
from examples.common.options import (
    chosen,
    kept,
    positive,
    run,
    runs_option,
    table_command,
    train_command,
)
from examples.common.parallel import join
from examples.common.table import cell, markdown, read_results

from .data import PIECES, TESTS
from .figures import accuracy_figure, pieces_figure
from .models import NETWORKS, SCALES
from .train import LEARNING_RATE, Settings, train

RUNS = Path("runs/tetris")

# Table of Weiler, Geiger, Welling, Boomsma, Cohen, "3D Steerable CNNs", 2018: 17 runs each.
PAPER = {
    ("steerable", "yes"): "0.99 ± 0.02 (17)",
    ("plain", "yes"): "0.27 ± 0.07 (17)",
    ("steerable", "no"): "0.36 ± 0.06 (17)",
    ("plain", "no"): "0.24 ± 0.04 (17)",
}
PAPER_PARAMETERS = {"steerable": 41_198, "plain": 6_221_832}


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and do what it says."""
    run(parser(), arguments)


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog="python -m examples.tetris", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="train | table | figure")

    command = train_command(
        commands,
        _train,
        NETWORKS,
        network="parity",
        epochs=40,
        batch=8,
        schedule="held",
        checkpoint_every=10,
    )
    command.add_argument(
        "--low-pass", choices=("yes", "no"), default="yes", help="a filter before each stride"
    )
    command.add_argument("--scale", choices=tuple(SCALES), default="small")
    command.add_argument(
        "--tests", type=positive, default=TESTS, help="orientations of each piece in the test"
    )

    table_command(commands, _table, RUNS)

    command = commands.add_parser("figure", help="the pieces, and the accuracy of all runs")
    runs_option(command, RUNS)
    command.set_defaults(command=_figure)
    return top


def _train(options: argparse.Namespace) -> None:
    settings = Settings(
        network=options.network,
        data="tetris",
        low_pass=options.low_pass,
        scale=options.scale,
        tests=options.tests,
        **chosen(options, LEARNING_RATE),
    )
    filtered = {"yes": "low-pass", "no": "none"}[options.low_pass]
    out = options.out or RUNS / f"{options.scale}-{options.network}-{filtered}-{options.seed}"
    with join(options.device) as team:
        result, _ = train(settings, out, team, **kept(options))
        if not team.leads:
            return
    confusion_figure(out / "confusion.png", result["confusion"], list(PIECES))
    print(
        f"{settings.network}, {result['parameters']:,} parameters, low-pass {settings.low_pass}: "
        f"{result['accuracy']['rotated']:.4f} right in random orientations"
    )
    print(f"result.json, confusion.png and checkpoints are in {out}")


def _accuracies(results: list[dict[str, Any]]) -> list[float]:
    return [result["accuracy"]["rotated"] for result in results]


def _table(options: argparse.Namespace) -> None:
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for result in read_results(options.runs, Settings):
        settings = result["settings"]
        sort = (settings["scale"], settings["network"], settings["low_pass"])
        groups[(*sort, f"{result['parameters']:,}", str(settings["epochs"]))].append(result)
    rows = [
        ["paper, 36^3", network, low_pass, f"{PAPER_PARAMETERS[network]:,}", "250", "", accuracy]
        for (network, low_pass), accuracy in PAPER.items()
    ]
    for (scale, network, low_pass, parameters, epochs), results in sorted(groups.items()):
        minutes = cell([result["seconds"] / 60 for result in results], ".1f")
        size = f"{scale}, {SCALES[scale].size}^3"
        accuracy = cell(_accuracies(results), ".2f")
        rows.append([size, network, low_pass, parameters, epochs, minutes, accuracy])
    head = ["scale", "network", "low-pass", "parameters", "epochs", "minutes", "accuracy"]
    print(markdown(head, rows))


def _figure(options: argparse.Namespace) -> None:
    cells = defaultdict(list)
    # The pieces can be drawn before there are runs.
    ready = any(options.runs.rglob("result.json"))
    for result in read_results([options.runs], Settings) if ready else []:
        settings = result["settings"]
        filtered = {"yes": "low-pass", "no": "no filter"}[settings["low_pass"]]
        cells[f"{settings['network']}\n{filtered}"].append(result)
    if cells:
        accuracy_figure(
            options.runs / "accuracy.png",
            {name: _accuracies(results) for name, results in sorted(cells.items(), reverse=True)},
        )
    pieces_figure(options.runs / "pieces.png")
    print(f"pictures are in {options.runs}")


if __name__ == "__main__":
    # Deterministic GPU operations, so that a resumed training gives the same bits there too.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    main()
