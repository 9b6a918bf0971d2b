"""Layers of escnn and e2cnn that lead to other points, drop some, or pool over the fibre."""

from __future__ import annotations

import math

from torch import nn

from equinet.convert.escnn_norms import check_evaluation
from equinet.convert.escnn_types import Maker, Theirs, TypeReader, tensors_of
from equinet.convert.masked import Masked
from equinet.nn import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    Downsample,
    FieldDropout,
    GroupPool,
    MaxPool,
    NormMaxPool,
    NormPool,
    Sequential,
    Upsample,
)
from equinet.numerics.arguments import is_integer


def _max_pool(theirs: Theirs, reader: TypeReader) -> nn.Module:
    return MaxPool(
        reader.fields(theirs.in_type),
        theirs.kernel_size,
        theirs.stride,
        theirs.padding,
        theirs.dilation,
        ceil_mode=theirs.ceil_mode,
    )


def _norm_max_pool(theirs: Theirs, reader: TypeReader) -> nn.Module:
    if set(theirs.dilation) != {1}:
        raise ValueError(
            f"module: expected dilation 1, got {theirs.dilation}; enn.NormMaxPool has no other"
        )
    return NormMaxPool(
        reader.fields(theirs.in_type), theirs.kernel_size, theirs.stride, theirs.padding,
        ceil_mode=theirs.ceil_mode,
    )  # fmt: skip


def _avg_pool(theirs: Theirs, reader: TypeReader) -> nn.Module:
    return AvgPool(
        reader.fields(theirs.in_type), theirs.kernel_size, theirs.stride, theirs.padding,
        ceil_mode=theirs.ceil_mode,
    )  # fmt: skip


def _smooth_avg_pool(theirs: Theirs, reader: TypeReader) -> nn.Module:
    return _gaussian(theirs, reader, theirs.padding)


def _smooth_max_pool(theirs: Theirs, reader: TypeReader) -> nn.Module:
    """Theirs is the maximum at every point, and then smooths."""
    largest = MaxPool(reader.fields(theirs.in_type), theirs.kernel_size, 1, theirs.padding)
    return Sequential(largest, _gaussian(theirs, reader, theirs._pad))


def _gaussian(theirs: Theirs, reader: TypeReader, padding: tuple[int, ...]) -> nn.Module:
    """Their filter is exp(-r^2 / 2 sigma^2), and the same for all channels."""
    taps = tensors_of(theirs)["filter"][0, 0]
    centre = (len(taps) // 2,) * (taps.dim() - 1)
    row = taps[centre]
    sigma = (
        0.0
        if len(row) == 1
        else (2 * math.log(row[len(row) // 2] / row[len(row) // 2 - 1])) ** -0.5
    )
    return Downsample(
        reader.fields(theirs.in_type), theirs.stride, sigma, kernel_size=len(row), padding=padding
    )


def _adaptive_avg_pool(theirs: Theirs, reader: TypeReader) -> nn.Module:
    return AdaptiveAvgPool(reader.fields(theirs.in_type), theirs.output_size)


def _adaptive_max_pool(theirs: Theirs, reader: TypeReader) -> nn.Module:
    return AdaptiveMaxPool(reader.fields(theirs.in_type), theirs.output_size)


def _upsampling(theirs: Theirs, reader: TypeReader) -> nn.Module:
    factor, size, align = theirs._scale_factor, theirs._size, bool(theirs._align_corners)
    if size is None and (align or not is_integer(factor)):
        raise ValueError(
            "module: expected a scale_factor that is an integer, without align_corners, or size=, "
            f"got scale_factor={factor!r}, align_corners={align}; enn.Upsample(size=) leads to "
            "the sizes that they lead to"
        )
    mode = "nearest" if theirs._mode == "nearest" else "linear"
    return Upsample(reader.fields(theirs.in_type), factor, size, mode, align)


def _dropout(theirs: Theirs, reader: TypeReader) -> nn.Module:
    what = "value" if type(theirs).__name__.startswith("Pointwise") else "point of a field"
    check_evaluation(theirs, f"each {what} is drawn for itself, here a field in all of space")
    return FieldDropout(reader.fields(theirs.in_type), theirs.p, theirs.inplace)


def _mask(theirs: Theirs, reader: TypeReader) -> nn.Module:
    mask = tensors_of(theirs)["mask"][0, 0]
    return Masked(reader.fields(theirs.in_type), mask)


def _group_pool(theirs: Theirs, reader: TypeReader) -> nn.Module:
    return GroupPool(reader.fields(theirs.in_type))


def _norm_pool(theirs: Theirs, reader: TypeReader) -> nn.Module:
    return NormPool(reader.fields(theirs.in_type))


_BY_GRID: dict[str, Maker] = {
    "PointwiseMaxPool": _max_pool,
    "PointwiseMaxPoolAntialiased": _smooth_max_pool,
    "PointwiseAvgPool": _avg_pool,
    "PointwiseAvgPoolAntialiased": _smooth_avg_pool,
    "PointwiseAdaptiveAvgPool": _adaptive_avg_pool,
    "PointwiseAdaptiveMaxPool": _adaptive_max_pool,
}
MAKERS: dict[str, Maker] = {
    **{f"{name}{grid}": make for name, make in _BY_GRID.items() for grid in ("", "2D", "3D")},
    "NormMaxPool": _norm_max_pool,
    "R2Upsampling": _upsampling,
    "R3Upsampling": _upsampling,
    "PointwiseDropout": _dropout,
    "FieldDropout": _dropout,
    "MaskModule": _mask,
    "GroupPooling": _group_pool,
    "NormPool": _norm_pool,
}
