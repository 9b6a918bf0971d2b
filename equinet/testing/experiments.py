"""What is asked: does this module, between these types, commute with their group?

In: a module, types and options. Out: ``Experiment``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from torch import Tensor, nn

from equinet.field import FieldType
from equinet.field.grid import Grid
from equinet.group import Group, is_subgroup
from equinet.testing.draws import Draw
from equinet.testing.sizes import fitting_sizes, like_of, sizes_of
from equinet.testing.spaces import grid_of, group_of


@dataclass(frozen=True)
class Experiment:
    """A module, the types of its fields, and what it is tried on.

    Attributes:
        module: Phi.
        in_type: type of its input.
        out_type: type of its output; None for invariants.
        draw: what to try it on, over a grid with its sizes.
        group: G, the smallest of the groups that move the fields inside.
        grids: those of the input and of fields inside; empty if the input is not over a grid.
        aliases: whether a module inside says that it is equivariant up to aliasing only.
        like: a tensor with the dtype and on the device of the module.
        sizes: at which the input is sampled; None if it is not over a grid.
        scale: how much finer than at the sizes of ``draw`` that is.
    """

    module: nn.Module
    in_type: FieldType
    out_type: FieldType | None
    draw: Draw
    group: Group
    grids: tuple[Grid, ...]
    aliases: bool
    like: Tensor
    sizes: tuple[int, ...] | None
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
            draw: what to try it on; over a grid it gets sizes that fit if it has none.
            like: has the dtype of the fields, for a module that holds no numbers itself.
        Returns:
            What ``trials`` and ``outcome`` take.
        Raises:
            TypeError, ValueError: if there is no type, or the sizes do not fit.
        """
        in_type, out_type = type_of(module, in_type), type_after(module, out_type)
        types = [in_type, *types_inside(module), out_type]
        found = [grid_of(t) for t in types]
        grids = tuple(dict.fromkeys(grid for grid in found if grid is not None))
        group, aliases = common_group(types), has_aliasing(module)
        sizes = sizes_of(module, in_type, draw.sizes)
        return cls(
            module, in_type, out_type, replace(draw, sizes=sizes), group,
            grids if found[0] is not None else (), aliases, like_of(module, like), sizes,
        )  # fmt: skip

    @property
    def grid(self) -> Grid | None:
        """That of the input."""
        return self.grids[0] if self.grids else None

    def refined(self, scale: int) -> Experiment:
        """The same smooth fields and the elements that move them, on a finer grid.

        Args:
            scale: how many times as fine.
        Returns:
            The experiment at the larger sizes, for elements that do not keep the grid.
        """
        assert self.draw.sizes is not None
        fine = replace(self, draw=replace(self.draw, exact=False))
        if scale == 1:
            return fine
        least = scale * (max(self.draw.sizes) - 1) + 1
        return replace(
            fine, sizes=fitting_sizes(self.module, self.in_type, least=least), scale=scale
        )


def type_of(module: nn.Module, in_type: FieldType | None, argument: str = "module") -> FieldType:
    """The type of the input, which is said or which the module knows."""
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
    """The type of the output, which is said or which the module knows; None for invariants."""
    out_type = getattr(module, "out_type", None) if out_type is None else out_type
    if out_type is not None and not isinstance(out_type, FieldType):
        raise TypeError(f"out_type: expected a FieldType or None, got {type(out_type).__name__}")
    return out_type


def types_inside(module: nn.Module) -> list[FieldType]:
    """The types of all typed modules inside."""
    named = [getattr(m, name, None) for m in module.modules() for name in ("in_type", "out_type")]
    return [value for value in named if isinstance(value, FieldType)]


def common_group(types: Iterable[FieldType | None]) -> Group:
    """The smallest of the groups that move the fields: a restriction leaves no more than that."""
    first, *others = [group_of(field_type) for field_type in types if field_type is not None]
    for group in others:
        if group != first and is_subgroup(group, first):
            first = group
    return first


def has_aliasing(module: nn.Module) -> bool:
    """Whether a module inside says that it is equivariant up to aliasing only."""
    return any(getattr(part, "aliases", False) for part in module.modules())
