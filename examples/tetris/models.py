"""The two networks of the paper, and the same at a size for two cores.

Both are four convolutions with filters of 5^3 voxels and strides 1, 2, 2, 1, a mean over space and
a linear layer. Before a stride, a low-pass filter can remove what the coarser grid cannot hold;
without it, the convolution itself has the stride.
"""

from dataclasses import dataclass
from itertools import pairwise

from torch import nn

import equinet as eq
from equinet import nn as enn

from .data import PIECES

STRIDES = (1, 2, 2, 1)
KERNEL = 5
DROPOUT = 0.2


@dataclass(frozen=True)
class Scale:
    """How large the volumes and the networks are.

    Sizes are odd, so that every other voxel, counted from the first, lies about the centre too.
    """

    size: int  # of a volume, in voxels
    side: int  # of a cube of a piece, in voxels
    padding: int  # of each convolution
    multiplicities: tuple[tuple[int, ...], ...]  # fields of degree 0, 1, ... after each convolution
    channels: tuple[int, ...]  # of the plain network after each convolution


SCALES = {
    "paper": Scale(
        size=37,
        side=5,
        padding=4,
        multiplicities=((4, 4, 4, 1), (16, 16, 16), (32, 16, 16), (128,)),
        channels=(43, 144, 160, 128),
    ),
    "small": Scale(
        size=21,
        side=3,
        padding=2,
        multiplicities=((2, 2, 2, 1), (8, 8, 8), (16, 8, 8), (64,)),
        channels=(22, 72, 80, 64),
    ),
}


def steerable_network(scale: Scale, low_pass: bool) -> nn.Sequential:
    """Fields of irreps of SO(3), with gates: 41,198 parameters at the scale of the paper."""
    volume = eq.Volume("SO(3)")
    here = volume.fields("1x0")
    layers: list[nn.Module] = [enn.Downsample(here, 2, stride=1)]
    for multiplicities, stride in zip(scale.multiplicities, STRIDES, strict=True):
        h = volume.fields(" + ".join(f"{mul}x{l}" for l, mul in enumerate(multiplicities) if mul))
        layers += [
            enn.BatchNorm(here, affine=False),
            enn.Conv3d(
                here,
                enn.gated(h),
                KERNEL,
                stride=1 if low_pass else stride,
                padding=scale.padding,
            ),
            enn.Gate(h),
        ]
        if low_pass and stride > 1:
            layers.append(enn.Downsample(h, stride))
        here = h
    return enn.Sequential(*layers, enn.GlobalAvgPool(here), *_head(here.channels))


def plain_network(scale: Scale, low_pass: bool) -> nn.Sequential:
    """Ordinary convolutions: 6,221,832 parameters at the scale of the paper."""
    layers: list[nn.Module] = [_low_pass(1, stride=1)]
    for (before, after), stride in zip(pairwise((1, *scale.channels)), STRIDES, strict=True):
        layers += [
            nn.Conv3d(before, after, KERNEL, 1 if low_pass else stride, scale.padding),
            nn.BatchNorm3d(after),
            nn.ReLU(),
        ]
        if low_pass and stride > 1:
            layers.append(_low_pass(after, stride))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool3d(1), nn.Flatten(), *_head(scale.channels[-1]))


def _low_pass(channels: int, stride: int) -> enn.Downsample:
    """The same filter as in the steerable network, which acts on all channels alike."""
    return enn.Downsample(eq.Volume("C1").fields(f"{channels}x trivial"), 2, stride=stride)


def _head(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.Dropout(DROPOUT), nn.Linear(channels, len(PIECES))


NETWORKS = {"steerable": steerable_network, "plain": plain_network}
