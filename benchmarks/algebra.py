"""The algebra: irreps from nothing, bases of steerable kernels, Wigner D; beside escnn and e3nn.

What is built from nothing is timed in fresh processes, because every library keeps what it found.
The clock starts when the library has been imported and torch has multiplied two matrices.
"""

import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from tqdm import tqdm

from benchmarks.escnn_peer import (
    C8_5,
    ICOSAHEDRAL,
    OCTAHEDRAL,
    OCTAHEDRAL_5,
    SO3_HIGH_5_FULL,
    SO3_MANY_5,
    load_e3nn,
    load_escnn,
)
from benchmarks.measure import Row, fresh, timed
from equinet.group import Group, cyclic, icosahedral, octahedral, so3
from equinet.harmonics import filter_grid, shell_harmonics
from equinet.numerics import random_rotations, wigner_D
from equinet.rep import Representation, irrep, irreps, regular
from equinet.steerable import kernel_basis

ROTATIONS = 100_000


def run() -> list[Row]:
    """All rows, with a progress bar."""
    rows: list[Row] = []
    jobs = [*(partial(_builds, *build) for build in _BUILDS), _wigner]
    for job in tqdm(jobs, desc="algebra", unit="task"):
        rows += job()
    return rows


def icosahedral_irreps() -> int:
    return sum(len(psi(icosahedral().elements)) > 0 for psi in irreps(icosahedral()))


def octahedral_irreps() -> int:
    return sum(len(psi(octahedral().elements)) > 0 for psi in irreps(octahedral()))


def octahedral_kernels() -> int:
    return _kernels(octahedral(), [(4, regular(octahedral()))], 3)


def many_kernels() -> int:
    return _kernels(so3(), [(32, irrep(so3(), l)) for l in range(4)], 3)


def high_kernels() -> int:
    return _kernels(so3(), [(1, irrep(so3(), l)) for l in range(7)], 3)


def planar_kernels() -> int:
    return _kernels(cyclic(8), [(16, regular(cyclic(8)))], 2)


def _kernels(group: Group, blocks: list[tuple[int, Representation]], n: int) -> int:
    """The basis on a filter of size 5, and one filter in it, float32; the number of kernels."""
    grid = filter_grid(5, n)
    sampled = kernel_basis(blocks, blocks, shell_harmonics(group, grid)).on(grid).to(torch.float32)
    sampled.expand([torch.randn(shape) for shape in sampled.weight_shapes.values()])
    return sum(len(kernels) for kernels in sampled.pairs.values())


# What is built, by us and by escnn, and what the number of elements counts.
_BUILDS: list[tuple[str, Callable[[], int], Any]] = [
    ("I: all irreps from nothing", icosahedral_irreps, ICOSAHEDRAL),
    ("O: all irreps from nothing", octahedral_irreps, OCTAHEDRAL),
    ("O, 4 -> 4 regular, 5^3: basis and filter", octahedral_kernels, OCTAHEDRAL_5),
    ("SO(3), 32x(0+1+2+3), 5^3: basis and filter", many_kernels, SO3_MANY_5),
    ("SO(3), 0+1+...+6, 5^3: basis and filter", high_kernels, SO3_HIGH_5_FULL),
    ("C8, 16 -> 16 regular fields, 5^2: basis and filter", planar_kernels, C8_5),
]


def _builds(task: str, build: Callable[[], int], theirs: Any) -> list[Row]:
    rows = [_row(task, "equinet", fresh(build), "fresh process")]
    peer, reason = load_escnn()
    if peer is None:
        return [*rows, Row(task, "escnn", note=f"skipped: {reason}")]
    reports = [peer.cold(theirs) for _ in range(3)]
    note = f"fresh process, no files; {reports[0].elements} elements"
    rows.append(_row(task, "escnn", [(1e3 * r.seconds, r.elements) for r in reports], note))
    reports = [peer.warm(theirs) for _ in range(3)]
    rows.append(_row(task, "escnn, its files on disk", [(1e3 * r.seconds, 0) for r in reports], ""))
    return rows


def _row(task: str, by: str, results: list[tuple[float, int]], note: str) -> Row:
    times = [milliseconds for milliseconds, _ in results]
    if by == "equinet":
        note = f"{note}; {results[0][1]} elements"
    return Row(task, by, statistics.median(times), min(times), max(times), note=note)


def _wigner() -> list[Row]:
    task = f"Wigner D, l = 0 ... 8, {ROTATIONS:,} rotations, float32"
    rotations = random_rotations(ROTATIONS, generator=torch.Generator().manual_seed(0)).float()
    rows = [timed(task, "equinet", lambda: [wigner_D(l, rotations) for l in range(9)], 5, 1)]
    peer, reason = load_e3nn()
    if peer is None:
        return [*rows, Row(task, "e3nn", note=f"skipped: {reason}")]
    rows.append(timed(task, "e3nn, matrices", peer.wigner_D(8, rotations), 3, 1))
    rows.append(timed(task, "e3nn, angles", peer.wigner_D_by_angles(8, rotations), 3, 1))
    return rows
