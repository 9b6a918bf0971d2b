"""One network in several symmetries, all with as many parameters.

The pictures (batch, 1, 28, 28) go through

    7x7 convolution, pool to 14 x 14, two of 5x5, pool to 7 x 7, two of 5x5,
    a convolution as large as the picture, a linear layer,

each convolution followed by batch normalisation and a nonlinearity. The pools and the pictures are
even throughout, so all networks commute exactly with the rotations by 90 degrees that they know.
Only the field types differ, and the multiplicities, which make the parameters equal.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

import equinet as eq
from equinet import nn as enn
from equinet.models import pretrained

CLASSES = 10


@dataclass(frozen=True)
class Widths:
    """How many fields each convolution ends in."""

    first: int
    middle: int  # at 14 x 14
    last: int  # at 7 x 7
    scalars: int


def regular_network(group: str, widths: Widths) -> nn.Sequential:
    """Functions on the group at every point: a group convolution."""
    plane = eq.Plane(group)

    def hidden(count: int):
        h = plane.fields(f"{count}x regular")
        return h, h, enn.ReLU(h)

    return _network(plane, hidden, widths)


def gated_network(group: str, irreps: tuple[str, ...], widths: Widths) -> nn.Sequential:
    """Irreps of a continuous group, as many of each, with gates."""
    plane = eq.Plane(group)

    def hidden(count: int):
        h = plane.fields(" + ".join(f"{count}x{irrep}" for irrep in irreps))
        return enn.gated(h), h, enn.Gate(h)

    return _network(plane, hidden, widths)


def _network(plane: eq.Plane, hidden: Callable, widths: Widths) -> nn.Sequential:
    layers: list[nn.Module] = []
    here = plane.fields("1x trivial")

    def convolve(count: int, size: int) -> None:
        nonlocal here
        before, after, nonlinearity = hidden(count)
        layers.extend(
            [
                enn.Conv2d(here, before, size, padding=size // 2, bias=False),
                enn.BatchNorm(before),
                nonlinearity,
            ]
        )
        here = after

    convolve(widths.first, 7)
    layers.append(enn.AvgPool(here, 2))
    convolve(widths.middle, 5)
    convolve(widths.middle, 5)
    layers.append(enn.AvgPool(here, 2))
    convolve(widths.last, 5)
    convolve(widths.last, 5)
    scalars = plane.fields(f"{widths.scalars}x trivial")
    return enn.Sequential(
        *layers,
        enn.Conv2d(here, scalars, 7, bias=False),
        enn.BatchNorm(scalars),
        enn.ReLU(scalars),
        enn.GlobalAvgPool(scalars),  # of one point
        nn.Linear(widths.scalars, CLASSES),
    )


def plain_network(widths: Widths) -> nn.Sequential:
    """The same without symmetry."""

    def convolve(channels: int, count: int, size: int, padding: int) -> list[nn.Module]:
        return [
            nn.Conv2d(channels, count, size, padding=padding, bias=False),
            nn.BatchNorm2d(count),
            nn.ReLU(),
        ]

    first, middle, last, scalars = widths.first, widths.middle, widths.last, widths.scalars
    return nn.Sequential(
        *convolve(1, first, 7, 3),
        nn.AvgPool2d(2),
        *convolve(first, middle, 5, 2),
        *convolve(middle, middle, 5, 2),
        nn.AvgPool2d(2),
        *convolve(middle, last, 5, 2),
        *convolve(last, last, 5, 2),
        *convolve(last, scalars, 7, 0),
        nn.Flatten(),
        nn.Linear(scalars, CLASSES),
    )


def residual_network() -> nn.Module:
    """That of the library, which is trained here."""
    return pretrained("digits", weights=False)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "plain": lambda: plain_network(Widths(16, 24, 32, 28)),
    "C8": lambda: regular_network("C8", Widths(8, 8, 16, 64)),
    "D4": lambda: regular_network("D4", Widths(8, 8, 16, 64)),
    "SO(2)": lambda: gated_network("SO(2)", ("0", "1", "2", "3"), Widths(8, 8, 16, 119)),
    "O(2)": lambda: gated_network("O(2)", ("0e", "1", "2", "3"), Widths(8, 10, 20, 203)),
    "resnet": residual_network,
}

# The weights of steerable filters are of order one.
LEARNING_RATE = {name: 0.003 if name == "plain" else 0.01 for name in NETWORKS}
