"""Pointwise nonlinearities. Before: ``sphere_conv``. Next: ``batch_norm``."""

from collections.abc import Callable

import torch
from torch import Tensor

from equinet.field import FieldType
from equinet.nn.module import EquivariantModule


class Pointwise(EquivariantModule):
    r"""Apply a function to every value, f(x) -> sigma(f(x)).

    It commutes with G where the fibres are invariant (trivial) or permuted (regular fields, which
    are functions on SO(3)); on other irreps the values are components of a vector, and it does not.
    On a band-limited grid the result has degrees above the band, so the equivariance is
    approximate.

    Args:
        in_type: regular or trivial fields.
        function: elementwise, such as ``torch.tanh``.
    """

    aliases = True

    def __init__(self, in_type: FieldType, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__(in_type, in_type)
        for _, rho in in_type.blocks:
            if rho.irreps is not None and any(irrep.degree for irrep in rho.irreps):
                raise ValueError(
                    f"in_type: a pointwise function acts on values, but the fields {rho!r} are "
                    f"vectors whose components turn into each other; use trivial or regular "
                    f"fields, got {in_type!r}"
                )
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        self.in_type.check(x)
        return self.function(x)


class ReLU(Pointwise):
    """max(f, 0), value by value; see ``Pointwise``."""

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type, _relu)


class _ReLU(torch.autograd.Function):
    """torch.relu keeps its output; a convolution after it does not, so here the signs are kept."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return torch.relu(x), x > 0

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1])

    @staticmethod
    def backward(ctx, grad, _):
        (positive,) = ctx.saved_tensors
        return torch.where(positive, grad, 0)


def _relu(x: Tensor) -> Tensor:
    return _ReLU.apply(x)[0]
