r"""Layers of escnn and e2cnn, with their weights, as layers of this library.

Features are what they were: ``from_escnn_type`` gives types whose representations have the same
matrices. Filters go over as they are too. Expanded, a filter of theirs is an equivariant kernel at
the taps, and so it is a sum of those of ``harmonics.Orbits``, which are all there are; it is
projected on these, and what is left must be rounding.

Neither library is imported: layers are told by their names, and asked for their attributes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from equinet.convert import escnn_filters, escnn_functions, escnn_grids, escnn_norms
from equinet.convert.escnn_filters import fixed_linear
from equinet.convert.escnn_types import Maker, PeerType, Theirs, TypeReader, tensors_of
from equinet.convert.refusals import ONE_BY_ONE, kind_of, refusal
from equinet.field import FieldType, Space
from equinet.nn import Concat, Identity, Restrict, Select, Sequential
from equinet.numerics.cached import on_cpu
from equinet.rep import Representation

_PEERS = ("escnn", "e2cnn")
# What is nearest to layers that have no equal, as the end of a sentence.
_NEAREST = {
    "R2PointConv": "the nearest is enn.PointConv, whose filters are of other radial functions",
    "R3PointConv": "the nearest is enn.PointConv, whose filters are of other radial functions",
    "TensorProductModule": "the nearest is enn.TensorProduct, which mixes the fields too",
    "HarmonicPolynomialR3": "numerics.solid_harmonics has the polynomials, in the order of m",
    "InducedNormPool": "the nearest is enn.NormPool, the norm of a whole field",
    "MaxPoolChannels": "the nearest is enn.GroupPool, which knows the fields",
    "BranchingModule": "enn.Select takes some of the fields; a whole MultipleModule is converted",
    "MergeModule": "enn.Concat puts outputs in a row; a whole MultipleModule is converted",
    "ModuleList": ONE_BY_ONE,
    "EquivariantModule": ONE_BY_ONE,
}


@on_cpu
def from_escnn(module: nn.Module) -> nn.Module:
    """The layer of this library that is equal to one of escnn or e2cnn, with its weights.

    The tensor of a ``GeometricTensor`` goes in, and its tensor comes out; of
    ``GatedNonLinearity2``, which takes two, the gates are the first channels of one.

    ======================================  ========================================================
    escnn, e2cnn                            here
    ======================================  ========================================================
    ``R2Conv``, ``R3Conv``                  ``enn.Conv2d``, ``enn.Conv3d`` with all filters on their
                                            taps (``harmonics.Orbits``): it can learn what theirs
                                            could, and more, for theirs has the frequencies of a few
                                            rings only
    ``R3IcoConv``, ``R2Diffop``             likewise
    ``R2ConvTransposed``                    ``enn.ConvTranspose2d``, likewise
    ``R3ConvTransposed``                    ``enn.ConvTranspose3d``; ``R3IcoConvTransposed`` too
    ``Linear``                              ``enn.Linear``
    ``InnerBatchNorm``                      ``enn.BatchNorm``
    ``IIDBatchNorm1d``, ``2d``, ``3d``      the same, equal in evaluation mode
    ``NormBatchNorm``, ``Induced``          the same, equal in evaluation mode
    ``GNormBatchNorm``                      that of the irreps, equal in evaluation mode, between
                                            two fixed ``enn.Linear`` if need be
    ``ReLU``, ``ELU``, ``LeakyReLU``        the layers of these names
    ``PointwiseNonLinearity``               ``enn.Pointwise``
    ``ConcatenatedNonLinearity``            a layer of its own, of each number and its negative
    ``NormNonLinearity``, ``Induced``       ``enn.NormActivation``, ``enn.InducedNormActivation``
    ``GatedNonLinearity1``, ``2``           a layer of its own, with gates anywhere and a bias for
                                            each; ``Uniform`` and ``Induced`` likewise
    ``FourierPointwise``, ``FourierELU``    a layer of its own, with their grid and its inverse;
                                            ``Quotient`` likewise
    ``VectorFieldNonLinearity``             ``enn.ReLU`` and ``enn.VectorFieldPool``
    ``PointwiseMaxPool``, ``AvgPool``       ``enn.MaxPool``, ``enn.AvgPool``; antialiased with
                                            ``enn.Downsample``
    ``PointwiseAdaptiveAvgPool``, ``Max``   ``enn.AdaptiveAvgPool``, ``enn.AdaptiveMaxPool``
    ``NormMaxPool``                         ``enn.NormMaxPool``
    ``GroupPooling``, ``NormPool``          ``enn.GroupPool``, ``enn.NormPool``
    ``R2Upsampling``, ``R3Upsampling``      ``enn.Upsample``
    ``FieldDropout``                        ``enn.FieldDropout``, equal in evaluation mode
    ``PointwiseDropout``                    likewise
    ``MaskModule``                          a layer of its own, with their mask
    ``IdentityModule``                      ``enn.Identity``
    ``RestrictionModule``                   ``enn.Restrict``
    ``ReshuffleModule``                     ``enn.Select``
    ``DisentangleModule``                   a fixed ``enn.Linear``
    ``SequentialModule``                    ``enn.Sequential`` of these
    ``MultipleModule``                      ``enn.Concat`` of these, each behind an ``enn.Select``
    ======================================  ========================================================

    Args:
        module: one of these, for any gspace: C_N, D_N, SO(2), O(2), SO(3), O(3), the octahedral and
            icosahedral groups with and without inversion, and the groups about an axis.
    Returns:
        The equal module, in the dtype and on the device of its weights, in training or evaluation
        mode as ``module`` is.
    Raises:
        TypeError: if it is none of these, with what is nearest here.
        ValueError: if no layer here is equal: in training mode, where theirs then does something
            else; groups of channels with several kinds of fields; a norm of fields that are not one
            orbit; or weights that are no equivariant filter of the types, of which the residual is
            said.
    """
    return _convert(module, TypeReader())


def _convert(module: nn.Module, reader: TypeReader) -> nn.Module:
    kind = kind_of(module, {*_MAKERS, *_NEAREST}, _PEERS)
    if kind not in _MAKERS:
        expected = "a layer of escnn or e2cnn that has an equal here"
        raise refusal(module, expected, _NEAREST, _MAKERS, _PEERS)
    found = _MAKERS[kind](module, reader)
    theirs: Theirs = module
    if hasattr(theirs, "out_type"):
        _name_output(found, reader.fields(theirs.out_type))
    tensors = [*module.parameters(), *module.buffers()]
    if tensors:
        device = tensors[0].device
        dtype = next((t.dtype for t in tensors if t.is_floating_point()), None)
        found.to(device=device, dtype=dtype)
    return found.train(module.training)


def _name_output(found: nn.Module, out_type: FieldType) -> None:
    """Let the output have their type, whose blocks may be divided otherwise."""
    row: list[Any] = [found]  # of what ends in the same output
    while isinstance(row[-1], Sequential):
        row.append(row[-1][-1])
    last = row[-1]
    if _each(last.out_type) != _each(out_type):
        raise ValueError(
            f"module: expected fields {last.out_type!r} to come out, as here, got {out_type!r}; a "
            "group over a point moves it in a way that is not that of a group above it"
        )
    for one in row:
        one.out_type = out_type


def _each(fields: FieldType) -> tuple[Space, list[Representation]]:
    """The space, and the representation of every field."""
    return fields.space, [rho for mul, rho in fields.blocks for _ in range(mul)]


def is_known(name: str) -> bool:
    """Whether a class of this name is converted; else it is refused, with what is nearest."""
    return name in _MAKERS


# --- what arranges others -------------------------------------------------------------------------


def _identity(theirs: Theirs, reader: TypeReader) -> nn.Module:
    return Identity(reader.fields(theirs.in_type))


def _sequential(theirs: Theirs, reader: TypeReader) -> nn.Module:
    return Sequential(*[_convert(part, reader) for part in theirs.children()])


def _restriction(theirs: Theirs, reader: TypeReader) -> nn.Module:
    return Restrict(reader.fields(theirs.in_type), reader.fields(theirs.out_type).space.group)


def _disentangled(theirs: Theirs, reader: TypeReader) -> nn.Module:
    own = tensors_of(theirs)
    names = [f"change_of_basis_{rho.name}" for rho in theirs.in_type.representations]
    matrices = [own[name] for name in names]
    return fixed_linear(reader, theirs.in_type, theirs.out_type, torch.block_diag(*matrices))


def _reshuffled(theirs: Theirs, reader: TypeReader) -> nn.Module:
    return _chosen(theirs.in_type, theirs.indices, reader)


def _chosen(in_type: PeerType, channels: Tensor, reader: TypeReader) -> Select:
    """The fields whose channels stand in a row."""
    sizes = torch.tensor([rho.size for rho in in_type.representations])
    field_of = torch.arange(len(sizes)).repeat_interleave(sizes)
    fields, rest = [], field_of[channels.cpu()].tolist()
    while rest:
        fields.append(rest[0])
        rest = rest[int(sizes[rest[0]]) :]
    return Select(reader.fields(in_type), fields)


def _multiple(theirs: Theirs, reader: TypeReader) -> nn.Module:
    branching, merging = theirs.branching, theirs.merging
    shuffle = branching.reshuffle_layer
    order = torch.arange(theirs.in_type.size) if shuffle is None else shuffle.indices.cpu()
    own, modules, branches = tensors_of(branching), dict(merging.named_children()), []
    for i, labels in enumerate(merging._labels):
        parts = []
        for label in labels:
            indices = own[f"indices_{label}"]
            is_range = branching._contiguous[label]
            parts.append(torch.arange(*indices.tolist()) if is_range else indices)
        part = _convert(modules[f"submodule_{i}"], reader)
        select = _chosen(theirs.in_type, order[torch.cat(parts)], reader)
        branches.append(Sequential(select, part))
    return Concat(*branches)


_MAKERS: dict[str, Maker] = {
    **escnn_filters.MAKERS,
    **escnn_norms.MAKERS,
    **escnn_functions.MAKERS,
    **escnn_grids.MAKERS,
    "IdentityModule": _identity,
    "RestrictionModule": _restriction,
    "DisentangleModule": _disentangled,
    "ReshuffleModule": _reshuffled,
    "SequentialModule": _sequential,
    "MultipleModule": _multiple,
}
