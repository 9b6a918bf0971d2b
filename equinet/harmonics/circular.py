r"""Circular harmonics, and the angular harmonics of the line, the plane and space under one name.

In: points. Out: their harmonics by degree.
"""

import torch
from torch import Tensor

from equinet.harmonics.spherical import direction, spherical_harmonics
from equinet.numerics.arguments import check_integer, check_memory
from equinet.numerics.values import check_floating


def circular_harmonics(lmax: int, points: Tensor, *, normalize: bool = True) -> Tensor:
    r"""cos(k phi) and sin(k phi) for k = 0, ..., ``lmax`` at ``points``, with Y(R x) = D(R) Y(x).

    .. math:: Y^k = (\mathrm{Re}, \mathrm{Im}) \left( \frac{x + i y}{r} \right)^k
                  = (\cos k\varphi, \sin k\varphi)

    A rotation by theta turns the pair of degree k by k theta; the reflection (x, y) -> (x, -y)
    changes the sign of every sine.

    Args:
        lmax: largest degree, inclusive.
        points: ``(..., 2)``.
        normalize: take the direction of the points (at the origin Y^k = 0 for k > 0, with gradient
            0); otherwise r^k Y^k, which is a polynomial.
    Returns:
        ``(..., 2 lmax + 1)``: 1, cos phi, sin phi, cos 2 phi, ..., in the dtype of ``points``.
    Raises:
        ValueError: if the points are not real points of the plane, or ``lmax`` is negative.
    """
    check_integer(lmax, "lmax", 0)
    check_memory((2 * lmax + 1) ** 2, "lmax", f"all degrees up to {lmax}")
    check_floating("points", points, 2)
    x, y = (direction(points) if normalize else points).unbind(-1)
    out = [torch.ones_like(x)]
    cos, sin = torch.ones_like(x), torch.zeros_like(x)
    for _ in range(lmax):  # powers of x + i y
        cos, sin = cos * x - sin * y, sin * x + cos * y
        out += [cos, sin]
    return torch.stack(out, -1)


def angular_harmonics(lmax: int, points: Tensor) -> list[Tensor]:
    r"""The harmonics Y_J of the sphere S^{n-1} at the directions of points in R^n, n = 1, 2, 3.

    Together with the radial profiles they span the functions on R^n. Their squares sum to 1,

    .. math:: \sum_m Y_{J,m}(x / r)^2 = 1, \qquad Y_J(h x) = D_J(h) Y_J(x), \quad h \in O(n),

    but at the origin, where Y_J = 0 for J > 0, with gradient 0.

    Args:
        lmax: largest degree, inclusive.
        points: ``(..., n)``.
    Returns:
        One tensor ``(..., dim_J)`` a degree. n = 3: ``spherical_harmonics``, dim_J = 2J + 1; n = 2:
        ``circular_harmonics``, dim_J = 1, 2, 2, ...; n = 1: 1 and sign(x), and nothing beyond
        degree 1, because every function on the two points of S^0 is even or odd.
    Raises:
        ValueError: if the points are not real points of R^1, R^2 or R^3, or ``lmax`` is negative.
    """
    check_integer(lmax, "lmax", 0)
    check_floating("points", points)
    n = points.shape[-1] if points.dim() else 0
    if n not in (1, 2, 3):
        raise ValueError(
            f"points: expected the shape (..., n) with n = 1, 2 or 3, got {tuple(points.shape)}"
        )
    if n == 1:
        return [torch.ones_like(points), direction(points)][: lmax + 1]
    if n == 2:
        return list(circular_harmonics(lmax, points).split([1] + lmax * [2], -1))
    y = spherical_harmonics(lmax, points)
    return list(y.split([2 * l + 1 for l in range(lmax + 1)], -1))
