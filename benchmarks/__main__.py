"""``python -m benchmarks SUITE``: print a table and write it as JSON."""

import argparse
import importlib
import json
from pathlib import Path

import torch

from benchmarks.measure import as_json, machine, table

# Imported when asked for: each needs other peers, in environments of their own.
SUITES = (
    *("algebra", "equivariance", "gpu", "learning", "moving", "points", "roofline"),
    *("sphere_grids", "spherical"),
    "steerable",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--out", type=Path, help="folder of the JSON; runs/benchmarks, of gpu benchmarks/results"
    )
    parser.add_argument(
        "--peers", action="append", default=[], help="a Python with peers, for sphere_grids"
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    suite = importlib.import_module(f"benchmarks.{options.suite}")
    rows = suite.run(options.peers) if options.peers else suite.run()
    if not rows:
        return
    print(", ".join(f"{name}: {value}" for name, value in machine().items()))
    print()
    print(getattr(suite, "table", table)(rows))
    out = options.out or getattr(suite, "OUT", Path("runs/benchmarks"))
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{options.suite}.json"
    path.write_text(json.dumps(as_json(rows), indent=1) + "\n")
    print(f"\nwritten to {path}")


if __name__ == "__main__":
    main()
