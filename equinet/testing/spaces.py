"""What an experiment asks of a space, in one place."""

from __future__ import annotations

from equinet.field import FieldType, HomogeneousSpace, Points, Sphere
from equinet.field.grid import Grid
from equinet.field.points import Fibres
from equinet.group import Group


def group_of(field_type: FieldType) -> Group:
    """G, which moves the fields."""
    return getattr(field_type.space, "group", field_type.space.fibre_group)


def grid_of(field_type: FieldType | None) -> Grid | None:
    """The grid between whose points an element may take them; None if it never does."""
    space = None if field_type is None else field_type.space
    return space if isinstance(space, Grid) else None


def room_of(field_type: FieldType) -> int | None:
    """The band of random fields whose products still fit; None where nothing limits it."""
    space = field_type.space
    return (space.band + 1) // 2 if isinstance(space, Sphere) else None


def is_cloud(field_type: FieldType) -> bool:
    """Whether the batch axis lists the points of a cloud."""
    return isinstance(field_type.space, Points)


def options_of(field_type: FieldType) -> tuple[str, ...]:
    """Which options of ``random_field`` mean something over the space."""
    space = field_type.space
    if isinstance(space, Grid):
        return ("sizes", "smoothness")
    return () if isinstance(space, Fibres | HomogeneousSpace) else ("band",)


def grid_under(field_type: FieldType) -> Grid:
    """The grid that the fields live on; ValueError if they live elsewhere."""
    grid = grid_of(field_type)
    if grid is None:
        raise ValueError(f"field_type: expected fields over a grid, got {field_type!r}")
    return grid
