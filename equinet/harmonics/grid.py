r"""How signals on the sphere and on SO(3) are sampled and how their spectra are laid out.

In: bands and orders. Out: the constants of the transforms.

A spectrum is a flat list of coefficients, degree by degree, (l, m, n) with m = -l..l and n over the
signed orders of the field with |n| <= l:

- a function on SO(3) has all orders, index l(4l^2 - 1)/3 + (2l + 1)(m + l) + (n + l);
- a function on S^2 has the order n = 0 only, index l^2 + m + l;
- a field of the irrep s > 0 of SO(2) has the orders n = -s, s and degrees l >= s.
"""

import torch
from torch import Tensor

from equinet.numerics import soft_angles, soft_weights, wigner_d_real
from equinet.numerics.cached import cached
from equinet.ops import FieldTables, GroupTables, chunks


def spectrum_size(band: int, orders: tuple[int, ...]) -> int:
    """Number of coefficients (l, m, n) with l < ``band`` and |n| in ``orders``.

    Args:
        band: exclusive bound of the degree.
        orders: the n >= 0 of the field, all < band for a function on SO(3).
    Returns:
        Their number.
    """
    return sum((2 * l + 1) * degree_columns(l, orders) for l in range(band))


def degree_columns(l: int, orders: tuple[int, ...]) -> int:
    """Number of signed orders n with |n| <= l.

    Args:
        l: the degree.
        orders: the n >= 0 of the field.
    Returns:
        Their number, two for each n > 0.
    """
    return sum(2 if n else 1 for n in orders if n <= l)


def signed_orders(l: int, orders: tuple[int, ...]) -> list[int]:
    """The signed orders n with |n| <= l.

    Args:
        l: the degree.
        orders: the n >= 0 of the field.
    Returns:
        -n and n for each of them, ascending.
    """
    return sorted({sign * n for n in orders if n <= l for sign in (-1, 1)})


def spectrum_index(band: int, orders: tuple[int, ...]) -> Tensor:
    """The triples (l, m, n) of a spectrum in their order.

    Args:
        band: exclusive bound of the degree.
        orders: the n >= 0 of the field.
    Returns:
        int64 ``(rows, 3)``.
    """
    triples = [
        (l, m, n) for l in range(band) for m in range(-l, l + 1) for n in signed_orders(l, orders)
    ]
    return torch.tensor(triples, dtype=torch.int64).reshape(-1, 3)


def gamma_waves(band: int, size: int) -> Tensor:
    """cos(n gamma_k) and sin(n gamma_k), n < ``band``.

    Args:
        band: exclusive bound of the order.
        size: points in gamma.
    Returns:
        float64 ``(size, 2 band - 1)``, the columns in the order of ``ops.GroupTables``.
    """
    gamma = 2 * torch.pi * torch.arange(size, dtype=torch.float64) / size
    columns = [torch.ones_like(gamma)]
    for n in range(1, band):
        columns += [torch.cos(n * gamma), torch.sin(n * gamma)]
    return torch.stack(columns, -1)


def group_tables(
    grid_band: int, band: int, inverse: bool, dtype: torch.dtype = torch.float64
) -> GroupTables:
    r"""Constants for functions on SO(3) of ``grid_band`` and spectra of degrees l < ``band``.

    With ``inverse`` the factor is 2l + 1, and synthesis with these tables is the inverse transform.
    Without it, it is the Haar measure of the grid point, and analysis is the forward transform: the
    quadrature weight over beta, the mean over alpha, and the mean over gamma.

    Args:
        grid_band: b of the grid, 2b points per angle.
        band: exclusive bound of the degree, at most ``grid_band``.
        inverse: which of the two.
        dtype: of the result; all is computed in float64.
    Returns:
        The tables of a ``Synthesis`` or an ``Analysis``.
    """
    size = 2 * grid_band
    beta, alpha = soft_angles(grid_band)
    weights = None if inverse else soft_weights(grid_band) / size
    parts: list[Tensor] = []
    for n in range(band):
        parts += _table(_amplitudes(band, n, beta, weights), band, n, dtype)
    phase = alpha[:, None] * torch.arange(band, dtype=torch.float64)
    gamma = gamma_waves(band, size) / (1 if inverse else size)
    waves = torch.cat([phase.cos(), -phase.sin()], 1).to(dtype)
    return GroupTables(
        torch.cat(parts), waves, gamma.to(dtype), *_rows(band, tuple(range(band))), band
    )


