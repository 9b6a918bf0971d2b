"""Command line: ``python -m examples.shapes train | table``."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from examples.common import settings as common
from examples.common.options import chosen, kept, positive, run, table_command, train_command
from examples.common.parallel import join
from examples.common.training import fit
from examples.common.views import tell, views_table

from .data import load, test_samples, train_samples
from .models import LEARNING_RATE, NETWORKS

RUNS = Path("runs/shapes")


@dataclass(frozen=True)
class Settings(common.Settings):
    """Settings, and in which orientation the surfaces are shown while learning."""

    train_on: str = "upright"

    choices: ClassVar = {
        **common.Settings.choices,
        "network": tuple(NETWORKS),
        "train_on": ("upright", "rotated"),
    }


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and do what it says."""
    run(parser(), arguments)


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog="python -m examples.shapes", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="train | table")
    command = train_command(commands, _train, NETWORKS, network="spin", epochs=20, batch=32)
    command.add_argument(
        "--data", type=Path, metavar="FILE", help="shrec07_points.npz (default: simple meshes)"
    )
    command.add_argument(
        "--each", type=positive, default=30, help="simple meshes of each kind, without --data"
    )
    command.add_argument("--train-on", choices=("upright", "rotated"), default="upright")
    table_command(commands, _table, RUNS)
    return top


def _train(options: argparse.Namespace) -> None:
    dataset = load(options.data, options.each)
    settings = Settings(
        network=options.network,
        data=dataset.fingerprint(),
        train_on=options.train_on,
        **chosen(options, LEARNING_RATE),
    )
    out = options.out or RUNS / f"{options.network}-{options.train_on}-{options.seed}"
    with join(options.device) as team:
        result, _ = fit(
            settings,
            lambda: NETWORKS[options.network](len(dataset.classes)),
            train_samples(dataset.train, options.seed, options.train_on == "rotated"),
            test_samples(dataset.test),
            out,
            team,
            **kept(options),
        )
        if not team.leads:
            return
    tell(result, dataset.classes, out)


def _table(options: argparse.Namespace) -> None:
    print(views_table(options.runs, Settings))


if __name__ == "__main__":
    main()
