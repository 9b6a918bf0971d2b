"""Links to the documentation of Python, torch and matplotlib, made without a network.

A text file in ``inventories/`` for each of them: its name and its address, then a line for each
name that pages mention: the role, the name and the page, on which the anchor is the name again
unless the line has another. ``mapping`` compiles them into what intersphinx reads.
"""

from __future__ import annotations

import zlib
from pathlib import Path

FOLDER = Path(__file__).parent / "inventories"
_HEAD = (
    "# Sphinx inventory version 2\n# Project: {name}\n# Version: \n"
    "# The remainder of this file is compressed using zlib.\n"
)

Entry = tuple[str, str, str]  # role, name, address below that of the documentation


def read(path: Path) -> tuple[str, str, list[Entry]]:
    """The name of a project, its address, and its entries.

    Args:
        path: of the text.
    """
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    name, address = head.removeprefix("# ").split()
    entries = []
    for line in lines:
        role, entry, page = line.split()
        entries.append((role, entry, page if "#" in page else f"{page}#{entry}"))
    return name, address, entries


def compiled(name: str, entries: list[Entry]) -> bytes:
    """What Sphinx calls ``objects.inv``.

    Args:
        name: of the project.
        entries: what ``read`` returns.
    """
    text = "".join(f"{entry} py:{role} 1 {uri} -\n" for role, entry, uri in entries)
    return _HEAD.format(name=name).encode() + zlib.compress(text.encode())


def mapping(folder: Path) -> dict[str, tuple[str, str]]:
    """What ``intersphinx_mapping`` has to be.

    Args:
        folder: where the compiled inventories go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for path in sorted(FOLDER.glob("*.txt")):
        name, address, entries = read(path)
        inventory = folder / f"{path.stem}.inv"
        inventory.write_bytes(compiled(name, entries))
        found[path.stem] = (address, str(inventory))
    return found
