"""Smooth noise on a grid, white noise convolved with a Gaussian."""

import math

import torch
from torch import Generator, Tensor

from equinet.numerics.arguments import check_memory, check_number


def smooth_noise(shape: tuple[int, ...], smoothness: float, generator: Generator | None) -> Tensor:
    """White noise on a larger grid, convolved along every axis with a Gaussian of norm 1.

    Args:
        shape: of the result, ``(batch, channel, *sizes)``.
        smoothness: the standard deviation of the Gaussian in steps of the grid, 0 for white noise.
        generator: of the random numbers.
    Returns:
        float64, with unit variance, as smooth at the border as elsewhere.
    Raises:
        ValueError: if ``smoothness`` is negative, or the numbers do not fit into memory.
    """
    check_number(smoothness, "smoothness", 0)
    radius = math.ceil(4 * smoothness)
    larger = [size + 2 * radius for size in shape[2:]]
    size = math.prod((*shape[:2], *larger))
    check_memory(size, "batch", f"{size} random numbers, for {larger} points with the border")
    x = torch.randn(*shape[:2], *larger, generator=generator, dtype=torch.float64)
    if radius == 0:
        return x
    steps = torch.arange(-radius, radius + 1, dtype=torch.float64)
    weights = torch.exp(-((steps / smoothness) ** 2) / 2)
    weights = weights / weights.norm()  # then the variance stays 1
    for axis in range(2, len(shape)):
        x = x.unfold(axis, 2 * radius + 1, 1) @ weights
    return x
