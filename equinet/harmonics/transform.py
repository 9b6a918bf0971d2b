r"""The Fourier transforms of real fields on the sphere and on SO(3), as modules with constants.

In: signals on the SOFT grid or real spectra. Out: the other.

A user sees signals as ``(batch, channel, beta, alpha[, gamma])`` in any strides. On SO(3) the axes
lie in memory the other way round, with the batch innermost: ``Synthesis`` returns tensors with
those strides and ``Analysis`` takes them without a copy; as with torch's channels_last, only the
strides differ.
Fields on S^2 are in the usual order and go through a fast Fourier transform over alpha.

A spectrum is a real tensor ``(rows, channel * batch)`` in the basis of e3nn,

.. math::
    \hat f^l_{mn} = \int f D^l_{mn}, \qquad
    f = \sum_l (2l + 1) \sum_{mn} \hat f^l_{mn} D^l_{mn}

with rows (l, m, n) as in ``grid`` and Haar measure of total mass 1.
"""

import torch
from torch import Tensor

from equinet.harmonics.grid import field_tables, group_tables
from equinet.numerics import Constants
from equinet.numerics.arguments import check_integer, check_memory
from equinet.ops import (
    FieldTables,
    GroupTables,
    s2_analysis,
    s2_synthesis,
    so3_analysis,
    so3_synthesis,
)
from equinet.ops import relu as rectify


class _Transform(Constants):
    """Constants of a transform between the grid of ``grid_band`` and degrees l < ``band``.

    Args:
        grid_band: b of the grid.
        band: exclusive bound of the degree, at most ``grid_band``.
        order: s for fields of the irrep s of SO(2), or None for functions on SO(3).
        dtype: of the constants, torch's default dtype if None.
    """

    inverse: bool
    d: Tensor
    scatter: Tensor
    gather: Tensor
    alpha: Tensor
    gamma: Tensor

    def __init__(
        self, grid_band: int, band: int, order: int | None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        check_integer(grid_band, "grid_band")
        check_integer(band, "band")
        if order is not None:
            check_integer(order, "order", 0)
        size = (2 * grid_band) ** (3 if order is None else 2)
        check_memory(size, "grid_band", f"a signal of {size} samples")
        if band > grid_band:
            raise ValueError(f"band: expected 1 to {grid_band} (the grid's band), got {band}")
        self.grid_band, self.band, self.order = grid_band, band, order
        if order is None:
            self.orders = tuple(range(band))
        else:
            self.orders = (order,) if order < band else ()
        self.set_constants(dtype)

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        args = (self.inverse, dtype)
        if self.order is None:
            tables = group_tables(self.grid_band, self.band, *args)
        else:
            tables = field_tables(self.grid_band, self.band, self.order, *args)
        return {name: x for name, x in tables._asdict().items() if isinstance(x, Tensor)}

    def field_tables(self) -> FieldTables:
        """The constants as ``ops.s2_analysis`` takes them, for fields on the sphere.

        Raises:
            TypeError: if they are in half precision.
        """
        assert self.order is not None
        if self.d.dtype.itemsize < 4:
            raise TypeError(
                "dtype: expected float32 or float64, since torch has no Fourier transform in "
                f"{self.d.dtype} on every device; under torch.autocast it is done in float32"
            )
        size = 2 * self.grid_band
        return FieldTables(self.d, self.scatter, self.gather, self.band, size, self.order)

    def group_tables(self) -> GroupTables:
        """The constants as ``ops.so3_analysis`` takes them, for functions on SO(3)."""
        return GroupTables(self.d, self.alpha, self.gamma, self.scatter, self.gather, self.band)

    def extra_repr(self) -> str:
        return f"grid_band={self.grid_band}, band={self.band}, order={self.order}"


class Analysis(_Transform):
    """Signal to spectrum.

    For ``order`` = s > 0 the channels of the signal are (channel, component), two components each.
    """

    inverse = False

    def forward(self, signal: Tensor) -> Tensor:
        """The spectrum of a signal.

        Shape:
            - signal: ``(batch, channel, beta, alpha[, gamma])``
            - result: ``(rows, channel * batch)``
        """
        if self.order is None:
            return so3_analysis(signal, self.group_tables())
        if self.orders:
            return s2_analysis(signal, self.field_tables())
        columns = signal.shape[0] * signal.shape[1] // 2  # no degree is below the band
        return self.d.new_zeros(0, columns) + 0 * signal.to(self.d.dtype).sum()


class Synthesis(_Transform):
    """Spectrum to signal, the inverse of ``Analysis``.

    For ``order`` = s > 0 the channels of the signal are (channel, component), two components each.
    """

    inverse = True

    def forward(self, spectrum: Tensor, channels: int, relu: bool = False) -> Tensor:
        """The signal of a spectrum.

        Args:
            spectrum: real.
            channels: their number.
            relu: write 0 for what is negative.
        Shape:
            - spectrum: ``(rows, channel * batch)``
            - result: ``(batch, channel, beta, alpha[, gamma])``
        """
        if self.order is None:
            return so3_synthesis(spectrum, self.group_tables(), channels, relu)
        if self.orders:
            signal = s2_synthesis(spectrum, self.field_tables(), channels)
            return rectify(signal) if relu else signal
        size, batch = 2 * self.grid_band, spectrum.shape[1] // channels
        zeros = self.d.new_zeros(batch, 2 * channels, size, size)
        return zeros + 0 * spectrum.to(self.d.dtype).sum()  # keeps the graph
