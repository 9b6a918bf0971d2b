"""Numbers for the examples with which operators are compared at their first use.

In: shapes, a band and orders. Out: integers, and tables like those that ``harmonics.grid`` makes
for layers, but with random amplitudes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from equinet.ops.s2_plan import FieldTables, field_chunks, field_rows
from equinet.ops.wigner import chunks


def integers(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """From -2 to 2, in float64: sums of their products are exact, whatever torch rounds to.

    Args:
        shape: of the result.
        generator: draws them, on the CPU.
    Returns:
        A tensor of that shape.
    """
    drawn = torch.randint(-2, 3, tuple(shape), generator=generator, device="cpu")
    return drawn.to(torch.float64)


def rows_of(band: int, orders: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """``scatter`` and ``gather`` of the tables; places without a coefficient point to row 0.

    Args:
        band: degrees l < band.
        orders: the n >= 0.
    Returns:
        Two tensors of integers, as in ``SphereTables``.
    """
    rows: dict[tuple[int, int, int], int] = {}
    for l in range(band):
        signed = sorted({sign * n for n in orders if n <= l for sign in (-1, 1)})
        for m in range(-l, l + 1):
            for n in signed:
                rows[l, m, n] = len(rows)
    scatter: list[int] = []
    gather = [0] * len(rows)
    for n in orders:
        signs = ((1, 1), (-1, -1), (-1, 1), (1, -1)) if n else ((1, 1), (-1, 1))
        for m0, m1, l0 in chunks(band, n):
            for sign_m, sign_n in signs:
                for m in range(m0, m1):
                    for l in range(l0, band):
                        row = rows.get((l, sign_m * m, sign_n * n)) if m or sign_m > 0 else None
                        if row is not None:
                            gather[row] = len(scatter)
                        scatter.append(row or 0)
    return torch.tensor(scatter), torch.tensor(gather)


def amplitudes(
    chunk: tuple[int, int, int], band: int, points: int, generator: torch.Generator
) -> Tensor:
    """Random numbers for one of ``chunks``, zero where l < m.

    Args:
        chunk: (m0, m1, l0).
        band: degrees l < band.
        points: angles beta.
        generator: draws them.
    Returns:
        ``(m, l, points)``, in float64.
    """
    m0, m1, l0 = chunk
    d = torch.randn(m1 - m0, band - l0, points, generator=generator, dtype=torch.float64)
    return d * (torch.arange(l0, band) >= torch.arange(m0, m1)[:, None])[..., None]


def constants_of(
    band: int, size: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, int]:
    """The entries of ``GroupTables``, those of the grid but for the amplitudes.

    Args:
        band: degrees l < band.
        size: points of each angle.
        generator: draws the amplitudes.
    Returns:
        As many values as there are entries, in float64.
    """
    parts: list[Tensor] = []
    for n in range(band):
        for at in chunks(band, n):
            plus, minus = (amplitudes(at, band, size, generator) for _ in range(2))
            if at[0] == 0:  # where m = 0 the amplitudes of opposite waves are the same
                minus[0] = plus[0]
            parts += [plus, minus] if n else [plus]
    angles = torch.arange(size, dtype=torch.float64) * (2 * torch.pi / size)
    phases = angles[:, None] * torch.arange(band)
    cos, sin = phases.cos(), phases.sin()
    gamma = torch.cat([cos[:, :1], torch.stack([cos, sin], -1)[:, 1:].flatten(1)], 1)
    d = torch.cat([part.flatten() for part in parts])
    rows = rows_of(band, tuple(range(band)))
    return d, torch.cat([cos, -sin], 1), gamma, *rows, band


def field_tables_of(
    band: int, rings: int, longitudes: int, order: int, generator: torch.Generator
) -> FieldTables:
    """Constants of a field on the sphere, those of rings but for the amplitudes and the factors.

    Args:
        band: degrees l < band.
        rings: their number.
        longitudes: points of each ring.
        order: n.
        generator: draws the amplitudes and the factors.
    Returns:
        The tables, in float64.
    """
    points = rings if order else (rings + 1) // 2
    chunks_of = field_chunks(band, order)
    pieces = [amplitudes(at, band, points, generator) for at in chunks_of]
    if order:  # where m = 0 the amplitudes of opposite waves are the same
        parity = (torch.arange(order, band) + order) % 2
        pieces[0][0] += (1 - 2 * parity[:, None]) * pieces[0][0].flip(1)
    elif rings % 2:  # on the equator those of odd l + m are 0
        for piece, (m0, m1, l0) in zip(pieces, chunks_of, strict=True):
            odd = (torch.arange(m0, m1)[:, None] + torch.arange(l0, band)) % 2
            piece[..., -1] *= 1 - odd
    d = torch.cat([piece.flatten() for piece in pieces])
    by_degree, by_ring = (
        torch.randn(size, generator=generator, dtype=torch.float64) for size in (band, rings)
    )
    return FieldTables(d, by_degree, by_ring, field_rows(band, order), band, longitudes, order)
