"""How a singular isothermal ellipsoid with external shear bends light, and what it shows.

All lengths are angles in arcseconds; plain tensors that broadcast. In the frame of the lens, whose
surface density is constant on q^2 x^2 + y^2 = const (Kormann, Schneider, Bartelmann 1994)::

    kappa = theta_E sqrt(q) / (2 sqrt(q^2 x^2 + y^2)),   beta = theta - alpha(theta)
    alpha = theta_E sqrt(q / (1 - q^2)) (atan(f x / p), atanh(f y / p)),  p^2 = q^2 x^2 + y^2
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

CORE = 1e-4  # arcseconds; at the very centre the direction of the deflection is not defined


class Lens(NamedTuple):
    """The mass in front. ``theta_e`` (n,) is the Einstein radius, ``q`` the axis ratio of the
    density and ``angle`` that of its long axis; the shear is (gamma_1, gamma_2)."""

    theta_e: Tensor
    q: Tensor
    angle: Tensor
    shear_1: Tensor
    shear_2: Tensor


class Sersic(NamedTuple):
    """Light of brightness exp(-k (R^(1/n) - 1)), R the elliptical radius over ``radius`` and n
    the ``power``."""

    x: Tensor
    y: Tensor
    radius: Tensor  # effective, geometric mean of the axes
    power: Tensor
    q: Tensor
    angle: Tensor


def rotate(x: Tensor, y: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates in axes that are turned by ``angle``."""
    c, s = angle.cos(), angle.sin()
    return x * c + y * s, y * c - x * s


def deflection(x: Tensor, y: Tensor, lens: Lens) -> tuple[Tensor, Tensor]:
    """alpha(theta), of the ellipsoid and the shear together."""
    u, v = rotate(x, y, lens.angle)
    q = lens.q.clamp(max=1 - 1e-6)  # the sphere is a limit
    f = (1 - q * q).sqrt()
    p = (q * q * u * u + v * v + CORE**2).sqrt()
    scale = lens.theta_e * q.sqrt() / f
    a, b = rotate(scale * (f * u / p).atan(), scale * (f * v / p).atanh(), -lens.angle)
    return a + lens.shear_1 * x + lens.shear_2 * y, b + lens.shear_2 * x - lens.shear_1 * y


def sersic(x: Tensor, y: Tensor, light: Sersic) -> Tensor:
    """Surface brightness, 1 at the effective radius."""
    u, v = rotate(x - light.x, y - light.y, light.angle)
    r = (light.q * u * u + v * v / light.q).clamp_min(1e-8).sqrt() / light.radius
    return (-(2 * light.power - 1 / 3) * (r ** (1 / light.power) - 1)).exp()


def lensed(x: Tensor, y: Tensor, lens: Lens, source: Sersic) -> Tensor:
    """What is seen of a source behind a lens: brightness is kept along a ray."""
    a, b = deflection(x, y, lens)
    return sersic(x - a, y - b, source)


def grid(size: int, pixel: float) -> tuple[Tensor, Tensor]:
    """The centres (x, y) of the pixels of an image, each (size * size,), row by row."""
    c = (torch.arange(size) - (size - 1) / 2) * pixel
    y, x = torch.meshgrid(-c, c, indexing="ij")
    return x.flatten(), y.flatten()


def pixels(
    light: Callable[..., Tensor], parts: tuple[NamedTuple, ...], size: int, pixel: float, *,
    fine: int = 3, bright: float = 0.1,
) -> Tensor:  # fmt: skip
    """Mean brightness in every pixel.

    A pixel is sampled at its centre, and at ``fine``^2 points where that is above ``bright``.

    Args:
        light: ``light(x, y, *parts)``.
        parts: parameters, tuples of tensors (n,).
        size: of a side, in pixels.
        pixel: its side, in arcseconds.
    Returns:
        (n, size, size).
    """
    x, y = grid(size, pixel)

    def of(index: Tensor) -> list[NamedTuple]:
        return [part._make(value[index, None] for value in part) for part in parts]

    count = len(parts[0][0])
    image = light(x, y, *of(torch.arange(count)))
    which, place = torch.nonzero(image > bright, as_tuple=True)
    dx, dy = grid(fine, pixel / fine)
    inside = light(x[place, None] + dx, y[place, None] + dy, *of(which))
    image[which, place] = inside.mean(1)
    return image.view(count, size, size)


def blur(image: Tensor, fwhm: float) -> Tensor:
    """Convolve (n, size, size) with a Gaussian whose width is in pixels, axis by axis."""
    sigma = fwhm / 2.3548
    t = torch.arange(-int(4 * sigma + 1), int(4 * sigma + 1) + 1)
    taps = (-(t**2) / (2 * sigma**2)).exp()
    size = image.shape[-1]
    at = torch.arange(size)
    # A banded matrix for each axis; two products of matrices are fastest for such small images.
    away = (at[:, None] - at).abs()
    band = torch.where(away <= int(t[-1]), (-(away**2) / (2 * sigma**2)).exp() / taps.sum(), 0.0)
    return band @ image @ band.T
