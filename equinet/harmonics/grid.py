r"""How signals on the sphere and on SO(3) are sampled and how their spectra are laid out.

In: bands and orders. Out: the constants of the transforms.

A spectrum is a flat list of coefficients, degree by degree, (l, m, n) with m = -l..l and n over the
signed orders of the field with |n| <= l:

- a function on SO(3) has all orders, index l(4l^2 - 1)/3 + (2l + 1)(m + l) + (n + l);
- a function on S^2 has the order n = 0 only, index l^2 + m + l;
- a field of the irrep s > 0 of SO(2) has the orders n = -s, s and degrees l >= s.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import hardshrink

from equinet.harmonics.rings import Rings
from equinet.numerics import soft_angles, soft_weights, wigner_d_real
from equinet.numerics.wigner_tables import negligible, write_amplitudes
from equinet.ops import chunks
from equinet.ops.s2_plan import field_chunks


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


def mirror_signs(l: int, orders: tuple[int, ...]) -> Tensor:
    """Signs of the orders in a mirror: 1 for cosines and the constant, -1 for sines.

    Args:
        l: the degree.
        orders: the n >= 0 of the field.
    Returns:
        float64, in the order of ``signed_orders``.
    """
    signed = torch.tensor(signed_orders(l, orders), dtype=torch.float64)
    return torch.where(signed < 0, -1.0, 1.0).double()


def spectrum_index(band: int, orders: tuple[int, ...]) -> Tensor:
    """The triples (l, m, n) of a spectrum in their order.

    Args:
        band: exclusive bound of the degree.
        orders: the n >= 0 of the field, ascending.
    Returns:
        int64 ``(rows, 3)``.
    """
    degrees = torch.arange(band)
    signed = torch.tensor(signed_orders(band, orders), dtype=torch.int64)
    # Of each degree 2l + 1 orders m, and the orders n with |n| <= l, which are in the middle.
    counts = (signed.abs() <= degrees[:, None]).sum(1)
    sizes = (2 * degrees + 1) * counts
    l = degrees.repeat_interleave(sizes)
    within = torch.arange(len(l)) - (sizes.cumsum(0) - sizes)[l]
    m = within // counts[l] - l
    n = signed[(len(signed) - counts[l]) // 2 + within % counts[l]]
    return torch.stack([l, m, n], 1)


def spectrum_rows(band: int, orders: tuple[int, ...], l: Tensor, m: Tensor, n: Tensor) -> Tensor:
    """The row of each coefficient (l, m, n), the inverse of ``spectrum_index``.

    Args:
        band: exclusive bound of the degree.
        orders: the n >= 0 of the field, ascending.
        l: degrees.
        m: orders, |m| <= l.
        n: signed orders of the field, |n| <= l.
    Returns:
        int64, in the shape that the three broadcast to.
    """
    degrees = torch.arange(band)
    signed = torch.tensor(signed_orders(band, orders), dtype=torch.int64)
    counts = (signed.abs() <= degrees[:, None]).sum(1)
    sizes = (2 * degrees + 1) * counts
    among = torch.searchsorted(signed, n.contiguous()) - (len(signed) - counts[l]) // 2
    return (sizes.cumsum(0) - sizes)[l] + (m + l) * counts[l] + among


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


def group_size(grid_band: int, band: int) -> int:
    """The length of the table d of ``ops.GroupTables``.

    Args:
        grid_band: b of the grid, 2b points per angle.
        band: exclusive bound of the degree.
    Returns:
        How many numbers it has.
    """
    return sum(
        (2 if n else 1) * (m1 - m0) * (band - l0) * 2 * grid_band
        for n in range(band)
        for m0, m1, l0 in chunks(band, n)
    )


def write_group_table(out: Tensor, grid_band: int, band: int, inverse: bool) -> None:
    r"""The table d for functions on SO(3) of ``grid_band`` and spectra of degrees l < ``band``.

    With ``inverse`` the factor is 2l + 1, and synthesis is the inverse transform. Without it, it is
    the quadrature weight over beta times the mean over alpha, and analysis with the mean over gamma
    is the forward transform.

    Args:
        out: room for it, of any dtype; all is computed in float64.
        grid_band: b of the grid, 2b points per angle.
        band: exclusive bound of the degree, at most ``grid_band``.
        inverse: which of the two.
    """
    size, at = 2 * grid_band, 0
    beta, _ = soft_angles(grid_band)
    weights = None if inverse else soft_weights(grid_band) / size
    for n in range(band):
        d = wigner_d_real(band, n, beta, weights)[: 2 if n else 1].permute(0, 2, 1, 3)
        if n:
            d = torch.stack([d[0] + d[1], d[0] - d[1]]) / 2
        if inverse:
            d.mul_(2 * torch.arange(n, band, dtype=torch.float64)[:, None] + 1)
        for m0, m1, l0 in chunks(band, n):
            part = hardshrink(d[:, m0:m1, l0 - n :], negligible(out.dtype))
            out[at : at + part.numel()].view(part.shape).copy_(part)
            at += part.numel()


def group_rows(band: int) -> tuple[Tensor, Tensor]:
    """``scatter`` and ``gather`` of ``ops.GroupTables``.

    A spectrum lies degree by degree, but the sums (F1) of ``ops.wigner`` run over l with the orders
    fixed, for a chunk of orders m at once. So ``scatter`` lists, chunk by chunk, the row of the
    coefficient for each pair of signs of (m, n) and each (m, l), and ``gather`` finds it there.

    Args:
        band: exclusive bound of the degree.
    Returns:
        Two tensors of integers.
    """
    parts: list[Tensor] = []
    for order in range(band):
        # ++, --, -+ and +- of (F1); where n = 0, the signs of m alone.
        signs = ((1, 1), (-1, -1), (-1, 1), (1, -1)) if order else ((1, 1), (-1, 1))
        for m0, m1, l0 in chunks(band, order):
            l, m = torch.arange(l0, band), torch.arange(m0, m1)[:, None]
            for sign_m, sign_n in signs:
                # (2l + 1)(m + l) + (n + l) behind the rows of all degrees below
                row = l * (4 * l * l - 1) // 3 + (2 * l + 1) * (sign_m * m + l) + sign_n * order + l
                there = (l >= m) & ((m > 0) | (sign_m > 0))  # m = 0 has one sign
                parts.append(torch.where(there, row, -1).flatten())
    scatter = torch.cat(parts)
    gather = torch.empty(spectrum_size(band, tuple(range(band))), dtype=torch.int64)
    places = (scatter >= 0).nonzero().flatten()
    gather[scatter[places]] = places
    # Where there is no coefficient, row 0 is read, to no effect: for l < m the table is 0; what is
    # read for m = -0 cancels, as d^+ = d^- there, or is multiplied by sin(0 alpha).
    return scatter.clamp_min(0), gather


def field_size(rings: Rings, band: int, order: int) -> int:
    """The length of the table d of ``ops.FieldTables``.

    Args:
        rings: of the sphere.
        band: exclusive bound of the degree.
        order: n.
    Returns:
        How many numbers it has.
    """
    points = len(rings.beta) if order else (len(rings.beta) + 1) // 2  # the rest by symmetry
    return sum((m1 - m0) * (band - l0) for m0, m1, l0 in field_chunks(band, order)) * points


def write_field_table(out: Tensor, rings: Rings, band: int, order: int) -> None:
    """The table d for fields of the irrep ``order`` of SO(2) on the sphere.

    Args:
        out: room for it, of any dtype; all is computed in float64, a few orders at a time.
        rings: of the sphere.
        band: exclusive bound of the degree.
        order: n.
    """
    beta = torch.tensor(rings.beta, dtype=torch.float64)
    beta = beta if order else beta[: (len(beta) + 1) // 2]
    at = 0
    for m0, m1, l0 in field_chunks(band, order):
        shape = (m1 - m0, band - l0, len(beta))
        part = out[at : (at := at + math.prod(shape))].view(shape)
        write_amplitudes(part, m0, l0, order, beta)


def field_factors(rings: Rings, band: int, order: int, inverse: bool) -> tuple[Tensor, Tensor]:
    """The factors of degrees and of rings.

    With ``inverse`` that of a degree is 2l + 1, and synthesis is the inverse transform. Without it,
    that of a ring is the Haar measure of one of its points, and analysis is the forward transform:
    the quadrature weight over beta, the mean over alpha, and in place of the mean over gamma, in
    which fields are not sampled, 1/2 = mean cos^2(n gamma) for n > 0.

    Args:
        rings: of the sphere.
        band: exclusive bound of the degree.
        order: n.
        inverse: which of the two.
    Returns:
        float64, ``(band,)`` and ``(rings,)``.
    """
    degrees, weights = torch.ones(band), torch.ones(len(rings.beta))
    if inverse:
        return 2 * torch.arange(band, dtype=torch.float64) + 1, weights.double()
    counts = torch.tensor(rings.counts, dtype=torch.float64)
    weights = torch.tensor(rings.weight, dtype=torch.float64) / counts
    return degrees.double(), weights / (2 if order else 1)
