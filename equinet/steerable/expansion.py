r"""From weights to a filter. Next: ``kernel_basis``.

In: kernels between irreps, and weights. Out: the filter between fibres, a dense tensor.

The work is done on plain tensors by a plan of plain numbers, so that compiled code can follow it.
For each pair of irreps one matrix product makes the kernels between all copies of them; these are
put together block by block, and the Q of a block makes its components of the copies of its irreps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from equinet.rep import Fibre, Irrep, Representation

Pair = tuple[Irrep, Irrep]  # (psi_out, psi_in)


class Share(NamedTuple):
    """What one irrep has in a block: some of its copies.

    Attributes:
        irrep: its number in the fibre.
        first: the number of the first of these copies.
        copies: how many they are, in all copies of the block.
        width: how many components they are, in one copy of the block.
    """

    irrep: int
    first: int
    copies: int
    width: int


class Part(NamedTuple):
    """A block of a fibre: its multiplicity, dimension and irreps."""

    mul: int
    dim: int
    shares: tuple[Share, ...]


class Plan(NamedTuple):
    """Where the kernels of a filter stand.

    Attributes:
        shapes: (copies of psi_out, copies of psi_in, kernels) for each pair of irreps.
        rows: (copies, dimension) of each irrep of the output.
        columns: of each irrep of the input.
        cells: for each row and column the number of the pair, -1 where there are no kernels.
        blocks_out: of the output.
        blocks_in: of the input.
        points: shape of the points.
    """

    shapes: tuple[tuple[int, int, int], ...]
    rows: tuple[tuple[int, int], ...]
    columns: tuple[tuple[int, int], ...]
    cells: tuple[tuple[int, ...], ...]
    blocks_out: tuple[Part, ...]
    blocks_in: tuple[Part, ...]
    points: tuple[int, ...]


def plan(
    fibre_out: Fibre, fibre_in: Fibre, kernels: Mapping[Pair, int], points: Sequence[int]
) -> Plan:
    """The plan of a filter from the number of kernels of each pair of irreps that has any."""
    number = {pair: i for i, pair in enumerate(kernels)}
    outs, ins = fibre_out.counts, fibre_in.counts
    return Plan(
        tuple((outs[out], ins[psi], count) for (out, psi), count in kernels.items()),
        tuple((copies, psi.dim) for psi, copies in outs.items()),
        tuple((copies, psi.dim) for psi, copies in ins.items()),
        tuple(tuple(number.get((out, psi), -1) for psi in ins) for out in outs),
        _parts(fibre_out),
        _parts(fibre_in),
        tuple(points),
    )


def _parts(fibre: Fibre) -> tuple[Part, ...]:
    """The blocks; the copies of an irrep are counted through all of them."""
    psis = list(fibre.counts)
    used = dict.fromkeys(psis, 0)
    parts = []
    for mul, rho in fibre.blocks:
        shares = []
        for psi in _members(rho, psis):
            copies = rho.multiplicities[psi]
            shares.append(Share(psis.index(psi), used[psi], mul * copies, copies * psi.dim))
            used[psi] += mul * copies
        parts.append(Part(mul, rho.dim, tuple(shares)))
    return tuple(parts)


def _members(rho: Representation, psis: Sequence[Irrep]) -> list[Irrep]:
    """The irreps in rho in the order of the fibre."""
    return [psi for psi in psis if psi in rho.multiplicities]


def constants(fibre_out: Fibre, fibre_in: Fibre, kernels: Sequence[Tensor]) -> dict[str, Tensor]:
    """What ``assemble`` needs, by name: the kernels of each pair, and changes of basis.

    The matrix of a block acts from the left on its components sorted by irreps: Q for the output,
    the transpose of Q^-1 for the input. It is left out where it is the identity.
    """
    found = {f"kernel_{i}": kernel for i, kernel in enumerate(kernels)}
    for side, fibre in (("out", fibre_out), ("in", fibre_in)):
        psis = list(fibre.counts)
        for i, (_, rho) in enumerate(fibre.blocks):
            order = _sorted_components(rho, psis)
            Q = rho.Q if side == "out" else rho.inverse_Q
            if Q is not None or order != list(range(rho.dim)):
                Q = torch.eye(rho.dim, dtype=torch.float64) if Q is None else Q
                found[f"Q_{side}_{i}"] = Q[:, order] if side == "out" else Q[order].mT
    return found


def _sorted_components(rho: Representation, psis: Sequence[Irrep]) -> list[int]:
    """Where the components of rho, in the basis of irreps, are if equal irreps stand together."""
    where: dict[Irrep, list[int]] = {psi: [] for psi in psis}
    start = 0
    for psi in rho.constituents:
        where[psi] += range(start, start + psi.dim)
        start += psi.dim
    return [i for components in where.values() for i in components]


def separate(plan: Plan, weight: Tensor) -> list[Tensor]:
    """The weights of each pair, from all of them in a row."""
    parts = weight.split([math.prod(shape) for shape in plan.shapes])
    return [part.view(shape) for part, shape in zip(parts, plan.shapes, strict=True)]


def assemble(plan: Plan, tensors: Mapping[str, Tensor], weights: Sequence[Tensor]) -> Tensor:
    """The filter, ``(dim_out, dim_in, *points)``.

    Args:
        plan: of the filter.
        tensors: its ``constants``.
        weights: (copies of psi_out, copies of psi_in, kernels) for each pair.
    """
    points = math.prod(plan.points)
    width = sum(part.mul * part.dim for part in plan.blocks_in)
    rows = []
    for (copies_out, dim_out), cells in zip(plan.rows, plan.cells, strict=True):
        columns = []
        for (copies_in, dim_in), cell in zip(plan.columns, cells, strict=True):
            shape = (copies_out, copies_in, dim_out, dim_in, points)
            if cell < 0:
                block = weights[0].new_zeros(shape)
            else:
                kernels = tensors[f"kernel_{cell}"]
                block = (weights[cell].flatten(0, 1) @ kernels.flatten(1)).view(shape)
            # (components of psi_out, copies of psi_in, ...): the blocks of the input come next.
            columns.append(block.transpose(1, 2).flatten(0, 1))
        height = copies_out * dim_out
        row = _blocks(columns, plan.blocks_in, tensors, "Q_in", (height,), points)
        rows.append(row.reshape(copies_out, dim_out, width * points))
    filters = _blocks(rows, plan.blocks_out, tensors, "Q_out", (), width * points)
    return filters.reshape(len(filters), width, *plan.points)


def _blocks(
    irreps: list[Tensor],
    parts: Sequence[Part],
    tensors: Mapping[str, Tensor],
    name: str,
    before: tuple[int, ...],
    after: int,
) -> Tensor:
    """From irreps ``(*before, copy, ...)`` to blocks one after another, ``(*before, dim, after)``.

    Args:
        irreps: all copies of each irrep.
        parts: the blocks.
        tensors: hold the changes of basis.
        name: of these.
        before: sizes of the axes before that of the copies.
        after: size of what is left after the components.
    """
    axis, found = len(before), []
    for i, part in enumerate(parts):
        shares = [
            irreps[share.irrep]
            .narrow(axis, share.first, share.copies)
            .reshape(*before, part.mul, share.width, after)
            for share in part.shares
        ]
        block = _join(shares, axis + 1)
        matrix = tensors.get(f"{name}_{i}")
        if matrix is not None:
            block = matrix.to(block) @ block
        found.append(block.reshape(*before, part.mul * part.dim, after))
    return _join(found, axis)


def _join(tensors: list[Tensor], axis: int) -> Tensor:
    return tensors[0] if len(tensors) == 1 else torch.cat(tensors, axis)
