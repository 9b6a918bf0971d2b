"""Rules of the source that no linter knows: what is private, and what is found by name."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import equinet

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


@pytest.mark.parametrize("rule", [private_imports, built_names])
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
    ],
)
def test_a_breach_is_seen(rule, source):
    assert [*rule(source, "nn")]


@pytest.mark.parametrize(
    "rule, source",
    [
        (private_imports, "from torch._C import _hidden\nfrom equinet import __version__"),
        (private_imports, "from equinet.nn.conv import _own"),
        (built_names, "for name in ('a', 'b'):\n    getattr(self, name)\ngetattr(self, 'a', None)"),
    ],
)
def test_what_is_allowed(rule, source):
    assert not [*rule(source, "nn")]
