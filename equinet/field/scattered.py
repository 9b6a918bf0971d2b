r"""Fields over a sphere at points that are on no grid, such as stations.

In: feature maps and angles. Out: values.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from equinet.field.field_type import FieldType
from equinet.field.sphere import sphere_of
from equinet.harmonics.flat_spectra import analysis
from equinet.harmonics.grid import spectrum_index
from equinet.numerics import wigner_d_real
from equinet.numerics.values import check_real, is_readable
from equinet.ops import full_precision

_TOGETHER = 2**23  # numbers of a table
_BEYOND = 1e-3  # radians behind a pole, as a finite difference steps


def values_at(field_type: FieldType, x: Tensor, beta: Tensor, alpha: Tensor) -> Tensor:
    r"""The values of band-limited fields over a sphere at any points, without interpolation.

    .. math:: f(\alpha, \beta) = \sum_l (2l + 1) \sum_{mn} \hat f^l_{mn} D^l_{mn}(\alpha, \beta, 0)
              \quad (S3)

    A field of spin s > 0 has its two components in the frame (south, east) of the point, as on the
    grid; at a pole alpha says which way that is. On a grid whose quadrature is not exact, such as
    HEALPix, the spectrum has its error.

    Args:
        field_type: of the fields, with irreps, over a sphere.
        x: ``field_type.shape(batch)``.
        beta: angles from the north pole in radians, ``(points,)``: of latitudes in degrees
            ``torch.deg2rad(90 - latitude)``.
        alpha: longitudes in radians, ``(points,)``.
    Returns:
        ``(batch, channel, points)`` in the dtype of ``x``, differentiable in all three.
    Raises:
        TypeError: if a tensor is not real floating.
        ValueError: for fields over another space or regular ones, if a shape does not fit, or for
            ``beta`` beyond the poles, such as degrees.

    Example:
        >>> from equinet import Sphere
        >>> winds = Sphere(8).fields("1x1")
        >>> latitude, longitude = torch.tensor([47.4, -33.9]), torch.tensor([8.5, 151.2])
        >>> beta, alpha = torch.deg2rad(90 - latitude), torch.deg2rad(longitude)
        >>> values_at(winds, torch.randn(winds.shape(3)), beta, alpha).shape
        torch.Size([3, 2, 2])
    """
    sphere = sphere_of(field_type, "field_type")
    if any(rho.is_sampled for _, rho in field_type.blocks):
        raise ValueError(f"field_type: expected irreps, got {field_type!r}")
    field_type.check(x)
    check_real("beta", beta, ("points",))
    check_real("alpha", alpha, tuple(beta.shape))
    _check_radians(beta)
    columns = x.shape[0] * max(mul for mul, _ in field_type.blocks)
    size = max(1, _TOGETHER // (2 * sphere.band * (sphere.band + 2 * columns)))
    beta, alpha = (angle.double().cpu() for angle in (beta, alpha))
    pieces = list(zip(beta.split(size), alpha.split(size), strict=True))
    found, start = [], 0
    for mul, rho in field_type.blocks:
        (order,) = {psi.degree for psi in rho.constituents}
        fields = x[:, start : start + mul * rho.dim]
        start += mul * rho.dim
        to_spectrum = analysis(sphere.rings, sphere.band, order, x.dtype, x.device)
        spectrum = to_spectrum(fields)  # (rows, copy * batch)
        values = [_evaluated(spectrum, sphere.band, order, *piece) for piece in pieces]
        parts = torch.cat(values, 2).unflatten(1, (mul, x.shape[0]))
        found.append(parts.permute(2, 1, 0, 3).flatten(1, 2))
    return torch.cat(found, 1)


def _check_radians(beta: Tensor) -> None:
    """Raise ValueError for angles beyond the poles, where they can be read."""
    if not beta.numel() or not is_readable(beta):
        return
    low, high = torch.stack(torch.aminmax(beta.detach())).tolist()
    if low < -_BEYOND or high > math.pi + _BEYOND:
        raise ValueError(
            f"beta: expected radians from 0 to pi, got {low:g} to {high:g}; of latitudes in "
            "degrees they are torch.deg2rad(90 - latitude)"
        )


def _evaluated(spectrum: Tensor, band: int, order: int, beta: Tensor, alpha: Tensor) -> Tensor:
    """The components at the points, ``(1 or 2, column, point)``, by (W1) and (W2).

    With F = Re[f e^{-i s gamma}] they are the values at gamma = 0 and pi / 2s, where columns n and
    -n of D are cosines and sines.
    """
    if order >= band:
        return spectrum.new_zeros(2, spectrum.shape[1], len(beta))
    d = wigner_d_real(band, order, beta).to(spectrum)  # (cc or ss, l - n, m, point)
    waves = torch.outer(torch.arange(band, dtype=torch.float64), alpha)
    cos, sin = waves.cos().to(spectrum), waves.sin().to(spectrum)
    parts = _by_order(spectrum, band, order)
    with full_precision(spectrum):
        cc = torch.einsum("nslmk,lmp->nsmkp", parts, d[0])
        real = (cos[:, None] * cc[0, 0] + sin[:, None] * cc[0, 1]).sum(0)
        if not order:
            return real[None]
        ss = torch.einsum("nslmk,lmp->nsmkp", parts, d[1])
        real = real + (cos[:, None] * ss[1, 1] - sin[:, None] * ss[1, 0]).sum(0)
        imaginary = cos[:, None] * (ss[0, 1] - cc[1, 0]) - sin[:, None] * (ss[0, 0] + cc[1, 1])
    return torch.stack([real, imaginary.sum(0)])


def _by_order(spectrum: Tensor, band: int, order: int) -> Tensor:
    """The rows times 2l + 1, by the signs of n and m, l - s and abs(m); 0 where there is none."""
    l, m, n = spectrum_index(band, (order,)).to(spectrum.device).unbind(1)
    signs = 2 if order else 1
    sizes = signs, 2, band - order, band
    place = ((n < 0) * 2 + (m < 0)) * sizes[2] + l - order
    rows = spectrum * (2 * l + 1).to(spectrum)[:, None]
    found = spectrum.new_zeros(math.prod(sizes), spectrum.shape[1])
    return found.index_add(0, place * band + m.abs(), rows).view(*sizes, -1)
