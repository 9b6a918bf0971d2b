"""Layers of escnn and e2cnn with filters: convolutions, transposed ones, matrices."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn

from equinet.convert.escnn_types import Maker, PeerType, Theirs, TypeReader
from equinet.convert.projection import project_filter
from equinet.field import FieldType
from equinet.harmonics import Orbits
from equinet.nn import Conv2d, Conv3d, ConvTranspose2d, ConvTranspose3d, Linear
from equinet.nn.steerable import Steerable
from equinet.numerics.pages import explained

# Weights of float32, and bases that escnn samples in it, agree to this; a filter that is changed
# by hand, or read with another group, does not.
_ROUNDING = 1e-5


def with_filter(layer: Steerable, filter: Tensor, bias: Tensor | None) -> Steerable:
    """The layer with a filter of theirs; ValueError if it cannot have it.

    Args:
        layer: ours.
        filter: as ``layer.dense()``.
        bias: of each channel, or None.
    """
    residual = project_filter(layer, filter, bias, argument="module")
    if not residual < _ROUNDING:
        text = (
            "module: expected weights whose expanded filter is equivariant, but the part "
            f"{residual:.2g} of its norm is no kernel between {layer.in_type!r} and "
            f"{layer.out_type!r}: they were changed after the expansion, or a representation of "
            "the types is not what it says; project_filter takes the nearest filter"
        )
        raise ValueError(explained(text, "guide/converters.md#a-filter-is-projected"))
    return layer


def fixed_linear(reader: TypeReader, before: PeerType, after: PeerType, matrix: Tensor) -> Linear:
    """An equivariant matrix that is not learned.

    Args:
        reader: of the types.
        before: of the input.
        after: of the output.
        matrix: ``(channels out, channels in)``.
    """
    types = reader.fields(before), reader.fields(after)
    layer = Linear(*types, bias=False, dtype=torch.float64)
    with_filter(layer, matrix, None)
    return layer.requires_grad_(False)


def _convolution(theirs: Theirs, reader: TypeReader) -> nn.Module:
    filter, bias = theirs.expand_parameters()
    in_type, out_type = _types(theirs, reader, filter)
    kind = Conv2d if in_type.space.group.n == 2 else Conv3d
    layer = kind(
        in_type,
        out_type,
        theirs.kernel_size,
        theirs.stride,
        theirs.padding,
        theirs.dilation,
        padding_mode=theirs.padding_mode,
        **_options(theirs, in_type, out_type),
    )
    return with_filter(layer, filter, bias)


def _transposed(theirs: Theirs, reader: TypeReader) -> nn.Module:
    filter, bias = theirs.expand_parameters()  # (in, out / groups, ...), group by group
    in_type, out_type = _types(theirs, reader, filter)
    kind = ConvTranspose2d if in_type.space.group.n == 2 else ConvTranspose3d
    layer = kind(
        in_type,
        out_type,
        theirs.kernel_size,
        theirs.stride,
        theirs.padding,
        theirs.output_padding,
        dilation=theirs.dilation,
        **_options(theirs, in_type, out_type),
    )
    filter = torch.cat([part.transpose(0, 1) for part in filter.chunk(theirs.groups)])
    return with_filter(layer, filter, bias)


def _types(theirs: Theirs, reader: TypeReader, filter: Tensor) -> tuple[FieldType, FieldType]:
    """The types, which must be over a grid of the dimension of the filter and fit its groups."""
    in_type, out_type = reader.fields(theirs.in_type), reader.fields(theirs.out_type)
    if filter.dim() - 2 != in_type.space.group.n or not in_type.axes:
        raise ValueError(
            f"module: expected a filter over the space of its gspace, got one with "
            f"{filter.dim() - 2} axes for {in_type.space}"
        )
    if theirs.groups > 1 and max(len(in_type.blocks), len(out_type.blocks)) > 1:
        raise ValueError(
            "module: expected groups=1, or fields of one kind on each side, got "
            f"groups={theirs.groups} from {in_type!r} to {out_type!r}; the nearest is a layer with "
            "the fields of each kind in one block, whose channels are in another order"
        )
    return in_type, out_type


def _options(theirs: Theirs, in_type: FieldType, out_type: FieldType) -> dict[str, Any]:
    """What all convolutions have, with all filters on the taps."""
    is_finite = in_type.space.fibre_group.is_finite
    lmax = 0 if is_finite else _degree(in_type) + _degree(out_type)
    return {
        "groups": theirs.groups,
        "bias": theirs.bias is not None,
        "functions": functools.partial(Orbits, lmax=lmax) if lmax else Orbits,
        "dtype": torch.float64,
    }


def _degree(fields: FieldType) -> int:
    return max(rho.degree for _, rho in fields.blocks)


def _linear(theirs: Theirs, reader: TypeReader) -> nn.Module:
    in_type, out_type = reader.fields(theirs.in_type), reader.fields(theirs.out_type)
    matrix, bias = theirs.expand_parameters()
    layer = Linear(in_type, out_type, theirs.bias is not None, dtype=torch.float64)
    return with_filter(layer, matrix, bias)


MAKERS: dict[str, Maker] = {
    "R2Conv": _convolution,
    "R3Conv": _convolution,
    "R3IcoConv": _convolution,
    "R2Diffop": _convolution,
    "R2ConvTransposed": _transposed,
    "R3ConvTransposed": _transposed,
    "R3IcoConvTransposed": _transposed,
    "Linear": _linear,
}
