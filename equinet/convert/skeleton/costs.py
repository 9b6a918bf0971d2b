"""What layers with kernels learn, without making them: kernels are counted between irreps.

In: types and the taps of a filter. Out: numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from equinet import nn as enn
from equinet.field import FieldType
from equinet.numerics.cached import cached
from equinet.rep import Irrep, Representation

_CONVOLUTIONS = {1: enn.Conv1d, 2: enn.Conv2d, 3: enn.Conv3d}


def invariants(fields: FieldType) -> int:
    """The dimension of what the group leaves alone, where biases are."""
    return sum(count for psi, count in fields.fibre.counts.items() if psi.is_trivial)


def kernels(counts: dict[tuple[Irrep, Irrep], int], into: FieldType, out: FieldType) -> int:
    """How many kernels there are between two types."""
    left, right = out.fibre.counts, into.fibre.counts
    return sum(
        number * left.get(psi, 0) * right.get(phi, 0) for (psi, phi), number in counts.items()
    )


def kernel_counts(
    into: FieldType, out: FieldType, kernel_size: Sequence[int], dilation: Sequence[int]
) -> dict[tuple[Irrep, Irrep], int]:
    """How many kernels a convolution has between each two irreps (out, in).

    Args:
        into: its input.
        out: its output.
        kernel_size: of the filter.
        dilation: likewise.
    Returns:
        Their numbers.
    """
    reps = dict.fromkeys(rho for fields in (into, out) for _, rho in fields.blocks)
    fields = tuple(sorted(reps, key=lambda rho: rho.name))
    return _counts(into.space, fields, tuple(kernel_size), tuple(dilation))


@cached(256)
def _counts(
    space: Any,  # noqa: ANN401 - a grid
    reps: tuple[Representation, ...],
    kernel_size: tuple[int, ...],
    dilation: tuple[int, ...],
) -> dict[tuple[Irrep, Irrep], int]:
    fields = FieldType(space, tuple((1, rho) for rho in reps))
    with torch.device("cpu"):
        layer = _CONVOLUTIONS[space.n](fields, fields, kernel_size, dilation=dilation)
        return {pair: len(basis) for pair, basis in layer.basis().pairs.items()}