def field_tables(
    grid_band: int, band: int, order: int, inverse: bool, dtype: torch.dtype = torch.float64
) -> FieldTables:
    """The same for fields of the irrep ``order`` of SO(2) on the sphere.

    In place of the mean over gamma, in which they are not sampled, the Haar measure has a factor
    1/2 = mean cos^2(n gamma) for n > 0.

    Args:
        grid_band: b of the grid, 2b points per angle.
        band: exclusive bound of the degree, at most ``grid_band``.
        order: n; where it is no degree below ``band``, the tables are empty.
        inverse: which of the two.
        dtype: of the result; all is computed in float64.
    Returns:
        The tables of a ``Synthesis`` or an ``Analysis``.
    """
    size = 2 * grid_band
    if order >= band:
        return FieldTables(torch.zeros(0, dtype=dtype), *_rows(band, ()), band, size, order)
    beta, _ = soft_angles(grid_band)
    points = size if order else grid_band  # the rest by symmetry
    weights = soft_weights(grid_band) / size / (2 if order else 1)
    d = _amplitudes(band, order, beta[:points], None if inverse else weights[:points])[:1]
    table = torch.cat(_table(d, band, order, dtype))
    return FieldTables(table, *_rows(band, (order,)), band, size, order)


def _amplitudes(band: int, n: int, beta: Tensor, weights: Tensor | None) -> Tensor:
    """d^+ and d^- of ``ops.wigner``, for n = 0 d^cc only, ``(1 or 2, m, l - n, j)``.

    With the factor ``weights``, 2l + 1 if it is None.
    """
    d = wigner_d_real(band, n, beta, weights)[: 2 if n else 1].permute(0, 2, 1, 3)
    if n:
        d = torch.stack([d[0] + d[1], d[0] - d[1]]) / 2
    if weights is None:
        d.mul_(2 * torch.arange(n, band, dtype=torch.float64)[:, None] + 1)
    return d


def _table(d: Tensor, band: int, n: int, dtype: torch.dtype) -> list[Tensor]:
    """Flat: for each chunk of orders the part of ``_amplitudes`` that is not 0."""
    return [
        d[:, m0:m1, l0 - n :].to(dtype, memory_format=torch.contiguous_format).reshape(-1)
        for m0, m1, l0 in chunks(band, n)
    ]


@cached(64)
def _rows(band: int, orders: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """``scatter`` and ``gather`` of both.

    A spectrum lies degree by degree, but the sums (F1) of ``ops.wigner`` run over l with the orders
    fixed, for a chunk of orders m at once. So ``scatter`` lists, chunk by chunk, the row of the
    coefficient for each pair of signs of (m, n) and each (m, l), and ``gather`` finds it there.
    """
    l, m, n = spectrum_index(band, orders).unbind(1)
    # The row of (l, m, n), with m and n shifted by the band; -1 where there is no coefficient.
    row_of = torch.full((band, 2 * band, 2 * band), -1)
    row_of[l, m + band, n + band] = torch.arange(len(l))
    parts: list[Tensor] = []
    for order in orders:
        # ++, --, -+ and +- of (F1); where n = 0, the signs of m alone.
        signs = ((1, 1), (-1, -1), (-1, 1), (1, -1)) if order else ((1, 1), (-1, 1))
        for m0, m1, l0 in chunks(band, order):
            degrees, ms = torch.arange(l0, band), torch.arange(m0, m1)[:, None]
            for sign_m, sign_n in signs:
                found = row_of[degrees, sign_m * ms + band, sign_n * order + band]
                if sign_m < 0 and m0 == 0:
                    found[0] = -1  # m = 0 has one sign, and was listed with the other
                parts.append(found.reshape(-1))
    scatter = torch.cat(parts) if parts else torch.zeros(0, dtype=torch.int64)
    gather = torch.empty(len(l), dtype=torch.int64)
    there = scatter >= 0
    gather[scatter[there]] = there.nonzero().flatten()
    # Where there is no coefficient, row 0 is read, to no effect: for l < m the table is 0; what is
    # read for m = -0 cancels, as d^+ = d^- there, or is multiplied by sin(0 alpha).
    return scatter.clamp_min(0), gather
