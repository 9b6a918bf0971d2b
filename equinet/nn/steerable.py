"""What the layers with learned equivariant kernels share. Before: ``centred``. Next: ``conv``."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.nn.module import EquivariantModule
from equinet.ops import expand
from equinet.steerable import SampledKernels

Sample = Callable[[], SampledKernels]


class Steerable(EquivariantModule):
    """A layer whose filter is a sum of equivariant kernels with learned weights.

    Args:
        in_type: type of the input.
        out_type: type of the output.
        sample: makes the kernels; a picklable function, called again when the module is widened.
        count: number of filters between the fibres of ``sample``, each with weights of its own.
        bias: add a learned constant to the invariant channels of the output.
        gain: standard deviation of the initial weights, which are normal.
        generator: for the initial weights.

    Attributes:
        weight: ``(count, kernels)``, one weight for each kernel of each filter.
        bias: one for each invariant vector of the output's fibre, or None.
    """

    kernels: Tensor
    matrices: Tensor
    table: Tensor
    calls_below = 5  # from the line of the user that makes the layer to the warning

    def __init__(
        self,
        in_type: FieldType,
        out_type: FieldType,
        sample: Sample,
        count: int,
        bias: bool,
        gain: float,
        generator: torch.Generator | None,
    ) -> None:
        super().__init__(in_type, out_type)
        self.out_type: FieldType = out_type
        self._sample = sample
        with torch.device("cpu"):
            sampled = sample()
            invariants = out_type.fibre.invariants.shape[1]
        _warn_of_dead_ends(self, sampled)
        self._plan = sampled.plan
        weight = torch.randn(count, sampled.dim, generator=generator)
        self.weight = nn.Parameter(gain * weight)
        self.bias = nn.Parameter(torch.zeros(invariants)) if bias and invariants else None
        self.set_constants()

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        found = self._sample().constants
        if self.bias is not None:
            found["invariants"] = self.out_type.fibre.invariants
        return found

    def filters(self) -> Tensor:
        """All filters below each other, ``(count * dim_out, dim_in, *points)``."""
        return expand(self._plan, self.weight, self.kernels, self.matrices, self.table)

    def shift(self) -> Tensor | None:
        """The bias on each channel of the output."""
        return None if self.bias is None else self.get_buffer("invariants") @ self.bias

    def dead_paths(self) -> list[tuple[str, str]]:
        """Names of the pairs of representations (in, out) without an equivariant map."""
        alive = set(self._sample().pairs)
        return [
            (rho_in.name, rho_out.name)
            for _, rho_out in self.out_type.blocks
            for _, rho_in in self.in_type.blocks
            if not any(
                (psi_out, psi_in) in alive
                for psi_out in rho_out.multiplicities
                for psi_in in rho_in.multiplicities
            )
        ]


def _warn_of_dead_ends(module: Steerable, sampled: SampledKernels) -> None:
    """Warn of irreps that no kernel reaches, whose channels are zero, and of those ignored."""
    reached = {psi for psi, _ in sampled.pairs}
    seen = {psi for _, psi in sampled.pairs}
    dead = [psi.name for psi in sampled.fibre_out.counts if psi not in reached]
    deaf = [psi.name for psi in sampled.fibre_in.counts if psi not in seen]
    lines = []
    if dead:
        lines.append(f"no kernel ends in {', '.join(dead)} of {module.out_type!r}: zero but a bias")
    if deaf:
        lines.append(f"no kernel starts in {', '.join(deaf)} of {module.in_type!r}: ignored")
    if lines:
        text = f"{type(module).__name__}: dead paths; {'; '.join(lines)}"
        warnings.warn(text, stacklevel=module.calls_below)
