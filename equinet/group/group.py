"""What every group offers. Its elements are orthogonal matrices, batched tensors ``(..., n, n)``.

In: nothing. Out: the noun Group. Next: ``so2``.

The product is ``g @ h``, the inverse is ``g.mT`` and the action on points is a matrix times a
vector.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Group:
    """A compact group H <= O(n), a value: equal groups compare and hash equal.

    Attributes:
        name: for people.
        n: size of the matrices.
    """

    name: str
    n: int

    def identity(self, dtype: torch.dtype = torch.float64) -> Tensor:
        """The neutral element, ``(n, n)``."""
        return torch.eye(self.n, dtype=dtype)

    def sample(self, *size: int, generator: torch.Generator | None = None) -> Tensor:
        """Elements drawn from Haar measure, float64 ``(*size, n, n)``."""
        raise TypeError(f"{self.name} is not a concrete group")

    def contains(self, elements: Tensor, tolerance: float = 1e-5) -> bool:
        """Whether every matrix in ``elements`` ``(..., n, n)`` belongs to the group."""
        if elements.shape[-2:] != (self.n, self.n) or not elements.is_floating_point():
            return False
        one = torch.eye(self.n, dtype=elements.dtype, device=elements.device)
        return bool(((elements.mT @ elements - one).abs() < tolerance).all())

    def check(self, elements: Tensor, argument: str = "g") -> None:
        """Raise ValueError unless ``elements`` are elements of the group."""
        if not self.contains(elements):
            raise ValueError(
                f"{argument}: expected elements of {self.name}, orthogonal matrices of shape "
                f"(..., {self.n}, {self.n}), got a tensor of shape {tuple(elements.shape)}"
            )

    def __repr__(self) -> str:
        return self.name
