"""Digits as the papers on learning dynamics take them: even or odd, +1 or -1.

In: digits. Out: points of norm sqrt(d) to learn from and to test on, in float64.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .digits import Dataset
from .errors import InputError
from .streams import ORDER, stream


class Parity(NamedTuple):
    """Points (n, d), or images (n, 1, 28, 28), and labels (n,): 1 for even digits, -1 for odd."""

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor


def parity(
    digits: Dataset, train: int, test: int, *, components: int | None = 10, seed: int = 0
) -> Parity:
    """Balanced digits in an order where classes take turns, the first ones to learn from.

    Args:
        digits: all of them; those to learn from and to test on are drawn from both parts.
        train: how many to learn from.
        test: how many to test on.
        components: of the whitened principal components of all pixels; None for images.
        seed: of the order within each class.
    Raises:
        InputError: if there are not so many digits, or components.
    """
    images = torch.cat([digits.train.images, digits.test.images]).double().flatten(1) / 255
    labels = torch.cat([digits.train.labels, digits.test.labels])
    members = [torch.nonzero(labels == digit)[:, 0] for digit in range(10)]
    least = min(map(len, members))
    if components is not None and not 0 < components <= images.shape[1]:
        raise InputError(
            f"components: expected 1 to {images.shape[1]} of the pixels, got {components}"
        )
    if not 0 < train <= train + test <= 10 * least:
        raise InputError(
            f"data: expected at least {train} + {test} digits, balanced, got 10 times {least} "
            f"in {digits.name}"
        )
    generator = stream(seed, ORDER)
    order = [one[torch.randperm(len(one), generator=generator)[:least]] for one in members]
    order = torch.stack(order, 1).flatten()
    x = images - images.mean(0)
    if components is not None:
        variance, axes = torch.linalg.eigh(x.T @ x / len(x))
        chosen = slice(-components, None)
        x = (x @ axes[:, chosen] / variance[chosen].sqrt()).flip(1)
    x = x[order]
    x = x / x.norm(dim=1, keepdim=True) * math.sqrt(x.shape[1])
    y = torch.where(labels[order] % 2 == 0, 1.0, -1.0).double()
    if components is None:
        x = x.view(-1, 1, 28, 28)
    return Parity(x[:train], y[:train], x[len(x) - test :], y[len(y) - test :])
