"""Networks: LASTRO's of the challenge, one that knows D4, and plain ones.

In: images after the stretch (n, bands, SIZE, SIZE). Out: the logit of being a lens (n,).
"""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid
from torch.utils.flop_counter import FlopCounterMode

import equinet as eq
from equinet import nn as enn

from .surveys import SIZE

REGULAR = (2, 3, 4)  # regular fields of D4 after each convolution, of 8 channels each
KERNEL = 5
# Channels of a plain network with as many parameters as the invariant one, by the bands.
AS_MANY_PARAMETERS = {1: (4, 7, 11), 4: (4, 7, 10)}
AS_MUCH_COMPUTE = tuple(8 * count for count in REGULAR)
LASTRO_WIDTH = 0.25
LEARNING_RATE = {"invariant": 0.01, "parameters": 0.003, "compute": 0.003, "lastro": 0.001}


def invariant(bands: int) -> nn.Sequential:
    """Three convolutions between regular fields of D4; rotations and mirrors leave the logit."""
    plane = eq.Plane("D4")
    here = plane.fields(f"{bands}x trivial")
    layers: list[nn.Module] = []
    for number, count in enumerate(REGULAR):
        there = plane.fields(f"{count}x regular")
        if number == 2:
            layers.append(enn.AvgPool(here, 3, stride=2, padding=1))
        layers += [
            enn.Conv2d(
                here, there, kernel_size=KERNEL, padding=KERNEL // 2, stride=1 if number else 2
            ),
            enn.BatchNorm(there),
            enn.ReLU(there),
        ]
        here = there
    scalars = plane.fields(f"{REGULAR[-1]}x trivial")
    return enn.Sequential(
        *layers, enn.GroupPool(here), enn.GlobalAvgPool(scalars), nn.Linear(REGULAR[-1], 1)
    )


def plain(bands: int, channels: tuple[int, ...]) -> nn.Sequential:
    """The same without symmetry."""
    layers: list[nn.Module] = []
    here = bands
    for number, there in enumerate(channels):
        if number == 2:
            layers.append(nn.AvgPool2d(3, stride=2, padding=1))
        layers += [
            nn.Conv2d(here, there, KERNEL, padding=KERNEL // 2, stride=1 if number else 2),
            nn.BatchNorm2d(there),
            nn.ReLU(),
        ]
        here = there
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(here, 1))


class Normalised(nn.Module):
    """A relu of mean 0 and variance 1 on normal numbers."""

    def forward(self, x: Tensor) -> Tensor:
        return (math.sqrt(2 * math.pi) * x.relu() - 1) / math.sqrt(math.pi - 1)


class ScaleShift(nn.Module):
    """A learned scale and shift of each channel after a maximum, begun where it stays normal."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels, 1, 1), 0.83))
        self.shift = nn.Parameter(torch.full((channels, 1, 1), -0.92))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale + self.shift


def lastro(bands: int, size: int = 101, width: float = 1.0, padding: int = 0) -> nn.Sequential:
    """The network of LASTRO EPFL: 5,674,145 parameters with one band, 5,674,913 with four.

    Eight convolutions, the first of 4 x 4 and the others of 3 x 3 pixels, three maxima over 2 x 2
    and four dense layers.

    Args:
        bands: of the images.
        size: of an image.
        width: of all layers, relative to the paper's.
        padding: of the convolutions but the first; 0 in the paper, 1 for small images.
    """
    layers: list[nn.Module] = []
    here, kernel = bands, 4
    for channels, pool in ((16, 2), (32, 2), (64, 2), (128, 1)):
        there = round(width * channels)
        for half in range(2):
            layers += [nn.Dropout(0.5)] if pool == 1 else []
            layers += [nn.Conv2d(here, there, kernel, padding=padding * (kernel == 3))]
            layers += [Normalised()]
            size = (size - kernel + 1 + 2 * padding * (kernel == 3)) // (pool if half else 1)
            here, kernel = there, 3
        layers += [nn.MaxPool2d(2), ScaleShift(there)] if pool == 2 else []
        layers.append(nn.BatchNorm2d(there, eps=1e-3))
    layers.append(nn.Flatten())
    here, there = here * size * size, round(width * 1024)
    for number in range(3):
        layers += [nn.Dropout(0.5)] if number < 2 else []
        layers += [nn.Linear(here, there), Normalised()]
        here = there
    network = nn.Sequential(*layers, nn.BatchNorm1d(there, eps=1e-3), nn.Linear(there, 1))
    for layer in network:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            for parameter in layer.parameters():
                inputs = parameter[0].numel()
                nn.init.normal_(parameter, std=inputs**-0.5 if parameter.ndim > 1 else 0.0)
    return network


def set_dropout(network: nn.Module, step: int) -> None:
    """LASTRO's schedule: nothing is dropped at first, in the end half."""
    for layer in network.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.5 - 0.5 * 0.5 ** (step / 2000)


def build(arm: str, bands: int) -> nn.Module:
    """The network of one arm."""
    return NETWORKS[arm](bands)


NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "invariant": invariant,
    "parameters": lambda bands: plain(bands, AS_MANY_PARAMETERS[bands]),
    "compute": partial(plain, channels=AS_MUCH_COMPUTE),
    "lastro": partial(lastro, size=SIZE, width=LASTRO_WIDTH, padding=1),
}
NAMES = {
    "invariant": "D4-invariant",
    "parameters": "plain (equal parameters)",
    "compute": "plain (equal operations)",
    "lastro": "LASTRO narrowed (equal seconds)",
}


def d4(image: Tensor, number: int) -> Tensor:
    """The image under element 0 to 7 of D4: rotations, then those of the transpose."""
    image = image if number < 4 else image.transpose(-1, -2)
    return image.rot90(number % 4, (-2, -1))


def d4_each(image: Tensor, generator: torch.Generator) -> Tensor:
    """Each image of a batch under a random element of its own."""
    numbers = torch.randint(8, (len(image),), generator=generator)
    turned = torch.empty_like(image)
    for number in range(8):
        turned[numbers == number] = d4(image[numbers == number], number)
    return turned


@torch.inference_mode()
def logits(network: nn.Module, images: Tensor) -> Tensor:
    """Scores (n,) of images in half precision."""
    return torch.cat([network(part.float())[:, 0] for part in images.split(64)])


@torch.inference_mode()
def d4_product(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Scores of the images as they are, and the mean over D4 of the logarithm of the sigmoid."""
    views = torch.stack([logits(network, d4(images, number)) for number in range(8)])
    return views[0], logsigmoid(views.double()).mean(0)


def cost(network: nn.Module, bands: int) -> float:
    """Floating-point operations for one image forwards, in units of 10^6."""
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(2, bands, SIZE, SIZE))
    return counter.get_total_flops() / 2e6
