"""From feature maps to invariant vectors. Before: ``batch_norm``. Next: ``sequential``."""

import torch
from torch import Tensor

from equinet.field import FieldType, sphere_of
from equinet.nn.module import EquivariantModule
from equinet.numerics import soft_weights


def _only_invariant(in_type: FieldType, what: str) -> None:
    for _, rho in in_type.blocks:
        if rho.irreps is not None and any(irrep.degree for irrep in rho.irreps):
            raise ValueError(
                f"in_type: {what} needs trivial or regular fields, got {rho!r} in {in_type!r}"
            )


class Integrate(EquivariantModule):
    r"""Mean over the sphere or over SO(3) with Haar measure, int f; exact for band-limited fields.

    Shape:
        ``in_type.shape(batch)`` to ``(batch, channels)``.
    """

    weights: Tensor

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type, None)
        _only_invariant(in_type, "the integral")
        self.set_constants()

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        return {"weights": soft_weights(sphere_of(self.in_type).band)}

    def forward(self, x: Tensor) -> Tensor:
        self.in_type.check(x)
        # Reversed, the axes lie in memory as the convolutions leave them.
        y = x.permute(tuple(reversed(range(x.dim())))).flatten(0, -4).mean(0)
        return (y.permute(2, 1, 0) @ self.weights.to(y.dtype)).contiguous()


class GlobalMaxPool(EquivariantModule):
    """Maximum over the grid; invariant up to what the grid misses between its points.

    Shape:
        ``in_type.shape(batch)`` to ``(batch, channels)``.
    """

    aliases = True

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type, None)
        _only_invariant(in_type, "the maximum")

    def forward(self, x: Tensor) -> Tensor:
        self.in_type.check(x)
        return x.amax(tuple(range(2, x.dim())))
