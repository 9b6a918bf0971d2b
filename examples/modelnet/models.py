"""The two networks, which read (batch, 1, 21, 21, 21) and give a score for each class.

Both have four convolutions and a mean over the grid.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import silu

from equinet import nn as enn
from examples.common.filters import KERNEL, waves
from examples.common.training import two_groups

from .data import VOLUME

# Filters of the steerable network have weights of order one.
LEARNING_RATE = {"steerable": 0.01, "plain": 1e-3}


def steerable_network(classes: int) -> torch.nn.Sequential:
    """Fields of degree 0, 1 and 2 under SO(3); the score does not change with the orientation.

    The walls of the objects are one voxel thin, so the error of the grid counts. Filters are waves
    that the taps carry at every orientation, a low-pass filter takes away what a coarser grid
    cannot hold, norms only scale, so that empty space stays empty, and gates are smooth. The last
    layer reads how long the fields of every degree are.
    """
    occupancy = VOLUME.fields("1x0")
    h1 = VOLUME.fields("8x0 + 4x1 + 4x2")
    h2 = VOLUME.fields("16x0 + 8x1 + 8x2")
    out = VOLUME.fields("48x0 + 16x1 + 16x2")
    norms = enn.NormPool(out)
    return enn.Sequential(
        enn.Downsample(occupancy, 3, stride=1),  # the low-pass filter alone
        *block(occupancy, h1, stride=2),  # 21 -> 11
        *block(h1, h1),
        enn.Downsample(h1, 2),  # 11 -> 6
        *block(h1, h2),
        convolution(h2, out),
        enn.BatchNorm(out, centre=False),
        norms,
        enn.GlobalAvgPool(norms.out_type),
        torch.nn.BatchNorm1d(norms.out_type.channels),
        torch.nn.Linear(norms.out_type.channels, classes),
    )


def block(x, h, stride: int = 1) -> list[torch.nn.Module]:
    """A convolution, scaled, and its gates."""
    wide = enn.gated(h)
    return [
        convolution(x, wide, stride),
        enn.BatchNorm(wide, centre=False),
        enn.Gate(h, function=silu),
    ]


def convolution(x, h, stride: int = 1) -> enn.Conv3d:
    """A convolution over all of the grid."""
    return enn.Conv3d(x, h, KERNEL, stride=stride, padding=KERNEL // 2, bias=False, functions=waves)


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
