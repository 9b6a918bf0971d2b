"""Random numbers that are functions of seeds alone.

In: a seed, a purpose, an epoch. Out: a generator. A training that was stopped in the middle of an
epoch finds the same order and the same rotations again, without having to save them.
"""

import numpy as np
import torch
from torch import Tensor

# What a random stream is for: streams with different purposes never coincide. An example that
# needs another purpose takes a number from 10 on.
ORDER, TRAIN_ROTATIONS, TEST_ROTATIONS = 0, 1, 2


def stream(seed: int, purpose: int, epoch: int = 0) -> torch.Generator:
    """A random generator of its own for every (seed, purpose, epoch)."""
    mixed = np.random.SeedSequence([seed, purpose, epoch]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(mixed >> np.uint64(1)))


def epoch_order(n: int, seed: int, epoch: int) -> Tensor:
    """The order (n,) in which an epoch goes through the training samples."""
    return torch.randperm(n, generator=stream(seed, ORDER, epoch))
