"""The pages: outputs that are sentences are wrapped, cells fit, and no line of the text is lost."""

import importlib.util
import re
from pathlib import Path

import pytest

nodes = pytest.importorskip("docutils.nodes")
ROOT = Path(__file__).parents[1]
COLUMN = 102  # letters, docs/static/equinet.css
MESSAGE = "module 1 (ReLU): expected 4x regular, got 6x regular from Conv2d; put a convolution " * 3
TABLE = "layer        kind         parameters\n" + "-" * 120 + "\nConv2d       Conv2d       17,000"


@pytest.fixture(scope="module")
def outputs():
    spec = importlib.util.spec_from_file_location("outputs", ROOT / "docs" / "outputs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_wrapped(outputs):
    assert outputs.is_sentences(MESSAGE) and outputs.is_sentences(f"error:\n\t{MESSAGE}")
    for text in (TABLE, f"{MESSAGE}\n{'-' * 100}", "x" * outputs.WIDEST_TABLE, "", "\n\n"):
        assert not outputs.is_sentences(text), text


def test_marks_go_to_outputs_only(outputs):
    made, code = (nodes.literal_block("", MESSAGE) for _ in range(2))
    picture, named = nodes.image(uri="a.png"), nodes.image(uri="b.png", alt="a wind")
    document = nodes.container(
        "",
        nodes.container("", code, nb_element="cell_code_source"),
        nodes.container("", made, picture, named, nb_element="cell_code_output"),
    )
    outputs.say(None, document)
    assert made["classes"] == ["sentences"] and code["classes"] == []
    assert picture["alt"] == outputs.PICTURE and named["alt"] == "a wind"


def too_wide(text):
    """Lines of cells that a page scrolls to the side on a wide screen."""
    code = re.findall(r"(?ms)^```(?:\{code-cell\}[^\n]*|python)\n(.*?)^```", text)
    return [line for cell in code for line in cell.splitlines() if len(line) > COLUMN]


def swallowed(text):
    """Lines of the text that begin with the sign of a comment in MyST, and so are not shown."""
    prose = re.sub(r"(?ms)^```.*?^```", "", text)
    return re.findall(r"(?m)^ *%.*$", prose)


def test_no_line_is_taken_for_a_comment():
    for page in (ROOT / "docs").rglob("*.md"):
        assert not swallowed(page.read_text("utf-8")), page
    assert swallowed("wrong are 2\n% of the digits\n```\n%matplotlib\n```\n") == ["% of the digits"]


def test_cells_are_no_wider_than_a_page():
    pages = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    assert len(pages) > 20
    assert [line for page in pages for line in too_wide(page.read_text("utf-8"))] == []
    assert too_wide(f"```{{code-cell}} python3\n{'x' * 103}\n```\n") == ["x" * 103]
