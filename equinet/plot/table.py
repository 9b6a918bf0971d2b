"""Character tables as coloured grids."""

from __future__ import annotations

import re

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import FigureBase

from equinet.group import FiniteGroup
from equinet.plot.canvas import COLOURS, INK, array, bare, new_axes
from equinet.rep import CharacterTable
from equinet.rep import character_table as table_of

_CLASS = re.compile(r"(\d*)([A-Za-z]+)(\d*)(?:\^(\d+))?('*)")
_MULLIKEN = re.compile(r"([A-Z])([0-9a-z]+)?(['\"]*)")


def character_table(
    table: CharacterTable | FiniteGroup, *, figure: FigureBase | None = None
) -> FigureBase:
    """A character table: a row for each irrep, a column for each class of conjugate elements.

    Numbers are the characters chi. The colour is chi / d, where d is the dimension of the irrep: it
    is 1, full red, where the irrep is the identity matrix, and -1, full blue, where it is minus
    that.

    Args:
        table: a table of ``rep.character_table``, or a finite group.
        figure: where to draw; by default a new one.
    Returns:
        The figure that was drawn into.
    Raises:
        TypeError: if it is neither.

    Example:
        >>> from equinet.group import octahedral
        >>> character_table(octahedral()).axes[0].get_title()
        'characters of O'
    """
    if not isinstance(table, CharacterTable | FiniteGroup):
        raise TypeError(
            f"table: expected a CharacterTable or a finite group, got {type(table).__name__}"
        )
    if isinstance(table, FiniteGroup):
        table = table_of(table)
    values = array(table.values)
    rows, columns = values.shape
    figure, ((ax,),) = new_axes(figure, 1, 1, (0.62 * columns + 0.8, 0.42 * rows + 0.75))
    relative = values / values[:, :1]  # the first class is the identity, where chi = d
    # Lighter than the map's ends, so that black numbers can be read.
    ax.imshow(relative, cmap=COLOURS, norm=Normalize(-1.9, 1.9), aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        ax.text(j, i, _number(value), ha="center", va="center", fontsize=9, color=INK)
    bare(ax)
    ax.set_aspect(0.42 / 0.62)
    ax.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, labelsize=9)
    ax.set_xticks(range(columns), [_class_name(label) for label in table.labels])
    ax.set_yticks(range(rows), [_irrep_name(psi.name) for psi in table.irreps])
    ax.set_xticks(np.arange(columns - 1) + 0.5, minor=True)
    ax.set_yticks(np.arange(rows - 1) + 0.5, minor=True)
    ax.grid(which="minor", color="white", lw=2)
    ax.tick_params(which="minor", length=0)
    ax.set_title(f"characters of {table.group.name}", fontsize=10)
    return figure


def _number(value: float) -> str:
    text = f"{value + 0.0:.3f}".rstrip("0").rstrip(".")
    return text.replace("-", "\N{MINUS SIGN}")


def _class_name(label: str) -> str:
    """8C3 and 12C5^2 with subscripts and powers, mirrors as sigma."""
    match = _CLASS.fullmatch(label)
    if match is None:
        return label
    count, letter, index, power, primes = match.groups()
    letter = r"\sigma" if letter == "s" else letter
    low = f"_{{{index}}}" if index else ""
    high = f"^{{{(power or '') + primes.replace(chr(39), chr(92) + 'prime ')}}}"
    return rf"${count}\,{letter}{low}{high}$".replace("^{}", "")


def _irrep_name(name: str) -> str:
    """Mulliken's symbols with subscripts; other names as they are."""
    match = _MULLIKEN.fullmatch(name)
    if match is None:
        return name
    letter, low, primes = match.groups()
    count = 2 * primes.count('"') + primes.count("'")
    high = "^{" + r"\prime " * count + "}" if count else ""
    return rf"${letter}{f'_{{{low}}}' if low else ''}{high}$"
