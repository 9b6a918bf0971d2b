r"""Steerable convolutions on the line, in the plane and in space.

The filter is a sum of equivariant kernels with learned weights; the rest is a convolution:

.. math:: [K \star f](x) = \sum_y K(y)\, f(x + y), \qquad
          K(h x) = \rho_{out}(h) K(x) \rho_{in}(h)^{-1} \quad (V1)
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equinet.field import FieldType, Line, Plane, Volume
from equinet.field.grid import Grid
from equinet.harmonics import FilterGrid, SteeredFunctions, filter_grid, shell_harmonics
from equinet.harmonics.filter_grids import check_samples
from equinet.nn.centred import Centred
from equinet.nn.layout import laid_out
from equinet.nn.plain import filled
from equinet.nn.requirements import check_alike
from equinet.nn.steerable import Steerable
from equinet.nn.type_checks import check_types
from equinet.numerics.arguments import Size, check_choice, check_integer, check_memory, each
from equinet.numerics.deprecation import warn_renamed
from equinet.ops import full_precision
from equinet.rep import Fibre, fibre
from equinet.rep.fibres import Block
from equinet.steerable import SampledKernels, TapKernels, kernel_basis

# Of the group of the layer, which may be one of a kind, as the finite ones for ``Pixels``.
Functions = Callable[[Any, FilterGrid], SteeredFunctions]

MODES = ("zeros", "reflect", "replicate", "circular")


class Convolution(Steerable):
    """What a convolution and its transpose share: a filter on a grid of taps.

    Attributes:
        kernel_size, stride, padding, dilation, groups: of the layer of ``torch.nn``, for each axis.
        taps: where those of the filter lie, on the finer of the two grids.
    """

    over: ClassVar[type]  # what kind of space
    lacking = "its functions do not span all kernels on the taps"
    calls_below = 5
    upward = False  # whether the output is on the finer grid

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        kernel_size: Size,
        stride: Size,
        dilation: Size,
        groups: int,
        bias: bool,
        functions: Functions,
        generator: torch.Generator | None,
        gain: Callable[[tuple[int, ...]], float],
    ) -> None:
        check_types(self.over, in_type, out_type)
        if not callable(functions):
            raise TypeError(
                "functions: expected a function of the group and the taps of the filter, such as "
                f"shell_harmonics, got {functions!r}"
            )
        space: Any = in_type.space
        self.stride = each(stride, space.n, "stride")
        self.dilation = each(dilation, space.n, "dilation")
        self.kernel_size = each(kernel_size, space.n, "kernel_size")
        samples = space.refined(self.stride) if self.upward else space.coarsened(self.stride)
        finer = samples if self.upward else space
        check_memory(math.prod(self.kernel_size), "kernel_size", f"{self.kernel_size} taps")
        alike = ("dilation", "kernel_size")  # the way up may lead back to any grid
        for name in alike if self.upward else ("stride", *alike):
            check_alike(finer, name, getattr(self, name))
        out_type = over_samples(out_type, space, samples)
        grid = filter_grid(self.kernel_size, dilation=self.dilation, spacing=finer.spacing)
        self.taps = grid
        blocks = part(in_type.blocks, groups, "in_type"), part(out_type.blocks, groups, "out_type")
        sample = functools.partial(sample_filter, *blocks, grid, functions)
        self.groups = groups
        super().__init__(in_type, out_type, sample, groups, bias, gain(self.stride), generator)

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        found = super().constants(dtype)
        into, out = (group_order(t, self.groups) for t in (self.in_type, self.out_type))
        if into is not None:
            found["channels_in"] = into
        if out is not None:
            found["channels_out"] = out.argsort()
            if "invariants" in found:
                found["invariants"] = found["invariants"][out]
        return found

    def enter(self, x: Tensor) -> Tensor:
        """The channels group by group."""
        order = self._buffers.get("channels_in")
        return x if order is None else x.index_select(1, order)

    def leave(self, y: Tensor) -> Tensor:
        """The channels block by block again."""
        order = self._buffers.get("channels_out")
        return y if order is None else y.index_select(1, order)

    def fibres(self) -> tuple[Fibre, Fibre]:
        """The fibres (in, out) that the filter of one group of channels is between."""
        into, out = self.in_type.blocks, self.out_type.blocks
        return fibre(part(into, self.groups, "in_type")), fibre(part(out, self.groups, "out_type"))

    def dense(self, weight: Tensor | None = None) -> Tensor:
        """The filter, ``(channels out, channels in / groups, *kernel_size)``.

        Args:
            weight: other weights than those of the layer, of the same shape.
        Returns:
            What a convolution of ``torch.nn`` has for its weight, with the channels group by group.
        """
        return super().dense(weight).unflatten(-1, self.kernel_size)

    def kernel_space(self) -> TapKernels:
        """All kernels at the taps, within the groups."""
        return TapKernels(*self.fibres(), self.taps, filters=self.groups)

    def filter(self) -> Tensor:
        """``dense``, by its old name."""
        warn_renamed("filter()", "dense()")
        return self.dense()

    def ungrouped(self) -> tuple[Tensor, Tensor | None, int]:
        """Filter, bias and groups for channels block by block, for a layer of ``torch.nn``.

        Inside, the channels of a group stand side by side, as ``torch.nn`` takes them; the channels
        of a type stand block by block, so that a group has some of every block. Where there are
        several blocks no number of groups fits that order, and the filter becomes one of a single
        group, with zeros between the parts that do not see each other.
        """
        weight, bias = self.dense(), self.shift()
        into, out = self._buffers.get("channels_in"), self._buffers.get("channels_out")
        if into is None and out is None:
            return weight, bias, self.groups
        whole = weight.new_zeros(len(weight), self.in_type.channels, *weight.shape[2:])
        rows, columns = len(weight) // self.groups, weight.shape[1]
        for i, filters in enumerate(weight.split(rows)):
            whole[i * rows : (i + 1) * rows, i * columns : (i + 1) * columns] = filters
        # channels_in says which channel of the type stands at each place of the groups, and
        # channels_out the reverse (see ``enter`` and ``leave``), so that only one is inverted.
        if into is not None:
            whole = whole[:, into.argsort()]
        if out is not None:
            whole, bias = whole[out], None if bias is None else bias[out]
        return whole, bias, 1

    def extra_repr(self) -> str:
        text = f"{super().extra_repr()}, kernel_size={self.kernel_size}"
        for name in ("stride", "padding", "dilation", "groups"):
            value = getattr(self, name)
            if value not in (1, 0, (1,) * len(self.kernel_size), (0,) * len(self.kernel_size)):
                text += f", {name}={value!r}"
        return text


def part(blocks: tuple[Block, ...], groups: int, argument: str) -> tuple[Block, ...]:
    """The blocks of one group of channels; ValueError if a multiplicity does not divide."""
    check_integer(groups, "groups")
    for mul, rho in blocks:
        if mul % groups:
            raise ValueError(
                f"groups: expected a divisor of every multiplicity of {argument}, got {groups} for "
                f"{mul}x {rho.name}"
            )
    return tuple((mul // groups, rho) for mul, rho in blocks)


def group_order(field_type: FieldType, groups: int) -> Tensor | None:
    """The channels group by group; None if they stand so already."""
    if groups == 1 or len(field_type.blocks) == 1:
        return None
    channels = torch.arange(field_type.channels)
    blocks = [channels[block].chunk(groups) for block in field_type.slices]
    return torch.cat([block[i] for i in range(groups) for block in blocks])


def sample_filter(
    blocks_in: tuple[Block, ...],
    blocks_out: tuple[Block, ...],
    grid: FilterGrid,
    functions: Functions,
) -> SampledKernels:
    """The kernels of a layer at the taps of its filter."""
    basis = kernel_basis(blocks_in, blocks_out, functions(blocks_in[0][1].group, grid))
    entries = [many * psi.dim * phi.dim for (psi, phi), many in basis.counts.items()]
    check_samples(grid, sum(entries), "kernels")
    return basis.on(grid)


def over_samples(out_type: FieldType, space: Grid, samples: Grid) -> FieldType:
    """The type over the grid of the samples; ValueError if it is over none of the two grids."""
    if out_type.space not in (space, samples):
        where = f"{space}" if space == samples else f"{samples}, where the samples lie, or {space}"
        raise ValueError(f"out_type: expected fields over {where}, got {out_type!r}")
    return FieldType(samples, out_type.blocks)


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
            ``harmonics.shell_harmonics``, a ``functools.partial`` of it, or ``harmonics.Pixels``.
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
            ``harmonics.shell_harmonics``, a ``functools.partial`` of it, or ``harmonics.Pixels``.
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
            ``harmonics.shell_harmonics``, a ``functools.partial`` of it, or ``harmonics.Pixels``.
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
