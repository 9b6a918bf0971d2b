"""What the layers share whose kernels are between fibres."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.nn.kernel_layer import KernelLayer, irrep_paths
from equinet.nn.meaning import fingerprint
from equinet.nn.module import randn
from equinet.numerics.arguments import check_flag, check_generator
from equinet.numerics.deprecation import warn_renamed
from equinet.ops import expand
from equinet.rep import Fibre
from equinet.steerable import SampledKernels

Sample = Callable[[], SampledKernels]


class Steerable(KernelLayer):
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
        self._sample = sample
        with torch.device("cpu"):
            sampled = sample()
            invariants = out_type.fibre.invariants.shape[1]
        self.set_paths(irrep_paths(in_type, out_type, sampled.pairs))
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

    def fibres(self) -> tuple[Fibre, Fibre]:
        """The fibres (in, out) that one filter is between."""
        return self.in_type.fibre, self.out_type.fibre

    def basis(self) -> SampledKernels:
        """The kernels of which the weights are coefficients, float64 on the CPU.

        A filter has a weight for each, in the order of ``weight_shapes``.
        """
        with torch.device("cpu"):
            return self._sample()

    def dense(self, weight: Tensor | None = None) -> Tensor:
        """All filters below each other, ``(count * dim out, dim in, *points)``.

        Args:
            weight: other weights than those of the layer, of the same shape.
        Returns:
            The sum of the kernels, each times its weight.
        """
        weight = self.weight if weight is None else weight
        return expand(self._plan, weight, self.kernels, self.matrices, self.table)

    def fields(self) -> Tensor:
        columns, rows = (field_numbers(fibre) for fibre in self.fibres())
        filters = torch.arange(len(self.weight))[:, None] * (int(rows.max()) + 1)
        points = self.dense().shape[2:].numel()
        return torch.cartesian_prod((rows + filters).flatten(), columns.repeat_interleave(points))

    def shift(self) -> Tensor | None:
        """The bias on each channel of the output."""
        if self.bias is None:
            return None
        return self.bias @ self.get_buffer("invariants").mT

    def filters(self, weight: Tensor | None = None) -> Tensor:
        """What ``dense`` is made of, all filters with one axis of points, as it was before."""
        warn_renamed("filters()", "dense(), in which a filter has its own axes")
        return Steerable.dense(self, weight)

    def matrix(self, weight: Tensor | None = None) -> Tensor:
        """``dense`` with two axes, by its old name."""
        warn_renamed("matrix()", "dense().flatten(1)")
        return self.dense(weight).flatten(1)


def field_numbers(fibre: Fibre) -> Tensor:
    """The number of the field that each component belongs to, int64 ``(dim,)``."""
    sizes = torch.tensor([rho.dim for mul, rho in fibre.blocks for _ in range(mul)])
    return torch.arange(len(sizes)).repeat_interleave(sizes)
