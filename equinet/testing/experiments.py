"""What is asked: does this module, between these types, commute with their group?

In: a module, types and options. Out: ``Experiment``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from torch import Tensor, nn

from equinet.field import FieldType
from equinet.field.grid import Grid
from equinet.group import Group, is_subgroup
from equinet.nn.module import is_source
from equinet.nn.surroundings import first_name
from equinet.testing.draws import Draw
from equinet.testing.sizes import argument_types, fitting_sizes, like_of, sizes_of

# Of what a module returns: one tensor, invariants, or several tensors by name.
Outputs: TypeAlias = FieldType | Mapping[str, FieldType | None] | None


@dataclass(frozen=True)
class Experiment:
    """A module, the types of its fields, and what it is tried on.

    Attributes:
        module: Phi.
        in_type: type of its input.
        out_type: type of its output; None for invariants.
        draw: what to try it on.
        group: G, the smallest of the groups that move the fields inside.
        grids: that of the input and those of fields inside; empty if it is over another space.
        aliases: whether a module inside says that it is equivariant up to aliasing only.
        like: a tensor with the dtype and on the device of the module.
        inputs: all fields that the module takes, side by side: what is drawn and moved.
        others: the channels of those after the first, by the names of the arguments.
        first: the name of the argument that is the input.
        outputs: types of what the module returns, by name, None for invariants; None if it returns
            one tensor.
        sizes: of the open axes of the input; None if there are none.
        coarse: sizes at which the elements and the smooth fields are drawn.
        scale: how many times as fine the former are.
    """

    module: nn.Module
    in_type: FieldType
    out_type: FieldType | None
    draw: Draw
    group: Group
    grids: tuple[Grid, ...]
    aliases: bool
    like: Tensor
    inputs: FieldType
    others: Mapping[str, slice]
    first: str
    outputs: Mapping[str, FieldType | None] | None
    sizes: tuple[int, ...] | None
    coarse: tuple[int, ...] | None
    scale: int = 1

    @classmethod
    def of(
        cls,
        module: nn.Module,
        in_type: FieldType | None,
        out_type: Outputs,
        draw: Draw,
        *,
        like: Tensor | None = None,
    ) -> Experiment:
        """The experiment on a module, with what is not said taken from the module.

        Args:
            module: of any kind; it is not changed.
            in_type: type of its input; ``module.in_type`` if None, or as the input is given.
            out_type: type of its output, or of each by name; ``module.out_type`` if None.
            draw: what to try it on; open axes get sizes that fit if it has none.
            like: has the dtype of the fields, for a module that holds no numbers itself.
        Returns:
            What ``trials`` and ``outcome`` take.
        Raises:
            TypeError, ValueError: if there is no type, or the sizes do not fit.
        """
        in_type = type_of(module, in_type, arguments=draw.arguments)
        out_type, outputs = type_after(module, out_type), None
        if isinstance(out_type, Mapping):
            out_type, outputs = None, dict(out_type)
        types = [
            t
            for t in (in_type, *types_inside(module), out_type, *(outputs or {}).values())
            if t is not None
        ]
        group, aliases, grid = common_group(types), has_aliasing(module), in_type.space.grid
        found = [t.space.grid for t in types] if grid is not None else []
        grids = tuple(dict.fromkeys(other for other in found if other is not None))
        sizes, like = sizes_of(module, in_type, draw.sizes), like_of(module, like)
        inputs, others = in_type, {}
        for name, fields in argument_types(module, in_type).items():
            others[name] = slice(inputs.channels, inputs.channels + fields.channels)
            inputs = inputs + fields
        known = module, in_type, out_type, draw, group, grids, aliases, like, inputs, others
        return cls(*known, first_name(module), outputs, sizes, sizes)

    def refined(self, scale: int) -> Experiment:
        """The same smooth fields and the elements that move them, on a finer grid.

        Args:
            scale: how many times as fine.
        Returns:
            The experiment at the larger sizes, for elements that do not keep the grid.
        """
        assert self.coarse is not None
        fine = replace(self, draw=replace(self.draw, exact=False))
        if scale == 1:
            return fine
        least = scale * (max(self.coarse) - 1) + 1
        return replace(
            fine, sizes=fitting_sizes(self.module, self.in_type, least=least), scale=scale
        )


def type_of(
    module: nn.Module,
    in_type: FieldType | None,
    argument: str = "module",
    arguments: Mapping[str, Any] | None = None,
) -> FieldType:
    """The type of the input, which is said, which the module knows, or which is that of invariants.

    Args:
        module: that is asked if nothing is said.
        in_type: what is said.
        argument: the name of ``module`` in an error.
        arguments: of ``forward``; the input may be among them, such as the species of points.
    Returns:
        The type.
    Raises:
        TypeError: if it is no module.
        ValueError: if there is no type.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"{argument}: expected a torch.nn.Module, got {type(module).__name__}")
    in_type = getattr(module, "in_type", None) if in_type is None else in_type
    name, kind = first_name(module), type(module).__name__
    if in_type is None and name in (arguments or {}):
        return _invariants(module, (arguments or {})[name], name)
    if not isinstance(in_type, FieldType):
        hint = f"; an input that is no field, such as species, goes into arguments, as {name!r}"
        inside: list[Any] = [part for part in module.children() if is_source(part)]
        if inside and not inside[0].out_type.space.in_clouds:
            hint = f"; what comes behind its {type(inside[0]).__name__} can be checked alone"
        raise ValueError(
            f"in_type: expected a FieldType, since {kind} does not know its own, got {in_type!r}"
            + hint
        )
    return in_type


