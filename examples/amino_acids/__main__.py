"""Command line: ``python -m examples.amino_acids train | table | picture``."""

import argparse
import os
from pathlib import Path

import torch

from examples.common.figures import confusion_figure, curves_figure
from examples.common.options import chosen, kept, positive, run, table_command, train_command
from examples.common.parallel import join
from examples.common.settings import Settings
from examples.common.table import cell, markdown, read_results
from examples.common.training import Samples, fit

from .data import Dataset, Environments, density, load
from .figure import environments_figure
from .models import LEARNING_RATE, NETWORKS, parameter_groups
from .pdb import RESIDUES

RUNS = Path("runs/amino_acids")


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and do what it says."""
    run(parser(), arguments)


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog="python -m examples.amino_acids", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="train | table | picture")

    command = train_command(commands, _train, NETWORKS, network="steerable", epochs=8, batch=32)
    _data_options(command)

    table_command(commands, _table, RUNS)

    command = commands.add_parser("picture", help="draw a few environments")
    _data_options(command)
    command.add_argument("--out", type=Path, default=RUNS / "environments.png")
    command.set_defaults(command=_picture)
    return top


def _data_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data", type=Path, metavar="SOURCE", help="proteins.npz, a folder of *.pdb, or strands"
    )
    for part, size in (("train", 20000), ("valid", 2000), ("test", 10000)):
        command.add_argument(
            f"--{part}-size", type=positive, default=size, metavar="N", help=f"default {size}"
        )


def _dataset(options: argparse.Namespace) -> Dataset:
    sizes = {part: getattr(options, f"{part}_size") for part in ("train", "valid", "test")}
    return load(options.data, sizes)


def _samples(environments: Environments) -> Samples:
    return Samples(
        len(environments.labels),
        lambda indices, epoch: (density(environments, indices), environments.labels[indices]),
    )


def _train(options: argparse.Namespace) -> None:
    dataset = _dataset(options)
    settings = Settings(
        network=options.network, data=dataset.fingerprint(), **chosen(options, LEARNING_RATE)
    )
    out = options.out or RUNS / f"{options.network}-{options.seed}"
    with join(options.device) as team:
        result, _ = fit(
            settings,
            NETWORKS[options.network],
            _samples(dataset.train),
            {"test": _samples(dataset.test)},
            out,
            team,
            watch={"valid": _samples(dataset.valid)},
            groups=parameter_groups,
            **kept(options),
        )
        if not team.leads:
            return
    names = {"train_accuracy": "training", "valid": "validation"}
    chance = dataset.majority()
    curves_figure(out / "curves.png", {options.network: result["history"]}, names, chance)
    confusion_figure(out / "confusion.png", result["confusion"], RESIDUES)
    print(
        f"{options.network}: {result['accuracy']['test']:.4f} on {len(dataset.test.labels)} "
        f"environments of other proteins; always the most frequent residue: {chance:.4f}"
    )
    print(f"result.json, curves.png, confusion.png and checkpoints are in {out}")


def _table(options: argparse.Namespace) -> None:
    groups: dict[tuple[str, ...], list[float]] = {}
    for result in read_results(options.runs, Settings):
        settings = result["settings"]
        name, sizes, _ = settings["data"].rsplit(" ", 2)
        row = settings["network"], f"{result['parameters']:,}", f"{name} {sizes}"
        row += (str(settings["epochs"]),)
        groups.setdefault(row, []).append(result["accuracy"]["test"])
    head = ["network", "parameters", "data (train+valid+test)", "epochs", "test accuracy"]
    print(markdown(head, [[*row, cell(values)] for row, values in sorted(groups.items())]))


def _picture(options: argparse.Namespace) -> None:
    dataset = _dataset(options)
    n = len(dataset.train.labels)
    environments_figure(options.out, dataset.train, range(0, n, -(-n // 6)))
    print(options.out)


if __name__ == "__main__":
    # Deterministic GPU operations, so that a resumed training gives the same bits there too.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    main()
