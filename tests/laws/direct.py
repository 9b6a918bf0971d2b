r"""Band-limited fields given by a formula, with no Wigner function and no Fourier transform in it.

A polynomial of degree d in the entries of the matrix R is a function on SO(3) of degrees l <= d. It
is the lift of a field of the irrep s if, for the vector w = R (e_z - i e_x) that R attaches to the
point x = R e_y,

.. math:: F(R) = \mathrm{Re}\, G(R), \qquad G(R) = q(x)\, (a \cdot w)^s, \qquad
          F(R\, Y(\gamma)) = \cos(s\gamma)\, \mathrm{Re}\, G - \sin(s\gamma)\, \mathrm{Im}\, G

so that the components of the field are Re G and -Im G at gamma = 0. For s = 1 they are those of a
tangent vector along R e_z and R e_x.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from equinet import FieldType
from equinet.numerics import angles_to_matrix, soft_angles, soft_weights


@dataclass(frozen=True)
class Lift:
    """A polynomial on SO(3), the lift of a field.

    Attributes:
        order: s, or None for a regular field, which is its own lift.
        factors: real ``(terms, degree, 3, 3)`` for None; else ``(terms, degree - s, 3)``.
        direction: complex ``(terms, 3)``, the vector a.
    """

    order: int | None
    factors: Tensor
    direction: Tensor

    def complex(self, rotation: Tensor) -> Tensor:
        """G(R) for ``(..., 3, 3)``; for a regular field it is real."""
        if self.order is None:
            return torch.einsum("tdij,...ij->...td", self.factors, rotation).prod(-1).sum(-1)
        x = rotation[..., :, 1]
        w = torch.complex(rotation[..., :, 2], -rotation[..., :, 0])
        q = torch.einsum("tdi,...i->...td", self.factors, x).prod(-1)
        return (q * torch.einsum("ti,...i->...t", self.direction, w) ** self.order).sum(-1)

    def __call__(self, rotation: Tensor) -> Tensor:
        """F(R) for ``(..., 3, 3)``."""
        return self.complex(rotation).real


def random_lift(order: int | None, degree: int, generator: torch.Generator) -> Lift:
    """A polynomial of at most the given degree with random coefficients, of order one in size."""
    options = dict(generator=generator, dtype=torch.float64)
    direction = torch.randn(3, 3, generator=generator, dtype=torch.complex128)
    if order is None:
        return Lift(None, torch.randn(3, degree, 3, 3, **options) / math.sqrt(3), direction)
    assert degree >= order, "no field of this irrep has so low a degree"
    return Lift(order, torch.randn(3, degree - order, 3, **options), direction)


def grid(band: int, regular: bool) -> Tensor:
    """The rotations Y(alpha) X(beta) [Y(gamma)] of the SOFT grid, axes beta, alpha (, gamma)."""
    beta, alpha = soft_angles(band)
    gamma = alpha if regular else torch.zeros(1, dtype=torch.float64)
    b, a, c = torch.meshgrid(beta, alpha, gamma, indexing="ij")
    rotations = angles_to_matrix(a, b, c)
    return rotations if regular else rotations[:, :, 0]


def haar(band: int) -> tuple[Tensor, Tensor]:
    """Rotations ``(points, 3, 3)`` and weights: exact for polynomials of degree below 2 * band."""
    weights = soft_weights(band)[:, None, None] / (2 * band) ** 2
    points = grid(band, regular=True)
    return points.flatten(0, 2), weights.expand(points.shape[:3]).flatten()


def sample(lift: Callable[[Tensor], Tensor], order: int | None, band: int) -> Tensor:
    """The field whose lift is given, on its grid: ``(components, beta, alpha[, gamma])``.

    The components are the parts of order s of the function gamma -> F(R Y(gamma)); other orders,
    which the field cannot hold, are dropped. Exact for polynomials of degree below 8.
    """
    if order is None:
        return lift(grid(band, regular=True))[None]
    points, count = grid(band, regular=False), 16
    gamma = 2 * math.pi * torch.arange(count, dtype=torch.float64) / count
    zero = torch.zeros_like(gamma)
    values = lift(points[..., None, :, :] @ angles_to_matrix(gamma, zero, zero))
    if order == 0:
        return values.mean(-1)[None]
    waves = torch.stack([(order * gamma).cos(), (order * gamma).sin()])
    return torch.einsum("...k,ck->c...", values, waves) * 2 / count


def orders(field_type: FieldType) -> list[int | None]:
    """The irrep of SO(2) of every field, None for a regular one."""
    return [
        None if rho.irreps is None else rho.irreps[0].degree
        for mul, rho in field_type.blocks
        for _ in range(mul)
    ]


def random_lifts(field_type: FieldType, degree: int, generator: torch.Generator) -> list[Lift]:
    """One polynomial for every field of a feature map."""
    return [random_lift(order, degree, generator) for order in orders(field_type)]


def sample_all(lifts: list, field_type: FieldType) -> Tensor:
    """The feature map ``(1, channels, beta, alpha[, gamma])`` whose fields have the given lifts."""
    band = field_type.space.band
    pairs = zip(lifts, orders(field_type), strict=True)
    return torch.cat([sample(lift, order, band) for lift, order in pairs])[None]