def _invariants(module: nn.Module, x: object, name: str) -> FieldType:
    """The type of an input that no element changes: a number, or more, for each point."""
    found = [t.space for t in types_inside(module) if t.space.in_clouds]
    if not found:
        raise ValueError(
            f"in_type: expected one over Points, since no layer of {type(module).__name__} says "
            f"which group moves the points of {name!r}, got None"
        )
    if not isinstance(x, Tensor) or x.dim() not in (1, 2):
        got = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"arguments: expected {name!r} as a tensor (points, ...), got {got}")
    return found[0].fields(f"{1 if x.dim() == 1 else x.shape[1]}x trivial")


def type_after(module: nn.Module, out_type: Outputs) -> Outputs:
    """The type of the output, which is said or which the module knows.

    Args:
        module: that is asked if nothing is said.
        out_type: what is said.
    Returns:
        The type, None for invariants, or what each output has of these, by name.
    Raises:
        TypeError: if it is something else.
    """
    out_type = getattr(module, "out_type", None) if out_type is None else out_type
    each = out_type.values() if isinstance(out_type, Mapping) else [out_type]
    if not each:
        raise ValueError(
            f"out_type: expected types by name, since no layer of {type(module).__name__} says "
            f"which group moves its points, got {out_type!r}"
        )
    for one in each:
        if one is not None and not isinstance(one, FieldType):
            raise TypeError(
                "out_type: expected a FieldType, None, or some of these by name, got "
                f"{type(one).__name__}"
            )
    return out_type


def types_inside(module: nn.Module) -> list[FieldType]:
    """The types of all typed modules inside, but of what somebody vouches for those he names."""
    named = [getattr(module, name, None) for name in ("in_type", "out_type")]
    found = [value for value in named if isinstance(value, FieldType)]
    if getattr(module, "is_vouched", False):
        return found
    return found + [value for part in module.children() for value in types_inside(part)]


def common_group(types: Sequence[FieldType]) -> Group:
    """The smallest of the groups that move the fields: a restriction leaves no more than that."""
    smallest = types[0].space.group
    for field_type in types[1:]:
        group = field_type.space.group
        if group != smallest and is_subgroup(group, smallest):
            smallest = group
    return smallest


def has_aliasing(module: nn.Module) -> bool:
    """Whether a module inside says that it is equivariant up to aliasing only."""
    return any(getattr(part, "aliases", False) for part in module.modules())
