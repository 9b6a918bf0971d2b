r"""The Fourier transform of real functions on SO(3), from spectra to signals and transposed.

In: a real spectrum, or a signal. Out: the other. Before: ``wigner``. Next: ``block_matmul``.

The waves Y of ``wigner`` are summed over the orders n,

.. math::
    f(\alpha, \beta, \gamma) = \sum_{n \ge 0} \cos(n\gamma)\, Y_n^c(\alpha, \beta)
    + \sin(n\gamma)\, Y_n^s(\alpha, \beta) \quad (F3)

and the compiled form does (F1) to (F3) for a few angles beta and a few columns at a time, which
stay in the cache from the spectrum to the signal. On a GPU (F1) is a kernel by itself, and between
the two lies about as much as a signal. Each operator is the other's derivative.
"""

from typing import NamedTuple

from torch import Tensor

from equinet.ops.native import cuda, library
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
GPU_WARP, GPU_THREADS = 32, 256
GPU_BETAS, GPU_DEGREES, GPU_RUN = 4, 4, 4  # constants of csrc/cuda/so3_degrees.cu and so3_waves.cu


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


def _gpu_synthesis(
    spectrum, d, alpha, gamma, scatter, gather, band, outer, zero=None, negative=None
) -> Tensor:
    out = _fake_synthesis(spectrum, d, alpha, gamma, scatter, gather, band, outer)
    if not out.numel():
        return out
    size, columns = len(alpha), spectrum.shape[1]
    groups, wide = -(size // -GPU_BETAS), _columns_of_a_warp(columns)
    block = wide, min(groups, GPU_THREADS // wide)
    grid = -(columns // -wide), band * band, -(groups // -block[1])
    z = _amplitudes(d, size, band, columns)
    arguments = (spectrum.contiguous(), d.contiguous(), z, band, size, columns, out.shape[-1])
    index = d.device.index
    cuda.launch("so3_sum_degrees", d.dtype, index, grid, block, *arguments, CHUNK)
    # Pairs of angles, and for each how much there is of a table, and of y at a point, with gaps.
    tiles = size // 2 + 1, 2 * band, 4 * band - 1
    tables = alpha.contiguous(), gamma.contiguous(), zero
    _launch_waves("so3_sum_waves", (z, *tables, out, negative), tiles, band, size, out)
    return out


def _gpu_analysis(signal, d, alpha, gamma, scatter, gather, band, zero=None) -> Tensor:
    out = _fake_analysis(signal, d, alpha, gamma, scatter, gather, band)
    if not out.numel():
        return out
    size, columns = len(alpha), out.shape[1]
    z = _amplitudes(d, size, band, columns)
    pairs = size // 2 + 1
    tiles = band, 2 * pairs, -(9 * pairs // -2)  # the same for orders
    tables = alpha.contiguous(), gamma.contiguous(), zero
    _launch_waves("so3_find_waves", (signal.contiguous(), *tables, z), tiles, band, size, signal)
    runs, wide = -(band // -GPU_DEGREES), _columns_of_a_warp(columns)
    block = GPU_WARP, min(runs, GPU_THREADS // GPU_WARP)
    grid = -(columns // -wide), band * band, -(runs // -block[1])
    arguments = (z, d.contiguous(), out, band, size, columns, signal.shape[-1], CHUNK, wide)
    cuda.launch("so3_find_degrees", d.dtype, d.device.index, grid, block, *arguments)
    return out


def _columns_of_a_warp(columns: int) -> int:
    """A power of two; memory gives 8 numbers in float32 at least."""
    return min(GPU_WARP, max(8, 1 << (columns - 1).bit_length()))


def _amplitudes(d: Tensor, size: int, band: int, columns: int) -> Tensor:
    """Room for those of all waves, about as much as a signal takes."""
    return d.new_empty((2 * band - 1) ** 2 * size * columns)


def _launch_waves(name, tensors, tiles, band: int, size: int, signal: Tensor) -> None:
    """Launch a kernel of csrc/cuda/so3_waves.cu with tiles that fit into the shared memory."""
    count, table, between = tiles
    points, tile, other = _tiles(*tiles, cuda.SHARED // signal.element_size())
    if not tile:
        raise ValueError(f"{name}: size: expected at most 400 angles on a GPU, got {size}")
    line, total = size * signal.shape[-1], signal.numel() // size**2
    grid = (-(total // -points) * -(count // -tile),)
    shared = (other * table + tile * between * points) * signal.element_size()
    arguments = (*tensors, band, size, line, total, points, tile, other)
    index = signal.device.index
    cuda.launch(name, signal.dtype, index, grid, (GPU_THREADS,), *arguments, shared=shared)


def _tiles(count: int, table: int, between: int, room: int) -> tuple[int, int, int]:
    """The points of a block, and how many pairs or orders it takes in the two sums.

    Args:
        count: pairs or orders in all; the tiles are multiples of ``GPU_RUN``.
        table: numbers in shared memory for each in the table of one of the sums.
        between: numbers for each and each point between the sums.
        room: numbers that the shared memory holds.
    """
    whole = -(count // -GPU_RUN) * GPU_RUN
    other = min(whole, max(GPU_RUN, room // 3 // table // GPU_RUN * GPU_RUN))
    room -= other * table
    points = 16 if whole * between * 16 <= room else 8  # 8 numbers are a unit of the memory
    while GPU_RUN * between * points > room and points > 1:
        points //= 2
    return points, min(other, room // (between * points) // GPU_RUN * GPU_RUN), other


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
    gpu=_gpu_synthesis,
)
ANALYSIS = Operator(
    f"so3_analysis(Tensor signal, {_TABLES}) -> Tensor",
    reference=_analysis,
    fake=_fake_analysis,
    check=_check_analysis,
    cpu=_cpu_analysis,
    gpu=_gpu_analysis,
)
SYNTHESIS.differentiate(_save_synthesis, _synthesis_backward)
ANALYSIS.differentiate(_save_analysis, _analysis_backward)
