r"""Plain networks as the nearest equivariant ones: the skeleton, printed as code to edit.

Each channel becomes one of a field, and each layer its partner. A layer from c to c' channels has
k c c' weights, one from m to m' regular fields of a group of order N, as many channels as c = N m,
only k m m' N. So at the same compute a skeleton has fewer weights, and with as many weights it is
wider: how many fields there are is found so that one or the other is met.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from equinet.convert.skeleton.code import quoted
from equinet.convert.skeleton.flow import Types, program
from equinet.convert.skeleton.partners import SIZE, partner
from equinet.convert.skeleton.pieces import Piece
from equinet.convert.skeleton.reader import read
from equinet.convert.skeleton.result import Pair, Skeleton, made_by
from equinet.convert.skeleton.steps import Step
from equinet.convert.skeleton.trace import traced
from equinet.convert.skeleton.widths import Width, leaves_of, matched, together
from equinet.field import FieldType, Line, Plane, Volume
from equinet.field.grid import Grid
from equinet.group import Group, named_group
from equinet.nn.plain import uncompiled
from equinet.nn.summaries import on_meta
from equinet.numerics.arguments import check_choice
from equinet.numerics.cached import on_cpu
from equinet.numerics.values import check_floating
from equinet.testing import input_sizes

_SPACES: dict[int, type[Grid]] = {3: Line, 4: Plane, 5: Volume}  # by the axes of the example
_UNITS = {
    "SO(2)": "2x0 + 1x1 + 1x2", "O(2)": "2x0e + 1x1 + 1x2",
    "SO(3)": "4x0 + 2x1 + 1x2", "O(3)": "4x0e + 2x1o + 1x2e",
}  # fmt: skip
_MATCHES = ("parameters", "compute")
_AROUND = 33  # steps from a size, which are enough for five strides of two
_FAR = 0.03  # from the wanted cost, which is said


def from_torch(
    model: nn.Module,
    example: Tensor,
    group: Group | str,
    *,
    match: Literal["parameters", "compute"] = "parameters",
    fields: str | None = None,
    in_fields: str | None = None,
    out_fields: str | None = None,
) -> Skeleton:
    r"""The equivariant network nearest to a plain one, as code to edit.

    .. math:: \sum_l \text{cost}_l(m) \approx \sum_l \text{cost}_l(\text{plain}), \qquad
              m_w \approx s\, c_w

    with one scale s for the channels c of all layers, and multiplicities m of fields. ``torch.fx``
    follows ``forward`` once, in evaluation mode. Convolutions, norms, activations, pools, dropout,
    upsampling, sums, concatenations, squeeze and excitation become their partners here; where the
    map ends (a global pool, ``flatten``) the skeleton takes invariants, behind which ``torch.nn``
    goes on as it was. Weights are not carried over: a plain filter is no equivariant kernel.

    Args:
        model: of ``torch.nn``, with one tensor in and one out; it is not changed.
        example: an input, ``(batch, channels, *sizes)`` with one, two or three sizes, which say the
            space: ``Line``, ``Plane`` or ``Volume``.
        group: acts on it, or its name: "C4", "D8", "SO(2)", "O(3)".
        match: what is to be that of the plain network: the learned "parameters", or the "compute"
            of a forward pass, for which channels are as many as before.
        fields: of hidden layers, of which they have copies in this proportion. By default
            "regular" for finite groups, for "SO(2)" "2x0 + 1x1 + 1x2", for "O(2)"
            "2x0e + 1x1 + 1x2", for "SO(3)" "4x0 + 2x1 + 1x2", for "O(3)"
            "4x0e + 2x1o + 1x2e". Fields that are not permuted are gated.
        in_fields: of the input, by default trivial ones: each channel is a number that a rotation
            leaves alone.
        out_fields: likewise of the output, where it is a map.
    Returns:
        The code, the network that it makes (in torch's default dtype, on its default device), and a
        table of all layers.
    Raises:
        TypeError: if ``model`` is no module, or ``example`` no real tensor.
        ValueError: for a layer that has no equal here, with its path and what is nearest; if
            ``torch.fx`` cannot follow ``forward``; for fields or a group that do not fit.

    Example:
        >>> import torch
        >>> plain = nn.Sequential(
        ...     nn.Conv2d(1, 32, 5, padding=2),
        ...     nn.ReLU(),
        ...     nn.AdaptiveAvgPool2d(1),
        ...     nn.Flatten(),
        ...     nn.Linear(32, 10),
        ... )
        >>> made = from_torch(plain, torch.zeros(1, 1, 29, 29), "C4", match="compute")
        >>> print(made.code.partition("def")[2])
         network() -> enn.Sequential:
            return enn.Sequential(
                enn.Conv2d(x, h, 5, padding=2),  # 0
                enn.ReLU(h),
                enn.GroupPool(h),
                enn.GlobalAvgPool(enn.GroupPool(h).out_type),
                nn.Linear(h.copies, 10),  # 4
            )
        <BLANKLINE>
    """
    check_choice(match, "match", _MATCHES)
    space = _checked(model, example, group)
    model = uncompiled(model)
    unit = _unit(space, fields)
    channels = example.shape[1]
    scalars = f"{channels}x trivial"
    into = _typed(space, scalars if in_fields is None else in_fields, "in_fields")
    if into.channels != channels:
        raise ValueError(
            f"in_fields: expected {channels} channels, as the example has, got {into.channels} of "
            f"{in_fields!r}"
        )
    out = None if out_fields is None else _typed(space, out_fields, "out_fields")
    operations = traced(model, example)
    steps = read(model, operations, into, out)
    if not steps:
        raise ValueError(f"model: expected one with layers, got {type(model).__name__} without any")
    if out is not None and not steps[-1].out.sizes:
        raise ValueError(f"out_fields: expected None for invariants, got {out_fields!r}")
    sketch = _Sketch(model, steps, into, unit, match)
    note = sketch.off_centre(tuple(example.shape[2:]))
    types = sketch.types(sketch.wanted())
    pieces = sketch.pieces(types)
    code, name = sketch.code(types, pieces, note)
    network = made_by(code, name)
    pairs = tuple(_pair(step, made) for step, made in zip(steps, pieces, strict=True) if made)
    unread = sum(step.unread for step in steps)
    return Skeleton(code, name, network, pairs, match, unread, sketch.notes(model, types))


class _Sketch:
    """A skeleton whose widths are open."""

    def __init__(
        self, model: nn.Module, steps: list[Step], into: FieldType, unit: FieldType, match: str
    ) -> None:
        self.title = "A network" if isinstance(model, nn.Sequential) else type(model).__name__
        self.steps, self.into, self.unit, self.match = steps, into, unit, match
        values = [value for step in steps for value in (*step.inputs, step.out)]
        rows = [part for value in values for part in value.row if isinstance(part, Width)]
        self.widths = list(dict.fromkeys(leaves_of(rows)))
        self.fixed = {w: w.fixed for w in self.widths if w.fixed is not None}
        self.costs: dict[tuple[object, ...], int] = {}
        self.leaves = [
            leaves_of([part for value in (*step.inputs, step.out) for part in value.row
                       if isinstance(part, Width)])
            for step in steps
        ]  # fmt: skip

    def wanted(self) -> int:
        """The cost of the plain network, without what is not read here."""
        if self.match == "parameters":
            return sum(step.parameters - step.unread for step in self.steps)
        return sum(step.flops - 2 * step.unread for step in self.steps)

    @on_cpu
    def types(self, wanted: int) -> dict[Width, FieldType]:
        """Those for which the skeleton costs nearly so much; the narrowest ones for 0."""
        free = [width for width in self.widths if width.fixed is None]
        return {**self.fixed, **matched(free, self.unit, self._cost, wanted)}

    def _cost(self, free: Any) -> int:  # noqa: ANN401 - a mapping
        types, total = {**self.fixed, **free}, 0
        for i, (step, leaves) in enumerate(zip(self.steps, self.leaves, strict=True)):
            key = (i, *(types[leaf] for leaf in leaves))
            if key not in self.costs:
                made = partner(step, types, lambda _: "h")
                by_parameters = self.match == "parameters"
                self.costs[key] = sum(p.parameters if by_parameters else p.flops for p in made)
            total += self.costs[key]
        return total

    def notes(self, model: nn.Module, types: dict[Width, FieldType]) -> tuple[str, ...]:
        """What is to be known of the match."""
        notes = []
        left = sum(p.numel() for p in model.parameters()) - sum(s.parameters for s in self.steps)
        if left:
            notes.append(f"{left:,} parameters of the model are not used in forward")
        miss = self._cost(types) / max(1, self.wanted()) - 1
        if abs(miss) > _FAR:
            notes.append(f"No whole numbers of such fields cost as much: {miss:+.0%}")
        return tuple(notes)

    @on_cpu
    def pieces(self, types: dict[Width, FieldType]) -> list[list[Piece]]:
        """The layers of each step."""
        names = self._names(types)
        return [partner(step, types, names.name) for step in self.steps]

    def code(
        self, types: dict[Width, FieldType], pieces: list[list[Piece]], note: str
    ) -> tuple[str, str]:
        """The program, and the name of what makes the network."""
        group = self.into.space.group.name
        title = f"{self.title} with the symmetry of {group}, by equinet.convert.from_torch."
        return program(title, note, self._names(types), self.steps, pieces)

    def _names(self, types: dict[Width, FieldType]) -> Types:
        space = self.into.space
        kind = type(space).__name__
        ends = [types[width] for width in self.fixed]
        inner = [types[width] for width in self.widths if width.fixed is None]
        names = {self.into: "x"}
        for letter, kinds in (("h", inner), ("y", ends)):
            new = [fields for fields in dict.fromkeys(kinds) if fields not in names]
            for i, fields in enumerate(new, 1):
                names[fields] = letter if len(new) == 1 else f"{letter}{i}"
        out = self.steps[-1].out
        end = together(out.row, types) if out.sizes else None
        made = f"eq.{kind}({quoted(space.group.name)})"
        return Types((kind.lower(), made), names, (self.into, end))

    def off_centre(self, sizes: tuple[int, ...]) -> str:
        """What is said of layers that leave the centre, and of sizes where they do not."""
        types = self.types(wanted=0)
        code, name = self.code(types, self.pieces(types), "")
        said = []
        if "off the centre of" in code:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what is odd is said by the network itself
                network = on_meta(made_by(code, name))
            shape = " x ".join(map(str, sizes))
            found = [_nearest(network, self.into, size) for size in dict.fromkeys(sizes)]
            if None not in found:
                mend = f"at size {', '.join(map(str, found))} they keep it (equinet.input_sizes)"
            elif SIZE in code:
                mend = "take an example of another size, which an Upsample below has"
            else:
                mend = "no size nearby mends that"
            said.append(
                f"Strides leave the centre of {shape} points, so the symmetry of the grid is "
                f"broken; {mend}."
            )
        if "lopsided" in code:
            said.append("Layers that are lopsided break it at every size.")
        return " ".join(said)


def _nearest(network: nn.Module, into: FieldType, size: int) -> int | None:
    """The nearest size of a grid on which all layers keep the centre, the smaller one of two."""
    for step in range(_AROUND):
        for near in dict.fromkeys((size - step, size + step)):
            if near > 0 and _keeps_centre(network, into, near):
                return near
    return None


def _keeps_centre(network: nn.Module, into: FieldType, size: int) -> bool:
    """Whether a network takes a grid of this size, with all layers about its centre."""
    try:
        return bool(input_sizes(network, into, [size]))
    except (RuntimeError, ValueError):  # it does not take it
        return False


def _pair(step: Step, made: list[Piece]) -> Pair:
    kind = step.kind if isinstance(step.kind, str) else type(step.kind).__name__
    kind = {"head": "", "squeeze": "SqueezeExcite", "layer_scale": "Parameter"}.get(kind, kind)
    return Pair(
        step.name, kind, step.parameters, step.flops,
        ", ".join(piece.call.head.removeprefix("enn.") for piece in made),
        sum(piece.parameters for piece in made), sum(piece.flops for piece in made),
    )  # fmt: skip


def _checked(model: object, example: object, group: Group | str) -> Grid:
    """The space, if the arguments are what they have to be."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: expected a torch.nn.Module, got {type(model).__name__}")
    x = check_floating("example", example)
    if x.dim() not in _SPACES or not x.numel():
        raise ValueError(
            "example: expected (batch, channels, *sizes) with one, two or three sizes, got "
            f"{tuple(x.shape)}"
        )
    if any(is_lazy(p) for p in (*model.parameters(), *model.buffers())):
        raise ValueError(
            "model: expected one whose sizes are known, got lazy layers; call it once before"
        )
    space = _SPACES[x.dim()](group)
    try:
        found = named_group(space.group.name, space.n)
    except ValueError:
        found = None
    if found != space.group:
        raise ValueError(
            f"group: expected one with a name, which the code can say, got {space.group}; use "
            "one of its kind in the standard orientation"
        )
    return space


def _unit(space: Grid, fields: str | None) -> FieldType:
    """The fields of which hidden layers have copies."""
    group = space.group
    if fields is None:
        if not group.is_finite and group.name not in _UNITS:
            raise ValueError(
                f"fields: expected those of hidden layers, such as '2x0 + 1x1', since {group} has "
                "none by default, got None"
            )
        fields = "1x regular" if group.is_finite else _UNITS[group.name]
    text = f"1x {fields}" if fields in ("regular", "trivial") else fields
    return _typed(space, text, "fields")


def _typed(space: Grid, text: str, argument: str) -> FieldType:
    if not isinstance(text, str):
        raise TypeError(f"{argument}: expected a string such as '2x0 + 1x1', got {text!r}")
    try:
        return space.fields(text)
    except ValueError as error:
        raise ValueError(f"{argument}: {str(error).removeprefix('fields: ')}") from error
