"""Options of the command line that mean the same in every example."""

import argparse
from pathlib import Path
from typing import Any

from . import checkpoint
from .parallel import Team
from .training import Settings

# Options that are fields of Settings under the same name.
FIELDS = ("epochs", "batch", "learning_rate", "schedule", "weight_decay", "seed", "dtype")


def run(parser: argparse.ArgumentParser, arguments: list[str] | None) -> None:
    """Parse the command line and do what it says; what it says wrongly is told in one line."""
    options = parser.parse_args(arguments)
    try:
        options.command(options)
    except ValueError as error:
        raise SystemExit(f"error: {error}") from error


def positive(text: str) -> int:
    """A whole number above zero, as the type of an argument."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a positive number, got {number}")
    return number


def device_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--device", default="cpu", help="cpu or cuda")


def training_options(
    command: argparse.ArgumentParser, *, epochs: int, batch: int, **defaults: Any
) -> None:
    """The options that :func:`chosen` reads, ``--device``, and those of a run and its folder.

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
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--dtype", choices=Settings.choices["dtype"], default="float32")
    command.add_argument("--checkpoint-every", type=positive, default=100, metavar="STEPS")
    command.add_argument("--fresh", action="store_true", help="forget the checkpoints of the run")
    command.add_argument("--out", type=Path, help="folder of the run")
    device_option(command)
    command.set_defaults(**defaults)


def chosen(options: argparse.Namespace) -> dict[str, Any]:
    """The fields of Settings that :func:`training_options` asks for."""
    return {name: getattr(options, name) for name in FIELDS}


def begin(options: argparse.Namespace, out: Path, team: Team) -> None:
    """Forget the checkpoints in ``out`` if ``--fresh`` says so."""
    if options.fresh and team.leads:
        checkpoint.clear(out)
    team.wait()
