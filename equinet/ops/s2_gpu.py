"""How the kernel of csrc/cuda/s2.cu is launched.

In: what ``s2`` has made ready. Out: nothing.
"""

from torch import Tensor

from equinet.ops.native import cuda
from equinet.ops.wigner import CHUNK

SYNTHESIS, ANALYSIS = 0, 1  # the modes of the kernel
TILE, COLUMNS = 64, 16  # rows and columns of a tile there


def fits(mode: int, band: int, size: int, order: int, columns: int) -> bool:
    """Whether the kernel can be launched.

    Args:
        mode: ``SYNTHESIS`` or ``ANALYSIS``.
        band: of the spectrum.
        size: points in beta and in alpha.
        order: n.
        columns: channels times samples.
    Returns:
        Whether the grid is within the limits of every GPU.
    """
    return cuda.fits(*_grid(mode, band, size, order, columns))


def launch(
    mode: int,
    left: Tensor,
    d: Tensor,
    out: Tensor,
    band: int,
    size: int,
    order: int,
    channels: int,
    batch: int,
) -> None:
    """Launch the kernel, if there is anything to do.

    Args:
        mode: ``SYNTHESIS`` or ``ANALYSIS``.
        left: a spectrum or the waves of a signal, contiguous.
        d: the table.
        out: room for the other of the two.
        band: of the spectrum.
        size: points in beta and in alpha.
        order: n.
        channels: number of channels.
        batch: number of samples.
    """
    grid = _grid(mode, band, size, order, channels * batch)
    if grid[0]:
        arguments = (mode, left, d.contiguous(), out, band, size, order, channels, batch, CHUNK)
        cuda.launch("s2_transform", d.dtype, left.device.index, grid, (256,), *arguments)


def _grid(mode: int, band: int, size: int, order: int, columns: int) -> tuple[int, int]:
    """Blocks of threads: tiles of rows and columns, for each order m."""
    rows, orders = band - order, band
    if mode == SYNTHESIS:
        # Half of a tile are mirrored angles where the order is not 0.
        rows = -(size // 2 // -(TILE // 2)) * TILE if order else size // 2
        orders = size // 2 + 1
    return -(rows // -TILE) * -(columns // -COLUMNS), orders
