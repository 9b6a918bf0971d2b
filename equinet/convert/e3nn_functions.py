"""Functions of scalars, of norms and of signals of e3nn, and what chooses fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from equinet.convert.block_gates import BlockGates, Scalars
from equinet.convert.e3nn_types import (
    ActivationLayer,
    Normalized,
    Signal,
    fields_of,
    numbers_of,
    refused,
)
from equinet.convert.elementwise import Elementwise, plain
from equinet.convert.sampled_pointwise import SampledPointwise
from equinet.field import FieldType, Space
from equinet.nn import FieldDropout, Identity, NormActivation, NormPool, Select
from equinet.rep import irrep

Layer = Any  # of e3nn


def normalized(act: Normalized) -> Elementwise:
    """An activation times the constant of e3nn, which drops one that is nearly 1."""
    return Elementwise(plain(act.f), 1.0 if abs(act.cst - 1) < 1e-4 else act.cst)


def with_functions(theirs: ActivationLayer, channels: list[int]) -> list[Scalars]:
    """The first channel, the number of channels and the function of each block.

    Args:
        theirs: the functions.
        channels: where the channels of its input are.
    Returns:
        One for each block that there is.
    """
    found = []
    blocks = zip(theirs.irreps_in, theirs.irreps_in.slices(), theirs.acts, strict=True)
    for (mul, psi), own, act in blocks:
        if mul:
            function = nn.Identity() if act is None else normalized(act)
            found.append((channels[own.start], mul * psi.dim, function))
    return found


def _activation(theirs: Layer, space: Space) -> BlockGates:
    scalars = with_functions(theirs, list(range(theirs.irreps_in.dim)))
    types = fields_of(theirs.irreps_in, space), fields_of(theirs.irreps_out, space)
    return BlockGates(*types, scalars, [], [])


def _norm_activation(theirs: Layer, space: Space) -> NormActivation:
    if not theirs.normalize:
        advice = "enn.Gate multiplies fields by functions of scalars"
        raise refused(theirs, "normalize=True", advice)
    layer = NormActivation(
        fields_of(theirs.irreps_in, space),
        plain(theirs.scalar_nonlinearity),
        theirs.bias,
        theirs.epsilon,
    )
    if layer.bias is not None:
        layer.to(theirs.biases)
        with torch.no_grad():
            layer.bias.copy_(theirs.biases)
    return layer


def _norm(theirs: Layer, space: Space) -> NormPool:
    if theirs.squared:
        raise refused(theirs, "squared=False", "square the output of enn.NormPool")
    return NormPool(fields_of(theirs.irreps_in, space))


def _extract(theirs: Layer, space: Space) -> Select:
    (blocks,) = theirs.instructions
    fields = fields_of(theirs.irreps_in, space)
    numbers, live = numbers_of(theirs.irreps_in), [mul for mul, _ in fields.blocks]
    chosen = []
    for block in blocks:
        if block in numbers:
            k = numbers[block]
            chosen += range(sum(live[:k]), sum(live[: k + 1]))
    return Select(fields, chosen)


def _identity(theirs: Layer, space: Space) -> Identity:
    return Identity(fields_of(theirs.irreps_in, space))


def _dropout(theirs: Layer, space: Space) -> FieldDropout:
    return FieldDropout(fields_of(theirs.irreps, space), theirs.p)


# --- functions on the sphere and on rotations -----------------------------------------------------


def _s2_activation(theirs: Layer, space: Space) -> SampledPointwise:
    if theirs.random_rot:
        advice = "make one with random_rot=False"
        raise refused(theirs, "a grid that is not turned at random", advice)
    types = fields_of(theirs.irreps_in, space), fields_of(theirs.irreps_out, space)
    return _sampled(theirs, types, theirs.to_s2, theirs.from_s2)


def _so3_activation(theirs: Layer, space: Space) -> SampledPointwise:
    """Theirs says no parities; functions of rotations that the inversion leaves alone are even."""
    group = space.fibre_group
    into, out = (
        space.fields([(2 * l + 1, irrep(group, f"{l}e")) for l in range(lmax + 1)])
        for lmax in (theirs.lmax_in, theirs.lmax_out)
    )
    return _sampled(theirs, (into, out), theirs.grid_in.to_grid, theirs.grid_out.from_grid)


def _sampled(
    theirs: Signal,
    types: tuple[FieldType, FieldType],
    synthesis: Callable[[Tensor], Tensor],
    analysis: Callable[[Tensor], Tensor],
) -> SampledPointwise:
    """The layer with the matrices of two linear maps, of which the second has few rows."""
    like = next(iter(theirs.buffers()))
    one = torch.eye(types[0].channels, dtype=like.dtype, device=like.device)
    values = synthesis(one)  # (coefficient, *grid)
    grid = torch.zeros_like(values[0], requires_grad=True)
    rows = [
        torch.autograd.grad(c, grid, retain_graph=True)[0].flatten()
        for c in analysis(grid).unbind(-1)
    ]
    layer = SampledPointwise(
        *types,
        normalized(theirs.act),
        values.detach().flatten(1).mT.to("cpu", torch.float64),
        torch.stack(rows).to("cpu", torch.float64),
    )
    return layer.to(like)


MAKERS = {
    "Activation": _activation,
    "NormActivation": _norm_activation,
    "Norm": _norm,
    "ExtractIr": _extract,
    "Identity": _identity,
    "Dropout": _dropout,
    "S2Activation": _s2_activation,
    "SO3Activation": _so3_activation,
}
