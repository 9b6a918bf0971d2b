"""What a module may ask of the fields that it is given."""

import itertools
from collections.abc import Sequence

import torch

from equinet.field import FieldType
from equinet.field.grid import Grid
from equinet.numerics.cached import on_cpu
from equinet.rep.representation import sum_name

_ABOUT = 2**0.5  # what sizes that are rounded may change the ratio of two steps by


def grid_of(in_type: FieldType, name: str = "in_type", *, spheres: bool = False) -> Grid:
    """The grid on which the fields live.

    Args:
        in_type: of the fields.
        name: of this argument, in the error.
        spheres: whether the caller takes fields over a sphere too, in the error.
    Returns:
        The grid.
    Raises:
        ValueError: for fields over another space.
    """
    grid = in_type.space.grid
    if grid is None:
        kinds = "Line, Plane, Volume or Sphere" if spheres else "Line, Plane or Volume"
        raise ValueError(f"{name}: expected fields over a {kinds}, got {in_type!r}")
    return grid


@on_cpu
def check_permuted(field_type: FieldType, what: str, instead: str, name: str = "in_type") -> None:
    """Raise ValueError unless H permutes the components of every field."""
    for _, rho in field_type.blocks:
        if not rho.is_sampled and not rho.is_permutation:
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
        if rho.is_sampled and not sampled:
            raise ValueError(
                f"in_type: expected fields of finite dimension, got {rho!r} in {in_type!r}; these "
                f"are sampled functions, for which {functions} serves"
            )
        if not rho.is_sampled and not rho.is_orthogonal:
            raise ValueError(
                f"in_type: norms are invariant only where rho(h) is orthogonal, got {rho!r} in "
                f"{in_type!r}; use its irreps, {sum_name(rho.constituents)}, as blocks of their own"
            )


@on_cpu
def exchanged_axes(space: Grid) -> list[tuple[int, int]]:
    """The pairs of axes of a feature map that the group turns into each other."""
    steps = torch.eye(space.n, dtype=torch.float64) + space.group.generators.abs().sum(0)
    mixes = torch.linalg.matrix_power(steps, space.n) > 1e-9
    axes = space.coordinates
    return [(i, j) for i, j in itertools.combinations(range(space.n), 2) if mixes[axes[i], axes[j]]]


def check_alike(space: Grid, name: str, values: Sequence[object]) -> None:
    """Raise ValueError if the group exchanges axes of one spacing that have different values."""
    for i, j in exchanged_axes(space):
        a, b = space.coordinates[i], space.coordinates[j]
        if values[i] != values[j] and space.spacing[a] == space.spacing[b]:
            raise ValueError(
                f"{name}: expected the same along the axes {'xyz'[a]} and {'xyz'[b]}, which "
                f"{space.group} turns into each other, got {tuple(values)}"
            )


def check_sizes(sizes: Sequence[int], least: Sequence[int], name: str) -> None:
    """Raise ValueError if a grid is smaller along an axis than a layer needs."""
    if any(size < few for size, few in zip(sizes, least, strict=True)):
        raise ValueError(
            f"x: expected sizes of at least {tuple(least)} for the window and the padding of this "
            f"{name}, got {tuple(sizes)}"
        )


def check_steps(
    space: Grid,
    name: str,
    sizes: Sequence[int],
    new: Sequence[int],
    factor: Sequence[int] | None = None,
    ends: int = 0,
) -> None:
    """Raise ValueError if sizes change the steps of a grid otherwise than its type says.

    Args:
        space: the grid; axes that its group exchanges change in the ratio exactly, since rounding
            of a size would break the symmetry; others about so.
        name: of the argument that says the new sizes.
        sizes: before.
        new: afterwards.
        factor: how the type of the output changes the steps relative to each other.
        ends: 1 if the outermost points stay where they are, 0 if the outermost cells do.
    """
    if torch.compiler.is_compiling() or torch.compiler.is_exporting():
        return
    factor = (1,) * space.n if factor is None else factor
    exchanged = exchanged_axes(space)
    is_free = space.group.is_finite and len(space.group.components) == 1
    for i, j in itertools.combinations(range(0 if is_free else space.n), 2):
        (a, b), (before, after) = ([(s[k] - ends) for k in (i, j)] for s in (sizes, new))
        one, other = a * factor[i] * after, b * factor[j] * before
        together = (i, j) in exchanged
        off = one != other if together else max(one, other) > _ABOUT * min(one, other)
        if a and b and off:
            ratio = "alike" if len(set(factor)) == 1 else f"in the ratio of factor {tuple(factor)}"
            why = f", which {space.group} turns into each other," if together else ""
            raise ValueError(
                f"{name}: expected sizes that change the steps along {space.names[i]} and "
                f"{space.names[j]}{why} {ratio}, got {tuple(new)} from {tuple(sizes)}"
            )
