r"""Layers of escnn and e2cnn, with their weights, as layers of this library.

Features are what they were: ``from_escnn_type`` gives types whose representations have the same
matrices. Filters go over as they are too. Expanded, a filter of theirs is an equivariant kernel at
the taps, and so it is a sum of those of ``harmonics.Orbits``, which are all there are; it is
projected on these, and what is left must be rounding.

Neither library is imported: layers are told by their names, and asked for public attributes only.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from equinet.convert.escnn_types import TypeReader
from equinet.convert.projection import project_filter
from equinet.field import FieldType
from equinet.harmonics import Orbits
from equinet.nn import ELU, BatchNorm, Conv2d, Conv3d, GroupPool, Identity, Linear, ReLU, Sequential
from equinet.nn.steerable import Steerable
from equinet.numerics.cached import on_cpu

Theirs = Any  # a layer of escnn or e2cnn
Maker = Callable[[Theirs, TypeReader], nn.Module]

# Weights of float32, and bases that escnn samples in it, agree to this; a filter that is changed
# by hand, or read with another group, does not.
_ROUNDING = 1e-5
_NEAREST = {
    "R2ConvTransposed": "enn.ConvTranspose2d",
    "R3ConvTransposed": "enn.ConvTranspose3d",
    "R2PointConv": "enn.PointConv",
    "R3PointConv": "enn.PointConv",
    "IIDBatchNorm1d": "enn.BatchNorm",
    "IIDBatchNorm2d": "enn.BatchNorm",
    "IIDBatchNorm3d": "enn.BatchNorm",
    "NormBatchNorm": "enn.BatchNorm(centre=False)",
    "GNormBatchNorm": "enn.BatchNorm",
    "InducedNormBatchNorm": "enn.BatchNorm",
    "FieldNorm": "enn.RMSNorm",
    "NormNonLinearity": "enn.NormActivation",
    "InducedNormNonLinearity": "enn.InducedNormActivation",
    "GatedNonLinearity1": "enn.Gate",
    "GatedNonLinearity2": "enn.Gate",
    "FourierPointwise": "enn.FourierPointwise",
    "FourierELU": "enn.FourierPointwise",
    "QuotientFourierPointwise": "enn.FourierPointwise",
    "QuotientFourierELU": "enn.FourierPointwise",
    "VectorFieldNonLinearity": "enn.VectorFieldPool",
    "NormPool": "enn.NormPool",
    "PointwiseMaxPool": "enn.MaxPool",
    "PointwiseAvgPool": "enn.AvgPool",
    "PointwiseAvgPoolAntialiased": "enn.Downsample",
    "PointwiseMaxPoolAntialiased": "enn.MaxPool",
    "PointwiseAdaptiveAvgPool": "enn.AdaptiveAvgPool",
    "PointwiseDropout": "enn.Dropout",
    "FieldDropout": "enn.FieldDropout",
    "R2Upsampling": "enn.Upsample",
    "R3Upsampling": "enn.Upsample",
    "RestrictionModule": "enn.Restrict",
    "TensorProductModule": "enn.TensorProduct",
}


@on_cpu
def from_escnn(module: nn.Module) -> nn.Module:
    """The layer of this library that is equal to one of escnn or e2cnn, with its weights.

    The tensor of a ``GeometricTensor`` goes in, and its tensor comes out.

    ============================  ==================================================================
    escnn, e2cnn                  here
    ============================  ==================================================================
    ``R2Conv``, ``R3Conv``        ``enn.Conv2d``, ``enn.Conv3d`` with all filters on their taps
                                  (``harmonics.Orbits``): it can learn what theirs could, and more,
                                  for theirs has the frequencies of a few rings only
    ``Linear``                    ``enn.Linear``
    ``InnerBatchNorm``            ``enn.BatchNorm``
    ``ReLU``, ``ELU``             ``enn.ReLU``, ``enn.ELU``
    ``GroupPooling``              ``enn.GroupPool``
    ``IdentityModule``            ``enn.Identity``
    ``SequentialModule``          ``enn.Sequential`` of these
    ============================  ==================================================================

    Args:
        module: one of these, for any gspace: C_N, D_N, SO(2), O(2), SO(3), O(3), the octahedral and
            icosahedral groups with and without inversion, and the groups about an axis.
    Returns:
        The equal module, in the dtype and on the device of its weights, in training or evaluation
        mode as ``module`` is.
    Raises:
        TypeError: if it is none of these, with what is nearest here.
        ValueError: if no layer here is equal: groups of channels with several kinds of fields, a
            norm of fields that are not one orbit, or weights that are no equivariant filter of the
            types, of which the residual is said.
    """
    return _convert(module, TypeReader())


def _convert(module: nn.Module, reader: TypeReader) -> nn.Module:
    kinds = {k.__name__ for k in type(module).__mro__ if k.__module__.split(".")[0] in _PEERS}
    name = type(module).__name__
    kind = next((kind for kind in _MAKERS if kind in kinds), None)
    if kind is None:
        near = _NEAREST.get(name)
        hint = f"; the nearest is {near}, see from_escnn_type for its types" if near else ""
        raise TypeError(
            f"module: expected one of escnn's or e2cnn's {', '.join(_MAKERS)}, got {name}{hint}"
        )
    return _MAKERS[kind](module, reader).train(module.training)


_PEERS = ("escnn", "e2cnn")


def _project(layer: Steerable, theirs: Theirs, filter: Tensor, bias: Tensor | None) -> nn.Module:
    """The layer with their filter; ValueError if it cannot have it."""
    residual = project_filter(layer, filter, bias, argument="module")
    if not residual < _ROUNDING:
        raise ValueError(
            "module: expected weights whose expanded filter is equivariant, but the part "
            f"{residual:.2g} of its norm is no kernel between {layer.in_type!r} and "
            f"{layer.out_type!r}: they were changed after the expansion, or a representation of "
            "the types is not what it says; project_filter takes the nearest filter"
        )
    return layer.to(theirs.weights)


def _convolution(theirs: Theirs, reader: TypeReader) -> nn.Module:
    in_type, out_type = reader.fields(theirs.in_type), reader.fields(theirs.out_type)
    n = in_type.space.group.n
    kind = {2: Conv2d, 3: Conv3d}[n]
    filter, bias = theirs.expand_parameters()
    if filter.dim() - 2 != n or not in_type.axes:
        raise ValueError(
            f"module: expected a filter over the space of its gspace, got one with "
            f"{filter.dim() - 2} axes for {in_type.space}"
        )
    groups = theirs.groups
    if groups > 1 and max(len(in_type.blocks), len(out_type.blocks)) > 1:
        raise ValueError(
            f"module: expected groups=1, or fields of one kind on each side, got groups={groups} "
            f"from {in_type!r} to {out_type!r}; the nearest is {kind.__name__} with the fields of "
            "each kind in one block, whose channels are in another order"
        )
    group = in_type.space.fibre_group
    lmax = 0 if group.is_finite else _degree(in_type) + _degree(out_type)
    layer = kind(
        in_type,
        out_type,
        theirs.kernel_size,
        theirs.stride,
        theirs.padding,
        theirs.dilation,
        groups,
        theirs.bias is not None,
        theirs.padding_mode,
        functions=functools.partial(Orbits, lmax=lmax) if lmax else Orbits,
        dtype=torch.float64,
    )
    return _project(layer, theirs, filter, bias)


def _degree(fields: FieldType) -> int:
    return max(rho.degree for _, rho in fields.blocks)


def _linear(theirs: Theirs, reader: TypeReader) -> nn.Module:
    in_type, out_type = reader.fields(theirs.in_type), reader.fields(theirs.out_type)
    matrix, bias = theirs.expand_parameters()
    layer = Linear(in_type, out_type, theirs.bias is not None, dtype=torch.float64)
    return _project(layer, theirs, matrix, bias)


def _batch_norm(theirs: Theirs, reader: TypeReader) -> nn.Module:
    """Theirs has one batch norm for all fields of a size; ours the fields in their order."""
    fields = reader.fields(theirs.in_type)
    layer = BatchNorm(
        fields, theirs.eps, theirs.momentum, theirs.affine, theirs.track_running_stats
    )
    for rho, k in zip((rho for _, rho in fields.blocks), layer.means, strict=True):
        if k != 1 or not rho.is_permutation:
            raise ValueError(
                f"module: expected fields whose components are one orbit of the group, got {rho!r} "
                f"with {k} invariant vectors; give the orbits a field each"
            )
    norms = dict(theirs.named_children())
    seen: dict[int, int] = {}
    places = []  # for each field the norm of its size, and its number among them
    for rho in theirs.in_type.representations:
        place = seen[rho.size] = seen.get(rho.size, -1) + 1
        places.append((norms[f"batch_norm_[{rho.size}]"], place, rho.size))

    def of_fields(name: str) -> Tensor:
        return torch.stack([getattr(norm, name).detach()[i] for norm, i, _ in places])

    def of_vectors(name: str) -> Tensor:
        """Constants over the components, as coefficients of the invariant vectors."""
        sizes = torch.tensor([size for _, _, size in places])
        channels = of_fields(name).cpu().double().repeat_interleave(sizes)
        return fields.fibre.coefficients @ channels

    first = places[0][0]
    with torch.no_grad():
        if layer.weight is not None and layer.bias is not None:
            layer.to(first.weight)
            layer.weight.copy_(of_fields("weight"))
            layer.bias.copy_(of_vectors("bias"))
        if layer.running_mean is not None and layer.running_var is not None:
            layer.to(first.running_var)
            layer.running_mean.copy_(of_vectors("running_mean"))
            layer.running_var.copy_(of_fields("running_var"))
        if layer.num_batches_tracked is not None:
            layer.num_batches_tracked.copy_(first.num_batches_tracked)
    return layer


def _relu(theirs: Theirs, reader: TypeReader) -> nn.Module:
    return ReLU(reader.fields(theirs.in_type))


def _elu(theirs: Theirs, reader: TypeReader) -> nn.Module:
    return ELU(reader.fields(theirs.in_type), theirs.alpha)


def _group_pool(theirs: Theirs, reader: TypeReader) -> nn.Module:
    return GroupPool(reader.fields(theirs.in_type))


def _identity(theirs: Theirs, reader: TypeReader) -> nn.Module:
    return Identity(reader.fields(theirs.in_type))


def _sequential(theirs: Theirs, reader: TypeReader) -> nn.Module:
    return Sequential(*[_convert(part, reader) for part in theirs.children()])


_MAKERS: dict[str, Maker] = {
    "R2Conv": _convolution,
    "R3Conv": _convolution,
    "Linear": _linear,
    "InnerBatchNorm": _batch_norm,
    "ReLU": _relu,
    "ELU": _elu,
    "GroupPooling": _group_pool,
    "IdentityModule": _identity,
    "SequentialModule": _sequential,
}
