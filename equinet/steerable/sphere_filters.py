"""Families of filters on the sphere: points near the identity or the equator, smooth spectra.

In: how far they reach. Out: filters whose matrices ``sphere`` says.
"""

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, Self, runtime_checkable

import torch
from torch import Tensor

from equinet.harmonics.grid import signed_orders
from equinet.numerics.arguments import check_integer, check_number
from equinet.steerable.sphere import Orders, SphereFilter, carried, wigner_D_rows

_NEAR = 1e-6  # radians


class _PointFilter:
    """A filter made of point masses (K2) at Q = Y(alpha) X(beta) Y(gamma)."""

    def matrices(self, band: int, orders_out: Orders, orders_in: Orders) -> list[Tensor]:
        points = self.at(band).points(orders_out, orders_in)
        return wigner_D_rows(band, orders_out, orders_in, points)

    def at(self, band: int) -> Self:
        """The filter of a band, here the same for all."""
        return self

    def points(self, orders_out: Orders, orders_in: Orders) -> Tensor:
        """Angles (alpha, beta, gamma) of the point masses.

        Args:
            orders_out: of the output.
            orders_in: of the input.
        Returns:
            float64 ``(weights, 3)``, in radians.
        """
        raise TypeError(f"{type(self).__name__} has no points")


def step(band: int) -> float:
    """The step in beta of the SOFT grid of a band, pi / 2b: the unit of lengths of filters."""
    return math.pi / (2 * band)


def reach(band: int) -> float:
    """Six of these steps, at most pi / 8: three rings are then as close as half a wave."""
    return min(math.pi / 8, 6 * step(band))


def at_band(functions: SphereFilter, band: int) -> SphereFilter:
    """A filter that follows the band, as it is at one; others are what they are.

    Args:
        functions: with or without a method ``at``.
        band: for l < ``band``.
    Returns:
        The filter at this band.
    """
    return functions.at(band) if isinstance(functions, _Following) else functions


@runtime_checkable
class _Following(Protocol):
    """A filter whose size is in steps of the grid."""

    def at(self, band: int) -> SphereFilter: ...


def _ring(count: int) -> Tensor:
    return 2 * math.pi * torch.arange(count, dtype=torch.float64) / count


def _phases(orders: Orders, count: int) -> Tensor:
    """Sample angles that tell the orders of a field apart: none, two in quadrature, or a ring."""
    if orders == (0,):
        return torch.zeros(1, dtype=torch.float64)
    if len(orders) == 1:
        return torch.tensor([0.0, math.pi / (2 * orders[0])], dtype=torch.float64)
    return _ring(count)


def _symmetric(limit: float, count: int) -> Tensor:
    """``count`` angles from -limit to limit, of a whole turn all different."""
    if count == 1:
        return torch.zeros(1, dtype=torch.float64)
    if limit > math.pi - _NEAR:
        return math.pi - _ring(count).flip(0)
    return torch.linspace(-limit, limit, count, dtype=torch.float64)


def _check_counts(**counts: int) -> None:
    for name, value in counts.items():
        check_integer(value, name)


def _check_angle(name: str, value: float, count: int = 2, pole: float | None = None) -> None:
    """Raise unless ``value`` spreads out ``count`` angles; a single one needs none, so 0 will do.

    Args:
        name: of the argument.
        value: in radians, at most pi; 2 pi, as some write a whole turn, is one too.
        count: of the angles.
        pole: where a ring of points is one point, which would have many weights.
    """
    check_number(value, name, 0)
    reached = pole is not None and value > pole - _NEAR
    whole = pole is None and abs(value - 2 * math.pi) < _NEAR
    if reached or (value > math.pi + _NEAR and not whole) or (value == 0 and count > 1):
        end = f"{math.pi:.4f}]" if pole is None else f"{pole:.4f}), where the pole is"
        raise ValueError(f"{name}: expected an angle in radians in (0, {end}, got {value!r}")


