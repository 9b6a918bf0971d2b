r"""Numbers of equations, as the code has them, and links from where they are mentioned.

A Sphinx extension. ``\quad (W4)`` at the end of a formula becomes its number, shown at the margin,
and the place to which a "(W4)" in the text of the same page leads; where the page does not state
it, the text leads to the page of the theory that does.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

THEORY = Path(__file__).parent / "theory"
STATED = re.compile(r"\\quad\s*\(([A-Z]\d+)\)\s*$", re.MULTILINE)
TAG = re.compile(r"\\tag\{([A-Z]\d+)\}")
MENTIONED = re.compile(r"\(([A-Z]\d+)\)")


def in_theory() -> dict[str, str]:
    """The page of the theory that states each number."""
    pages = sorted(THEORY.glob("*.md"))
    return {
        number: f"theory/{page.stem}" for page in pages for number in TAG.findall(page.read_text())
    }


def anchor(number: str) -> str:
    """The place of an equation on its page."""
    return f"equation-{number.lower()}"


def label(document: nodes.document) -> set[str]:
    """Give every numbered formula its number and its place.

    Args:
        document: a page, which is changed.
    Returns:
        The numbers.
    """
    stated: set[str] = set()
    for block in document.findall(nodes.math_block):
        text = STATED.sub(r"\\tag{\1}", block.astext())
        numbers = TAG.findall(text)
        if not numbers:
            continue
        block[:] = [nodes.Text(_displayed(text))]
        block["no-wrap"] = True
        new = [number for number in numbers if number not in stated]
        block["ids"] += [anchor(number) for number in new]
        stated.update(new)
    return stated


def _displayed(text: str) -> str:
    """What MathJax draws; Sphinx would put several lines where none may have a number."""
    if text.lstrip().startswith(r"\begin"):
        return text
    parts = [part.strip() for part in text.split("\n\n") if part.strip()]
    return "\n".join(
        rf"\begin{{align*}}{part}\end{{align*}}" if r"\\" in part else rf"\[{part}\]"
        for part in parts
    )


def link(document: nodes.document, targets: dict[str, str]) -> None:
    """Make links of the numbers in the text.

    Args:
        document: a page, which is changed.
        targets: the address of each number.
    """
    kept = (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.reference)
    for text in list(document.findall(nodes.Text)):
        parent = text.parent
        above = parent
        while above is not None and not isinstance(above, (*kept, nodes.title)):
            above = above.parent
        pieces = MENTIONED.split(text)
        if above is not None or not targets.keys() & set(pieces[1::2]):
            continue
        new: list[nodes.Node] = []
        for number, piece in enumerate(pieces):
            shown = f"({piece})" if number % 2 else piece
            if number % 2 and piece in targets:
                new.append(nodes.reference("", shown, refuri=targets[piece], internal=True))
            elif shown:
                new.append(nodes.Text(shown))
        parent.replace(text, new)


def resolve(app: Sphinx, document: nodes.document, page: str) -> None:
    """Do both, when all pages have been read."""
    targets = {
        number: f"{app.builder.get_relative_uri(page, where)}#{anchor(number)}"
        for number, where in in_theory().items()
    }
    targets |= {number: f"#{anchor(number)}" for number in label(document)}
    if page.split("/")[0] in ("reference", "theory"):
        link(document, targets)


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("doctree-resolved", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
