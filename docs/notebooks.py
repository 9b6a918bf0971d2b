"""Each tutorial as a notebook: written at the build, from the source of its page.

A Sphinx extension. A page of ``tutorials/`` is read as myst_nb reads it, its links are made those
of the project's site, and the notebook, without outputs, lies beside the page, which says so in
a line below its title. There is a warning, which is an error under ``-W``, of what Jupyter cannot
show, of cells that are not those that the page has executed, and of outputs that show where a
machine keeps its files.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from importlib.metadata import metadata
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urldefrag

import nbformat
from docutils import nodes
from myst_nb.core.read import read_myst_markdown_notebook

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).parent
FOLDER = "tutorials"
KEPT = ("kernelspec",)  # the rest of the head of a page is for Sphinx
URLS = dict(line.split(", ", 1) for line in metadata("equinet-torch").get_all("Project-URL") or [])
SITE = f"{URLS['Source']}/blob/HEAD/docs"

_FENCED = re.compile(r"^```(?!\{).*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]*)\)")
_ONLY_SPHINX = re.compile(
    r"\{[\w:.-]+\}`|^\s*(?::::|```\{|~~~\{|\([\w-]+\)=|%|\+\+\+)", re.MULTILINE
)
_PLACE = re.compile(r"(?<![\w.])/(?:home|root|tmp|usr|var|Users)/|[A-Z]:\\")


def notebook(text: str, page: Path) -> nbformat.NotebookNode:
    """The notebook of a page.

    Args:
        text: the source of the page.
        page: its path, from which its links lead.
    Raises:
        ValueError: if a cell has what Jupyter cannot show, or a link leads to no page.
    """
    made = read_myst_markdown_notebook(text, path=page)
    made.metadata = nbformat.from_dict({key: made.metadata[key] for key in KEPT})
    for number, cell in enumerate(made.cells):
        cell.id = f"cell-{number}"  # else the same page makes another file each time
        if cell.cell_type == "markdown":
            cell.source = plain(cell.source, page)
    nbformat.validate(made)
    return made


def plain(text: str, page: Path) -> str:
    """The text of a cell as Jupyter can show it: with links that lead there from anywhere.

    Args:
        text: Markdown.
        page: the path of the page which it is from.
    Raises:
        ValueError: if it has a role, a directive or a target of MyST, or a link leads nowhere.
    """
    found = _ONLY_SPHINX.search(_FENCED.sub("", text))
    if found:
        raise ValueError(f"Jupyter cannot show {found.group().strip()!r}; say it in plain Markdown")

    def moved(link: re.Match[str]) -> str:
        title, address = link.groups()
        if re.match(r"https?:", address):
            return link.group()
        file, place = urldefrag(address)
        if not file:  # anchors of headings have other names in Jupyter
            return title
        target = (page.parent / file).resolve()
        if not target.is_file():
            raise ValueError(f"a link leads to {address!r}, which is no file")
        path = target.relative_to(DOCS).as_posix()
        return f"[{title}]({SITE}/{path}{'#' + place if place else ''})"

    return _LINK.sub(moved, text)


def cells(document: nodes.document, element: str) -> list[str]:
    """What is in the cells of a page: their ``code``, or with ``output`` what they show."""
    name = {"code": "cell_code_source", "output": "cell_code_output"}[element]
    parts = [part for part in document.findall(nodes.Element) if part.get("nb_element") == name]
    return [part.astext().strip() for part in parts]


def python(source: str) -> tuple[str, str]:
    """A cell, and what of it is Python: commands of Jupyter are not. For sphinx_codeautolink."""
    return source, re.sub(r"^[%!].*$", "", source, flags=re.MULTILINE)


def problems(made: nbformat.NotebookNode, document: nodes.document) -> Iterator[str]:
    """What is wrong with a notebook beside its page, a line each.

    Args:
        made: the notebook.
        document: the page, executed.
    """
    code = [cell.source.strip() for cell in made.cells if cell.cell_type == "code"]
    if code != cells(document, "code"):
        yield "the cells of the notebook are not those of the page"
    for output in cells(document, "output"):
        found = _PLACE.search(output)
        if found:
            yield f"an output shows a place on this machine: {output[found.start() :][:60]!r}"


def write(app: Sphinx, document: nodes.document, page: str) -> None:
    """Write the notebook of a tutorial, and the line below the title of the page."""
    if page.partition("/")[0] != FOLDER or app.builder.format != "html":
        return
    source = Path(app.env.doc2path(page))
    logger = logging.getLogger(f"sphinx.{__name__}")
    try:
        made = notebook(source.read_text("utf-8"), source)
    except ValueError as error:
        logger.warning(f"{page}: {error}")
        return
    for line in problems(made, document):
        logger.warning(f"{page}: {line}")
    path = Path(app.outdir, page).with_suffix(".ipynb")
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(made, path)
    link = nodes.reference("", "Download this page as a notebook", refuri=path.name, internal=True)
    title = next(document.findall(nodes.title))
    line = nodes.paragraph("", "", link, nodes.Text("."))
    title.parent.insert(title.parent.index(title) + 1, line)


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("doctree-resolved", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
