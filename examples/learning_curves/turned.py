"""Digits turned by right angles, and a kernel that does not see it. An illustration.

In: digits. Out: errors of the plain kernel and of its mean over C4, which acts on pictures.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from equinet.learning import KernelRegression, Laplace, averaged
from examples.common.streams import stream
from examples.common.sweep import Desk

from .pictures import JITTER, Files, distances, read, sizes

TURNS = 12  # the purpose of a random stream
SIGMA = 10.0


@dataclass(frozen=True)
class Turned:
    """All that decides a draw."""

    fingerprint: str
    n: tuple[int, ...]
    test: int
    seed: int


def tasks(files: Files, largest: int, test: int, draws: int) -> dict[str, Turned]:
    """All draws."""
    pictures = read(files, "digits")
    n = sizes(pictures, largest, test)
    mark = pictures.fingerprint()
    return {f"turned-{seed}": Turned(mark, n, test, seed) for seed in range(draws)}


def right_angles(x: Tensor) -> Tensor:
    """Pictures (n, 784) turned by the elements of C4: (4, n, 784)."""
    square = x.unflatten(1, (28, 28))
    return torch.stack([torch.rot90(square, k, (1, 2)).flatten(1) for k in range(4)])


def kernel(x: Tensor, x2: Tensor) -> Tensor:
    """The plain one."""
    return Laplace(SIGMA).of_distance(distances(x, x2))


def work(files: Files, task: Turned, desk: Desk) -> dict[str, Any]:
    """Mean squared errors at each n, on pictures that all have been turned at random."""
    x, y, t, truth = read(files, "digits").draw(max(task.n), task.test, task.seed)
    generator = stream(task.seed, TURNS)
    x, t = (_turn(some, generator) for some in (x, t))
    errors: dict[str, Any] = {}
    for name, one in (("plain", kernel), ("invariant", averaged(kernel, right_angles))):
        whole = KernelRegression(one, x, jitter=JITTER)
        answers = [whole.first(n)(y[:n], t) for n in task.n]
        errors[name] = [float((answer - truth).square().mean()) for answer in answers]
        desk.tell(len(errors) / 2)
    return errors


def _turn(images: Tensor, generator: torch.Generator) -> Tensor:
    images = images.flatten(1)
    which = torch.randint(4, (len(images),), generator=generator)
    return right_angles(images)[which, torch.arange(len(images))]
