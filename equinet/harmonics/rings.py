r"""Samplings of the sphere: rings of equal latitude, each with equally spaced longitudes.

In: their sizes. Out: ``Rings``, a value.

The angles of this library: beta is the distance from the north pole (colatitude) and alpha the
longitude, counter-clockwise, so that the point is (sin beta sin alpha, cos beta, sin beta cos
alpha); the pole is y, and (x, y, z) here is (y, z, x) where z is the pole.
"""

from __future__ import annotations

import functools
import math
import warnings
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor

from equinet.harmonics.ring_numbers import (
    check_longitude,
    counts_of,
    ends,
    floats,
    measured_degree,
    symmetric,
)
from equinet.numerics import angles_to_matrix, soft_angles, soft_weights
from equinet.numerics.arguments import (
    check_flag,
    check_integer,
    check_memory,
    check_string,
)
from equinet.numerics.cached import cached
from equinet.numerics.quadrature import clenshaw_curtis_weights, fejer_weights, gauss_rule

_EXACT = 1e-10  # error of a quadrature that counts as exact
_HOLDS = 1e-6  # and of one that fields may be given on, as with angles in single precision
_NEAR = 1e-9  # radians, between a ring and the mirror image of another

N = TypeVar("N", int, float)


@dataclass(frozen=True)
class Rings:
    r"""A sampling of the sphere: rings from north to south, each with its longitudes.

    Ring j has the points (beta_j, start_j + 2 pi k / count_j), k < count_j. Made by ``soft``,
    ``equiangular``, ``gauss``, ``healpix`` and ``octahedral``, or of numbers of your own. Two are
    equal if their numbers are.

    Args:
        beta: angle from the north pole of each ring in radians, ascending, in [0, pi]. Angles that
            the equator mirrors onto each other up to rounding are made to do so.
        weight: of each ring in a mean over the sphere, quadrature of
            :math:`\tfrac12 \int f \sin\beta\, d\beta`; their sum is 1.
        counts: number of points of each ring.
        starts: longitude of the first point of each ring, in radians; 0 by default.
        degree: the largest band of fields that the rings hold. By default it is measured: up to
            there the quadrature of a product of two fields errs less than 1e-6, and no ring has
            fewer points than 2 degree sin(beta) - 1, as many as such a field has waves.
        name: what ``repr`` shows.
    Raises:
        TypeError: if an argument is no row of numbers.
        ValueError: if they are out of range, out of order, or of different lengths, or the rings
            cannot hold ``degree``.
    Warns:
        UserWarning: if the measured degree is less than a quarter of the number of rings.

    Attributes:
        is_uniform: whether all rings have equally many points that start at one longitude.
        shape: ``(rings, longitudes)`` of a signal if the rings are uniform, else ``(points,)``,
            ring by ring.
        count: number of points.

    Example:
        >>> gauss(16).shape, healpix(8).shape
        ((16, 32), (768,))
        >>> equiangular(181, 360, poles=True).degree
        91
    """

    beta: tuple[float, ...]
    weight: tuple[float, ...]
    counts: tuple[int, ...]
    starts: tuple[float, ...] = ()
    degree: int = 0
    name: str = field(default="", compare=False)
    is_uniform: bool = field(init=False, compare=False, repr=False)
    shape: tuple[int, ...] = field(init=False, compare=False, repr=False)
    count: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        own = functools.partial(object.__setattr__, self)
        check_string(self.name, "name")
        own("beta", floats(self.beta, "beta"))
        size = len(self.beta)
        own("weight", floats(self.weight, "weight", size))
        own("counts", counts_of(self.counts, size))
        starts = floats(self.starts, "starts", size) if len(self.starts) else (0.0,) * size
        own("starts", tuple(check_longitude(start, "starts") for start in starts))
        ordered = all(a < b for a, b in pairwise(self.beta))
        if not size or not ordered or self.beta[0] < 0 or self.beta[-1] > math.pi:
            raise ValueError(
                "beta: expected one or more angles from the north pole, ascending from 0 to pi, "
                f"got {ends(self.beta)}; rows from south to north are turned with x.flip(-2)"
            )
        own("beta", symmetric(self.beta))
        if abs(sum(self.weight) - 1) > 1e-6:
            raise ValueError(f"weight: expected numbers of sum 1, got {sum(self.weight):g}")
        own("is_uniform", len(set(self.counts)) == 1 and len(set(self.starts)) == 1)
        own("count", sum(self.counts))
        own("shape", (size, self.counts[0]) if self.is_uniform else (self.count,))
        most = min(size, (max(self.counts) + 1) // 2)
        if self.degree:
            own("degree", check_integer(self.degree, "degree"))
            if self.degree > most:
                raise ValueError(
                    f"degree: expected at most {most}, which {size} rings of up to "
                    f"{max(self.counts)} points tell apart, got {self.degree}"
                )
            return
        own("degree", self._measured(_HOLDS))
        if 4 * self.degree < most:
            warnings.warn(
                f"weight: the quadrature of these {size} rings is good up to band {self.degree} "
                "only; are these the weights of these angles? Where data are in a file, "
                "transforms.Sample.from_degrees knows its grid; degree= says what they hold",
                stacklevel=3,
            )

    @functools.cached_property
    def _hash(self) -> int:
        return hash((self.beta, self.weight, self.counts, self.starts, self.degree))

    def __hash__(self) -> int:
        return self._hash

    @functools.cached_property
    def is_symmetric(self) -> bool:
        """Whether the equator mirrors the rings onto each other, which the transforms need."""
        both = zip(self.beta, reversed(self.beta), strict=True)
        return all(abs(a + b - math.pi) < _NEAR for a, b in both)

    @functools.cached_property
    def exact_degree(self) -> int:
        """The largest band for which one analysis is exact, as measured; at least 1.

        Up to there quadrature along a meridian integrates products of two fields, and rings have
        enough points.
        """
        return self._measured(_EXACT)

    def _measured(self, error: float) -> int:
        return measured_degree(self.beta, self.weight, self.counts, self.is_uniform, error)

    @functools.cached_property
    def soft_band(self) -> int | None:
        """b, if they are ``soft(b)``."""
        band = len(self.beta) // 2
        return band if self.shape == (2 * band, 2 * band) and self == soft(band) else None

    def angles(self) -> tuple[Tensor, Tensor]:
        """Angles of all points in radians.

        Returns:
            ``beta`` and ``alpha``, float64, ``shape`` each.
        """
        counts = torch.tensor(self.counts)
        beta = torch.tensor(self.beta, dtype=torch.float64).repeat_interleave(counts)
        start = torch.tensor(self.starts, dtype=torch.float64).repeat_interleave(counts)
        first = (counts.cumsum(0) - counts).repeat_interleave(counts)
        step = 2 * math.pi / counts.repeat_interleave(counts).double()
        alpha = start + (torch.arange(self.count) - first) * step
        return beta.view(self.shape), alpha.view(self.shape)

    def positions(self) -> Tensor:
        """The points as unit vectors (x, y, z), whose pole is y.

        Returns:
            float64 ``(*shape, 3)``.
        """
        beta, alpha = self.angles()
        return angles_to_matrix(alpha, beta, torch.zeros_like(alpha))[..., 1]

    @property
    def weights(self) -> Tensor:
        """Weights of the points along the first axis of ``shape`` in a mean, float64, of sum 1."""
        weight = torch.tensor(self.weight, dtype=torch.float64)
        if self.is_uniform:
            return weight
        counts = torch.tensor(self.counts)
        return (weight / counts).repeat_interleave(counts)

    def areas(self) -> Tensor:
        """For which area on the unit sphere each point stands, by the weights of quadrature.

        Returns:
            float64, in the shape of a signal, of sum 4 pi.
        """
        each = self.weights.view(-1, *[1] * (len(self.shape) - 1)) / math.prod(self.shape[1:])
        return 4 * math.pi * each.expand(self.shape)

    def check_band(self, band: int, argument: str = "grid") -> None:
        """Refuse a band that the rings cannot hold, and rings that the equator does not mirror.

        Args:
            band: exclusive bound of the degrees.
            argument: what an error calls the rings.
        Raises:
            ValueError: if it is above ``degree``, or there is no such symmetry.
        """
        if not self.is_symmetric:
            raise ValueError(
                f"{argument}: expected rings that the equator mirrors onto each other, of the "
                f"whole sphere, got {self!r}"
            )
        if band > self.degree:
            raise ValueError(
                f"{argument}: expected rings that hold band {band}, got {self!r}, which hold up to "
                f"band {self.degree}"
            )

    def __repr__(self) -> str:
        return self.name or f"Rings({len(self.beta)} rings, {self.count} points)"


@cached(64)
def soft(band: int) -> Rings:
    """The SOFT grid: 2 band rings without poles of 2 band longitudes, the default of a sphere.

    Args:
        band: exclusive bound of the degrees, which is also the ``degree`` of the rings.
    Returns:
        The rings, ``equiangular(2 * band, 2 * band, poles=False)``.
    Raises:
        ValueError: if ``band`` is not an integer >= 1, or too large to fit into memory.
    """
    beta, _ = soft_angles(band)
    weights = soft_weights(band)
    size = 2 * band
    return Rings(_row(beta), _row(weights), (size,) * size, degree=band, name=f"soft({band})")


@cached(64)
def equiangular(nlat: int, nlon: int, poles: bool, start: float = 0.0) -> Rings:
    """Latitudes and longitudes in equal steps, as weather and climate data have them.

    With poles the latitudes are pi j / (nlat - 1) from pole to pole, with the weights of Clenshaw
    and Curtis; 181 x 360 is a grid of 1 degree. Without, they are pi (2j + 1) / (2 nlat), with the
    weights of Fejér; 180 x 360 is a grid of 1 degree whose cells are bounded by the poles.

    Args:
        nlat: number of latitudes, from north to south.
        nlon: number of longitudes.
        poles: whether the poles are among the latitudes.
        start: the first longitude, in radians.
    Returns:
        The rings, which hold bands up to (nlat + 1) // 2 and (nlon + 1) // 2.
    Raises:
        TypeError: if ``poles`` is no flag.
        ValueError: if a size is no integer >= 1, for poles >= 2.
    """
    check_flag(poles, "poles")
    check_integer(nlat, "nlat", 2 if poles else 1)
    check_integer(nlon, "nlon")
    check_memory(nlat**2, "nlat", f"{nlat} weights, each a sum of {nlat} cosines")
    index = torch.arange(nlat, dtype=torch.float64)
    if poles:
        beta, weights = math.pi * index / (nlat - 1), clenshaw_curtis_weights(nlat)
    else:
        beta, weights = math.pi * (2 * index + 1) / (2 * nlat), fejer_weights(nlat)
    degree = (min(nlat, nlon) + 1) // 2
    name = f"equiangular({nlat}, {nlon}, poles={poles})"
    return _uniform(beta, weights, nlon, start, degree, name)


@cached(64)
def gauss(nlat: int, nlon: int | None = None, start: float = 0.0) -> Rings:
    """The latitudes of Gauss and Legendre: half of the points of ``soft`` at the same band.

    Args:
        nlat: number of latitudes.
        nlon: number of longitudes, by default 2 nlat.
        start: the first longitude, in radians.
    Returns:
        The rings, which hold bands up to nlat and (nlon + 1) // 2.
    Raises:
        ValueError: if a size is no integer >= 1.
    """
    check_integer(nlat, "nlat")
    check_memory(nlat**2, "nlat", f"{nlat} angles, each from a recursion of {nlat} steps")
    nlon = 2 * nlat if nlon is None else check_integer(nlon, "nlon")
    degree = min(nlat, (nlon + 1) // 2)
    return _uniform(*gauss_rule(nlat), nlon, start, degree, f"gauss({nlat}, {nlon})")


@cached(64)
def healpix(nside: int) -> Rings:
    r"""HEALPix in the order of rings: 12 nside^2 points of equal area on 4 nside - 1 rings.

    .. math:: \cos\beta_i = 1 - \frac{i^2}{3 N^2} \; (i < N), \qquad
              \cos\beta_i = \frac43 - \frac{2 i}{3 N} \; (N \le i \le 2N)

    All points weigh the same, which makes a mean simple and is no exact quadrature: an analysis
    has an error, of percents near the highest band, and ``transforms.Sample`` corrects it.

    Args:
        nside: N; any integer, for rings need no power of two.
    Returns:
        The rings, which hold bands up to 2 nside.
    Raises:
        ValueError: if ``nside`` is no integer >= 1, or too large to fit into memory.

    References:
        Górski et al. 2005, HEALPix, section 4.
    """
    check_integer(nside, "nside")
    check_memory(12 * nside**2, "nside", f"{12 * nside**2} points")
    beta, counts, starts = [], [], []
    for i in range(1, 2 * nside + 1):
        near = i < nside
        # From 1 - cos = 2 sin^2(beta / 2), which keeps its digits near the pole.
        below = i * i / (3 * nside**2) if near else (2 * i - nside) / (3 * nside)
        beta.append(2 * math.asin(math.sqrt(below / 2)))
        counts.append(4 * min(i, nside))
        starts.append(math.pi / counts[-1] * (1 if near else (i - nside + 1) % 2))
    beta[-1] = math.pi / 2
    weights = [count / (12 * nside**2) for count in counts]
    south = [math.pi - b for b in beta[-2::-1]]
    return Rings(
        (*beta, *south),
        _mirrored(weights),
        _mirrored(counts),
        _mirrored(starts),
        2 * nside,
        f"healpix({nside})",
    )


@cached(64)
def octahedral(n: int) -> Rings:
    """ECMWF's octahedral reduced Gaussian grid O<n>: 2n latitudes of Gauss, 4i + 16 points each.

    Ring i = 1, 2, ... from a pole to the equator has 20, 24, ..., 4n + 16 points, which start at
    longitude 0.

    Args:
        n: number of latitudes between a pole and the equator.
    Returns:
        The rings, which hold bands up to n (the spectral truncation TCo<n - 1>).
    Raises:
        ValueError: if ``n`` is no integer >= 1, or too large to fit into memory.

    References:
        Malardel et al. 2016, A new grid for the IFS, ECMWF Newsletter 146.
    """
    check_integer(n, "n")
    check_memory(4 * n * (n + 9), "n", f"{4 * n * (n + 9)} points")
    beta, weights = gauss_rule(2 * n)
    counts = [4 * i + 16 for i in range(1, n + 1)]
    counts = (*counts, *reversed(counts))
    return Rings(_row(beta), _row(weights), counts, (), n, f"octahedral({n})")


def _uniform(
    beta: Tensor, weights: Tensor, nlon: int, start: float, degree: int, name: str
) -> Rings:
    if check_longitude(start, "start"):
        name = f"{name[:-1]}, start={start!r})"
    rings = len(beta)
    return Rings(_row(beta), _row(weights), (nlon,) * rings, (start,) * rings, degree, name)


def _mirrored(row: list[N]) -> tuple[N, ...]:
    """A number for each ring from the north pole to the equator, and those for the others."""
    return (*row, *row[-2::-1])


def _row(x: Tensor) -> tuple[float, ...]:
    return tuple(x.tolist())
