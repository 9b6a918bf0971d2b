"""Command line: ``python -m examples.water forces | tensors | demo``.

The same command again goes on where it stopped.
"""

import argparse
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from examples.atoms.networks import NETWORKS
from examples.common.errors import InputError
from examples.common.options import natural, positive, run, sweep_options
from examples.common.sweep import sweep
from examples.common.table import markdown

from .artificial import artificial
from .data import Pair, load
from .figures import forces_figure, tensors_figure
from .runs import COLUMNS, Task, drift, forces, tensors

RUNS = Path("runs/water")
# What the demo asks for, of frames that are made up.
DEMO = {"channels": 8, "layers": 2, "lmax": 2, "cutoff": 4.0, "learning_rate": 1e-2, "batch": 4}
STEPS = (300, 100, 400)  # of the forces, of the tensors, of the trajectory


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and do what it says."""
    run(parser(), arguments)


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog="python -m examples.water", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="forces | tensors | demo")

    command = commands.add_parser("forces", help="learn forces, then let the atoms move by them")
    command.add_argument("--network", choices=tuple(NETWORKS), default="nequip")
    command.add_argument("--sizes", type=positive, nargs="+", default=[80, 320], help="frames")
    command.add_argument("--motion", type=natural, default=2000, help="steps of the trajectories")
    _options(command, steps=6_000, batch=1)
    sweep_options(command, RUNS / "forces")
    command.set_defaults(command=_forces)

    command = commands.add_parser("tensors", help="learn dipoles and polarisabilities")
    _options(command, steps=1_000, batch=2)
    sweep_options(command, RUNS / "tensors")
    command.set_defaults(command=_tensors)

    command = commands.add_parser("demo", help="both, small, with frames that are made up")
    sweep_options(command, RUNS / "demo")
    command.set_defaults(command=_demo)
    return top


def _options(command: argparse.ArgumentParser, *, steps: int, batch: int) -> None:
    command.add_argument("--data", type=Path, required=True, help="water_dft.npz")
    command.add_argument("--steps", type=positive, default=steps, help="of each network")
    command.add_argument("--batch", type=positive, default=batch, help="frames of a step")
    command.add_argument("--lmax", type=natural, default=2, help="largest degree")
    command.add_argument("--channels", type=positive, default=Task.channels)
    command.add_argument("--layers", type=positive, default=2)
    command.add_argument("--cutoff", type=float, default=4.0, help="in angstrom")
    command.add_argument("--learning-rate", type=float, default=Task.learning_rate)
    command.add_argument("--seed", type=natural, default=0)


def _given(options: argparse.Namespace) -> dict[str, Any]:
    names = ("steps", "batch", "lmax", "channels", "layers", "cutoff", "learning_rate", "seed")
    return {name: getattr(options, name) for name in names}


def _forces(options: argparse.Namespace) -> None:
    pair, given = load(options.data)["forces"], _given(options) | {"motion": options.motion}
    learn_forces(pair, options, options.out, options.network, options.sizes, given)


def _tensors(options: argparse.Namespace) -> None:
    learn_tensors(load(options.data), options, options.out, _given(options))


def _demo(options: argparse.Namespace) -> None:
    pairs = artificial()
    of_forces, of_tensors, motion = STEPS
    given, sizes = DEMO | {"steps": of_forces, "motion": motion}, [len(pairs["forces"].train)]
    learn_forces(pairs["forces"], options, options.out / "forces", "nequip", sizes, given)
    learn_tensors(pairs, options, options.out / "tensors", DEMO | {"steps": of_tensors})


def learn_forces(
    pair: Pair,
    options: argparse.Namespace,
    out: Path,
    network: str,
    sizes: list[int],
    given: dict[str, Any],
) -> None:
    """A network for each number of frames; prints a table and draws a figure."""
    if max(sizes) > len(pair.train):
        raise InputError(f"sizes: expected at most {len(pair.train)} frames, got {max(sizes)}")
    data = pair.train.fingerprint()
    tasks = {f"{network}-{size}": Task(network, data, size, **given) for size in sizes}
    kept = {"jobs": options.jobs, "fresh": options.fresh, "title": "forces"}
    found = sweep(partial(forces, pair), tasks, out, **kept)
    rows = []
    for name, size in zip(tasks, sizes, strict=True):
        result = found[name]
        errors = f"{1000 * result['forces']:.1f}", f"{1000 * result['energies']:.2f}"
        row = [str(size), *errors, f"{result['seconds'] / 60:.1f}"]
        if "motion" in result:
            slope, spread = drift(result["motion"], len(pair.train.kinds))
            row.append(f"{slope:.3f} ± {spread:.3f}")
        rows.append(row)
    head = ["frames", "forces, meV/Å", "energy of an atom, meV", "minutes"]
    if given["motion"]:
        head.append("drift, meV/ps for each atom, ± meV")
    print(markdown(head, rows))
    forces_figure(out / "forces.png", found, len(pair.train.kinds))
    print(f"forces.png and all results are in {out}")


def learn_tensors(
    pairs: Mapping[str, Pair], options: argparse.Namespace, out: Path, given: dict[str, Any]
) -> None:
    """A network for each tensor, and the control; prints a table and draws a figure."""
    own = {target: pairs["polarisability" if target == "control" else target] for target in COLUMNS}
    kept = {"jobs": options.jobs, "fresh": options.fresh}
    rows: dict[str, dict[str, float]] = {}
    for target, pair in own.items():
        size, data = len(pair.train), pair.train.fingerprint()
        task = Task("nequip", data, size, target=target, **given)
        found = sweep(partial(tensors, pair), {target: task}, out, title=target, **kept)[target]
        rows[target] = _relative(found["squares"], found["variances"])
    table = [
        [target, part, f"{error:.3f}"] for target in rows for part, error in rows[target].items()
    ]
    print(markdown(["learned", "part", "RMSE / standard deviation"], table))
    tensors_figure(out / "tensors.png", rows)
    print(f"tensors.png and all results are in {out}")


def _relative(squares: list[float], variances: list[float]) -> dict[str, float]:
    """Errors over standard deviations, by degree."""
    parts = (
        {"l = 1": slice(0, 3)} if len(squares) == 3 else {"l = 0": slice(1), "l = 2": slice(1, 6)}
    )
    return {
        name: math.sqrt(sum(squares[part]) / sum(variances[part])) for name, part in parts.items()
    }


if __name__ == "__main__":
    main()
