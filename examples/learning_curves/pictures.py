"""Regression and classification of pictures. In: a data set and a draw. Out: errors at each n.

The curve of a draw is that of its first n pictures, so the distances are computed and a kernel is
factored once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from equinet.learning import Gaussian, Laplace
from examples.common.errors import InputError
from examples.common.sweep import Desk

from . import data
from .fits import doubling
from .svm import hard_margin

KERNELS = {
    "Laplace 10": Laplace(10.0),
    "Laplace 100": Laplace(100.0),
    "Gaussian 5": Gaussian(5.0),
    "Gaussian 10": Gaussian(10.0),
}
MARGINS = ("Laplace 10", "Gaussian 5")  # those of the support vector machines
JITTER = 1e-10
FIRST = 100

Files = Mapping[str, Path | None]


@dataclass(frozen=True)
class Draw:
    """All that decides a draw."""

    kind: str  # "digits" or "cifar"
    fingerprint: str
    n: tuple[int, ...]
    margin_n: tuple[int, ...]
    test: int
    seed: int


def read(files: Files, kind: str) -> data.Pictures:
    """The data set of this kind."""
    return {"digits": data.digits, "cifar": data.cifar}[kind](files[kind])


def tasks(
    files: Files, largest: int, largest_margin: int, test: int, draws: int
) -> dict[str, Draw]:
    """All data sets and draws; n goes as far as the data set and ``largest`` do.

    Raises:
        InputError: if that leaves no two n.
    """
    for name, value in (("pictures", largest), ("margin", largest_margin)):
        if value < 2 * FIRST:
            raise InputError(f"{name}: expected at least {2 * FIRST}, got {value}")
    found = {}
    for kind in files:
        pictures = read(files, kind)
        n = sizes(pictures, largest, test)
        margin_n = tuple(one for one in n if one <= largest_margin)
        mark = pictures.fingerprint()
        for seed in range(draws):
            found[f"{kind}-{seed}"] = Draw(kind, mark, n, margin_n, test, seed)
    return found


def sizes(pictures: data.Pictures, largest: int, test: int) -> tuple[int, ...]:
    """100, 200, ... pictures to learn from, so that those to test on are left."""
    n = doubling(FIRST, min(largest, len(pictures.labels) - test))
    if len(n) < 2:
        raise InputError(
            f"data: expected at least {2 * FIRST} + {test} pictures, got {len(pictures.labels)} "
            f"in {pictures.name}"
        )
    return n


def work(files: Files, task: Draw, desk: Desk) -> dict[str, Any]:
    """Mean squared errors and shares of wrong signs, by kernel, at each n."""
    x, y, t, truth = read(files, task.kind).draw(max(task.n), task.test, task.seed)
    x, t = x.flatten(1), t.flatten(1)
    near, far = distances(x, x), distances(t, x)
    square, sign, margin, support = {}, {}, {}, {}
    for name, kernel in KERNELS.items():
        K, k = kernel.of_distance(near), kernel.of_distance(far)
        K.diagonal().add_(JITTER)
        answers = interpolate(K, k, y, task.n)
        square[name] = [float((answer - truth).square().mean()) for answer in answers]
        sign[name] = [_wrong(answer, truth) for answer in answers]
        desk.tell((len(square) - 0.5) / len(KERNELS))
        if name in MARGINS:
            margin[name], support[name] = _margin(K, k, y, truth, task.margin_n)
        desk.tell(len(square) / len(KERNELS))
    return {"square": square, "sign": sign, "margin": margin, "support": support}


def distances(x: Tensor, x2: Tensor) -> Tensor:
    """|x - x'| of all pairs, from products: pictures are far apart, so few digits are lost."""
    squares = x.square().sum(1)[:, None] + x2.square().sum(1) - 2 * x @ x2.T
    return squares.clamp_min_(0).sqrt_()


def interpolate(K: Tensor, k: Tensor, y: Tensor, sizes: tuple[int, ...]) -> list[Tensor]:
    """The ridgeless answers k K^-1 y from the first n points, for each n.

    The factor of a leading block of K is the leading block of the factor.
    """
    factor = torch.linalg.cholesky(K)
    return [k[:, :n] @ torch.cholesky_solve(y[:n, None], factor[:n, :n])[:, 0] for n in sizes]


def _margin(
    K: Tensor, k: Tensor, y: Tensor, truth: Tensor, sizes: tuple[int, ...]
) -> tuple[list[float], list[float]]:
    """Errors of the support vector machine, and the share of points that support its margin."""
    errors, support = [], []
    for n in sizes:
        a = hard_margin(y[:n, None] * K[:n, :n] * y[:n])
        errors.append(_wrong(k[:, :n] @ (a * y[:n]), truth))
        support.append(float((a > 0).double().mean()))
    return errors, support


def _wrong(answer: Tensor, truth: Tensor) -> float:
    """The share of answers of the wrong sign; none at all counts as wrong."""
    return float((answer * truth <= 0).double().mean())
