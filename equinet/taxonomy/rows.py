"""All rows of the classification."""

from equinet.taxonomy import finite, plane, sphere, volume
from equinet.taxonomy.row import Row

_ROWS = (
    *plane.LATTICE,
    *finite.TRIANGULAR,
    *plane.PLANE,
    *volume.LATTICE,
    *volume.SPACE,
    *sphere.SPHERE,
    *finite.FINITE,
)


def catalogue() -> tuple[Row, ...]:
    r"""The classification of equivariant networks: one row for each G, H, G/H, rho and network.

    Rows of one kind of space stand together. A row builds a layer when it is asked to, not before.

    Returns:
        All rows, in the order of the table in the documentation.

    Example:
        >>> row = next(row for row in catalogue() if row.name == "Harmonic Networks")
        >>> row.G, row.H, row.base, row.fields
        ('SE(2)', 'SO(2)', 'R^2', 'irreps')
        >>> row.measure().holds
        True
    """
    return _ROWS
