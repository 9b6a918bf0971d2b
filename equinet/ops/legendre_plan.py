"""What the transforms of fields on the sphere without tables need besides a spectrum or a signal.

In: the angles of rings. Out: the plan of both operators.
"""

from typing import NamedTuple

from torch import Tensor


class LegendrePlan(NamedTuple):
    """The constants of one transform on the sphere.

    Attributes:
        angles: beta of each ring from north to south, symmetric to the equator, ``(rings,)``; in
            float64 whatever the transform is in.
        by_degree: a factor for each degree, ``(band,)``.
        by_ring: a factor for each ring, ``(rings,)``.
        band: degrees l < band.
        longitudes: points of each ring, 2 band - 1 or more; 0 for waves in place of a signal.
        order: n >= 0.
    """

    angles: Tensor
    by_degree: Tensor
    by_ring: Tensor
    band: int
    longitudes: int
    order: int

    @property
    def rings(self) -> int:
        """The number of rings."""
        return self.angles.shape[0]

    @property
    def rows(self) -> int:
        """The number of coefficients of a spectrum."""
        n, b = self.order, self.band
        return 2 * (b * b - n * n) if n else b * b

    @property
    def parts(self) -> int:
        """The number of components of a field."""
        return 2 if self.order else 1

    @property
    def points(self) -> int:
        """The number of rings whose amplitudes are computed; the others are their mirror images."""
        return self.rings if self.order else (self.rings + 1) // 2

    @property
    def axes(self) -> tuple[int, ...]:
        """The last axes of a signal, or of waves."""
        return (self.longitudes,) if self.longitudes else (self.band, 2)
