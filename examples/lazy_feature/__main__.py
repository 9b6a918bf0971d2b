"""Command line: ``python -m examples.lazy_feature run | table | figure | demo``."""

import argparse
from functools import partial
from pathlib import Path

from examples.common.options import positive, run, sweep_options
from examples.common.sweep import read, sweep

from .claims import report
from .figures import claims_figure, errors_figure
from .measures import Curves, curves
from .networks import KINDS
from .plans import PLANS, chosen, tasks
from .runs import Task, work

RUNS = Path("runs/lazy_feature")


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and do what it says."""
    run(parser(), arguments)


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog="python -m examples.lazy_feature", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="run | table | figure | demo")
    for name, about, function in (
        ("run", "all runs; the same command again goes on", _run),
        ("table", "the claims as a Markdown table", _table),
        ("figure", "the pictures", _figure),
        ("demo", "small runs, the table and the pictures; no file is needed", _demo),
    ):
        command = commands.add_parser(name, help=about)
        if name != "demo":
            command.add_argument("--scale", choices=tuple(PLANS), default="default")
            command.add_argument("--data", type=Path, help="digits, such as mnist.npz")
        command.add_argument("--kinds", nargs="+", choices=tuple(KINDS), default=tuple(KINDS))
        command.add_argument("--widths", nargs="+", type=positive, help="of one kind")
        command.add_argument("--scales", nargs="+", type=float, help="sqrt(width) alpha")
        command.add_argument("--seeds", type=positive, help="networks of each width and alpha")
        command.add_argument("--train", type=positive, help="digits to learn from")
        command.add_argument("--test", type=positive, help="digits to test on")
        command.add_argument("--points", type=positive, help="of these for the kernel's change")
        out = RUNS / "demo" if name == "demo" else RUNS / "default"
        if name in ("run", "demo"):
            sweep_options(command, out)
        else:
            command.add_argument("--out", type=Path, default=out, help="folder of the results")
        command.set_defaults(command=function)
    return top


def _tasks(options: argparse.Namespace) -> dict[str, Task]:
    changes = {name: getattr(options, name) for name in ("seeds", "train", "test", "points")}
    for name in ("widths", "scales"):
        values = getattr(options, name)
        changes[name] = None if values is None else tuple(values)
    return tasks(chosen(options.scale, tuple(options.kinds), changes), options.data)


def _run(options: argparse.Namespace) -> None:
    todo = _tasks(options)
    sweep(partial(work, options.data), todo, options.out, jobs=options.jobs, fresh=options.fresh)
    print(f"{len(todo)} results are in {options.out}")


def _found(options: argparse.Namespace) -> dict[str, Curves]:
    todo = _tasks(options)
    return curves(read(options.out, todo), todo)


def _table(options: argparse.Namespace) -> None:
    print(report(_found(options)))


def _figure(options: argparse.Namespace) -> None:
    found = _found(options)
    claims_figure(options.out / "claims.png", found)
    errors_figure(options.out / "errors.png", found)
    print(f"claims.png and errors.png are in {options.out}")


def _demo(options: argparse.Namespace) -> None:
    options.scale, options.data = "demo", None
    _run(options)
    _table(options)
    _figure(options)


if __name__ == "__main__":
    main()
