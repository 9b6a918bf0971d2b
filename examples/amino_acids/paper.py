"""Networks of the paper on protein structure and shape retrieval, as definitions.

Weiler, Geiger, Welling, Boomsma and Cohen, *3D Steerable CNNs*, NeurIPS 2018 (arXiv:1807.02547):
its steerable network for CATH (143,560 parameters) and the plain one beside it (15,878,764), and
its network for SHREC17 (142,617). Their data are not in this repository, so they are not trained
here. Multiplicities are given by degree: (2, 2, 2, 2) is "2x0 + 2x1 + 2x2 + 2x3".
"""

import functools
import itertools

import torch
from torch import Tensor, nn

import equinet as eq
from equinet import nn as enn
from equinet.harmonics import shell_harmonics

Multiplicities = tuple[int, ...]

VOLUME = eq.Volume("SO(3)")

MOMENTUM = 0.01  # of the running statistics of CATH
DROPOUT = 0.1  # of whole fields, CATH


def fields(multiplicities: Multiplicities) -> eq.FieldType:
    """The fields with so many copies of degree 0, 1, 2, ..."""
    blocks = [f"{mul}x{degree}" for degree, mul in enumerate(multiplicities) if mul]
    return VOLUME.fields(" + ".join(blocks))


class Bias(enn.EquivariantModule):
    """Adds a learned number to each scalar.

    The published layers normalise without learned scales and then add this; the bias of a
    convolution would be taken out by the mean of the normalisation that follows it.
    """

    channels: Tensor

    def __init__(self, in_type: eq.FieldType) -> None:
        super().__init__(in_type, in_type)
        channel = torch.arange(in_type.channels)
        scalars = [
            channel[block]
            for block, (_, rho) in zip(in_type.slices, in_type.blocks, strict=True)
            if rho.dim == 1
        ]
        self.register_buffer("channels", torch.cat(scalars), persistent=False)
        self.bias = nn.Parameter(torch.zeros(len(self.channels)))

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        shift = self.bias.new_zeros(x.shape[1]).index_copy(0, self.channels, self.bias)
        return x + shift.view(-1, 1, 1, 1)


def convolution(
    x: Multiplicities,
    h: Multiplicities,
    size: int,
    *,
    activation: bool = True,
    stride: int = 1,
    padding: int | None = None,
    momentum: float = 0.1,
    dropout: float = 0.0,
    cutoff: str = "compromise",
) -> list[nn.Module]:
    """A convolution, normalised; with ``activation`` also biases, ReLU on scalars and gates."""
    into, out = fields(x), fields(h)
    wide = enn.gated(out) if activation else out
    padding = size // 2 if padding is None else padding
    functions = functools.partial(shell_harmonics, cutoff=cutoff)
    layers: list[nn.Module] = [
        enn.Conv3d(into, wide, size, stride, padding, bias=False, functions=functions),
        enn.BatchNorm(wide, momentum=momentum, affine=False),
    ]
    if activation:
        layers += [Bias(wide), enn.Gate(out)]
    return layers + ([enn.FieldDropout(out, dropout)] if dropout else [])


def shrec17_network(classes: int = 55) -> nn.Sequential:
    """(batch, 1, 64, 64, 64) to scores: 142,617 parameters."""
    hidden = [*2 * [(8, 4, 2)], *2 * [(16, 8, 4)], *3 * [(32, 16, 8)]]
    widths = [(1,), *hidden, (512,)]
    layers = []
    for i, (x, h) in enumerate(itertools.pairwise(widths)):
        layers += convolution(x, h, size=5, stride=1 if i % 2 else 2, padding=4)
    return enn.Sequential(*layers, enn.GlobalAvgPool(fields((512,))), nn.Linear(512, classes))


# Of both networks for CATH: blocks of two convolutions in each stage; stages but the first of them
# begin with a stride.
DEPTHS = (3, 4, 6, 3)


def cath_network(classes: int = 10, cutoff: str = "compromise") -> nn.Sequential:
    """(batch, 1, 50, 50, 50) to scores, a residual network of 34 layers: 143,560 parameters.

    Args:
        classes: number of scores.
        cutoff: which angular detail a shell of the filters has, see ``shell_harmonics``.
    """
    options = {"momentum": MOMENTUM, "dropout": DROPOUT, "cutoff": cutoff}
    last: Multiplicities = (2, 2, 2, 2)
    layers = convolution((1,), last, size=7, **options)
    for stage, (depth, mul) in enumerate(zip(DEPTHS, (2, 4, 8, 16), strict=True)):
        for i in range(depth):
            inner = (mul,) * 4
            ends = stage == 3 and i == depth - 1
            outer = (256,) if ends else inner
            layers.append(residual(last, inner, outer, halve=stage > 0 and i == 0, options=options))
            last = outer
    return enn.Sequential(*layers, enn.GlobalAvgPool(fields(last)), nn.Linear(last[0], classes))


def residual(
    x: Multiplicities, inner: Multiplicities, outer: Multiplicities, halve: bool, options: dict
) -> enn.Residual:
    """Two convolutions and a shortcut; nothing after the sum. Means over 3 voxels halve a grid."""
    first = convolution(x, inner, size=3, **options)
    second = convolution(inner, outer, size=3, activation=False, **options)
    shortcut = []  # a plain sum where nothing changes
    if halve or x != outer:
        shortcut = convolution(x, outer, size=3, activation=False, **options)
    if halve:
        first.append(enn.AvgPool(fields(inner), 3, stride=2, padding=1))
        shortcut.append(enn.AvgPool(fields(outer), 3, stride=2, padding=1))
    body = enn.Sequential(*first, *second)
    return enn.Residual(body, enn.Sequential(*shortcut) if shortcut else None)


def cath_resnet34(classes: int = 10) -> nn.Sequential:
    """The plain network beside ``cath_network``: 15,878,764 parameters."""
    layers = [*plain_convolution(1, 32, size=7), nn.ReLU()]
    last = 32
    for stage, (depth, width) in enumerate(zip(DEPTHS, (32, 64, 128, 256), strict=True)):
        for i in range(depth):
            layers.append(PlainResidual(last, width, halve=stage > 0 and i == 0))
            last = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(last, classes))


def plain_convolution(x: int, h: int, size: int, halve: bool = False) -> list[nn.Module]:
    """The published network normalises before a convolution."""
    layers = [nn.BatchNorm3d(x), nn.Conv3d(x, h, size, padding=size // 2, bias=False)]
    return layers + ([nn.AvgPool3d(3, stride=2, padding=1)] if halve else [])


class PlainResidual(nn.Module):
    """Two convolutions, a shortcut (the identity where it fits), and a ReLU of the sum."""

    def __init__(self, x: int, h: int, halve: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *plain_convolution(x, h, 3, halve), nn.ReLU(), *plain_convolution(h, h, 3)
        )
        fits = x == h and not halve
        self.shortcut = nn.Identity() if fits else nn.Sequential(*plain_convolution(x, h, 1, halve))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))
