"""Three kinds of networks whose weights are N(0, 1). In: a width and a seed. Out: a module.

The scale 1 / sqrt(fan in) stands before each sum (the NTK parametrisation), so that every layer
moves as much as it contributes. The equivariant layers of this library are written so already:
their weights are N(0, 1) and their kernels are scaled.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from equinet import Plane
from equinet import nn as enn
from equinet.learning import satisfied, soft_hinge

from .data import SIZE

DEPTH = 3  # hidden layers of the fully connected networks
COMPONENTS = 10
STRIDES = (2, 1, 2, 1)  # of the convolutions, as in the paper
TYPES = {"float32": torch.float32, "float64": torch.float64}


def _moments() -> tuple[float, float]:
    """Mean and standard deviation of softplus(5 z) / 5 for z of N(0, 1), by the midpoint rule."""
    z = (torch.arange(-12_000, 12_000, dtype=torch.float64) + 0.5) / 1000
    density = torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi) / 1000
    values = F.softplus(z, beta=5.0)
    mean = float((values * density).sum())
    return mean, math.sqrt(float((values.square() * density).sum()) - mean**2)


_MEAN, _DEVIATION = _moments()


class Softplus(nn.Module):
    """1.404378 softplus(5 z) / 5, whose square has mean one; ``centred``: whose mean is zero."""

    def __init__(self, centred: bool) -> None:
        super().__init__()
        self.shift = _MEAN if centred else 0.0
        self.scale = 1 / _DEVIATION if centred else 1.404378

    def forward(self, z: Tensor) -> Tensor:
        return self.scale * (F.softplus(z, beta=5.0) - self.shift)


class Dense(nn.Module):
    """w x / sqrt(fan in)."""

    def __init__(self, fan_in: int, fan_out: int, generator: Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(fan_out, fan_in, generator=generator))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight.T / math.sqrt(self.weight.shape[1])


class Convolution(nn.Module):
    """A convolution with 3 x 3 taps, over sqrt(fan in)."""

    def __init__(self, fan_in: int, fan_out: int, stride: int, generator: Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(fan_out, fan_in, 3, 3, generator=generator))
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        scale = 1 / math.sqrt(self.weight[0].numel())
        return F.conv2d(x, scale * self.weight, stride=self.stride, padding=1)


class Mean(nn.Module):
    """The mean over all points, (n, c, h, w) to (n, c)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def connected(width: int, generator: Generator) -> nn.Module:
    """Three hidden layers over the ten components."""
    sizes = [COMPONENTS] + DEPTH * [width]
    layers: list[nn.Module] = []
    for fan_in, fan_out in zip(sizes, sizes[1:], strict=False):
        layers += [Dense(fan_in, fan_out, generator), Softplus(centred=False)]
    return nn.Sequential(*layers, Dense(width, 1, generator))


def plain(width: int, generator: Generator) -> nn.Module:
    """Four convolutions, the mean over space, and a linear layer."""
    layers, channels = [], 1
    for stride in STRIDES:
        layers += [Convolution(channels, width, stride, generator), Softplus(centred=True)]
        channels = width
    return nn.Sequential(*layers, Mean(), Dense(width, 1, generator))


def equivariant(width: int, generator: Generator) -> nn.Module:
    """The same with fields of C4 for channels, and the mean over the group as well."""
    plane = Plane("C4")
    before, hidden = plane.fields("1x trivial"), plane.fields(f"{width}x regular")
    layers: list[nn.Module] = []
    for stride in STRIDES:
        layer = enn.Conv2d(
            before, hidden, 3, stride=stride, padding=1, bias=False, generator=generator
        )
        layers += [layer, enn.Pointwise(hidden, Softplus(centred=True))]
        before = hidden
    means = enn.GroupPool(hidden, "mean"), enn.GlobalAvgPool(plane.fields(f"{width}x trivial"))
    return enn.Sequential(*layers, *means, Dense(width, 1, generator))


@dataclass(frozen=True)
class Kind:
    """What networks of one kind are, and how they are run.

    Attributes:
        make: from the width and the generator of the weights.
        depth: hidden layers.
        images: whether they read images.
        dtype: of the flow; kernels are in float64 always.
        loss: the mean loss at which learning ends; None for its end, all margins above one.
        unit: of the width.
    """

    title: str
    make: Callable[[int, Generator], nn.Module]
    depth: int
    images: bool
    dtype: str
    loss: float | None
    unit: str

    @property
    def sample(self) -> tuple[int, ...]:
        """The shape of a sample."""
        return (1, SIZE, SIZE) if self.images else (COMPONENTS,)


KINDS = {
    "connected": Kind("fully connected", connected, DEPTH, False, "float64", None, "neurons"),
    "plain": Kind("plain CNN", plain, len(STRIDES), True, "float32", 0.1, "channels"),
    "equivariant": Kind("C4 CNN", equivariant, len(STRIDES), True, "float32", 0.1, "fields"),
}


def build(kind: str, width: int, dtype: str, seed: int) -> nn.Module:
    """The network of a seed."""
    made = KINDS[kind].make(width, torch.Generator().manual_seed(seed))
    return made.to(TYPES[dtype])


def ended(loss: float | None) -> Callable[[Tensor], Tensor]:
    """From the margins, which networks are at the end of their flow."""
    return satisfied if loss is None else lambda margin: soft_hinge(margin).mean(-1) <= loss


def builder(kind: str, width: int, dtype: str) -> Callable[[int], nn.Module]:
    """The function of the seed that an ``Ensemble`` asks for."""
    return partial(build, kind, width, dtype)


def parameters(kind: str, width: int) -> int:
    """How many parameters a network has."""
    return sum(p.numel() for p in build(kind, width, "float64", 0).parameters())
