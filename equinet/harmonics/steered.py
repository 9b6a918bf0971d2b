r"""Functions on R^n that a group steers.

A family of steered functions is a list of vectors of functions, each of which transforms by an
irrep,

.. math:: f(h x) = \psi(h) f(x), \qquad h \in H \quad (Y1)

Two families are used: (angular harmonics) x (radial profiles) on all of R^n, here, and the
indicator functions of pixels on a grid that H maps to itself, in ``pixel``; and the constant
function where there is no space.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from equinet.group import O2, O3, SO2, SO3, Group, inversion, o2, o3
from equinet.group.group import check_group
from equinet.harmonics.circular import angular_harmonics
from equinet.harmonics.filter_grids import FilterGrid, check_grid, check_samples
from equinet.harmonics.moments import match_moments
from equinet.harmonics.profiles import Radial
from equinet.harmonics.radial import gaussian_shells
from equinet.numerics.arguments import check_integer, check_memory, check_number
from equinet.numerics.cached import cached
from equinet.rep import Irrep, Representation, irrep, restrict, trivial


class SteeredFunctions(Protocol):
    """A family of steered functions."""

    @property
    def group(self) -> Group:
        """H."""
        ...

    @property
    def counts(self) -> dict[Irrep, int]:
        """How many vectors of functions transform by each irrep."""
        ...

    def __call__(self, points: Tensor) -> dict[Irrep, Tensor]:
        """Their values at ``points`` ``(..., n)``: for each irrep ``(count, dim, ...)``."""
        ...

    def on(self, grid: FilterGrid) -> dict[Irrep, Tensor]:
        """Their samples at the taps of a filter, which stand for them in a convolution."""
        ...


def harmonics_representation(group: Group, degree: int) -> Representation:
    """How a group acts on the harmonics of one degree.

    Args:
        group: of matrices of size n = 1, 2 or 3.
        degree: J; on the line 0 or 1.
    Returns:
        rho with Y(h x) = rho(h) Y(x) for ``angular_harmonics``, split into irreps.
    Raises:
        TypeError: if ``group`` is no group.
        ValueError: if there are no harmonics of this degree in so many dimensions.
    """
    check_group(group)
    check_integer(degree, "degree", 0)
    return _representation(group, degree)


@cached()
def _representation(group: Group, degree: int) -> Representation:
    if group.n not in (1, 2, 3):
        raise ValueError(
            f"group: expected one of the line, the plane or space, got {group} in O({group.n})"
        )
    if isinstance(group, SO2 | SO3):
        return irrep(group, degree)
    if group.n == 1:
        if degree > 1:
            raise ValueError(f"degree: expected 0 or 1 on the line, got {degree}")
        ambient, name = inversion(1), ("0e", "0o")[degree]
    elif group.n == 2:
        ambient, name = o2(), str(degree) if degree else "0e"
    else:
        ambient, name = o3(), f"{degree}{'eo'[degree % 2]}"
    whole = irrep(ambient, name)
    return whole if isinstance(group, O2 | O3) else restrict(whole, group)


@dataclass(frozen=True)
class Harmonics:
    r"""Angular harmonics times radial profiles.

    .. math:: f(x) = \varphi_{J,i}(|x| / u)\; Q_J^T\, Y_J(x / |x|)

    where the columns of Q_J are one irrep in the harmonics of degree J.

    Attributes:
        group: H, of the line, the plane or space.
        radial: the radial profiles for each degree.
        unit: u, the length that the profiles count in: the distance of the taps of a filter.
    """

    group: Group
    radial: Radial
    unit: float = 1.0

    def __post_init__(self) -> None:
        check_group(self.group)
        if not hasattr(self.radial, "lmax"):
            raise TypeError(f"radial: expected radial profiles, got {type(self.radial).__name__}")
        check_number(self.unit, "unit", above=0)
        n = getattr(self.radial, "n", self.group.n)
        if n != self.group.n:
            raise ValueError(
                f"radial: expected profiles in {self.group.n} dimensions for {self.group}, got "
                f"{self.radial}"
            )

    @property
    def counts(self) -> dict[Irrep, int]:
        """How many vectors of functions transform by each irrep."""
        found: dict[Irrep, int] = {}
        for degree in self._degrees:
            profiles = self.radial.count(degree)
            for psi, copies in harmonics_representation(self.group, degree).multiplicities.items():
                found[psi] = found.get(psi, 0) + copies * profiles
        return {psi: count for psi, count in found.items() if count}

    @property
    def _degrees(self) -> range:
        largest = min(self.radial.lmax, 1) if self.group.n == 1 else self.radial.lmax
        return range(largest + 1)

    def __call__(self, points: Tensor) -> dict[Irrep, Tensor]:
        """Values at ``points`` ``(..., n)``: for each irrep ``(count, dim, ...)``."""
        return self._split(self._whole(points))

    def on(self, grid: FilterGrid) -> dict[Irrep, Tensor]:
        """The samples at the taps, with the moments that the functions have in R^n (Y2)."""
        _check_samples(self.radial, grid)
        points = grid.points
        profiles, _ = self._factors(points)
        return self._split(match_moments(self._whole(points), profiles, points))

    def _whole(self, points: Tensor) -> list[Tensor]:
        """All harmonics times all profiles, one ``(profiles, dim, ...)`` for each degree."""
        return [phi[:, None] * y for phi, y in zip(*self._factors(points), strict=True)]

    def _factors(self, points: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """The profiles ``(profiles, ...)`` and the harmonics ``(dim, ...)`` of each degree."""
        if points.shape[-1:] != (self.group.n,):
            raise ValueError(
                f"points: expected (..., {self.group.n}) for {self.group}, got "
                f"{tuple(points.shape)}"
            )
        radius = _norm(points) / self.unit
        angular = angular_harmonics(self._degrees.stop - 1, points)
        profiles = [self.radial(degree, radius) for degree in self._degrees]
        return profiles, [y.movedim(-1, 0) for y in angular]

    def _split(self, whole: list[Tensor]) -> dict[Irrep, Tensor]:
        """Q_J^T of the harmonics of each degree, irrep by irrep."""
        found: dict[Irrep, list[Tensor]] = {psi: [] for psi in self.counts}
        for degree, values in zip(self._degrees, whole, strict=True):
            rho = harmonics_representation(self.group, degree)
            start = 0
            for psi in rho.constituents:
                stop = start + psi.dim
                if rho.Q is None:
                    y = values[:, start:stop]
                else:
                    y = torch.einsum("cm...,mi->ci...", values, rho.Q[:, start:stop].to(values))
                if len(y):
                    found[psi].append(y)
                start = stop
        return {psi: torch.cat(values) for psi, values in found.items()}


def angular_coefficients(group: Group, lmax: int) -> dict[Irrep, Tensor]:
    r"""The vectors of angular harmonics that H steers, as coefficients.

    Args:
        group: H, of the line, the plane or space.
        lmax: largest degree of the harmonics.
    Returns:
        For each irrep ``(count, dim, harmonics)``, float64: times the values of
        ``angular_harmonics``, in a row, they are the functions of ``Harmonics`` without their
        radial profiles.
    Raises:
        TypeError: if ``group`` is no group.
        ValueError: if ``lmax`` is no degree, or too large to fit into memory.
    """
    check_group(group)
    check_integer(lmax, "lmax", 0)
    check_memory((lmax + 1) ** 3, "lmax", f"all degrees up to {lmax}")
    found: dict[Irrep, list[Tensor]] = {}
    degrees = range(min(lmax, 1) + 1 if group.n == 1 else lmax + 1)
    rhos = [harmonics_representation(group, degree) for degree in degrees]
    total, first = sum(rho.dim for rho in rhos), 0
    for rho in rhos:
        basis = rho.basis
        start = 0
        for psi in rho.constituents:
            rows = torch.zeros(1, psi.dim, total, dtype=torch.float64)
            rows[0, :, first : first + rho.dim] = basis[:, start : start + psi.dim].mT
            found.setdefault(psi, []).append(rows)
            start += psi.dim
        first += rho.dim
    return {psi: torch.cat(rows) for psi, rows in found.items()}


@dataclass(frozen=True)
class ConstantFunction:
    """The function 1 alone: kernels made of it are maps between fibres, the same at every point.

    Attributes:
        group: H, of any matrices.
    """

    group: Group

    def __post_init__(self) -> None:
        check_group(self.group)

    @property
    def counts(self) -> dict[Irrep, int]:
        """One function, of the trivial irrep."""
        return {_trivial(self.group): 1}

    def __call__(self, points: Tensor) -> dict[Irrep, Tensor]:
        """1 at each of ``points``, ``(1, 1, ...)``."""
        return {_trivial(self.group): points.new_ones(1, 1, *points.shape[:-1])}

    def on(self, grid: FilterGrid) -> dict[Irrep, Tensor]:
        """1 at each of the taps."""
        return self(grid.points)


@cached()
def _trivial(group: Group) -> Irrep:
    return trivial(group).constituents[0]


def shell_harmonics(
    group: Group,
    grid: FilterGrid,
    *,
    sigma: float = 0.6,
    cutoff: str | None = None,
    lmax: int | None = None,
) -> Harmonics:
    """Harmonics times Gaussian shells, one for each ring of taps of a filter.

    Args:
        group: H, of the line, the plane or space.
        grid: the taps; the distance of neighbours is the unit of the shells.
        sigma: width of the shells, in units.
        cutoff: how fine the angular detail of each shell is, see ``GaussianShells``; by default
            "compromise", for even sizes "conservative": their shells have half-integer radii, on
            which the taps cannot tell more harmonics apart.
        lmax: a cap of the degree.
    Returns:
        The functions.
    Raises:
        TypeError: if ``group`` is no group, or ``grid`` no taps.
        ValueError: if the group and the taps are of different dimensions.
    """
    check_group(group)
    check_grid(grid)
    if group.n != grid.n:
        raise ValueError(
            f"grid: expected taps in {group.n} dimensions for {group}, got some in {grid.n}"
        )
    if cutoff is None:
        cutoff = "compromise" if all(k % 2 for k in grid.size) else "conservative"
    extent = round(grid.extent / grid.unit, 9)  # equal filters have equal shells in any unit
    radial = gaussian_shells(extent, sigma, cutoff, lmax)
    _check_samples(radial, grid)  # before the group is asked for its harmonics
    return Harmonics(group, radial, grid.unit)


def _check_samples(radial: Radial, grid: FilterGrid) -> None:
    """Raise ValueError if the harmonics are too many for the taps."""
    degrees = range(min(radial.lmax, 1) + 1 if grid.n == 1 else radial.lmax + 1)
    dims = [1 if grid.n == 1 or J == 0 else 2 if grid.n == 2 else 2 * J + 1 for J in degrees]
    count = sum(radial.count(J) * dim for J, dim in zip(degrees, dims, strict=True))
    check_samples(grid, count, "harmonics")


def _norm(points: Tensor) -> Tensor:
    """The length of points, with gradient 0 at the origin."""
    squares = (points * points).sum(-1)
    off = squares > 0
    return torch.where(off, torch.where(off, squares, torch.ones_like(squares)).sqrt(), squares)
