"""``python -m equinet.build``: compile the operators for an installation that has none.

The files go into the user's cache ($EQUINET_CACHE, or ``equinet`` in ~/.cache), which nobody else
may write, and are found at the next import; nothing is installed anew. What is there already is
not compiled again, unless ``--again`` is given, for another compiler.
EQUINET_BUILD and EQUINET_CUDA are ``require`` (fail where it cannot be compiled), ``auto`` or ``0``
(leave out), by default ``require`` for the CPU and ``auto`` for the GPU.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from equinet.ops.native import cache, compile


def main(arguments: Sequence[str] | None = None) -> int:
    """Compile, say what was compiled and where it is.

    Args:
        arguments: in place of those of the command line.
    Returns:
        1 if something required could not be compiled, else 0.
    """
    parser = argparse.ArgumentParser(prog="python -m equinet.build", description=__doc__)
    parser.add_argument("--again", action="store_true", help="compile what is there already, too")
    again = parser.parse_args(arguments).again
    required = True
    try:
        cpu = compile.setting("EQUINET_BUILD") if os.environ.get("EQUINET_BUILD") else "require"
        cuda = compile.setting("EQUINET_CUDA")
        required = "require" in (cpu, cuda)
        sys.stdout.write(_build(cpu, cuda, again))
    except (compile.BuildError, OSError, ValueError) as error:
        sys.stderr.write(f"equinet: {error}\n")
        return int(required)
    return 0


def _build(cpu: str, cuda: str, again: bool) -> str:
    folder = compile.source_folder()
    sources = compile.source_hash(folder)
    place = cache.make(cache.place(sources))

    def is_there(name: str) -> bool:
        return not again and cache.holds(place, name, sources)

    with tempfile.TemporaryDirectory() as made:
        log = compile.build(folder, Path(made), cpu, cuda, is_there)
        for path in sorted(Path(made).iterdir()):
            if path.name != compile.LOG:
                cache.keep(place, path.name, sources, path.read_bytes())
    return f"{log}\nin {place}\n"


if __name__ == "__main__":
    sys.exit(main())
