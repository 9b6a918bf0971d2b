"""The program of a skeleton: layers in rows, sums as residual blocks, the rest as a ``forward``.

In: steps and their partners. Out: the text of a module of Python.
"""

from __future__ import annotations

import keyword
import re
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from equinet.convert.skeleton.code import WIDTH, Call, laid_out, quoted
from equinet.convert.skeleton.pieces import Piece
from equinet.convert.skeleton.steps import Step
from equinet.field import FieldType
from equinet.nn import EquivariantModule

_OWN = {*dir(EquivariantModule), "training", "in_type", "out_type"}  # of what it is a subclass
_SIGNS = {"add": "+", "sub": "-", "mul": "*"}


@dataclass
class Line:
    """A row of layers, or a join of results.

    Attributes:
        inputs: numbers of the results that it takes.
        out: number of its own.
        calls: the layers; none for a join.
        word: what kind of join it is.
        factor: of a join by a number.
        names: of the plain modules that learn here, or else of what is here.
        typed: whether it gives a map.
    """

    inputs: list[int]
    out: int
    calls: list[Call]
    word: str
    factor: float
    names: list[str]
    typed: bool


@dataclass(frozen=True)
class Types:
    """The field types of a program and their names.

    Attributes:
        space: name and text of the space.
        names: of the types, in order.
        ends: type of the input and of the output, None for invariants.
    """

    space: tuple[str, str]
    names: dict[FieldType, str]
    ends: tuple[FieldType, FieldType | None]

    def name(self, fields: FieldType) -> str:
        """A name, or the sum of names.

        Args:
            fields: a type of the program, or a sum of several.
        Returns:
            Its text.
        """
        if fields in self.names:
            return self.names[fields]
        rest, parts = list(fields.blocks), []
        while rest:
            part = next(
                known
                for known in sorted(self.names, key=lambda known: -len(known.blocks))
                if tuple(rest[: len(known.blocks)]) == known.blocks
            )
            parts.append(self.names[part])
            rest = rest[len(part.blocks) :]
        return " + ".join(parts)


def program(
    title: str, note: str, types: Types, steps: Sequence[Step], pieces: Sequence[list[Piece]]
) -> tuple[str, str]:
    """The text of a module that makes a network, and the name of what makes it.

    Args:
        title: the first line of its docstring.
        note: more of it, or nothing.
        types: of the fields.
        steps: of the network.
        pieces: the layers of each step.
    Returns:
        The text, and the name.
    """
    lines = reduced(steps, pieces)
    docstring = _docstring(title, note)
    if len(lines) == 1 and lines[0].calls and lines[0].inputs == [0]:
        name = "network"
        row = Call("enn.Sequential", tuple(lines[0].calls))
        body = ["def network() -> enn.Sequential:", *laid_out(row, 4, before="return ")]
    else:
        name = "Network"
        body = _class(lines, types, steps[-1].out.number)
    text = "\n".join(body)
    heads = [
        line
        for line, pattern in (("import torch", r"torch\."), ("from torch import nn", r"\bnn\."))
        if re.search(rf"(?<!\w){pattern}", text)
    ]
    imports = [*heads, *[""] * bool(heads), "import equinet as eq", "from equinet import nn as enn"]
    space, made = types.space
    fields = [f"{name} = {space}.fields({quoted(str(t))})" for t, name in types.names.items()]
    rows = [docstring, *imports, "", f"{space} = {made}", *fields, "", "", text, ""]
    return "\n".join(rows), name


def reduced(steps: Sequence[Step], pieces: Sequence[list[Piece]]) -> list[Line]:
    """Rows of layers as long as they can be, with the sums in them that have one beginning.

    Args:
        steps: of the network.
        pieces: the layers of each step.
    Returns:
        The lines of its ``forward``.
    """
    lines = [_line(step, made) for step, made in zip(steps, pieces, strict=True)]
    last = steps[-1].out.number
    while _joined_once(lines, last):
        pass
    return lines


def _line(step: Step, pieces: list[Piece]) -> Line:
    return Line(
        [value.number for value in step.inputs],
        step.out.number,
        [piece.call for piece in pieces],
        "" if pieces else str(step.kind),
        step.extra.get("number", 1.0),
        [step.name] if step.parameters else [],
        bool(step.out.sizes),
    )


