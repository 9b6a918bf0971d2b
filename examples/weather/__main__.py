"""Command line: ``python -m examples.weather winds | oceans``."""

import argparse
from functools import partial
from pathlib import Path

import equinet as eq
from equinet.harmonics import gauss
from examples.common.digits import digest
from examples.common.options import natural, positive, run, sweep_options
from examples.common.sweep import sweep
from examples.common.table import markdown

from .data import earth
from .models import NETWORKS
from .oceans import OceanRun, train
from .winds import winds

RUNS = Path("runs/weather")


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and do what it says."""
    run(parser(), arguments)


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog="python -m examples.weather", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="winds | oceans")

    command = commands.add_parser("winds", help="divergence, vorticity and energy of a wind")
    _data(command)
    command.add_argument("--band", type=positive, default=64, help="degrees below it")
    command.add_argument("--out", type=Path, default=RUNS / "winds")
    command.set_defaults(command=_winds)

    command = commands.add_parser("oceans", help="train U-Nets; the same command again goes on")
    _data(command)
    command.add_argument("--network", choices=tuple(NETWORKS), nargs="+", default=[*NETWORKS])
    for name in ("band", "turns"):
        command.add_argument(f"--{name}", type=positive, default=getattr(OceanRun, name))
    command.add_argument("--steps", type=positive, default=200)
    command.add_argument("--learning-rate", type=float, default=OceanRun.learning_rate)
    command.add_argument("--seed", type=natural, nargs="+", default=[0])
    sweep_options(command, RUNS / "oceans")
    command.set_defaults(command=_oceans)
    return top


def _data(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data", type=Path, metavar="FILE", help="npz as the README says; default: made up"
    )


def _winds(options: argparse.Namespace) -> None:
    winds(options.data, eq.Sphere(options.band, grid=gauss(options.band)), options.out)


def _oceans(options: argparse.Namespace) -> None:
    seen = earth(options.data, eq.Sphere(options.band))
    data = digest(seen.seen, seen.positions, seen.basins)
    names = ("band", "turns", "steps", "learning_rate")
    given = {name: getattr(options, name) for name in names}
    runs = {
        f"{network}-{seed}": OceanRun(network, data, 1, batch=1, seed=seed, **given)
        for network in options.network
        for seed in options.seed
    }
    kept = {"jobs": options.jobs, "fresh": options.fresh}
    results = sweep(partial(train, seen), runs, options.out, title="networks", **kept)
    rows = [
        [name, f"{found['parameters']:,}", f"{found['upright']:.3f}", f"{found['turned']:.3f}"]
        for name, found in results.items()
    ]
    print(markdown(["share of the sea", "parameters", "upright", "turned"], rows))


if __name__ == "__main__":
    main()