@dataclass(frozen=True)
class NearIdentityFilter(_PointFilter):
    r"""Point masses near the identity of SO(3), near the north pole of S^2.

    beta = max_beta (1 ... n_beta) / n_beta, alpha a ring of n_alpha, gamma + alpha in
    [-max_gamma, max_gamma], so that the rotations are close to the identity. Where the output (or
    the input) is not a function on SO(3) the ring over alpha (or gamma) shrinks to the angles its
    orders can tell apart.

    Attributes:
        max_beta: the largest angle from the pole, in radians; None for ``reach`` of the band.
        n_alpha: angles on a ring.
        n_beta: rings.
        max_gamma: the largest turn, in radians; None for ``reach`` of the band.
        n_gamma: turns at each point of a ring.
    """

    max_beta: float | None
    n_alpha: int
    n_beta: int
    max_gamma: float | None
    n_gamma: int

    def __post_init__(self) -> None:
        _check_counts(n_alpha=self.n_alpha, n_beta=self.n_beta, n_gamma=self.n_gamma)
        if self.max_beta is not None:
            _check_angle("max_beta", self.max_beta, pole=math.pi)
        if self.max_gamma is not None:
            _check_angle("max_gamma", self.max_gamma, self.n_gamma)

    def at(self, band: int) -> Self:
        """The filter of a band, with numbers for what was None."""
        beta, gamma = (reach(band) if x is None else x for x in (self.max_beta, self.max_gamma))
        return replace(self, max_beta=beta, max_gamma=gamma)

    def points(self, orders_out: Orders, orders_in: Orders) -> Tensor:
        ring = torch.arange(1, self.n_beta + 1, dtype=torch.float64)
        max_beta, max_gamma = (
            reach(1) if x is None else x for x in (self.max_beta, self.max_gamma)
        )
        beta = max_beta * ring / self.n_beta
        alpha = _phases(orders_out, self.n_alpha)
        both = len(orders_out) > 1 and len(orders_in) > 1
        gamma = _symmetric(max_gamma, self.n_gamma) if both else _phases(orders_in, self.n_alpha)
        points = torch.cartesian_prod(alpha, beta, gamma)
        if both:
            points[:, 2] -= points[:, 0]
        return points


@dataclass(frozen=True)
class EquatorialFilter(_PointFilter):
    """Point masses on rings about the equator: beta = pi/2 +- max_beta, gamma in +- max_gamma.

    Attributes:
        n_alpha: angles on a ring.
        n_beta: rings.
        max_beta: the largest angle from the equator, in radians.
        n_gamma: turns at each point of a ring.
        max_gamma: the largest turn, in radians.
    """

    n_alpha: int
    n_beta: int
    max_beta: float
    n_gamma: int
    max_gamma: float

    def __post_init__(self) -> None:
        _check_counts(n_alpha=self.n_alpha, n_beta=self.n_beta, n_gamma=self.n_gamma)
        _check_angle("max_beta", self.max_beta, self.n_beta, pole=math.pi / 2)
        _check_angle("max_gamma", self.max_gamma, self.n_gamma)

    def points(self, orders_out: Orders, orders_in: Orders) -> Tensor:
        beta = math.pi / 2 + _symmetric(self.max_beta, self.n_beta)
        both = len(orders_out) > 1 and len(orders_in) > 1
        gamma = (
            _symmetric(self.max_gamma, self.n_gamma) if both else _phases(orders_in, self.n_alpha)
        )
        return torch.cartesian_prod(_phases(orders_out, self.n_alpha), beta, gamma)


@dataclass(frozen=True)
class SmoothFilter:
    """Free matrices W^l at ``knots`` degrees, linear in between, for orders up to ``max_order``.

    Smooth in l means localised on the sphere. Orders above ``max_order`` are zero.

    Attributes:
        knots: the number of degrees at which the matrices are free.
        max_order: the largest order m or n that is not zero.
        is_of_band: that the knots spread over the degrees of a band, so that it is another filter
            at another one.
    """

    is_of_band: ClassVar[bool] = True
    knots: int
    max_order: int

    def __post_init__(self) -> None:
        _check_counts(knots=self.knots)
        check_integer(self.max_order, "max_order", 0)

    def matrices(self, band: int, orders_out: Orders, orders_in: Orders) -> list[Tensor]:
        """The basis of the W^l, as ``SphereFilter`` says.

        Args:
            band: for l < ``band``.
            orders_out: of the output.
            orders_in: of the input.
        Returns:
            For each l a float64 tensor ``(n', n, weights)``.
        """
        knots = min(self.knots, band)
        at = torch.linspace(0, band - 1, knots, dtype=torch.float64)
        spacing = (band - 1) / (knots - 1) if knots > 1 else 1.0
        l = torch.arange(band, dtype=torch.float64)[:, None]
        hat = (1 - (l - at).abs() / spacing).clamp_min(0) if knots > 1 else torch.ones(band, 1)
        out_all, in_all = (self._orders(band, o) for o in (orders_out, orders_in))
        result = []
        for degree in range(band):
            n_out, n_in = signed_orders(degree, orders_out), signed_orders(degree, orders_in)
            rows = _select(n_out, out_all)
            cols = _select(n_in, in_all)
            basis = torch.einsum("ax,by,k->abkxy", rows, cols, hat[degree].double()).flatten(2)
            # Every degree passes with the same gain, whatever the spectrum of the input.
            energy = (basis**2).sum() / max(carried(basis), 1)
            result.append(basis / energy.sqrt() if energy > 0 else basis)
        # A knot below the degrees that have an order would be a weight without effect.
        alive = torch.stack([basis.abs().sum((0, 1)) for basis in result]).sum(0) > 0
        return [basis[..., alive] for basis in result]

    def _orders(self, band: int, orders: Orders) -> list[int]:
        """The signed orders that carry weights: those of an irrep, or the lowest of SO(3)."""
        kept = orders if len(orders) == 1 else tuple(n for n in orders if n <= self.max_order)
        return signed_orders(band - 1, kept)


