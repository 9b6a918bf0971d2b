"""How the kernel of csrc/cuda/s2.cu is launched.

In: what ``s2`` has made ready. Out: nothing.
"""

from torch import Tensor

from equinet.ops.native import cuda
from equinet.ops.s2_plan import chunk_width

SYNTHESIS, ANALYSIS = 0, 1  # the modes of the kernel
TILE, COLUMNS = 64, 16  # rows and columns of a tile there


def fits(mode: int, sizes: tuple[int, ...]) -> bool:
    """Whether the kernel can be launched.

    Args:
        mode: ``SYNTHESIS`` or ``ANALYSIS``.
        sizes: band, rings, waves, order, channels and batch.
    Returns:
        Whether the grid is within the limits of every GPU.
    """
    return cuda.fits(*_grid(mode, *sizes))


def launch(
    mode: int,
    left: Tensor,
    constants: tuple[Tensor, Tensor, Tensor],
    out: Tensor,
    halve: bool,
    sizes: tuple[int, ...],
) -> None:
    """Launch the kernel, if there is anything to do.

    Args:
        mode: ``SYNTHESIS`` or ``ANALYSIS``.
        left: a spectrum or waves, contiguous.
        constants: the table, the factors of degrees and those of rings, contiguous.
        out: room for the other of the two.
        halve: whether waves with m > 0 are halved.
        sizes: as in ``fits``.
    """
    grid = _grid(mode, *sizes)
    if grid[0]:
        arguments = (mode, left, *constants, out, int(halve), *sizes, chunk_width(sizes[0]))
        cuda.launch("s2_transform", left.dtype, left.device.index, grid, (256,), *arguments)


def _grid(
    mode: int, band: int, rings: int, waves: int, order: int, channels: int, batch: int
) -> tuple[int, int]:
    """Blocks of threads: tiles of rows and columns, for each order m."""
    rows, orders = band - order, band
    if mode == SYNTHESIS:
        # Half of a tile are mirrored angles where the order is not 0.
        half = (rings + 1) // 2
        rows, orders = -(half // -(TILE // 2)) * TILE if order else half, waves
    return -(rows // -TILE) * -(channels * batch // -COLUMNS), orders
