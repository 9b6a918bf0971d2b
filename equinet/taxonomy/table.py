"""The catalogue as text and as plain data.

In: rows and what was measured of them. Out: lines, and what JSON can hold.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from equinet.numerics.tables import Table
from equinet.taxonomy.measure import BAR, Measured
from equinet.taxonomy.row import STATUSES, Publication, Row

Line = tuple[Row, Measured]

_HEADS = ("network", "G", "H", "G/H", "fields", "exact", "on finer grids", "status", "")


def text(lines: Sequence[Line]) -> str:
    """The catalogue as text.

    Args:
        lines: rows and what was measured of them.
    Returns:
        A table with one block for each kind of space, and what its columns mean.
    """
    return str(tabulated(lines))


def tabulated(lines: Sequence[Line]) -> Table:
    """The catalogue as a table, which a notebook shows as HTML.

    Args:
        lines: rows and what was measured of them.
    Returns:
        One block for each kind of space, and what the columns mean.
    """
    rows: list[tuple[str, ...] | str] = []
    family = None
    for row, measured in lines:
        if row.family != family:
            rows += ["", row.family.capitalize()]
            family = row.family
        rows.append(_cells(row, measured))
        rows += [f"  {_named(publication)}" for publication in row.published[1:]]
    return Table("", _HEADS, "<" * len(_HEADS), tuple(rows), notes=("", *_legend(lines)))


def _cells(row: Row, measured: Measured) -> tuple[str, ...]:
    """The columns; of several networks the first, as the others have lines of their own."""
    exact = f"{measured.exact:.0e}"
    finer = " ".join(f"{error:.0e}" for error in measured.refined)
    failed = "" if measured.holds else "FAILS"
    first = f"  {_named(row.published[0])}"
    return first, row.G, row.H, row.base, row.fields, exact, finer, row.status, failed


def _named(publication: Publication) -> str:
    return f"{publication.name} {publication.year}"


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
    """A row and its errors as strings, numbers, lists and dicts.

    Args:
        row: of the catalogue.
        measured: its errors.
    Returns:
        What JSON can hold.
    """
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
