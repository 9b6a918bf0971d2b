"""``python -m equinet.build``: compile the operators for an installation that has none.

The files go into the user's cache ($EQUINET_CACHE, or ``equinet`` in ~/.cache), which nobody else
may write, and are found at the next import; nothing is installed anew.
EQUINET_BUILD and EQUINET_CUDA are ``require`` (fail where it cannot be compiled), ``auto`` or ``0``
(leave out), by default ``require`` for the CPU and ``auto`` for the GPU.
"""

import os
import sys
import tempfile
from pathlib import Path

from equinet.ops.native import cache, compile


def main() -> int:
    """Compile, say what was compiled and where it is; 1 if something required could not be."""
    required = True
    try:
        cpu = compile.setting("EQUINET_BUILD") if os.environ.get("EQUINET_BUILD") else "require"
        cuda = compile.setting("EQUINET_CUDA")
        required = "require" in (cpu, cuda)
        sys.stdout.write(_build(cpu, cuda))
    except (compile.BuildError, OSError, ValueError) as error:
        sys.stderr.write(f"equinet: {error}\n")
        return int(required)
    return 0


def _build(cpu: str, cuda: str) -> str:
    folder = compile.source_folder()
    sources = compile.source_hash(folder)
    place = cache.make(cache.place(sources))
    with tempfile.TemporaryDirectory() as made:
        log = compile.build(folder, Path(made), cpu, cuda)
        for path in sorted(Path(made).iterdir()):
            if path.name != compile.LOG:
                cache.keep(place, path.name, sources, path.read_bytes())
    return f"{log}\nin {place}\n"


if __name__ == "__main__":
    sys.exit(main())
