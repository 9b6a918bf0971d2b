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
    def sets(self) -> int:
        """The number of pairs of signs of m and n."""
        return 4 if self.order else 2

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
    def lists(self) -> tuple[int, int, int, int]:
        """The lengths of the four lists in ``rows``."""
        entries = sum(self.entries)
        return self.sets * entries, entries, self.size, self.size


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


def field_rows(band: int, order: int) -> Tensor:
    """In which order the reference works on the rows of a spectrum, four lists in a row.

    scatter: the row of each entry: the sets ++, --, -+, +-, for n = 0 +0 and -0, each with index
    (m, l) chunk by chunk; signs: (-1)^(l + m + n) for each (m, l); gather: for every row of the
    spectrum its place in the first list; degrees: for every row its l.

    Where there is no coefficient row 0 is read, to no effect: for l < m the table is 0; what is
    read for m = -0 cancels, as d^+ = d^- there, or is multiplied by sin(0 alpha).

    Args:
        band: degrees l < band.
        order: n.
    Returns:
        int64, ``(sets * entries + entries + 2 * rows,)``.
    """
    grids = [
        torch.meshgrid(torch.arange(m0, m1), torch.arange(l0, band), indexing="ij")
        for m0, m1, l0 in field_chunks(band, order)
    ]
    m, l = (torch.cat([grid[i].flatten() for grid in grids]) for i in range(2))
    # The row of (l, m, n): l^2 + l + m, with an order two for each m and none for l < n.
    signs = ((1, 1), (-1, -1), (-1, 1), (1, -1)) if order else ((1, 1), (-1, 1))
    scatter = torch.empty(len(signs), len(m), dtype=torch.int64)
    for found, (sign_m, sign_n) in zip(scatter, signs, strict=True):
        row = l * l + l + sign_m * m
        row = 2 * (row - order * order) + (sign_n > 0) if order else row
        there = (l >= m) & ((m > 0) | (sign_m > 0))
        found.copy_(torch.where(there, row, -1))
    scatter = scatter.flatten()
    rows = 2 * (band * band - order * order) if order else band * band
    gather = torch.empty(rows, dtype=torch.int64)
    places = (scatter >= 0).nonzero().flatten()
    gather[scatter[places]] = places
    degrees = torch.arange(order, band).repeat_interleave(
        (2 if order else 1) * (2 * torch.arange(order, band) + 1)
    )
    signs = 1 - 2 * ((l + m + order) % 2)
    return torch.cat([scatter.clamp_min(0), signs, gather, degrees])
