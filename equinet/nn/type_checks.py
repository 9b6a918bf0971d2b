"""What layers between two types ask of them."""

from __future__ import annotations

from equinet.field import FieldType, Space, space_of


def check_types(over: type[Space], in_type: FieldType, out_type: FieldType) -> None:
    """Check that two types are fields over spaces of a kind.

    Args:
        over: the kind, such as ``Plane``.
        in_type: type of the input.
        out_type: type of the output.
    Raises:
        TypeError: if one is no ``FieldType``.
        ValueError: if its fields are over another space.
    """
    for name, value in (("in_type", in_type), ("out_type", out_type)):
        space_of(value, over, name)


def check_over(over: type[Space], in_type: FieldType, out_type: FieldType) -> None:
    """Check that two types are fields over one space of a kind.

    Args:
        over: the kind, such as ``Points``; ``Space`` for any.
        in_type: type of the input.
        out_type: type of the output.
    Raises:
        TypeError: if one is no ``FieldType``.
        ValueError: if its fields are over another space.
    """
    check_types(over, in_type, out_type)
    if out_type.space != in_type.space:
        raise ValueError(f"out_type: expected fields over {in_type.space}, got {out_type!r}")
