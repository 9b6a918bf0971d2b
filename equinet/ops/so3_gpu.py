"""How the kernels of csrc/cuda/so3_degrees.cu and so3_waves.cu are launched.

In: the arguments of the operators, and room for results. Out: nothing. Before: ``s2``. Next:
``so3``, which says what is computed.
"""

from torch import Tensor

from equinet.ops.native import cuda
from equinet.ops.wigner import CHUNK

WARP, THREADS = 32, 256
BETAS, DEGREES, RUN = 4, 4, 4  # kBetas, kDegrees and kRun of the kernels


def write(spectrum, zero, tables, out: Tensor, negative) -> None:
    """The synthesis, masked or rectified."""
    d, alpha, gamma, _, _, band, _ = tables
    if not out.numel():
        return
    size, columns, inner = len(alpha), spectrum.shape[1], out.shape[-1]
    groups, wide = -(size // -BETAS), _columns_of_a_warp(columns)
    block = wide, min(groups, THREADS // wide)
    grid = -(columns // -wide), band * band, -(groups // -block[1])
    z = _amplitudes(d, size, band, columns)
    arguments = (spectrum.contiguous(), d.contiguous(), z, band, size, columns, inner, CHUNK)
    cuda.launch("so3_sum_degrees", d.dtype, d.device.index, grid, block, *arguments)
    # Pairs of angles, and for each how much there is of a table, and of y at a point, with gaps.
    tiles = size // 2 + 1, 2 * band, 4 * band - 1
    tensors = (z, alpha.contiguous(), gamma.contiguous(), _dense(zero), out, negative)
    _launch_waves("so3_sum_waves", tensors, tiles, band, out)


def read(signal: Tensor, zero, tables, out: Tensor) -> None:
    """The analysis."""
    d, alpha, gamma, _, _, band = tables
    if not out.numel():
        return
    size, columns = len(alpha), out.shape[1]
    z = _amplitudes(d, size, band, columns)
    pairs = size // 2 + 1
    tiles = band, 2 * pairs, -(9 * pairs // -2)  # the same for orders
    tensors = (signal.contiguous(), alpha.contiguous(), gamma.contiguous(), _dense(zero), z)
    _launch_waves("so3_find_waves", tensors, tiles, band, signal)
    runs, wide = -(band // -DEGREES), _columns_of_a_warp(columns)
    block = WARP, min(runs, THREADS // WARP)
    grid = -(columns // -wide), band * band, -(runs // -block[1])
    arguments = (z, d.contiguous(), out, band, size, columns, signal.shape[-1], CHUNK, wide)
    cuda.launch("so3_find_degrees", d.dtype, d.device.index, grid, block, *arguments)


def _dense(mask: Tensor | None) -> Tensor | None:
    return None if mask is None else mask.contiguous()


def _columns_of_a_warp(columns: int) -> int:
    """A power of two; memory gives 8 numbers in float32 at least."""
    return min(WARP, max(8, 1 << (columns - 1).bit_length()))


def _amplitudes(d: Tensor, size: int, band: int, columns: int) -> Tensor:
    """Room for those of all waves, about as much as a signal takes."""
    return d.new_empty((2 * band - 1) ** 2 * size * columns)


def _launch_waves(
    name: str, tensors: tuple, tiles: tuple[int, int, int], band: int, signal: Tensor
) -> None:
    """Launch a kernel of csrc/cuda/so3_waves.cu with tiles that fit into the shared memory."""
    (count, table, between), size, inner = tiles, signal.shape[1], signal.shape[-1]
    points, tile, other = _tiles(*tiles, cuda.SHARED // signal.element_size())
    if not tile:
        raise ValueError(f"{name}: size: expected at most 400 angles on a GPU, got {size}")
    total = signal.numel() // size**2
    grid = (-(total // -points) * -(count // -tile),)
    shared = (other * table + tile * between * points) * signal.element_size()
    arguments = (*tensors, band, size, inner, total, points, tile, other)
    index = signal.device.index
    cuda.launch(name, signal.dtype, index, grid, (THREADS,), *arguments, shared=shared)


def _tiles(count: int, table: int, between: int, room: int) -> tuple[int, int, int]:
    """The points of a block, and how many pairs or orders it takes in the two sums.

    Args:
        count: pairs or orders in all; the tiles are multiples of ``RUN``.
        table: numbers in shared memory for each in the table of one of the sums.
        between: numbers for each and each point between the sums.
        room: numbers that the shared memory holds.
    """
    whole = -(count // -RUN) * RUN
    other = min(whole, max(RUN, room // 3 // table // RUN * RUN))
    room -= other * table
    points = 16 if whole * between * 16 <= room else 8  # 8 numbers are a unit of the memory
    while RUN * between * points > room and points > 1:
        points //= 2
    return points, min(other, room // (between * points) // RUN * RUN), other
