r"""Equivariant filters on the sphere.

In: two sets of orders and the description of a filter. Out: its Fourier matrices.

A correlation [psi * f](R) = int psi(R^-1 Q) f(Q) dQ is, degree by degree, a product of matrices,

.. math:: \widehat{\psi * f}{}^l_{m n'} = \sum_n \hat f^l_{mn} W^l_{n'n}, \qquad
          W^l_{n'n} = \int \psi D^l_{n'n} \quad (K1)

where n runs over the orders of the input field and n' over those of the output field (0 for
functions on S^2, -s and s for the irrep s of SO(2), all for functions on SO(3)). By Schur's lemma
every family of real matrices W^l gives an equivariant map, and there are no others; a filter is a
choice of some of them: localised ones are sums of point masses, psi = sum_p w_p delta(Q_p), hence

.. math:: W^l_{n'n} = \sum_p w_p D^l_{n'n}(Q_p) \quad (K2)

and smooth ones interpolate free matrices at a few degrees l.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from equinet.harmonics.grid import signed_orders
from equinet.numerics import wigner_d_real
from equinet.numerics.arguments import check_integer, check_memory, check_number, is_row

Orders = tuple[int, ...]

_NEAR = 1e-6  # radians


class SphereFilter(Protocol):
    """A family of Fourier matrices W^l that is linear in its weights."""

    def matrices(self, band: int, orders_out: Orders, orders_in: Orders) -> list[Tensor]:
        """The basis of the W^l.

        Args:
            band: for l < ``band``.
            orders_out: of the output, which are the rows; n' is m and -m for each.
            orders_in: of the input, which are the columns.
        Returns:
            For each l a float64 tensor ``(n', n, weights)``.
        """
        ...


class _PointFilter:
    """A filter made of point masses (K2) at Q = Y(alpha) X(beta) Y(gamma)."""

    def matrices(self, band: int, orders_out: Orders, orders_in: Orders) -> list[Tensor]:
        return wigner_D_rows(band, orders_out, orders_in, self.points(orders_out, orders_in))

    def points(self, orders_out: Orders, orders_in: Orders) -> Tensor:
        """Angles (alpha, beta, gamma) of the point masses.

        Args:
            orders_out: of the output.
            orders_in: of the input.
        Returns:
            float64 ``(weights, 3)``, in radians.
        """
        raise TypeError(f"{type(self).__name__} has no points")


def wigner_D_rows(band: int, rows: Orders, columns: Orders, angles: Tensor) -> list[Tensor]:
    r"""Rows +-m and columns +-n of the real D^l(alpha, beta, gamma), for all l < ``band`` at once.

    Args:
        band: the degrees are below it.
        rows: the orders m >= 0.
        columns: the orders n >= 0.
        angles: (alpha, beta, gamma) in radians, ``(points, 3)``.
    Returns:
        For each l a float64 tensor ``(signed rows, signed columns, points)``.
    """
    alpha, beta, gamma = angles.unbind(-1)
    beta, where = beta.unique(return_inverse=True)  # few, so d is cheap
    result = []
    parts = {n: wigner_d_real(band, n, beta)[..., where] for n in columns if n < band}
    for l in range(band):
        m = torch.tensor(signed_orders(l, rows), dtype=torch.float64)[:, None]
        k = signed_orders(l, columns)
        out = torch.zeros(len(m), len(k), len(angles), dtype=torch.float64)
        index = m.abs().long()[:, 0]
        # Row +-m of Z(alpha) meets d^cc through its entry with index |m|, d^ss with index -|m|.
        through_cc = torch.where(m >= 0, (m * alpha).cos(), (-m * alpha).sin())
        through_ss = torch.where(m >= 0, -(m * alpha).sin(), (m * alpha).cos())
        for i, n in enumerate(k):
            cc, ss = parts[abs(n)][:, l - abs(n), index]
            c, s = (n * gamma).cos(), (n * gamma).sin()
            from_cc, from_ss = (c, s) if n >= 0 else (s, c)  # column n of Z(gamma)
            out[:, i] = through_cc * cc * from_cc + through_ss * ss * from_ss
        result.append(out)
    return result


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
    """``count`` angles from -limit to limit; at pi, where both ends are one, without the first."""
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
        value: in radians, at most pi.
        count: of the angles.
        pole: where a ring of points is one point, which would have many weights.
    """
    check_number(value, name, 0)
    reached = pole is not None and value > pole - _NEAR
    if reached or value > math.pi + _NEAR or (value == 0 and count > 1):
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
        max_beta: the largest angle from the pole, in radians.
        n_alpha: angles on a ring.
        n_beta: rings.
        max_gamma: the largest turn, in radians.
        n_gamma: turns at each point of a ring.
    """

    max_beta: float
    n_alpha: int
    n_beta: int
    max_gamma: float
    n_gamma: int

    def __post_init__(self) -> None:
        _check_counts(n_alpha=self.n_alpha, n_beta=self.n_beta, n_gamma=self.n_gamma)
        _check_angle("max_beta", self.max_beta, pole=math.pi)
        _check_angle("max_gamma", self.max_gamma, self.n_gamma)

    def points(self, orders_out: Orders, orders_in: Orders) -> Tensor:
        step = torch.arange(1, self.n_beta + 1, dtype=torch.float64)
        beta = self.max_beta * step / self.n_beta
        alpha = _phases(orders_out, self.n_alpha)
        both = len(orders_out) > 1 and len(orders_in) > 1
        gamma = (
            _symmetric(self.max_gamma, self.n_gamma) if both else _phases(orders_in, self.n_alpha)
        )
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
    """

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
            energy = (basis**2).sum() / max(_carried(basis), 1)
            result.append(basis / energy.sqrt() if energy > 0 else basis)
        # A knot below the degrees that have an order would be a weight without effect.
        alive = torch.stack([basis.abs().sum((0, 1)) for basis in result]).sum(0) > 0
        return [basis[..., alive] for basis in result]

    def _orders(self, band: int, orders: Orders) -> list[int]:
        """The signed orders that carry weights: those of an irrep, or the lowest of SO(3)."""
        kept = orders if len(orders) == 1 else tuple(n for n in orders if n <= self.max_order)
        return signed_orders(band - 1, kept)


def _carried(basis: Tensor) -> int:
    """Number of input orders that some weight acts on, for a basis ``(n', n, weights)``."""
    return int(basis.abs().sum((0, 2)).count_nonzero())


def _select(present: list[int], wanted: list[int]) -> Tensor:
    """Matrix with a one where an order that is present is a wanted one."""
    return torch.tensor(
        [[1.0 if n == w else 0.0 for w in wanted] for n in present], dtype=torch.float64
    ).reshape(len(present), len(wanted))


def near_identity(
    *,
    max_beta: float = math.pi / 8,
    n_alpha: int = 8,
    n_beta: int = 3,
    max_gamma: float = math.pi / 8,
    n_gamma: int = 3,
) -> NearIdentityFilter:
    """A filter localised about the identity.

    All points are distinct: ``max_beta`` is below pi, where the other pole is, and at ``max_gamma``
    = pi, whose two ends are one angle, the first is left out and the others are spread evenly.

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


def equatorial(
    *,
    n_alpha: int,
    n_beta: int = 1,
    max_beta: float = 0.0,
    n_gamma: int = 1,
    max_gamma: float = 0.0,
) -> EquatorialFilter:
    """A filter on rings about the equator: long and narrow, not local.

    All points are distinct: ``max_beta`` is below pi / 2, where the poles are; for ``max_gamma`` =
    pi see ``near_identity``.

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


def sphere_basis(
    kernel: SphereFilter, band: int, orders_out: Orders, orders_in: Orders
) -> tuple[Tensor, float]:
    r"""The matrices of a filter as one tensor, and the gain of variance.

    One output copy has, for one input copy of unit variance in degree l only and for independent
    weights of variance sigma^2, the variance

    .. math:: \sigma^2 \sum_{n'n,p} (W^l_{n'n,p})^2 \Big/ \sum_n 1 \quad (K3)

    with n over the input orders that the filter acts on. The gain is the root of its largest value
    over l, so that no spectrum of the input can make variance grow from layer to layer.

    Args:
        kernel: the filter.
        band: degrees l < ``band`` are mapped.
        orders_out: of the output.
        orders_in: of the input.
    Returns:
        float64 ``(sum over l of n' n, weights)``, and the gain (0 if the map can only be zero).
    Raises:
        TypeError: if ``kernel`` is no filter, or orders are no row.
        ValueError: for a band or an order that is no integer in range.
    """
    if not callable(getattr(kernel, "matrices", None)):
        raise TypeError(f"kernel: expected a filter of a sphere, got {type(kernel).__name__}")
    check_integer(band, "band")
    check_memory(band**3, "band", f"the matrices of a filter of band {band}")
    for name, orders in (("orders_out", orders_out), ("orders_in", orders_in)):
        if not is_row(orders):
            raise TypeError(f"{name}: expected a sequence of integers, got {orders!r}")
        for n in orders:
            check_integer(n, name, 0)
    matrices = kernel.matrices(band, orders_out, orders_in)
    gain = max(float((w**2).sum()) / max(_carried(w), 1) for w in matrices)
    basis = torch.cat([w.flatten(0, 1) for w in matrices])
    return basis, math.sqrt(gain)
