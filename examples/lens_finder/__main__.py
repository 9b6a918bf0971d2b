"""Command line: ``python -m examples.lens_finder gate | run | table | figure | demo``."""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from examples.common.errors import InputError
from examples.common.options import positive, run, sweep_options
from examples.common.sweep import read, sweep

from .figures import examples_figure, mistakes_figure, purity_figure
from .galaxies import read_galaxies
from .models import NETWORKS
from .runs import GATE_BARS, GateTask, Task, gate, passes, train
from .table import challenge_table, details_table, gate_table, measured_table

RUNS = Path("runs/lens_finder")
ONE_BAND = {"ground-i": ("compute",)}  # the arms of a survey that is there for one question


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and do what it says."""
    run(parser(), arguments)


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog="python -m examples.lens_finder", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="gate | run | table | figure | demo")
    for name, action, words in (
        ("gate", _gate, "whether simple features give the lenses away"),
        ("run", _run, "train all networks; the same command again goes on"),
        ("table", _table, "claims and numbers, as Markdown"),
        ("figure", _figure, "the pictures"),
        ("demo", _demo, "all of it, small"),
    ):
        command = commands.add_parser(name, help=words)
        _options(command, small=name == "demo")
        command.set_defaults(command=action)
    return top


def _options(command: argparse.ArgumentParser, small: bool) -> None:
    default = Task("space", 0, "")
    command.add_argument("--galaxies", type=Path, help="an npz file with real galaxies")
    command.add_argument(
        "--surveys", nargs="+", default=["space", "ground", "ground-i"][: 3 - small]
    )
    command.add_argument("--seeds", type=positive, default=1 if small else 3)
    for name, less in (
        ("epochs", 4), ("images", 1000), ("synthetic", 200), ("negatives", 1000), ("lenses", 400),
    ):  # fmt: skip
        value = less if small else getattr(default, name)
        command.add_argument(f"--{name}", type=positive, default=value)
    sweep_options(command, RUNS / "demo" if small else RUNS)


def _tasks(options: argparse.Namespace) -> dict[str, Task]:
    """Seed by seed, so that a part of the runs has all surveys."""
    _, galaxies = read_galaxies(options.galaxies)
    sizes: dict[str, int] = {
        name: getattr(options, name)
        for name in ("epochs", "images", "synthetic", "negatives", "lenses")
    }
    return {
        f"{survey}-{seed}": Task(
            survey,
            seed,
            galaxies,
            ONE_BAND.get(survey, tuple(NETWORKS)),
            **sizes,
        )
        for seed in range(options.seeds)
        for survey in options.surveys
    }


def _gates(options: argparse.Namespace) -> dict[str, GateTask]:
    _, galaxies = read_galaxies(options.galaxies)
    size = {"images": options.images, "synthetic": options.synthetic}
    return {f"gate-{survey}": GateTask(survey, galaxies, **size) for survey in options.surveys}


def _passed(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """What the gate finds, kept from an earlier time if there was one."""
    _tasks(options)  # refuses what is asked for wrongly before anything is computed
    return sweep(
        partial(gate, options.galaxies),
        _gates(options),
        options.out,
        jobs=options.jobs,
        fresh=options.fresh,
        title="gate",
    )


def _gate(options: argparse.Namespace) -> None:
    print(gate_table(_passed(options)))


def _run(options: argparse.Namespace) -> None:
    for name, found in _passed(options).items():
        if not passes(found):
            raise InputError(
                f"gate: expected AUROC of at most {GATE_BARS}, got {found} for {name}: the images "
                "leak, nothing is trained"
            )
    work = partial(train, options.galaxies)
    sweep(work, _tasks(options), options.out, jobs=options.jobs, fresh=options.fresh)
    print(f"results are in {options.out}")


def _results(options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Task], dict[str, Any]]:
    tasks = _tasks(options)
    return read(options.out, _gates(options)), tasks, read(options.out, tasks)


def _table(options: argparse.Namespace) -> None:
    gates, tasks, results = _results(options)
    print(measured_table(gates, tasks, results))
    print()
    print(details_table(tasks, results))
    print()
    print(challenge_table())


def _figure(options: argparse.Namespace) -> None:
    _, tasks, results = _results(options)
    purity_figure(options.out / "purity.png", tasks, results)
    examples_figure(options.out / "examples.jpg", tasks, options.galaxies)
    mistakes_figure(options.out / "mistakes.jpg", tasks, results, options.galaxies)
    print(f"pictures are in {options.out}")


def _demo(options: argparse.Namespace) -> None:
    _run(options)
    _table(options)
    _figure(options)


if __name__ == "__main__":
    main()
