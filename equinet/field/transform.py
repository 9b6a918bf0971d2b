r"""Spectra of the feature maps over a sphere.

In: field types and signals. Out: spectra.

The spectrum of a feature map lists, for every degree l, a real matrix ``(2l + 1, K_l)`` whose
columns are (block, signed order n of the block, copy): K_l copies of the degree-l representation of
SO(3).
"""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from equinet.field.field_type import FieldType, check_type
from equinet.harmonics.grid import degree_columns, spectrum_size
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


class FieldAnalysis(nn.Module):
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
        super().__init__()
        space = _transforms_of(field_type)
        self.field_type, self.band = field_type, band
        self.parts = nn.ModuleList(
            space.analysis(_order(rho), band, dtype) for _, rho in field_type.blocks
        )

    def forward(self, x: Tensor) -> Tensor:
        if len(self.parts) == 1:
            return self.parts[0](x).view(-1)
        parts = [
            part(y)
            for part, y in zip(self.parts, x.split(_widths(self.field_type), 1), strict=True)
        ]
        orders = block_orders(self.field_type, self.band)
        out, starts = [x.new_zeros(0)], [0] * len(parts)
        for l in range(self.band):
            row = []
            for i, n in enumerate(orders):
                rows = (2 * l + 1) * degree_columns(l, n)
                if not rows:  # below the spin; other runtimes refuse to reshape nothing
                    continue
                block = parts[i][starts[i] : starts[i] + rows]
                starts[i] += rows
                width = degree_columns(l, n) * parts[i].shape[1]
                row.append(block.reshape(2 * l + 1, width))
            if row:
                out.append(torch.cat(row, 1).flatten())
        return torch.cat(out)


class FieldSynthesis(nn.Module):
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
        super().__init__()
        space = _transforms_of(field_type)
        self.field_type, self.band = field_type, band
        self.parts = nn.ModuleList(
            space.synthesis(_order(rho), band, dtype) for _, rho in field_type.blocks
        )

    def forward(self, flat: Tensor, batch: int, relu: bool = False) -> Tensor:
        """The feature maps.

        Args:
            flat: the spectra, for each degree ``(2l + 1, K_l, batch)``, concatenated.
            batch: number of feature maps.
            relu: whether numbers below 0 become 0.
        Returns:
            ``field_type.shape(batch)``.
        """
        orders = block_orders(self.field_type, self.band)
        multiplicities = [mul for mul, _ in self.field_type.blocks]
        if len(orders) == 1:
            rows = flat.view(spectrum_size(self.band, orders[0]), multiplicities[0] * batch)
            return self.parts[0](rows, multiplicities[0], relu)
        pieces, start = [[flat.new_zeros(0, mul * batch)] for mul in multiplicities], 0
        for l, k in enumerate(columns(self.field_type, self.band)):
            if not k:
                continue
            degree = flat[start : start + (2 * l + 1) * k * batch].view(2 * l + 1, k, batch)
            start += degree.numel()
            widths = [
                mul * degree_columns(l, n) for mul, n in zip(multiplicities, orders, strict=True)
            ]
            for i, block in enumerate(degree.split(widths, 1)):
                mul = multiplicities[i]
                if not widths[i]:
                    continue
                rows = (2 * l + 1) * (block.shape[1] // mul)
                pieces[i].append(block.reshape(rows, mul * batch))
        fields = [
            part(torch.cat(rows), mul, relu)
            for part, rows, mul in zip(self.parts, pieces, multiplicities, strict=True)
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
