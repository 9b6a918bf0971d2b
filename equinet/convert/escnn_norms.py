"""Batch norms of escnn and e2cnn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from equinet.convert.escnn_filters import fixed_linear
from equinet.convert.escnn_types import Maker, Theirs, TypeReader, irreps_of, tensors_of
from equinet.nn import BatchNorm, Sequential

Places = list[tuple[Hashable, int]]  # of each field the key of its numbers, and where it is there


def check_evaluation(theirs: Theirs, why: str) -> None:
    """Raise ValueError in training mode, in which no layer here is equal to theirs.

    Args:
        theirs: equal to a layer here in evaluation mode.
        why: what they do differently, after "in training".
    """
    if theirs.training:
        raise ValueError(
            f"module: expected {type(theirs).__name__} in evaluation mode, got one in training "
            f"mode, in which {why}; call eval() first, and train() of what comes out to go on"
        )


def part_size(rho: Any) -> int:  # noqa: ANN401 - a representation of theirs
    """How many components the parts of an induced field have, as its nonlinearities say."""
    known = ("induced_norm_", "induced_gated_")
    named = [name for name in rho.supported_nonlinearities if name.startswith(known)]
    return int(named[0].rpartition("_")[2])


def _places(keys: Sequence[Hashable]) -> Places:
    """Among fields with equal keys each has the next number."""
    seen: Counter[Hashable] = Counter()
    found = []
    for key in keys:
        found.append((key, seen[key]))
        seen[key] += 1
    return found


def _rows(theirs: Theirs, places: Places, name: str) -> list[Tensor]:
    """For each field its numbers, of what is called ``KEY_name``, float64."""
    counts, own = Counter(key for key, _ in places), tensors_of(theirs)
    rows = {key: own[f"{key}_{name}"].reshape(count, -1) for key, count in counts.items()}
    return [rows[key][i] for key, i in places]


def _filled(
    layer: BatchNorm,
    variance: Tensor,
    weight: Tensor | None = None,
    mean: Tensor | None = None,
    bias: Tensor | None = None,
    count: Tensor | None = None,
) -> BatchNorm:
    """A batch norm with these numbers, float64.

    Args:
        layer: on the CPU.
        variance: of each field.
        weight: of each field; None if none are learned.
        mean: of each channel; None for 0.
        bias: likewise.
        count: of the batches so far.
    """
    coefficients = layer.in_type.fibre.coefficients
    layer.double()
    with torch.no_grad():
        if layer.weight is not None and weight is not None:
            layer.weight.copy_(weight)
        if layer.bias is not None and bias is not None:
            layer.bias.copy_(coefficients @ bias)
        if layer.running_mean is not None and layer.running_var is not None:
            layer.running_var.copy_(variance)
            if mean is not None:
                layer.running_mean.copy_(coefficients @ mean)
        if layer.num_batches_tracked is not None and count is not None:
            layer.num_batches_tracked.copy_(count)
    return layer


def _inner(theirs: Theirs, reader: TypeReader) -> nn.Module:
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
    places = _places([rho.size for rho in theirs.in_type.representations])
    sizes = torch.tensor([size for size, _ in places])
    own = [(tensors_of(norms[f"batch_norm_[{size}]"]), i) for size, i in places]

    def each(name: str) -> Tensor:
        return torch.stack([norm[name][i] for norm, i in own])

    given: dict[str, Any] = {"variance": torch.ones(fields.copies)}
    if layer.weight is not None:
        given |= {"weight": each("weight"), "bias": each("bias").repeat_interleave(sizes)}
    if layer.running_var is not None:
        mean = each("running_mean").repeat_interleave(sizes)
        given |= {"variance": each("running_var"), "mean": mean}
    return _filled(layer, count=own[0][0].get("num_batches_tracked"), **given)


def _iid(theirs: Theirs, reader: TypeReader) -> nn.Module:
    """A variance for each field, and means of its invariants."""
    check_evaluation(theirs, "fields are divided by an unbiased deviation about all their means")
    if not theirs.track_running_stats:
        raise ValueError(
            "module: expected track_running_stats=True, got False, with which fields are divided "
            "by an unbiased deviation about all their means; the nearest is enn.BatchNorm"
        )
    reps = theirs.in_type.representations
    layer = BatchNorm(reader.fields(theirs.in_type), theirs.eps, theirs.momentum, theirs.affine)
    # Dots in a name are written as carets; a kind of field without invariants has no means.
    places = _places([rho.name.replace(".", "^") for rho in reps])
    tensors = tensors_of(theirs)
    centred = [f"{key}_running_mean" in tensors for key, _ in places]
    own = [place for place, has in zip(places, centred, strict=True) if has]
    means, biases = iter(_rows(theirs, own, "running_mean")), iter(())
    if theirs.affine:
        biases = iter(_rows(theirs, own, "bias"))
    mean, bias = [], []
    for rho, (key, _), has in zip(reps, places, centred, strict=True):
        zero = torch.zeros(rho.size, dtype=torch.float64)
        mean.append(next(means) if has else zero)
        if has and theirs.affine:
            bias.append(tensors[f"{key}_change_of_basis"] @ next(biases))
        else:
            bias.append(zero)
    weight = torch.cat(_rows(theirs, places, "weight")) if theirs.affine else None
    variance = torch.cat(_rows(theirs, places, "running_var"))
    return _filled(
        layer, variance, weight, torch.cat(mean), torch.cat(bias), theirs.num_batches_tracked
    )


def _norm(theirs: Theirs, reader: TypeReader) -> nn.Module:
    """A mean square for each field, or for all parts of an induced one."""
    check_evaluation(theirs, "the running variance is used, after it has moved")
    reps = theirs.in_type.representations
    is_induced = type(theirs).__name__.startswith("Induced")
    places = _places([(rho.size, part_size(rho)) if is_induced else rho.size for rho in reps])
    layer = BatchNorm(reader.fields(theirs.in_type), theirs.eps, theirs.momentum, theirs.affine)
    weight = torch.cat(_rows(theirs, places, "weight")) if theirs.affine else None
    variance = torch.cat(_rows(theirs, places, "running_var"))
    return _filled(layer, variance, weight, count=theirs.num_batches_tracked)


def _by_irreps(theirs: Theirs, reader: TypeReader) -> nn.Module:
    """A variance for each irrep of each field: the batch norm of the irreps as fields."""
    check_evaluation(theirs, "each irrep is divided by the unbiased deviation of the batch")
    parts, Q = irreps_of(theirs.in_type)
    places = _places([rho.name.replace(".", "^") for rho in theirs.in_type.representations])
    if f"{places[0][0]}_running_var" not in tensors_of(theirs):  # e2cnn keeps the dots
        places = _places([rho.name for rho in theirs.in_type.representations])
    layer = BatchNorm(reader.fields(parts), theirs.eps, theirs.momentum, theirs.affine)
    scalars = torch.tensor(
        [psi.is_trivial() for psi in parts.representations for _ in range(psi.size)]
    )
    given = {}
    for name, ours in (("running_mean", "mean"), ("bias", "bias")):
        if ours == "mean" or theirs.affine:
            given[ours] = torch.zeros(len(scalars), dtype=torch.float64)
            given[ours][scalars] = torch.cat(_rows(theirs, places, name))
    if theirs.affine:
        given["weight"] = torch.cat(_rows(theirs, places, "weight"))
    variance = torch.cat(_rows(theirs, places, "running_var"))
    _filled(layer, variance, count=theirs.num_batches_tracked, **given)
    if Q.equal(torch.eye(len(Q), dtype=Q.dtype)) and layer.in_type == reader.fields(theirs.in_type):
        return layer
    there = fixed_linear(reader, theirs.in_type, parts, torch.linalg.inv(Q))
    return Sequential(there, layer, fixed_linear(reader, parts, theirs.in_type, Q))


MAKERS: dict[str, Maker] = {
    "InnerBatchNorm": _inner,
    "IIDBatchNorm1d": _iid,
    "IIDBatchNorm2d": _iid,
    "IIDBatchNorm3d": _iid,
    "NormBatchNorm": _norm,
    "InducedNormBatchNorm": _norm,
    "GNormBatchNorm": _by_irreps,
}
