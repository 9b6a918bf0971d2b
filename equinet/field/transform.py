r"""Feature maps of a field type: their spectra, and how G moves them.

In: field types and signals. Out: spectra, moved or random signals. Before: ``space``.

The spectrum of a feature map lists, for every degree l, a real matrix ``(2l + 1, K_l)`` whose
columns are (block, signed order n of the block, copy): K_l copies of the degree-l representation of
SO(3).
"""

import math

import torch
from torch import Tensor, nn

from equinet.field.field_type import FieldType
from equinet.field.space import sphere_of
from equinet.harmonics import Analysis, Synthesis
from equinet.harmonics.grid import degree_columns, spectrum_size
from equinet.numerics import wigner_D
from equinet.rep import Representation


def block_orders(field_type: FieldType, band: int) -> list[tuple[int, ...]]:
    """The orders n >= 0 below ``band`` of each block."""
    return [
        tuple(range(band)) if rho.irreps is None else tuple(i.frequency for i in rho.irreps)
        for _, rho in field_type.blocks
    ]


def _order(rho: Representation) -> int | None:
    """S of an irrep of SO(2), None for the regular representation."""
    return None if rho.irreps is None else rho.irreps[0].frequency


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
    """

    def __init__(self, field_type: FieldType, band: int) -> None:
        super().__init__()
        self.field_type, self.band = field_type, band
        self.parts = nn.ModuleList(
            Analysis(sphere_of(field_type).band, band, _order(rho)) for _, rho in field_type.blocks
        )

    def forward(self, x: Tensor) -> Tensor:
        if len(self.parts) == 1:
            return self.parts[0](x).view(-1)
        parts = [
            part(y)
            for part, y in zip(self.parts, x.split(_widths(self.field_type), 1), strict=True)
        ]
        orders = block_orders(self.field_type, self.band)
        out, starts = [], [0] * len(parts)
        for l in range(self.band):
            row = []
            for i, n in enumerate(orders):
                rows = (2 * l + 1) * degree_columns(l, n)
                block = parts[i][starts[i] : starts[i] + rows]
                starts[i] += rows
                width = degree_columns(l, n) * parts[i].shape[1]
                row.append(block.reshape(2 * l + 1, width))
            out.append(torch.cat(row, 1).flatten())
        return torch.cat(out)


class FieldSynthesis(nn.Module):
    """Spectra of degrees l < ``band`` to feature maps of ``field_type``.

    ``forward(flat, batch)`` is the inverse of ``FieldAnalysis`` on fields of that band.
    """

    def __init__(self, field_type: FieldType, band: int) -> None:
        super().__init__()
        self.field_type, self.band = field_type, band
        self.parts = nn.ModuleList(
            Synthesis(sphere_of(field_type).band, band, _order(rho)) for _, rho in field_type.blocks
        )

    def forward(self, flat: Tensor, batch: int) -> Tensor:
        orders = block_orders(self.field_type, self.band)
        multiplicities = [mul for mul, _ in self.field_type.blocks]
        if len(orders) == 1:
            rows = flat.view(spectrum_size(self.band, orders[0]), multiplicities[0] * batch)
            return self.parts[0](rows, multiplicities[0])
        pieces, start = [[] for _ in orders], 0
        for l, k in enumerate(columns(self.field_type, self.band)):
            degree = flat[start : start + (2 * l + 1) * k * batch].view(2 * l + 1, k, batch)
            start += degree.numel()
            widths = [
                mul * degree_columns(l, n) for mul, n in zip(multiplicities, orders, strict=True)
            ]
            for i, block in enumerate(degree.split(widths, 1)):
                mul = multiplicities[i]
                rows = (2 * l + 1) * (block.shape[1] // mul)
                pieces[i].append(block.reshape(rows, mul * batch))
        fields = [
            part(torch.cat(rows), mul)
            for part, rows, mul in zip(self.parts, pieces, multiplicities, strict=True)
        ]
        return torch.cat(fields, 1)


def _widths(field_type: FieldType) -> list[int]:
    return [mul * (1 if rho.is_regular else rho.dim) for mul, rho in field_type.blocks]


def act(field_type: FieldType, g: Tensor, x: Tensor) -> Tensor:
    r"""[g f](x) = rho(g) f(g^-1 x), exact for feature maps without degrees above the band.

    .. math:: \hat f^l \mapsto D^l(g)\, \hat f^l

    Args:
        field_type: of ``x``, over the sphere.
        g: rotations, ``(3, 3)`` or one for each sample, ``(batch, 3, 3)``.
        x: ``field_type.shape(batch)``.
    Returns:
        The moved feature maps, in the shape and dtype of ``x``; degrees above the band are lost.
    """
    field_type.check(x)
    sphere, batch = sphere_of(field_type, "field_type"), x.shape[0]
    sphere.group.check(g)
    if g.shape not in {(3, 3), (batch, 3, 3)}:
        raise ValueError(f"g: expected (3, 3) or ({batch}, 3, 3), got {tuple(g.shape)}")
    band = sphere.band
    to_spectrum = FieldAnalysis(field_type, band).to(x)
    to_field = FieldSynthesis(field_type, band).to(x)
    flat, out, start = to_spectrum(x), [], 0
    g = g.to(x).expand(batch, 3, 3)
    for l, k in enumerate(columns(field_type, band)):
        stop = start + (2 * l + 1) * k * batch
        block = flat[start:stop].view(2 * l + 1, k, batch)
        out.append(torch.einsum("zmn,nkz->mkz", wigner_D(l, g), block).flatten())
        start = stop
    return to_field(torch.cat(out), batch)


def random_field(
    field_type: FieldType,
    batch: int,
    *,
    band: int | None = None,
    generator: torch.Generator | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    r"""White noise of unit variance, band-limited to l < ``band`` (the band of the space if None).

    The coefficients are independent normal with a variance proportional to 1 / (2l + 1).
    """
    sphere = sphere_of(field_type, "field_type")
    band = sphere.band if band is None else band
    if not 0 < band <= sphere.band:
        raise ValueError(f"band: expected 1 to {sphere.band} (the sphere's band), got {band}")
    orders = block_orders(field_type, band)
    lowest = max(min(n) for n in orders)
    if band <= lowest:
        raise ValueError(
            f"band: expected more than {lowest}, the lowest degree of a field in {field_type!r}, "
            f"got {band}"
        )
    energy = [  # of one copy with coefficients of variance 1 / (2l + 1)
        sum((2 * l + 1) * degree_columns(l, n) for l in range(band)) for n in orders
    ]
    degrees = []
    for l in range(band):
        parts = [
            torch.randn(
                2 * l + 1,
                mul * degree_columns(l, n),
                batch,
                generator=generator,
                dtype=torch.float64,
            )
            / math.sqrt((2 * l + 1) * e)
            for (mul, _), n, e in zip(field_type.blocks, orders, energy, strict=True)
        ]
        degrees.append(torch.cat(parts, 1).flatten())
    to_field = FieldSynthesis(field_type, band).double()
    return to_field(torch.cat(degrees), batch).to(dtype or torch.get_default_dtype())
