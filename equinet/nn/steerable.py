"""What the layers with learned equivariant kernels share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.nn.dead_ends import warn_of_dead_ends
from equinet.nn.meaning import fingerprint
from equinet.nn.module import EquivariantModule, randn
from equinet.numerics.arguments import check_flag, check_generator
from equinet.ops import expand
from equinet.steerable import SampledKernels

Sample = Callable[[], SampledKernels]


class Steerable(EquivariantModule):
    """A layer whose filter is a sum of equivariant kernels with learned weights.

    The weights are coefficients, a flat matrix, and not the filter: what looks at shapes, such as
    ``torch.nn.init.kaiming_*`` or torch's ``spectral_norm``, runs on them and means something else.
    The initial weights keep the variance as they are; to have it otherwise multiply ``weight``. The
    norm of the filter is the subject of ``enn.spectral_norm``.

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
        check_flag(bias, "bias")
        check_generator(generator)  # before the kernels, which may take a while
        self.out_type: FieldType = out_type
        self._sample = sample
        with torch.device("cpu"):
            sampled = sample()
            invariants = out_type.fibre.invariants.shape[1]
        reached, read = ({pair[i] for pair in sampled.pairs} for i in (0, 1))
        warn_of_dead_ends(self, out_type, reached, read, "kernel", self.calls_below)
        self._plan, self._gain = sampled.plan, gain
        self._kernels = fingerprint(sampled.pairs.values())
        self.weight = nn.Parameter(torch.empty(count, sampled.dim))
        self.bias = nn.Parameter(torch.empty(invariants)) if bias and invariants else None
        self.reset_parameters(generator)
        self.set_constants()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the initial weights anew, as the constructor does; the bias is 0."""
        with torch.no_grad():
            self.weight.copy_(self._gain * randn(*self.weight.shape, generator=generator))
            if self.bias is not None:
                self.bias.zero_()

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        found = self._sample().constants
        if self.bias is not None:
            found["invariants"] = self.out_type.fibre.invariants
        return found

    def meaning(self) -> str:
        """The types, and the kernels of which the weights are coefficients."""
        return f"{super().meaning()}, kernels {self._kernels}"

    def filters(self, weight: Tensor | None = None) -> Tensor:
        """All filters below each other, ``(count * dim_out, dim_in, *points)``.

        Args:
            weight: other weights than those of the layer.
        """
        weight = self.weight if weight is None else weight
        return expand(self._plan, weight, self.kernels, self.matrices, self.table)

    def matrix(self, weight: Tensor | None = None) -> Tensor:
        """The filter as a matrix, ``(channels out, channels in * points)``, see ``filters``."""
        return self.filters(weight).flatten(1)

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
