"""The theorem on lattices. In: a pair of kernels and a dimension. Out: errors in closed form."""

from dataclasses import dataclass
from typing import Any

from equinet.learning import lattice_error
from examples.common.sweep import Desk

from .fits import doubling
from .pairs import LATTICE, kernel

# Of each dimension: points on an axis from, to, and aliases.
SIZES = {1: (32, 1024, 200), 2: (8, 128, 8), 3: (4, 32, 3)}
SIGMA = 0.3  # of a torus of side 1


@dataclass(frozen=True)
class Lattice:
    """All that decides a curve."""

    d: int
    teacher: float
    student: float
    points: tuple[int, ...]  # on each axis
    aliases: int


def tasks(shrink: int = 1) -> dict[str, Lattice]:
    """All dimensions and pairs; ``shrink`` divides the finest lattices."""
    found = {}
    for d, (first, last, aliases) in SIZES.items():
        points = doubling(first, max(2 * first, last // shrink))
        for teacher, student in LATTICE:
            found[f"d{d}-{teacher}-{student}"] = Lattice(d, teacher, student, points, aliases)
    return found


def work(task: Lattice, desk: Desk) -> dict[str, Any]:
    """The errors of one curve."""
    T, S = kernel(task.teacher, SIGMA), kernel(task.student, SIGMA)
    errors = []
    for points in task.points:
        errors.append(lattice_error(T, S, task.d, points, aliases=task.aliases))
        desk.tell(len(errors) / len(task.points))
    return {"n": [points**task.d for points in task.points], "error": errors}
