r"""Spectra of the feature maps over a sphere.

In: field types and signals. Out: spectra.

The spectrum of a feature map lists, for every degree l, a real matrix ``(2l + 1, K_l)`` whose
columns are (block, signed order n of the block, copy): K_l copies of the degree-l representation of
SO(3).
"""

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from equinet.field.field_type import FieldType, check_type
from equinet.harmonics.grid import degree_columns, spectrum_index
from equinet.numerics import Constants
from equinet.numerics.cached import cached
from equinet.rep import Representation


@runtime_checkable
class BandLimited(Protocol):
    """What is asked of a space: the transforms of one block of its fields; see ``Sphere``."""

    def analysis(self, order: int | None, band: int, dtype: torch.dtype | None) -> nn.Module:
        """From samples to the spectrum of degrees below ``band``."""
        ...

    def synthesis(self, order: int | None, band: int, dtype: torch.dtype | None) -> nn.Module:
        """From the spectrum to samples."""
        ...


def _transforms_of(field_type: FieldType) -> BandLimited:
    check_type(field_type)
    if not isinstance(field_type.space, BandLimited):
        raise ValueError(f"field_type: expected fields over a Sphere, got {field_type!r}")
    return field_type.space


def block_orders(field_type: FieldType, band: int) -> list[tuple[int, ...]]:
    """The orders n >= 0 below ``band`` of each block."""
    return [
        tuple(range(band)) if rho.irreps is None else tuple(psi.degree for psi in rho.irreps)
        for _, rho in field_type.blocks
    ]


def _order(rho: Representation) -> int | None:
    """Frequency s of an irrep of SO(2), None for the regular representation."""
    return None if rho.irreps is None else rho.irreps[0].degree


def columns(field_type: FieldType, band: int) -> list[int]:
    """K_l for l = 0, ..., ``band`` - 1."""
    orders = block_orders(field_type, band)
    return [
        sum(
            mul * degree_columns(l, n)
            for (mul, _), n in zip(field_type.blocks, orders, strict=True)
        )
        for l in range(band)
    ]


class _Order(NamedTuple):
    """Where the coefficients of each block stand in the spectrum of all.

    Attributes:
        unit: copies that lie together in both, a divisor of all multiplicities.
        sizes: how many units each block has.
        places: of each unit of each block, where it is in the spectrum.
    """

    unit: int
    sizes: tuple[int, ...]
    places: Tensor


@cached(32)
def _order_of(muls: tuple[int, ...], orders: tuple[tuple[int, ...], ...], band: int) -> _Order:
    """That of blocks with these multiplicities and orders n >= 0."""
    unit, degrees = math.gcd(*muls), torch.arange(band)
    signed = torch.tensor([[degree_columns(l, n) for l in range(band)] for n in orders])
    copies = torch.tensor(muls)[:, None] // unit
    widths = signed * copies  # of each block at each degree, in units
    before, width = widths.cumsum(0) - widths, widths.sum(0)
    starts = ((2 * degrees + 1) * width).cumsum(0) - (2 * degrees + 1) * width
    found: list[Tensor] = []
    for n, above, count, copy in zip(orders, before, signed, copies.flatten(), strict=True):
        l, m, _ = spectrum_index(band, n).unbind(1)
        rows = (2 * degrees + 1) * count
        among = torch.arange(len(l)) - (rows.cumsum(0) - rows)[l] - (m + l) * count[l]
        place = starts[l] + (m + l) * width[l] + above[l] + among * copy
        found.append((place[:, None] + torch.arange(int(copy))).flatten())
    return _Order(unit, tuple(map(len, found)), torch.cat(found))


