"""Command line: ``python -m examples.qm7``; the same command again goes on."""

import argparse
from functools import partial
from pathlib import Path

from examples.atoms.networks import NETWORKS
from examples.atoms.training import Task
from examples.common.errors import InputError
from examples.common.options import natural, positive, run, sweep_options
from examples.common.sweep import sweep
from examples.common.table import markdown

from .data import Split, load
from .figure import curves_figure
from .runs import Baseline, baselines, train

RUNS = Path("runs/qm7")
# With the archive, and with the few molecules that are here.
SIZES, STEPS = (100, 300, 1000, 3000, 5700), 6_000
FEW_SIZES, FEW_STEPS = (30, 120), 120


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and do what it says."""
    run(parser(), arguments)


def parser() -> argparse.ArgumentParser:
    """The options."""
    top = argparse.ArgumentParser(prog="python -m examples.qm7", description=__doc__)
    top.add_argument("--data", type=Path, help="qm7.npz; default: 200 molecules that are here")
    top.add_argument("--sizes", type=positive, nargs="+", help="molecules to learn from")
    top.add_argument("--network", choices=tuple(NETWORKS), default="nequip")
    top.add_argument("--lmax", type=natural, nargs="+", default=[0, 1, 2], help="largest degrees")
    top.add_argument("--steps", type=positive, help="of each network")
    for name in ("channels", "layers", "batch"):
        top.add_argument(f"--{name}", type=positive, default=getattr(Task, name))
    top.add_argument("--cutoff", type=float, default=3.5, help="in angstrom")
    top.add_argument("--learning-rate", type=float, default=Task.learning_rate)
    top.add_argument("--seed", type=natural, default=0)
    sweep_options(top, RUNS)
    top.set_defaults(command=_run)
    return top


def _run(options: argparse.Namespace) -> None:
    molecules = load(options.data)
    data, few = molecules.fingerprint(), options.data is None
    sizes = sorted(set(options.sizes or (FEW_SIZES if few else SIZES)))
    pool = len(Split.of(len(molecules)).pool)
    if sizes[-1] > pool:
        raise InputError(f"sizes: expected at most {pool} of these molecules, got {sizes[-1]}")
    names = ("channels", "layers", "batch", "cutoff", "learning_rate", "seed")
    given = {name: getattr(options, name) for name in names}
    given["steps"] = options.steps or (FEW_STEPS if few else STEPS)
    tasks = {
        f"{options.network}-l{lmax}-{size}": Task(options.network, data, size, lmax=lmax, **given)
        for lmax in options.lmax
        for size in sizes
    }
    kept = {"jobs": options.jobs, "fresh": options.fresh}
    simple = {f"bonds-{size}": Baseline(data, size) for size in sizes}
    found = sweep(partial(baselines, molecules), simple, options.out, title="bonds", **kept)
    results = sweep(partial(train, molecules), tasks, options.out, title="networks", **kept)

    curves = {"bag of bonds": {size: found[f"bonds-{size}"]["bonds"]["test"] for size in sizes}}
    for lmax in options.lmax:
        name = f"{options.network}-l{lmax}"
        curves[f"{options.network}, l ≤ {lmax}"] = {
            size: results[f"{name}-{size}"]["test"] for size in sizes
        }
    composition = found[f"bonds-{sizes[-1]}"]["composition"]
    print(f"composition alone: {composition:.1f} kcal/mol")
    rows = [[name, *(f"{curve[size]:.2f}" for size in sizes)] for name, curve in curves.items()]
    print(markdown(["mean absolute error, kcal/mol", *map(str, sizes)], rows))
    curves_figure(options.out / "curves.png", curves, composition)
    print(f"curves.png and all results are in {options.out}")


if __name__ == "__main__":
    main()
