"""The string notation of field types, such as "16x0 + 8x1" or "2x A1' + 1x quotient(C4)".

In: strings. Out: blocks.
"""

import re
from collections.abc import Iterable, Iterator

from equinet.group import SO3, Group
from equinet.numerics.pages import explained
from equinet.rep import Irrep, Representation, named
from equinet.rep.fibres import Block

_MULTIPLICITY = re.compile(r"\s*([0-9]{1,18})\s*x\s*", re.ASCII)
_PARITY = re.compile(r"([0-9]+)[eoy]", re.ASCII)  # an irrep of O(3)
_PLAIN = re.compile(r"[A-Za-z0-9_;'\"]")
_CLOSING = {"(": ")", "[": "]"}


def parse_blocks(text: str, group: Group) -> tuple[Block, ...]:
    """Blocks from the string notation; multiplicity, "x", name, joined by "+".

    The strings of e3nn are among them: an irrep without a multiplicity stands once, "1e + 2x0e",
    one with multiplicity 0 is left out, and "1y" is "1o", "2y" is "2e".

    A name has letters, digits, "_", ";" and the primes ' and "; after a bracket ( or [ anything but
    "+" up to the one that closes it.

    Raises:
        ValueError: if the string does not parse; the message names the position.
    """
    if "<" in text or ">" in text:
        raise ValueError(
            "fields: expected names, got a representation in <>, which has none in the notation; "
            f"hand over a list of pairs (multiplicity, representation): {text!r}"
        )
    blocks, position = [], 0
    for term in text.split("+"):
        where = f"at position {position} of {text!r}"
        start = _MULTIPLICITY.match(term)
        mul = int(start[1]) if start else 1
        name = term[start.end() :].rstrip() if start else term.strip()
        if not _is_name(name) or start is None and not _is_irrep(group, name):
            raise ValueError(
                explained(
                    "fields: expected terms like '16x0' or '8x regular' joined by '+', got "
                    f"{term!r} {where}{_hint(group, name)}",
                    "guide/conventions.md#field-types",
                )
            )
        if mul or not _is_irrep(group, name):
            if not mul:
                raise ValueError(f"multiplicity: expected an integer >= 1 {where}, got 0")
            try:
                blocks.append((mul, named(group, name)))
            except ValueError as error:
                raise ValueError(f"fields: {where}: {error}{_hint(group, name)}") from error
        position += len(term) + 1
    if not blocks:
        raise ValueError(f"multiplicity: expected one that is not 0 in {text!r}, got 0")
    return tuple(blocks)


def _hint(group: Group, name: str) -> str:
    """What to do about an irrep of O(3) where the group is SO(3)."""
    match = _PARITY.fullmatch(name) if isinstance(group, SO3) else None
    return f"; over SO(3) it is {match[1]!r}, without a parity, which O(3) has" if match else ""


def _is_irrep(group: Group, name: str) -> bool:
    """Whether an irrep has the name."""
    try:
        return bool(Irrep(group, name))
    except ValueError:
        return False


def format_blocks(blocks: Iterable[Block]) -> str:
    """The string that parses to these blocks: "2x1 + 1x regular".

    A representation that has no name in the notation, such as a tensor product, is shown in <>,
    which does not parse.
    """
    terms = []
    for mul, rho in blocks:
        name = next((name for name in _names(rho) if _says(name, rho)), f"<{rho.name}>")
        terms.append(f"{mul}x{name}" if name[:1].isdigit() else f"{mul}x {name}")
    return " + ".join(terms)


def _names(rho: Representation) -> Iterator[str]:
    """Names that may stand for ``rho``: its own, that of its irrep, and "vector"."""
    yield rho.name
    if rho.irreps and len(rho.irreps) == 1:
        yield rho.irreps[0].name
    if rho.irreps and rho.dim == rho.group.n:
        yield "vector"


def _says(name: str, rho: Representation) -> bool:
    """Whether the name stands for ``rho``."""
    try:
        return _is_name(name) and named(rho.group, name) == rho
    except ValueError:
        return False


def _is_name(name: str) -> bool:
    """Whether brackets match, and outside of them all is of one word."""
    awaited = []  # closing brackets, the innermost last
    for character in name:
        if character in _CLOSING:
            awaited.append(_CLOSING[character])
        elif character in _CLOSING.values():
            if not awaited or awaited.pop() != character:
                return False
        elif not awaited and not _PLAIN.fullmatch(character):
            return False
    return bool(name) and not awaited
