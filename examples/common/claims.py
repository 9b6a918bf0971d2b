"""What a paper says beside what was measured here, and whether that clears its bar."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from .table import markdown


@dataclass(frozen=True)
class Claim:
    """One line of an example's table.

    Attributes:
        what: the claim.
        paper: the paper's value.
        here: the value measured.
        bar: what would be enough.
        met: whether it is; None for what is shown without a bar.
    """

    what: str
    paper: str
    here: str
    bar: str
    met: bool | None


def within(
    what: str, paper: str, value: float, low: float, high: float, *, form: str = ".2f",
    deviation: float | None = None,
) -> Claim:  # fmt: skip
    """The claim that a number lies between two others; NaN does not."""
    here = format(value, form) + ("" if deviation is None else f" ± {format(deviation, form)}")
    if math.isinf(low) or math.isinf(high):
        bar = f"≤ {format(high, form)}" if math.isinf(low) else f"≥ {format(low, form)}"
    else:
        bar = f"{format(low, form)} to {format(high, form)}"
    return Claim(what, paper, here, bar, bool(low <= value <= high))


def claims_table(claims: Iterable[Claim]) -> str:
    """A table in Markdown; the last column says "met", "not met", or "indicative"."""
    words = {True: "met", False: "**not met**", None: "indicative"}
    rows = [
        [_cell(part) for part in (c.what, c.paper, c.here, c.bar)] + [words[c.met]] for c in claims
    ]
    return markdown(["claim", "paper", "here", "bar", ""], rows)


def _cell(text: str) -> str:
    """A bar in a text would end its cell."""
    return text.replace("|", "\\|").replace("\n", " ")
