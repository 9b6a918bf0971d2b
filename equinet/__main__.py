"""``python -m equinet``: what is installed, and the catalogue of equivariant networks."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from equinet import __version__, doctor
from equinet.ops import status
from equinet.taxonomy import catalogue, table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: of the command line, without the program; those of this process by default.
    Returns:
        The exit status: 0, or 1 if the installation is broken or a row of the catalogue misses its
        bar.
    """
    parser = argparse.ArgumentParser(
        prog="python -m equinet", description="Deep learning on fields with symmetry."
    )
    commands = parser.add_subparsers(dest="command", metavar="command")
    listed = commands.add_parser(
        "catalogue",
        help="the classification of equivariant networks, each with its measured error",
        description="Build one layer of every network of the classification and measure its "
        "equivariance error. Takes half a minute; progress goes to stderr. The status is 1 if an "
        "error misses its bar.",
    )
    listed.add_argument("--json", action="store_true", help="as JSON, with all that is known")
    examined = commands.add_parser(
        "doctor",
        help="what is installed and what serves, with a test of it in two seconds",
        description="Say what is installed, which operators serve and why no others, and on how "
        "many threads; then try a layer, the operators and the transforms. The status is 1 if "
        "something is wrong.",
    )
    examined.add_argument("--json", action="store_true", help="as JSON, for programs")
    chosen = parser.parse_args(arguments)
    if chosen.command == "catalogue":
        return _catalogue(chosen.json)
    if chosen.command == "doctor":
        found = doctor.examine(__version__)
        sys.stdout.write(f"{doctor.as_json(found) if chosen.json else doctor.text(found)}\n")
        return int(not doctor.is_well(found))
    sys.stdout.write("\n".join([*_about(), "", parser.format_help()]))
    return 0


def _about() -> list[str]:
    """What is installed, and what the operators run on, a line each; all on a GPU are checked."""
    return [f"equinet {__version__}", *str(status(check=True)).splitlines()]


def _catalogue(as_json: bool) -> int:
    rows, lines = catalogue(), []
    for number, row in enumerate(rows, 1):
        _progress(f"{number}/{len(rows)} {row.name}")
        lines.append((row, row.measure()))
    _progress("")
    if as_json:
        found = json.dumps([table.data(*line) for line in lines], indent=2)
    else:
        found = table.text(lines)
    sys.stdout.write(f"{found}\n")
    return int(not all(measured.holds for _, measured in lines))


def _progress(line: str) -> None:
    """Replace the line of progress on stderr."""
    sys.stderr.write(f"\r\x1b[K{line}" if sys.stderr.isatty() else f"{line}\n" if line else "")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
