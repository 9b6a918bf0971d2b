"""The theorem on random points. In: a dimension and a draw. Out: exact errors of all pairs.

The points are drawn once, and a curve is that of the first n of them: a kernel is factored once.
"""

from dataclasses import dataclass
from typing import Any

from examples.common.errors import InputError
from examples.common.streams import stream
from examples.common.sweep import Desk

from .fits import doubling, longest_regression, points_on_sphere
from .pairs import SPHERES, kernel

DIMENSIONS = (1, 2, 3)
POINTS = 10  # the purpose of a random stream
FIRST, TEST = 32, 200


@dataclass(frozen=True)
class Sphere:
    """All that decides a draw: kernels have sigma = d."""

    d: int
    n: tuple[int, ...]
    test: int
    seed: int


def tasks(largest: int, draws: int) -> dict[str, Sphere]:
    """All dimensions and draws.

    Raises:
        InputError: if ``largest`` leaves no two n.
    """
    if largest < 2 * FIRST:
        raise InputError(f"points: expected at least {2 * FIRST}, got {largest}")
    return {
        f"d{d}-{seed}": Sphere(d, doubling(FIRST, largest), TEST, seed)
        for seed in range(draws)
        for d in DIMENSIONS
    }


def work(task: Sphere, desk: Desk) -> dict[str, Any]:
    """The errors of all pairs, by name, at each n that the student bears; and how many it does."""
    generator = stream(task.seed, POINTS, task.d)
    x = points_on_sphere(max(task.n), task.d, generator)
    test = points_on_sphere(task.test, task.d, generator)
    sigma = float(task.d)
    students = {
        nu: longest_regression(kernel(nu, sigma), x) for nu in {pair.student for pair in SPHERES}
    }
    errors = {}
    for pair in SPHERES:
        student, teacher = students[pair.student], kernel(pair.teacher, sigma)
        within = [n for n in task.n if n <= len(student.x)]
        errors[str(pair)] = [student.first(n).expected_error(teacher, test) for n in within]
        desk.tell(len(errors) / len(SPHERES))
    return {"error": errors, "most": {str(nu): len(one.x) for nu, one in students.items()}}
