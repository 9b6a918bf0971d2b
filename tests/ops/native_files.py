"""Files for the tests of what is compiled: libraries, and caches that hold them."""

import subprocess
from pathlib import Path

import pytest

from equinet.ops.native import cache, compile

FOLDER = compile.source_folder()


def is_there(find) -> bool:
    try:
        return bool(find())
    except compile.BuildError:
        return False


needs_compiler = pytest.mark.skipif(not is_there(compile.find_compiler), reason="no C++ compiler")


def keep(place: Path, content: bytes, name: str = compile.library_name("default")) -> Path:
    """A file in a cache, as ``python -m equinet.build`` puts it there."""
    return cache.keep(place, name, compile.source_hash(FOLDER), content)


def shared_library(folder: Path, source: str) -> bytes:
    """What the compiler makes of one file."""
    path, made = folder / "source.cpp", folder / "made"
    path.write_text(source)
    command = [compile.find_compiler(), "-shared", "-fPIC", str(path), "-o", str(made)]
    subprocess.run(command, check=True)
    return made.read_bytes()
