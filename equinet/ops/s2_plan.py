"""What the transforms of fields on the sphere need besides a spectrum or a signal.

In: constants made by ``harmonics.grid``. Out: the plan of both operators.
"""

from typing import NamedTuple

from torch import Tensor


class FieldTables(NamedTuple):
    """The constants of one transform on the sphere, made by ``harmonics.grid``.

    Attributes:
        d: flat: d^+, for n = 0 d^cc, with all factors in it; for each chunk of orders m from m0 on
            ``(m, band - max(m0, n), points)``. The points are all ``size`` angles beta, for n = 0
            the first half of them.
        scatter: the rows of the spectrum in the order in which the reference works on them: for
            each chunk the sets ++, --, -+, +- with index (m, l), for n = 0 the sets +0 and -0.
        gather: for every row of the spectrum its place in that list.
        band: degrees l < band.
        size: points in beta and in alpha.
        order: n >= 0.
    """

    d: Tensor
    scatter: Tensor
    gather: Tensor
    band: int
    size: int
    order: int

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
    def sets(self) -> int:
        """The number of pairs of signs of m and n."""
        return 4 if self.order else 2

    @property
    def points(self) -> int:
        """The number of angles beta in ``d``."""
        return self.size if self.order else self.size // 2
