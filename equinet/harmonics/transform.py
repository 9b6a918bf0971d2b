r"""The Fourier transforms of real fields on the sphere and on SO(3), as modules with constants.

In: signals on rings or real spectra. Out: the other.

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

from collections.abc import Mapping

import torch
from torch import Tensor

from equinet.harmonics.grid import (
    field_factors,
    field_size,
    gamma_waves,
    group_rows,
    group_size,
    write_field_table,
    write_group_table,
)
from equinet.harmonics.ring_waves import ring_constants, ring_lengths, ring_signal, ring_waves
from equinet.harmonics.rings import Rings, soft
from equinet.numerics import soft_angles
from equinet.numerics.arguments import MEMORY, check_integer, check_memory
from equinet.numerics.cached import shared
from equinet.numerics.shared_constants import SharedConstants
from equinet.ops import (
    FieldTables,
    GroupTables,
    LegendrePlan,
    legendre_analysis,
    legendre_synthesis,
    s2_analysis,
    s2_coefficients,
    s2_synthesis,
    s2_waves,
    so3_analysis,
    so3_synthesis,
)
from equinet.ops import relu as rectify
from equinet.ops.legendre import needs_table
from equinet.ops.s2_plan import field_rows

_LARGEST = 4 * MEMORY  # bytes of one table


@shared
def field_table(
    rings: Rings, band: int, order: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """The table d of ``ops.FieldTables``, one for all transforms of a process.

    Args:
        rings: of the sphere.
        band: exclusive bound of the degree.
        order: n.
        dtype: of the table.
        device: where it is.
    Returns:
        A tensor that nobody may write to.
    """
    size = field_size(rings, band, order)
    _check_table(size, dtype)
    table = torch.empty(size, dtype=dtype, device="meta" if device.type == "meta" else "cpu")
    if not table.is_meta:
        write_field_table(table, rings, band, order)
    return table.to(device)


@shared
def group_table(
    grid_band: int, band: int, inverse: bool, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """The table d of ``ops.GroupTables`` likewise.

    Args:
        grid_band: b of the grid.
        band: exclusive bound of the degree.
        inverse: whether it is that of a synthesis.
        dtype: of the table.
        device: where it is.
    Returns:
        A tensor that nobody may write to.
    """
    size = group_size(grid_band, band)
    _check_table(size, dtype)
    table = torch.empty(size, dtype=dtype, device="meta" if device.type == "meta" else "cpu")
    if not table.is_meta:
        write_group_table(table, grid_band, band, inverse)
    return table.to(device)


@shared
def rows(band: int, order: int | None, device: torch.device) -> Tensor:
    """``rows`` of ``ops.FieldTables``, or ``scatter`` and ``gather`` of ``ops.GroupTables``.

    Args:
        band: exclusive bound of the degree.
        order: n of a field on the sphere, None for functions on SO(3).
        device: where they are.
    Returns:
        A tensor that nobody may write to.
    """
    found = torch.cat(group_rows(band)) if order is None else field_rows(band, order)
    return found.to(device)


@shared
def ring_angles(rings: Rings, device: torch.device) -> Tensor:
    """The angles beta of ``ops.LegendrePlan``, in place of a table.

    Args:
        rings: of the sphere.
        device: where they are.
    Returns:
        float64, whatever the transform is in; a tensor that nobody may write to.
    """
    return torch.tensor(rings.beta, dtype=torch.float64).to(device)


def _check_table(size: int, dtype: torch.dtype) -> None:
    if size * dtype.itemsize > _LARGEST:
        raise ValueError(
            f"band: expected a table of {_LARGEST / 2**30:.0f} GiB or less, got one of "
            f"{size * dtype.itemsize / 2**30:.1f} GiB"
        )


class _Transform(SharedConstants):
    """Constants of a transform between signals on rings and degrees l < ``band``.

    Args:
        grid: the rings, or b of the SOFT grid ``soft(b)``.
        band: exclusive bound of the degree, which the rings must hold.
        order: s for fields of the irrep s of SO(2), or None for functions on SO(3), which are
            sampled on SOFT grids only.
        dtype: of the constants, torch's default dtype if None.
    """

    inverse: bool
    d: Tensor
    rows: Tensor
    by_degree: Tensor
    by_ring: Tensor
    phases: Tensor
    angles: Tensor
    rings_by_length: Tensor
    points_by_length: Tensor
    rings_back: Tensor
    points_back: Tensor
    alpha: Tensor
    gamma: Tensor

    def __init__(
        self, grid: Rings | int, band: int, order: int | None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        rings = grid if isinstance(grid, Rings) else soft(check_integer(grid, "grid"))
        check_integer(band, "band")
        if order is not None:
            check_integer(order, "order", 0)
        elif rings.soft_band is None:
            raise ValueError(f"grid: expected a SOFT grid for functions on SO(3), got {rings!r}")
        size = rings.count * (rings.shape[0] if order is None else 1)
        check_memory(size, "grid", f"a signal of {size} samples")
        if not rings.is_symmetric:
            raise ValueError(
                "grid: expected rings that the equator mirrors onto each other, by which one table "
                f"serves both signs of an order, got {rings!r}"
            )
        if band > rings.degree:
            raise ValueError(
                f"band: expected 1 to {rings.degree} (the band that the grid holds), got {band}"
            )
        self.rings, self.band, self.order = rings, band, order
        self.has_degrees = order is None or order < band
        # Rings of one length from longitude 0 on have one Fourier transform.
        self.is_even = rings.is_uniform and rings.starts[0] == 0
        self.parts = 2 if order else 1
        self.lengths = ring_lengths(rings)
        self.set_constants(dtype)

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        if self.order is None:
            size = self.rings.shape[0]
            _, alpha = soft_angles(size // 2)
            phase = alpha[:, None] * torch.arange(self.band, dtype=torch.float64)
            gamma = gamma_waves(self.band, size) / (1 if self.inverse else size)
            return {"alpha": torch.cat([phase.cos(), -phase.sin()], 1), "gamma": gamma}
        by_degree, by_ring = field_factors(self.rings, self.band, self.order, self.inverse)
        found = {"by_degree": by_degree, "by_ring": by_ring}
        return found if self.is_even else found | ring_constants(self.rings, self.band)

    def shared(self, dtype: torch.dtype, device: torch.device) -> Mapping[str, Tensor]:
        if not self.has_degrees:
            return {}
        found = {}
        if self.order is None:
            d = group_table(self.rings.shape[0] // 2, self.band, self.inverse, dtype, device)
        else:
            found["angles"] = ring_angles(self.rings, device)
            if not needs_table(self.band, dtype, device):
                return found
            d = field_table(self.rings, self.band, self.order, dtype, device)
        return {"d": d, "rows": rows(self.band, self.order, device)} | found

    def field_tables(self) -> FieldTables:
        """The constants as ``ops.s2_analysis`` takes them, for fields on the sphere.

        Raises:
            TypeError: if they are in half precision.
        """
        assert self.order is not None
        self._check_dtype()
        d, places = self._buffers.get("d"), self._buffers.get("rows")
        if d is None or places is None:  # for a program
            at = self.by_ring.dtype, self.by_ring.device
            d = field_table(self.rings, self.band, self.order, *at)
            places = rows(self.band, self.order, at[1])
        constants = (d, self.by_degree, self.by_ring, places)
        return FieldTables(*constants, self.band, self.rings.shape[-1], self.order)

    def legendre_plan(self) -> LegendrePlan:
        """The constants as ``ops.legendre_analysis`` takes them, where there is no table.

        Raises:
            TypeError: if they are in half precision.
        """
        assert self.order is not None
        self._check_dtype()
        longitudes = self.rings.shape[-1] if self.is_even else 0
        factors = self.by_degree, self.by_ring
        return LegendrePlan(self.angles, *factors, self.band, longitudes, self.order)

    def _needs_table(self, columns: int) -> bool:
        if "d" not in self._buffers and torch.compiler.is_exporting():
            # The steps of a recursion would grow with the band.
            assert self.order is not None
            size = field_size(self.rings, self.band, self.order)
            traced = torch.compiler.is_dynamo_compiling()
            return not traced and size * self.by_ring.dtype.itemsize <= _LARGEST
        return needs_table(self.band, self.by_ring.dtype, self.by_ring.device, columns)

    def _check_dtype(self) -> None:
        if self.by_ring.dtype.itemsize < 4:
            raise TypeError(
                "dtype: expected float32 or float64, since torch has no Fourier transform in "
                f"{self.by_ring.dtype} on every device; x.float() has one, and under "
                "torch.autocast it is done in float32"
            )

    def group_tables(self) -> GroupTables:
        """The constants as ``ops.so3_analysis`` takes them, for functions on SO(3)."""
        size = self.band * (4 * self.band**2 - 1) // 3
        rows = self.rows[:-size], self.rows[-size:]
        return GroupTables(self.d, self.alpha, self.gamma, *rows, self.band)

    def extra_repr(self) -> str:
        return f"grid={self.rings!r}, band={self.band}, order={self.order}"


class Analysis(_Transform):
    """Signal to spectrum.

    For ``order`` = s > 0 the channels of the signal are (channel, component), two components each.
    """

    inverse = False

    def forward(self, signal: Tensor) -> Tensor:
        """The spectrum of a signal.

        Shape:
            - signal: ``(batch, channel, beta, alpha[, gamma])``, ``(batch, channel, point)`` where
              rings differ
            - result: ``(rows, channel * batch)``
        Raises:
            ValueError: for a signal of another shape.
        """
        if self.order is None:
            return so3_analysis(signal, self.group_tables())
        if not self.has_degrees:  # none is below the band
            columns = signal.shape[0] * signal.shape[1] // 2
            return self.by_ring.new_zeros(0, columns) + 0 * signal.to(self.by_ring.dtype).sum()
        self._check_dtype()
        x = signal if self.is_even else self._waves(signal)
        if not self._needs_table(signal.shape[0] * signal.shape[1]):
            return legendre_analysis(x, self.legendre_plan())
        return (s2_analysis if self.is_even else s2_coefficients)(x, self.field_tables())

    def _waves(self, signal: Tensor) -> Tensor:
        if signal.shape[2:] != self.rings.shape:
            raise ValueError(
                f"signal: expected (batch, channel, {str(self.rings.shape)[1:-1].strip(',')}), got "
                f"{tuple(signal.shape)}"
            )
        points = signal.to(self.by_ring.dtype).flatten(2)
        return ring_waves(points, self.phases, self.lengths, self.points_by_length, self.rings_back)


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
        if not self.has_degrees:
            batch = spectrum.shape[1] // channels
            zeros = self.by_ring.new_zeros(batch, 2 * channels, *self.rings.shape)
            return zeros + 0 * spectrum.to(self.by_ring.dtype).sum()  # keeps the graph
        if self._needs_table(self.parts * spectrum.shape[1]):
            transform = s2_synthesis if self.is_even else s2_waves
            signal = transform(spectrum, self.field_tables(), channels)
        else:
            signal = legendre_synthesis(spectrum, self.legendre_plan(), channels)
        if not self.is_even:
            by_length = (self.phases, self.lengths, self.rings_by_length, self.points_back)
            signal = ring_signal(signal, *by_length).unflatten(-1, self.rings.shape)
        return rectify(signal) if relu else signal
