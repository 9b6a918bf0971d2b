"""Points without structure, and digits. In: counts and seeds. Out: points (P, d) and labels."""

import math

import torch
from torch import Tensor

from examples.common.streams import stream

POINTS = 11  # purpose of a random stream


def random_points(points: int, inputs: int, seed: int) -> Tensor:
    """Points from N(0, 1), centred and scaled to the norm sqrt(d), ``(P, d)``."""
    generator = stream(seed, POINTS)
    x = torch.randn(points, inputs, generator=generator, dtype=torch.float64)
    x = x - x.mean(0)
    return x / x.norm(dim=1, keepdim=True) * math.sqrt(inputs)


def alternating(points: int) -> Tensor:
    """Labels 1, -1, 1, ... ``(P,)``."""
    return 1.0 - 2.0 * (torch.arange(points) % 2).double()
