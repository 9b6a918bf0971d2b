r"""Radial profiles: for each angular degree J some functions of the radius.

In: radii. Out: the profiles at them.

With the angular harmonics they span functions on R^n,

.. math:: f_{J,m,i}(x) = \varphi_{J,i}(|x|)\, Y_{J,m}(x / |x|) \quad (R1)

How many profiles a degree has says how fine the angular detail is that a filter may have.
``Bessel`` and ``Zernike`` start as r^J, which makes (R1) smooth at the origin. The profiles of
``GaussianShells``, ``BSpline`` and ``Angular`` need not vanish there: for J > 0, (R1) is 0 at the
origin and jumps next to it.
"""

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from equinet.harmonics.profiles import Profiles, capped, column, complete, cut_off, positive
from equinet.numerics.arguments import check_integer, check_number
from equinet.numerics.bessel import bessel_table, wave

_CUTOFFS = {"conservative": 0, "compromise": 1, "sfcnn": 2}
_CLOSE = 1e-9  # relative; radii and bounds are often decimal fractions or multiples of pi


@dataclass(frozen=True)
class GaussianShells(Profiles):
    r"""Gaussian shells, each with degrees up to a cut-off that grows with its radius.

    .. math:: \varphi_m(r) = \exp\left( -\frac{(r - r_m)^2}{2 \sigma^2} \right),
              \qquad J \le J_{max}(r_m)

    A shell of radius r meets too few pixels for high degrees. The cut-off J_max(r) is 0 at r = 0,
    for r > 0 floor(2r) + 0, 1 or 2 for "conservative", "compromise" or "sfcnn": for r = 0, 1, 2, 3
    these are 0 2 4 6, 0 3 5 7 and 0 4 6 8.

    Attributes:
        radii: r_m in pixels, ascending.
        sigma: width of the shells in pixels.
        cutoff: "conservative", "compromise" or "sfcnn".
        lmax: degrees above it are left out; given None, it becomes the largest that the cut-off
            allows.
    Raises:
        ValueError: if the radii are not ascending and >= 0, or another argument is not as above.

    References:
        Weiler et al. 2018, 3D Steerable CNNs, arXiv 1807.02547.
    """

    radii: tuple[float, ...]
    sigma: float = 0.6
    cutoff: str = "compromise"
    lmax: int = None  # type: ignore[assignment]  # an int from __post_init__ on

    def __post_init__(self) -> None:
        _check_cutoff(self.cutoff)
        if not isinstance(self.radii, tuple | list):
            raise TypeError(f"radii: expected a tuple of numbers, got {self.radii!r}")
        radii = tuple(check_number(radius, "radii") for radius in self.radii)
        ascending = all(a < b for a, b in zip(radii, radii[1:], strict=False))
        if not radii or not ascending or radii[0] < 0 or not math.isfinite(radii[-1]):
            raise ValueError(f"radii: expected ascending numbers >= 0, got {self.radii!r}")
        complete(self, radii=radii, sigma=positive("sigma", self.sigma))
        complete(self, lmax=capped(self.lmax, self._largest_degree(radii[-1])))

    def _largest_degree(self, radius: float) -> int:
        """J_max of the shell of this radius."""
        return math.floor(2 * radius + _CLOSE) + _CUTOFFS[self.cutoff] if radius > 0 else 0

    def _shells(self, degree: int) -> list[float]:
        return [radius for radius in self.radii if self._largest_degree(radius) >= degree]

    def _count(self, degree: int) -> int:
        return len(self._shells(degree))

    def _values(self, degree: int, r: Tensor) -> Tensor:
        distance = r - column(self._shells(degree), r)
        return torch.exp(-(distance * distance) / (2 * self.sigma**2))


def gaussian_shells(
    extent: float, sigma: float = 0.6, cutoff: str = "compromise", lmax: int | None = None
) -> GaussianShells:
    """Shells one pixel apart that end at ``extent``: radii ..., extent - 1, extent.

    Args:
        extent: largest half-width of the filter in pixels, (size - 1) / 2: 2 for size 5 gives the
            radii 0, 1, 2, and 1.5 for size 4 gives 0.5, 1.5.
        sigma: see ``GaussianShells``, as are the others.
        cutoff: which degrees a shell has.
        lmax: no degrees above this one.
    Returns:
        The profiles.
    Raises:
        ValueError: if ``extent`` is negative or not finite.
    """
    check_number(extent, "extent", 0)
    _check_cutoff(cutoff)
    steps = math.floor(extent + _CLOSE)
    radii = tuple(max(extent - step, 0.0) for step in range(steps, -1, -1))
    shells = GaussianShells(radii, sigma, cutoff)
    return replace(shells, lmax=capped(lmax, shells.lmax))


