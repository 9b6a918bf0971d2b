r"""Steerable convolutions on the line, in the plane and in space.

The filter is a sum of equivariant kernels with learned weights; the rest is a convolution:

.. math:: [K \star f](x) = \sum_y K(y)\, f(x + y), \qquad
          K(h x) = \rho_{out}(h) K(x) \rho_{in}(h)^{-1} \quad (V1)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equinet.field import FieldType, Line, Plane, Volume
from equinet.harmonics import shell_harmonics
from equinet.nn.centred import Centred
from equinet.nn.convolution import Convolution, Functions
from equinet.nn.layout import laid_out
from equinet.nn.plain import filled
from equinet.numerics.arguments import Size, check_choice, each
from equinet.ops import full_precision

MODES = ("zeros", "reflect", "replicate", "circular")


def _least(padding_mode: str, side: tuple[int, int]) -> int:
    """Points along an axis that a padding needs: it reflects all but one, or goes round once."""
    return {"reflect": max(side) + 1, "circular": max(side)}.get(padding_mode, 1)


def _no_gain(stride: tuple[int, ...]) -> float:
    return 1.0


class _Conv(Convolution):
    convolve: ClassVar[Callable[..., Tensor]]
    plain: ClassVar[type[nn.Module]]

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        functions: Functions = shell_harmonics,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            in_type, out_type, kernel_size, stride, dilation, groups, bias, functions, generator,
            _no_gain,
        )  # fmt: skip
        n = len(self.kernel_size)
        self.padding_mode = check_choice(padding_mode, "padding_mode", MODES)
        self.padding = padding if isinstance(padding, str) else each(padding, n, "padding", 0)
        sides = self._sides()
        # torch's convolutions pad with as many zeros at both ends, and nothing else.
        self._pads = padding_mode != "zeros" or any(before != after for before, after in sides)
        # In the order of torch.nn.functional.pad: the last axis first.
        self._margins = [p for side in reversed(sides) for p in side]
        self.centred = Centred(
            in_type, type(self).__name__, self.kernel_size, self.stride, sides, self.dilation,
            least=[_least(padding_mode, side) for side in sides],
        )  # fmt: skip
        self.place(device, dtype)

    def _sides(self) -> list[tuple[int, int]]:
        """How much is added before and after each axis."""
        if not isinstance(self.padding, str):
            return [(p, p) for p in self.padding]
        if self.padding not in ("same", "valid") or self.padding == "same" and max(self.stride) > 1:
            raise ValueError(
                f"padding: expected integers, 'valid', or 'same' with stride 1, got "
                f"{self.padding!r} with stride {self.stride}"
            )
        if self.padding == "valid":
            return [(0, 0)] * len(self.kernel_size)
        spans = [d * (k - 1) for k, d in zip(self.kernel_size, self.dilation, strict=True)]
        return [(span // 2, span - span // 2) for span in spans]

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        self.centred.check(x.shape[2:])
        with full_precision(x):
            weight, bias = self.dense(), self.shift()
        z, padding = self.enter(x), self.padding
        if self._pads:
            mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
            z, padding = F.pad(z, self._margins, mode=mode), 0
        y = self.convolve(z, weight, bias, self.stride, padding, self.dilation, self.groups)
        return laid_out(self.leave(y), x)

    def export(self) -> nn.Module:
        """A ``torch.nn`` convolution with the filter of now."""
        weight, bias, groups = self.ungrouped()
        layer = self.plain(
            self.in_type.channels, self.out_type.channels, self.kernel_size, self.stride,
            self.padding, self.dilation, groups, bias is not None, self.padding_mode,
            device="meta",
        )  # fmt: skip
        return filled(layer, weight, bias)


class Conv1d(_Conv):
    r"""1-dimensional steerable convolution, with the arguments of ``torch.nn.Conv1d`` (V1).

    Args:
        in_type: fields over a Line.
        out_type: fields over the same Line. With a stride that differs between the axes the
            samples lie on a grid of another shape, ``in_type.space.coarsened(stride)``, over which
            the attribute ``out_type`` then is.
        kernel_size, stride, padding, dilation, padding_mode: as in ``torch.nn.Conv1d``.
        groups: parts of the channels that do not see each other; divides every multiplicity.
        bias: add a learned constant to the invariant channels of the output.
        functions: what the kernels are made of, from the group and the taps of the filter:
            ``harmonics.shell_harmonics``, ``harmonics.Orbits``, a ``functools.partial`` of one, or
            ``harmonics.Pixels``.
        generator: for the initial weights, normal with variance 1; kernels are scaled so that
            inputs of variance 1, without correlation between points, give outputs of variance 1.
            Kernels are smooth, so smooth inputs grow; a norm after the layer undoes that. (The
            functions of ``torch.nn.init`` take ``weight`` for a filter, which it is not: it has the
            coefficients of the kernels.)
        device, dtype: of the module, as in ``torch.nn``.
    Shape:
        ``in_type.shape(batch, *sizes)`` to ``out_type.shape(batch, *sizes)`` with the sizes of
        ``torch.nn.Conv1d``.
    Raises:
        ValueError: for types over another space, an argument out of range, and if there is no
            kernel but zero.
    Warns:
        UserWarning: if channels of a type have no kernel; at a call, if the stride breaks the
            symmetry of a grid of that size.
    """

    over, convolve, plain = Line, staticmethod(F.conv1d), nn.Conv1d


class Conv2d(_Conv):
    r"""2-dimensional steerable convolution, with the arguments of ``torch.nn.Conv2d`` (V1).

    Args:
        in_type: fields over a Plane.
        out_type: fields over the same Plane. With a stride that differs between the axes the
            samples lie on a grid of another shape, ``in_type.space.coarsened(stride)``, over which
            the attribute ``out_type`` then is.
        kernel_size, stride, padding, dilation, padding_mode: as in ``torch.nn.Conv2d``.
        groups: parts of the channels that do not see each other; divides every multiplicity.
        bias: add a learned constant to the invariant channels of the output.
        functions: what the kernels are made of, from the group and the taps of the filter:
            ``harmonics.shell_harmonics``, ``harmonics.Orbits``, a ``functools.partial`` of one, or
            ``harmonics.Pixels``.
        generator: for the initial weights, normal with variance 1; kernels are scaled so that
            inputs of variance 1, without correlation between points, give outputs of variance 1.
            Kernels are smooth, so smooth inputs grow; a norm after the layer undoes that. (The
            functions of ``torch.nn.init`` take ``weight`` for a filter, which it is not: it has the
            coefficients of the kernels.)
        device, dtype: of the module, as in ``torch.nn``.
    Shape:
        ``in_type.shape(batch, *sizes)`` to ``out_type.shape(batch, *sizes)`` with the sizes of
        ``torch.nn.Conv2d``.
    Raises:
        ValueError: for types over another space, an argument out of range, and if there is no
            kernel but zero.
    Warns:
        UserWarning: if channels of a type have no kernel; at a call, if the stride breaks the
            symmetry of a grid of that size.
    """

    over, convolve, plain = Plane, staticmethod(F.conv2d), nn.Conv2d


class Conv3d(_Conv):
    r"""3-dimensional steerable convolution, with the arguments of ``torch.nn.Conv3d`` (V1).

    Args:
        in_type: fields over a Volume.
        out_type: fields over the same Volume. With a stride that differs between the axes the
            samples lie on a grid of another shape, ``in_type.space.coarsened(stride)``, over which
            the attribute ``out_type`` then is.
        kernel_size, stride, padding, dilation, padding_mode: as in ``torch.nn.Conv3d``.
        groups: parts of the channels that do not see each other; divides every multiplicity.
        bias: add a learned constant to the invariant channels of the output.
        functions: what the kernels are made of, from the group and the taps of the filter:
            ``harmonics.shell_harmonics``, ``harmonics.Orbits``, a ``functools.partial`` of one, or
            ``harmonics.Pixels``.
        generator: for the initial weights, normal with variance 1; kernels are scaled so that
            inputs of variance 1, without correlation between points, give outputs of variance 1.
            Kernels are smooth, so smooth inputs grow; a norm after the layer undoes that. (The
            functions of ``torch.nn.init`` take ``weight`` for a filter, which it is not: it has the
            coefficients of the kernels.)
        device, dtype: of the module, as in ``torch.nn``.
    Shape:
        ``in_type.shape(batch, *sizes)`` to ``out_type.shape(batch, *sizes)`` with the sizes of
        ``torch.nn.Conv3d``.
    Raises:
        ValueError: for types over another space, an argument out of range, and if there is no
            kernel but zero.
    Warns:
        UserWarning: if channels of a type have no kernel; at a call, if the stride breaks the
            symmetry of a grid of that size.
    """

    over, convolve, plain = Volume, staticmethod(F.conv3d), nn.Conv3d
