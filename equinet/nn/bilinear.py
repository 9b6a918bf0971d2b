"""What products of fields share."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from equinet.field import FieldType


def mapped(outer: Tensor, maps: Tensor, sizes: Sequence[tuple[int, int]]) -> list[Tensor]:
    """Bilinear maps of products of components, all of them as one matrix product.

    Args:
        outer: products of two components for each pair of copies, ``(pair, i, j, points)``.
        maps: the maps as rows, (irrep, path, component) by (i, j).
        sizes: (paths, dimension) for each irrep of the output.
    Returns:
        For each of these irreps ``(pair and path, component and point)``.
    """
    pairs, points = outer.shape[0], outer.shape[3]
    columns = outer.movedim(0, 2).flatten(0, 1).flatten(1)  # (i, j) by (pair, point)
    terms = (maps.to(outer) @ columns).unflatten(1, (pairs, points))
    split = terms.split([count * dim for count, dim in sizes])
    # From (path, component, pair, points): a weight sums over pairs and paths, its columns.
    return [
        term.unflatten(0, size).movedim(2, 0).flatten(0, 1).flatten(1)
        for term, size in zip(split, sizes, strict=True)
    ]


def rows_of(c: Tensor) -> Tensor:
    """Maps ``(path, i, j, component)`` as rows (path, component) by (i, j)."""
    return c.permute(0, 3, 1, 2).flatten(2).flatten(0, 1)


def check_factors(**types: FieldType) -> None:
    """Raise unless all are fields of finite dimension over the space of the first.

    Args:
        types: by the names of the arguments.
    Raises:
        TypeError: if one is no ``FieldType``.
        ValueError: if one is over another space, or sampled on a continuous group.
    """
    (first, wanted), *_ = types.items()
    for name, fields in types.items():
        if not isinstance(fields, FieldType):
            raise TypeError(f"{name}: expected a FieldType, got {type(fields).__name__}")
        if fields.space != wanted.space:
            raise ValueError(
                f"{name}: expected fields over {wanted.space}, as {first}, got {fields!r}"
            )
    for name, fields in types.items():
        for _, rho in fields.blocks:
            if rho.is_sampled:
                raise ValueError(
                    f"{name}: expected fields of finite dimension, got {rho!r} in {fields!r}"
                )
