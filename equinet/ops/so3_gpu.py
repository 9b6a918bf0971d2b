"""How the kernels of csrc/cuda/so3_degrees.cu and so3_waves.cu are launched.

In: the arguments of the operators, and room for results. Out: nothing. What is computed says
``so3``.
"""

from torch import Tensor

from equinet.ops.native import cuda
from equinet.ops.so3_plan import GroupTables
from equinet.ops.wigner import CHUNK

WARP, THREADS = 32, 256
BETAS, DEGREES, RUN = 4, 4, 4  # kBetas, kDegrees and kRun of the kernels


def fits(band: int, size: int, outer: int, inner: int, bytes_each: int) -> bool:
    """Whether all kernels of a transform can be launched.

    The shared memory has room for the waves of 942 angles in float32 and 470 in float64, whatever
    the band, and a grid for the pairs of orders of band 255.

    Args:
        band: degrees l < band.
        size: points of each angle.
        outer: channels that lie apart in memory.
        inner: columns of each of them.
        bytes_each: of a number.
    Returns:
        Whether all are within the limits of every GPU.
    """
    columns, room = outer * inner, cuda.SHARED // bytes_each
    grids: list[tuple[int, ...]] = [_sum_grid(band, size, columns), _find_grid(band, columns)]
    for tiles in (_sum_tiles(band, size), _find_tiles(band, size)):
        points, tile, _ = tiles_in(*tiles, room)
        if tile <= 0:
            return False
        grids.append((_wave_blocks(outer * size * inner, points, tiles[0], tile),))
    return all(cuda.fits(*grid) for grid in grids)


def write(
    spectrum: Tensor,
    zero: Tensor | None,
    tables: GroupTables,
    out: Tensor,
    negative: Tensor | None,
) -> None:
    """The synthesis, masked or rectified.

    Args:
        spectrum: ``(rows, columns)``.
        zero: a mask to be read, or None.
        tables: the constants.
        out: room for the signal.
        negative: room for the mask that ReLU leaves; None without ReLU.
    """
    if not out.numel():
        return
    d, alpha, gamma, _, _, band = tables
    size, columns, inner = tables.size, spectrum.shape[1], out.shape[-1]
    grid, block = _sum_grid(band, size, columns), _sum_block(size, columns)
    z = _amplitudes(d, size, band, columns)
    arguments = (spectrum.contiguous(), d.contiguous(), z, band, size, columns, inner, CHUNK)
    cuda.launch("so3_sum_degrees", d.dtype, d.device.index, grid, block, *arguments)
    tensors = (z, alpha.contiguous(), gamma.contiguous(), _dense(zero), out, negative)
    _launch_waves("so3_sum_waves", tensors, _sum_tiles(band, size), band, out)


def read(signal: Tensor, zero: Tensor | None, tables: GroupTables, out: Tensor) -> None:
    """The analysis.

    Args:
        signal: ``(outer, gamma, alpha, beta, inner)``.
        zero: a mask, or None.
        tables: the constants.
        out: room for the spectrum.
    """
    if not out.numel():
        return
    d, alpha, gamma, _, _, band = tables
    size, columns = tables.size, out.shape[1]
    z = _amplitudes(d, size, band, columns)
    tensors = (signal.contiguous(), alpha.contiguous(), gamma.contiguous(), _dense(zero), z)
    _launch_waves("so3_find_waves", tensors, _find_tiles(band, size), band, signal)
    grid, block, wide = _find_grid(band, columns), _find_block(band), _columns_of_a_warp(columns)
    arguments = (z, d.contiguous(), out, band, size, columns, signal.shape[-1], CHUNK, wide)
    cuda.launch("so3_find_degrees", d.dtype, d.device.index, grid, block, *arguments)


def _sum_block(size: int, columns: int) -> tuple[int, int]:
    """Threads of so3_sum_degrees: columns, and groups of angles beta."""
    wide = _columns_of_a_warp(columns)
    return wide, min(-(size // -BETAS), THREADS // wide)


def _sum_grid(band: int, size: int, columns: int) -> tuple[int, int, int]:
    wide, groups = _sum_block(size, columns)
    return -(columns // -wide), band * band, -(-(size // -BETAS) // -groups)


def _find_block(band: int) -> tuple[int, int]:
    """Threads of so3_find_degrees: a warp for each run of degrees."""
    return WARP, min(-(band // -DEGREES), THREADS // WARP)


def _find_grid(band: int, columns: int) -> tuple[int, int, int]:
    _, runs = _find_block(band)
    wide = _columns_of_a_warp(columns)
    return -(columns // -wide), band * band, -(-(band // -DEGREES) // -runs)


def _sum_tiles(band: int, size: int) -> tuple[int, int, int]:
    """Pairs of angles, and for each how much there is of a table, and of y at a point with gaps."""
    return size // 2 + 1, 2 * band, 4 * band - 1


def _find_tiles(band: int, size: int) -> tuple[int, int, int]:
    """The same for orders."""
    pairs = size // 2 + 1
    return band, 2 * pairs, -(9 * pairs // -2)


def _dense(mask: Tensor | None) -> Tensor | None:
    return None if mask is None else mask.contiguous()


def _columns_of_a_warp(columns: int) -> int:
    """A power of two; memory gives 8 numbers in float32 at least."""
    return min(WARP, max(8, 1 << (columns - 1).bit_length()))


def _amplitudes(d: Tensor, size: int, band: int, columns: int) -> Tensor:
    """Room for those of all waves, about as much as a signal takes."""
    return d.new_empty((2 * band - 1) ** 2 * size * columns)


def _wave_blocks(total: int, points: int, count: int, tile: int) -> int:
    """Blocks for all points, and at each for all tiles of pairs or orders."""
    return -(total // -points) * -(count // -tile)


def _launch_waves(
    name: str,
    tensors: tuple[Tensor | None, ...],
    tiles: tuple[int, int, int],
    band: int,
    signal: Tensor,
) -> None:
    """Launch a kernel of csrc/cuda/so3_waves.cu with tiles that fit into the shared memory."""
    (count, table, between), size, inner = tiles, signal.shape[1], signal.shape[-1]
    points, tile, other = tiles_in(*tiles, cuda.SHARED // signal.element_size())
    total = signal.numel() // size**2
    grid = (_wave_blocks(total, points, count, tile),)
    shared = (other * table + tile * between * points) * signal.element_size()
    arguments = (*tensors, band, size, inner, total, points, tile, other)
    index = signal.device.index
    cuda.launch(name, signal.dtype, index, grid, (THREADS,), *arguments, shared=shared)


def tiles_in(count: int, table: int, between: int, room: int) -> tuple[int, int, int]:
    """The points of a block, and how many pairs or orders it takes in the two sums.

    Args:
        count: pairs or orders in all; the tiles are multiples of ``RUN``.
        table: numbers in shared memory for each in the table of one of the sums.
        between: numbers for each and each point between the sums.
        room: numbers that the shared memory holds.
    Returns:
        Points, pairs or orders between the sums, and those of the other sum; the second is not
        positive if nothing fits.
    """
    whole = -(count // -RUN) * RUN
    other = min(whole, max(RUN, room // 3 // table // RUN * RUN))
    room -= other * table
    points = 16 if whole * between * 16 <= room else 8  # 8 numbers are a unit of the memory
    while RUN * between * points > room and points > 1:
        points //= 2
    return points, min(other, room // (between * points) // RUN * RUN), other