def _joined_once(lines: list[Line], last: int) -> bool:
    """Join two lines into one, if there are such.

    The line stands where the first one stood, whose inputs were there already.
    """
    makers = {line.out: line for line in lines if line.calls}
    uses = Counter(number for line in lines for number in line.inputs) + Counter([last])
    for line in lines:
        branches = [makers[n] for n in line.inputs if n in makers and uses[n] == 1]
        if line.calls and branches:
            (before,) = branches
            before.calls += line.calls
            before.names += line.names
            before.out, before.typed = line.out, line.typed
            lines.remove(line)
            return True
        if line.word == "add" and line.typed and _have_one_beginning(line, branches):
            body, *others = sorted(branches, key=lambda branch: -len(branch.calls))
            body.calls = [Call("enn.Residual", tuple(_row(b.calls) for b in (body, *others)))]
            body.out = line.out
            for other in others:
                body.names += other.names
                lines.remove(other)
            lines.remove(line)
            return True
    return False


def _have_one_beginning(line: Line, branches: list[Line]) -> bool:
    """Whether the two operands of a sum come from one result, of which one may be the result."""
    starts = [number for branch in branches for number in branch.inputs]
    ends = {branch.out for branch in branches}
    starts += [number for number in line.inputs if number not in ends]
    return bool(branches) and len(starts) == 2 and len(set(starts)) == 1


def _row(calls: Sequence[Call]) -> Call:
    if len(calls) == 1:
        return calls[0]
    plain = all(call.head.startswith("nn.") for call in calls)
    return Call("nn.Sequential" if plain else "enn.Sequential", tuple(calls))


def _class(lines: list[Line], types: Types, last: int) -> list[str]:
    """A module with a ``forward``."""
    into, out = types.ends
    end = "None" if out is None else types.name(out)
    text = [
        "class Network(enn.EquivariantModule):", "    def __init__(self) -> None:",
        f"        super().__init__({types.name(into)}, {end})",
    ]  # fmt: skip
    labels: dict[int, str] = {}
    for line in lines:
        if line.calls:
            label = labels[line.out] = _label(line, set(labels.values()))
            text += laid_out(_row(line.calls), 8, before=f"self.{label} = ")
    text += ["", "    def forward(self, f):", "        self.check(f)"]
    names = {0: "f"} if _is_next(lines, -1, 0, last) else {0: "f0"}
    if names[0] != "f":
        text.append("        f0 = f")
    for i, line in enumerate(lines):
        given = [names[number] for number in line.inputs]
        name = "f" if _is_next(lines, i, line.out, last) else f"f{len(set(names.values()))}"
        names[line.out] = name
        expression = f"self.{labels[line.out]}({given[0]})" if line.calls else _join(line, given)
        if line.out == last and line is lines[-1]:
            text.append(f"        return {expression}")
        else:
            text.append(f"        {name} = {expression}")
    return text


def _is_next(lines: list[Line], i: int, number: int, last: int) -> bool:
    """Whether a result is taken by the next line alone."""
    users = [j for j, line in enumerate(lines) if number in line.inputs]
    return users == [i + 1] if number != last else True


def _join(line: Line, given: list[str]) -> str:
    if line.word == "cat":
        return f"torch.cat([{', '.join(given)}], 1)"
    if line.word == "scale":
        return f"{line.factor!r} * {given[0]}"
    return f" {_SIGNS[line.word]} ".join(given)


def _label(line: Line, taken: set[str]) -> str:
    """What the layers are called together, after the plain modules."""
    paths = [name.split(".") for name in line.names] or [
        [line.calls[0].head.rpartition(".")[2].lower()]
    ]
    common = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    words = "_".join(common or paths[0][:1])
    words = re.sub(r"\W", "_", words)
    words = words if words and not words[0].isdigit() else f"part_{words}".rstrip("_")
    words += "_" * keyword.iskeyword(words)
    label, number = words, 2
    while label in taken or label in _OWN:
        label, number = f"{words}_{number}", number + 1
    return label


def _docstring(title: str, note: str) -> str:
    if not note:
        return f'"""{title}"""\n'
    return "\n".join([f'"""{title}', "", *textwrap.wrap(note, WIDTH), '"""', ""])
