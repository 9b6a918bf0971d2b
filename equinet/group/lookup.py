"""Which elements of a finite group matrices are.

An element is told from others by its images of a few vectors. These are found in a sorted list of
their components along a direction in general position, so that many are found in a time that grows
with their number, not with their number times the order of the group.
"""

from __future__ import annotations

import torch
from torch import Tensor

from equinet.numerics.cached import cached


@cached()
def frame(n: int) -> Tensor:
    """A few vectors, ``(n, min(n, 4))``, whose images tell apart the elements of a group.

    In up to four dimensions they are a basis. In more they are in general position, and all four
    would have to lie close to a subspace for two elements to be confused.
    """
    if n <= 4:
        return torch.eye(n, dtype=torch.float64)
    generator = torch.Generator().manual_seed(n)
    return torch.randn(n, 4, generator=generator, dtype=torch.float64)


@cached()
def _direction(count: int) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.randn(count, generator=generator, dtype=torch.float64)


def keys(images: Tensor) -> Tensor:
    """The components of images ``(count, n, min(n, 4))`` along the direction, ``(count,)``."""
    flat = images.flatten(1)
    return flat @ _direction(flat.shape[1])


class Lookup:
    """Finds matrices by their images of the frame, ``(count, n, min(n, 4))``, up to a tolerance."""

    def __init__(self, images: Tensor) -> None:
        self.images = images.flatten(1)
        self.keys, self.order = keys(images).sort()

    def find(self, images: Tensor, tolerance: float = 1e-6) -> Tensor:
        """The number of each, int64 ``(count,)``; -1 where there is none.

        Args:
            images: of the frame under matrices, ``(count, n, min(n, 4))``.
            tolerance: the largest difference of an entry.
        Returns:
            Numbers in the order in which the known ones were given.
        """
        along, images = keys(images), images.flatten(1)
        reach = tolerance * float(_direction(images.shape[1]).abs().sum())
        candidate = torch.searchsorted(self.keys, along - reach)
        last = torch.searchsorted(self.keys, along + reach, right=True)
        found = torch.full_like(candidate, -1)
        # Keys from ``candidate`` up to ``last`` are near enough, seldom more than one of them: each
        # step looks at one more for all images that are not found yet.
        open_ = (candidate < last).nonzero()[:, 0]
        while len(open_):
            number = self.order[candidate[open_]]
            difference = (images[open_] - self.images[number]).abs().amax(1)
            same = difference < tolerance
            found[open_[same]] = number[same]
            open_ = open_[~same]
            candidate[open_] += 1
            open_ = open_[candidate[open_] < last[open_]]
        return found

    def firsts(self, tolerance: float) -> Tensor:
        """One number of each set of equal ones, in order."""
        every = torch.arange(len(self.keys))
        return every[self.find(self.images, tolerance) == every]
