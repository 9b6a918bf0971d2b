"""Every converter beside the library that it converts from: ``make peers``.

For each layer it measures how far outputs are apart, in parts of the largest one; a row is bad
above 1e-5. What is not installed is said. The table goes into ``benchmarks/results/converters.md``,
and the status is 1 if a row is bad.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from tests.peers import escnn_cases, stored
from tests.peers.classes import CLASSES, OPTIONAL, installed

BOUND = 1e-5
TABLE = Path("benchmarks/results/converters.md")
HEAD = """# Converters beside the libraries they convert from

What `make peers` measured on a CPU with torch {torch} and numpy {numpy}: how far outputs of a
converted layer are from those of the layer, in parts of the largest output. The layers of escnn and
e2cnn are compared in float32, at worst of training and evaluation (norms and dropouts that are
refused in training: in evaluation), those of se3cnn in float32 and those of e3nn in float64. Of the
others, how far what they give today is from the golden values with
which the tests compare the converters, and how far fields are that are made of converted spectra.
"""

Rows = Iterator[tuple[str, float]]
PEERS: dict[str, Callable[[], Rows]] = {
    "escnn": functools.partial(escnn_cases.errors, "escnn"),
    "e2cnn": functools.partial(escnn_cases.errors, "e2cnn"),
    "e3nn": stored.e3nn,
    "lie_learn": stored.lie_learn,
    "torch_harmonics": stored.torch_harmonics,
    "healpy": stored.healpy,
    "pyshtools": stored.pyshtools,
    "s2cnn": stored.s2cnn,
    "se3cnn": stored.se3cnn,
    "groupy": stored.groupy,
}


def _rows(name: str) -> Rows:
    """The differences, and how many classes there are that are neither converted nor refused."""
    yield from PEERS[name]()
    if name in CLASSES:
        known = set(CLASSES[name]) - OPTIONAL
        yield "classes that the tests do not know, or know in vain", len(installed(name) ^ known)


def main() -> int:
    """Compare all, write the table, and say how many rows are bad."""
    torch.set_num_threads(1)
    bad, lines = 0, [HEAD.format(torch=version("torch"), numpy=version("numpy"))]
    for name in sys.argv[1:] or PEERS:
        if importlib.util.find_spec(name) is None:
            lines += [f"## {name}\n", "Not installed: nothing was measured.\n"]
            print(f"{name}: not installed", flush=True)
            continue
        lines += [f"## {name} {_version(name)}\n", "| what | largest difference |", "|---|---|"]
        for what, error in _quietly(_rows(name)):
            bad += not error < BOUND
            size = f"{error:.1e}" if isinstance(error, float) else str(error)
            lines.append(f"| {what} | {size} |")
            print(f"{name:15} {what:50} {size}", flush=True)
        lines.append("")
    if not sys.argv[1:]:
        TABLE.write_text("\n".join(lines))
    print(f"{bad} differences above {BOUND:g}")
    return int(bad > 0)


def _version(name: str) -> str:
    try:
        return version(name.replace("_", "-"))
    except PackageNotFoundError:
        return "from its repository"


def _quietly(rows: Rows) -> Rows:
    """The rows, without what the libraries print and warn."""
    while True:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            row = next(rows, None)
        if row is None:
            return
        yield row


if __name__ == "__main__":
    sys.exit(main())
