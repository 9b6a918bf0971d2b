"""One network of a batch as a module, and what of it is dead. In: weights. Out: modules, counts."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from examples.common.descent import SHARPNESS, Network, layers


def as_module(network: Network, weights: Sequence[Tensor], number: int) -> nn.Sequential:
    """A network of the scale "standard" as a stack of layers, in float64."""
    parts: list[nn.Module] = []
    for matrix, bias in zip(weights[::2], weights[1::2], strict=True):
        linear = nn.Linear(matrix.shape[2], matrix.shape[1], dtype=torch.float64)
        linear.load_state_dict({"weight": matrix[number], "bias": bias[number]})
        relu = network.activation == "relu"
        parts += [linear, nn.ReLU() if relu else nn.Softplus(SHARPNESS, threshold=40)]
    return nn.Sequential(*parts[:-1])


def dead_units(network: Network, weights: Sequence[Tensor], x: Tensor) -> Tensor:
    """Hidden neurons that are off at all points of their network ``(B, P, d)``; int64 ``(B,)``."""
    hidden = layers(network, weights, x)[:-1]
    return torch.stack([(a <= 0).all(2).sum(1) for a in hidden]).sum(0)


def silent_points(network: Network, weights: Sequence[Tensor], x: Tensor) -> Tensor:
    """Where a whole hidden layer is off, bool ``(B, P)``.

    What is before that layer gets no gradient from such a point, and all points that are silent in
    the last hidden layer have the same output.
    """
    hidden = layers(network, weights, x)[:-1]
    return torch.stack([(a <= 0).all(1) for a in hidden]).any(0)
