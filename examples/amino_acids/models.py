"""The networks, which read (batch, 4, 17, 17, 17) and give 20 scores.

All have four convolutions, on grids of 17, 9, 7 and 5 cells, without padding but in the first, and
the last one is as large as the grid: what counts is where an atom is relative to the CA in the
middle, so nothing is averaged over the grid at the end.
"""

import functools
from typing import Any

import torch

from equinet import nn as enn

from .data import VOLUME
from .pdb import ELEMENTS, RESIDUES

# Filters of the steerable network have weights of order one, see ``parameter_groups``.
LEARNING_RATE = {"steerable": 0.05, "plain": 1e-3, "plain-small": 1e-3}

DROPOUT = 0.3


def steerable_network() -> torch.nn.Sequential:
    """Fields of degree 0, 1 and 2 under SO(3); the score does not change with the orientation.

    The only stride is that of the first layer, where it does no harm: Gaussians of 0.8 cells are
    smooth, and so are their convolutions.
    """
    atoms = VOLUME.fields(f"{len(ELEMENTS)}x0")
    h1 = VOLUME.fields("16x0 + 8x1 + 4x2")
    h2 = VOLUME.fields("24x0 + 12x1 + 6x2")
    out = VOLUME.fields("128x0")
    return enn.Sequential(
        *block(atoms, h1, kernel_size=5, stride=2, padding=2),  # 17 -> 9
        *block(h1, h1, kernel_size=3),  # 9 -> 7
        *block(h1, h2, kernel_size=3),  # 7 -> 5
        enn.Conv3d(h2, out, kernel_size=5, bias=False),  # 5 -> 1
        enn.BatchNorm(out),
        enn.ReLU(out),
        enn.GlobalAvgPool(out),
        torch.nn.Dropout(DROPOUT),
        torch.nn.Linear(out.channels, len(RESIDUES)),
    )


def block(x, h, **options: Any) -> list[torch.nn.Module]:
    """A convolution, normalised, and its gates."""
    wide = enn.gated(h)
    return [enn.Conv3d(x, wide, bias=False, **options), enn.BatchNorm(wide), enn.Gate(h)]


def plain_network(*widths: int) -> torch.nn.Sequential:
    """The same with ordinary channels."""
    a, b, c, d = widths
    return torch.nn.Sequential(
        *plain_block(len(ELEMENTS), a, kernel_size=5, stride=2, padding=2),  # 17 -> 9
        *plain_block(a, b, kernel_size=3),  # 9 -> 7
        *plain_block(b, c, kernel_size=3),  # 7 -> 5
        *plain_block(c, d, kernel_size=5),  # 5 -> 1
        torch.nn.Flatten(),
        torch.nn.Dropout(DROPOUT),
        torch.nn.Linear(d, len(RESIDUES)),
    )


def plain_block(x: int, h: int, **options: Any) -> list[torch.nn.Module]:
    """A convolution, normalised, and a ReLU."""
    return [
        torch.nn.Conv3d(x, h, bias=False, **options),
        torch.nn.BatchNorm3d(h),
        torch.nn.ReLU(),
    ]


NETWORKS = {
    "steerable": steerable_network,
    "plain": functools.partial(plain_network, 48, 64, 64, 128),
    "plain-small": functools.partial(plain_network, 16, 32, 16, 32),
}


def parameter_groups(network: torch.nn.Module) -> list[dict]:
    """Groups for the optimiser with a factor on the learning rate.

    The weights of steerable filters are of order one. What else the network learns (the norms and
    the last layer) is on the scale of its activations and scores and learns 10 times more slowly.
    """
    filters = [layer.weight for layer in network.modules() if isinstance(layer, enn.Conv3d)]
    if not filters:
        return [{"params": list(network.parameters()), "factor": 1.0}]
    taken = {id(weight) for weight in filters}
    others = [p for p in network.parameters() if id(p) not in taken]
    return [{"params": filters, "factor": 1.0}, {"params": others, "factor": 0.1}]
