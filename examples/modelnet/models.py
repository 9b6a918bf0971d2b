"""The two networks, which read (batch, 1, 21, 21, 21) and give a score for each class.

Both have four convolutions, on grids of 21, 11, 9 and 7 voxels, and a mean over the grid.
"""

from collections.abc import Callable
from typing import Any

import torch

from equinet import nn as enn
from examples.common.training import two_groups

from .data import VOLUME

# Filters of the steerable network have weights of order one, see ``parameter_groups``.
LEARNING_RATE = {"steerable": 0.1, "plain": 1e-3}


def steerable_network(classes: int) -> torch.nn.Sequential:
    """Fields of degree 0, 1 and 2 under SO(3); the score does not change with the orientation.

    Before the stride a Gaussian takes away what the coarser grid cannot hold.
    """
    occupancy = VOLUME.fields("1x0")
    h1 = VOLUME.fields("16x0 + 8x1 + 4x2")
    h2 = VOLUME.fields("24x0 + 12x1 + 6x2")
    out = VOLUME.fields("128x0")
    return enn.Sequential(
        enn.Downsample(occupancy, 2, stride=1),  # the low-pass filter alone
        *block(occupancy, h1, kernel_size=5, stride=2, padding=2),  # 21 -> 11
        *block(h1, h1, kernel_size=3),  # 11 -> 9
        *block(h1, h2, kernel_size=3),  # 9 -> 7
        enn.Conv3d(h2, out, kernel_size=3, bias=False),  # 7 -> 5
        enn.BatchNorm(out),
        enn.ReLU(out),
        enn.GlobalAvgPool(out),
        torch.nn.Linear(out.channels, classes),
    )


def block(x, h, **options: Any) -> list[torch.nn.Module]:
    """A convolution, normalised, and its gates."""
    wide = enn.gated(h)
    return [enn.Conv3d(x, wide, bias=False, **options), enn.BatchNorm(wide), enn.Gate(h)]


def plain_network(classes: int) -> torch.nn.Sequential:
    """The same with ordinary channels, and without the low-pass filter."""
    return torch.nn.Sequential(
        *plain_block(1, 32, kernel_size=5, stride=2, padding=2),  # 21 -> 11
        *plain_block(32, 64, kernel_size=3),  # 11 -> 9
        *plain_block(64, 64, kernel_size=3),  # 9 -> 7
        *plain_block(64, 128, kernel_size=3),  # 7 -> 5
        torch.nn.AdaptiveAvgPool3d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(128, classes),
    )


def plain_block(x: int, h: int, **options: Any) -> list[torch.nn.Module]:
    """A convolution, normalised, and a ReLU."""
    return [
        torch.nn.Conv3d(x, h, bias=False, **options),
        torch.nn.BatchNorm3d(h),
        torch.nn.ReLU(),
    ]


NETWORKS: dict[str, Callable[[int], torch.nn.Module]] = {
    "steerable": steerable_network,
    "plain": plain_network,
}


def parameter_groups(network: torch.nn.Module) -> list[dict[str, Any]]:
    """Groups for the optimiser with a factor on the learning rate.

    The weights of steerable filters are of order one. What else the network learns (the norms and
    the last layer) is on the scale of its activations and scores and learns 10 times more slowly.
    """
    filters = [layer.weight for layer in network.modules() if isinstance(layer, enn.Conv3d)]
    return two_groups(network, filters, factor=1.0, others=0.1 if filters else 1.0)
