"""Networks over lines, planes and volumes.

Between two levels the grid is halved. The symmetry is kept exactly where the centre of the grid is:
an even number n of points goes to n / 2 by an even filter, an odd one to (n + 1) / 2 by an odd one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate
from typing import Any, NamedTuple

from torch import Generator, nn, relu

from equinet import nn as enn
from equinet.field import FieldType
from equinet.field.field_type import check_type
from equinet.field.grid import Grid
from equinet.models.blocks import (
    MOST,
    Function,
    Norm,
    Step,
    Style,
    check_hidden,
    check_norm,
    ladder,
    typed,
)
from equinet.nn.requirements import grid_of
from equinet.numerics.arguments import Size, check_integer, each, is_row

_CONVOLUTIONS: dict[int, Callable[..., enn.KernelLayer]] = {
    1: enn.Conv1d,
    2: enn.Conv2d,
    3: enn.Conv3d,
}
_EVEN, _ODD = 4, 5  # taps of the low-pass filter


def resnet(
    in_type: FieldType,
    hidden: Sequence[str | FieldType],
    classes: int,
    *,
    sizes: Size | None = None,
    strides: Sequence[Size] | None = None,
    kernel_size: int = 5,
    blocks: int = 1,
    norm: Norm = enn.BatchNorm,
    function: Function = relu,
    generator: Generator | None = None,
    **options: object,
) -> enn.Sequential:
    r"""A residual network over a line, a plane or a volume, from fields to invariant numbers.

    .. math:: x \to h_1 \to h_1 + \Phi(h_1) \to {\downarrow} \to h_2 \to \dots \to h_k \to
              \text{scalars} \to \text{their means} \to \text{classes}

    A level is a convolution with a norm and a nonlinearity, and residual blocks behind it; between
    levels the grid is halved behind a low-pass filter. The nonlinearity is ``function`` where the
    group permutes components (regular, quotient and trivial fields) and a ``Gate`` for irreps.

    Args:
        in_type: of the input.
        hidden: fields of each level, such as ``["4x regular", "8x regular"]``.
        classes: how many numbers there are in the end.
        sizes: points of the data along each axis, or one number for all, to make a network that
            keeps the centre of such a grid; by default for numbers that are even at every level.
        strides: between the levels, each 1 or 2 or one of these for each axis; by default 2.
        kernel_size: of the convolutions, odd.
        blocks: residual blocks of each level.
        norm: makes a norm from a type, such as ``enn.InstanceNorm``.
        function: of single values.
        generator: for the initial weights.
        **options: more arguments of the convolutions, such as ``functions``, ``dilation`` or
            ``padding_mode``; they keep the grid, so ``stride`` and ``padding`` are none.
    Shape:
        ``in_type.shape(batch, *sizes)`` to ``(batch, classes)``.
    Raises:
        TypeError: if ``hidden`` is no row of types.
        ValueError: for fields over another space, and for a number out of range.

    References:
        He et al. 2015, Deep residual learning for image recognition, arXiv 1512.03385.

    Example:
        >>> import torch
        >>> from equinet.field import Plane
        >>> x = Plane("C4").fields("3x trivial")
        >>> net = resnet(x, ["2x regular", "4x regular"], classes=10, sizes=33)
        >>> net(torch.zeros(x.shape(2, 33, 33))).shape
        torch.Size([2, 10])
    """
    check_type(in_type, "in_type")
    check_integer(classes, "classes")
    check_integer(blocks, "blocks", 0, MOST)
    style = _style(in_type, kernel_size, norm, function, generator, options)
    types, halvings = _levels(in_type, hidden, sizes, strides)
    layers: list[nn.Module] = []
    here = in_type
    for level, h in enumerate(types):
        if level:
            layers.append(halvings[level - 1].down(here))
            here = FieldType(h.space, here.blocks)
        layers += [style.block(here, h), *(style.residual(h) for _ in range(blocks))]
        here = h
    return enn.Sequential(*layers, *style.head(here, classes))


def unet(
    in_type: FieldType,
    hidden: Sequence[str | FieldType],
    out_type: FieldType | str,
    *,
    sizes: Size | None = None,
    strides: Sequence[Size] | None = None,
    kernel_size: int = 3,
    blocks: int = 1,
    norm: Norm = enn.BatchNorm,
    function: Function = relu,
    generator: Generator | None = None,
    **options: object,
) -> enn.Sequential:
    """A U-Net over a line, a plane or a volume, from fields to fields on the same grid.

    What a level had on the way down is beside what comes up, and a convolution joins both. Fields
    and nonlinearities are as in ``resnet``. Volumes with thick slices stride within them first:
    ``strides=[(2, 2, 1), 2]``.

    Args:
        in_type: of the input.
        hidden: fields of each level, from fine to coarse.
        out_type: of the output, or its name.
        sizes: as in ``resnet``; even and odd numbers may follow each other, but all axes that are
            halved at a level have to be of one kind there.
        strides: between the levels, each 1 or 2 or one of these for each axis; by default 2.
        kernel_size: of the convolutions, odd.
        blocks: convolutions of each level on the way down.
        norm: makes a norm from a type.
        function: of single values.
        generator: for the initial weights.
        **options: more arguments of the convolutions, as in ``resnet``.
    Shape:
        ``in_type.shape(batch, *sizes)`` to ``out_type.shape(batch, *sizes)``.
    Raises:
        TypeError: if ``hidden`` is no row of types.
        ValueError: for fields over another space, and for a number out of range.

    References:
        Ronneberger, Fischer and Brox 2015, U-Net, arXiv 1505.04597.

    Example:
        >>> import torch
        >>> from equinet.field import Plane
        >>> x = Plane("D4").fields("1x trivial")
        >>> net = unet(x, ["2x regular", "2x regular", "4x regular"], "3x trivial", sizes=50)
        >>> net(torch.zeros(x.shape(1, 50, 50))).shape  # 50, 25, 13 and back
        torch.Size([1, 3, 50, 50])
    """
    check_type(in_type, "in_type")
    check_integer(blocks, "blocks", 0, MOST)
    style = _style(in_type, kernel_size, norm, function, generator, options)
    types, halvings = _levels(in_type, hidden, sizes, strides)
    for number, halving in enumerate(halvings):
        halving.check_way_back(number)

    def step(halving: Halving) -> Step:
        def down(h: FieldType, low: FieldType) -> list[nn.Module]:
            half = halving.down(h)
            return [half, style.block(FieldType(low.space, h.blocks), low)]

        return Step(down, halving.up)

    y = typed(in_type.space, out_type, "out_type")
    return enn.Sequential(
        style.block(in_type, types[0]),
        *ladder(style, types, [step(halving) for halving in halvings], blocks),
        style.last(types[0], y),
    )


class Halving(NamedTuple):
    """From a grid to one of half the points, and back.

    Attributes:
        strides: along each axis, 1 or 2.
        sizes: points along each axis of the finer grid.
    """

    strides: tuple[int, ...]
    sizes: tuple[int, ...]

    def down(self, h: FieldType) -> enn.Downsample:
        """A low-pass filter and every second point."""
        taps = [
            1 if s == 1 else _ODD if n % 2 else _EVEN
            for s, n in zip(self.strides, self.sizes, strict=True)
        ]
        return enn.Downsample(h, self.strides, kernel_size=taps)

    def up(self, h: FieldType) -> enn.Upsample:
        """Values between those of the coarser grid."""
        return enn.Upsample(h, self.strides, align_corners=any(n % 2 for n in self._halved))

    def check_way_back(self, level: int) -> None:
        """Raise ValueError where up does not lead to the sizes that down began with."""
        if len({n % 2 for n in self._halved}) > 1:
            raise ValueError(
                "sizes: expected only even or only odd numbers along the axes that are halved, got "
                f"{self.sizes} at level {level}; pad the data"
            )

    @property
    def coarse(self) -> tuple[int, ...]:
        """Points along each axis of the coarser grid."""
        return tuple(-(-n // s) for n, s in zip(self.sizes, self.strides, strict=True))

    @property
    def _halved(self) -> list[int]:
        return [n for n, s in zip(self.sizes, self.strides, strict=True) if s > 1]


def _levels(
    in_type: FieldType,
    hidden: Sequence[str | FieldType],
    sizes: Size | None,
    strides: Sequence[Size] | None,
) -> tuple[list[FieldType], list[Halving]]:
    """The types of all levels and what lies between them."""
    grid = grid_of(in_type)
    names = check_hidden(hidden)
    between = len(names) - 1
    if strides is not None and (not is_row(strides) or len(strides) != between):
        raise ValueError(
            f"strides: expected {between}, one between each two levels of hidden, got {strides!r}"
        )
    rows = [each(s, grid.n, "strides") for s in strides or [2] * between]
    if any(s > 2 for row in rows for s in row):
        raise ValueError(f"strides: expected 1 or 2 along each axis, got {strides!r}")
    points = each(2 ** len(names) if sizes is None else sizes, grid.n, "sizes")
    halvings: list[Halving] = []
    for row in rows:
        halvings.append(Halving(row, halvings[-1].coarse if halvings else points))
    spaces = accumulate(rows, Grid.coarsened, initial=grid)
    types = [typed(space, fields) for space, fields in zip(spaces, names, strict=True)]
    return types, halvings


def _style(
    in_type: FieldType,
    kernel_size: int,
    norm: Norm,
    function: Function,
    generator: Generator | None,
    options: dict[str, Any],
) -> Style:
    """Convolutions that keep the grid."""
    n = grid_of(in_type).n
    check_norm(norm)
    if check_integer(kernel_size, "kernel_size") % 2 == 0:
        raise ValueError(f"kernel_size: expected an odd number, got {kernel_size}")
    for name in ("stride", "padding"):
        if name in options:
            raise ValueError(
                f"{name}: expected none, as the convolutions keep the grid, which strides between "
                f"the levels halve, got {options[name]!r}"
            )
    dilation = each(options.get("dilation", 1), n, "dilation")
    padding = tuple(d * (kernel_size // 2) for d in dilation)
    settings = {"padding": padding, "bias": False, "generator": generator} | options
    layer = partial(_CONVOLUTIONS[n], kernel_size=kernel_size, **settings)
    return Style(layer, norm, function, generator)
