r"""The norm of a filter, for networks with a bounded slope."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from equinet.nn.module import randn
from equinet.nn.steerable import Steerable
from equinet.numerics.arguments import check_integer, check_number


def spectral_norm(
    module: Steerable,
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    *,
    generator: torch.Generator | None = None,
) -> Steerable:
    r"""Divide the filter of a layer by its largest singular value, in every forward pass.

    What ``torch.nn.utils.parametrizations.spectral_norm`` does to a layer of torch. That one would
    take the coefficients of the kernels, which are ``weight`` here, for the filter K; this is of
    the matrix ``module.dense().flatten(1)``, (channels out, channels in times taps),

    .. math:: w \mapsto w / \sigma(K_w), \qquad \sigma(K) = \max_{|v| = 1} |K v|

    A multiple of an equivariant filter is equivariant. sigma is found by power iteration: a few
    steps to start with, and ``n_power_iterations`` more in each pass in training.

    Args:
        module: a convolution, ``Linear``, ``PointConv`` or ``HomogeneousConv``; changed in place.
        n_power_iterations: steps in each pass in training.
        eps: least norm by which a vector is divided.
        generator: for the vectors with which the iteration starts.
    Returns:
        The module; ``torch.nn.utils.parametrize.remove_parametrizations(module, "weight")`` leaves
        the weight as it is now.
    Raises:
        TypeError: for another module.
        ValueError: if ``n_power_iterations`` is no integer >= 1.

    Example:
        >>> from equinet.field import Plane
        >>> from equinet.nn.conv import Conv2d
        >>> fields = Plane("C4").fields("4x regular")
        >>> generator = torch.Generator().manual_seed(0)
        >>> conv = Conv2d(fields, fields, 3, generator=generator)
        >>> conv = spectral_norm(conv, 100, generator=generator)
        >>> bool((torch.linalg.matrix_norm(conv.dense().flatten(1), 2) - 1).abs() < 1e-3)
        True
    """
    if not isinstance(module, Steerable):
        raise TypeError(
            "module: expected a layer with a filter, such as a convolution or Linear, got "
            f"{type(module).__name__}"
        )
    steps = check_integer(n_power_iterations, "n_power_iterations")
    eps = check_number(eps, "eps", above=0)
    norm = _FilterNorm(module, steps, eps, generator)
    parametrize.register_parametrization(module, "weight", norm)
    return module


class _FilterNorm(nn.Module):
    """weight / sigma of its filter."""

    left: Tensor
    right: Tensor

    def __init__(
        self, layer: Steerable, steps: int, eps: float, generator: torch.Generator | None
    ) -> None:
        super().__init__()
        self._layer = [layer]  # in a list, since it is no part of this module
        self.steps, self.eps = steps, eps
        with torch.no_grad():
            matrix = layer.dense().flatten(1)
            for name, size in zip(("left", "right"), matrix.shape, strict=True):
                start = randn(size, generator=generator).to(matrix)
                self.register_buffer(name, F.normalize(start, dim=0, eps=eps))
            self._iterate(matrix, 15)

    def _iterate(self, matrix: Tensor, steps: int) -> None:
        for _ in range(steps):
            F.normalize(matrix @ self.right, dim=0, eps=self.eps, out=self.left)
            F.normalize(matrix.mT @ self.left, dim=0, eps=self.eps, out=self.right)

    def forward(self, weight: Tensor) -> Tensor:
        matrix = self._layer[0].dense(weight).flatten(1)
        if self.training:
            with torch.no_grad():
                self._iterate(matrix.detach(), self.steps)
        # Copies, since the next pass changes the vectors in place.
        sigma = self.left.clone() @ matrix @ self.right.clone()
        return weight / sigma
