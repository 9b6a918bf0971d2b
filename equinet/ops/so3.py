r"""The Fourier transform of real functions on SO(3), from spectra to signals and transposed.

In: a real spectrum, or a signal. Out: the other. Next:
``filter_spectrum``.

The waves Y of ``wigner`` are summed over the orders n,

.. math::
    f(\alpha, \beta, \gamma) = \sum_{n \ge 0} \cos(n\gamma)\, Y_n^c(\alpha, \beta)
    + \sin(n\gamma)\, Y_n^s(\alpha, \beta) \quad (F3)

and the compiled form does (F1) to (F3) for a few angles beta and a few columns at a time, which
stay in the cache from the spectrum to the signal. On a GPU (F1) is a kernel by itself, and between
the two lies about as much as a signal. Each operator is the other's derivative.

A signal is large and a mask is not. What ReLU makes of a signal is written as it is computed,

.. math:: (f, b) = (\max(S \hat f, 0),\ S \hat f \le 0), \qquad
          \hat g = S^T (1 - b)\, g \quad (F4)

and its derivative reads the gradient where b is 0, so that no tensor is needed in between. The mask
b lies in the order in which a signal is computed, (outer, group of 16 columns, beta, alpha, gamma,
column), so that it streams through memory; columns that fill up a group are true.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from equinet.ops import so3_gpu
from equinet.ops.example_tables import constants_of
from equinet.ops.masking import zero_where
from equinet.ops.native import library
from equinet.ops.native.operator import (
    Operator,
    check_indices,
    check_mask,
    check_tensor,
    check_tensors,
)
from equinet.ops.precision import full_precision
from equinet.ops.s2 import check_tables, split_columns
from equinet.ops.wigner import (
    CHUNK,
    SphereTables,
    chunks,
    wigner_analysis,
    wigner_synthesis,
)

GROUP = 16  # columns of a mask that lie together, kGroup of csrc/cpu/so3_block.h
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


def so3_synthesis(
    spectrum: Tensor, tables: GroupTables, channels: int, relu: bool = False
) -> Tensor:
    """The signal (F3) of a spectrum.

    Args:
        spectrum: real, ``(rows, channel * batch)``; rows (l, m, n) as in ``harmonics.grid``.
        tables: constants on the device of ``spectrum``, which fix the precision.
        channels: number of channels.
        relu: write 0 for what is negative (F4).
    Returns:
        ``(batch, channel, size, size, size)`` with axes beta, alpha, gamma. In memory the batch is
        innermost, then beta, alpha and gamma.
    Raises:
        ValueError: for tensors of another shape than the tables say.
        TypeError: for what is no tensor, or tables that are none.
    """
    check_tensors("so3_synthesis", spectrum=spectrum)
    check_tables("so3_synthesis", tables, GroupTables)
    batch = split_columns("so3_synthesis", spectrum, channels)
    spectrum = spectrum.to(tables.d.dtype)
    outer = _outer(SYNTHESIS, spectrum, channels, batch)
    if relu:
        signal, _ = RECTIFIED(spectrum, *tables, outer)
    else:
        signal = SYNTHESIS(spectrum, None, *tables, outer)
    signal = signal.unflatten(-1, (channels // outer, batch))
    return signal.permute(5, 0, 4, 3, 2, 1).flatten(1, 2)


def so3_analysis(signal: Tensor, tables: GroupTables) -> Tensor:
    """The transpose of ``so3_synthesis`` with the same tables, ``(rows, channel * batch)``."""
    check_tensors("so3_analysis", signal=signal)
    check_tables("so3_analysis", tables, GroupTables)
    if signal.dim() != 5:
        raise ValueError(
            f"so3_analysis: signal: expected (batch, channel, beta, alpha, gamma), got "
            f"{tuple(signal.shape)}"
        )
    batch, channels = signal.shape[:2]
    signal = signal.to(tables.d.dtype)
    outer = _outer(ANALYSIS, signal, channels, batch)
    signal = signal.unflatten(1, (outer, channels // outer))
    return ANALYSIS(signal.permute(1, 5, 4, 3, 2, 0).flatten(-2), None, *tables)


def _outer(operator: Operator, x: Tensor, channels: int, batch: int) -> int:
    """Channels that lie apart in memory: all, if the batch alone fills what is read at a time.

    The reference is made of products of whole matrices, for which every column lies together.
    """
    return channels if channels and batch >= WIDE and operator.serves(x) else 1


# --- the reference --------------------------------------------------------------------------------


def _sphere_tables(d, alpha, scatter, gather, band) -> SphereTables:
    return SphereTables(tuple(range(band)), band, len(alpha), d, alpha, scatter, gather)


def _synthesis(spectrum, zero, d, alpha, gamma, scatter, gather, band, outer) -> Tensor:
    waves = wigner_synthesis(spectrum, _sphere_tables(d, alpha, scatter, gather, band))
    with full_precision(waves):
        signal = (gamma @ waves.flatten(1)).view(len(gamma), *waves.shape[1:])
    signal = signal.unflatten(-1, (outer, -1)).movedim(-2, 0).contiguous()
    return signal if zero is None else zero_where(signal, _columns(zero, signal.shape[-1]))


def _rectified(spectrum, d, alpha, gamma, scatter, gather, band, outer) -> tuple[Tensor, Tensor]:
    signal = _synthesis(spectrum, None, d, alpha, gamma, scatter, gather, band, outer)
    negative = signal <= 0
    return zero_where(signal, negative), _groups(negative)


def _analysis(signal, zero, d, alpha, gamma, scatter, gather, band) -> Tensor:
    if zero is not None:
        signal = zero_where(signal, _columns(zero, signal.shape[-1]))
    signal = signal.movedim(0, -2).flatten(-2)
    with full_precision(signal):
        waves = gamma.T @ signal.flatten(1)
    waves = waves.view(len(waves), *signal.shape[1:])
    return wigner_analysis(waves, _sphere_tables(d, alpha, scatter, gather, band))


def _groups(negative: Tensor) -> Tensor:
    """A mask as a signal lies, (outer, gamma, alpha, beta, column), in the order of masks."""
    filling = -negative.shape[-1] % GROUP
    filled = torch.nn.functional.pad(negative, (0, filling), value=True)
    return filled.unflatten(-1, (-1, GROUP)).permute(0, 4, 3, 2, 1, 5).contiguous()


def _columns(zero: Tensor, count: int) -> Tensor:
    """The inverse, for ``count`` columns."""
    return zero.permute(0, 4, 3, 2, 1, 5).flatten(-2)[..., :count].contiguous()


# --- the operators --------------------------------------------------------------------------------


def _rows(band: int) -> int:
    return band * (4 * band * band - 1) // 3


def _angles(operator, alpha) -> int:
    check_tensor(operator, "alpha", alpha, (None, None))
    return alpha.shape[0]


def _check_tables(operator, x, d, alpha, gamma, scatter, gather, band) -> None:
    size = _angles(operator, alpha)
    if size < 2 * band or size % 2:
        raise ValueError(
            f"{operator}: alpha: expected an even number of angles, {2 * band} or more, got {size}"
        )
    check_tensor(operator, "alpha", alpha, (size, 2 * band), x)
    check_tensor(operator, "gamma", gamma, (size, 2 * band - 1), x)
    lines = sum(
        (2 if n else 1) * (m1 - m0) * (band - l0)
        for n in range(band)
        for m0, m1, l0 in chunks(band, n)
    )
    check_tensor(operator, "d", d, (lines * size,), x)
    check_indices(operator, "scatter", scatter, 2 * lines, x)
    check_indices(operator, "gather", gather, _rows(band), x)


def _check_spectrum(operator, spectrum, band, outer) -> None:
    check_tensor(operator, "spectrum", spectrum, (_rows(band), None), spectrum)
    if outer < 1 or spectrum.shape[1] % outer:
        raise ValueError(
            f"{operator}: outer: expected a divisor of {spectrum.shape[1]} columns, got {outer}"
        )


def _check_synthesis(spectrum, zero, d, alpha, gamma, scatter, gather, band, outer) -> None:
    _check_spectrum("so3_synthesis", spectrum, band, outer)
    _check_tables("so3_synthesis", spectrum, d, alpha, gamma, scatter, gather, band)
    shape = _mask_shape(outer, alpha.shape[0], spectrum.shape[1] // outer)
    check_mask("so3_synthesis", "zero", zero, shape, spectrum)


def _check_rectified(spectrum, d, alpha, gamma, scatter, gather, band, outer) -> None:
    _check_spectrum("so3_rectified", spectrum, band, outer)
    _check_tables("so3_rectified", spectrum, d, alpha, gamma, scatter, gather, band)


def _check_analysis(signal, zero, d, alpha, gamma, scatter, gather, band) -> None:
    size = _angles("so3_analysis", alpha)
    check_tensor("so3_analysis", "signal", signal, (None, size, size, size, None), signal)
    shape = _mask_shape(signal.shape[0], size, signal.shape[-1])
    check_mask("so3_analysis", "zero", zero, shape, signal)
    _check_tables("so3_analysis", signal, d, alpha, gamma, scatter, gather, band)


def _mask_shape(outer: int, size: int, inner: int) -> tuple[int, ...]:
    return outer, -(inner // -GROUP), size, size, size, GROUP


def _fake_synthesis(spectrum, zero, d, alpha, gamma, scatter, gather, band, outer) -> Tensor:
    return spectrum.new_empty(outer, *[alpha.shape[0]] * 3, spectrum.shape[1] // outer)


def _fake_rectified(spectrum, *rest) -> tuple[Tensor, Tensor]:
    signal = _fake_synthesis(spectrum, None, *rest)
    shape = _mask_shape(signal.shape[0], signal.shape[1], signal.shape[-1])
    new = signal.new_ones if signal.shape[-1] % GROUP else signal.new_empty  # what fills up is true
    return signal, new(shape, dtype=torch.bool)


def _fake_analysis(signal, zero, d, alpha, gamma, scatter, gather, band) -> Tensor:
    return signal.new_empty(_rows(band), signal.shape[0] * signal.shape[-1])


def _write(spectrum, zero, tables, out, negative) -> None:
    """The compiled synthesis."""
    d, alpha, gamma, _, _, band, outer = tables
    zero = None if zero is None else zero.contiguous()
    constants = [table.contiguous() for table in (d, alpha, gamma)]
    sizes = (band, len(alpha), outer, spectrum.shape[1] // outer, CHUNK)
    arguments = (spectrum.contiguous(), zero, *constants, out, negative, *sizes)
    library.call("so3_synthesis", d.dtype, *arguments)


def _cpu_synthesis(spectrum, zero, *tables) -> Tensor:
    out = _fake_synthesis(spectrum, zero, *tables)
    _write(spectrum, zero, tables, out, None)
    return out


def _cpu_rectified(spectrum, *tables) -> tuple[Tensor, Tensor]:
    out, negative = _fake_rectified(spectrum, *tables)
    _write(spectrum, None, tables, out, negative)
    return out, negative


def _cpu_analysis(signal, zero, d, alpha, gamma, scatter, gather, band) -> Tensor:
    tables = [table.contiguous() for table in (d, alpha, gamma)]
    out = _fake_analysis(signal, zero, d, alpha, gamma, scatter, gather, band)
    sizes = (band, len(alpha), signal.shape[0], signal.shape[-1], CHUNK)
    steps = signal.stride()  # a signal of any strides is read where it lies
    reach = sum((n - 1) * step for n, step in zip(signal.shape, steps, strict=True)) + 1
    memory = signal.as_strided((reach if signal.numel() else 0,), (1,))
    zero = None if zero is None else zero.contiguous()
    library.call("so3_analysis", d.dtype, memory, zero, *tables, out, steps, *sizes)
    return out


def _gpu_synthesis(spectrum, zero, *tables) -> Tensor:
    out = _fake_synthesis(spectrum, zero, *tables)
    so3_gpu.write(spectrum, zero, tables, out, None)
    return out


def _gpu_rectified(spectrum, *tables) -> tuple[Tensor, Tensor]:
    out, negative = _fake_rectified(spectrum, *tables)
    so3_gpu.write(spectrum, None, tables, out, negative)
    return out, negative


def _gpu_analysis(signal, zero, *tables) -> Tensor:
    out = _fake_analysis(signal, zero, *tables)
    so3_gpu.read(signal, zero, tables, out)
    return out


def _synthesis_fits(spectrum, zero, d, alpha, gamma, scatter, gather, band, outer) -> bool:
    columns = spectrum.shape[1]
    return so3_gpu.fits(band, len(alpha), outer, columns // outer, spectrum.element_size())


def _rectified_fits(spectrum, *tables) -> bool:
    return _synthesis_fits(spectrum, None, *tables)


def _analysis_fits(signal, zero, d, alpha, gamma, scatter, gather, band) -> bool:
    outer, size, *_, inner = signal.shape
    return so3_gpu.fits(band, size, outer, inner, signal.element_size())


def _examples(form: str) -> list[tuple]:
    """With a mask and columns that fill no warp and no group, and two chunks of orders.

    Of what is rectified there is the first only: no number of it is so close to 0 that rounding
    decides its sign.
    """
    generator, found = torch.Generator().manual_seed(38), []
    for band, size, outer, inner, masked in ((4, 8, 2, 19, True), (17, 34, 1, 1, False)):
        tables = constants_of(band, size, generator)
        zero = torch.rand(_mask_shape(outer, size, inner), generator=generator) < 0.4
        rows, columns = _rows(band), outer * inner
        shape = (outer, size, size, size, inner) if form == "analysis" else (rows, columns)
        x = torch.randn(shape, generator=generator, dtype=torch.float64)
        if form == "rectified":
            return [(x, *tables, outer)]
        rest = (*tables, outer) if form == "synthesis" else tables
        found.append((x, zero if masked else None, *rest))
    return found


def _save_synthesis(ctx, inputs, output) -> None:
    _, *constants, ctx.band, _ = inputs
    ctx.save_for_backward(*constants)


def _save_rectified(ctx, inputs, output) -> None:
    _, *constants, ctx.band, _ = inputs
    ctx.save_for_backward(output[1], *constants)


def _save_analysis(ctx, inputs, output) -> None:
    signal, *constants, ctx.band = inputs
    ctx.outer = signal.shape[0]
    ctx.save_for_backward(*constants)


def _synthesis_backward(ctx, grad):
    return ANALYSIS(grad, *ctx.saved_tensors, ctx.band), *[None] * 8


def _rectified_backward(ctx, grad, _):
    return ANALYSIS(grad, *ctx.saved_tensors, ctx.band), *[None] * 7


def _analysis_backward(ctx, grad):
    return SYNTHESIS(grad, *ctx.saved_tensors, ctx.band, ctx.outer), *[None] * 7


_TABLES = "Tensor d, Tensor alpha, Tensor gamma, Tensor scatter, Tensor gather, int band"
SYNTHESIS = Operator(  # where `zero` is true, the signal counts as 0
    f"so3_synthesis(Tensor spectrum, Tensor? zero, {_TABLES}, SymInt outer) -> Tensor",
    reference=_synthesis,
    fake=_fake_synthesis,
    check=_check_synthesis,
    cpu=_cpu_synthesis,
    gpu=_gpu_synthesis,
    fits=_synthesis_fits,
    examples=lambda: _examples("synthesis"),
)
RECTIFIED = Operator(
    f"so3_rectified(Tensor spectrum, {_TABLES}, SymInt outer) -> (Tensor, Tensor)",
    reference=_rectified,
    fake=_fake_rectified,
    check=_check_rectified,
    cpu=_cpu_rectified,
    gpu=_gpu_rectified,
    fits=_rectified_fits,
    examples=lambda: _examples("rectified"),
)
ANALYSIS = Operator(
    f"so3_analysis(Tensor signal, Tensor? zero, {_TABLES}) -> Tensor",
    reference=_analysis,
    fake=_fake_analysis,
    check=_check_analysis,
    cpu=_cpu_analysis,
    gpu=_gpu_analysis,
    fits=_analysis_fits,
    examples=lambda: _examples("analysis"),
)
SYNTHESIS.differentiate(_save_synthesis, _synthesis_backward)
RECTIFIED.differentiate(_save_rectified, _rectified_backward)
ANALYSIS.differentiate(_save_analysis, _analysis_backward)
