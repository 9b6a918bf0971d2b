r"""The Fourier transform of real fields on the sphere, from spectra to signals and transposed.

In: a real spectrum, or a signal. Out: the other.

A field of the irrep n of SO(2) is a function on SO(3) with the orders n and -n only; its components
are the waves Y^c_n and Y^s_n of ``wigner``, for n = 0 it is one, a function on the sphere. Over
alpha they go through a real fast Fourier transform,

.. math:: Y = \mathrm{Re} \sum_{0 \le m < b} X_m(\beta)\, e^{i m \alpha} \quad (H1)

and what is left is a sum over the degrees l for each order m. Of the two amplitudes of (F1) in
``wigner`` the table of one suffices, as pi - beta turns them into each other,

.. math:: d^-_l(\beta) = (-1)^{l+m+n}\, d^+_l(\pi - \beta) \quad (H2)

on rings that are symmetric to the equator. With the coefficients f_{+-} for the indices +m, -n, and
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

A table D has no factors: they are two diagonals, by degree and by ring, so that one table serves
both directions,

.. math::
    S = F\, \mathrm{diag}(r)\, D\, \mathrm{diag}(g), \qquad
    S^T = \mathrm{diag}(g)\, D^T\, \mathrm{diag}(r)\, F^T \quad (H5)

The two are each other's adjoint: each has the other as its derivative. Where all rings have equally
many points from longitude 0 on, F is one fast Fourier transform and part of the operator; for other
rings ``s2_waves`` and ``s2_coefficients`` are what is left of the two without it.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from equinet.ops import s2_gpu
from equinet.ops.example_tables import field_tables_of
from equinet.ops.native import library
from equinet.ops.native.checks import (
    check_indices,
    check_tables,
    check_tensor,
    check_tensors,
    split_columns,
)
from equinet.ops.native.operator import Operator
from equinet.ops.precision import cast
from equinet.ops.s2_plan import FieldTables, chunk_width
from equinet.ops.s2_reference import (
    analysis,
    coefficients_of,
    fourier,
    signal_of,
    synthesis,
    waves_of,
)


def s2_synthesis(spectrum: Tensor, tables: FieldTables, channels: int) -> Tensor:
    """The signal (H1) of a spectrum.

    Args:
        spectrum: real, ``(rows, channel * batch)``; rows (l, m, n) as in ``harmonics.grid``.
        tables: constants on the device of ``spectrum``, which fix the precision.
        channels: number of channels.
    Returns:
        ``(batch, channel, rings, longitudes)``, two components for each channel where n > 0.
    Raises:
        ValueError: for tensors of another shape than the tables say.
        TypeError: for what is no tensor, or tables that are none.
    """
    check_tensors("s2_synthesis", spectrum=spectrum)
    check_tables("s2_synthesis", tables, FieldTables)
    batch = split_columns("s2_synthesis", spectrum, channels)
    spectrum = cast(spectrum, tables.d.dtype).unflatten(1, (channels, batch))
    return SYNTHESIS(spectrum, tables)


def s2_analysis(signal: Tensor, tables: FieldTables) -> Tensor:
    """The transpose of ``s2_synthesis`` with the same tables.

    Args:
        signal: real, ``(batch, channel, rings, longitudes)``, two components for each channel if
            n > 0.
        tables: as in ``s2_synthesis``.
    Returns:
        A real spectrum, ``(rows, channel * batch)``.
    Raises:
        ValueError: for tensors of another shape than the tables say.
        TypeError: for what is no tensor, or tables that are none.
    """
    check_tensors("s2_analysis", signal=signal)
    check_tables("s2_analysis", tables, FieldTables)
    return ANALYSIS(cast(signal, tables.d.dtype), tables).flatten(1)


def s2_waves(spectrum: Tensor, tables: FieldTables, channels: int) -> Tensor:
    """The amplitudes X of (H1) of a spectrum, on rings of any longitudes.

    Args:
        spectrum: real, ``(rows, channel * batch)``; rows (l, m, n) as in ``harmonics.grid``.
        tables: as in ``s2_synthesis``; their number of longitudes is not used.
        channels: number of channels.
    Returns:
        ``(batch, channel, rings, band, 2)``, for each order m the real and the imaginary part, two
        components for each channel where n > 0.
    Raises:
        ValueError: for tensors of another shape than the tables say.
        TypeError: for what is no tensor, or tables that are none.
    """
    check_tensors("s2_waves", spectrum=spectrum)
    check_tables("s2_waves", tables, FieldTables)
    batch = split_columns("s2_waves", spectrum, channels)
    return WAVES(cast(spectrum, tables.d.dtype).unflatten(1, (channels, batch)), tables)


def s2_coefficients(waves: Tensor, tables: FieldTables) -> Tensor:
    """The transpose of ``s2_waves`` with the same tables.

    Args:
        waves: real, ``(batch, channel, rings, band, 2)``.
        tables: as in ``s2_waves``.
    Returns:
        A real spectrum, ``(rows, channel * batch)``.
    Raises:
        ValueError: for tensors of another shape than the tables say.
        TypeError: for what is no tensor, or tables that are none.
    """
    check_tensors("s2_coefficients", waves=waves)
    check_tables("s2_coefficients", tables, FieldTables)
    return COEFFICIENTS(cast(waves, tables.d.dtype), tables).flatten(1)


# --- the operators --------------------------------------------------------------------------------


def _check_tables(operator: str, x: Tensor, tables: FieldTables, fourier: bool) -> None:
    d, by_degree, by_ring, rows, band, longitudes, order = tables
    if fourier and longitudes < 2 * band - 1:
        raise ValueError(
            f"{operator}: longitudes: expected {2 * band - 1} or more for band {band}, got "
            f"{longitudes}"
        )
    if not 0 <= order < band:
        raise ValueError(f"{operator}: order: expected 0 to {band - 1}, got {order}")
    check_tensor(operator, "d", d, (None,), x)
    check_tensor(operator, "by_degree", by_degree, (band,), x)
    check_tensor(operator, "by_ring", by_ring, (None,), x)
    entries = sum(tables.entries)
    check_tensor(operator, "d", d, (entries * tables.points,), x)
    check_indices(operator, "rows", rows, sum(tables.lists), x)


def _check_spectrum(operator: str, spectrum: Tensor, tables: FieldTables, fourier: bool) -> None:
    check_tensors(operator, spectrum=spectrum)
    _check_tables(operator, spectrum, tables, fourier)
    check_tensor(operator, "spectrum", spectrum, (tables.size, None, None))


def _check_field(
    operator: str, name: str, x: Tensor, tables: FieldTables, sizes: tuple[int, ...]
) -> None:
    check_tensors(operator, **{name: x})
    _check_tables(operator, x, tables, len(sizes) == 1)
    check_tensor(operator, name, x, (None, None, tables.rings, *sizes))
    if x.shape[1] % tables.parts:
        raise ValueError(
            f"{operator}: {name}: expected two components for each channel, got {x.shape[1]} in all"
        )


def _check_synthesis(spectrum: Tensor, tables: FieldTables) -> None:
    _check_spectrum("s2_synthesis", spectrum, tables, fourier=True)


def _check_waves(spectrum: Tensor, tables: FieldTables) -> None:
    _check_spectrum("s2_waves", spectrum, tables, fourier=False)


def _check_analysis(signal: Tensor, tables: FieldTables) -> None:
    _check_field("s2_analysis", "signal", signal, tables, (tables.longitudes,))


def _check_coefficients(waves: Tensor, tables: FieldTables) -> None:
    _check_field("s2_coefficients", "waves", waves, tables, (tables.band, 2))


def _field(spectrum: Tensor, tables: FieldTables, *sizes: int) -> Tensor:
    channels, batch = spectrum.shape[1:]
    return spectrum.new_empty(batch, tables.parts * channels, tables.rings, *sizes)


def _fake_synthesis(spectrum: Tensor, tables: FieldTables) -> Tensor:
    return _field(spectrum, tables, tables.longitudes)


def _fake_waves(spectrum: Tensor, tables: FieldTables) -> Tensor:
    return _field(spectrum, tables, tables.band, 2)


def _fake_rows(x: Tensor, tables: FieldTables) -> Tensor:
    return x.new_empty(tables.size, x.shape[1] // tables.parts, x.shape[0])


def _sizes(tables: FieldTables, waves: Tensor, columns: Tensor) -> tuple[int, ...]:
    """As the compiled forms take them; the channels and the batch are those of a spectrum."""
    return (tables.band, tables.rings, waves.shape[3], tables.order, *columns.shape[1:])


def _constants(tables: FieldTables) -> tuple[Tensor, Tensor, Tensor]:
    d, by_degree, by_ring = tables[:3]
    return d.contiguous(), by_degree.contiguous(), by_ring.contiguous()


def _cpu_write(spectrum: Tensor, tables: FieldTables, waves: Tensor, halve: bool) -> Tensor:
    """The compiled ``waves_of``, on the CPU."""
    sizes = (int(halve), *_sizes(tables, waves, spectrum), chunk_width(tables.band))
    arguments = (spectrum.contiguous(), *_constants(tables), waves, *sizes)
    library.call("s2_synthesis", tables.d.dtype, *arguments)
    return waves


def _cpu_read(waves: Tensor, tables: FieldTables) -> Tensor:
    """The compiled ``coefficients_of``, on the CPU."""
    out = _fake_rows(waves, tables)
    sizes = (*_sizes(tables, waves, out), chunk_width(tables.band))
    arguments = (waves.contiguous(), *_constants(tables), out, *sizes)
    library.call("s2_analysis", tables.d.dtype, *arguments)
    return out


def _gpu_write(spectrum: Tensor, tables: FieldTables, waves: Tensor, halve: bool) -> Tensor:
    """The compiled ``waves_of``, on a GPU."""
    sizes = _sizes(tables, waves, spectrum)
    constants = _constants(tables)
    s2_gpu.launch(s2_gpu.SYNTHESIS, spectrum.contiguous(), constants, waves, halve, sizes)
    return waves


def _gpu_read(waves: Tensor, tables: FieldTables) -> Tensor:
    """The compiled ``coefficients_of``, on a GPU."""
    out = _fake_rows(waves, tables)
    sizes, constants = _sizes(tables, waves, out), _constants(tables)
    s2_gpu.launch(s2_gpu.ANALYSIS, waves.contiguous(), constants, out, False, sizes)
    return out


class _Forms(NamedTuple):
    """The operators on one kind of device, but for the sum over beta, which ``read`` is."""

    synthesis: Callable[[Tensor, FieldTables], Tensor]
    analysis: Callable[[Tensor, FieldTables], Tensor]
    waves: Callable[[Tensor, FieldTables], Tensor]


def _forms(
    write: Callable[[Tensor, FieldTables, Tensor, bool], Tensor],
    read: Callable[[Tensor, FieldTables], Tensor],
) -> _Forms:
    """What they are where ``write`` and ``read`` are compiled; Fourier transforms are torch's."""

    def synthesis(spectrum: Tensor, tables: FieldTables) -> Tensor:
        waves = _field(spectrum, tables, tables.longitudes // 2 + 1, 2)
        write(spectrum, tables, waves, True)
        return signal_of(torch.view_as_complex(waves), tables.longitudes)

    def analysis(signal: Tensor, tables: FieldTables) -> Tensor:
        return read(torch.view_as_real(fourier(signal)), tables)

    def waves(spectrum: Tensor, tables: FieldTables) -> Tensor:
        return write(spectrum, tables, _fake_waves(spectrum, tables), False)

    return _Forms(synthesis, analysis, waves)


_CPU, _GPU = _forms(_cpu_write, _cpu_read), _forms(_gpu_write, _gpu_read)


def _synthesis_fits(spectrum: Tensor, tables: FieldTables) -> bool:
    return _fits(spectrum, tables, tables.longitudes // 2 + 1)


def _waves_fits(spectrum: Tensor, tables: FieldTables) -> bool:
    return _fits(spectrum, tables, tables.band)


def _fits(spectrum: Tensor, tables: FieldTables, waves: int) -> bool:
    sizes = (tables.band, tables.rings, waves, tables.order, *spectrum.shape[1:])
    return s2_gpu.fits(s2_gpu.SYNTHESIS, sizes)


def _analysis_fits(x: Tensor, tables: FieldTables) -> bool:
    columns = x.shape[1] // tables.parts, x.shape[0]
    sizes = (tables.band, tables.rings, tables.band, tables.order, *columns)
    return s2_gpu.fits(s2_gpu.ANALYSIS, sizes)


def _examples(inverse: bool, fourier: bool = True) -> list[tuple[Tensor, FieldTables]]:
    """Functions and fields of spin 2 with several chunks and tiles; an equator; odd longitudes."""
    generator = torch.Generator().manual_seed(0)
    found: list[tuple[Tensor, FieldTables]] = []
    for sizes, channels, batch in (
        ((5, 12, 12, 0), 3, 7),
        ((5, 7, 9, 0), 1, 2),
        ((5, 11, 12, 2), 3, 7),
        ((18, 38, 38, 1), 1, 3),
    ):
        tables = field_tables_of(*sizes, generator)
        if inverse:
            shape = tables.size, channels, batch
        else:
            along = (tables.longitudes,) if fourier else (tables.band, 2)
            shape = batch, tables.parts * channels, tables.rings, *along
        found.append((torch.randn(shape, generator=generator, dtype=torch.float64), tables))
    return found


_TABLES = (
    "Tensor d, Tensor by_degree, Tensor by_ring, Tensor rows, int band, int longitudes, int order"
)
SYNTHESIS = Operator(
    f"s2_synthesis(Tensor spectrum, {_TABLES}) -> Tensor",
    FieldTables,
    reference=synthesis,
    fake=_fake_synthesis,
    check=_check_synthesis,
    cpu=_CPU.synthesis,
    gpu=_GPU.synthesis,
    fits=_synthesis_fits,
    examples=lambda: _examples(inverse=True),
)
ANALYSIS = Operator(
    f"s2_analysis(Tensor signal, {_TABLES}) -> Tensor",
    FieldTables,
    reference=analysis,
    fake=_fake_rows,
    check=_check_analysis,
    cpu=_CPU.analysis,
    gpu=_GPU.analysis,
    fits=_analysis_fits,
    examples=lambda: _examples(inverse=False),
)
WAVES = Operator(
    f"s2_waves(Tensor spectrum, {_TABLES}) -> Tensor",
    FieldTables,
    reference=waves_of,
    fake=_fake_waves,
    check=_check_waves,
    cpu=_CPU.waves,
    gpu=_GPU.waves,
    fits=_waves_fits,
    examples=lambda: _examples(inverse=True, fourier=False),
)
COEFFICIENTS = Operator(
    f"s2_coefficients(Tensor waves, {_TABLES}) -> Tensor",
    FieldTables,
    reference=coefficients_of,
    fake=_fake_rows,
    check=_check_coefficients,
    cpu=_cpu_read,
    gpu=_gpu_read,
    fits=_analysis_fits,
    examples=lambda: _examples(inverse=False, fourier=False),
)
SYNTHESIS.adjoint_is(ANALYSIS, lambda spectrum, tables, _: tables)
ANALYSIS.adjoint_is(SYNTHESIS, lambda signal, tables, _: tables)
WAVES.adjoint_is(COEFFICIENTS, lambda spectrum, tables, _: tables)
COEFFICIENTS.adjoint_is(WAVES, lambda waves, tables, _: tables)
