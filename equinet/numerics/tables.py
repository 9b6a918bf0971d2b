"""Tables for people, as text of a fixed width and as HTML.

In: cells. Out: ``Table``, and ``Tabular``, what has one.
"""

from __future__ import annotations

import html
import math
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

_WIDTH = 100  # characters, above which the widest columns of words are folded
_NARROWEST = 24
_GAP = "  "
_SIDES = {"<": "left", ">": "right"}

Row = tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Cells in columns; those of a column that is empty everywhere are left out.

    Attributes:
        title: lines above it.
        heads: of the columns.
        sides: "<" or ">" for each column, the side to which its cells are aligned.
        rows: a cell for each column; one that is a string goes across all of them.
        total: a last row, below a rule.
        notes: lines below it.

    Example:
        >>> print(Table("Groups", ("name", "order"), "<>", (("C4", "4"), ("D12", "24"))))
        Groups
        name  order
        -----------
        C4        4
        D12      24
    """

    title: str
    heads: Row
    sides: str
    rows: tuple[Row | str, ...]
    total: Row | None = None
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        kept = self._kept()
        sides, heads = [self.sides[i] for i in kept], _picked(self.heads, kept)
        rows = [row if isinstance(row, str) else _picked(row, kept) for row in self.rows]
        last = [] if self.total is None else [_picked(self.total, kept)]
        cells = [heads, *(row for row in rows if not isinstance(row, str)), *last]
        widths = _fitted([max(map(len, column)) for column in zip(*cells, strict=True)], sides)
        rule = "-" * (sum(widths) + len(_GAP) * (len(widths) - 1))
        lines = self.title.splitlines() + _lines(heads, widths, sides) + [rule]
        for row in rows:
            lines += [row] if isinstance(row, str) else _lines(row, widths, sides)
        for row in last:
            lines += [rule, *_lines(row, widths, sides)]
        return "\n".join([*lines, *self.notes])

    def _repr_html_(self) -> str:
        """For notebooks; a table that is wider than the page is scrolled, not cut."""
        kept = self._kept()
        styles = [f"text-align:{_SIDES[self.sides[i]]};white-space:nowrap" for i in kept]
        words = [
            0 if self.sides[i] == ">" else max(len(r[i]) for r in [self.heads, *self._cells()])
            for i in kept
        ]
        if max(words) > _NARROWEST:
            styles[words.index(max(words))] = f"text-align:left;min-width:{_NARROWEST}em"

        def line(tag: str, row: Row | str) -> str:
            if isinstance(row, str):
                return f'<tr><td colspan="{len(kept)}">{_escaped(row or " ")}</td></tr>'
            pairs = zip(styles, _picked(row, kept), strict=True)
            cells = (f'<{tag} style="{style}">{_escaped(cell)}</{tag}>' for style, cell in pairs)
            return f"<tr>{''.join(cells)}</tr>"

        body = "".join(line("td", row) for row in self.rows)
        foot = "" if self.total is None else f"<tfoot>{line('th', self.total)}</tfoot>"
        return (
            f'<div style="overflow-x:auto">{_paragraph(self.title.splitlines())}'
            f"<table><thead>{line('th', self.heads)}</thead><tbody>{body}</tbody>{foot}</table>"
            f"{_paragraph(self.notes)}</div>"
        )

    def _cells(self) -> list[Row]:
        last = [] if self.total is None else [self.total]
        return [row for row in self.rows if not isinstance(row, str)] + last

    def _kept(self) -> list[int]:
        """The columns in which there is something; all of a table without rows."""
        cells = self._cells()
        return [i for i in range(len(self.heads)) if not cells or any(row[i] for row in cells)]


class Tabular(ABC):
    """What shows itself as a table, in a terminal and in a notebook."""

    @abstractmethod
    def table(self) -> Table:
        """All of it in rows and columns."""

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def error_cell(value: float) -> str:
    """Two digits of an error; a dash where it was not measured."""
    return "-" if math.isnan(value) else "0" if value == 0 else f"{value:.1e}"


def count_cell(number: int) -> str:
    """Three digits of a count and a prefix, such as 12.3 M."""
    for power, prefix in ((12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if number >= 0.9995 * 10**power:  # what rounds to it
            return f"{number / 10**power:.3g} {prefix}"
    return str(number)


def _picked(row: Row, kept: Sequence[int]) -> Row:
    return tuple(row[i] for i in kept)


def _fitted(widths: list[int], sides: Sequence[str]) -> list[int]:
    """The widths, those of words reduced, the largest first, if the lines get too long."""
    excess, fitted = sum(widths) + len(_GAP) * (len(widths) - 1) - _WIDTH, list(widths)
    words = [i for i, side in enumerate(sides) if side == "<"]
    for i in sorted(words, key=lambda i: -widths[i]):
        less = max(0, min(excess, widths[i] - _NARROWEST))
        fitted[i] -= less
        excess -= less
    return fitted


def _lines(row: Row, widths: Sequence[int], sides: Sequence[str]) -> list[str]:
    """A row, on several lines if a cell does not fit into its column."""
    columns = [textwrap.wrap(cell, width) or [""] for cell, width in zip(row, widths, strict=True)]
    lines = []
    for i in range(max(map(len, columns))):
        parts = [column[i] if i < len(column) else "" for column in columns]
        cells = [f"{p:{s}{w}}" for p, s, w in zip(parts, sides, widths, strict=True)]
        lines.append(_GAP.join(cells).rstrip())
    return lines


def _paragraph(lines: Sequence[str]) -> str:
    return f"<p>{'<br>'.join(map(_escaped, lines))}</p>" if lines else ""


def _escaped(text: str) -> str:
    """The text as HTML that keeps its indentation."""
    words = text.lstrip()
    return "&nbsp;" * (len(text) - len(words)) + html.escape(words)
