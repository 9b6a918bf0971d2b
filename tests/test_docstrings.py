"""What the docstring of every public function, class and method says.

Two or more arguments have ``Args:``, with every one of them; what is returned has ``Returns:``,
``Yields:`` or ``Shape:``; who raises by himself has ``Raises:``. A constructor is described by its
class, the fields of a dataclass by ``Attributes:`` too, also of a base, and an overriding method
without words by those of the method that it overrides.
"""

import ast
import importlib
import inspect
import pkgutil
import re
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterator

import pytest

import equinet

PACKAGES = sorted(module.name for module in pkgutil.iter_modules(equinet.__path__) if module.ispkg)
SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Shape|Raises):$", re.MULTILINE)


def described(package: str) -> Iterator[tuple[str, str, Callable, bool]]:
    """Name, docstring, function, and whether it is a constructor, of all there is to describe."""
    module = importlib.import_module(f"equinet.{package}")
    for name in module.__all__:
        value = inspect.unwrap(getattr(module, name))
        if inspect.isfunction(value):
            yield name, inspect.getdoc(value) or "", value, False
        elif inspect.isclass(value):
            yield from described_by(value)


def described_by(kind: type) -> Iterator[tuple[str, str, Callable, bool]]:
    """The constructor of a class, and the public methods that it defines."""
    for name, attribute in vars(kind).items():
        own = attribute.__func__ if isinstance(attribute, classmethod | staticmethod) else attribute
        own = inspect.unwrap(own) if callable(own) else own
        if not inspect.isfunction(own):
            continue
        if name == "__init__":
            bases = [base for base in kind.__mro__ if base.__module__.startswith("equinet.")]
            words = "\n\n".join(inspect.getdoc(base) or "" for base in bases)
            if not getattr(kind, "_is_protocol", False):  # of which nobody makes one
                yield kind.__name__, words, own, True
        elif name == "__call__" or not name.startswith("_"):
            words = inspect.getdoc(getattr(kind, name)) or ""
            if name == "forward":  # the class may describe what goes in and out
                words += f"\n\n{inspect.getdoc(kind)}"
            yield f"{kind.__name__}.{name}", words, own, False


def lacking(words: str, function: Callable, is_constructor: bool = False) -> list[str]:
    """What the docstring of a function ought to say and does not."""
    sections = sections_of(words)
    signature = inspect.signature(function)
    arguments = [name for name in signature.parameters if name not in ("self", "cls")]
    lack = []
    if len(arguments) > 1:
        named = sections.get("Args", "") + sections.get("Attributes", "")
        lack += [
            f"Args: {name}"
            for name in arguments
            if not re.search(rf"^ +(\w+, )*\*{{0,2}}{name}(, \*{{0,2}}\w+)*:", named, re.MULTILINE)
        ]
        returns = signature.return_annotation not in (None, "None")
        if returns and not is_constructor and not sections.keys() & {"Returns", "Yields", "Shape"}:
            lack.append("Returns")
    if raises(function) and "Raises" not in sections:
        lack.append("Raises")
    return lack


def sections_of(words: str) -> dict[str, str]:
    """The text of each section by its title."""
    _, *parts = SECTION.split(words)
    sections = defaultdict(str)
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        sections[title] += text
    return sections


def raises(function: Callable) -> bool:
    """Does the function itself raise? What it calls does not count, nor does a function in it."""
    if function.__code__.co_filename == "<string>":  # what @dataclass has written
        return False
    body = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0].body
    return any(isinstance(node, ast.Raise) and node.exc for node in statements(body))


def statements(nodes: list[ast.AST]) -> Iterator[ast.AST]:
    for node in nodes:
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            yield node
            yield from statements(list(ast.iter_child_nodes(node)))


def lack_of(package: str) -> list[str]:
    return [
        f"{name}: {what}"
        for name, words, function, is_constructor in described(package)
        for what in lacking(words, function, is_constructor)
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_public_things_say_what_they_take_and_give(package):
    assert not lack_of(package)


# --- the control: each lack is found, and what says it in another way is let through ------------


def whole(x: int, *rest: int, **more: int) -> int:
    """Say all.

    Args:
        x, *rest: numbers.
        **more: others.
    Returns:
        A number.
    Raises:
        ValueError: always.
    """
    raise ValueError


def silent(x: int, y: int) -> int:
    """Say nothing: x, y."""
    if x > y:
        raise ValueError("x: expected less")
    return x


def half(x: int, y: int) -> None:
    """Leave one out, and raise only in a function of its own.

    Args:
        x: a number.
    Returns:
        y: is no argument here.
    """

    def inner() -> None:
        raise ValueError


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (whole, []),
        (silent, ["Args: x", "Args: y", "Returns", "Raises"]),
        (half, ["Args: y"]),
    ],
)
def test_a_lack_is_found(function, expected):
    assert lacking(inspect.getdoc(function), function) == expected


def test_what_is_public_is_described():
    """Functions, constructors, methods and what is cached are all looked at."""
    names = {name for name, *_ in described("learning")}
    assert {"exponent", "Ensemble", "Ensemble.variance", "Gaussian.__call__"} <= names
    assert "StereographicProjection.forward" in {name for name, *_ in described("transforms")}
    assert "cyclic" in {name for name, *_ in described("group")}
    assert not any(name.startswith("_") for name in names)