@dataclass(frozen=True)
class Bessel(Profiles):
    r"""Eigenfunctions of the Laplacian in the ball of R^n that vanish on its surface.

    .. math::
        \varphi_{l,i}(r) = c_{l,i}\, f_l(z_{l,i} r / R), \quad
        c_{l,i}^{-2} = \tfrac12 R^n f_l'(z_{l,i})^2, \quad
        \int_0^R \varphi_{l,i} \varphi_{l,j} r^{n-1} dr = \delta_{ij} \quad (R2)

    where z_{l,i} is the i-th positive zero of f_l, and f_l is the Bessel function J_l for n = 2,
    the spherical Bessel function j_l for n = 3, and cos or sin (l = 0, 1) for n = 1. They are zero
    outside the ball. The frequency of (R2) is z_{l,i} / R: those of at most ``bound`` / R are kept,
    so that a filter has no more angular than radial detail.

    Attributes:
        radius: R, in pixels for a filter on a grid; half a pixel more than the half-width of the
            filter keeps its outermost pixels in use.
        n: 1, 2 or 3.
        lmax: degrees above it are left out; given None, it becomes the largest degree with a zero
            up to ``bound``.
        bound: of the zeros; pi R by default, the highest frequency that pixels of size 1 carry.
        max_count: at most this many profiles a degree.
    Raises:
        ValueError: if no zero is below ``bound``, or another argument is not as above.
    """

    radius: float
    n: int
    lmax: int = None  # type: ignore[assignment]  # an int from __post_init__ on
    bound: float = None  # type: ignore[assignment]  # a float from __post_init__ on
    max_count: int | None = None
    # By degree: zeros / R, factors c, nodes t and weights w of (J1). Python numbers, which know no
    # device and which a compiler takes as constants.
    _table: tuple[tuple[tuple[float, ...], ...], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        radius = positive("radius", self.radius)
        bound = math.pi * radius if self.bound is None else positive("bound", self.bound)
        _check_n(self.n)
        if self.max_count is not None:
            check_integer(self.max_count, "max_count", 1)
        largest = 1 if self.n == 1 else math.floor(bound)  # z_{l,1} > l for n = 2, 3
        table = []
        for degree in range(capped(self.lmax, largest) + 1):
            zeros, slopes, nodes, weights = bessel_table(self.n, degree, bound * (1 + _CLOSE))
            zeros, slopes = zeros[: self.max_count], slopes[: self.max_count]
            if not zeros:
                break
            frequencies = tuple(z / radius for z in zeros)
            factors = tuple(math.sqrt(2 / radius**self.n) / abs(slope) for slope in slopes)
            table.append((frequencies, factors, nodes, weights))
        if not table:
            raise ValueError(
                f"bound: expected at least the first zero of degree 0, which is "
                f"{('pi / 2', '2.4048', 'pi')[self.n - 1]} for n = {self.n}, got {bound!r} (pi "
                "radius by default)"
            )
        complete(self, radius=radius, bound=bound, lmax=len(table) - 1, _table=tuple(table))

    def _count(self, degree: int) -> int:
        return len(self._table[degree][0])

    def _values(self, degree: int, r: Tensor) -> Tensor:
        frequencies, factors, nodes, weights = self._table[degree]
        x = column(frequencies, r) * r.clamp(max=self.radius)
        waves = wave(torch, degree)(x[..., None] * r.new_tensor(nodes))
        value = (waves * r.new_tensor(weights)).sum(-1) * column(factors, r)
        return cut_off(value, r, self.radius)


@dataclass(frozen=True)
class Zernike(Profiles):
    r"""Radial Zernike polynomials of the ball of R^n, N - l even, N <= ``order``.

    .. math::
        \varphi_{l,k}(r) = \sqrt{\frac{2N + n}{R^n}}\, R_N^l(r / R), \quad N = l + 2k, \quad
        R_N^l(\rho) = \rho^l P_k^{(0,\, l + n/2 - 1)}(2 \rho^2 - 1) \quad (R3)

    with Jacobi polynomials P_k. For n = 2 the R_N^l are the classical ones, with R_N^l(1) = 1, for
    n = 3 those of the 3D Zernike functions, for n = 1 the Legendre polynomials of the parity of l.
    With the weight r^{n-1} the profiles of a degree are orthonormal on [0, R]; with Y_J they are
    all polynomials in x of degree up to ``order``. They are zero beyond R, and jump at R.

    Attributes:
        radius: R.
        order: largest N; it is also ``lmax``, but for n = 1, where there are two degrees only.
        n: 1, 2 or 3.
    Raises:
        ValueError: if an argument is not as above.
    """

    radius: float
    order: int
    n: int

    def __post_init__(self) -> None:
        complete(self, radius=positive("radius", self.radius))
        check_integer(self.order, "order", 0)
        _check_n(self.n)

    @property
    def lmax(self) -> int:  # type: ignore[override]
        """Largest degree with any profile."""
        return min(self.order, 1) if self.n == 1 else self.order

    def _count(self, degree: int) -> int:
        return (self.order - degree) // 2 + 1

    def _values(self, degree: int, r: Tensor) -> Tensor:
        rho = r.clamp(max=self.radius) / self.radius
        b = degree + self.n / 2 - 1
        x = 2 * rho * rho - 1
        rows = [rho**degree]
        if self._count(degree) > 1:
            rows.append(((b + 2) * x - b) / 2 * rows[0])
        for k in range(2, self._count(degree)):  # the recursion in k is stable, the sum is not
            c = 2 * k + b
            top = (c - 1) * (c * (c - 2) * x - b * b) * rows[-1]
            back = 2 * (k - 1) * (k + b - 1) * c * rows[-2]
            rows.append((top - back) / (2 * k * (k + b) * (c - 2)))
        squares = [2 * (degree + 2 * k) + self.n for k in range(len(rows))]
        factors = [math.sqrt(square / self.radius**self.n) for square in squares]
        return cut_off(torch.stack(rows) * column(factors, r), r, self.radius)


@dataclass(frozen=True)
class BSpline(Profiles):
    r"""Uniform B-splines in r, the same for every degree, flat at r = 0 and zero beyond R.

    .. math:: \varphi_i(r) = \sum_{c \sim i} B_p(r / h - c), \qquad 0 \le i < count

    B_p is the B-spline of degree p with knots at distance 1, centred at 0. A centre c reflected at
    0 belongs to the same function as c, so each function is even in r.

    - ``vanish=False``: h = R / (count - 1), the centres are reflected at R too. The functions sum
      to 1 on [0, R], and jump to 0 at R.
    - ``vanish=True``: the last support ends at R, h = R / (count - 1 + (p + 1) / 2). The functions
      go to 0 at R with p - 1 continuous derivatives, and sum to 1 where r <= R - p h.

    Attributes:
        radius: R.
        splines: number of functions a degree.
        lmax: largest degree.
        spline_degree: p >= 2.
        vanish: whether they go to 0 at R.
    Raises:
        ValueError: if an argument is not as above.
    """

    radius: float
    splines: int
    lmax: int
    spline_degree: int = 2
    vanish: bool = False

    def __post_init__(self) -> None:
        complete(self, radius=positive("radius", self.radius))
        check_integer(self.splines, "splines", 1)
        check_integer(self.lmax, "lmax", 0)
        check_integer(self.spline_degree, "spline_degree", 2)

    def _count(self, degree: int) -> int:
        return self.splines

    def _values(self, degree: int, r: Tensor) -> Tensor:
        p, last = self.spline_degree, self.splines - 1
        if self.vanish:
            step = self.radius / (last + (p + 1) / 2)
            centres = list(range(-last, last + 1))
            owner = [abs(c) for c in centres]
        else:
            step = self.radius / max(last, 1)
            reach = p // 2  # centres at most this far outside have a support that enters
            centres = list(range(-reach, max(last, 1) + reach + 1))
            turns = [c % max(2 * last, 1) for c in centres]
            owner = [min(c, 2 * last - c) for c in turns]
        u = (p + 1) / 2 - (r.clamp(max=self.radius) / step - column(centres, r)).abs()
        # Truncated powers; B_p is even, so half of them are enough, and they hardly cancel.
        powers = [
            (-1) ** k * math.comb(p + 1, k) / math.factorial(p) * (u - k).clamp(min=0) ** p
            for k in range(p // 2 + 1)
        ]
        value = torch.stack(powers).sum(0)
        index = torch.tensor(owner, device=r.device)
        folded = value.new_zeros(self.splines, *r.shape).index_add(0, index, value)
        return cut_off(folded, r, self.radius)


@dataclass(frozen=True)
class Angular(Profiles):
    """One profile a degree, the constant 1: for filters whose radial part a network learns.

    Attributes:
        lmax: largest degree.
    Raises:
        ValueError: if ``lmax`` is not an integer >= 0.
    """

    lmax: int

    def __post_init__(self) -> None:
        check_integer(self.lmax, "lmax", 0)

    def _count(self, degree: int) -> int:
        return 1

    def _values(self, degree: int, r: Tensor) -> Tensor:
        return torch.ones_like(r)[None]


def _check_cutoff(cutoff: str) -> None:
    if not isinstance(cutoff, str) or cutoff not in _CUTOFFS:
        raise ValueError(f"cutoff: expected one of {tuple(_CUTOFFS)}, got {cutoff!r}")


def _check_n(n: int) -> None:
    if isinstance(n, bool) or n not in (1, 2, 3):
        raise ValueError(f"n: expected 1, 2 or 3, got {n!r}")
