r"""Transposed steerable convolutions.

.. math:: [K^T f](x) = \sum_y K(x - s y)\, f(y) \quad (V2)

with the kernels of a convolution from the input's type to the output's.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equinet.field import FieldType, Line, Plane, Volume
from equinet.harmonics import shell_harmonics
from equinet.nn.centred import moved_axes
from equinet.nn.convolution import Convolution, Functions
from equinet.nn.layout import laid_out
from equinet.nn.plain import filled
from equinet.nn.requirements import check_sizes
from equinet.numerics.arguments import Size, each
from equinet.numerics.pages import explained
from equinet.ops import full_precision


def _gain(stride: tuple[int, ...]) -> float:
    """Of the taps of the filter one in s^n meets a value of the input."""
    return math.sqrt(math.prod(stride))


class _ConvTranspose(Convolution):
    convolve: ClassVar[Callable[..., Tensor]]
    plain: ClassVar[type[nn.Module]]
    upward = True

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        *,
        functions: Functions = shell_harmonics,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            in_type, out_type, kernel_size, stride, dilation, groups, bias, functions, generator,
            _gain,
        )  # fmt: skip
        n = len(self.kernel_size)
        if padding_mode != "zeros":
            raise ValueError(f"padding_mode: expected 'zeros', got {padding_mode!r}")
        self.padding = each(padding, n, "padding", 0)
        self.output_padding = each(output_padding, n, "output_padding", 0)
        steps = [max(pair) for pair in zip(self.stride, self.dilation, strict=True)]
        if any(p >= step for p, step in zip(self.output_padding, steps, strict=True)):
            raise ValueError(
                f"output_padding: expected numbers below stride {self.stride} or dilation "
                f"{self.dilation}, got {output_padding!r}"
            )
        moves = moved_axes(in_type)
        if any(extra and moved for extra, moved in zip(self.output_padding, moves, strict=True)):
            text = (
                f"{type(self).__name__}: output_padding={self.output_padding} adds points at one "
                "end of an axis only, so the symmetry of the grid is broken; kernel_size=4, "
                "stride=2, padding=1 doubles a grid without it"
            )
            warnings.warn(explained(text, "guide/pitfalls.md#even-kernels"), stacklevel=3)
        self.place(device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        self._check_size(x.shape[2:])
        with full_precision(x):
            weight, bias = self._transposed(self.dense()), self.shift()
        y = self.convolve(
            self.enter(x), weight, bias, self.stride, self.padding, self.output_padding,
            self.groups, self.dilation,
        )  # fmt: skip
        return laid_out(self.leave(y), x)

    def _check_size(self, sizes: Sequence[int]) -> None:
        """Raise ValueError if nothing is left of the output."""
        if torch.compiler.is_compiling() or torch.compiler.is_exporting():
            return
        cut = [
            2 * p - d * (k - 1) - more
            for p, d, k, more in zip(
                self.padding, self.dilation, self.kernel_size, self.output_padding, strict=True
            )
        ]
        least = [max(-(-c // s) + 1, 1) for c, s in zip(cut, self.stride, strict=True)]
        check_sizes(sizes, least, type(self).__name__)

    def _transposed(self, filters: Tensor, groups: int | None = None) -> Tensor:
        """``(channels in, channels out / groups, *kernel_size)``, as torch takes it."""
        parts = filters.chunk(groups or self.groups)
        return torch.cat([part.transpose(0, 1) for part in parts])

    def export(self) -> nn.Module:
        """A transposed convolution of ``torch.nn`` with the filter of now."""
        weight, bias, groups = self.ungrouped()
        layer = self.plain(
            self.in_type.channels, self.out_type.channels, self.kernel_size, self.stride,
            self.padding, self.output_padding, groups, bias is not None, self.dilation,
            device="meta",
        )  # fmt: skip
        return filled(layer, self._transposed(weight, groups), bias)


class ConvTranspose1d(_ConvTranspose):
    r"""1-dimensional transposed steerable convolution (V2), as ``torch.nn.ConvTranspose1d``.

    Args:
        in_type: fields over a Line.
        out_type: fields over the same Line. With a stride that differs between the axes the
            output lies on a grid of another shape, ``in_type.space.refined(stride)``, over which
            the attribute ``out_type`` then is.
        kernel_size, stride, padding, output_padding, dilation: as in ``torch.nn``. A size that
            differs from the stride by an even number keeps the symmetry of every grid.
        groups: parts of the channels that do not see each other; divides every multiplicity.
        bias: add a learned constant to the invariant channels of the output.
        padding_mode: only "zeros", as in ``torch.nn``.
        functions: what the kernels are made of, see ``Conv1d``.
        generator: for the initial weights, normal; inputs of variance 1 give outputs of variance 1.
        device, dtype: of the module, as in ``torch.nn``.
    Shape:
        ``in_type.shape(batch, *sizes)`` to ``out_type.shape(batch, *sizes)`` with the sizes of
        ``torch.nn.ConvTranspose1d``.
    Raises:
        ValueError: for types over another space, an argument out of range, and if there is no
            kernel but zero.
    Warns:
        UserWarning: if channels of a type have no kernel, or ``output_padding`` breaks the symmetry
            of the grid.
    """

    over, convolve, plain = Line, staticmethod(F.conv_transpose1d), nn.ConvTranspose1d


class ConvTranspose2d(_ConvTranspose):
    r"""2-dimensional transposed steerable convolution (V2), as ``torch.nn.ConvTranspose2d``.

    Args:
        in_type: fields over a Plane.
        out_type: fields over the same Plane. With a stride that differs between the axes the
            output lies on a grid of another shape, ``in_type.space.refined(stride)``, over which
            the attribute ``out_type`` then is.
        kernel_size, stride, padding, output_padding, dilation: as in ``torch.nn``. A size that
            differs from the stride by an even number keeps the symmetry of every grid.
        groups: parts of the channels that do not see each other; divides every multiplicity.
        bias: add a learned constant to the invariant channels of the output.
        padding_mode: only "zeros", as in ``torch.nn``.
        functions: what the kernels are made of, see ``Conv2d``.
        generator: for the initial weights, normal; inputs of variance 1 give outputs of variance 1.
        device, dtype: of the module, as in ``torch.nn``.
    Shape:
        ``in_type.shape(batch, *sizes)`` to ``out_type.shape(batch, *sizes)`` with the sizes of
        ``torch.nn.ConvTranspose2d``.
    Raises:
        ValueError: for types over another space, an argument out of range, and if there is no
            kernel but zero.
    Warns:
        UserWarning: if channels of a type have no kernel, or ``output_padding`` breaks the symmetry
            of the grid.
    """

    over, convolve, plain = Plane, staticmethod(F.conv_transpose2d), nn.ConvTranspose2d


class ConvTranspose3d(_ConvTranspose):
    r"""3-dimensional transposed steerable convolution (V2), as ``torch.nn.ConvTranspose3d``.

    Args:
        in_type: fields over a Volume.
        out_type: fields over the same Volume. With a stride that differs between the axes the
            output lies on a grid of another shape, ``in_type.space.refined(stride)``, over which
            the attribute ``out_type`` then is.
        kernel_size, stride, padding, output_padding, dilation: as in ``torch.nn``. A size that
            differs from the stride by an even number keeps the symmetry of every grid.
        groups: parts of the channels that do not see each other; divides every multiplicity.
        bias: add a learned constant to the invariant channels of the output.
        padding_mode: only "zeros", as in ``torch.nn``.
        functions: what the kernels are made of, see ``Conv3d``.
        generator: for the initial weights, normal; inputs of variance 1 give outputs of variance 1.
        device, dtype: of the module, as in ``torch.nn``.
    Shape:
        ``in_type.shape(batch, *sizes)`` to ``out_type.shape(batch, *sizes)`` with the sizes of
        ``torch.nn.ConvTranspose3d``.
    Raises:
        ValueError: for types over another space, an argument out of range, and if there is no
            kernel but zero.
    Warns:
        UserWarning: if channels of a type have no kernel, or ``output_padding`` breaks the symmetry
            of the grid.
    """

    over, convolve, plain = Volume, staticmethod(F.conv_transpose3d), nn.ConvTranspose3d
