"""The sphere S^2 = SO(3)/SO(2) = O(3)/O(2) as a space."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from equinet.field.field_type import FieldType
from equinet.field.mirror import as_rotations, mirrored
from equinet.field.space import Noise, Space, acting_group, space_of
from equinet.field.transform import block_orders, columns, field_analysis, field_synthesis
from equinet.group import O2, O3, SO2, SO3, Group, o2, so2, so3
from equinet.harmonics import Analysis, Rings, Synthesis, soft
from equinet.harmonics.grid import degree_columns
from equinet.numerics.arguments import check_integer, check_memory
from equinet.numerics.turn import turn_degrees
from equinet.ops import full_precision
from equinet.rep.fibres import Block


@dataclass(frozen=True, init=False)
class Sphere(Space):
    """The sphere S^2, band-limited: degrees l < ``band``, sampled on rings.

    It is SO(3)/SO(2), and a field over it has a representation of SO(2) as fibre: trivial (a
    function), an irrep s (a spin-weighted field; s = 1 is tangent vectors), or regular (a function
    on SO(3), the lifted sphere, on SOFT grids only).

    With ``group="O(3)"`` it is O(3)/O(2), and mirrors act too. Then the fibres have irreps of O(2):
    ``0e``, a function; ``0o``, a pseudoscalar, such as vorticity or B modes, which a mirror gives
    the other sign; and s = 1, 2, ..., a spin-weighted field as before, of which a mirror in the
    plane of a meridian keeps the component to the south and turns the one to the east. Layers see
    the difference and have fewer weights; there are no regular fields.

    The two channels of a field f of spin s > 0 are its real and imaginary part in the frame
    (e_beta, e_alpha), that is (south, east); in a frame turned by theta from south to east it is
    f e^{-i s theta}. So a wind, u to the east and v to the north, has the channels (-v, u), and not
    (u, v), and polarisation has (Q, U) as HEALPix counts them: see ``transforms.from_winds`` and
    ``transforms.from_polarisation``.

    A grid that holds a higher band oversamples: what pointwise functions make above the band is
    then dropped by the next analysis instead of falling back below it, as in
    ``Sphere(32, grid=soft(48))``.

    Args:
        band: exclusive bound of the degree.
        grid: the rings, ``harmonics.soft(band)`` by default, which have 2 * band points per angle.
        group: what acts on the fields, SO(3) or O(3), or its name.
    Raises:
        ValueError: if ``band`` is no integer >= 1, the grid cannot hold it, or the group is another
            one.
        TypeError: if ``grid`` are no rings, or ``group`` is neither a group nor a name.

    Attributes:
        band: exclusive bound of the degree.
        rings: the grid.
        group: SO(3) or O(3), which acts on the fields.

    Example:
        >>> from equinet.harmonics import gauss, healpix
        >>> sphere = Sphere(band=30)
        >>> sphere.fields("1x trivial").shape(batch=8)
        (8, 1, 60, 60)
        >>> sphere.at(band=10).fields("20x regular").shape(batch=8)
        (8, 20, 20, 20, 20)
        >>> Sphere(30, grid=gauss(30)).fields("2x1").shape(batch=8)
        (8, 4, 30, 60)
        >>> Sphere(16, grid=healpix(8)).fields("1x0").shape(batch=8)
        (8, 1, 768)
        >>> Sphere(30, group="O(3)").fields("2x0e + 1x0o + 1x2").shape(batch=8)
        (8, 5, 60, 60)
    """

    band: int
    rings: Rings
    _group: SO3 | O3 = so3()

    is_band_limited = True
    noise_options = ("band",)
    maps = "a convolution"
    page = "guide/sphere_data.md#your-grid-in-ten-lines"

    def __init__(self, band: int, grid: Rings | None = None, group: Group | str = "SO(3)") -> None:
        band = check_integer(band, "band")
        if grid is not None and not isinstance(grid, Rings):
            raise TypeError(f"grid: expected Rings, such as gauss({band}), got {grid!r}")
        rings = soft(band) if grid is None else grid
        rings.check_band(band)
        acting = acting_group(group, 3, "sphere")
        if not isinstance(acting, SO3 | O3):
            raise ValueError(f"group: expected SO(3) or O(3) over a sphere, got {acting}")
        object.__setattr__(self, "band", band)
        object.__setattr__(self, "rings", rings)
        object.__setattr__(self, "_group", acting)

    @property
    def group(self) -> SO3 | O3:
        """G, which acts on the fields."""
        return self._group

    @property
    def fibre_group(self) -> SO2 | O2:
        """H, which acts on the fibres: what of G leaves the point alone."""
        return o2() if isinstance(self.group, O3) else so2()

    def at(self, band: int, grid: Rings | None = None) -> Sphere:
        """The sphere of the same group with another band, sampled on rings that hold it.

        Args:
            band: exclusive bound of the degree.
            grid: the rings, ``harmonics.soft(band)`` by default where these are a SOFT grid.
        Returns:
            The sphere.
        Raises:
            ValueError: if the grid cannot hold the band, or these rings are others and none are
                given.
        """
        if grid is None and band != self.band and self.rings.soft_band is None:
            raise ValueError(
                f"grid: expected the rings for band {band}, as those here are {self.rings!r}, such "
                f"as at({band}, gauss({band}))"
            )
        rings = self.rings if grid is None and band == self.band else grid
        return Sphere(band, rings, self.group)

    def restrict(self, subgroup: Group) -> Sphere:
        if not isinstance(subgroup, SO3 | O3):
            raise ValueError(
                f"subgroup: expected SO(3) over {self}, on which all rotations act, got {subgroup}"
            )
        return Sphere(self.band, self.rings, subgroup)

    def axes(self, blocks: tuple[Block, ...]) -> dict[str, int | None]:
        """Beta and alpha, for regular fields gamma too; one axis of points if rings differ.

        Raises:
            ValueError: for a mixture of regular fields and irreps, for sums of irreps, and for
                regular fields on rings that are no SOFT grid, or where mirrors act.
        """
        if len({rho.is_sampled for _, rho in blocks}) > 1:
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
        if blocks[0][1].is_sampled:
            self._check_lifted()
            return dict.fromkeys(("beta", "alpha", "gamma"), self.rings.shape[0])
        names = ("beta", "alpha") if self.rings.is_uniform else ("point",)
        return dict(zip(names, self.rings.shape, strict=True))

    def _check_lifted(self) -> None:
        if isinstance(self.group, O3):
            raise ValueError(
                "blocks: expected irreps, such as 4x0e + 1x0o + 2x1, since regular fields, "
                f"functions on SO(3), need a Sphere on which SO(3) acts, got them on {self}"
            )
        if self.rings.soft_band is None:
            raise ValueError(
                "blocks: expected irreps, since regular fields, functions on SO(3), are sampled on "
                f"SOFT grids only, such as soft({self.band}); got regular fields on {self.rings!r}"
            )

    @property
    def room(self) -> int:
        """Half of the band."""
        return (self.band + 1) // 2

    @property
    def weights(self) -> Tensor:
        """Of the angles beta, or of the points if rings differ, in a mean over the sphere.

        They are those of Haar measure, exact for products of two fields below the band. On uniform
        rings there is one for each ring; ``areas`` has one for each point.
        """
        return self.rings.weights

    def areas(self) -> Tensor:
        """For which area on the unit sphere each point stands, ``Rings.areas``.

        Returns:
            float64, in the shape of the grid, of sum 4 pi.
        """
        return self.rings.areas()

    def angles(self) -> tuple[Tensor, Tensor]:
        """Angles of all points, ``Rings.angles``.

        Returns:
            ``beta`` and ``alpha`` in radians, float64, in the shape of the grid.
        """
        return self.rings.angles()

    def positions(self) -> Tensor:
        """The points as unit vectors (x, y, z) with the pole y, ``Rings.positions``.

        Returns:
            float64, in the shape of the grid and then 3.
        """
        return self.rings.positions()

    def analysis(self, order: int | None, band: int, dtype: torch.dtype | None) -> nn.Module:
        """The transform of one block to its spectrum.

        Args:
            order: s of an irrep, None for regular fields.
            band: of the spectrum.
            dtype: of its constants.
        Returns:
            A module, see ``harmonics.Analysis``.
        """
        return Analysis(self.rings, band, order, dtype)

    def synthesis(self, order: int | None, band: int, dtype: torch.dtype | None) -> nn.Module:
        """The transform of one block from its spectrum.

        Args:
            order: s of an irrep, None for regular fields.
            band: of the spectrum.
            dtype: of its constants.
        Returns:
            A module, see ``harmonics.Synthesis``.
        """
        return Synthesis(self.rings, band, order, dtype)

    def act(self, field_type: FieldType, g: Tensor, x: Tensor, order: int) -> Tensor:
        # Degree by degree, D^l(g) times the spectrum, which a mirror gives other signs before.
        band, batch = self.band, x.shape[0]
        to_spectrum = field_analysis(field_type, band, x.dtype, x.device)
        to_field = field_synthesis(field_type, band, x.dtype, x.device)
        widths = columns(field_type, band)
        flat = to_spectrum(x).view(sum((2 * l + 1) * k for l, k in enumerate(widths)), batch)
        if isinstance(self.group, O3):
            g, flat = as_rotations(g), mirrored(field_type, band, g, flat)
        with full_precision(x):
            turned = turn_degrees(flat, widths, g.to(x))
        return to_field(turned.flatten(), batch)

    def noise(self, field_type: FieldType, batch: int, asked: Noise) -> Tensor:
        # Normal coefficients, scaled so that every copy of every block has unit variance.
        band = self.band if asked.band is None else asked.band
        if not 0 < band <= self.band:
            raise ValueError(f"band: expected 1 to {self.band} (the sphere's band), got {band}")
        size = math.prod(field_type.shape(batch))
        check_memory(size, "batch", f"{size} samples")
        orders = block_orders(field_type, band)
        lowest = max(min(n) for n in orders)
        if band <= lowest:
            raise ValueError(
                f"band: expected more than {lowest}, the lowest degree of a field in "
                f"{field_type!r}, got {band}"
            )
        energy = [  # of one copy with coefficients of variance 1 / (2l + 1)
            sum((2 * l + 1) * degree_columns(l, n) for l in range(band)) for n in orders
        ]
        degrees = []
        for l in range(band):
            parts = [
                torch.randn(
                    2 * l + 1,
                    mul * degree_columns(l, n),
                    batch,
                    generator=asked.generator,
                    dtype=torch.float64,
                )
                / math.sqrt((2 * l + 1) * e)
                for (mul, _), n, e in zip(field_type.blocks, orders, energy, strict=True)
            ]
            degrees.append(torch.cat(parts, 1).flatten())
        to_field = field_synthesis(field_type, band, torch.float64, torch.device("cpu"))
        return to_field(torch.cat(degrees), batch)

    def bridge(self, given: FieldType, wanted: FieldType) -> str:
        if wanted.space == self.restrict(wanted.space.group):
            return ""
        return f"let both be sampled at one band, {self} or {wanted.space}"

    def __repr__(self) -> str:
        grid = "" if self.rings == soft(self.band) else f", grid={self.rings!r}"
        group = f", group={self.group.name!r}" if isinstance(self.group, O3) else ""
        return f"Sphere(band={self.band}{grid}{group})"


def check_acting(space: Space, sphere: Sphere, argument: str = "out_type") -> None:
    """Raise ValueError unless what acts on one sphere acts on another.

    Args:
        space: the one.
        sphere: the other.
        argument: the name of what is over ``space`` in the error.
    """
    if space.group != sphere.group:
        raise ValueError(
            f"{argument}: expected a sphere on which {sphere.group} acts, as it does on the input, "
            f"got {space}; enn.Restrict leads from O(3) to SO(3)"
        )


def sphere_of(field_type: FieldType, argument: str = "in_type") -> Sphere:
    """The sphere on which the fields live, see ``space_of``.

    Args:
        field_type: of the fields.
        argument: the name of ``field_type`` in an error.
    Returns:
        The sphere.
    Raises:
        ValueError: for fields over another space.
    """
    return space_of(field_type, Sphere, argument)
