"""The two networks of the paper, and a third whose fields know mirror images, for coarse grids.

All are four convolutions with filters of 5^3 voxels and strides 1, 2, 2, 1, a mean over space and
a linear layer. Before a stride, a low-pass filter can remove what the coarser grid cannot hold;
without it, the convolution itself has the stride.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

import equinet as eq
from equinet import nn as enn
from examples.common.filters import KERNEL, waves
from examples.common.training import two_groups

from .data import PIECES

STRIDES = (1, 2, 2, 1)
DROPOUT = 0.2

# Of the parity network. A mean over space can vary little from piece to piece.
EPS = 1e-9
# Initial weight of the 0o in the norm before the last layer (1 for the 0e): in all pieces but two
# they are the error of the grid.
ODD_WEIGHT = 0.3


@dataclass(frozen=True)
class Scale:
    """How large the volumes and the networks are.

    Sizes are odd, so that every other voxel, counted from the first, lies about the centre too.
    """

    size: int  # of a volume, in voxels
    side: int  # of a cube of a piece, in voxels
    padding: int  # of each convolution
    multiplicities: tuple[tuple[int, ...], ...]  # fields of degree 0, 1, ... after each convolution
    parity: tuple[str, ...]  # fields of the parity network after each convolution
    channels: tuple[int, ...]  # of the plain network after each convolution


SCALES = {
    "paper": Scale(
        size=37,
        side=5,
        padding=4,
        multiplicities=((4, 4, 4, 1), (16, 16, 16), (32, 16, 16), (128,)),
        parity=(
            "4x0e + 4x1o + 4x2e",
            "16x0e + 8x1o + 8x1e + 8x2e + 8x2o",
            "32x0e + 8x0o + 16x1o + 8x1e + 8x2e + 8x2o",
            "120x0e + 8x0o",
        ),
        channels=(43, 144, 160, 128),
    ),
    "small": Scale(
        size=25,
        side=5,
        padding=2,
        multiplicities=((2, 2, 2, 1), (8, 8, 8), (16, 8, 8), (64,)),
        parity=(
            "4x0e + 4x1o + 2x2e",
            "8x0e + 4x1o + 2x1e + 4x2e + 2x2o",
            "16x0e + 4x0o + 8x1o + 4x1e + 4x2e + 4x2o",
            "120x0e + 8x0o",
        ),
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


def parity_network(scale: Scale, low_pass: bool) -> nn.Sequential:
    """Fields of irreps of O(3), with gates, for pieces of few voxels.

    A mirror image changes the sign of its fields of 0o, 1e and 2o. So what tells the two chiral
    pieces apart has channels of its own, in which all other pieces are near zero; among scalars of
    SO(3) it is less than a hundredth of what all pieces have in common. The last layer reads 0e and
    0o, and is free to answer otherwise for a mirror image.

    The rest keeps the error of the grid small. Filters are waves that the taps carry at every
    orientation. Norms only scale, so that the empty space around a piece stays empty up to the
    zeros of the padding. Scalars are squared, since on the values of a piece, which have one sign,
    relu would be linear.
    """
    volume = eq.Volume("O(3)")
    here = volume.fields("1x0e")
    layers: list[nn.Module] = [enn.Downsample(here, 3, stride=1)]
    for fields, stride in zip(scale.parity, STRIDES, strict=True):
        h = volume.fields(fields)
        wide = enn.gated(h)
        layers += [
            enn.Conv3d(
                here,
                wide,
                KERNEL,
                stride=1 if low_pass else stride,
                padding=scale.padding,
                bias=False,
                functions=waves,
            ),
            enn.BatchNorm(wide, eps=EPS, momentum=1.0, affine=False, centre=False),
            enn.Gate(h, function=quadratic),
        ]
        if low_pass and stride > 1:
            layers.append(enn.Downsample(h, stride))
        here = h
    norm = nn.BatchNorm1d(here.channels, eps=EPS, momentum=1.0)
    odd = here.channels - here.blocks[0][0]  # the 0o, after the 0e
    with torch.no_grad():
        norm.weight[-odd:] = ODD_WEIGHT
    pool = enn.GlobalAvgPool(here)
    assert pool.out_type is not None  # the 0o change sign
    rotations = enn.Restrict(pool.out_type, "SO(3)")  # for these the 0o are invariant too
    return enn.Sequential(
        *layers, enn.Sequential(pool, rotations), norm, nn.Linear(here.channels, len(PIECES))
    )


def quadratic(t: Tensor) -> Tensor:
    """t + t^2 / 2."""
    return t + 0.5 * t.square()


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


NETWORKS = {"steerable": steerable_network, "parity": parity_network, "plain": plain_network}


def parameter_groups(network: nn.Module) -> list[dict[str, Any]]:
    """Groups for the optimiser with a factor on the learning rate.

    In the parity network filters learn more slowly than the last layer: what eight pictures say
    beyond it is mostly the error of their grid.
    """
    filters = [
        layer.weight
        for layer in network.modules()
        if isinstance(layer, enn.Conv3d) and layer.in_type.space == eq.Volume("O(3)")
    ]
    return two_groups(network, filters, factor=0.1, others=1.0)
