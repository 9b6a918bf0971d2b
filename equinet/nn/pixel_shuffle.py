r"""From channels to pixels: a finer grid without interpolation."""

import itertools
import math

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.field.grid import Grid
from equinet.nn.layout import laid_out
from equinet.nn.module import EquivariantModule
from equinet.nn.requirements import grid_of
from equinet.numerics.arguments import Size, check_memory, each
from equinet.numerics.cached import cached
from equinet.rep import Representation, tensor_product
from equinet.rep.decomposition import decompose

_NEAR = 1e-6  # steps of the grid


class PixelShuffle(EquivariantModule):
    r"""Each point of the grid becomes a block of points, with values from channels of its own.

    .. math:: [\Phi f](s x + \delta) = f_\delta(x), \qquad
              \rho_{in}(h) = \rho_{out}(h) \otimes P(h), \quad P(h)\, e_\delta = e_{h \delta}
              \quad (P2)

    where :math:`\delta` are the places in a block, from its centre. H permutes them as it turns the
    block, so the input has fields of their own, which ``shuffled`` makes; then it commutes with all
    symmetries of the grid, for even and odd factors. As ``torch.nn.PixelShuffle``.

    Args:
        out_type: the fields on the fine grid; ``in_type`` is ``shuffled(out_type, factor)``.
        factor: points in place of one along each axis, one number or one for each.
    Shape:
        ``in_type.shape(batch, *sizes)``, n to ``factor * n`` along each axis.
    Raises:
        ValueError: if H does not map a block to itself, as C8 or SO(2); ``Upsample`` serves there.

    Example:
        >>> from equinet.field import Plane
        >>> shuffle = PixelShuffle(Plane("D4").fields("2x vector"), 2)
        >>> shuffle(torch.ones(shuffle.in_type.shape(1, 8, 8))).shape
        torch.Size([1, 4, 16, 16])
    """

    def __init__(self, out_type: FieldType, factor: Size = 2) -> None:
        super().__init__(_shuffled(out_type, factor, "out_type"), out_type)
        self.factor = each(factor, grid_of(out_type).n, "factor")

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        n = len(self.factor)
        blocks = x.unflatten(1, (self.out_type.channels, *self.factor))
        # (batch, channel, *places, *sizes): each size, then its place.
        order = itertools.chain.from_iterable((2 + n + i, 2 + i) for i in range(n))
        y = blocks.permute(0, 1, *order)
        for axis in range(n):
            y = y.flatten(2 + axis, 3 + axis)
        return laid_out(y, x)

    def export(self) -> nn.Module:
        """``torch.nn.PixelShuffle`` for images and one factor; elsewhere torch has none."""
        if len(self.factor) == 2 and len(set(self.factor)) == 1:
            return nn.PixelShuffle(self.factor[0])
        return super().export()

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, factor={self.factor}"


def shuffled(field_type: FieldType, factor: Size = 2) -> FieldType:
    """The input of ``PixelShuffle(field_type, factor)``: a field for each place in a block (P2).

    Args:
        field_type: of the output, over the fine grid.
        factor: points in place of one along each axis.
    Returns:
        The type of the input, over the coarse grid.
    Raises:
        ValueError: if the group does not map a block to itself.

    Example:
        >>> from equinet.field import Plane
        >>> fine = Plane("C4").fields("3x trivial")
        >>> shuffled(fine).channels, shuffled(fine).fibre.counts == Plane("C4").fields(
        ...     "3x regular"
        ... ).fibre.counts
        (12, True)
    """
    return _shuffled(field_type, factor, "field_type")


def _shuffled(field_type: FieldType, factor: Size, name: str) -> FieldType:
    if not isinstance(field_type, FieldType):
        raise TypeError(f"{name}: expected a FieldType, got {type(field_type).__name__}")
    space = grid_of(field_type, name)
    counts = each(factor, space.n, "factor")
    with torch.device("cpu"):
        places = _places(space, counts)
        blocks = [(mul, tensor_product(rho, places)) for mul, rho in field_type.blocks]
    return FieldType(space.coarsened(counts), tuple(blocks))


@cached(64)
def _places(space: Grid, factor: tuple[int, ...]) -> Representation:
    """P, how the group permutes the places in a block."""
    group, count = space.group, math.prod(factor)
    check_memory(count**2 * len(group.generators), "factor", f"permutations of {factor} points")
    points = space.positions(*factor).flatten(0, -2)

    def permutation(g: Tensor) -> Tensor:
        moved = points @ g.mT
        near = torch.cdist(points.expand_as(moved), moved)
        return (near < _NEAR * min(space.spacing)).to(g.dtype)

    whole = group.elements if group.is_finite else group.generators
    if not group.is_finite or not (permutation(whole).sum((1, 2)) == count).all():
        raise ValueError(
            f"factor: expected a block of points that {group} maps to itself, got {factor}; "
            "enn.Upsample serves for every group, or restrict the fields to a smaller one"
        )
    return decompose(group, permutation, name=f"permutation of {factor}")
