"""What the transforms of fields on the sphere need besides a spectrum or a signal.

In: constants made by ``harmonics.grid``. Out: the plan of all operators of ``s2``.
"""

from typing import NamedTuple

import torch
from torch import Tensor

CHUNKS = 4  # of the orders m: more of them leave less zeros in a table, and make longer graphs


class FieldTables(NamedTuple):
    """The constants of one transform on the sphere, made by ``harmonics.grid``.

    Attributes:
        d: flat: d^+, for n = 0 d^cc; for each of ``field_chunks``, of the orders m from m0 on,
            ``(m, band - max(m0, n), points)``. The points are all rings, for n = 0 those of the
            northern hemisphere with the equator.
        by_degree: a factor for each degree, ``(band,)``.
        by_ring: a factor for each ring, ``(rings,)``.
        rows: of ``field_rows``, which the reference reads.
        band: degrees l < band.
        longitudes: points of each ring, at least 2 band - 1.
        order: n >= 0.
    """

    d: Tensor
    by_degree: Tensor
    by_ring: Tensor
    rows: Tensor
    band: int
    longitudes: int
    order: int

    @property
    def rings(self) -> int:
        """The number of rings."""
        return self.by_ring.shape[0]

    @property
    def size(self) -> int:
        """The number of coefficients of a spectrum."""
        n, b = self.order, self.band
        return 2 * (b * b - n * n) if n else b * b

    @property
    def parts(self) -> int:
        """The number of components of a field."""
        return 2 if self.order else 1

    @property
    def terms(self) -> int:
        """The number of coefficients in each sum of (H3)."""
        return 2 if self.order else 1

    @property
    def points(self) -> int:
        """The number of rings in ``d``."""
        return self.rings if self.order else (self.rings + 1) // 2

    @property
    def entries(self) -> list[int]:
        """The number of pairs (m, l) of each chunk."""
        chunks = field_chunks(self.band, self.order)
        return [(m1 - m0) * (self.band - l0) for m0, m1, l0 in chunks]

    @property
    def lists(self) -> tuple[int, int, int]:
        """The lengths of the three lists in ``rows``."""
        return 4 * self.terms * sum(self.entries), 2 * self.size, self.size

    @property
    def scatter(self) -> Tensor:
        """The first of ``field_rows``."""
        return self.rows.narrow(0, 0, self.lists[0])

    @property
    def gather(self) -> Tensor:
        """The second of ``field_rows``."""
        return self.rows.narrow(0, self.lists[0], self.lists[1])

    @property
    def degrees(self) -> Tensor:
        """The third of ``field_rows``."""
        return self.rows.narrow(0, sum(self.lists[:2]), self.lists[2])


def chunk_width(band: int) -> int:
    """The number of orders m of a chunk but the last."""
    return -(band // -CHUNKS)


def field_chunks(band: int, order: int) -> list[tuple[int, int, int]]:
    """Chunks of orders m0 <= m < m1, each with its lowest degree l0 = max(m0, n).

    Args:
        band: orders m < band.
        order: n.
    Returns:
        (m0, m1, l0) of each, ``CHUNKS`` or less of them whatever the band.
    """
    width = chunk_width(band)
    return [(m, min(m + width, band), max(m, order)) for m in range(0, band, width)]


# Of the four amplitudes (real and imaginary part of P, of Q) that belong to an entry (m, l), which
# the coefficients with the signs of m and n are in, with which signs (H3); those of Q times
# (-1)^(l + m + n).
_SIGNS = {
    (1, 1): ((0, 1), (2, 1)),
    (-1, -1): ((0, 1), (2, -1)),
    (-1, 1): ((1, -1), (3, -1)),
    (1, -1): ((1, 1), (3, -1)),
}


def field_rows(band: int, order: int) -> Tensor:
    """In which order the reference works on the rows of a spectrum, three lists in a row.

    scatter: for each term of (H3), one for n = 0 and else two, for each entry (m, l) chunk by
    chunk and each of its four amplitudes the row of the coefficient; gather: for each row of the
    spectrum the two amplitudes of which it is the sum, in the transpose; degrees: for every row its
    l. Where the sign is -1 the length of what is read from is added.

    Where there is no coefficient row 0 is read, to no effect: for l < m the table is 0; what is
    read for m = -0 cancels, as d^+ = d^- there, or is multiplied by sin(0 alpha).

    Args:
        band: degrees l < band.
        order: n.
    Returns:
        int64, ``(4 * terms * entries + 3 * rows,)``.
    """
    grids = [
        torch.meshgrid(torch.arange(m0, m1), torch.arange(l0, band), indexing="ij")
        for m0, m1, l0 in field_chunks(band, order)
    ]
    m, l = (torch.cat([grid[i].flatten() for grid in grids]) for i in range(2))
    odd = (l + m + order) % 2
    rows = 2 * (band * band - order * order) if order else band * band
    scatter = torch.zeros(2 if order else 1, len(m), 4, dtype=torch.int64)
    gather = torch.zeros(2, rows, dtype=torch.int64)
    filled = [0] * 4
    for (sign_m, sign_n), terms in _SIGNS.items():
        if sign_n < 0 and not order:
            continue
        # The row of (l, m, n): l^2 + l + m, with an order two for each m and none for l < n.
        row = l * l + l + sign_m * m
        row = 2 * (row - order * order) + (sign_n > 0) if order else row
        there = (l >= m) & ((m > 0) | (sign_m > 0))
        entry = there.nonzero().flatten()
        for term, (part, sign) in enumerate(terms):
            minus = (odd if part > 1 else 0 * odd) ^ (sign < 0)
            scatter[filled[part], :, part] = torch.where(there, row, 0) + minus * rows
            filled[part] += 1
            gather[term, row[entry]] = (4 * entry + part) + (minus * 4 * len(m))[entry]
    degrees = torch.arange(order, band).repeat_interleave(
        (2 if order else 1) * (2 * torch.arange(order, band) + 1)
    )
    return torch.cat([scatter.flatten(), gather.flatten(), degrees])
