"""What is asked: does this module, between these types, commute with their group?

In: a module, types and options. Out: ``Experiment``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn

from equinet.field import FieldType
from equinet.field.grid import Grid
from equinet.group import Group, is_subgroup
from equinet.testing.draws import Draw
from equinet.testing.sizes import argument_types, fitting_sizes, like_of, sizes_of


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
    sizes: tuple[int, ...] | None
    coarse: tuple[int, ...] | None
    scale: int = 1

    @classmethod
    def of(
        cls,
        module: nn.Module,
        in_type: FieldType | None,
        out_type: FieldType | None,
        draw: Draw,
        *,
        like: Tensor | None = None,
    ) -> Experiment:
        """The experiment on a module, with what is not said taken from the module.

        Args:
            module: of any kind; it is not changed.
            in_type: type of its input; ``module.in_type`` if None.
            out_type: type of its output; ``module.out_type`` if None.
            draw: what to try it on; open axes get sizes that fit if it has none.
            like: has the dtype of the fields, for a module that holds no numbers itself.
        Returns:
            What ``trials`` and ``outcome`` take.
        Raises:
            TypeError, ValueError: if there is no type, or the sizes do not fit.
        """
        in_type, out_type = type_of(module, in_type), type_after(module, out_type)
        types = [t for t in (in_type, *types_inside(module), out_type) if t is not None]
        group, aliases, grid = common_group(types), has_aliasing(module), in_type.space.grid
        found = [t.space.grid for t in types] if grid is not None else []
        grids = tuple(dict.fromkeys(other for other in found if other is not None))
        sizes, like = sizes_of(module, in_type, draw.sizes), like_of(module, like)
        inputs, others = in_type, {}
        for name, fields in argument_types(module, in_type).items():
            others[name] = slice(inputs.channels, inputs.channels + fields.channels)
            inputs = inputs + fields
        known = module, in_type, out_type, draw, group, grids, aliases, like, inputs, others
        return cls(*known, sizes, sizes)

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


def type_of(module: nn.Module, in_type: FieldType | None, argument: str = "module") -> FieldType:
    """The type of the input, which is said or which the module knows.

    Args:
        module: that is asked if nothing is said.
        in_type: what is said.
        argument: the name of ``module`` in an error.
    Returns:
        The type.
    Raises:
        TypeError: if it is no module.
        ValueError: if there is no type.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"{argument}: expected a torch.nn.Module, got {type(module).__name__}")
    in_type = getattr(module, "in_type", None) if in_type is None else in_type
    if not isinstance(in_type, FieldType):
        raise ValueError(
            f"in_type: expected a FieldType, since {type(module).__name__} does not know its own, "
            f"got {in_type!r}"
        )
    return in_type


def type_after(module: nn.Module, out_type: FieldType | None) -> FieldType | None:
    """The type of the output, which is said or which the module knows.

    Args:
        module: that is asked if nothing is said.
        out_type: what is said.
    Returns:
        The type, or None for invariants.
    Raises:
        TypeError: if it is something else.
    """
    out_type = getattr(module, "out_type", None) if out_type is None else out_type
    if out_type is not None and not isinstance(out_type, FieldType):
        raise TypeError(f"out_type: expected a FieldType or None, got {type(out_type).__name__}")
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
