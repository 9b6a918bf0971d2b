"""The extensions that build the pages: links to other projects, numbered equations, the check."""

import builtins
import importlib
import re
import zlib
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def extension(monkeypatch):
    """Imports one that lies beside the pages."""
    monkeypatch.syspath_prepend(str(DOCS))
    return importlib.import_module


# --- links to other projects ---------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted((DOCS / "inventories").glob("*.txt")), ids=lambda p: p.stem)
def test_the_names_that_are_linked_exist(extension, path):
    """Each is importable, so none is mistyped, and stands in what is compiled."""
    inventories = extension("inventories")
    name, address, entries = inventories.read(path)
    assert address.startswith("https://") and len(entries) == len(set(entries)) > 1
    head, text = inventories.compiled(name, entries).split(b"using zlib.\n")
    assert head.startswith(b"# Sphinx inventory version 2\n")
    assert zlib.decompress(text).decode().splitlines()[0].startswith(f"{entries[0][1]} py:")
    for _, entry, uri in entries:
        assert _exists(entry), entry
        assert re.fullmatch(r"[\w./-]+\.html#[\w.]+", uri), uri
    assert not _exists("torch.nn.Conv4d")


def _exists(entry: str) -> bool:
    if hasattr(builtins, entry):
        return True
    module, *rest = entry.split(".")
    value = importlib.import_module(module)
    for part in rest:
        if not hasattr(value, part):
            try:
                importlib.import_module(f"{value.__name__}.{part}")
            except ModuleNotFoundError:
                return False
        value = getattr(value, part)
    return True


# --- equations -----------------------------------------------------------------------------------


def test_a_number_leads_to_its_equation(extension):
    nodes = pytest.importorskip("docutils.nodes")
    utils = importlib.import_module("docutils.utils")
    equations = extension("equations")
    page = utils.new_document("page")
    page += nodes.math_block("", r"a = b    \quad (W4)")
    page += nodes.math_block("", "c \\\\ d")
    page += nodes.paragraph(
        "", "", nodes.Text("By (W4), (T3) and (C8), not "), nodes.literal("", "(W4)")
    )
    assert equations.label(page) == {"W4"}
    targets = {"T3": "theory/fields.html#equation-t3", "W4": "#equation-w4"}
    equations.link(page, targets)
    stated, without = page.findall(nodes.math_block)
    assert stated["ids"] == ["equation-w4"] and stated.astext() == r"\[a = b    \tag{W4}\]"
    assert not without["ids"] and without.astext() == "c \\\\ d"
    links = {link.astext(): link["refuri"] for link in page.findall(nodes.reference)}
    assert links == {"(W4)": "#equation-w4", "(T3)": "theory/fields.html#equation-t3"}
    assert page.astext().endswith("By (W4), (T3) and (C8), not (W4)")
    assert equations.in_theory()["T3"] == "theory/intertwiners"


# --- the check of what has been built ------------------------------------------------------------

GOOD = r"""<html><head><link rel="stylesheet" href="_static/style.css?v=1">
<script src="_static/draw.js"></script></head><body id="top">
<div class="math notranslate"><span>\[x\]</span></div><code>\(y\)</code><p>1 < 2 <br> 3</p>
<img src="a%20b.png"><a href="other.html#there">there</a><a href="#top">top</a>
<a href="https://docs.python.org">Python</a></body></html>"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "_static").mkdir()
    for name in ("_static/style.css", "_static/draw.js", "a b.png"):
        (tmp_path / name).write_text("")
    (tmp_path / "other.html").write_text('<p id="there">Here.</p>')
    return tmp_path


def test_a_whole_page_passes(extension, folder):
    (folder / "page.html").write_text(GOOD)
    check_pages = extension("check_pages")
    assert check_pages.problems(folder) == []
    assert check_pages.Page(GOOD).raw == []
    assert check_pages.Page(GOOD, drawn=True).raw == [r"\[x\]"]


@pytest.mark.parametrize(
    ("whole", "broken", "said"),
    [
        ("draw.js", "gone.js", "_static/gone.js is missing"),
        ("style.css", "gone.css", "_static/gone.css?v=1 is missing"),
        ("a%20b.png", "a.png", "a.png is missing"),
        ("_static/draw.js", "https://cdn.org/draw.js", "loads https://cdn.org/draw.js"),
        ('class="math notranslate"', 'class="box"', r"a formula where none is drawn: \[x\]"),
        ("other.html", "another.html", "another.html#there, which is missing"),
        ("#there", "#nowhere", "other.html#nowhere, which is no place there"),
        ('"#top"', '"#bottom"', "#bottom, which is no place there"),
    ],
)
def test_a_broken_page_is_found(extension, folder, whole, broken, said):
    (folder / "page.html").write_text(GOOD.replace(whole, broken))
    (found,) = extension("check_pages").problems(folder)
    assert found.startswith("page.html: ") and said in found


def test_the_reference_leads_back_to_the_guide(extension, tmp_path):
    for name in ("guide", "reference/nn"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "guide/first.html").write_text('<a href="../reference/nn/relu.html#x">ReLU</a>')
    page = tmp_path / "reference/nn/relu.html"
    page.write_text('<a href="../../guide/first.html">first</a>')
    one_way = extension("check_pages").one_way
    assert one_way(tmp_path) == []
    page.write_text('<a href="../../guide/second.html">second</a>')
    assert one_way(tmp_path) == [
        "no link leads back from reference/nn/relu.html to guide/first.html"
    ]


def test_the_pages_that_are_drawn_exist(extension):
    """Their sources do: one of the guide, of the theory and of the reference."""
    pages = extension("reference").pages()
    for name in extension("check_pages").DRAWN:
        source = name.removesuffix(".html")
        assert (
            DOCS / f"{source}.md"
        ).exists() or f"{source.removeprefix('reference/')}.rst" in pages


def test_every_page_of_the_reference_leads_to_its_package_and_examples(extension):
    """And the package to each; the links of cells and the way back are made of these examples."""
    pages = extension("reference").pages()
    for path, text in pages.items():
        short, _, name = path.partition("/")
        if name:
            assert text.startswith(":orphan:") and f":doc:`equinet.{short} <../{short}>`" in text
            assert f".. autolink-examples:: equinet.{short}." in text
            assert f"<{path.removesuffix('.rst')}>`" in pages[f"{short}.rst"]
