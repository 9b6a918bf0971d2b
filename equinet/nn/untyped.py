"""What the plain modules of torch do to typed fields.

A plain module knows nothing of a group. Some keep its symmetry all the same, on some types: what
acts on each value where H permutes the values, what mixes the channels of scalars, windows that
are alike along all axes. Others break it without a word.
"""

from __future__ import annotations

import copy

from torch import nn

from equinet.field import FieldType
from equinet.group import FiniteGroup
from equinet.nn.fibre_pool import plain_vectors
from equinet.nn.pointwise import Pointwise

POINTWISE = (
    nn.CELU, nn.ELU, nn.GELU, nn.Hardshrink, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh,
    nn.LeakyReLU, nn.LogSigmoid, nn.Mish, nn.PReLU, nn.ReLU, nn.ReLU6, nn.RReLU, nn.SELU, nn.SiLU,
    nn.Sigmoid, nn.Softplus, nn.Softshrink, nn.Softsign, nn.Tanh, nn.Tanhshrink, nn.Threshold,
)  # fmt: skip
_DROPOUTS = (
    nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout,
)  # fmt: skip
_NORMS = (
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.InstanceNorm1d,
    nn.InstanceNorm2d, nn.InstanceNorm3d, nn.GroupNorm,
)  # fmt: skip
_ROWS = (nn.Linear, nn.LayerNorm, nn.RMSNorm)  # act on the last axis
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_AVERAGES = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
_MAXIMA = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
_ADAPTIVE_AVERAGES = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
_ADAPTIVE_MAXIMA = (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)

# What serves instead, by the start of the name of a class.
_INSTEAD = {
    "ConvTranspose": "enn.{}", "Conv": "enn.{}", "Linear": "enn.Linear",
    "BatchNorm": "enn.BatchNorm", "SyncBatchNorm": "enn.BatchNorm",
    "InstanceNorm": "enn.InstanceNorm", "GroupNorm": "enn.GroupNorm", "LayerNorm": "enn.LayerNorm",
    "RMSNorm": "enn.RMSNorm", "Dropout": "enn.FieldDropout", "AlphaDropout": "enn.FieldDropout",
    "MaxPool": "enn.NormMaxPool or enn.MaxPool", "AvgPool": "enn.AvgPool",
    "AdaptiveAvgPool": "enn.GlobalAvgPool", "AdaptiveMaxPool": "enn.GlobalMaxPool",
    "Flatten": "enn.GlobalAvgPool or enn.Integrate, then enn.GroupPool or enn.NormPool",
    "Upsample": "enn.Upsample",
}  # fmt: skip


def after(module: nn.Module, fields: FieldType | None) -> FieldType | None:
    """The type of the fields behind a plain module, which is that before it but for a pool."""
    pools = (*_ADAPTIVE_AVERAGES, *_ADAPTIVE_MAXIMA)
    if fields is None or fields.space.grid is None or not isinstance(module, pools):
        return fields
    return plain_vectors(fields) if _is_each(1, module.output_size) else fields


def keeps(module: nn.Module, fields: FieldType | None) -> bool:
    """Whether a plain module is known to be equivariant on these fields; None is invariants."""
    if fields is None or isinstance(module, nn.Identity):
        return True
    space = fields.space
    group = space.fibre_group
    scalars = all(rho.is_trivial for _, rho in fields.blocks)
    if (isinstance(group, FiniteGroup) and group.order == 1) or (scalars and not fields.has_points):
        return True
    if isinstance(module, POINTWISE):
        return _is_pointwise(module, fields, scalars)
    if isinstance(module, _DROPOUTS):
        return _is_permuted(fields)
    if isinstance(module, _NORMS):
        return scalars and space.weights is None
    if isinstance(module, nn.Embedding):
        return scalars and not fields.axes
    if isinstance(module, (*_ROWS, nn.Flatten)):
        return (scalars or isinstance(module, nn.Flatten)) and not fields.axes
    return space.grid is not None and _keeps_grid(module, fields, scalars)


def _keeps_grid(module: nn.Module, fields: FieldType, scalars: bool) -> bool:
    """The same, of what looks at more than one point of a grid."""
    if isinstance(module, nn.Upsample):
        return all(_is_alike(by) for by in (module.size, module.scale_factor) if by is not None)
    if isinstance(module, _CONVOLUTIONS):
        sizes = _is_each(1, module.kernel_size) and _is_each(1, module.stride)
        return scalars and sizes and _is_each(0, module.padding)
    maximum = isinstance(module, (*_MAXIMA, *_ADAPTIVE_MAXIMA))
    if not maximum and not isinstance(module, (*_AVERAGES, *_ADAPTIVE_AVERAGES)):
        return False
    names = ("kernel_size", "stride", "padding", "dilation", "output_size")
    sizes = [getattr(module, name) for name in names if hasattr(module, name)]
    alike = all(map(_is_alike, sizes))
    return alike and (not maximum or _is_permuted(fields))


def _is_permuted(fields: FieldType) -> bool:
    return all(rho.is_sampled or rho.is_permutation for _, rho in fields.blocks)


def _is_pointwise(module: nn.Module, fields: FieldType, scalars: bool) -> bool:
    if isinstance(module, nn.PReLU) and module.num_parameters > 1:
        return scalars  # a function for each channel
    if getattr(module, "inplace", False):  # as good here, where nobody needs the input again
        module = copy.copy(module)
        vars(module).update(inplace=False)
    try:
        Pointwise(fields, module)
    except ValueError:  # which is its answer
        return False
    return True


def _is_alike(sizes: object) -> bool:
    """Whether this is one number, or the same along all axes."""
    return not isinstance(sizes, tuple | list) or len(set(sizes)) == 1


def _is_each(value: int, sizes: object) -> bool:
    """Whether this is the size along all axes."""
    return sizes == value or (isinstance(sizes, tuple | list) and set(sizes) == {value})


def instead(module: nn.Module) -> str:
    """What serves in place of a plain module, as the end of a sentence."""
    name = type(module).__name__
    vouch = "vouch for it with enn.Typed(module, in_type, out_type)"
    if isinstance(module, POINTWISE):
        return f"use enn.Gate or enn.NormActivation, or {vouch}"
    found = next((text for start, text in _INSTEAD.items() if name.startswith(start)), None)
    return vouch if found is None else f"use {found.format(name)}, or {vouch}"
