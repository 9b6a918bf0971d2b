r"""The Fourier transform of real fields on the sphere, from spectra to signals and transposed.

In: a real spectrum, or a signal. Out: the other.

A field of the irrep n of SO(2) is a function on SO(3) with the orders n and -n only; its components
are the waves Y^c_n and Y^s_n of ``wigner``, for n = 0 it is one, a function on the sphere. Over
alpha they go through a real fast Fourier transform,

.. math:: Y = \mathrm{Re} \sum_{0 \le m < b} X_m(\beta)\, e^{i m \alpha} \quad (H1)

and what is left is a sum over the degrees l for each order m. Of the two amplitudes of (F1) in
``wigner`` the table of one suffices, as pi - beta turns them into each other,

.. math:: d^-_l(\beta) = (-1)^{l+m+n}\, d^+_l(\pi - \beta) \quad (H2)

on a grid that is symmetric to the equator. With the coefficients f_{+-} for the indices +m, -n, and
so on,

.. math::
    P(\beta) = \sum_l d^+_l(\beta)\, [(f_{++} + f_{--}) - i (f_{-+} - f_{+-})], \qquad
    Q(\beta) = \sum_l d^+_l(\beta)\, (-1)^{l+m+n} [(f_{++} - f_{--}) - i (f_{-+} + f_{+-})]
    \quad (H3)

.. math::
    X^c(\beta) = P(\beta) + Q(\pi - \beta), \qquad
    X^s(\beta) = i\, (P(\beta) - Q(\pi - \beta)) \quad (H4)

and for n = 0, where only f_{++} and f_{-+} are left, X = P on one half of the sphere and X = Q,
mirrored, on the other: half of the table will do. There the sums over even and over odd l + m are
the same in P and in Q up to a sign, and the compiled form takes each of them once.

The two are each other's adjoint: each has the other as its derivative.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from equinet.ops import s2_gpu
from equinet.ops.example_tables import amplitudes, rows_of
from equinet.ops.native import library
from equinet.ops.native.checks import check_counts, check_indices, check_tensor, check_tensors
from equinet.ops.native.operator import Operator
from equinet.ops.precision import full_precision
from equinet.ops.s2_plan import FieldTables
from equinet.ops.wigner import CHUNK, chunks


def s2_synthesis(spectrum: Tensor, tables: FieldTables, channels: int) -> Tensor:
    """The signal (H1) of a spectrum.

    Args:
        spectrum: real, ``(rows, channel * batch)``; rows (l, m, n) as in ``harmonics.grid``.
        tables: constants on the device of ``spectrum``, which fix the precision.
        channels: number of channels.
    Returns:
        ``(batch, channel, size, size)`` with axes beta and alpha, two components for each channel
        where n > 0.
    Raises:
        ValueError: for tensors of another shape than the tables say.
        TypeError: for what is no tensor, or tables that are none.
    """
    check_tensors("s2_synthesis", spectrum=spectrum)
    check_tables("s2_synthesis", tables, FieldTables)
    batch = split_columns("s2_synthesis", spectrum, channels)
    spectrum = spectrum.to(tables.d.dtype).unflatten(1, (channels, batch))
    return SYNTHESIS(spectrum, tables)


def s2_analysis(signal: Tensor, tables: FieldTables) -> Tensor:
    """The transpose of ``s2_synthesis`` with the same tables.

    Args:
        signal: real, ``(batch, channel, size, size)``, two components for each channel if n > 0.
        tables: as in ``s2_synthesis``.
    Returns:
        A real spectrum, ``(rows, channel * batch)``.
    Raises:
        ValueError: for tensors of another shape than the tables say.
        TypeError: for what is no tensor, or tables that are none.
    """
    check_tensors("s2_analysis", signal=signal)
    check_tables("s2_analysis", tables, FieldTables)
    return ANALYSIS(signal.to(tables.d.dtype), tables).flatten(1)


def check_tables(operator: str, tables: object, kind: type[tuple[object, ...]]) -> None:
    """Refuse what are no tables of the kind that a transform takes.

    Args:
        operator: its name, for the message.
        tables: what was given.
        kind: their class.
    Raises:
        TypeError: if they are of another.
    """
    if not isinstance(tables, kind):
        raise TypeError(
            f"{operator}: tables: expected {kind.__name__}, got {type(tables).__name__}"
        )


def split_columns(operator: str, spectrum: Tensor, channels: int) -> int:
    """The number of samples in the columns of a spectrum, channel by channel.

    Args:
        operator: its name, for the message.
        spectrum: ``(rows, channel * batch)``.
        channels: number of channels.
    Returns:
        The batch.
    Raises:
        ValueError: if the columns are none of so many channels.
        TypeError: if ``channels`` is no integer.
    """
    check_counts(operator, "channels", [channels], 1)
    if spectrum.dim() != 2 or spectrum.shape[1] % channels:
        raise ValueError(
            f"{operator}: spectrum: expected (rows, {channels} channels x batch), got "
            f"{tuple(spectrum.shape)}"
        )
    return spectrum.shape[1] // channels


# --- the reference --------------------------------------------------------------------------------


def _pieces(tables: FieldTables) -> Iterator[tuple[Tensor, Tensor]]:
    """For each chunk the table ``(m, l, points)`` and (-1)^(l + m + n) as ``(m, l, 1, 1)``."""
    d, at, band = tables.d, 0, tables.band
    for m0, m1, l0 in chunks(band, tables.order):
        count, degrees = m1 - m0, band - l0
        lines = count * degrees * tables.points
        table = d[at : at + lines].view(count, degrees, tables.points)
        at += lines
        m, l = torch.arange(m0, m1, device=d.device), torch.arange(l0, band, device=d.device)
        signs = 1 - 2 * ((m[:, None] + l + tables.order) % 2)
        yield table, signs[..., None, None].to(d.dtype)


def _synthesis(spectrum: Tensor, tables: FieldTables) -> Tensor:
    order, size = tables.order, tables.size
    channels, batch = spectrum.shape[1:]
    rows, at = spectrum.flatten(1).index_select(0, tables.scatter), 0
    found: list[Tensor] = []
    for table, sign in _pieces(tables):
        count, degrees, _ = table.shape
        sets = rows[at : at + tables.sets * count * degrees]
        at += len(sets)
        sets = sets.unflatten(0, (tables.sets, count, degrees))
        if order:
            pp, mm, mp, pm = sets.unbind(0)
            plus = torch.stack([pp + mm, pm - mp], 2)  # (H3), index (m, l, real or imaginary)
            minus = torch.stack([pp - mm, -mp - pm], 2)
        else:
            plus = minus = torch.stack([sets[0], -sets[1]], 2)
        both = torch.stack([plus, sign * minus], 2)
        with full_precision(both):
            sums = torch.bmm(table.mT, both.flatten(2)).unflatten(2, both.shape[2:])
        p, q = sums[:, :, 0], sums[:, :, 1].flip(1)
        if order:  # (H4), index (part, m, beta, real or imaginary, column)
            difference = p - q
            turned = torch.stack([-difference[:, :, 1], difference[:, :, 0]], 2)
            found.append(torch.stack([p + q, turned]))
        else:
            found.append(torch.cat([p, q], 1)[None])
    # A real inverse FFT counts every m > 0 twice. The orders that are missing are added while the
    # numbers are real, as ONNX pads no complex ones.
    first = found[0]
    missing = first.new_zeros(first.shape[0], size // 2 + 1 - tables.band, *first.shape[2:])
    waves = torch.cat([*found, missing], 1)
    waves = torch.cat([waves[:, :1], waves[:, 1:] / 2], 1)
    x = torch.complex(waves[..., 0, :], waves[..., 1, :]).unflatten(-1, (channels, batch))
    x = x.permute(4, 3, 0, 2, 1).flatten(1, 2)  # (batch, channel and part, beta, m)
    return _signal(x.contiguous(), size)


def _analysis(signal: Tensor, tables: FieldTables) -> Tensor:
    batch, channels = signal.shape[0], signal.shape[1] // tables.parts
    waves = torch.view_as_real(_waves(signal)[..., : tables.band])
    waves = waves.unflatten(1, (channels, tables.parts))
    waves = waves.permute(2, 4, 3, 5, 1, 0).flatten(-2)  # (part, m, beta, real or imaginary, ...)
    found: list[Tensor] = []
    m0 = 0
    for table, sign in _pieces(tables):
        here = waves[:, m0 : m0 + len(table)]
        m0 += len(table)
        if tables.order:
            turned = torch.stack([here[1, :, :, 1], -here[1, :, :, 0]], 2)
            p, q = here[0] + turned, here[0] - turned
        else:
            p, q = here[0].split(tables.size // 2, 1)
        both = torch.stack([p, q.flip(1)], 2)
        with full_precision(both):
            sums = torch.bmm(table, both.flatten(2)).unflatten(2, both.shape[2:])
        plus, minus = sums[:, :, 0], sign * sums[:, :, 1]
        if tables.order:
            (a, b), (e, f) = plus.unbind(2), minus.unbind(2)
            sets = [a + e, a - e, -b - f, b - f]
        else:
            a, b = (plus + minus).unbind(2)
            sets = [a, -b]
        found += [part.flatten(0, 1) for part in sets]
    rows = torch.cat(found).index_select(0, tables.gather)
    return rows.unflatten(1, (channels, batch))


def _waves(signal: Tensor) -> Tensor:
    """The sum over alpha with cos(m alpha) - i sin(m alpha), all m <= size / 2."""
    if signal.numel():
        return torch.fft.rfft(signal)
    return torch.complex(signal, signal)[..., : signal.shape[-1] // 2 + 1]


def _signal(waves: Tensor, size: int) -> Tensor:
    """Its inverse but for a factor; both leave nothing to torch, which refuses empty tensors."""
    if waves.numel():
        return torch.fft.irfft(waves, n=size, norm="forward")
    return waves.real.new_zeros(*waves.shape[:-1], size) + waves.real.sum()


# --- the operators --------------------------------------------------------------------------------


def _check_tables(operator: str, x: Tensor, tables: FieldTables) -> None:
    d, scatter, gather, band, size, order = tables
    if size < 2 * band or size % 2:
        raise ValueError(
            f"{operator}: size: expected an even number of angles, {2 * band} or more, got {size}"
        )
    if not 0 <= order < band:
        raise ValueError(f"{operator}: order: expected 0 to {band - 1}, got {order}")
    check_tensor(operator, "d", d, (None,), x)
    if len(d) < band:  # before the sum, which takes long for a band that cannot be meant
        raise ValueError(f"{operator}: d: expected a table of band {band}, got {tuple(d.shape)}")
    entries = sum((m1 - m0) * (band - l0) for m0, m1, l0 in chunks(band, order))
    check_tensor(operator, "d", d, (entries * tables.points,), x)
    check_indices(operator, "scatter", scatter, tables.sets * entries, x)
    check_indices(operator, "gather", gather, tables.rows, x)


def _check_synthesis(spectrum: Tensor, tables: FieldTables) -> None:
    check_tensors("s2_synthesis", spectrum=spectrum)
    _check_tables("s2_synthesis", spectrum, tables)
    check_tensor("s2_synthesis", "spectrum", spectrum, (tables.rows, None, None))


def _check_analysis(signal: Tensor, tables: FieldTables) -> None:
    check_tensors("s2_analysis", signal=signal)
    _check_tables("s2_analysis", signal, tables)
    check_tensor("s2_analysis", "signal", signal, (None, None, tables.size, tables.size))
    if signal.shape[1] % tables.parts:
        raise ValueError(
            f"s2_analysis: signal: expected two components for each channel, got "
            f"{signal.shape[1]} in all"
        )


def _fake_synthesis(spectrum: Tensor, tables: FieldTables) -> Tensor:
    channels, batch = spectrum.shape[1:]
    return spectrum.new_empty(batch, tables.parts * channels, tables.size, tables.size)


def _fake_analysis(signal: Tensor, tables: FieldTables) -> Tensor:
    return signal.new_empty(tables.rows, signal.shape[1] // tables.parts, signal.shape[0])


def _empty_waves(spectrum: Tensor, tables: FieldTables) -> Tensor:
    """Room for those of a signal, real and imaginary part, m <= size / 2."""
    (channels, batch), size = spectrum.shape[1:], tables.size
    return spectrum.new_empty(batch, tables.parts * channels, size, size // 2 + 1, 2)


def _cpu_synthesis(spectrum: Tensor, tables: FieldTables) -> Tensor:
    waves = _empty_waves(spectrum, tables)
    sizes = (tables.band, tables.size, tables.order, *spectrum.shape[1:], CHUNK)
    arguments = (spectrum.contiguous(), tables.d.contiguous(), waves, *sizes)
    library.call("s2_synthesis", tables.d.dtype, *arguments)
    return _signal(torch.view_as_complex(waves), tables.size)


def _cpu_analysis(signal: Tensor, tables: FieldTables) -> Tensor:
    waves = torch.view_as_real(_waves(signal)).contiguous()
    out = _fake_analysis(signal, tables)
    sizes = (tables.band, tables.size, tables.order, *out.shape[1:], CHUNK)
    library.call("s2_analysis", tables.d.dtype, waves, tables.d.contiguous(), out, *sizes)
    return out


def _gpu_synthesis(spectrum: Tensor, tables: FieldTables) -> Tensor:
    waves = _empty_waves(spectrum, tables)
    sizes = (tables.band, tables.size, tables.order, *spectrum.shape[1:])
    s2_gpu.launch(s2_gpu.SYNTHESIS, spectrum.contiguous(), tables.d, waves, *sizes)
    return _signal(torch.view_as_complex(waves), tables.size)


def _gpu_analysis(signal: Tensor, tables: FieldTables) -> Tensor:
    waves = torch.view_as_real(_waves(signal)).contiguous()
    out = _fake_analysis(signal, tables)
    sizes = (tables.band, tables.size, tables.order, *out.shape[1:])
    s2_gpu.launch(s2_gpu.ANALYSIS, waves, tables.d, out, *sizes)
    return out


def _synthesis_fits(spectrum: Tensor, tables: FieldTables) -> bool:
    columns = spectrum.shape[1] * spectrum.shape[2]
    return s2_gpu.fits(s2_gpu.SYNTHESIS, tables.band, tables.size, tables.order, columns)


def _analysis_fits(signal: Tensor, tables: FieldTables) -> bool:
    columns = signal.shape[0] * signal.shape[1] // tables.parts
    return s2_gpu.fits(s2_gpu.ANALYSIS, tables.band, tables.size, tables.order, columns)


def _examples(inverse: bool) -> list[tuple[Tensor, FieldTables]]:
    """Functions and fields of spin 2, with more than a chunk of orders and a tile of columns."""
    generator = torch.Generator().manual_seed(0)
    found: list[tuple[Tensor, FieldTables]] = []
    for band, size, order, channels, batch in (
        (5, 12, 0, 3, 7),
        (5, 12, 2, 3, 7),
        (18, 38, 1, 1, 3),
    ):
        points = size if order else size // 2
        pieces = [amplitudes(at, band, points, generator) for at in chunks(band, order)]
        if order:  # where m = 0 the amplitudes of opposite waves are the same
            signs = 1 - 2 * ((torch.arange(order, band) + order) % 2)
            pieces[0][0] += signs[:, None] * pieces[0][0].flip(1)
        d = torch.cat([piece.flatten() for piece in pieces])
        tables = FieldTables(d, *rows_of(band, (order,)), band, size, order)
        shape = tables.rows, channels, batch
        if not inverse:
            shape = batch, tables.parts * channels, size, size
        found.append((torch.randn(shape, generator=generator, dtype=torch.float64), tables))
    return found


_TABLES = "Tensor d, Tensor scatter, Tensor gather, int band, int size, int order"
SYNTHESIS = Operator(
    f"s2_synthesis(Tensor spectrum, {_TABLES}) -> Tensor",
    FieldTables,
    reference=_synthesis,
    fake=_fake_synthesis,
    check=_check_synthesis,
    cpu=_cpu_synthesis,
    gpu=_gpu_synthesis,
    fits=_synthesis_fits,
    examples=lambda: _examples(inverse=True),
)
ANALYSIS = Operator(
    f"s2_analysis(Tensor signal, {_TABLES}) -> Tensor",
    FieldTables,
    reference=_analysis,
    fake=_fake_analysis,
    check=_check_analysis,
    cpu=_cpu_analysis,
    gpu=_gpu_analysis,
    fits=_analysis_fits,
    examples=lambda: _examples(inverse=False),
)
SYNTHESIS.adjoint_is(ANALYSIS, lambda spectrum, tables, _: tables)
ANALYSIS.adjoint_is(SYNTHESIS, lambda signal, tables, _: tables)
