"""The networks, and that of the paper.

All read functions on the sphere, (batch, channel, beta, alpha), and give a score for each class.
"""

from collections.abc import Callable

import torch

import equinet as eq
from equinet import nn as enn
from equinet.steerable import equatorial, near_identity, smooth

from .data import INPUT

LEARNING_RATE = {"spin": 0.01, "regular": 0.01, "planar": 2e-3}
FEATURES = 128


def spin_network(classes: int) -> torch.nn.Sequential:
    """Functions, tangent fields and fields of spin 2; an integral makes the scores invariant."""
    widths = {16: "16x0 + 12x1 + 12x2", 12: "24x0 + 16x1 + 16x2", 8: "48x0 + 24x1 + 24x2"}
    layers: list[torch.nn.Module] = []
    here = INPUT
    for band, width in widths.items():
        fields = eq.Sphere(band).fields(width)
        wide = enn.gated(fields)
        layers += [_convolution(here, wide), enn.BatchNorm(wide), enn.Gate(fields)]
        here = fields
    out = here.space.fields(f"{FEATURES}x0")
    layers += [_convolution(here, out), enn.BatchNorm(out), enn.ReLU(out), enn.Integrate(out)]
    return enn.Sequential(*layers, *_head(classes))


def _convolution(here: eq.FieldType, out: eq.FieldType) -> enn.SphereConv:
    return enn.SphereConv(here, out, smooth(knots=6, max_order=2))


def regular_network(classes: int) -> torch.nn.Sequential:
    """Functions on SO(3), as in the paper."""
    layers: list[torch.nn.Module] = []
    here = INPUT
    for band, width in {12: 12, 8: 24, 6: FEATURES}.items():
        out = eq.Sphere(band).fields(f"{width}x regular")
        conv = enn.SphereConv(here, out, near_identity(max_beta=torch.pi / 6))
        layers += [conv, enn.BatchNorm(out), enn.ReLU(out)]
        here = out
    return enn.Sequential(*layers, enn.Integrate(here), *_head(classes))


def planar_network(classes: int) -> torch.nn.Sequential:
    """The grid taken for a picture, by an ordinary network."""
    layers: list[torch.nn.Module] = []
    here = INPUT.channels
    for width in (32, 64, FEATURES):
        conv = torch.nn.Conv2d(here, width, 3, padding=1, bias=False)
        layers += [conv, torch.nn.BatchNorm2d(width), torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
        here = width
    pool = [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
    return torch.nn.Sequential(*layers, *pool, *_head(classes))


def _head(classes: int) -> list[torch.nn.Module]:
    return [torch.nn.Dropout(0.3), torch.nn.Linear(FEATURES, classes)]


NETWORKS: dict[str, Callable[[int], torch.nn.Module]] = {
    "spin": spin_network,
    "regular": regular_network,
    "planar": planar_network,
}


def shrec17_network(classes: int = 55) -> torch.nn.Sequential:
    """The network of the paper for SHREC17: 1,399,515 parameters.

    It reads six channels of ``transforms.rays`` at band 128. Filters are rings about the equator
    with as many points as the grid of their input has in alpha.
    """
    before, here = 128, eq.Sphere(128).fields("6x trivial")
    layers: list[torch.nn.Module] = []
    for band, width in ((32, 50), (22, 70), (7, 350)):
        out = eq.Sphere(band).fields(f"{width}x regular")
        filters = equatorial(n_alpha=2 * before)
        layers += [enn.SphereConv(here, out, filters), enn.BatchNorm(out), enn.ReLU(out)]
        before, here = band, out
    layers += [enn.GlobalMaxPool(here), torch.nn.BatchNorm1d(350, affine=False)]
    return enn.Sequential(*layers, torch.nn.Linear(350, classes))
