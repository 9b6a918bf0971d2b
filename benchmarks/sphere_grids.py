"""Transforms on the Gauss grid at bands 64 to 720, beside ducc0 and torch-harmonics.

All have the same ``band`` times ``2 band`` points and the same number of threads, and take turns of
some calls, the first of which do not count, as threads of others may still wait for work. Each peer
is in a process of its own (``sphere_peer.py``), by default of this Python.
``--peers PYTHON`` names another: an environment with numpy and ducc0, or with torch and
torch-harmonics, and may be given for each of them.
"""

import functools
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from benchmarks.measure import Row, milliseconds, peak_memory
from equinet.harmonics import Analysis, Synthesis, gauss

# (band, batch, spin, dtype)
CASES = [
    *((band, 8, spin, "float32") for band in (64, 128, 256) for spin in (0, 1)),
    *((band, batch, 0, "float32") for band in (512, 720) for batch in (1, 2, 8)),
    *((band, 2, 1, "float32") for band in (512, 720)),
    *((band, 8, 0, "float64") for band in (64, 128, 256, 512, 720)),
]
WAYS = ("analysis", "synthesis")
TURNS, CALLS, WARMUP = 4, 4, 2
# Largest band of a peer: torch-harmonics has tables of 3 GB at 512, for vectors of twice as much.
LARGEST = {"ducc0": (10_000, 10_000), "torch-harmonics": (512, 256)}

Case = tuple[int, int, int, str]


class Peer:
    """A library in a process of its own, ready for one case."""

    def __init__(self, name: str, python: str, case: Case) -> None:
        self.name = name
        command = [python, str(Path(__file__).with_name("sphere_peer.py"))]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        said = self.ask(" ".join(map(str, (name, *case, torch.get_num_threads()))))
        self.problem = said.get("problem", "")
        self.build = said.get("build", 0.0)
        self.by = f"{name} {said.get('version', '')}".strip()

    def ask(self, line: str) -> Any:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.communicate()


def peers_of(pythons: Sequence[str], case: Case) -> tuple[list[Peer], list[str]]:
    """Each library by the first Python that has it, and why others are missing."""
    found, missing = [], []
    for name, largest in LARGEST.items():
        if case[0] > largest[case[2]]:
            missing.append(f"{name}: its tables are too large")
            continue
        problem = ""
        for python in pythons or [sys.executable]:
            peer = Peer(name, python, case)
            if not peer.problem:
                found.append(peer)
                break
            problem = peer.problem
            peer.close()
        else:
            missing.append(f"{name}: {problem}")
    return found, missing


def run(peers: Sequence[str] = ()) -> list[Row]:
    """All rows, with a progress bar."""
    rows = []
    for case in tqdm(CASES, desc="sphere_grids", unit="case"):
        rows += _case(case, peers)
    return rows


def transforms(case: Case) -> dict[str, Callable[[], Any]]:
    """Both ways of equinet."""
    band, batch, spin, dtype = case
    rings, to = gauss(band), getattr(torch, dtype)
    analysis, synthesis = Analysis(rings, band, spin, to), Synthesis(rings, band, spin, to)
    signal = torch.randn(batch, 2 if spin else 1, band, 2 * band, dtype=to)
    spectrum = analysis(signal)
    return {"analysis": lambda: analysis(signal), "synthesis": lambda: synthesis(spectrum, 1)}


def both_ways(case: Case) -> Callable[[], Any]:
    """For the memory: the transforms are built, then done one after the other."""
    calls = transforms(case)

    def call() -> None:
        for way in WAYS:
            calls[way]()

    return call


def _case(case: Case, pythons: Sequence[str]) -> list[Row]:
    band, batch, spin, dtype = case
    task = f"{'vector' if spin else 'scalar'}, band {band}, batch {batch}, {dtype}"
    found, missing = peers_of(pythons, case)
    [build], calls = milliseconds(functools.partial(transforms, case), 1, 0), transforms(case)
    rows = []
    for way in WAYS:
        turns: dict[str, Callable[[], list[float]]] = {
            "equinet": functools.partial(milliseconds, calls[way], CALLS, WARMUP)
        }
        line = f"{way} {CALLS} {WARMUP}"
        turns |= {peer.by: functools.partial(peer.ask, line) for peer in found}
        times: dict[str, list[float]] = {by: [] for by in turns}
        for _ in range(TURNS):
            for by, turn in turns.items():
                times[by] += turn()
        rows += [
            Row(f"{way}, {task}", by, statistics.median(t), min(t), max(t))
            for by, t in times.items()
        ]
    memory = {"equinet": peak_memory(functools.partial(both_ways, case))}
    built = {"equinet": build}
    for peer in found:
        memory[peer.by], built[peer.by] = peer.ask("memory"), peer.build
        peer.close()
    rows = [
        replace(row, memory=memory[row.by], note=f"built in {built[row.by]:.0f} ms") for row in rows
    ]
    return rows + [Row(task, "", note=f"skipped: {reason}") for reason in missing]
