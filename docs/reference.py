"""The pages of the reference: one for each package, one for each public name, from ``__all__``.

A Sphinx extension. They are written before Sphinx reads the pages, into ``reference/``, and a page
whose name is gone is removed.
"""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from sphinx.application import Sphinx

FOLDER = Path(__file__).parent / "reference"
# In the order of the house, from what users touch first.
PACKAGES = (
    *("field", "nn", "group", "rep", "steerable", "harmonics", "transforms", "models", "convert"),
    *("testing", "learning", "plot", "taxonomy", "numerics", "ops"),
)


def names(package: ModuleType) -> list[str]:
    """The public names of a package that are no modules."""
    return [name for name in package.__all__ if not inspect.ismodule(getattr(package, name))]


def pages() -> dict[str, str]:
    """The text of every page, by its path below ``reference/``."""
    found = {}
    for short in PACKAGES:
        package = importlib.import_module(f"equinet.{short}")
        found[f"{short}.rst"] = _package_page(short, package)
        for name in names(package):
            found[f"{short}/{_file(name)}.rst"] = _page(f"equinet.{short}", package, name)
    return found


def _file(name: str) -> str:
    """Some file systems do not tell ``wigner_D`` from ``wigner_d``."""
    return name if name.islower() else name + "_" * sum(letter.isupper() for letter in name)


def _package_page(short: str, package: ModuleType) -> str:
    kinds: dict[str, list[str]] = {"Classes": [], "Functions": [], "Constants and types": []}
    for name in names(package):
        kinds[_kind(getattr(package, name))].append(name)
    lines = [f"equinet.{short}", "=" * (8 + len(short)), ""]
    lines += [f".. automodule:: equinet.{short}", "   :no-members:", "   :no-index:", ""]
    for kind, members in kinds.items():
        if not members:
            continue
        lines += [kind, "-" * len(kind), "", ".. list-table::", "   :widths: 30 70", ""]
        for name in sorted(members, key=str.lower):
            lines.append(f"   * - :doc:`{name} <{short}/{_file(name)}>`")
            lines.append(f"     - {_first_sentence(getattr(package, name))}")
        lines.append("")
    return "\n".join(lines) + "\n"


def _page(package: str, module: ModuleType, name: str) -> str:
    value = getattr(module, name)
    directive = {"Classes": "autoclass", "Functions": "autofunction"}.get(_kind(value), "autodata")
    # In no toctree: the sidebar of every page would have every name, and take most of the time.
    lines = [":orphan:", "", name, "=" * len(name), "", f".. currentmodule:: {package}", ""]
    lines += [f"Part of :doc:`{package} <../{package.removeprefix('equinet.')}>`.", ""]
    lines.append(f".. {directive}:: {name}")
    if directive == "autoclass":
        lines.append("   :members:")
    lines += ["", ".. autolink-examples:: " + f"{package}.{name}", "   :collapse:", ""]
    equations = _equations(value)
    if equations:
        lines += ["", "Equations", "---------", "", equations]
    return "\n".join(lines) + "\n"


def _equations(value: object) -> str:
    """What the file says that defines it, if that has formulas; without its place in the house."""
    module = inspect.getmodule(value)
    text = inspect.getdoc(module) or "" if module is not None else ""
    if ".. math::" not in text:
        return ""
    return "\n\n".join(part for part in text.split("\n\n") if not part.startswith("In: "))


def _kind(value: object) -> str:
    if inspect.isclass(value):
        return "Classes"
    return "Functions" if callable(value) and hasattr(value, "__name__") else "Constants and types"


def _first_sentence(value: object) -> str:
    if _kind(value) == "Constants and types":
        return ""
    text = (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ")
    return text


def write(app: Sphinx | None = None) -> None:
    """Write what has changed, and remove what is no page any more."""
    wanted = pages()
    for path in FOLDER.rglob("*.rst"):
        if str(path.relative_to(FOLDER)) not in wanted:
            path.unlink()
    for name, text in wanted.items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def skip(app: Sphinx, what: str, name: str, value: object, skipped: bool, options: object) -> bool:
    """Leave out what is torch's: the function that a convolution calls."""
    return skipped or (getattr(value, "__module__", None) or "").startswith("torch")


def without_torch(
    app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    """Leave out what a ``forward`` without words of its own has from ``torch.nn.Module``."""
    if lines == inspect.cleandoc(torch.nn.Module.forward.__doc__ or "").splitlines() + [""]:
        lines.clear()


def without_empty_sources(app: Sphinx) -> list:
    """Leave modules without a source, such as that of ``tuple``, out of the list of sources.

    An alias of a type is found in the module of the type, and viewcode lists what it cannot show.
    """
    listed = getattr(app.env, "_viewcode_modules", {})
    for name in [name for name, source in listed.items() if not source]:
        del listed[name]
    return []


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("html-collect-pages", without_empty_sources, priority=0)  # before viewcode
    app.connect("builder-inited", write)
    app.connect("autodoc-process-docstring", without_torch, priority=0)  # before napoleon
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True}
