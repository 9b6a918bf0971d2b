"""Blocks of each degree, filled up so that several degrees are one product.

In: sizes of the blocks. Out: where their entries stand.

The degrees are taken in a fixed number of groups, whatever the band, in which all blocks have the
size of the largest.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from equinet.numerics.cached import cached_untraced
from equinet.ops.precision import placed

GROUPS = 3  # of degrees: more of them fill up less, and make longer graphs


class Padding(NamedTuple):
    """Where entries of blocks stand that are filled up.

    Attributes:
        shapes: of each group, (degrees, rows, columns).
        places: of each entry of the groups its place in the flat list of blocks; where there is
            none, the length of that list, as if a zero stood behind it.
        back: of each entry of the flat list its place in the groups.
    """

    shapes: tuple[tuple[int, int, int], ...]
    places: Tensor
    back: Tensor


@cached_untraced(64)
def padding(heights: tuple[int, ...], widths: tuple[int, ...], turned: bool) -> Padding:
    """The padding of blocks that lie row by row, degree by degree.

    Args:
        heights: rows of the block of each degree.
        widths: columns of the block of each degree.
        turned: whether a group lies column by column.
    Returns:
        Where the entries stand.
    """
    degrees, sizes = len(heights), [a * b for a, b in zip(heights, widths, strict=True)]
    total, step = sum(sizes), -(degrees // -GROUPS)
    starts = torch.tensor([sum(sizes[:l]) for l in range(degrees)])
    rows, columns = torch.tensor(heights), torch.tensor(widths)
    shapes, found = [], []
    for first in range(0, degrees, step):
        group = slice(first, first + step)
        height, width = max(heights[group]), max(widths[group])
        a, b = torch.arange(height)[:, None], torch.arange(width)
        start, own_height, own_width = (x[group, None, None] for x in (starts, rows, columns))
        there = (a < own_height) & (b < own_width)
        place = torch.where(there, start + a * own_width + b, total)
        place = place.mT if turned else place
        shapes.append((place.shape[0], place.shape[1], place.shape[2]))
        found.append(place.flatten())
    places = torch.cat(found)
    back = torch.zeros(total + 1, dtype=torch.int64).scatter(0, places, torch.arange(len(places)))
    return Padding(tuple(shapes), places, back[:total])


def filled(flat: Tensor, where: Padding) -> list[Tensor]:
    """The blocks of each group, filled up with zeros.

    Args:
        flat: the entries of all blocks, ``(entries, ...)``.
        where: they stand.
    Returns:
        Of each group ``(degrees, rows, columns)``; a column is one of all axes behind.
    """
    rest = math.prod(flat.shape[1:])  # which a program leaves open
    longer = pad(flat, [0] * (2 * flat.dim() - 1) + [1])
    parts = longer.index_select(0, placed(where.places, flat))
    parts = parts.split([math.prod(shape) for shape in where.shapes])
    return [
        part.reshape(degrees, rows, columns * rest)
        for part, (degrees, rows, columns) in zip(parts, where.shapes, strict=True)
    ]


def emptied(groups: Sequence[Tensor], where: Padding, rest: Sequence[int]) -> Tensor:
    """The entries of the blocks without what fills them up, the inverse of ``filled``.

    Args:
        groups: of each group as many numbers as ``filled`` makes.
        where: the entries stand.
        rest: axes behind those of the blocks.
    Returns:
        ``(entries, *rest)``.
    """
    parts = [
        group.reshape(math.prod(shape), *rest)
        for group, shape in zip(groups, where.shapes, strict=True)
    ]
    return torch.cat(parts).index_select(0, placed(where.back, parts[0]))
