r"""The Fourier transform of real functions on SO(3), from spectra to signals and transposed.

In: a real spectrum, or a signal. Out: the other.

The waves Y of ``wigner`` are summed over the orders n,

.. math::
    f(\alpha, \beta, \gamma) = \sum_{n \ge 0} \cos(n\gamma)\, Y_n^c(\alpha, \beta)
    + \sin(n\gamma)\, Y_n^s(\alpha, \beta) \quad (F3)

and the compiled form does (F1) to (F3) for a few angles beta and a few columns at a time, which
stay in the cache from the spectrum to the signal. On a GPU (F1) is a kernel by itself, and between
the two lies about as much as a signal. The two are each other's adjoint.

A signal is large and a mask is not. What ReLU makes of a signal is written as it is computed,

.. math:: (f, b) = (\max(S \hat f, 0),\ S \hat f \le 0), \qquad
          \hat g = S^T (1 - b)\, g \quad (F4)

and its derivative reads the gradient where b is 0, so that no tensor is needed in between. The mask
b lies in the order in which a signal is computed, (outer, group of 16 columns, beta, alpha, gamma,
column), so that it streams through memory; columns that fill up a group are true.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from equinet.ops import so3_gpu
from equinet.ops.example_tables import constants_of
from equinet.ops.masking import zero_where
from equinet.ops.native import library
from equinet.ops.native.checks import (
    check_indices,
    check_mask,
    check_tables,
    check_tensor,
    check_tensors,
    split_columns,
)
from equinet.ops.native.operator import Operator
from equinet.ops.precision import full_precision
from equinet.ops.so3_plan import (
    GROUP,
    AnalysisPlan,
    GroupTables,
    RectifiedPlan,
    SynthesisPlan,
    mask_shape,
)
from equinet.ops.wigner import CHUNK, chunks, wigner_analysis, wigner_synthesis

WIDE = 32  # numbers that are read at a time, two vectors of csrc/cpu/columns.h or more


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
        signal, _ = RECTIFIED(spectrum, RectifiedPlan(*tables, outer))
    else:
        signal = SYNTHESIS(spectrum, SynthesisPlan(None, *tables, outer))
    signal = signal.unflatten(-1, (channels // outer, batch))
    return signal.permute(5, 0, 4, 3, 2, 1).flatten(1, 2)


def so3_analysis(signal: Tensor, tables: GroupTables) -> Tensor:
    """The transpose of ``so3_synthesis`` with the same tables.

    Args:
        signal: real, ``(batch, channel, size, size, size)``.
        tables: as in ``so3_synthesis``.
    Returns:
        A real spectrum, ``(rows, channel * batch)``.
    Raises:
        ValueError: for tensors of another shape than the tables say.
        TypeError: for what is no tensor, or tables that are none.
    """
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
    return ANALYSIS(signal.permute(1, 5, 4, 3, 2, 0).flatten(-2), AnalysisPlan(None, *tables))


def _outer(operator: Operator[Any, Any], x: Tensor, channels: int, batch: int) -> int:
    """Channels that lie apart in memory: all, if the batch alone fills what is read at a time.

    The reference is made of products of whole matrices, for which every column lies together.
    """
    return channels if channels and batch >= WIDE and operator.serves(x) else 1


# --- the reference --------------------------------------------------------------------------------


def _synthesis(spectrum: Tensor, plan: SynthesisPlan) -> Tensor:
    waves = wigner_synthesis(spectrum, plan.tables.on_sphere)
    with full_precision(waves):
        signal = (plan.gamma @ waves.flatten(1)).view(len(plan.gamma), *waves.shape[1:])
    signal = signal.unflatten(-1, (plan.outer, -1)).movedim(-2, 0).contiguous()
    if plan.zero is None:
        return signal
    return zero_where(signal, by_columns(plan.zero, signal.shape[-1]))


def _rectified(spectrum: Tensor, plan: RectifiedPlan) -> tuple[Tensor, Tensor]:
    signal = _synthesis(spectrum, plan.synthesis)
    negative = signal <= 0
    return zero_where(signal, negative), by_groups(negative)


def _analysis(signal: Tensor, plan: AnalysisPlan) -> Tensor:
    if plan.zero is not None:
        signal = zero_where(signal, by_columns(plan.zero, signal.shape[-1]))
    signal = signal.movedim(0, -2).flatten(-2)
    with full_precision(signal):
        waves = plan.gamma.T @ signal.flatten(1)
    waves = waves.view(len(waves), *signal.shape[1:])
    return wigner_analysis(waves, plan.tables.on_sphere)


def by_groups(negative: Tensor) -> Tensor:
    """A mask as a signal lies, (outer, gamma, alpha, beta, column), in the order of masks."""
    filling = -negative.shape[-1] % GROUP
    filled = torch.nn.functional.pad(negative, (0, filling), value=True)
    return filled.unflatten(-1, (-1, GROUP)).permute(0, 4, 3, 2, 1, 5).contiguous()


def by_columns(zero: Tensor, count: int) -> Tensor:
    """The inverse of ``by_groups``.

    Args:
        zero: a mask, in the order of masks.
        count: of the columns, without those that fill up a group.
    Returns:
        The mask as a signal lies.
    """
    return zero.permute(0, 4, 3, 2, 1, 5).flatten(-2)[..., :count].contiguous()


# --- the operators --------------------------------------------------------------------------------


def _check_tables(operator: str, x: Tensor, tables: GroupTables) -> None:
    d, alpha, gamma, scatter, gather, band = tables
    check_tensor(operator, "alpha", alpha, (None, None))
    size = tables.size
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
    check_indices(operator, "gather", gather, tables.rows, x)


def _check_spectrum(operator: str, spectrum: Tensor, tables: GroupTables, outer: int) -> None:
    check_tensor(operator, "spectrum", spectrum, (tables.rows, None), spectrum)
    if outer < 1 or spectrum.shape[1] % outer:
        raise ValueError(
            f"{operator}: outer: expected a divisor of {spectrum.shape[1]} columns, got {outer}"
        )
    _check_tables(operator, spectrum, tables)


def _check_synthesis(spectrum: Tensor, plan: SynthesisPlan) -> None:
    tables, outer = plan.tables, plan.outer
    _check_spectrum("so3_synthesis", spectrum, tables, outer)
    shape = mask_shape(outer, tables.size, spectrum.shape[1] // outer)
    check_mask("so3_synthesis", "zero", plan.zero, shape, spectrum)


def _check_rectified(spectrum: Tensor, plan: RectifiedPlan) -> None:
    _check_spectrum("so3_rectified", spectrum, plan.tables, plan.outer)


def _check_analysis(signal: Tensor, plan: AnalysisPlan) -> None:
    check_tensor("so3_analysis", "alpha", plan.alpha, (None, None))
    tables, size = plan.tables, plan.alpha.shape[0]
    check_tensor("so3_analysis", "signal", signal, (None, size, size, size, None), signal)
    shape = mask_shape(signal.shape[0], size, signal.shape[-1])
    check_mask("so3_analysis", "zero", plan.zero, shape, signal)
    _check_tables("so3_analysis", signal, tables)


def _fake_synthesis(spectrum: Tensor, plan: SynthesisPlan | RectifiedPlan) -> Tensor:
    outer, size = plan.outer, plan.alpha.shape[0]
    return spectrum.new_empty(outer, size, size, size, spectrum.shape[1] // outer)


def _fake_rectified(spectrum: Tensor, plan: RectifiedPlan) -> tuple[Tensor, Tensor]:
    signal = _fake_synthesis(spectrum, plan)
    shape = mask_shape(signal.shape[0], signal.shape[1], signal.shape[-1])
    new = signal.new_ones if signal.shape[-1] % GROUP else signal.new_empty  # what fills up is true
    return signal, new(shape, dtype=torch.bool)


def _fake_analysis(signal: Tensor, plan: AnalysisPlan) -> Tensor:
    return signal.new_empty(plan.tables.rows, signal.shape[0] * signal.shape[-1])


def _write(
    spectrum: Tensor,
    zero: Tensor | None,
    plan: SynthesisPlan | RectifiedPlan,
    out: Tensor,
    negative: Tensor | None,
) -> None:
    """The compiled synthesis."""
    zero = None if zero is None else zero.contiguous()
    constants = [table.contiguous() for table in (plan.d, plan.alpha, plan.gamma)]
    sizes = (plan.band, out.shape[1], out.shape[0], out.shape[-1], CHUNK)
    arguments = (spectrum.contiguous(), zero, *constants, out, negative, *sizes)
    library.call("so3_synthesis", plan.d.dtype, *arguments)


def _cpu_synthesis(spectrum: Tensor, plan: SynthesisPlan) -> Tensor:
    out = _fake_synthesis(spectrum, plan)
    _write(spectrum, plan.zero, plan, out, None)
    return out


def _cpu_rectified(spectrum: Tensor, plan: RectifiedPlan) -> tuple[Tensor, Tensor]:
    out, negative = _fake_rectified(spectrum, plan)
    _write(spectrum, None, plan, out, negative)
    return out, negative


def _cpu_analysis(signal: Tensor, plan: AnalysisPlan) -> Tensor:
    constants = [table.contiguous() for table in (plan.d, plan.alpha, plan.gamma)]
    out = _fake_analysis(signal, plan)
    sizes = (plan.band, signal.shape[1], signal.shape[0], signal.shape[-1], CHUNK)
    zero = None if plan.zero is None else plan.zero.contiguous()
    # A signal of any strides is read where it lies.
    arguments = (library.memory_of(signal), zero, *constants, out, signal.stride(), *sizes)
    library.call("so3_analysis", plan.d.dtype, *arguments)
    return out


def _gpu_synthesis(spectrum: Tensor, plan: SynthesisPlan) -> Tensor:
    out = _fake_synthesis(spectrum, plan)
    so3_gpu.write(spectrum, plan.zero, plan.tables, out, None)
    return out


def _gpu_rectified(spectrum: Tensor, plan: RectifiedPlan) -> tuple[Tensor, Tensor]:
    out, negative = _fake_rectified(spectrum, plan)
    so3_gpu.write(spectrum, None, plan.tables, out, negative)
    return out, negative


def _gpu_analysis(signal: Tensor, plan: AnalysisPlan) -> Tensor:
    out = _fake_analysis(signal, plan)
    so3_gpu.read(signal, plan.zero, plan.tables, out)
    return out


def _synthesis_fits(spectrum: Tensor, plan: SynthesisPlan | RectifiedPlan) -> bool:
    inner, size = spectrum.shape[1] // plan.outer, len(plan.alpha)
    return so3_gpu.fits(plan.band, size, plan.outer, inner, spectrum.element_size())


def _analysis_fits(signal: Tensor, plan: AnalysisPlan) -> bool:
    outer, size, *_, inner = signal.shape
    return so3_gpu.fits(plan.band, size, outer, inner, signal.element_size())


# With a mask and columns that fill no warp and no group, and two chunks of orders.
_EXAMPLES = ((4, 8, 2, 19, True), (17, 34, 1, 1, False))


def _examples(analysis: bool) -> Iterator[tuple[Tensor, GroupTables, Tensor | None, int]]:
    """A signal or a spectrum, tables, a mask if any, and outer channels."""
    generator = torch.Generator().manual_seed(38)
    for band, size, outer, inner, masked in _EXAMPLES:
        tables = GroupTables(*constants_of(band, size, generator))
        zero = torch.rand(mask_shape(outer, size, inner), generator=generator) < 0.4
        shape = (outer, size, size, size, inner) if analysis else (tables.rows, outer * inner)
        x = torch.randn(shape, generator=generator, dtype=torch.float64)
        yield x, tables, zero if masked else None, outer


def _synthesis_examples() -> list[tuple[Tensor, SynthesisPlan]]:
    found = _examples(analysis=False)
    return [(x, SynthesisPlan(zero, *tables, outer)) for x, tables, zero, outer in found]


def _rectified_examples() -> list[tuple[Tensor, RectifiedPlan]]:
    """The first only: no number of it is so close to 0 that rounding decides its sign."""
    spectrum, tables, _, outer = next(_examples(analysis=False))
    return [(spectrum, RectifiedPlan(*tables, outer))]


def _analysis_examples() -> list[tuple[Tensor, AnalysisPlan]]:
    found = _examples(analysis=True)
    return [(x, AnalysisPlan(zero, *tables)) for x, tables, zero, _ in found]


_TABLES = "Tensor d, Tensor alpha, Tensor gamma, Tensor scatter, Tensor gather, int band"
SYNTHESIS = Operator(  # where `zero` is true, the signal counts as 0
    f"so3_synthesis(Tensor spectrum, Tensor? zero, {_TABLES}, SymInt outer) -> Tensor",
    SynthesisPlan,
    reference=_synthesis,
    fake=_fake_synthesis,
    check=_check_synthesis,
    cpu=_cpu_synthesis,
    gpu=_gpu_synthesis,
    fits=_synthesis_fits,
    examples=_synthesis_examples,
)
RECTIFIED = Operator(
    f"so3_rectified(Tensor spectrum, {_TABLES}, SymInt outer) -> (Tensor, Tensor)",
    RectifiedPlan,
    reference=_rectified,
    fake=_fake_rectified,
    check=_check_rectified,
    cpu=_cpu_rectified,
    gpu=_gpu_rectified,
    fits=_synthesis_fits,
    examples=_rectified_examples,
)
ANALYSIS = Operator(
    f"so3_analysis(Tensor signal, Tensor? zero, {_TABLES}) -> Tensor",
    AnalysisPlan,
    reference=_analysis,
    fake=_fake_analysis,
    check=_check_analysis,
    cpu=_cpu_analysis,
    gpu=_gpu_analysis,
    fits=_analysis_fits,
    examples=_analysis_examples,
)
SYNTHESIS.adjoint_is(ANALYSIS, lambda spectrum, plan, _: AnalysisPlan(*plan[:7]))
ANALYSIS.adjoint_is(SYNTHESIS, lambda signal, plan, _: SynthesisPlan(*plan, signal.shape[0]))
# Not linear, but its derivative is that of the synthesis with the mask that it has written (F4).
RECTIFIED.adjoint_is(ANALYSIS, lambda spectrum, plan, out: AnalysisPlan(out[1], *plan[:6]))
