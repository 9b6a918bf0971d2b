"""Text of a network: calls in calls, on lines that are short enough.

In: ``Call``. Out: lines of Python, laid out as formatters do it.
"""

from __future__ import annotations

from dataclasses import dataclass

WIDTH = 100


@dataclass(frozen=True)
class Call:
    """A call of a class, and what a comment says of it.

    Attributes:
        head: the name of the class.
        parts: its arguments, calls or text.
        comment: behind or above it.
    """

    head: str
    parts: tuple[Call | str, ...]
    comment: str = ""

    def flat(self) -> str:
        """All on one line, without comments."""
        parts = [part if isinstance(part, str) else part.flat() for part in self.parts]
        return f"{self.head}({', '.join(parts)})"

    def has_comments(self) -> bool:
        """Whether there is a comment inside."""
        inner = [part for part in self.parts if isinstance(part, Call)]
        return any(part.comment or part.has_comments() for part in inner)


def quoted(text: str) -> str:
    """A string of Python, in double quotes if it can be."""
    return repr(text) if '"' in text or "\\" in text else f'"{text}"'


def laid_out(call: Call, indent: int, before: str = "", after: str = "") -> list[str]:
    """The lines of a call.

    Args:
        call: the call.
        indent: spaces before its first and its last line.
        before: text in front of it, such as "return ".
        after: text behind it, such as ",".
    Returns:
        Lines of at most 100 characters, as far as names allow.
    """
    start = " " * indent
    comment = f"  # {call.comment}" if call.comment else ""
    above = [] if not call.comment else [f"{start}# {call.comment}"]
    line = f"{start}{before}{call.flat()}{after}"
    if not call.has_comments():
        if len(line + comment) <= WIDTH:
            return [line + comment]
        if len(line) <= WIDTH:
            return [*above, line]
    inner = indent + 4
    parts = [part.flat() if isinstance(part, Call) else part for part in call.parts]
    row = " " * inner + ", ".join(parts)
    opening, closing = f"{start}{before}{call.head}(", f"{start}){after}"
    if not call.has_comments() and len(row) <= WIDTH and len(parts) > 1:
        return [*above, opening, row, closing]
    lines: list[str] = []
    tail = "," if len(call.parts) > 1 else ""
    for part in call.parts:
        part = part if isinstance(part, Call) else None or part
        if isinstance(part, str):
            lines.append(" " * inner + part + tail)
        else:
            lines += laid_out(part, inner, "", tail)
    return [*above, opening, *lines, closing]
