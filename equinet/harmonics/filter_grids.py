"""Where the taps of a convolution filter lie.

A filter is centred on the origin; an even size has taps at half-integers. Axes are those of images
and volumes: in the plane rows run downwards while y points up, in space the axes are x, y, z.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from equinet.numerics.arguments import check_integer, check_memory, is_integer, per_axis


@dataclass(frozen=True)
class FilterGrid:
    """The taps of a filter of 1, 2 or 3 dimensions.

    Attributes:
        size: taps along each axis of the filter tensor, as ``kernel_size`` of ``torch.nn``.
        spacing: distance of neighbours along x, y, z, in units of length.
        lattice: "square" (or cubic), or in the plane "hexagonal": a hexagon of cells with axial
            coordinates q to the right and r up, at x = q + r / 2, y = r sqrt(3) / 2, in an array
            of (r, q) whose other corners are empty.
    """

    size: tuple[int, ...]
    spacing: tuple[float, ...]
    lattice: str = "square"

    def __post_init__(self) -> None:
        for name in ("size", "spacing"):
            if not isinstance(getattr(self, name), tuple):
                raise TypeError(f"{name}: expected a tuple, got {getattr(self, name)!r}")
        if not 1 <= len(self.size) <= 3 or not all(is_integer(k) for k in self.size):
            raise ValueError(f"size: expected 1 to 3 integers >= 1, got {self.size!r}")
        check_memory(len(self.size) * math.prod(self.size), "size", f"{self.size} taps")
        lengths = [s for s in self.spacing if isinstance(s, int | float) and 0 < s < math.inf]
        if len(lengths) != len(self.size) or len(lengths) != len(self.spacing):
            raise ValueError(
                f"spacing: expected {len(self.size)} positive numbers, got {self.spacing!r}"
            )
        if self.lattice not in ("square", "hexagonal"):
            raise ValueError(f"lattice: expected 'square' or 'hexagonal', got {self.lattice!r}")
        if self.lattice == "hexagonal":
            if len(self.size) != 2 or len(set(self.size)) > 1 or self.size[0] % 2 == 0:
                raise ValueError(
                    f"size: expected (k, k) with odd k for a hexagonal filter, got {self.size}"
                )
            if len(set(self.spacing)) > 1:
                raise ValueError(
                    f"spacing: expected equal numbers for a hexagonal filter, got {self.spacing}"
                )

    @property
    def n(self) -> int:
        """The number of dimensions."""
        return len(self.size)

    @property
    def unit(self) -> float:
        """The smallest distance of neighbours along an axis."""
        return min(self.spacing)

    @property
    def extent(self) -> float:
        """The largest half-width along an axis, in units of length."""
        along = self.size[::-1] if self.n == 2 else self.size
        return max((k - 1) / 2 * s for k, s in zip(along, self.spacing, strict=True))

    @property
    def cells(self) -> Tensor:
        """Numbers of the taps in the flattened filter tensor, int64 ``(taps,)``."""
        if self.lattice == "square":
            return torch.arange(math.prod(self.size))
        k = self.size[0] // 2
        steps = range(-k, k + 1)
        inside = [abs(q + r) <= k for r, q in itertools.product(reversed(steps), steps)]
        return torch.tensor(inside).nonzero()[:, 0]

    @property
    def points(self) -> Tensor:
        """Positions of the taps, float64 ``(taps, n)``, in the order of ``cells``."""
        ticks = [torch.arange(k, dtype=torch.float64) - (k - 1) / 2 for k in self.size]
        if self.n == 2:
            ticks[0] = 0 - ticks[0]  # rows run downwards; 0 is not to become -0
        index = torch.stack(torch.meshgrid(*ticks, indexing="ij"), -1).flatten(0, -2)
        if self.n == 2:
            index = index.flip(-1)  # (row, column) is (y, x)
        spacing = torch.tensor(self.spacing, dtype=torch.float64)
        if self.lattice == "square":
            return index * spacing
        q, r = index[self.cells].unbind(-1)
        return torch.stack([q + r / 2, math.sqrt(0.75) * r], -1) * spacing

    def embed(self, values: Tensor) -> Tensor:
        """Values at the taps ``(..., taps)`` as filter tensors ``(..., *size)``."""
        if self.lattice == "square":
            return values.unflatten(-1, self.size)
        out = values.new_zeros(*values.shape[:-1], math.prod(self.size))
        out[..., self.cells] = values
        return out.unflatten(-1, self.size)


_LARGEST = 2**30  # bytes of float64 samples: more would take minutes and most of a machine


def check_grid(grid: object) -> FilterGrid:
    """The taps, if they are some.

    Raises:
        TypeError: if they are not.
    """
    if not isinstance(grid, FilterGrid):
        raise TypeError(f"grid: expected a FilterGrid, got {type(grid).__name__}")
    return grid


def check_samples(grid: FilterGrid, functions: int, what: str) -> None:
    """Refuse more functions than can be sampled at the taps of a filter.

    Args:
        grid: the taps.
        functions: how many numbers there are at each of them.
        what: they are, for the message.
    Raises:
        ValueError: if the samples would take more than 1 GiB.
    """
    size = 8 * functions * math.prod(grid.size)
    if size > _LARGEST:
        raise ValueError(
            f"grid: expected a filter whose samples take at most {_LARGEST / 2**30:g} GiB, got "
            f"{grid.size} taps, at which {functions:,} components of {what} take "
            f"{size / 2**30:,.0f} GiB; fewer degrees take less, such as "
            "functions=functools.partial(shell_harmonics, lmax=2)"
        )


def filter_grid(
    size: int | Sequence[int],
    n: int | None = None,
    *,
    dilation: int | Sequence[int] = 1,
    spacing: float | Sequence[float] = 1.0,
    lattice: str = "square",
) -> FilterGrid:
    """The taps of a filter with the arguments of a ``torch.nn`` convolution.

    Args:
        size: taps along each axis of the filter tensor: (y, x) in the plane, (x, y, z) in space.
        n: the number of dimensions, if ``size`` is one number.
        dilation: steps between taps along each axis of the filter tensor.
        spacing: size of a pixel along x, y, z.
        lattice: "square" or "hexagonal".
    Returns:
        The taps.
    Raises:
        ValueError: if ``n`` is missing or an argument has another number of entries.
        TypeError: for what is no number.

    Example:
        >>> filter_grid((1, 2)).points.tolist()
        [[-0.5, 0.0], [0.5, 0.0]]
    """
    if n is None:
        n = len(size) if not isinstance(size, int) else 2 if lattice == "hexagonal" else None
    if n is None:
        raise ValueError("n: expected the number of dimensions, since size is one number, got None")
    check_integer(n, "n", 1, 3)
    sizes = per_axis(size, n)
    steps = per_axis(dilation, n)
    pixel = per_axis(spacing, n)
    if len(sizes) != n:
        raise ValueError(f"size: expected {n} integers >= 1, got {size!r}")
    if len(steps) != n or not all(is_integer(step) for step in steps):
        raise ValueError(f"dilation: expected {n} integers >= 1, got {dilation!r}")
    if len(pixel) != n:
        raise ValueError(f"spacing: expected {n} positive numbers, got {spacing!r}")
    along = steps[::-1] if n == 2 else steps
    whole = FilterGrid(sizes, tuple(pixel), lattice)  # with the checks of its lengths
    lengths = tuple(float(s * step) for s, step in zip(whole.spacing, along, strict=True))
    return replace(whole, spacing=lengths)
