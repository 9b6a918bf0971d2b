r"""Layers of s2cnn, with their weights, as layers of this library.

.. math:: z_o(R) = b_o + c \sum_{i, p} k_{i o p} f_i(R\, Q_p)

is what they compute, with rotations (or points) Q_p that stand in a list, and a factor c that is
``scaling``, on the sphere times 2 b_out. It is the correlation with point masses (K2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor

from equinet.convert.refusals import refusal
from equinet.field import Sphere
from equinet.nn import SphereConv
from equinet.numerics.cached import on_cpu
from equinet.steerable.sphere import wigner_D_rows


class Convolution(Protocol):
    """What is asked of a layer of s2cnn."""

    nfeature_in: int
    nfeature_out: int
    b_in: int
    b_out: int
    grid: Sequence[tuple[float, ...]]
    scaling: float
    kernel: Tensor
    bias: Tensor
    training: bool


@dataclass(frozen=True)
class PointMasses:
    """A filter for ``SphereConv`` made of point masses (K2) at given rotations.

    Attributes:
        angles: (alpha, beta, gamma) of each, in radians; gamma is 0 for points of the sphere.
    """

    angles: tuple[tuple[float, float, float], ...]

    def matrices(
        self, band: int, orders_out: tuple[int, ...], orders_in: tuple[int, ...]
    ) -> list[Tensor]:
        """The basis of the W^l, as ``steerable.SphereFilter`` says.

        Args:
            band: for l < ``band``.
            orders_out: of the output.
            orders_in: of the input.
        Returns:
            For each l a float64 tensor ``(n', n, points)``.
        """
        angles = torch.tensor(self.angles, dtype=torch.float64)
        return wigner_D_rows(band, orders_out, orders_in, angles)


class Shortcut(Protocol):
    """``SO3Shortcut``: a convolution with one rotation, or None for the identity."""

    conv: Convolution | None


_KINDS = {"S2Convolution": ("trivial", 2), "SO3Convolution": ("regular", 3)}


@on_cpu
def from_s2cnn(layer: Convolution | Shortcut) -> SphereConv:
    """The ``SphereConv`` that is equal to a convolution of s2cnn.

    Signals are sampled alike, (beta, alpha[, gamma]) on the SOFT grid, so outputs are equal too.

    Args:
        layer: ``S2Convolution`` or ``SO3Convolution``, with b_out <= b_in; or an ``SO3Shortcut``
            between different bands or numbers of channels, else it is the identity.
    Returns:
        The layer, from functions on the sphere or on SO(3) to functions on SO(3), in the dtype and
        on the device of the kernel.
    Raises:
        TypeError: if it is another layer.
        ValueError: if b_out is above b_in, or a shortcut is the identity.
    """
    if type(layer).__name__ == "SO3Shortcut":
        conv = cast(Shortcut, layer).conv
        if conv is None:
            raise ValueError(
                "layer: expected an SO3Shortcut with a convolution, got one between equal bands "
                "and channels, which is the identity: enn.Identity, or enn.Residual without one"
            )
        return from_s2cnn(conv)
    name = type(layer).__name__
    if name not in _KINDS:
        expected = "an S2Convolution, SO3Convolution or SO3Shortcut of s2cnn"
        raise refusal(layer, expected, {}, [*_KINDS, "SO3Shortcut"], ("s2cnn",), "layer")
    layer, (kind, axes) = cast(Convolution, layer), _KINDS[name]
    if layer.b_out > layer.b_in:
        raise ValueError(
            f"layer: expected b_out <= b_in, got b_in={layer.b_in}, b_out={layer.b_out}"
        )
    points = []
    for beta, alpha, *gamma in layer.grid:  # this is their order
        points.append((float(alpha), float(beta), float(gamma[0]) if axes == 3 else 0.0))
    conv = SphereConv(
        Sphere(layer.b_in).fields(f"{layer.nfeature_in}x {kind}"),
        Sphere(layer.b_out).fields(f"{layer.nfeature_out}x regular"),
        PointMasses(tuple(points)),
        dtype=layer.kernel.dtype,
    )
    factor = layer.scaling * (1 if axes == 3 else 2 * layer.b_out) / conv.scales[0]
    kernel = layer.kernel.detach().to("cpu", torch.float64).transpose(0, 1)
    with torch.no_grad():
        conv.weight.copy_((factor * kernel).flatten())
        assert conv.bias is not None
        conv.bias.copy_(layer.bias.detach().flatten())
    return conv.to(layer.kernel).train(layer.training)
