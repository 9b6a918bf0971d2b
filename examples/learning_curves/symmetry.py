r"""What a symmetry of the teacher is worth. In: a group that acts on a sphere. Out: exact errors.

A finite group multiplies the points: an invariant student learns from n as a plain one from n |G|.
A continuous group takes away dimensions: an invariant function of s derivatives on a sphere of
dimension d is one on the d - dim G dimensions of its orbits, and the exponent 2 s / d becomes
2 s / (d - dim G) (Tahmasebi and Jegelka, arXiv 2303.14269; for finite groups Bietti, Venturi and
Bruna, arXiv 2106.07148). Such a function is made in two ways:

``invariants``
    a field of covariance K(h(x), h(x')), h the invariants of x: s derivatives across the orbits;
``averaged``
    the mean of a field over the group, of covariance K_G: the mean makes it smoother, by dim G / 2
    derivatives where the orbits have full length. On S^2 they shrink at the poles, where the field
    is as rough as before: there is most of the error, of exponent s + 1 instead of 2 s + 1.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from equinet.group import point_group, so2
from equinet.learning import Laplace, Matern, averaged
from equinet.learning.kernels import Kernel
from examples.common.streams import stream
from examples.common.sweep import Desk

from .fits import doubling, longest_regression, points_on_sphere

POINTS = 11  # the purpose of a random stream
TEST = 200
S = 1.5  # derivatives of the fields
FINITE = {"C4": (32, 512), "C8": (16, 256), "O": (16, 64)}  # n of the invariant student
# Of a continuous action: dimension of the sphere, n, elements of the quadrature.
CONTINUOUS = {"SO(2) on S^2": (2, (16, 256), 512), "SO(2) on S^3": (3, (16, 512), 128)}
TEACHERS = {"invariants": "teacher of invariants", "averaged": "averaged teacher"}


@dataclass(frozen=True)
class Symmetry:
    """All that decides a draw."""

    action: str
    teacher: str
    d: int
    n: tuple[int, ...]  # of the invariant student
    plain_n: tuple[int, ...]
    elements: int  # of the group, or of the quadrature over it
    test: int
    seed: int


def tasks(draws: int, shrink: int = 1) -> dict[str, Symmetry]:
    """All groups, teachers and draws; ``shrink`` divides the largest n and the quadratures."""
    found = {}
    for seed in range(draws):
        for action, (first, last) in FINITE.items():
            order = len(elements_of(action))
            n = doubling(first, max(2 * first, last // shrink))
            plain = tuple(sorted({*n, *(order * one for one in n)}))
            task = Symmetry(action, "averaged", 2, n, plain, order, TEST, seed)
            found[f"{action}-{seed}"] = task
        for action, (d, (first, last), elements) in CONTINUOUS.items():
            n = doubling(first, max(2 * first, last // shrink))
            for teacher in TEACHERS:
                task = Symmetry(action, teacher, d, n, n, elements // shrink, TEST, seed)
                name = action.replace(" on ", "-").translate(dict.fromkeys(map(ord, "()^")))
                found[f"{name}-{teacher}-{seed}"] = task
    return found


def elements_of(action: str, count: int = 1) -> Tensor:
    """All elements of a finite group, or ``count`` of a quadrature with equal weights."""
    if action in FINITE:
        return point_group(action).grid(0)[0]
    if action == "SO(2) on S^2":
        return point_group("Cinf").grid(count - 1)[0]
    turns = so2().grid(count - 1)[0]
    return torch.stack([torch.block_diag(turn, turn) for turn in turns])  # no point stays


def invariants(x: Tensor) -> Tensor:
    """What a turn leaves alone: the height on S^2; on S^3 Hopf's map to S^2, of radius 1."""
    if x.shape[1] == 3:
        return x[:, 2:]
    a, b = torch.complex(x[:, 0], x[:, 1]), torch.complex(x[:, 2], x[:, 3])
    both = 2 * a * b.conj()
    return torch.stack([both.real, both.imag, a.abs() ** 2 - b.abs() ** 2], 1)


def kernels(task: Symmetry) -> tuple[Kernel, Kernel, Kernel]:
    """The teacher, the plain and the invariant student."""
    sigma = float(task.d)
    field = Matern(S, sigma)
    # A student as smooth as the teacher loses its digits on a line, where points come very close.
    plain = Matern(S, sigma) if task.action in FINITE else Laplace(sigma)
    elements = elements_of(task.action, task.elements)
    if task.teacher == "averaged":
        teacher = averaged(field, elements)
    else:
        teacher = lambda x, x2: field(invariants(x), invariants(x2))  # noqa: E731
    return teacher, plain, averaged(plain, elements)


def work(task: Symmetry, desk: Desk) -> dict[str, Any]:
    """The errors of the invariant student at ``n`` and of the plain one at ``plain_n``."""
    generator = stream(task.seed, POINTS, task.d)
    x = points_on_sphere(max(*task.n, *task.plain_n), task.d, generator)
    test = points_on_sphere(task.test, task.d, generator)
    teacher, plain, invariant = kernels(task)
    errors: dict[str, Any] = {}
    total = len(task.n) + len(task.plain_n)
    for name, student, sizes in (("invariant", invariant, task.n), ("plain", plain, task.plain_n)):
        whole = longest_regression(student, x[: max(sizes)])
        errors[name] = []
        for n in sizes:
            errors[name].append(whole.first(n).expected_error(teacher, test))
            desk.tell((len(errors[name]) + (name == "plain") * len(task.n)) / total)
    return errors


def theory(task: Symmetry) -> tuple[float, float]:
    """The exponents of the invariant and the plain student, the latter for a continuous group."""
    if task.teacher == "invariants":
        return 2 * S / (task.d - 1), 2 * S / task.d
    plain = (2 * S + 1) / task.d
    return (2 * S + 1) / 2 if task.d == 3 else S + 1, plain  # S^3 has no poles
