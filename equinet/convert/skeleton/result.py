"""What a plain network has become: code, the network that it makes, and a table.

In: a program and the costs of its layers. Out: ``Skeleton``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import nn

from equinet.numerics.tables import Table, count_cell


@dataclass(frozen=True)
class Pair:
    """A layer of a plain network and its partner.

    Attributes:
        name: of the plain module, as in ``named_modules``, or of a function.
        kind: the class of the plain module.
        parameters: numbers that it learns.
        flops: of it for one sample, two for each multiplication and addition.
        partner: the classes that stand for it.
        own_parameters: numbers that they learn.
        own_flops: of them for one sample.
    """

    name: str
    kind: str
    parameters: int
    flops: int
    partner: str
    own_parameters: int
    own_flops: int


@dataclass(frozen=True, repr=False)
class Skeleton:
    """The equivariant network nearest to a plain one; ``str`` is its code.

    Attributes:
        code: a module of Python, which makes the network.
        name: of the function or the class in it that does.
        network: that network, with initial weights.
        pairs: each layer of the plain network beside its partner, in order.
        match: what was matched, "parameters" or "compute".
        unread: numbers of plain ``Linear`` layers for positions that are averaged here, which are
            not matched.
        notes: what else is to be known.
    """

    code: str
    name: str
    network: nn.Module = field(compare=False)
    pairs: tuple[Pair, ...]
    match: str
    unread: int
    notes: tuple[str, ...] = ()

    @property
    def parameters(self) -> tuple[int, int]:
        """Numbers that are learned, of the plain network and here."""
        return sum(p.parameters for p in self.pairs), sum(p.own_parameters for p in self.pairs)

    @property
    def flops(self) -> tuple[int, int]:
        """Of a forward pass for one sample, of the plain network and here."""
        return sum(p.flops for p in self.pairs), sum(p.own_flops for p in self.pairs)

    def build(self) -> Any:  # noqa: ANN401 - a module, of a class that the code says
        """A new network, as the code makes it."""
        return made_by(self.code, self.name)

    def table(self) -> Table:
        """Each layer of the plain network beside its partner, with what both cost."""
        rows = tuple(
            (p.name, p.kind, _count(p.parameters), _count(p.flops), p.partner,
             _count(p.own_parameters), _count(p.own_flops))
            for p in self.pairs
        )  # fmt: skip
        ours = [f"{self.parameters[1]:,}", count_cell(self.flops[1])]
        total = ("", "", f"{self.parameters[0]:,}", count_cell(self.flops[0]), "", *ours)
        notes = self.notes
        if self.unread:
            kept = self.parameters[0] - self.unread
            notes = (
                f"Of the plain parameters {self.unread:,} are for positions that are averaged "
                f"here; {kept:,} are left to match",
                *notes,
            )
        heads = ("layer", "plain", "parameters", "FLOPs", "here", "parameters", "FLOPs")
        return Table(f"Matched by {self.match}", heads, "<<>><>>", rows, total, notes)

    def __str__(self) -> str:
        return self.code

    def __repr__(self) -> str:
        plain, own = self.parameters if self.match == "parameters" else self.flops
        return f"Skeleton({len(self.pairs)} layers, {self.match}: {plain:,} plain, {own:,} here)"


def made_by(code: str, name: str) -> Any:  # noqa: ANN401 - what the code says
    """What a program makes.

    Args:
        code: of a module of Python.
        name: of the function or the class in it that is called.
    Returns:
        The network.
    """
    names: dict[str, Any] = {"__name__": "skeleton"}
    exec(compile(code, "<equinet.convert.from_torch>", "exec"), names)
    return names[name]()


def _count(number: int) -> str:
    return f"{number:,}" if number < 10**6 else count_cell(number)
