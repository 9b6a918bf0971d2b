r"""The Fourier transform of real functions on SO(3), from spectra to signals and transposed.

In: a real spectrum, or a signal. Out: the other. Before: ``wigner``. Next: ``block_matmul``.

The waves Y of ``wigner`` are summed over the orders n,

.. math::
    f(\alpha, \beta, \gamma) = \sum_{n \ge 0} \cos(n\gamma)\, Y_n^c(\alpha, \beta)
    + \sin(n\gamma)\, Y_n^s(\alpha, \beta) \quad (F3)

and the compiled form does (F1) to (F3) for a few angles beta and a few columns at a time, which
stay in the cache from the spectrum to the signal. Each operator is the other's derivative.
"""

from typing import NamedTuple

from torch import Tensor

from equinet.ops.native import library
from equinet.ops.native.operator import Operator, check_tensor
from equinet.ops.precision import full_precision
from equinet.ops.wigner import (
    CHUNK,
    SphereTables,
    chunks,
    wigner_analysis,
    wigner_synthesis,
)

WIDE = 32  # numbers that are read at a time, two vectors of csrc/cpu/columns.h or more


class GroupTables(NamedTuple):
    """The constants of one transform on SO(3), made by ``harmonics.grid``.

    Attributes:
        d: as in ``SphereTables``, for all orders n < band.
        alpha: ``(size, 2 * band)``, as in ``SphereTables``.
        gamma: ``(size, 2 * band - 1)``, the columns 1, cos gamma, sin gamma, cos 2 gamma and so on,
            with a factor if any.
        scatter, gather: as in ``SphereTables``.
        band: degrees l < band.
    """

    d: Tensor
    alpha: Tensor
    gamma: Tensor
    scatter: Tensor
    gather: Tensor
    band: int


