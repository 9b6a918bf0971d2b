r"""What convolutions on grids and their transposes share: a filter on a grid of taps.

.. math:: K(h x) = \rho_{out}(h) K(x) \rho_{in}(h)^{-1} \quad (K4)

The filter is a sum of such kernels with learned weights, between the fibres of one group of
channels.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from equinet.field import FieldType
from equinet.field.grid import Grid
from equinet.harmonics import FilterGrid, SteeredFunctions, filter_grid
from equinet.harmonics.filter_grids import check_samples
from equinet.nn.requirements import check_alike
from equinet.nn.steerable import Steerable
from equinet.nn.type_checks import check_types
from equinet.numerics.arguments import Size, check_integer, check_memory, each
from equinet.numerics.deprecation import warn_renamed
from equinet.rep import Block, Fibre, fibre
from equinet.steerable import SampledKernels, TapKernels, kernel_basis

# Of the group of the layer, which may be one of a kind, as the finite ones for ``Pixels``.
Functions = Callable[[Any, FilterGrid], SteeredFunctions]


class Convolution(Steerable):
    """What a convolution and its transpose share: a filter on a grid of taps.

    Args:
        in_type: type of the input.
        out_type: type of the output, over the grid of the input or of the samples.
        kernel_size: as in ``torch.nn``, and so ``stride``, ``dilation`` and ``groups``.
        stride: see there.
        dilation: see there.
        groups: see there.
        bias: add a learned constant to the invariant channels of the output.
        functions: what the kernels are made of, from the group and the taps of the filter.
        generator: for the initial weights.
        gain: the deviation of the initial weights, from the stride.
    Raises:
        TypeError: if an argument is of another kind.
        ValueError: for types over another space, or an argument out of range.

    Attributes:
        kernel_size, stride, padding, dilation, groups: of the layer of ``torch.nn``, for each axis.
        taps: where those of the filter lie, on the finer of the two grids.
        functions: what the kernels are made of.
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
        out_type = _over_samples(out_type, space, samples)
        grid = filter_grid(self.kernel_size, dilation=self.dilation, spacing=finer.spacing)
        self.taps = grid
        blocks = (
            grouped(in_type.blocks, groups, "in_type"),
            grouped(out_type.blocks, groups, "out_type"),
        )
        sample = functools.partial(_sample_filter, *blocks, grid, functions)
        self.groups, self.functions = groups, functions
        super().__init__(in_type, out_type, sample, groups, bias, gain(self.stride), generator)

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        found = super().constants(dtype)
        into, out = (_group_order(t, self.groups) for t in (self.in_type, self.out_type))
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
        return fibre(grouped(into, self.groups, "in_type")), fibre(
            grouped(out, self.groups, "out_type")
        )

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


def grouped(blocks: tuple[Block, ...], groups: int, argument: str) -> tuple[Block, ...]:
    """The blocks of one group of channels; ValueError if a multiplicity does not divide."""
    check_integer(groups, "groups")
    for mul, rho in blocks:
        if mul % groups:
            raise ValueError(
                f"groups: expected a divisor of every multiplicity of {argument}, got {groups} for "
                f"{mul}x {rho.name}"
            )
    return tuple((mul // groups, rho) for mul, rho in blocks)


def _group_order(field_type: FieldType, groups: int) -> Tensor | None:
    """The channels group by group; None if they stand so already."""
    if groups == 1 or len(field_type.blocks) == 1:
        return None
    channels = torch.arange(field_type.channels)
    blocks = [channels[block].chunk(groups) for block in field_type.slices]
    return torch.cat([block[i] for i in range(groups) for block in blocks])


def _sample_filter(
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


def _over_samples(out_type: FieldType, space: Grid, samples: Grid) -> FieldType:
    """The type over the grid of the samples; ValueError if it is over none of the two grids."""
    if out_type.space not in (space, samples):
        where = f"{space}" if space == samples else f"{samples}, where the samples lie, or {space}"
        raise ValueError(f"out_type: expected fields over {where}, got {out_type!r}")
    return FieldType(samples, out_type.blocks)
