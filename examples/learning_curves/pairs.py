"""Teachers and students of the theorem. In: their nu. Out: kernels, names, exponents."""

import math
from typing import NamedTuple

from equinet.learning import Gaussian, Matern, exponent


class Pair(NamedTuple):
    """A teacher and a student, Matern kernels of nu; the teacher of infinite nu is Gaussian."""

    teacher: float
    student: float

    def __str__(self) -> str:
        return f"{label(self.teacher)} / {label(self.student)}"

    def beta(self, d: int) -> float:
        """What the theorem says."""
        return exponent(kernel(self.teacher, 1.0), kernel(self.student, 1.0), d)

    def is_limited_by_student(self, d: int) -> bool:
        """Whether 2 alpha_S is the lesser of the two."""
        return math.isinf(self.teacher) or 2 * (2 * self.student + d) < 2 * self.teacher


SPHERES = tuple(
    Pair(teacher, student)
    for teacher, student in (
        *((0.5, 0.5), (0.5, 1.5), (0.5, 2.5)),
        *((1.5, 0.5), (1.5, 1.5), (1.5, 2.5)),
        *((2.5, 0.5), (2.5, 1.5), (2.5, 2.5)),
        *((math.inf, 0.5), (math.inf, 1.5)),
    )
)
# On a lattice a Gaussian teacher has no spectrum left at the edge of the zone: very smooth ones do.
LATTICE = (*SPHERES[:9], Pair(6.5, 0.5), Pair(10.5, 1.5))


def kernel(nu: float, sigma: float) -> Matern | Gaussian:
    """The kernel of smoothness nu."""
    return Gaussian(sigma) if math.isinf(nu) else Matern(nu, sigma)


def label(nu: float) -> str:
    """The name of a kernel."""
    if math.isinf(nu):
        return "Gaussian"
    return "Laplace" if nu == 0.5 else f"Matérn {nu * 2:.0f}/2"