def so3_synthesis(spectrum: Tensor, tables: GroupTables, channels: int) -> Tensor:
    """The signal (F3) of a spectrum.

    Args:
        spectrum: real, ``(rows, channel * batch)``; rows (l, m, n) as in ``harmonics.grid``.
        tables: constants on the device of ``spectrum``, which fix the precision.
        channels: number of channels.
    Returns:
        ``(batch, channel, size, size, size)`` with axes beta, alpha, gamma. In memory the batch is
        innermost, then beta, alpha and gamma.
    """
    batch, spectrum = spectrum.shape[1] // channels, spectrum.to(tables.d.dtype)
    outer = _outer(SYNTHESIS, spectrum, channels, batch)
    signal = SYNTHESIS(spectrum, *tables, outer)
    signal = signal.unflatten(-1, (channels // outer, batch))
    return signal.permute(5, 0, 4, 3, 2, 1).flatten(1, 2)


def so3_analysis(signal: Tensor, tables: GroupTables) -> Tensor:
    """The transpose of ``so3_synthesis`` with the same tables, ``(rows, channel * batch)``."""
    batch, channels = signal.shape[:2]
    signal = signal.to(tables.d.dtype)
    outer = _outer(ANALYSIS, signal, channels, batch)
    signal = signal.unflatten(1, (outer, channels // outer))
    return ANALYSIS(signal.permute(1, 5, 4, 3, 2, 0).flatten(-2), *tables)


def _outer(operator: Operator, x: Tensor, channels: int, batch: int) -> int:
    """Channels that lie apart in memory: all, if the batch alone fills what is read at a time.

    The reference is made of products of whole matrices, for which every column lies together.
    """
    return channels if channels and batch >= WIDE and operator.serves(x) else 1


# --- the reference --------------------------------------------------------------------------------


def _sphere_tables(d, alpha, scatter, gather, band) -> SphereTables:
    return SphereTables(tuple(range(band)), band, len(alpha), d, alpha, scatter, gather)


def _synthesis(spectrum, d, alpha, gamma, scatter, gather, band, outer) -> Tensor:
    waves = wigner_synthesis(spectrum, _sphere_tables(d, alpha, scatter, gather, band))
    with full_precision(waves):
        signal = (gamma @ waves.flatten(1)).view(len(gamma), *waves.shape[1:])
    return signal.unflatten(-1, (outer, -1)).movedim(-2, 0).contiguous()


def _analysis(signal, d, alpha, gamma, scatter, gather, band) -> Tensor:
    signal = signal.movedim(0, -2).flatten(-2)
    with full_precision(signal):
        waves = gamma.T @ signal.flatten(1)
    waves = waves.view(len(waves), *signal.shape[1:])
    return wigner_analysis(waves, _sphere_tables(d, alpha, scatter, gather, band))


# --- the operators --------------------------------------------------------------------------------


def _check_tables(operator, x, d, alpha, gamma, scatter, gather, band) -> None:
    size = alpha.shape[0]
    entries = sum(
        (2 if n else 1) * (m1 - m0) * (band - l0) * size
        for n in range(band)
        for m0, m1, l0 in chunks(band, n)
    )
    check_tensor(operator, "d", d, (entries,), x)
    check_tensor(operator, "alpha", alpha, (size, 2 * band), x)
    check_tensor(operator, "gamma", gamma, (size, 2 * band - 1), x)
    if size % 2:
        raise ValueError(f"{operator}: alpha: expected an even number of angles, got {size}")


def _check_synthesis(spectrum, d, alpha, gamma, scatter, gather, band, outer) -> None:
    rows = band * (4 * band * band - 1) // 3
    check_tensor("so3_synthesis", "spectrum", spectrum, (rows, None), spectrum)
    _check_tables("so3_synthesis", spectrum, d, alpha, gamma, scatter, gather, band)
    if outer < 1 or spectrum.shape[1] % outer:
        raise ValueError(
            f"so3_synthesis: outer: expected a divisor of {spectrum.shape[1]} columns, got {outer}"
        )


def _check_analysis(signal, d, alpha, gamma, scatter, gather, band) -> None:
    size = alpha.shape[0]
    check_tensor("so3_analysis", "signal", signal, (None, size, size, size, None), signal)
    _check_tables("so3_analysis", signal, d, alpha, gamma, scatter, gather, band)


def _fake_synthesis(spectrum, d, alpha, gamma, scatter, gather, band, outer) -> Tensor:
    return spectrum.new_empty(outer, *[alpha.shape[0]] * 3, spectrum.shape[1] // outer)


def _fake_analysis(signal, d, alpha, gamma, scatter, gather, band) -> Tensor:
    return signal.new_empty(band * (4 * band * band - 1) // 3, signal.shape[0] * signal.shape[-1])


def _cpu_synthesis(spectrum, d, alpha, gamma, scatter, gather, band, outer) -> Tensor:
    tables = [table.contiguous() for table in (d, alpha, gamma)]
    out = _fake_synthesis(spectrum, d, alpha, gamma, scatter, gather, band, outer)
    sizes = (band, len(alpha), outer, spectrum.shape[1] // outer, CHUNK)
    library.call("so3_synthesis", d.dtype, spectrum.contiguous(), *tables, out, *sizes)
    return out


def _cpu_analysis(signal, d, alpha, gamma, scatter, gather, band) -> Tensor:
    tables = [table.contiguous() for table in (d, alpha, gamma)]
    out = _fake_analysis(signal, d, alpha, gamma, scatter, gather, band)
    sizes = (band, len(alpha), signal.shape[0], signal.shape[-1], CHUNK)
    steps = signal.stride()  # a signal of any strides is read where it lies
    reach = sum((n - 1) * step for n, step in zip(signal.shape, steps, strict=True)) + 1
    memory = signal.as_strided((reach if signal.numel() else 0,), (1,))
    library.call("so3_analysis", d.dtype, memory, *tables, out, steps, *sizes)
    return out


def _save_synthesis(ctx, inputs, output) -> None:
    _, *constants, ctx.band, _ = inputs
    ctx.save_for_backward(*constants)


def _save_analysis(ctx, inputs, output) -> None:
    signal, *constants, ctx.band = inputs
    ctx.outer = signal.shape[0]
    ctx.save_for_backward(*constants)


def _synthesis_backward(ctx, grad):
    return ANALYSIS(grad, *ctx.saved_tensors, ctx.band), *[None] * 7


def _analysis_backward(ctx, grad):
    return SYNTHESIS(grad, *ctx.saved_tensors, ctx.band, ctx.outer), *[None] * 6


_TABLES = "Tensor d, Tensor alpha, Tensor gamma, Tensor scatter, Tensor gather, int band"
SYNTHESIS = Operator(
    f"so3_synthesis(Tensor spectrum, {_TABLES}, SymInt outer) -> Tensor",
    reference=_synthesis,
    fake=_fake_synthesis,
    check=_check_synthesis,
    cpu=_cpu_synthesis,
)
ANALYSIS = Operator(
    f"so3_analysis(Tensor signal, {_TABLES}) -> Tensor",
    reference=_analysis,
    fake=_fake_analysis,
    check=_check_analysis,
    cpu=_cpu_analysis,
)
SYNTHESIS.differentiate(_save_synthesis, _synthesis_backward)
ANALYSIS.differentiate(_save_analysis, _analysis_backward)
