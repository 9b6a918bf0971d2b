"""From weights to a filter.

In: kernels between irreps, and weights. Out: the filter between fibres, a dense tensor.

The work is done by ``ops.expand`` on plain tensors: a fibre is made of blocks that hold vectors of
a few kinds, its irreps, and the Q of a block makes its components of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from equinet.ops import Plan, Side, expand
from equinet.rep import Fibre, Irrep

IrrepPair = tuple[Irrep, Irrep]  # (psi_out, psi_in)


def plan(
    fibre_out: Fibre, fibre_in: Fibre, kernels: Mapping[IrrepPair, int], points: Sequence[int]
) -> Plan:
    """The plan of a filter from the number of kernels of each pair of irreps.

    Args:
        fibre_out: of the rows.
        fibre_in: of the columns.
        kernels: for (psi_out, psi_in) their number; pairs that have none may be left out.
        points: the shape of the points.
    Returns:
        Where everything stands, for ``ops.expand``.
    Raises:
        ValueError: if the pairs are not in the order of the irreps in the fibres.
    """
    order = [(out, psi) for out in fibre_out.counts for psi in fibre_in.counts]
    if list(kernels) != [pair for pair in order if pair in kernels]:
        raise ValueError(
            f"kernels: expected pairs (out, in) in the order of the irreps of the fibres, got "
            f"{[(out.name, psi.name) for out, psi in kernels]}"
        )
    return Plan(
        _side(fibre_out, _changes(fibre_out, inverse=False)),
        _side(fibre_in, _changes(fibre_in, inverse=True)),
        tuple(
            tuple(kernels.get((out, psi), 0) for psi in fibre_in.counts) for out in fibre_out.counts
        ),
        tuple(points),
    )


def _side(fibre: Fibre, changes: list[Tensor | None]) -> Side:
    """The blocks of a fibre; a kind of vectors is an irrep."""
    psis = list(fibre.counts)
    return Side(
        tuple(psi.dim for psi in psis),
        tuple(mul for mul, _ in fibre.blocks),
        tuple(tuple(rho.multiplicities.get(psi, 0) for psi in psis) for _, rho in fibre.blocks),
        tuple(change is not None for change in changes),
    )


def constants(
    plan: Plan, fibre_out: Fibre, fibre_in: Fibre, kernels: Sequence[Tensor]
) -> dict[str, Tensor]:
    """What ``ops.expand`` needs beside the plan and the weights.

    Args:
        plan: of the filter.
        fibre_out: of the rows.
        fibre_in: of the columns.
        kernels: for each pair of irreps that has any, in order.
    Returns:
        By name the kernels, the changes of basis, and a table of where they are.
    """
    changes = _changes(fibre_out, inverse=False) + _changes(fibre_in, inverse=True)
    matrices = [change for change in changes if change is not None]
    return {"kernels": _flat(kernels), "matrices": _flat(matrices), "table": plan.table()}


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    """Their entries in a row, a tensor of its own."""
    if not tensors:
        return torch.empty(0, dtype=torch.float64)
    return torch.cat([tensor.flatten() for tensor in tensors])


def _changes(fibre: Fibre, *, inverse: bool) -> list[Tensor | None]:
    """The matrix of each block, from the left on its components with equal irreps together.

    Q for the output, the transpose of Q^-1 for the input; None where it is the identity.
    """
    matrices = fibre.matrices(inverse=inverse, grouped=True)
    return [m.mT if inverse and m is not None else m for m in matrices]


def assemble(plan: Plan, tensors: Mapping[str, Tensor], weights: Sequence[Tensor]) -> Tensor:
    """The filter from its weights.

    Args:
        plan: of the filter.
        tensors: its ``constants``.
        weights: (copies of psi_out, copies of psi_in, kernels) for each pair.
    Returns:
        ``(dim_out, dim_in, *points)``.
    """
    row = torch.cat([weight.flatten() for weight in weights])
    matrices, table = tensors["matrices"].to(row), tensors["table"].to(row.device)
    return expand(plan, row[None], tensors["kernels"], matrices, table)
