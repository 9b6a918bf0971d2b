"""Constants for the examples of the transforms.

In: a band and orders. Out: tables like those that ``harmonics.grid`` makes for layers, but with
random amplitudes.
"""

import torch
from torch import Tensor

from equinet.ops.wigner import chunks


def rows_of(band: int, orders: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """``scatter`` and ``gather`` of the tables; places without a coefficient point to row 0."""
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
    """Random numbers ``(m, l, points)`` for one of ``chunks``, zero where l < m."""
    m0, m1, l0 = chunk
    d = torch.randn(m1 - m0, band - l0, points, generator=generator, dtype=torch.float64)
    return d * (torch.arange(l0, band) >= torch.arange(m0, m1)[:, None])[..., None]


def constants_of(band: int, size: int, generator: torch.Generator) -> tuple:
    """The entries of ``GroupTables``, those of the grid but for the amplitudes."""
    parts = []
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
