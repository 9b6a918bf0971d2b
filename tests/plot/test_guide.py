"""The guide and the theory: their cells, links, tables, and the numbers of their equations."""

import importlib
import inspect
import re
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch

from equinet import nn

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*/*.md"))
CELL = re.compile(r"^```\{code-cell\} python3\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NUMBER = r"[A-Z]\d+"  # of an equation: a letter for the room, as in (T3)

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
theory = [page for page in PAGES if page.parent.name == "theory"]
every_theory_page = pytest.mark.parametrize("page", theory, ids=lambda page: page.stem)


@pytest.mark.slow
@every_page
def test_every_cell_runs(page, default_dtype):
    """One after the other, as when Sphinx builds them, which the gate does in ``make docs``."""
    before = torch.get_default_dtype()
    text = page.read_text()
    cells = CELL.findall(text)
    assert len(cells) == text.count("{code-cell}") > 0
    names: dict = {}
    try:
        with matplotlib.rc_context():
            matplotlib.use("Agg")
            for number, cell in enumerate(cells):
                exec(compile(cell, f"{page.name}, cell {number}", "exec"), names)
    finally:
        plt.close("all")
        default_dtype(before)  # pages set it for their reader


def test_the_index_has_every_page():
    listed = re.findall(r"^(\w+/\w+)$", (DOCS / "index.md").read_text(), re.MULTILINE)
    assert sorted(listed) == [f"{page.parent.name}/{page.stem}" for page in PAGES]
    assert {"guide/kernels", "theory/fields"} <= set(listed)


def test_every_public_name_has_a_page_of_the_reference(monkeypatch):
    """Of every package, and no two pages fall together where file names ignore case."""
    monkeypatch.syspath_prepend(str(DOCS))
    reference = importlib.import_module("reference")
    packages = {path.parent.name for path in (ROOT / "equinet").glob("*/__init__.py")}
    assert set(reference.PACKAGES) == packages
    pages = reference.pages()
    assert len({path.lower() for path in pages}) == len(pages)
    listed = re.findall(r"^reference/(\w+)$", (DOCS / "reference.md").read_text(), re.MULTILINE)
    assert listed == list(reference.PACKAGES)
    for short in packages:
        package = importlib.import_module(f"equinet.{short}")
        modules = {name for name in package.__all__ if inspect.ismodule(getattr(package, name))}
        described = {
            re.search(r"auto\w+:: (\w+)", text)[1]  # pyright: ignore[reportOptionalSubscript]
            for path, text in pages.items()
            if path.startswith(f"{short}/")
        }
        assert described == {*package.__all__} - modules, short
    # The control: a function of a package that is not in its list has no page.
    assert hasattr(importlib.import_module("equinet.numerics.turn"), "turn_degrees")
    assert "numerics/turn_degrees.rst" not in pages and "numerics/soft_angles.rst" in pages


def test_the_pages_that_are_linked_exist():
    for page in PAGES:
        for target in re.findall(r"\]\(([\w./]+\.md)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links {target}"


@every_page
def test_a_page_with_pictures_names_the_extra(page):
    """Before its first cell, which would fail without it."""
    head, *cells = page.read_text().split("```{code-cell}")
    needed = any("matplotlib" in cell or "import plot" in cell for cell in cells)
    named = re.search(r'`pip install "\.\[([\w,]+)\]"`', head)
    assert (
        named is not None and not {"plot", "examples"}.isdisjoint(named[1].split(","))
    ) == needed


def test_the_layers_of_torch_have_a_line_in_the_table():
    """Each of torch's families stands in the first column, and ours in the second exist."""
    text = (DOCS / "guide/from_torch.md").read_text()
    rows = [line.split("|")[1:4] for line in text.splitlines() if line.startswith("| ")]
    theirs = {name for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    kinds = [kind for kind in vars(torch.nn).values() if isinstance(kind, type)]
    public = {kind.__name__ for kind in kinds if issubclass(kind, torch.nn.Module)}
    families = {re.sub(r"([123]d|2d)$", "", name.removeprefix("Lazy")) for name in public}
    assert {name for name in families if not name.endswith("Loss")} <= theirs
    ours = {name for row in rows for name in re.findall(r"`([A-Z]\w+)[`(]", row[1])}
    assert {"Dropout", "Gate", "Pointwise"} <= ours <= set(nn.__all__)


# --- equations have the numbers that they have in the code --------------------------------------


def found_in_code(pattern: str) -> set[str]:
    files = (ROOT / "equinet").rglob("*.py")
    return {number for file in files for number in re.findall(pattern, file.read_text())}


def numbers_in_code() -> set[str]:
    """Numbers of the equations that are stated there, at the end of a formula."""
    return found_in_code(rf"\\quad\s*\(({NUMBER})\)")


def numbers_on(page: Path) -> list[str]:
    return re.findall(rf"\\tag\{{({NUMBER})\}}", page.read_text())


@every_theory_page
def test_every_equation_has_a_number_of_the_code(page):
    text = CELL.sub("", page.read_text())
    displayed = re.findall(r"^\\begin\{(\w+\*?)\}(.*?)^\\end", text, re.DOTALL | re.MULTILINE)
    assert displayed and "$$" not in text and "\\[" not in text
    for environment, equation in displayed:
        assert environment == "align*", f"{equation} would be numbered by Sphinx"
        # A line without a number goes on in the next one.
        assert re.search(rf"\\tag\{{{NUMBER}\}}\s*$", equation), equation
    assert set(numbers_on(page)) <= numbers_in_code()


def test_the_theory_in_the_code_is_on_the_pages():
    rooms = r"T\d+|M\d+|H[2-4]"  # kernels, fields, and what groups need for them
    stated = {number for number in numbers_in_code() if re.fullmatch(rooms, number)}
    assert {"H2", "H3", "M1", "M7", "T1", "T6"} <= stated
    assert stated == found_in_code(rf"\(({rooms})\)")  # nor is one mentioned that is not stated
    assert stated == {n for page in theory for n in numbers_on(page) if re.fullmatch(rooms, n)}


def test_a_number_is_stated_once_on_the_pages():
    numbers = [number for page in theory for number in numbers_on(page)]
    assert len(numbers) == len(set(numbers))


@every_theory_page
def test_numbers_that_the_text_mentions_are_stated(page):
    text = CELL.sub("", page.read_text())
    mentioned = set(re.findall(rf"\(({NUMBER})\)", text))
    assert mentioned <= {number for other in theory for number in numbers_on(other)}
