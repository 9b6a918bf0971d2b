"""Nonlinearities of escnn and e2cnn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from equinet.convert.channel_gates import ChannelGates
from equinet.convert.elementwise import plain
from equinet.convert.escnn_norms import part_size
from equinet.convert.escnn_types import Maker, PeerType, Theirs, TypeReader, beside, tensors_of
from equinet.convert.sampled_pointwise import SampledPointwise
from equinet.convert.signed_pairs import SignedPairs
from equinet.nn import (
    ELU,
    InducedNormActivation,
    LeakyReLU,
    NormActivation,
    Pointwise,
    ReLU,
    Sequential,
    VectorFieldPool,
)

Function = Callable[[Tensor], Tensor]

# They keep a function without its name, some of them written in place, so it is told by its values.
_POINTWISE = (torch.relu, F.elu, torch.sigmoid, torch.tanh)
_OF_NORMS = (torch.relu, torch.sigmoid, F.softplus, F.softsign)  # theirs is t / (1 + t) of t >= 0

# Of norms: theirs is 0 below 1e-10, where a function that is not 0 at 0 has no derivative.
_SHORT = 1e-6


def _named(theirs: Theirs, candidates: Sequence[Function], start: float) -> Function:
    """Which of these their function is."""
    t = torch.linspace(start, 3, 7)
    values = theirs._function(t.clone())
    for function in candidates:
        if torch.allclose(function(t), values):
            return function
    names = ", ".join(function.__name__ for function in candidates)
    raise ValueError(
        f"module: expected {type(theirs).__name__} of {names}, got another function; make "
        "enn.Pointwise or enn.NormActivation with it"
    )


def _pointwise(theirs: Theirs, reader: TypeReader) -> nn.Module:
    function = _named(theirs, _POINTWISE, -3)
    return Pointwise(reader.fields(theirs.in_type), function)


def _concatenated(theirs: Theirs, reader: TypeReader) -> nn.Module:
    types = reader.fields(theirs.in_type), reader.fields(theirs.out_type)
    return SignedPairs(*types, plain(_named(theirs, _POINTWISE, -3)))


def _relu(theirs: Theirs, reader: TypeReader) -> nn.Module:
    return ReLU(reader.fields(theirs.in_type))


def _elu(theirs: Theirs, reader: TypeReader) -> nn.Module:
    return ELU(reader.fields(theirs.in_type), theirs.alpha)


def _leaky_relu(theirs: Theirs, reader: TypeReader) -> nn.Module:
    return LeakyReLU(reader.fields(theirs.in_type), theirs._negative_slope)


# --- functions of norms ---------------------------------------------------------------------------


def _norm(theirs: Theirs, reader: TypeReader) -> nn.Module:
    """Theirs subtracts exp(log_bias), one for each field, those of a size after each other."""
    reps = theirs.in_type.representations
    is_induced = type(theirs).__name__.startswith("Induced")
    keys = [(rho.size, part_size(rho)) if is_induced else (rho.size,) for rho in reps]
    function = _named(theirs, _OF_NORMS, 0.5)
    has_bias = theirs.log_bias is not None
    if has_bias and function is F.softsign:  # t / (1 + t) is something else for t < 0
        raise ValueError("module: expected bias=False with the function 'squash', got True")
    fields = reader.fields(theirs.in_type)
    given: dict[str, Any] = {"function": function, "bias": has_bias, "eps": _SHORT}
    if is_induced:
        starts = [0]  # of the blocks, among the fields
        for mul, _ in fields.blocks[:-1]:
            starts.append(starts[-1] + mul)
        layer = InducedNormActivation(fields, [part_size(reps[i]) for i in starts], **given)
    else:
        layer = NormActivation(fields, **given)
    if layer.bias is not None:
        layer.double()
        with torch.no_grad():
            layer.bias[_sorted(keys)] = -tensors_of(theirs)["log_bias"].exp().flatten()
    return layer


def _sorted(keys: Sequence[tuple[int, ...]]) -> list[int]:
    """The numbers of fields in the order of their keys."""
    return sorted(range(len(keys)), key=keys.__getitem__)


# --- gates ----------------------------------------------------------------------------------------


def _channels(fields: PeerType) -> list[list[int]]:
    """The channels of each field."""
    found, start = [], 0
    for rho in fields.representations:
        found.append(list(range(start, start + rho.size)))
        start += rho.size
    return found


def _gates_of_one(theirs: Theirs, reader: TypeReader) -> nn.Module:
    """Gates and fields are of one type; gate j is of field j of those that are sorted by size."""
    reps, places = theirs.in_type.representations, _channels(theirs.in_type)
    gates = theirs.gates_indices.tolist()
    gates = set(range(*gates) if theirs._contiguous["gate"] else gates)
    openers = [own for own in places if own[0] in gates]
    gated = [i for i, own in enumerate(places) if own[0] not in gates]
    is_induced = type(theirs).__name__.startswith("Induced")
    keys = [(reps[i].size, part_size(reps[i])) if is_induced else (reps[i].size,) for i in gated]
    order = [gated[k] for k in _sorted(keys)]
    kept = None if theirs.drop_gates else theirs.in_type
    return _gates(theirs, reader, theirs.in_type, openers, [places[i] for i in order], kept)


def _gates_beside(theirs: Theirs, reader: TypeReader) -> nn.Module:
    """Gates and fields are of two types; here the gates are the first channels of one."""
    both = beside(*theirs.in_type)
    places = _channels(both)
    count = len(theirs.in_type[0].representations)
    sizes = [(rho.size,) for rho in theirs.in_type[1].representations]
    gated = [places[count + i] for i in _sorted(sizes)]
    return _gates(theirs, reader, both, places[:count], gated)


def _gates(
    theirs: Theirs,
    reader: TypeReader,
    in_type: PeerType,
    gates: list[list[int]],
    fields: list[list[int]],
    kept: PeerType | None = None,
    function: nn.Module | None = None,
) -> nn.Module:
    """The module for gates and fields with these channels; gate j is of field j.

    A gate of several channels has one for each part of its field.
    """
    numbers, start = {}, 0  # of the gate, by the channel that it multiplies
    for gate, own in zip(gates, fields, strict=True):
        share = len(own) // len(gate)
        numbers |= {c: start + k // share for k, c in enumerate(own)}
        start += len(gate)
    order = None
    if kept is not None:
        come = [*_flat(gates), *sorted(numbers)]
        order = sorted(range(len(come)), key=come.__getitem__)
    layer = ChannelGates(
        reader.fields(in_type),
        reader.fields(theirs.out_type if kept is None else kept),
        nn.Sigmoid() if function is None else function,
        gates=_flat(gates),
        biases=[k for k, gate in enumerate(gates) for _ in gate],
        fields=sorted(numbers),
        numbers=[numbers[c] for c in sorted(numbers)],
        order=order,
    )
    with torch.no_grad():
        layer.double().bias.copy_(tensors_of(theirs)["bias"].flatten())
    return layer


def _flat(rows: Iterable[Iterable[int]]) -> list[int]:
    return [c for row in rows for c in row]


def _gates_inside(theirs: Theirs, reader: TypeReader) -> nn.Module:
    """Each field begins with a gate for each of the irreps that are the rest of it."""
    sizes = [psi.size for psi in _parts(theirs.rho_in)][theirs.n_gates :]
    gates, fields = [], []
    for own in _channels(theirs.in_type):
        gates += [[c] for c in own[: theirs.n_gates]]
        rest = iter(own[theirs.n_gates :])
        fields += [[next(rest) for _ in range(size)] for size in sizes]
    return _gates(
        theirs, reader, theirs.in_type, gates, fields, function=plain(theirs.gate_function)
    )


def _parts(rho: Any) -> list[Any]:  # noqa: ANN401 - representations of theirs
    return [rho.group.irrep(*key) for key in rho.irreps]


# --- functions on the group -----------------------------------------------------------------------


def _fourier(theirs: Theirs, reader: TypeReader) -> nn.Module:
    own = tensors_of(theirs)
    return SampledPointwise(
        reader.fields(theirs.in_type),
        reader.fields(theirs.out_type),
        plain(_named(theirs, _POINTWISE, -3)),
        own["A"],
        own["Ainv"],
    )


def _vector_field(theirs: Theirs, reader: TypeReader) -> nn.Module:
    """Theirs takes negative values for 0."""
    fields = reader.fields(theirs.in_type)
    return Sequential(ReLU(fields), VectorFieldPool(fields))


MAKERS: dict[str, Maker] = {
    "PointwiseNonLinearity": _pointwise,
    "ConcatenatedNonLinearity": _concatenated,
    "ReLU": _relu,
    "ELU": _elu,
    "LeakyReLU": _leaky_relu,
    "NormNonLinearity": _norm,
    "InducedNormNonLinearity": _norm,
    "GatedNonLinearity1": _gates_of_one,
    "InducedGatedNonLinearity1": _gates_of_one,
    "GatedNonLinearity2": _gates_beside,
    "GatedNonLinearityUniform": _gates_inside,
    "FourierPointwise": _fourier,
    "FourierELU": _fourier,
    "QuotientFourierPointwise": _fourier,
    "QuotientFourierELU": _fourier,
    "VectorFieldNonLinearity": _vector_field,
}
