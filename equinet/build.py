"""``python -m equinet.build``: compile the operators for an installation that has none.

The files go into the user's cache and are found at the next import; nothing is installed anew.
EQUINET_BUILD and EQUINET_CUDA are ``require`` (fail where it cannot be compiled), ``auto`` or ``0``
(leave out), by default ``require`` for the CPU and ``auto`` for the GPU.
"""

import os
import sys

from equinet.ops.native import compile


def main() -> int:
    """Compile, say what was compiled and where it is; 1 if something required could not be."""
    folder = compile.source_folder()
    out = compile.cache_folder(folder)
    cpu = compile.setting("EQUINET_BUILD") if os.environ.get("EQUINET_BUILD") else "require"
    try:
        log = compile.build(folder, out, cpu, compile.setting("EQUINET_CUDA"))
    except compile.BuildError as error:
        sys.stderr.write(f"equinet: {error}\n")
        return 1
    sys.stdout.write(f"{log}\nin {out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
