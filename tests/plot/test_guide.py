"""The cells of the guide run, one after the other, as they do when Sphinx builds the pages."""

import re
from pathlib import Path

import matplotlib
import pytest
import torch

PAGES = sorted((Path(__file__).parents[2] / "docs" / "guide").glob("*.md"))
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
            names["plt"].close("all")
    finally:
        default_dtype(before)  # pages set it for their reader


def test_there_is_a_guide():
    assert "kernels" in {page.stem for page in PAGES}
