"""What a module may ask of the fields that it is given. Before: ``plain``. Next: ``centred``."""

from collections.abc import Sequence

import torch

from equinet.field import FieldType
from equinet.field.grid import Grid
from equinet.numerics.cached import on_cpu
from equinet.rep.representation import sum_name


def grid_of(in_type: FieldType) -> Grid:
    """The grid on which the fields live; ValueError for fields over another space."""
    if not isinstance(in_type.space, Grid):
        raise ValueError(f"in_type: expected fields over a Line, Plane or Volume, got {in_type!r}")
    return in_type.space


@on_cpu
def check_permuted(field_type: FieldType, what: str, instead: str, name: str = "in_type") -> None:
    """Raise ValueError unless H permutes the components of every field."""
    for _, rho in field_type.blocks:
        if not rho.is_regular and not rho.is_permutation:
            raise ValueError(
                f"{name}: {what} needs trivial, regular or quotient fields, whose components are "
                f"permuted, got {rho!r} in {field_type!r}; use {instead}"
            )


@on_cpu
def check_orthogonal(
    in_type: FieldType, sampled: bool = False, functions: str = "enn.ReLU"
) -> None:
    """Raise ValueError unless the norm of every field is invariant.

    Args:
        in_type: the fields.
        sampled: whether fields that are sampled on the whole group are allowed.
        functions: what serves for those otherwise.
    """
    for _, rho in in_type.blocks:
        if rho.is_regular and not sampled:
            raise ValueError(
                f"in_type: expected fields of finite dimension, got {rho!r} in {in_type!r}; these "
                f"are sampled functions, for which {functions} serves"
            )
        if not rho.is_regular and not rho.is_orthogonal:
            raise ValueError(
                f"in_type: norms are invariant only where rho(h) is orthogonal, got {rho!r} in "
                f"{in_type!r}; use its irreps, {sum_name(rho.constituents)}, as blocks of their own"
            )


@on_cpu
def check_alike(in_type: FieldType, name: str, values: Sequence[object]) -> None:
    """Raise ValueError if the group exchanges axes of one spacing that have different values."""
    space = grid_of(in_type)
    steps = torch.eye(space.n, dtype=torch.float64) + space.group.generators.abs().sum(0)
    mixes = torch.linalg.matrix_power(steps, space.n) > 1e-9
    axes = list(zip(space.coordinates, values, strict=True))
    for a, value in axes:
        for b, other in axes:
            if mixes[a, b] and value != other and space.spacing[a] == space.spacing[b]:
                raise ValueError(
                    f"{name}: expected the same along the axes {'xyz'[a]} and {'xyz'[b]}, which "
                    f"{space.group} turns into each other, got {tuple(values)}"
                )
