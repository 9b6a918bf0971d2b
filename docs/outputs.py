"""What cells put out, on a page: sentences are wrapped, tables are not, pictures have words.

A Sphinx extension. An output is text as a program prints it, which a page scrolls to the side where
it is too wide. That is right for a table, and wrong for an error message of three hundred letters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

WIDEST_TABLE = 110  # letters
PICTURE = "What the code above draws."


def is_sentences(text: str) -> bool:
    """Whether an output is wider than a table would be, and has no rule as one has."""
    lines = text.splitlines()
    is_wide = any(len(line) > WIDEST_TABLE for line in lines)
    return is_wide and not any(line and not line.strip("- ") for line in lines)


def say(app: Sphinx, document: nodes.document) -> None:
    """Mark the outputs of a page that are sentences, for the style; give pictures words."""
    for part in document.findall(nodes.Element):
        if part.get("nb_element") != "cell_code_output":
            continue
        for block in part.findall(nodes.literal_block):
            if is_sentences(block.astext()):
                block["classes"].append("sentences")
        for image in part.findall(nodes.image):
            image.setdefault("alt", PICTURE)


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("doctree-read", say)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
