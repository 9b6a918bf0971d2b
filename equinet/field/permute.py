"""Grid symmetries: elements that only exchange the values of a grid.

In: how elements act on indices. Out: which are such, and the moved values, without arithmetic.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Exchange:
    """Axis a of the result is axis ``axes[a]`` of the input, backwards where ``flips[a]``."""

    axes: tuple[int, ...]
    flips: tuple[bool, ...]

    def __call__(self, x: Tensor) -> Tensor:
        """The moved values ``(batch, channel, *sizes)``; what leaves the grid is lost."""
        n = len(self.axes)
        y = x.permute(0, 1, *(2 + axis for axis in self.axes))
        pads = [(a - b) // 2 for a, b in zip(x.shape[2:], y.shape[2:], strict=True)]
        if any(pads):  # both ends alike, so that the centre stays
            y = F.pad(y, [pad for pad in reversed(pads) for _ in range(2)])
        return y.flip([2 + axis for axis in range(n) if self.flips[axis]])


def exchanges(matrices: Tensor, sizes: tuple[int, ...], tolerance: float) -> list[Exchange | None]:
    """The exchange that each element is, None for those that move points off the grid.

    Args:
        matrices: from offsets of the index from the centre to those of the source,
            ``(count, n, n)``.
        sizes: of the axes.
        tolerance: of an entry of the matrices.
    """
    whole = matrices.round()
    near = ((matrices - whole).abs() <= tolerance).flatten(1).all(1)
    signed = whole.abs()
    near &= ((signed.sum(1) == 1) & (signed.sum(2) == 1)).all(1)
    found: list[Exchange | None] = []
    for good, rows in zip(near.tolist(), whole.mT.tolist(), strict=True):
        # Row a of the transpose says which axis of the source follows axis a of the result.
        axes = tuple([bool(v) for v in row].index(True) if any(row) else 0 for row in rows)
        flips = tuple(sum(row) < 0 for row in rows)
        # Between an even and an odd side the centres lie half a step apart.
        good = good and all((sizes[a] - sizes[b]) % 2 == 0 for a, b in enumerate(axes))
        found.append(Exchange(axes, flips) if good else None)
    return found


def exchange(x: Tensor, found: list[Exchange]) -> Tensor:
    """Every sample moved by its own element; samples of one element are moved together."""
    members: dict[Exchange, list[int]] = {}
    for i, one in enumerate(found):
        members.setdefault(one, []).append(i)
    if len(members) == 1:
        return found[0](x).contiguous()
    moved = torch.empty_like(x, memory_format=torch.contiguous_format)
    for one, rows in members.items():
        if len(rows) == 1:  # a view instead of a copy
            moved[rows[0]] = one(x[rows[0]][None])[0]
        else:
            moved[rows] = one(x[rows])
    return moved