def _select(present: list[int], wanted: list[int]) -> Tensor:
    """Matrix with a one where an order that is present is a wanted one."""
    return torch.tensor(
        [[1.0 if n == w else 0.0 for w in wanted] for n in present], dtype=torch.float64
    ).reshape(len(present), len(wanted))


@dataclass(frozen=True)
class BlurredFilter:
    r"""The filter, and then a Gaussian on the sphere: :math:`e^{-(l(l+1) - n'^2) \sigma^2 / 2}`.

    Attributes:
        functions: the filter.
        sigma: in steps of the grid, pi / 2b.
        is_of_band: that it is another filter at another band, for whose steps this is.
    """

    is_of_band: ClassVar[bool] = True
    functions: SphereFilter
    sigma: float

    def __post_init__(self) -> None:
        if not callable(getattr(self.functions, "matrices", None)):
            raise TypeError(
                f"functions: expected a SphereFilter, got {type(self.functions).__name__}"
            )
        check_number(self.sigma, "sigma", least=0)

    def at(self, band: int) -> SphereFilter:
        """The filter of a band.

        Args:
            band: for l < ``band``.
        Returns:
            The Gaussian of what ``functions`` are there.
        """
        return replace(self, functions=at_band(self.functions, band))

    def matrices(self, band: int, orders_out: Orders, orders_in: Orders) -> list[Tensor]:
        """The basis of the W^l, as ``SphereFilter`` says.

        Args:
            band: for l < ``band``.
            orders_out: of the output.
            orders_in: of the input.
        Returns:
            For each l a float64 tensor ``(n', n, weights)``.
        """
        found = []
        for l, w in enumerate(self.functions.matrices(band, orders_out, orders_in)):
            n = torch.tensor(signed_orders(l, orders_out), dtype=torch.float64)[:, None, None]
            damping = (l * (l + 1) - n**2) * (self.sigma * step(band)) ** 2 / 2
            found.append(w * torch.exp(-damping))
        return found


def near_identity(
    *,
    max_beta: float | None = None,
    n_alpha: int = 8,
    n_beta: int = 3,
    max_gamma: float | None = None,
    n_gamma: int = 3,
) -> NearIdentityFilter:
    """A filter localised about the identity.

    All points are distinct: ``max_beta`` is below pi, where the other pole is, and at ``max_gamma``
    = pi or 2 pi, a whole turn, the angles are spread evenly over it.

    By default it follows the band: it reaches six steps pi / 2b of the SOFT grid, as far as three
    rings see every wave, and at most pi / 8, which is the less below band 24. ``blurred`` makes
    smooth bumps of the points.

    Args:
        max_beta: the distance of the outermost ring from the pole, in radians.
        n_alpha: points on each ring.
        n_beta: rings.
        max_gamma: turns about a point go from minus this to this, in radians; on SO(3) only.
        n_gamma: turns about each point.
    Returns:
        The filter, for ``enn.SphereConv``.

    References:
        Cohen, Geiger, Koehler and Welling 2018, Spherical CNNs.
    """
    return NearIdentityFilter(max_beta, n_alpha, n_beta, max_gamma, n_gamma)


def blurred(functions: SphereFilter | None = None, sigma: float = 1.5) -> BlurredFilter:
    """A filter whose points are smooth bumps, for local layers at large bands.

    A kernel of points rings with all degrees up to the band; a Gaussian of one or two steps of the
    grid damps the last ones, so that what is left is as local on the sphere as it was meant to be.

    Args:
        functions: the points, or another filter; ``near_identity()`` by default.
        sigma: standard deviation of the Gaussian in steps pi / 2b, for a band b.
    Returns:
        The filter, for ``enn.SphereConv``.
    Raises:
        TypeError: if ``functions`` are no filter.
        ValueError: if ``sigma`` is no number >= 0.
    """
    return BlurredFilter(near_identity() if functions is None else functions, sigma)


def equatorial(
    *,
    n_alpha: int,
    n_beta: int = 1,
    max_beta: float = 0.0,
    n_gamma: int = 1,
    max_gamma: float = 0.0,
) -> EquatorialFilter:
    """A filter on rings about the equator: long and narrow, not local.

    All points are distinct: ``max_beta`` is below pi / 2, where the poles are; for a ``max_gamma``
    of pi or 2 pi see ``near_identity``.

    Args:
        n_alpha: points on each ring.
        n_beta: rings.
        max_beta: the distance of the outermost rings from the equator, in radians.
        n_gamma: turns about each point.
        max_gamma: they go from minus this to this, in radians.
    Returns:
        The filter, for ``enn.SphereConv``.
    """
    return EquatorialFilter(n_alpha, n_beta, max_beta, n_gamma, max_gamma)


def smooth(*, knots: int = 8, max_order: int = 2) -> SmoothFilter:
    """A filter with a smooth spectrum: free matrices at some degrees, and linear in between.

    Args:
        knots: the number of these degrees.
        max_order: the largest order that carries weights.
    Returns:
        The filter, for ``enn.SphereConv``.
    """
    return SmoothFilter(knots, max_order)
