"""The sphere S^2 = SO(3)/SO(2) as a space."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from equinet.field.field_type import FieldType, check_type
from equinet.field.space import Block
from equinet.group import SO2, SO3, so2, so3


@dataclass(frozen=True)
class Sphere:
    """The sphere S^2 = SO(3)/SO(2), band-limited: degrees l < ``band`` on the SOFT grid.

    A field over it has a representation of SO(2) as fibre: trivial (a function), an irrep s (a
    spin-weighted field; s = 1 is tangent vectors), or regular (a function on SO(3), the lifted
    sphere).

    Attributes:
        band: exclusive bound of the degree; a grid has 2 * band points per angle.

    Example:
        >>> sphere = Sphere(band=30)
        >>> sphere.fields("1x trivial").shape(batch=8)
        (8, 1, 60, 60)
        >>> sphere.at(band=10).fields("20x regular").shape(batch=8)
        (8, 20, 20, 20, 20)
    """

    band: int

    def __post_init__(self) -> None:
        if isinstance(self.band, bool) or not isinstance(self.band, int) or self.band < 1:
            raise ValueError(f"band: expected an integer >= 1, got {self.band!r}")

    @property
    def group(self) -> SO3:
        """G, which acts on the fields."""
        return so3()

    @property
    def fibre_group(self) -> SO2:
        """H, which acts on the fibres: the rotations about the point."""
        return so2()

    def at(self, band: int) -> Sphere:
        """The same sphere sampled at another band."""
        return Sphere(band)

    def fields(self, blocks: str | Iterable[Block]) -> FieldType:
        """The field type with these blocks, a string such as "4x0 + 2x1" or a list of pairs.

        Raises:
            ValueError: if the string does not parse or the blocks do not fit the sphere.
        """
        return FieldType.over(self, blocks)

    def axes(self, blocks: tuple[Block, ...]) -> dict[str, int | None]:
        """Beta and alpha, for regular fields gamma too, 2 * band points each."""
        if len({rho.is_regular for _, rho in blocks}) > 1:
            raise ValueError(
                "blocks: a sphere type is either regular throughout (sampled on SO(3)) or made of "
                f"irreps (sampled on S^2), got {[(mul, rho.name) for mul, rho in blocks]}"
            )
        for _, rho in blocks:
            if rho.irreps is not None and (len(rho.irreps) != 1 or rho.Q is not None):
                raise ValueError(
                    f"blocks: over a sphere write the irreps of {rho!r} as blocks of their own, in "
                    "their own basis"
                )
        names = ("beta", "alpha", "gamma") if blocks[0][1].is_regular else ("beta", "alpha")
        return dict.fromkeys(names, 2 * self.band)

    def __repr__(self) -> str:
        return f"Sphere(band={self.band})"


def sphere_of(field_type: FieldType, argument: str = "in_type") -> Sphere:
    """The sphere on which the fields live; ValueError for fields over another space."""
    check_type(field_type, argument)
    if not isinstance(field_type.space, Sphere):
        raise ValueError(f"{argument}: expected fields over a Sphere, got {field_type!r}")
    return field_type.space
