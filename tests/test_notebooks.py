"""The notebooks of the tutorials: what is in them, and what a page may not have.

That their cells run, the pages show, whose cells they are: ``make docs`` executes these.
"""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("myst_nb")
ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
PAGE = ROOT / "docs" / "tutorials" / "page.md"
HEAD = "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n  display_name: Python 3\n---\n\n"


@pytest.fixture(scope="module")
def notebooks():
    spec = importlib.util.spec_from_file_location("notebooks", ROOT / "docs" / "notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_tutorial_is_a_notebook(notebooks):
    assert PAGES
    for page in PAGES:
        text = page.read_text()
        made = notebooks.notebook(text, page)
        code = [cell for cell in made.cells if cell.cell_type == "code"]
        assert len(code) == text.count("```{code-cell}") > 3
        assert not any(cell.outputs for cell in code)
        assert made == notebooks.notebook(text, page)  # the same file each time


def test_links_lead_there_from_anywhere(notebooks):
    text = "[a](../guide/unet.md#ways-up), [b](#here), [c](https://pytorch.org)"
    (cell,) = notebooks.notebook(f"{HEAD}{text}\n", PAGE).cells
    home = "https://github.com/equinet/equinet/blob/HEAD/docs"
    assert cell.source == f"[a]({home}/guide/unet.md#ways-up), b, [c](https://pytorch.org)"


@pytest.mark.parametrize(
    "text, named",
    [
        ("{py:class}`equinet.nn.Gate`", "{py:class}`"),
        ("```{note}\nno\n```", "```{"),
        ("(place)=\n\ntext", "(place)="),
        (":::{tip}\nno\n:::", ":::"),
        ("[gone](../guide/nowhere.md)", "nowhere.md"),
    ],
)
def test_what_jupyter_cannot_show_is_refused(notebooks, text, named):
    with pytest.raises(ValueError) as error:
        notebooks.plain(text, PAGE)
    assert named in str(error.value)
    for fine in ("`{name: 1}`", "$x^{n}$ and `code`", "```python\nx = {1}\n```", "(a) = b"):
        assert notebooks.plain(fine, PAGE) == fine
