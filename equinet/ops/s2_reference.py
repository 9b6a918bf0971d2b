"""The transforms of fields on the sphere in plain PyTorch: (H1) to (H5) of ``s2``.

In: a spectrum, a signal or the amplitudes of its waves, and constants. Out: another of the three.

The number of products, and of all other steps, does not depend on the band.
"""

import torch
from torch import Tensor

from equinet.ops.precision import full_precision
from equinet.ops.s2_plan import FieldTables, field_chunks


def _chunks(tables: FieldTables) -> list[Tensor]:
    """The table of each chunk, ``(m, l, points)``."""
    points, chunks = tables.points, field_chunks(tables.band, tables.order)
    parts = tables.d.split([entries * points for entries in tables.entries])
    return [
        part.view(m1 - m0, tables.band - l0, points)
        for part, (m0, m1, l0) in zip(parts, chunks, strict=True)
    ]


def waves_of(spectrum: Tensor, tables: FieldTables) -> Tensor:
    """The amplitudes X of (H1), by (H3) and (H4).

    Args:
        spectrum: real, ``(rows, channel, batch)``.
        tables: constants.
    Returns:
        ``(batch, channel and part, rings, band, 2)``.
    """
    waves = _waves_of(spectrum, tables)
    there = torch.arange(2 * tables.band, device=waves.device) != 1  # m = 0 has no imaginary part
    return torch.where(there.view(-1, 2), waves, 0)


def _waves_of(spectrum: Tensor, tables: FieldTables) -> Tensor:
    """The same but for the imaginary part of m = 0, which no signal sees."""
    channels, batch = spectrum.shape[1:]
    scatter, signs, _, degrees = tables.rows.split(tables.lists)
    factor = tables.by_degree.index_select(0, degrees)[:, None]
    rows = (spectrum.flatten(1) * factor).index_select(0, scatter)
    sets = rows.unflatten(0, (tables.sets, sum(tables.entries)))
    if tables.order:
        pp, mm, mp, pm = sets.unbind(0)
        plus = torch.stack([pp + mm, pm - mp], 1)  # (H3), index (m and l, real or imaginary)
        minus = torch.stack([pp - mm, -mp - pm], 1)
    else:
        plus = minus = torch.stack([sets[0], -sets[1]], 1)
    both = torch.stack([plus, signs[:, None, None] * minus], 1)
    parts = both.flatten(1).split(tables.entries)
    with full_precision(both):
        found = [
            torch.bmm(table.mT, part.unflatten(0, table.shape[:2]))
            for table, part in zip(_chunks(tables), parts, strict=True)
        ]
    sums = torch.cat(found).unflatten(2, both.shape[1:])
    p, q = sums[:, :, 0], sums[:, :, 1].flip(1)
    if tables.order:  # (H4), index (part, m, ring, real or imaginary, column)
        difference = p - q
        turned = torch.stack([-difference[:, :, 1], difference[:, :, 0]], 2)
        waves = torch.stack([p + q, turned])
    else:
        q = q[:, 1:] if tables.rings % 2 else q  # one equator
        waves = torch.cat([p, q], 1)[None]
    waves = (waves * tables.by_ring[:, None, None]).unflatten(-1, (channels, batch))
    return waves.permute(5, 4, 0, 2, 1, 3).flatten(1, 2)


def coefficients_of(waves: Tensor, tables: FieldTables) -> Tensor:
    """The transpose of ``waves_of``.

    Args:
        waves: ``(batch, channel and part, rings, band, 2)``.
        tables: constants.
    Returns:
        ``(rows, channel, batch)``.
    """
    batch, channels = waves.shape[0], waves.shape[1] // tables.parts
    waves = waves.unflatten(1, (channels, tables.parts))
    waves = waves.permute(2, 4, 3, 5, 1, 0).flatten(-2)  # (part, m, ring, real or imaginary, ...)
    waves = waves * tables.by_ring[:, None, None]
    if tables.order:
        turned = torch.stack([waves[1, :, :, 1], -waves[1, :, :, 0]], 2)
        p, q = waves[0] + turned, (waves[0] - turned).flip(1)
    else:
        p, q = waves[0][:, : tables.points], waves[0].flip(1)[:, : tables.points]
        if tables.rings % 2:  # the equator counts once
            q = torch.cat([q[:, :-1], torch.zeros_like(q[:, -1:])], 1)
    both = torch.stack([p, q], 2).flatten(2)
    chunks = _chunks(tables)
    parts = both.split([len(table) for table in chunks])
    with full_precision(both):
        found = [
            torch.bmm(table, part).flatten(0, 1) for table, part in zip(chunks, parts, strict=True)
        ]
    _, signs, gather, degrees = tables.rows.split(tables.lists)
    sums = torch.cat(found).unflatten(1, (2, 2, batch * channels))
    plus, minus = sums[:, 0], signs[:, None, None] * sums[:, 1]
    if tables.order:
        (a, b), (e, f) = plus.unbind(1), minus.unbind(1)
        sets = [a + e, a - e, -b - f, b - f]
    else:
        a, b = (plus + minus).unbind(1)
        sets = [a, -b]
    factor = tables.by_degree.index_select(0, degrees)[:, None]
    rows = torch.cat(sets).index_select(0, gather) * factor
    return rows.unflatten(1, (channels, batch))


def synthesis(spectrum: Tensor, tables: FieldTables) -> Tensor:
    """The signal of a spectrum.

    Args:
        spectrum: real, ``(rows, channel, batch)``.
        tables: constants.
    Returns:
        ``(batch, channel and part, rings, longitudes)``.
    """
    waves = _waves_of(spectrum, tables)
    # A real inverse FFT counts every m > 0 twice. The orders that are missing are added while the
    # numbers are real, as ONNX pads no complex ones.
    waves = torch.cat([waves[..., :1, :], waves[..., 1:, :] / 2], -2)
    missing = tables.longitudes // 2 + 1 - tables.band
    waves = torch.nn.functional.pad(waves, (0, 0, 0, missing))
    waves = torch.complex(waves[..., 0], waves[..., 1])
    return signal_of(waves, tables.longitudes)


def analysis(signal: Tensor, tables: FieldTables) -> Tensor:
    """The transpose of ``synthesis``.

    Args:
        signal: ``(batch, channel and part, rings, longitudes)``.
        tables: constants.
    Returns:
        ``(rows, channel, batch)``.
    """
    waves = torch.view_as_real(fourier(signal)[..., : tables.band])
    return coefficients_of(waves, tables)


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
