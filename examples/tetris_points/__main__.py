"""Command line: ``python -m examples.tetris_points train | table | figure``."""

import argparse
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch

from examples.common import settings as common
from examples.common.errors import InputError
from examples.common.figures import confusion_figure
from examples.common.options import chosen, kept, positive, run, table_command, train_command
from examples.common.parallel import join
from examples.common.table import cell, markdown, read_results
from examples.common.training import fit, restore_network
from examples.tetris.data import PIECES

from .data import TESTS, test_pieces, training_pieces
from .figures import pieces_figure
from .models import OUT, Reader

RUNS = Path("runs/tetris_points")
LEARNING_RATE = dict.fromkeys(OUT, 0.02)


@dataclass(frozen=True)
class Settings(common.Settings):
    """All that decides the result; ``tests``: orientations of each piece in the test."""

    tests: int = TESTS

    choices: ClassVar = {**common.Settings.choices, "network": tuple(OUT)}


def build(settings: Settings) -> Reader:
    """The network of these settings."""
    return Reader(settings.network)


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and do what it says."""
    run(parser(), arguments)


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog="python -m examples.tetris_points", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="train | table | figure")

    command = train_command(commands, _train, OUT, network="odd", epochs=4, batch=8)
    command.add_argument(
        "--tests", type=positive, default=TESTS, help="orientations of each piece in the test"
    )

    table_command(commands, _table, RUNS)

    command = commands.add_parser("figure", help="the pieces, and their odd scalars in a run")
    command.add_argument("--run", type=Path, help="folder of a run with --network odd")
    command.add_argument("--out", type=Path, default=RUNS / "pieces.png")
    command.set_defaults(command=_figure)
    return top


def _train(options: argparse.Namespace) -> None:
    settings = Settings(
        network=options.network,
        data="tetris",
        tests=options.tests,
        **chosen(options, LEARNING_RATE),
    )
    out = options.out or RUNS / f"{options.network}-{options.seed}"
    with join(options.device) as team:
        result, _ = fit(
            settings,
            partial(build, settings),
            training_pieces(settings.seed),
            {"rotated": test_pieces(settings.tests)},
            out,
            team,
            watch={},
            **kept(options),
        )
        if not team.leads:
            return
    confusion_figure(out / "confusion.png", result["confusion"], list(PIECES))
    print(
        f"{settings.network}, {result['parameters']:,} parameters: "
        f"{result['accuracy']['rotated']:.4f} right in random orientations, after "
        f"{result['seconds']} s"
    )
    print(f"result.json, confusion.png and checkpoints are in {out}")


def _table(options: argparse.Namespace) -> None:
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for result in read_results(options.runs, Settings):
        settings = result["settings"]
        epochs = str(settings["epochs"])
        groups[settings["network"], f"{result['parameters']:,}", epochs].append(result)
    rows = [
        [
            *row,
            cell([result["seconds"] for result in results], ".0f"),
            cell([result["accuracy"]["rotated"] for result in results]),
        ]
        for row, results in sorted(groups.items(), reverse=True)
    ]
    print(markdown(["network", "parameters", "epochs", "seconds", "accuracy"], rows))


def _figure(options: argparse.Namespace) -> None:
    network = None
    if options.run is not None:
        device = torch.device("cpu")
        settings, network = restore_network(options.run, Settings, build, device)
        assert isinstance(network, Reader)
        if settings.network != "odd":
            raise InputError(f"run: expected one with --network odd, got {options.run}")
    pieces_figure(options.out, network)
    print(options.out)


if __name__ == "__main__":
    main()
