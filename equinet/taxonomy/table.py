"""The catalogue as text and as plain data.

In: rows and what was measured of them. Out: lines, and what JSON can hold.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from equinet.taxonomy.measure import BAR, Measured
from equinet.taxonomy.row import STATUSES, Publication, Row

Line = tuple[Row, Measured]

_HEADS = ("network", "G", "H", "G/H", "fields", "exact", "on finer grids", "status")


def text(lines: Sequence[Line]) -> str:
    """A table with one block for each kind of space, and what its columns mean."""
    cells = [_cells(row, measured) for row, measured in lines]
    widths = [max(map(len, column)) for column in zip(_HEADS, *cells, strict=True)]
    out = [_joined(_HEADS, widths)]
    family = None
    for (row, measured), cell in zip(lines, cells, strict=True):
        if row.family != family:
            family = row.family
            out += ["", family.capitalize()]
        out.append(_joined(cell, widths) + ("" if measured.holds else "  FAILS"))
        out += [f"  {_named(publication)}" for publication in row.published[1:]]
    return "\n".join([*out, "", *_legend(lines)])


def _cells(row: Row, measured: Measured) -> tuple[str, ...]:
    """The columns; of several networks the first, as the others have lines of their own."""
    exact = f"{measured.exact:.0e}"
    finer = " ".join(f"{error:.0e}" for error in measured.refined)
    first = _named(row.published[0])
    return first, row.G, row.H, row.base, row.fields, exact, finer, row.status


def _named(publication: Publication) -> str:
    return f"{publication.name} {publication.year}"


def _joined(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    return ("  " + "  ".join(padded)).rstrip()


def _legend(lines: Sequence[Line]) -> list[str]:
    failed = sum(not measured.holds for _, measured in lines)
    used = [status for status in STATUSES if any(row.status == status for row, _ in lines)]
    return [
        f"{len(lines)} rows, {len(lines) - failed} hold.",
        "exact: relative equivariance error of one layer in float32, the largest over elements",
        "       that permute the samples of a field or act on its spectrum; it must be below",
        f"       {BAR:g}.",
        "on finer grids: the mean over other elements, on grids each finer than the one before;",
        "       it must fall.",
        "status:",
        *[f"  {status:8}  {STATUSES[status]}" for status in used],
    ]


def data(row: Row, measured: Measured) -> dict[str, Any]:
    """A row and its errors as strings, numbers, lists and dicts."""
    layer = row.build()
    plain = {f.name: getattr(row, f.name) for f in dataclasses.fields(row) if f.name != "make"}
    return plain | {
        "published": [dataclasses.asdict(publication) for publication in row.published],
        "layer": type(layer).__name__,
        "in_type": repr(layer.in_type),
        "out_type": repr(layer.out_type),
        "parameters": sum(p.numel() for p in layer.parameters()),
        "error": dataclasses.asdict(measured) | {"holds": measured.holds},
    }
