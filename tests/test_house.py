"""The rules of the house that a machine can watch."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import equinet
from equinet import field
from equinet.field import Space

ROOT = Path(equinet.__file__).parent
SPACES = {
    name
    for module in (field, importlib.import_module("equinet.field.points"))
    for name, value in vars(module).items()
    if isinstance(value, type) and issubclass(value, Space)
} | {"Grid", "Space"}


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Every file of the library, by its path below the package."""
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def hidden(package: ModuleType) -> list[str]:
    """The modules in whose place their package has something of the same name."""
    return [
        found.name
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if not isinstance(_attribute(found.name), ModuleType)
    ]


def _attribute(name: str) -> object:
    importlib.import_module(name)
    package, module = name.rsplit(".", 1)
    return getattr(importlib.import_module(package), module)


def test_no_module_is_hidden_by_a_function_of_its_name(monkeypatch):
    assert not hidden(equinet)
    monkeypatch.setattr(equinet.field, "points", print)
    assert hidden(equinet) == ["equinet.field.points"]


def asks_for_spaces(tree: ast.Module) -> list[str]:
    """What is asked with isinstance for the class of a space."""
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "isinstance"
        and SPACES & {n.id for n in ast.walk(node.args[1]) if isinstance(n, ast.Name)}
    ]


def test_spaces_are_asked_what_they_can_and_not_what_they_are():
    """A new space, or a new sampling of one, then needs no line outside of ``field``."""
    found = {
        name: asked
        for name, tree in sources()
        if not name.startswith("field/") and (asked := asks_for_spaces(tree))
    }
    assert sum(map(len, found.values())) <= 5, found
    assert asks_for_spaces(ast.parse("isinstance(x.space, Sphere | field.Plane)"))
    assert not asks_for_spaces(ast.parse("isinstance(x, FieldType)"))
