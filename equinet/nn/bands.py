r"""Fields on one sphere as fields on another: degree by degree, so that all rotations commute.

.. math:: \hat y^l_{mn} = a_{ln} \hat f^l_{mn}, \qquad l < \min(b_{in}, b_{out}) \quad (D3)

A rotation mixes the orders m of a degree and leaves l and the order n of the fibre alone, so any
factors a do. With a = 1 what both bands hold stays as it is: the way to a lower band is the
orthogonal projection, and the way to a higher one or to another grid is exact.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from equinet.field import FieldType, Space, Sphere, sphere_of
from equinet.field.sphere import check_acting
from equinet.field.transform import block_orders
from equinet.harmonics import soft
from equinet.harmonics.grid import spectrum_index
from equinet.numerics import Constant, Constants, soft_angles, soft_weights
from equinet.numerics.arguments import Size, check_integer

Gains = Callable[[int, int], Tensor]  # a of (D3) for a band and an order n, float64 (band,)


class BandChange(Constants):
    """The fields of one type as those of another, with a factor for each degree and order (D3).

    Args:
        in_type: fields over a sphere.
        out_type: the same fields over another one, or the same.
        gains: the factors; ones if None.
    """

    def __init__(self, in_type: FieldType, out_type: FieldType, gains: Gains | None = None) -> None:
        super().__init__()
        before, after = sphere_of(in_type), sphere_of(out_type, "out_type")
        self.band, self._gains = min(before.band, after.band), gains
        self.orders, self.blocks = block_orders(in_type, self.band), in_type.blocks
        self.sizes = [part.stop - part.start for part in in_type.slices]
        kinds = [
            None if rho.is_sampled else n[0]
            for (_, rho), n in zip(in_type.blocks, self.orders, strict=True)
        ]
        self.analysis = nn.ModuleList(before.analysis(n, self.band, None) for n in kinds)
        self.synthesis = nn.ModuleList(after.synthesis(n, self.band, None) for n in kinds)
        self.set_constants()

    def constants(self, dtype: torch.dtype) -> dict[str, Constant]:
        rows: list[Tensor] = []
        if self._gains is not None:
            for orders in self.orders:
                gains = [self._gains(self.band, n) for n in range(max(orders) + 1)]
                l, _, n = spectrum_index(self.band, orders).unbind(1)
                rows.append(torch.stack(gains)[n.abs(), l][:, None])
        return {"gains": rows}

    def forward(self, x: Tensor) -> Tensor:
        parts, gains = [], self.listed("gains")
        for i, part in enumerate(x.split(self.sizes, 1)):
            spectrum = self.analysis[i](part)
            if gains:
                spectrum = spectrum * gains[i]
            parts.append(self.synthesis[i](spectrum, self.blocks[i][0]))
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def heat(sigma: float) -> Gains | None:
    r"""A Gaussian on the sphere, :math:`a_{ln} = \exp(-(l (l + 1) - n^2) \sigma^2 / 2)`.

    Args:
        sigma: its standard deviation, in radians.
    Returns:
        The factors; None for 0.
    """
    return functools.partial(_heat, sigma) if sigma else None


def _heat(sigma: float, band: int, n: int) -> Tensor:
    l = torch.arange(band, dtype=torch.float64)
    return torch.exp(-(l * (l + 1) - n**2).clamp_min(0) * sigma**2 / 2)


def cap(radius: float) -> Gains:
    r"""The mean over a disc about each point, to which values come along great circles.

    .. math:: a_{ln} = \frac{1}{1 - \cos r} \int_0^r d^l_{nn}(\beta) \sin\beta\, d\beta

    Args:
        radius: r, in radians.
    Returns:
        The factors.
    """
    return functools.partial(_cap, radius)


def _cap(radius: float, band: int, n: int) -> Tensor:
    # A polynomial in x = cos(beta) of degree l; its mean over [cos(r), 1] is exact.
    count = band // 2 + 1
    x = 1 - (1 - math.cos(radius)) / 2 * (1 - soft_angles(count)[0].cos())
    rows = [torch.zeros_like(x)] * n + [((1 + x) / 2) ** n]
    for l in range(n, band - 1):  # (W3) of numerics.wigner_d_real on the diagonal
        shift, back = (n**2 / (l * (l + 1)), (l**2 - n**2) / (l * (2 * l + 1))) if l else (0, 0)
        y = (x - shift) * rows[l] - (back * rows[l - 1] if back else 0)
        rows.append(y * ((l + 1) * (2 * l + 1) / ((l + 1) ** 2 - n**2)))
    return torch.stack(rows[:band]) @ soft_weights(count)


def ring_step(in_type: FieldType) -> float:
    """The mean angle between the rings of a sphere, in radians; a pole counts as half a ring."""
    beta = sphere_of(in_type).rings.beta
    poles = (beta[0] == 0) + (beta[-1] == math.pi)
    return math.pi / max(1, len(beta) - poles / 2)


def resized(
    in_type: FieldType,
    factor: Size | None,
    sphere: Sphere | None,
    *,
    up: bool = False,
    name: str = "factor",
) -> FieldType:
    """The same fields over the sphere that a change of band leads to.

    Args:
        in_type: fields over a sphere.
        factor: by which the band is divided, rounded up.
        sphere: the one to lead to, in place of the factor.
        up: multiply the band by the factor.
        name: of the factor, in an error.
    Returns:
        Their type.
    Raises:
        TypeError: if ``sphere`` is none, or not one of the two is given.
        ValueError: if ``factor`` is no integer >= 1, ``sphere`` loses degrees on the way up, no
            degree of a field is below the band, or the grid is of a kind that has none for every
            band.
    """
    own = sphere_of(in_type)
    if (factor is None) == (sphere is None):
        got = "both" if sphere is not None else "neither"
        raise TypeError(f"{name}: expected it or sphere, which says the band, got {got}")
    if sphere is None:
        if isinstance(factor, Sequence):
            raise ValueError(f"{name}: expected an integer >= 1 over a sphere, got {factor!r}")
        steps = check_integer(factor, name)
        sphere = _at(own, own.band * steps if up else -(own.band // -steps), name)
    if not isinstance(sphere, Space) or not sphere.is_band_limited:
        raise TypeError(f"sphere: expected a Sphere, got {type(sphere).__name__}")
    check_acting(sphere, own, "sphere")
    if up and sphere.band < own.band:
        raise ValueError(
            f"sphere: expected a band of at least {own.band}, as here no degree is lost, got "
            f"{sphere.band}; enn.Downsample leads to a lower one"
        )
    lowest = max(min(orders, default=0) for orders in block_orders(in_type, own.band))
    if lowest >= sphere.band:
        raise ValueError(
            f"{'sphere' if factor is None else name}: expected a band above {lowest}, the lowest "
            f"degree of a field in {in_type!r}, got {sphere.band}"
        )
    return sphere.fields(in_type.blocks)


def _at(sphere: Sphere, band: int, name: str) -> Sphere:
    """The sphere at another band, with as many points for each degree if it has a SOFT grid."""
    if band == sphere.band:
        return sphere
    own = sphere.rings.soft_band
    if own is None:
        raise ValueError(
            f"{name}: expected sphere in its place, which says the grid of the result, such as "
            f"sphere=Sphere({band}, gauss({band})), since the input has {sphere.rings!r}"
        )
    return sphere.at(band, soft(-(band * own // -sphere.band)))


def unused(space: object, **arguments: object) -> None:
    """Raise ValueError for an argument without a meaning over the space, unless it is None."""
    for name, value in arguments.items():
        if value is not None:
            raise ValueError(
                f"{name}: has no meaning over {space}, expected to be left away, got {value!r}"
            )
