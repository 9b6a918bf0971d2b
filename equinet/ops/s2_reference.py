"""The transforms of fields on the sphere in plain PyTorch: (H1) to (H5) of ``s2``.

In: a spectrum, a signal or the amplitudes of its waves, and constants. Out: another of the three.

The number of products, and of all other steps, does not depend on the band. Sums with signs are
taken from a list and its negative: the steps of an exported program are counted.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from equinet.numerics.cached import cached_untraced
from equinet.ops.precision import full_precision, placed
from equinet.ops.s2_plan import FieldTables, field_chunks


def _chunks(tables: FieldTables) -> list[Tensor]:
    """The table of each chunk, ``(m, l, points)``."""
    points, chunks = tables.points, field_chunks(tables.band, tables.order)
    found, start = [], 0
    for m0, m1, l0 in chunks:
        shape = m1 - m0, tables.band - l0, points
        size = shape[0] * shape[1] * points
        found.append(tables.d.narrow(0, start, size).view(shape))
        start += size
    return found


def _signed(x: Tensor, places: Tensor, terms: int) -> Tensor:
    """Sums of so many entries of x and -x each, which lie behind each other."""
    found = torch.cat([x, -x]).index_select(0, places)
    return found if terms == 1 else found.unflatten(0, (terms, -1)).sum(0)


def _by_degree(tables: FieldTables) -> Tensor:
    """The factor of each row of the spectrum, with two axes more."""
    return tables.by_degree.index_select(0, tables.degrees).view(-1, 1, 1)


def _by_ring(tables: FieldTables, halve: bool) -> Tensor:
    """The factor of each wave, ``([part,] m, ring, 2, 1, 1)``."""
    factors = _of_waves(tables.band, tables.order, halve, tables.by_ring.dtype)
    return placed(factors, tables.by_ring) * tables.by_ring.view(-1, 1, 1, 1)


@cached_untraced(64)
def _of_waves(band: int, order: int, halve: bool, dtype: torch.dtype) -> Tensor:
    """What amplitudes are multiplied with on all rings, ``([part,] band, 1, 2, 1, 1)``.

    The imaginary part of m = 0 is none; a real inverse FFT counts every m > 0 twice; and i z has
    the real part of z for its imaginary one, and less the other for its real one.
    """
    found = torch.ones(2 if order else 1, band, 1, 2, 1, 1, dtype=dtype)
    found[:, 1:] *= 0.5 if halve else 1.0
    found[1:, :, :, 0] *= -1
    found[:, 0, :, 1] = 0
    return found if order else found[0]


@cached_untraced(64)
def _mirrored(rings: int) -> tuple[Tensor, Tensor, Tensor]:
    """Where a ring is among the points of half a sphere and those opposite, and back.

    Returns:
        The place (point, P or Q) of each ring; the ring of each place; and 1 for each place, but 0
        for the second one of an equator.
    """
    points = (rings + 1) // 2
    ring = torch.arange(rings)
    places = torch.where(ring < points, 2 * ring, 2 * (rings - 1 - ring) + 1)
    point = torch.arange(points)
    back = torch.stack([point, rings - 1 - point], 1).flatten()
    once = torch.ones(2 * points)
    once[2 * points - 1] = 1 - rings % 2
    return places, back, once.view(-1, 1, 1, 1)


def waves_of(spectrum: Tensor, tables: FieldTables, halve: bool = False) -> Tensor:
    """The amplitudes X of (H1), by (H3) and (H4).

    Args:
        spectrum: real, ``(rows, channel, batch)``.
        tables: constants.
        halve: take half of all m > 0.
    Returns:
        ``(batch, channel and part, rings, band, 2)``.
    """
    band, columns = tables.band, spectrum.shape[1:]
    size = 4 * math.prod(columns)  # which a program leaves open
    both = _signed(spectrum * _by_degree(tables), tables.scatter, tables.terms)  # (H3)
    parts = both.split([4 * entries for entries in tables.entries])
    with full_precision(both):
        found = [
            torch.bmm(table.mT, part.reshape(*table.shape[:2], size))
            for table, part in zip(_chunks(tables), parts, strict=True)
        ]
    sums = torch.cat(found)
    if not tables.order:  # P on one half of the sphere and Q, mirrored, on the other
        places = placed(_mirrored(tables.rings)[0], sums)
        waves = sums.view(band, 2 * tables.points, 2, *columns).index_select(1, places)
        return (waves * _by_ring(tables, halve)).permute(4, 3, 1, 0, 2)
    sums = sums.view(band, tables.rings, 2, 2, *columns)
    p, q = sums.select(2, 0), sums.select(2, 1).flip(1)
    waves = torch.stack([p + q, (p - q).flip(2)]) * _by_ring(tables, halve)  # (H4)
    return waves.permute(5, 4, 0, 2, 1, 3).flatten(1, 2)


def coefficients_of(waves: Tensor, tables: FieldTables) -> Tensor:
    """The transpose of ``waves_of``.

    Args:
        waves: ``(batch, channel and part, rings, band, 2)``.
        tables: constants.
    Returns:
        ``(rows, channel, batch)``.
    """
    columns = waves.shape[1] // tables.parts, waves.shape[0]
    if tables.order:
        waves = waves.unflatten(1, (columns[0], 2)).permute(2, 4, 3, 5, 1, 0)
        waves = waves * _by_ring(tables, False)
        c, s = waves.select(0, 0), waves.select(0, 1).flip(2)
        both = torch.stack([c + s, (c - s).flip(1)], 2)
    else:
        _, places, once = (placed(x, waves) for x in _mirrored(tables.rings))
        waves = waves.permute(3, 2, 4, 1, 0) * tables.by_ring.view(-1, 1, 1, 1)
        both = waves.index_select(1, places)
        both = both * once.to(both.dtype) if tables.rings % 2 else both  # the equator counts once
    both = both.reshape(tables.band, tables.points, 4 * columns[0] * columns[1])
    chunks = _chunks(tables)
    parts = both.split([len(table) for table in chunks])
    with full_precision(both):
        found = [
            torch.bmm(table, part).view(4 * entries, *columns)
            for table, part, entries in zip(chunks, parts, tables.entries, strict=True)
        ]
    return _signed(torch.cat(found), tables.gather, 2) * _by_degree(tables)


def synthesis(spectrum: Tensor, tables: FieldTables) -> Tensor:
    """The signal of a spectrum.

    Args:
        spectrum: real, ``(rows, channel, batch)``.
        tables: constants.
    Returns:
        ``(batch, channel and part, rings, longitudes)``.
    """
    # The orders that are missing are added while numbers are real, as ONNX pads no complex ones.
    missing = tables.longitudes // 2 + 1 - tables.band
    waves = pad(waves_of(spectrum, tables, halve=True), (0, 0, 0, missing)).contiguous()
    if not waves.numel():
        return signal_of(torch.complex(waves[..., 0], waves[..., 1]), tables.longitudes)
    return signal_of(torch.view_as_complex(waves), tables.longitudes)


def analysis(signal: Tensor, tables: FieldTables) -> Tensor:
    """The transpose of ``synthesis``.

    Args:
        signal: ``(batch, channel and part, rings, longitudes)``.
        tables: constants.
    Returns:
        ``(rows, channel, batch)``.
    """
    return coefficients_of(waves_in(signal, tables.band), tables)


def waves_in(signal: Tensor, band: int) -> Tensor:
    """The sums over alpha for the orders below a band, as pairs of real numbers."""
    found = fourier(signal)[..., :band]
    if found.numel():
        return torch.view_as_real(found)
    return torch.stack([found.real, found.imag], -1)  # an empty gradient may have odd strides


def fourier(signal: Tensor) -> Tensor:
    """The sum over alpha with cos(m alpha) - i sin(m alpha), for all m that there are."""
    if signal.numel():
        return torch.fft.rfft(signal)
    return torch.complex(signal, signal)[..., : signal.shape[-1] // 2 + 1]


def signal_of(waves: Tensor, size: int) -> Tensor:
    """Its inverse but for a factor; both leave nothing to torch, which refuses empty tensors.

    Args:
        waves: complex, all orders of a real Fourier transform.
        size: number of longitudes.
    Returns:
        Real, with a last axis of that size.
    """
    if waves.numel():
        return torch.fft.irfft(waves, n=size, norm="forward")
    return waves.real.new_zeros(*waves.shape[:-1], size) + waves.real.sum()
