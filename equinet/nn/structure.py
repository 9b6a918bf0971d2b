"""Modules that arrange others: nothing, a smaller group, a sum. Before: ``pixel_shuffle``.

Next: ``sequential``.
"""

import copy
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from equinet.field import FieldType, Point, Points
from equinet.field.grid import Grid
from equinet.group import Group, named_group
from equinet.group.group import check_subgroup
from equinet.nn.module import EquivariantModule
from equinet.rep import Representation, irrep, restrict


class Identity(EquivariantModule):
    """The fields as they are, of a type that ``Sequential`` can compare.

    Args:
        in_type: fields over any space.
    """

    def __init__(self, in_type: FieldType) -> None:
        super().__init__(in_type, in_type)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        return x

    def export(self) -> nn.Module:
        """``torch.nn.Identity``."""
        return nn.Identity()


class Restrict(EquivariantModule):
    r"""The same fields, of which only a subgroup is to know: symmetry that the task breaks.

    The tensor stays as it is. The representations are those of the subgroup with the same matrices,
    rho(h) for h in the subgroup; fewer equations hold, so layers after it have more kernels.

    Args:
        in_type: fields over a grid, ``Point`` or ``Points``.
        subgroup: of the group of the space, or its name.
    Raises:
        ValueError: if it is not a subgroup (of the same matrices, not up to orientation), and for
            fields over the sphere, on which all of SO(3) acts.

    Example:
        >>> from equinet.field import Plane
        >>> Restrict(Plane("D4").fields("2x regular"), "C4").out_type.space
        Plane('C4')
    """

    out_type: FieldType  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, in_type: FieldType, subgroup: Group | str) -> None:
        super().__init__(in_type, in_type)
        space = in_type.space
        if not isinstance(space, Grid | Point | Points):
            raise ValueError(
                f"in_type: expected fields over a grid, Point or Points, got {in_type!r}"
            )
        if isinstance(subgroup, str):
            subgroup = named_group(subgroup, space.n)
        with torch.device("cpu"):
            check_subgroup(subgroup, space.group)
            blocks = [(mul, _restricted(rho, subgroup)) for mul, rho in in_type.blocks]
        kind: Any = type(space)
        options = {"spacing": space.steps} if isinstance(space, Grid) else {}
        self.out_type = kind(subgroup, **options).fields(blocks)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        return x

    def export(self) -> nn.Module:
        """``torch.nn.Identity``."""
        return nn.Identity()


class Residual(EquivariantModule):
    r"""The sum of two branches, x -> body(x) + shortcut(x).

    Args:
        body: a module with ``in_type`` and ``out_type``, such as ``Sequential``.
        shortcut: of the same types; by default the identity.
    Raises:
        TypeError: if a branch does not know its types.
        ValueError: if the types of the branches differ.

    Example:
        >>> from equinet.field import Plane
        >>> fields = Plane("C4").fields("2x regular")
        >>> Residual(Identity(fields))(torch.ones(fields.shape(1, 3, 3))).mean()
        tensor(2.)
    """

    def __init__(self, body: Any, shortcut: Any = None) -> None:
        shortcut = Identity(_typed(body, "body").in_type) if shortcut is None else shortcut
        super().__init__(body.in_type, body.out_type)
        for name in ("in_type", "out_type"):
            ours, other = getattr(body, name), getattr(_typed(shortcut, "shortcut"), name)
            if ours != other:
                raise ValueError(
                    f"shortcut: expected {name} {ours!r}, that of the body, got {other!r} of "
                    f"{type(shortcut).__name__}; a convolution or Linear from {body.in_type!r} to "
                    f"{body.out_type!r} can be a shortcut"
                )
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        y, z = self.body(x), self.shortcut(x)
        if y.shape != z.shape:
            raise ValueError(
                f"shortcut: expected an output of shape {tuple(y.shape)}, that of the body, got "
                f"{tuple(z.shape)}; give it the strides and paddings of the body"
            )
        return y + z

    def export(self) -> nn.Module:
        """A plain module with the two branches exported."""
        return PlainSum(exported(self.body), exported(self.shortcut))


class PlainSum(nn.Module):
    """What ``Residual`` is without types."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.shortcut(x)


def exported(module: nn.Module) -> nn.Module:
    """The equal plain module; plain modules are copied."""
    if isinstance(module, nn.Sequential):
        children = OrderedDict((name, exported(child)) for name, child in module.named_children())
        return nn.Sequential(children)
    export = getattr(module, "export", None)
    return copy.deepcopy(module) if export is None else export()


def _typed(module: Any, argument: str) -> Any:
    """The module, which must know its types."""
    if not isinstance(module, nn.Module) or not isinstance(
        getattr(module, "in_type", None), FieldType
    ):
        raise TypeError(
            f"{argument}: expected a module with in_type and out_type, got {type(module).__name__}"
        )
    return module


def _restricted(rho: Representation, subgroup: Group) -> Representation:
    """The representation of the subgroup, under the name of an irrep if it is one."""
    result = restrict(rho, subgroup)
    single = irrep(subgroup, result.constituents[0].name)
    return single if single == result else result
