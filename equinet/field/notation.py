"""The string notation of field types, such as "16x0 + 8x1" or "2x A1' + 1x quotient(C4)".

In: strings. Out: blocks. Before: ``space``. Next: ``field_type``.
"""

import re
from collections.abc import Iterable

from equinet.group import Group
from equinet.rep import Representation, named
from equinet.rep.fibre import Block

_MULTIPLICITY = re.compile(r"\s*(\d+)\s*x\s*", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z0-9_;'\"]")
_CLOSING = {"(": ")", "[": "]"}


def parse_blocks(text: str, group: Group) -> tuple[Block, ...]:
    """Blocks from the string notation; multiplicity, "x", name, joined by "+".

    A name has letters, digits, "_", ";" and the primes ' and "; after a bracket ( or [ anything but
    "+" up to the one that closes it.

    Raises:
        ValueError: if the string does not parse; the message names the position.
    """
    blocks, position = [], 0
    for term in text.split("+"):
        where = f"at position {position} of {text!r}"
        start = _MULTIPLICITY.match(term)
        name = term[start.end() :].rstrip() if start else ""
        if start is None or not _is_name(name):
            raise ValueError(
                f"fields: expected terms like '16x0' or '8x regular' joined by '+', got {term!r} "
                f"{where}"
            )
        try:
            blocks.append((int(start[1]), named(group, name)))
        except ValueError as error:
            raise ValueError(f"fields: {where}: {error}") from error
        position += len(term) + 1
    return tuple(blocks)


def format_blocks(blocks: Iterable[Block]) -> str:
    """The string that parses to these blocks: "2x1 + 1x regular".

    A representation that has no name in the notation, such as a tensor product, is shown in <>,
    which does not parse.
    """
    terms = []
    for mul, rho in blocks:
        name = rho.name if _is_name(rho.name) and _says(rho) else f"<{rho.name}>"
        terms.append(f"{mul}x{name}" if name[:1].isdigit() else f"{mul}x {name}")
    return " + ".join(terms)


def _says(rho: Representation) -> bool:
    """Whether the name of ``rho`` stands for ``rho``."""
    try:
        return named(rho.group, rho.name) == rho
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
