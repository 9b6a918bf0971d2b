"""The cells of the guide run, one after the other, as they do when Sphinx builds the pages."""

import re
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted((DOCS / "guide").glob("*.md"))
CELL = re.compile(r"^```\{code-cell\} python3\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_cell_runs(page, default_dtype):
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
    listed = re.findall(r"^guide/(\w+)$", (DOCS / "index.md").read_text(), re.MULTILINE)
    assert sorted(listed) == [page.stem for page in PAGES]
    assert "kernels" in listed


def test_the_pages_that_are_linked_exist():
    for page in PAGES:
        for target in re.findall(r"\]\((\w+\.md)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links {target}"
