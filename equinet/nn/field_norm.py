"""What the norms share: fields, their invariant vectors, moments."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.nn.module import EquivariantModule
from equinet.nn.requirements import check_orthogonal
from equinet.numerics import Constant
from equinet.numerics.arguments import check_flag, check_number
from equinet.rep import Representation, fibre


class FieldNorm(EquivariantModule):
    """Fields with orthogonal rho, and a learned scale w and shift b; see ``normalization``.

    Args:
        in_type: the fields.
        eps: is added to a variance.
        affine: learn w and b.
        bias: learn b.

    Attributes:
        weight: w, one a field, or None.
        bias: b, one for each invariant vector, or None.
        count: the number of invariant vectors.
    """

    field_of: Tensor

    def __init__(self, in_type: FieldType, eps: float, affine: bool, bias: bool = True) -> None:
        super().__init__(in_type, in_type)
        check_orthogonal(in_type, sampled=True)
        check_flag(affine, "affine")
        check_flag(bias, "bias")
        self.eps, self.fields = check_number(eps, "eps", least=0), in_type.copies
        self.multiplicities = [mul for mul, _ in in_type.blocks]
        with torch.device("cpu"):
            self.means = [invariants(rho)[0].shape[1] for _, rho in in_type.blocks]  # of one field
        self.count = sum(mul * k for mul, k in zip(self.multiplicities, self.means, strict=True))
        self.weight = nn.Parameter(torch.empty(self.fields)) if affine else None
        has_bias = affine and bias and self.count > 0
        self.bias = nn.Parameter(torch.empty(self.count)) if has_bias else None
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """W = 1 and b = 0; nothing is drawn."""
        if self.weight is not None:
            nn.init.ones_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def constants(self, dtype: torch.dtype) -> dict[str, Constant]:
        pairs = [invariants(rho) for _, rho in self.in_type.blocks]
        return {
            "field_of": field_of(self.in_type),
            "invariants": [vectors for vectors, _ in pairs],
            "coefficients": [coefficients for _, coefficients in pairs],
        }

    def coefficients(self, x: Tensor) -> Tensor:
        """Of the invariant vectors in ``(batch, channel)``: ``(batch, invariant)``."""
        parts = [
            (part.unsqueeze(2) * coefficients.to(x.dtype)).sum(3)
            for part, coefficients in zip(
                self.in_type.split(x), self.listed("coefficients"), strict=True
            )
        ]
        return torch.cat([part.flatten(1) for part in parts], 1)

    def spread(self, m: Tensor) -> Tensor:
        """The sum of the invariant vectors with coefficients m: ``(batch, channel)``."""
        widths = [mul * k for mul, k in zip(self.multiplicities, self.means, strict=True)]
        parts, invariants = [], self.listed("invariants")
        for i, part in enumerate(m.split(widths, 1)):
            if not widths[i]:  # ONNX reshapes no empty tensors
                wide = self.multiplicities[i] * self.in_type.dims[i]
                parts.append(m.new_zeros(m.shape[0], wide))
                continue
            vectors = invariants[i].to(m.dtype)  # (dim, k)
            rows = part.unflatten(1, (self.multiplicities[i], 1, self.means[i]))
            parts.append((rows * vectors).sum(3).flatten(1))
        return torch.cat(parts, 1)

    def per_field(self, x: Tensor) -> Tensor:
        """Means over the components: ``(batch, channel)`` to ``(batch, field)``."""
        return torch.cat([part.mean(2) for part in self.in_type.split(x)], 1)

    def extra_repr(self) -> str:
        text = f"{super().extra_repr()}, eps={self.eps:g}, affine={self.weight is not None}"
        without = self.weight is not None and self.bias is None and self.count > 0
        return f"{text}, bias=False" if without else text


def invariants(rho: Representation) -> tuple[Tensor, Tensor]:
    """The vectors that H leaves alone, as columns, and what gives coefficients of them, as rows.

    A function that is sampled on a continuous group has one channel and is constant.
    """
    if rho.is_sampled:
        return torch.ones(1, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    return fibre(rho).invariants, fibre(rho).coefficients


def field_of(in_type: FieldType) -> Tensor:
    """The number of the field to which each channel belongs, int64 ``(channels,)``."""
    blocks = zip(in_type.blocks, in_type.dims, strict=True)
    sizes = torch.tensor([dim for (mul, _), dim in blocks for _ in range(mul)])
    return torch.arange(len(sizes)).repeat_interleave(sizes)


def moments(x: Tensor, dims: list[int]) -> tuple[Tensor, Tensor]:
    """Mean and (biased) variance over some axes, in single precision at least.

    In two passes, as accurate as ``torch.var_mean``; that one and its derivative are many times
    slower on a CPU than all the rest of a norm. What is kept for the derivative is x as it is.

    Args:
        x: of any shape.
        dims: the axes; axis 0 counts as the batch.
    Returns:
        Mean and variance, in which these axes have size 1.
    """
    if torch.compiler.is_compiling():  # a compiler decides by itself how often to read x
        var, mean = torch.var_mean(widened(x), dims, correction=0, keepdim=True)
        return mean, var
    return _Moments.apply(x, dims)  # pyright: ignore[reportReturnType]


class _Context(Protocol):
    """What torch hands from a forward pass to the passes of derivatives."""

    dims: list[int]
    saved_tensors: tuple[Tensor, ...]

    def save_for_backward(self, *tensors: Tensor) -> None: ...
    def save_for_forward(self, *tensors: Tensor) -> None: ...


class _Moments(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, dims: list[int]) -> tuple[Tensor, Tensor]:
        y = widened(x)
        mean = y.mean(dims, keepdim=True)
        # Over rows of memory first, and over the batch, axis 0, last: that is fastest.
        inner = [dim for dim in dims if dim]
        square = torch.linalg.vector_norm(y - mean, dim=inner or dims, keepdim=True).square()
        return mean, square.sum(dims, keepdim=True) * (mean.numel() / x.numel())

    @staticmethod
    def setup_context(
        ctx: _Context, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]
    ) -> None:
        ctx.save_for_backward(inputs[0], output[0])
        ctx.save_for_forward(inputs[0], output[0])
        ctx.dims = inputs[1]

    @staticmethod
    def jvp(ctx: _Context, *tangents: Tensor) -> tuple[Tensor, Tensor]:
        tangent = widened(tangents[0])
        x, mean = ctx.saved_tensors
        dims = ctx.dims
        return tangent.mean(dims, keepdim=True), 2 * ((x - mean) * tangent).mean(dims, keepdim=True)

    @staticmethod
    def backward(ctx: _Context, *gradients: Tensor) -> tuple[Tensor, None]:
        grad_mean, grad_var = gradients
        x, mean = ctx.saved_tensors
        scale = mean.numel() / x.numel()
        slope = 2 * scale * grad_var
        return torch.addcmul(scale * grad_mean - slope * mean, widened(x), slope).to(x.dtype), None


def widened(x: Tensor) -> Tensor:
    """At least float32, in which statistics are taken."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
