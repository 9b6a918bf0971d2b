r"""From weights to a filter. Next: ``kernel_basis``.

In: kernels between irreps, and weights. Out: the filter between fibres, a dense tensor.

The work is done on plain tensors by a plan of plain numbers, so that compiled code can follow it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from equinet.rep import Fibre, Irrep
from equinet.rep.fibre import change_blocks

Pair = tuple[Irrep, Irrep]  # (psi_out, psi_in)


class Plan(NamedTuple):
    """Where the blocks of a filter stand.

    Attributes:
        shapes: (copies of psi_out, copies of psi_in, kernels) for each pair of irreps.
        rows: (copies, dimension) of each irrep of the output.
        columns: of each irrep of the input.
        cells: for each row and column the number of the pair, -1 where there are no kernels.
        blocks_out: (multiplicity, dimension) of the blocks of the output.
        blocks_in: of the input.
        points: shape of the points.
    """

    shapes: tuple[tuple[int, int, int], ...]
    rows: tuple[tuple[int, int], ...]
    columns: tuple[tuple[int, int], ...]
    cells: tuple[tuple[int, ...], ...]
    blocks_out: tuple[tuple[int, int], ...]
    blocks_in: tuple[tuple[int, int], ...]
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
        tuple((mul, rho.dim) for mul, rho in fibre_out.blocks),
        tuple((mul, rho.dim) for mul, rho in fibre_in.blocks),
        tuple(points),
    )


def constants(fibre_out: Fibre, fibre_in: Fibre, kernels: Sequence[Tensor]) -> dict[str, Tensor]:
    """What ``assemble`` needs, by name: the kernels of each pair, orders, changes of basis."""
    found = {f"kernel_{i}": kernel for i, kernel in enumerate(kernels)}
    for side, fibre in (("out", fibre_out), ("in", fibre_in)):
        if fibre.order is not None:
            found[f"order_{side}"] = fibre.order
        for i, matrix in enumerate(fibre.matrices(inverse=side == "in")):
            if matrix is not None:
                found[f"Q_{side}_{i}"] = matrix
    return found


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
    rows = []
    for (copies_out, dim_out), cells in zip(plan.rows, plan.cells, strict=True):
        row = []
        for (copies_in, dim_in), cell in zip(plan.columns, cells, strict=True):
            size = (copies_out * dim_out, copies_in * dim_in, *plan.points)
            if cell < 0:
                row.append(weights[0].new_zeros(size))
                continue
            kernels = tensors[f"kernel_{cell}"]
            block = torch.einsum("nmb,boi...->nomi...", weights[cell], kernels)
            row.append(block.reshape(size))
        rows.append(torch.cat(row, 1))
    kernel = torch.cat(rows)
    for axis, side in enumerate(("out", "in")):
        if f"order_{side}" in tensors:
            kernel = kernel.index_select(axis, tensors[f"order_{side}"].to(kernel.device))
    for axis, side, blocks in ((0, "out", plan.blocks_out), (1, "in", plan.blocks_in)):
        matrices = [tensors.get(f"Q_{side}_{i}") for i in range(len(blocks))]
        kernel = change_blocks(kernel, axis, blocks, matrices, inverse=side == "in")
    return kernel
