"""The pieces as points, in any orientation. In: rotations. Out: samples, (batch, 4, 3)."""

import torch
from torch import Tensor

import equinet as eq
from examples.common.streams import TEST_ROTATIONS, TRAIN_ROTATIONS, stream
from examples.common.training import Samples
from examples.tetris.data import PIECES

PASSES = 20  # through the eight pieces in an epoch
TESTS = 100  # orientations of each piece in a test
SHIFT = 10.0  # how far from the origin a piece may be, in sides of a cube


def pieces(dtype: torch.dtype = torch.float32) -> Tensor:
    """The centres of the cubes, (8, 4, 3)."""
    return torch.tensor(list(PIECES.values()), dtype=dtype)


def turned(copies: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Each piece some times, in random orientations and at random places, and its number."""
    labels = torch.arange(len(PIECES)).repeat(copies)
    rotations = eq.so3().sample(len(labels), generator=generator).float()
    places = SHIFT * (2 * torch.rand(len(labels), 1, 3, generator=generator) - 1)
    return pieces()[labels] @ rotations.mT + places, labels


def training_pieces(seed: int) -> Samples:
    """One copy of each piece, in one random orientation, seen ``PASSES`` times in an epoch."""
    positions, labels = turned(1, stream(seed, TRAIN_ROTATIONS))
    return _fixed(positions.repeat(PASSES, 1, 1), labels.repeat(PASSES))


def test_pieces(copies: int) -> Samples:
    """Each piece in many other orientations, the same ones for all networks."""
    return _fixed(*turned(copies, stream(0, TEST_ROTATIONS)))


def _fixed(positions: Tensor, labels: Tensor) -> Samples:
    return Samples(len(labels), lambda indices, epoch: (positions[indices], labels[indices]))