class _FieldTransform(Constants):
    """The transforms of all blocks of a field type, and the order in which their spectra lie."""

    places: Tensor

    def __init__(
        self,
        field_type: FieldType,
        band: int,
        part_of: Callable[[int | None, int, torch.dtype | None], nn.Module],
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        self.field_type, self.band = field_type, band
        self.parts = nn.ModuleList(
            part_of(_order(rho), band, dtype) for _, rho in field_type.blocks
        )
        self.multiplicities = tuple(mul for mul, _ in field_type.blocks)
        order = self._order()
        self.unit, self.sizes = order.unit, order.sizes
        self.set_constants(dtype)

    def _order(self) -> _Order:
        orders = tuple(block_orders(self.field_type, self.band))
        return _order_of(self.multiplicities, orders, self.band)


class FieldAnalysis(_FieldTransform):
    """Feature maps of ``field_type`` to spectra of degrees l < ``band``.

    ``forward(x)`` returns a flat tensor: for each degree ``(2l + 1, K_l, batch)``, concatenated.

    Args:
        field_type: of the feature maps, over a sphere.
        band: of the spectra.
        dtype: of the constants; torch's default if None.
    Raises:
        ValueError: for fields over another space, or a ``band`` above that of the sphere.
    """

    def __init__(self, field_type: FieldType, band: int, dtype: torch.dtype | None = None) -> None:
        super().__init__(field_type, band, _transforms_of(field_type).analysis, dtype)

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        return {"places": self._order().places.argsort()} if len(self.parts) > 1 else {}

    def forward(self, x: Tensor) -> Tensor:
        if len(self.parts) == 1:
            return self.parts[0](x).view(-1)
        fields = x.split(_widths(self.field_type), 1)
        units = [  # other runtimes refuse to reshape nothing, what a field has below its spin
            part(y).reshape(size, self.unit * x.shape[0])
            for part, y, size in zip(self.parts, fields, self.sizes, strict=True)
            if size
        ]
        if not units:
            return x.new_zeros(0)
        return torch.cat(units).index_select(0, self.places).flatten()


class FieldSynthesis(_FieldTransform):
    """Spectra of degrees l < ``band`` to feature maps of ``field_type``.

    ``forward(flat, batch)`` is the inverse of ``FieldAnalysis`` on fields of that band.

    Args:
        field_type: of the feature maps, over a sphere.
        band: of the spectra.
        dtype: of the constants; torch's default if None.
    Raises:
        ValueError: for fields over another space, or a ``band`` above that of the sphere.
    """

    def __init__(self, field_type: FieldType, band: int, dtype: torch.dtype | None = None) -> None:
        super().__init__(field_type, band, _transforms_of(field_type).synthesis, dtype)

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        return {"places": self._order().places} if len(self.parts) > 1 else {}

    def forward(self, flat: Tensor, batch: int, relu: bool = False) -> Tensor:
        """The feature maps.

        Args:
            flat: the spectra, for each degree ``(2l + 1, K_l, batch)``, concatenated.
            batch: number of feature maps.
            relu: whether numbers below 0 become 0.
        Returns:
            ``field_type.shape(batch)``.
        """
        if len(self.parts) == 1:
            mul, size = self.multiplicities[0], self.sizes[0]
            return self.parts[0](flat.view(size, mul * batch), mul, relu)
        copies = [mul // self.unit for mul in self.multiplicities]
        units = flat.view(sum(self.sizes), self.unit * batch).index_select(0, self.places)
        fields = [
            part(rows.reshape(size // each, each * self.unit * batch), each * self.unit, relu)
            for part, rows, size, each in zip(
                self.parts, units.split(self.sizes), self.sizes, copies, strict=True
            )
        ]
        return torch.cat(fields, 1)


@cached(2)
def field_analysis(
    field_type: FieldType, band: int, dtype: torch.dtype, device: torch.device
) -> FieldAnalysis:
    """``FieldAnalysis`` for functions that are called over and over, kept for the next call."""
    return FieldAnalysis(field_type, band, dtype).to(device)


@cached(2)
def field_synthesis(
    field_type: FieldType, band: int, dtype: torch.dtype, device: torch.device
) -> FieldSynthesis:
    """``FieldSynthesis`` likewise."""
    return FieldSynthesis(field_type, band, dtype).to(device)


def _widths(field_type: FieldType) -> list[int]:
    return [mul * (1 if rho.is_sampled else rho.dim) for mul, rho in field_type.blocks]
