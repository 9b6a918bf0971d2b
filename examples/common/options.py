"""Options of the command line that mean the same in every example."""

import argparse
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torch

from .errors import InputError
from .settings import Settings

Command = Callable[[argparse.Namespace], None]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # of add_subparsers

# Options that are fields of Settings under the same name.
FIELDS = ("epochs", "batch", "learning_rate", "schedule", "weight_decay", "seed", "dtype")


def run(parser: argparse.ArgumentParser, arguments: list[str] | None) -> None:
    """Parse the command line and do what it says.

    What the user or the system is to blame for is told in one line on stderr, and the status is 2
    for what was asked for wrongly, 1 for a disk, a network and the like. A bug keeps its traceback.
    """
    options = parser.parse_args(arguments)
    try:
        options.command(options)
    except (InputError, OSError) as error:
        status = 2 if isinstance(error, InputError) else 1
        parser.exit(status, f"{parser.prog}: error: {error}\n")


def positive(text: str) -> int:
    """A whole number above zero, as the type of an argument."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a positive number, got {number}")
    return number


def natural(text: str) -> int:
    """A whole number from zero on, as the type of an argument."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"expected 0 or more, got {number}")
    return number


def device(text: str) -> str:
    """A device that is there, as the type of an argument."""
    try:
        found = torch.device(text)
    except RuntimeError:
        found = torch.device("meta")
    if found.type not in ("cpu", "cuda"):
        raise argparse.ArgumentTypeError(f"expected cpu or cuda, got {text!r}")
    gpus = torch.cuda.device_count()
    if found.type == "cuda" and (found.index or 0) >= gpus:
        raise argparse.ArgumentTypeError(f"this torch can use {gpus} GPUs, got {text!r}")
    return text


def device_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--device", type=device, default="cpu", help="cpu or cuda")


def sweep_options(command: argparse.ArgumentParser, out: Path) -> None:
    """The options of ``sweep``: ``--jobs``, ``--fresh``, ``--out``."""
    command.add_argument("--jobs", type=positive, default=1, help="processes, of one thread each")
    command.add_argument("--fresh", action="store_true", help="forget what has been done")
    command.add_argument("--out", type=Path, default=out, help="folder of the results")


def training_options(
    command: argparse.ArgumentParser, *, epochs: int, batch: int, **defaults: Any
) -> None:
    """The options that :func:`chosen` and :func:`kept` read, ``--device`` and ``--out``.

    Args:
        command: gets the options.
        epochs: by default.
        batch: by default.
        defaults: of other options, such as ``learning_rate=1e-3``.
    """
    command.add_argument("--epochs", type=positive, default=epochs)
    command.add_argument("--batch", type=positive, default=batch, help="over all processes")
    command.add_argument("--learning-rate", type=float)
    command.add_argument("--schedule", choices=Settings.choices["schedule"], default="cosine")
    command.add_argument("--weight-decay", type=float, default=0.0)
    command.add_argument("--seed", type=natural, default=0)
    command.add_argument("--dtype", choices=Settings.choices["dtype"], default="float32")
    command.add_argument("--checkpoint-every", type=positive, default=100, metavar="STEPS")
    command.add_argument("--fresh", action="store_true", help="forget the checkpoints of the run")
    command.add_argument("--out", type=Path, help="folder of the run")
    device_option(command)
    command.set_defaults(**defaults)


def train_command(
    commands: Commands,
    train: Command,
    networks: Iterable[str],
    *,
    network: str,
    epochs: int,
    batch: int,
    **defaults: Any,
) -> argparse.ArgumentParser:
    """``train``, which an example with one network a run has.

    Args:
        commands: gets it.
        train: what it does.
        networks: names of those that it trains.
        network: the one by default.
        epochs, batch, **defaults: of :func:`training_options`.
    """
    command = commands.add_parser("train", help="train one network; the same command again goes on")
    command.add_argument("--network", choices=tuple(networks), default=network)
    training_options(command, epochs=epochs, batch=batch, **defaults)
    command.set_defaults(command=train)
    return command


def table_command(commands: Commands, table: Command, runs: Path) -> None:
    """``table``, of the runs in folders."""
    command = commands.add_parser("table", help="results of runs as a Markdown table")
    command.add_argument(
        "runs", type=Path, nargs="*", default=[runs], help="folders or result.json files"
    )
    command.set_defaults(command=table)


def chosen(options: argparse.Namespace, rates: Mapping[str, float] | None = None) -> dict[str, Any]:
    """The fields of Settings that :func:`training_options` asks for.

    Args:
        options: what was asked for.
        rates: the learning rate of each network, where none was asked for.
    """
    fields = {name: getattr(options, name) for name in FIELDS}
    if rates is not None and fields["learning_rate"] is None:
        fields["learning_rate"] = rates[options.network]
    return fields


def runs_option(command: argparse.ArgumentParser, default: Path) -> None:
    """The folder whose runs are drawn; the pictures go there too."""
    command.add_argument("runs", type=Path, nargs="?", default=default, help="folder of all runs")


def kept(options: argparse.Namespace) -> dict[str, Any]:
    """What :func:`training_options` asks for about checkpoints, as ``training.fit`` takes it."""
    return {"checkpoint_every": options.checkpoint_every, "fresh": options.fresh}
