"""Command line: ``python -m examples.equivariance_error``."""

import argparse
import json
from pathlib import Path

from tqdm import tqdm

from .figure import draw
from .measure import Case, equivariance_errors


def main(arguments: list[str] | None = None) -> None:
    """Measure, write the numbers and the picture, print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.equivariance_error", description=__doc__
    )
    parser.add_argument("--bands", type=int, nargs="+", default=[8, 12, 16, 20, 24])
    parser.add_argument(
        "--depth", type=int, default=5, help="measured after 1, 2, ..., DEPTH layers"
    )
    parser.add_argument("--channels", type=int, default=10)
    parser.add_argument("--rotations", type=int, default=20, help="500 in the paper")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/equivariance_error"))
    options = parser.parse_args(arguments)
    cases = [
        Case(band, options.depth, relu, dtype, options.channels, options.seed)
        for band in options.bands
        for relu in (False, True)
        for dtype in ("float32", "float64")
    ]
    rows = []
    for case in tqdm(cases, desc="equivariance error"):
        rows += equivariance_errors(case, options.rotations)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "errors.json").write_text(json.dumps(rows, indent=1))
    draw(options.out / "errors.png", rows)
    print(markdown(rows))
    print(f"\npicture: {options.out / 'errors.png'}; numbers: {options.out / 'errors.json'}")


def markdown(rows: list[dict]) -> str:
    """A table of Delta: a row for each stack, a column for each depth."""
    depths = sorted({row["depth"] for row in rows})
    lines = ["| ReLU | type | band | " + " | ".join(f"{depth} layers" for depth in depths) + " |"]
    lines.append("|---" * (3 + len(depths)) + "|")
    for relu, dtype, band in sorted({(row["relu"], row["dtype"], row["band"]) for row in rows}):
        cells = [
            f"{row['delta']:.2g}" + (f" ({row['delta_in_band']:.2g})" if relu else "")
            for row in rows
            if (row["relu"], row["dtype"], row["band"]) == (relu, dtype, band)
        ]
        lines.append(
            f"| {'yes' if relu else 'no'} | {dtype} | {band} | " + " | ".join(cells) + " |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
