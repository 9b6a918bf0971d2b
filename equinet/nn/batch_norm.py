"""Batch normalisation of fields. Before: ``pointwise``. Next: ``pool``."""

import torch
from torch import Tensor, nn

from equinet.field import FieldType, sphere_of
from equinet.nn.module import EquivariantModule
from equinet.numerics import soft_weights


class BatchNorm(EquivariantModule):
    r"""Normalise every field over batch and space, as ``torch.nn.BatchNorm2d`` does for channels.

    .. math:: f \mapsto w\, \frac{f - \mu}{\sqrt{\sigma^2 + \epsilon}} + b, \qquad
              \sigma^2 = E\, |f - \mu|^2 / \dim f

    One mu, sigma, w and b a field; mu and b are zero for fields that are not functions (irreps
    other than the trivial one). The expectation E is over the batch and over space with Haar
    measure, so the statistics do not change when the input is rotated.

    Args:
        in_type: type of the fields.
        eps: added to the variance.
        momentum: of the running statistics, which evaluation uses.
        affine: learn w and b.
    """

    running_mean: Tensor
    running_var: Tensor
    weights: Tensor
    average: Tensor
    copy: Tensor
    function: Tensor

    def __init__(
        self, in_type: FieldType, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True
    ) -> None:
        super().__init__(in_type, in_type)
        self.eps, self.momentum = eps, momentum
        self.set_constants()
        copies, functions = self.average.shape[0], len(self.function)
        self.register_buffer("running_mean", torch.zeros(in_type.channels))
        self.register_buffer("running_var", torch.ones(copies))
        self.weight = nn.Parameter(torch.ones(copies)) if affine else None
        self.bias = nn.Parameter(torch.zeros(functions)) if affine and functions else None

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        dims = [
            1 if rho.is_regular else rho.dim for mul, rho in self.in_type.blocks for _ in range(mul)
        ]
        size = torch.tensor(dims)
        copy = torch.arange(len(dims)).repeat_interleave(size)  # field of each channel
        channel = torch.arange(len(copy))
        average = torch.zeros(len(dims), len(copy), dtype=torch.float64)
        average[copy, channel] = 1 / size[copy].double()
        return {
            "weights": soft_weights(sphere_of(self.in_type).band),
            "average": average,
            "copy": copy,
            "function": channel[size[copy] == 1],  # channels that are functions
        }

    def _mean(self, x: Tensor) -> Tensor:
        """Haar mean over batch and space of each channel."""
        return x.mean((0, *range(3, x.dim()))) @ self.weights.to(x.dtype)

    def forward(self, x: Tensor) -> Tensor:
        self.in_type.check(x)
        view = (1, -1) + (1,) * (x.dim() - 2)
        y = x.to(torch.promote_types(x.dtype, torch.float32))
        if self.training and x.shape[0]:
            functions = self._mean(y)[self.function]
            mean = y.new_zeros(y.shape[1]).index_copy(0, self.function, functions)
            var = self.average.to(y.dtype) @ self._mean((y - mean.view(view)) ** 2)
            with torch.no_grad():
                self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
                self.running_var.lerp_(var.to(self.running_var.dtype), self.momentum)
        else:
            mean, var = self.running_mean, self.running_var
        scale = (var + self.eps).rsqrt()
        if self.weight is not None:
            scale = scale * self.weight
        scale = scale[self.copy]
        shift = -mean * scale
        if self.bias is not None:
            shift = shift.index_add(0, self.function, self.bias.to(shift.dtype))
        return (y * scale.view(view) + shift.view(view)).to(x.dtype)
