"""Command line: ``python -m examples.equivariance_error``."""

import argparse
import json
from pathlib import Path
from typing import Any

from tqdm import tqdm

from examples.common import checkpoint
from examples.common.options import natural, positive, run

from .figure import draw
from .measure import Case, equivariance_errors


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and do what it says."""
    run(parser(), arguments)


def parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.equivariance_error", description=__doc__
    )
    parser.add_argument("--bands", type=positive, nargs="+", default=[8, 12, 16, 20, 24])
    parser.add_argument(
        "--depth", type=positive, default=5, help="measured after 1, 2, ..., DEPTH layers"
    )
    parser.add_argument("--channels", type=positive, default=10)
    parser.add_argument("--rotations", type=positive, default=20, help="500 in the paper")
    parser.add_argument("--seed", type=natural, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/equivariance_error"))
    parser.set_defaults(command=_measure)
    return parser


def _measure(options: argparse.Namespace) -> None:
    """Measure, write the numbers and the picture, print a table."""
    rest = (options.channels, options.seed)
    cases = [
        Case(band, band, options.depth, relu, dtype, *rest)
        for band in options.bands
        for relu in (False, True)
        for dtype in ("float32", "float64")
    ]
    # The same kind of input on finer and finer grids.
    lowest = min(options.bands)
    cases += [
        Case(band, lowest, options.depth, True, "float32", *rest)
        for band in options.bands
        if band > lowest
    ]
    rows = []
    with checkpoint.locked(options.out):
        for case in tqdm(cases, desc="equivariance error"):
            rows += equivariance_errors(case, options.rotations)
        checkpoint.write_atomic(options.out / "errors.json", json.dumps(rows, indent=1).encode())
        draw(options.out / "errors.png", rows)
    print(markdown(rows))
    print(f"\npicture: {options.out / 'errors.png'}; numbers: {options.out / 'errors.json'}")


def markdown(rows: list[dict[str, Any]]) -> str:
    """A table of Delta: a row for each stack, a column for each depth; in brackets: in band."""
    depths = sorted({row["depth"] for row in rows})
    heads = ["ReLU", "type", "band", "degrees of the input", *(f"depth {n}" for n in depths)]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    stacks: dict[tuple, list[str]] = {}
    for row in rows:
        name = ("yes" if row["relu"] else "no", row["dtype"], row["band"], f"< {row['input_band']}")
        cell = f"{row['delta']:.2g}" + (f" ({row['delta_in_band']:.2g})" if row["relu"] else "")
        stacks.setdefault(name, []).append(cell)
    for name in sorted(stacks):
        lines.append("| " + " | ".join([*map(str, name), *stacks[name]]) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
