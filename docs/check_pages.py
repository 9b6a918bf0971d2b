r"""What the pages need is there: a check of the HTML when it has been built, without a network.

A Sphinx extension, whose warnings are errors under ``-W``. Every script, style and image that a
page names exists beside it, and so does every page that it links to, with the anchor. What the
guide links in the reference leads back to it. Formulas stand where MathJax looks for them; where
there is a Chromium, it draws a few pages, and no formula may be left as it was written.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DRAWN = ("guide/kernels.html", "theory/intertwiners.html", "reference/nn/Conv2d_.html")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_RAW = re.compile(r"\\[(\[]|\\begin\{")
_NO_TEXT = ("script", "style", "code", "pre")
_LOADED = {"script": "src", "img": "src", "source": "src", "link": "href"}
_VOID = ("br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr")


class Page(HTMLParser):
    """What a page loads, where it leads, the places in it, and formulas out of place.

    Args:
        text: the HTML.
        drawn: whether MathJax has been at work, so that formulas may stand nowhere as text.
    """

    def __init__(self, text: str, drawn: bool = False) -> None:
        super().__init__()
        self._places_of_formulas = set() if drawn else {"math"}
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = set()
        self.raw: list[str] = []
        self._open: list[tuple[str, bool]] = []  # elements, and whether formulas may stand there
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        self.places |= {known[name] for name in ("id", "name") if name in known}
        found = known.get(_LOADED.get(tag, ""), "")
        if found and known.get("rel") not in ("canonical", "index", "search", "next", "prev"):
            self.loaded.append(found)
        if tag == "a" and known.get("href"):
            self.links.append(known["href"])
        if tag not in _VOID:
            classes = known.get("class", "").split()
            fits = tag in _NO_TEXT or not self._places_of_formulas.isdisjoint(classes)
            self._open.append((tag, fits or bool(self._open and self._open[-1][1])))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if _RAW.search(data) and not (self._open and self._open[-1][1]):
            self.raw.append(data.strip()[:60])


def problems(folder: Path) -> list[str]:
    """What is wrong with the pages of a folder, a line each.

    Args:
        folder: with all of them, and what they load.
    """
    root = folder.resolve()
    pages = {path: Page(path.read_text("utf-8")) for path in sorted(root.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        name = path.relative_to(root)
        found += [f"{name}: a formula where none is drawn: {text}" for text in page.raw]
        for address in page.loaded:
            if re.match(r"https?:|//", address):
                found.append(f"{name}: loads {address} from the network")
            elif not address.startswith("data:") and not _target(path, address)[0].exists():
                found.append(f"{name}: {address} is missing")
        for address in page.links:
            if re.match(r"[a-z]+:", address):
                continue
            target, place = _target(path, address)
            if not target.exists():
                found.append(f"{name}: leads to {address}, which is missing")
            elif place and target in pages and place not in pages[target].places:
                found.append(f"{name}: leads to {address}, which is no place there")
    return found


def one_way(folder: Path) -> list[str]:
    """Pages of the guide and the theory to which the reference does not lead back.

    Args:
        folder: with all pages.
    """
    root = folder.resolve()
    found = []
    for path in sorted((*root.glob("guide/*.html"), *root.glob("theory/*.html"))):
        for target in sorted(_leads_to(path)):
            is_name = target.parent.parent == root / "reference"
            if is_name and target.exists() and path not in _leads_to(target):
                way = f"{target.relative_to(root)} to {path.relative_to(root)}"
                found.append(f"no link leads back from {way}")
    return found


def _leads_to(page: Path) -> set[Path]:
    links = Page(page.read_text("utf-8")).links
    return {_target(page, link)[0] for link in links if not re.match(r"[a-z]+:", link)}


def _target(page: Path, address: str) -> tuple[Path, str]:
    """The file, without what is asked of it, and the place in it."""
    file, place = urldefrag(address)
    file = unquote(file.partition("?")[0])
    return ((page.parent / file).resolve() if file else page), unquote(place)


def undrawn(folder: Path, browser: str) -> list[str]:
    """Formulas that a browser without a network leaves as they were written.

    Args:
        folder: with the pages.
        browser: the program.
    """
    found = []
    for name in DRAWN:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
        command += ["--virtual-time-budget=20000", "--host-resolver-rules=MAP * ~NOTFOUND"]
        command.append((folder / name).resolve().as_uri())
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if done.returncode:
            found.append(f"{name}: {browser} ended with {done.returncode}")
        elif "<mjx-container" not in done.stdout or "data-mjx-error" in done.stdout:
            found.append(f"{name}: MathJax has drawn nothing, or has found an error")
        else:
            raw = Page(done.stdout, drawn=True).raw
            found += [f"{name}: a formula that is not drawn: {text}" for text in raw]
    return found


def check(app: Sphinx, failed: Exception | None) -> None:
    """Warn of all problems, when the pages have been written."""
    if failed or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    found = problems(folder) + one_way(folder)
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser and not os.environ.get("EQUINET_NO_BROWSER"):
        found += undrawn(folder, browser)
    for line in found:
        logging.getLogger(f"sphinx.{__name__}").warning(line)


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
