"""The two scripts whose types ``make lint`` checks: what users write, and what they get wrong."""

import ast
import tomllib
from pathlib import Path

from tests.typing import user

ROOT = Path(__file__).parents[1]


def test_the_script_runs():
    user.main()


def test_make_lint_sees_both():
    checked = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pyright"]
    assert "tests/typing" in checked["include"] and checked["typeCheckingMode"] == "standard"


def test_every_mistake_names_its_error():
    """With that comment pyright itself fails where it finds no error."""
    text = (ROOT / "tests/typing/wrong.py").read_text()
    assert text.startswith("# pyright: reportUnnecessaryTypeIgnoreComment=error\n")
    lines = text.splitlines()
    mistakes = next(node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef))
    _, *body = mistakes.body
    assert len(body) > 12
    assert all("# pyright: ignore[report" in lines[mistake.lineno - 1] for mistake in body)
