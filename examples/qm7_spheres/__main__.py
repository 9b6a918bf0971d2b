"""Command line: ``python -m examples.qm7_spheres``; the same command again goes on."""

import argparse
from functools import partial
from pathlib import Path

from examples.common.errors import InputError
from examples.common.options import natural, positive, run, sweep_options
from examples.common.sweep import sweep
from examples.common.table import markdown
from examples.qm7.data import Split, load, without_composition

from .models import NETWORKS
from .runs import SphereRun, train

RUNS = Path("runs/qm7_spheres")
SIZE, STEPS = 5700, 3000
FEW_SIZE, FEW_STEPS = 120, 40  # of the few molecules that are here


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and do what it says."""
    run(parser(), arguments)


def parser() -> argparse.ArgumentParser:
    """The options."""
    top = argparse.ArgumentParser(prog="python -m examples.qm7_spheres", description=__doc__)
    top.add_argument("--data", type=Path, help="qm7.npz; default: 200 molecules that are here")
    top.add_argument("--size", type=positive, help="molecules to learn from")
    top.add_argument("--network", choices=tuple(NETWORKS), nargs="+", default=["spin"])
    top.add_argument("--steps", type=positive, help="of each network")
    for name in ("band", "channels", "batch"):
        top.add_argument(f"--{name}", type=positive, default=getattr(SphereRun, name))
    top.add_argument("--spin", type=natural, default=SphereRun.spin, help="the largest")
    top.add_argument("--radius", type=float, default=SphereRun.radius, help="in angstrom")
    top.add_argument("--learning-rate", type=float, default=SphereRun.learning_rate)
    top.add_argument("--seed", type=natural, nargs="+", default=[0])
    sweep_options(top, RUNS)
    top.set_defaults(command=_run)
    return top


def _run(options: argparse.Namespace) -> None:
    molecules = load(options.data)
    few = options.data is None
    size = options.size or (FEW_SIZE if few else SIZE)
    split = Split.of(len(molecules))
    if size > len(split.pool):
        raise InputError(f"size: expected at most {len(split.pool)} of these molecules, got {size}")
    names = ("band", "channels", "batch", "spin", "radius", "learning_rate")
    given = {name: getattr(options, name) for name in names}
    given["steps"] = options.steps or (FEW_STEPS if few else STEPS)
    data = molecules.fingerprint()
    runs = {
        f"{network}-{size}-{seed}": SphereRun(network, data, size, seed=seed, **given)
        for network in options.network
        for seed in options.seed
    }
    kept = {"jobs": options.jobs, "fresh": options.fresh}
    results = sweep(partial(train, molecules), runs, options.out, title="networks", **kept)
    alone = without_composition(molecules, split.pool[:size])[split.test]
    rows = [
        [
            "composition alone",
            f"{alone.abs().mean():.2f}",
            f"{alone.square().mean().sqrt():.2f}",
            "",
        ]
    ]
    rows += [
        [name, f"{found['test']:.2f}", f"{found['rmse']:.2f}", f"{found['seconds'] / 60:.1f}"]
        for name, found in results.items()
    ]
    print(markdown(["kcal/mol", "mean absolute error", "root mean square", "minutes"], rows))


if __name__ == "__main__":
    main()
