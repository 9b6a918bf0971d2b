"""The pages of the documentation to which errors lead are there, and so are their headings."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import equinet as eq
from equinet import convert, models
from equinet import nn as enn
from equinet.numerics.pages import DOCS, explained
from tests.convert.test_se3cnn import layer_of
from tests.over import over
from tests.test_release import HOME, ROOT

PAGE = re.compile(r"[a-z]+/[a-z_]+\.md(#.*)?")


def named(source: str) -> Iterator[str]:
    """Every page that stands in a program as a string."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if PAGE.fullmatch(node.value):
                yield node.value


def unnamed(source: str) -> Iterator[str]:
    """Calls of ``explained`` whose page is put together on the spot, which nobody can look up."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "explained":
            if not isinstance(node.args[1], ast.Constant | ast.Name | ast.Attribute):
                yield ast.unparse(node)


def anchors(text: str) -> set[str]:
    """The places in a page, as GitHub and the built pages call its headings."""
    text = re.sub(r"(?ms)^```.*?^```", "", text)
    headings = re.findall(r"^##? (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_there(page: str) -> bool:
    file, _, place = page.partition("#")
    path = ROOT / "docs" / file
    return path.exists() and (not place or place in anchors(path.read_text("utf-8")))


FILES = [path.read_text("utf-8") for path in Path(eq.__file__).parent.rglob("*.py")]
SOURCES = [source for source in FILES if ".md" in source or "explained(" in source]
PAGES = sorted({page for source in SOURCES for page in named(source)})


@pytest.mark.skipif(not (ROOT / "docs").exists(), reason="not a checkout")
def test_every_page_that_an_error_names_is_there():
    assert len(PAGES) > 8 and all(map(is_there, PAGES)), [p for p in PAGES if not is_there(p)]
    assert not [call for source in SOURCES for call in unnamed(source)]
    assert f"{HOME}/blob/HEAD/docs" == DOCS


def test_what_is_not_there_is_seen():
    assert not is_there("guide/pitfalls.md#strides") and not is_there("guide/pitfall.md")
    assert is_there("guide/from_torch.md#the-names-of-torchnn-and-ours")
    assert [*named("explained('a', 'guide/pitfalls.md#stride')")] == ["guide/pitfalls.md#stride"]
    assert [*unnamed("explained('a', f'guide/{page}.md')")]


def test_a_message_and_its_page():
    said = explained("x: expected 1, got 2", "guide/pitfalls.md#dtype")
    assert said == f"x: expected 1, got 2; see {DOCS}/guide/pitfalls.md#dtype"


PLANE, SPHERE = eq.Plane("SO(2)"), eq.Sphere(8)
X, V, FIVE = PLANE.fields("1x0"), PLANE.fields("2x1"), eq.Plane("C5").fields("2x1")


def _no_kernel():
    layer = layer_of("first")
    layer.kernel()[3, 0, 0, 0, 0] += 1
    return layer


MEETS = {
    "guide/pitfalls.md#stride": lambda: enn.AvgPool(X, 2)(torch.zeros(1, 1, 9, 9)),
    "guide/pitfalls.md#even-kernels": lambda: enn.ConvTranspose2d(X, X, 3, 2, output_padding=1),
    "guide/pitfalls.md#dead-paths": lambda: enn.Linear(X, V),
    "guide/pitfalls.md#dtype": lambda: enn.Linear(V, V)(torch.zeros(1, 4, 3, 3).double()),
    "guide/pitfalls.md#pointwise-functions-on-irreps": lambda: enn.ReLU(V),
    "guide/pitfalls.md#a-checkpoint-of-another-symmetry": lambda: enn.Linear(V, V).load_state_dict(
        enn.Linear(FIVE, FIVE).state_dict()
    ),
    "guide/from_torch.md#2-give-every-feature-map-a-type": lambda: enn.Sequential(
        enn.Conv2d(X, V, 3), enn.Conv2d(X, V, 3)
    ),
    "guide/models.md#weights-in-a-file": lambda: models.load_weights(
        torch.nn.Linear(1, 1), __file__
    ),
    "guide/from_torch.md#the-names-of-torchnn-and-ours": lambda: enn.Sequential(
        enn.Conv2d(X, V, 3), torch.nn.ReLU()
    ),
    "guide/sphere_data.md#your-grid-in-ten-lines": lambda: SPHERE.fields("1x0").check(
        torch.zeros(1, 1, 32, 64)
    ),
    "guide/sphere_data.md#masks-areas-missing-data": lambda: eq.transforms.Sample(
        SPHERE.rings, SPHERE.fields("1x0")
    )(torch.full((1, 1, 16, 16), torch.nan)),
    "guide/from_torch.md#1-name-the-space-and-the-symmetry": lambda: eq.Plane("SO(3)"),
    "guide/from_torch.md#from-a-model-of-yours": lambda: convert.from_torch(
        torch.nn.Linear(5, 5), torch.zeros(1, 1, 5, 5), "C4"
    ),
    "guide/conventions.md#field-types": lambda: PLANE.fields("two vectors"),
    "guide/converters.md#what-has-no-equal": lambda: convert.from_escnn(torch.nn.ReLU()),
    "guide/converters.md#a-filter-is-projected": lambda: convert.from_se3cnn(_no_kernel()),
}


@over("page", MEETS)
def test_what_newcomers_meet(page):
    """Warnings are errors here, so both are caught alike."""
    with pytest.raises((TypeError, ValueError, RuntimeError, UserWarning)) as caught:
        MEETS[page]()
    assert f"; see {DOCS}/{page}" in str(caught.value)
    assert {*MEETS} == {*PAGES}
