"""Command line: ``python -m examples.modelnet train | table | picture``."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from examples.common.options import chosen, kept, positive, run, table_command, train_command
from examples.common.parallel import join
from examples.common.settings import Settings
from examples.common.training import Samples, fit
from examples.common.views import tell, views_table

from .data import Dataset, Objects, fixed_rotations, grids, load, train_rotations
from .figure import objects_figure
from .models import LEARNING_RATE, NETWORKS, parameter_groups

RUNS = Path("runs/modelnet")


@dataclass(frozen=True)
class ModelNetSettings(Settings):
    """Settings, and in which orientation the objects are shown while learning."""

    train_on: str = "upright"

    choices: ClassVar = {
        **Settings.choices,
        "network": tuple(NETWORKS),
        "train_on": ("upright", "rotated"),
    }


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and do what it says."""
    run(parser(), arguments)


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog="python -m examples.modelnet", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="train | table | picture")

    command = train_command(commands, _train, NETWORKS, network="steerable", epochs=12, batch=32)
    _data_options(command)
    command.add_argument("--train-on", choices=("upright", "rotated"), default="upright")

    table_command(commands, _table, RUNS)

    command = commands.add_parser("picture", help="draw a few objects, upright and rotated")
    _data_options(command)
    command.add_argument("--out", type=Path, default=RUNS / "objects.png")
    command.set_defaults(command=_picture)
    return top


def _data_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data",
        type=Path,
        metavar="SOURCE",
        help="modelnet10_vox.npz, the folder ModelNet10, or solids",
    )
    command.add_argument("--limit", type=positive, metavar="N", help="at most N training objects")
    command.add_argument("--limit-test", type=positive, metavar="N", help="at most N test objects")


def _dataset(options: argparse.Namespace) -> Dataset:
    return load(options.data).limited(options.limit, options.limit_test)


def train_samples(objects: Objects, settings: ModelNetSettings) -> Samples:
    """Objects to learn from; rotated ones are turned anew in every epoch."""
    n, last = len(objects.labels), (-1, torch.empty(0))

    def make(indices: Tensor, epoch: int) -> tuple[Tensor, Tensor]:
        nonlocal last
        rotations = None
        if settings.train_on == "rotated":
            if last[0] != epoch:  # kept for the other batches of the epoch
                last = epoch, train_rotations(n, settings.seed, epoch)
            rotations = last[1][indices]
        return grids(objects.voxels[indices], rotations), objects.labels[indices]

    return Samples(n, make)


def test_samples(objects: Objects) -> dict[str, Samples]:
    """The two ways to show the test objects: upright, and each turned by a rotation of its own."""
    n = len(objects.labels)
    views = {}
    for view, rotations in (("upright", None), ("rotated", fixed_rotations(n))):
        # Made once; they are tested on after every epoch.
        parts = torch.arange(n).split(64)
        shown = [
            grids(objects.voxels[i], None if rotations is None else rotations[i]) for i in parts
        ]
        views[view] = _kept(torch.cat(shown), objects.labels)
    return views


def _kept(inputs: Tensor, labels: Tensor) -> Samples:
    return Samples(len(labels), lambda indices, epoch: (inputs[indices], labels[indices]))


def _train(options: argparse.Namespace) -> None:
    dataset = _dataset(options)
    settings = ModelNetSettings(
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
            train_samples(dataset.train, settings),
            test_samples(dataset.test),
            out,
            team,
            groups=parameter_groups,
            **kept(options),
        )
        if not team.leads:
            return
    tell(result, dataset.classes, out)


def _table(options: argparse.Namespace) -> None:
    print(views_table(options.runs, ModelNetSettings))


def _picture(options: argparse.Namespace) -> None:
    dataset = _dataset(options)
    objects_figure(options.out, dataset)
    print(options.out)


if __name__ == "__main__":
    # Deterministic GPU operations, so that a resumed training gives the same bits there too.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    main()
