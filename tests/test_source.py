"""Rules of the source that no linter knows: what is private, found by name, asked, or hidden."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import equinet
from equinet.field import Space

ROOT = Path(equinet.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
BY_NAME = {"getattr", "hasattr", "setattr", "delattr"}


def private_imports(source: str, package: str) -> Iterator[str]:
    """Names with a leading underscore that are imported from another package of this library."""
    for node in ast.walk(ast.parse(source)):
        path = (node.module or "").split(".") if isinstance(node, ast.ImportFrom) else []
        if path[:1] != ["equinet"] or path[1:2] == [package]:
            continue
        for name in [*path, *(alias.name for alias in node.names)]:
            if name.startswith("_") and not name.endswith("__"):
                yield name


def built_names(source: str, package: str) -> Iterator[str]:
    """Look-ups of attributes by a name that is put together on the spot."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        is_looked_up = isinstance(node.func, ast.Name) and node.func.id in BY_NAME
        if is_looked_up and not isinstance(node.args[1], ast.Constant | ast.Name | ast.Attribute):
            yield ast.unparse(node)


def asked_spaces(source: str, package: str) -> Iterator[str]:
    """Questions for the class of a space, outside of ``field``: each is a line per new space."""
    names = {kind.__name__ for kind in _below(Space)} - {"Space"}
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or ast.unparse(node.func) != "isinstance":
            continue
        wanted = {n.id for n in ast.walk(node.args[1]) if isinstance(n, ast.Name)}
        if package != "field" and wanted & names:
            yield ast.unparse(node)


def own_deprecations(source: str, package: str) -> Iterator[str]:
    """Deprecations that have other words than ``warn_renamed``, which names the successor."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("warn"):
            if "DeprecationWarning" in ast.unparse(node) and package != "numerics":
                yield ast.unparse(node)


def _below(kind: type) -> Iterator[type]:
    yield kind
    for below in kind.__subclasses__():
        yield from _below(below)


def hidden_modules(package: ModuleType) -> Iterator[str]:
    """Modules in whose place their package has something of the same name."""
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(found.name)
        parent, name = found.name.rsplit(".", 1)
        if not isinstance(getattr(importlib.import_module(parent), name), ModuleType):
            yield found.name


def test_no_module_is_hidden_by_a_function_of_its_name(monkeypatch):
    assert not [*hidden_modules(equinet)]
    monkeypatch.setattr(equinet.field, "points", print)
    assert [*hidden_modules(equinet)] == ["equinet.field.points"]


@pytest.mark.parametrize("rule", [private_imports, built_names, asked_spaces, own_deprecations])
def test_the_library_keeps_it(rule):
    found = {file: [*rule(file.read_text(), file.relative_to(ROOT).parts[0])] for file in FILES}
    assert len(FILES) > 100 and not {file: names for file, names in found.items() if names}


@pytest.mark.parametrize(
    "rule, source",
    [
        (private_imports, "from equinet.ops.so3 import (\n    fine,\n    _hidden,\n)"),
        (private_imports, "from equinet._hidden import fine"),
        (built_names, "getattr(self, f'products_{i}')"),
        (built_names, "getattr(nn, 'Conv%dd' % n, None)"),
        (built_names, "getattr(nn, 'Conv' + n)"),
        (built_names, "hasattr(self, 'taps_{}'.format(i))"),
        (asked_spaces, "isinstance(x.space, Sphere)"),
        (asked_spaces, "isinstance(space, Plane | Volume)"),
        (own_deprecations, "warnings.warn('old is new now', DeprecationWarning, stacklevel=2)"),
    ],
)
def test_a_breach_is_seen(rule, source):
    assert [*rule(source, "nn")]


@pytest.mark.parametrize(
    "rule, source",
    [
        (private_imports, "from torch._C import _hidden\nfrom equinet import __version__"),
        (private_imports, "from equinet.nn.conv import _own"),
        (asked_spaces, "isinstance(x, FieldType) and x.space.is_parallel"),
        (built_names, "for name in ('a', 'b'):\n    getattr(self, name)\ngetattr(self, 'a', None)"),
    ],
)
def test_what_is_allowed(rule, source):
    assert not [*rule(source, "nn")]
