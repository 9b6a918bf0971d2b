"""Random fields: band-limited noise over the sphere, smooth noise on grids, and plain noise.

In: field types. Out: ``random_field``.
"""

import math

import torch
from torch import Generator, Tensor

from equinet.field.field_type import FieldType, check_type
from equinet.field.grid import Grid
from equinet.field.homogeneous import HomogeneousSpace
from equinet.field.points import Fibres
from equinet.field.sphere import Sphere, sphere_of
from equinet.field.transform import block_orders, field_synthesis
from equinet.harmonics.grid import degree_columns
from equinet.numerics.arguments import check_integer, check_memory, check_number, is_row

_SMOOTHNESS = 2.0


def random_field(
    field_type: FieldType,
    batch: int,
    *,
    band: int | None = None,
    sizes: tuple[int, ...] | None = None,
    smoothness: float | None = None,
    generator: Generator | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    r"""Normal noise of unit variance in every channel.

    Over the sphere it is white and band-limited: independent coefficients with a variance
    proportional to 1 / (2l + 1). On a grid white noise is smoothed with a Gaussian, so that the
    grid resolves the field when it is rotated; it is as smooth at the border as elsewhere. Over
    ``Point``, ``Points`` and a ``HomogeneousSpace`` it is independent normal numbers.

    Args:
        field_type: of the result.
        batch: number of feature maps; over ``Points``, of points.
        band: over the sphere, all degrees are l < ``band``; by default the band of the space.
        sizes: of the axes of a grid, which must be said.
        smoothness: on a grid, the standard deviation of the Gaussian in steps of the grid; 2 by
            default, 0 for white noise.
        generator: of the random numbers.
        dtype: of the result; torch's default if None.
    Returns:
        ``field_type.shape(batch, *sizes)``.
    Raises:
        TypeError: if ``field_type`` or ``dtype`` is of another kind.
        ValueError: if an argument is missing, has no meaning over the space, or is out of range.
    """
    check_type(field_type)
    check_integer(batch, "batch", 0)
    if band is not None:
        check_integer(band, "band")
    dtype = dtype or torch.get_default_dtype()
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise TypeError(f"dtype: expected a real floating type, got {dtype}")
    if generator is not None and generator.device.type != "cpu":
        raise ValueError(f"generator: expected one on the CPU, got one on {generator.device}")
    space = field_type.space
    given = {"band": band, "sizes": sizes, "smoothness": smoothness}
    if isinstance(space, Grid):
        _refuse(field_type, band=band)
        if sizes is None:
            raise ValueError(f"sizes: expected the sizes of the axes of {field_type!r}, got None")
        if not is_row(sizes):
            raise TypeError(f"sizes: expected one for each axis of {field_type!r}, got {sizes}")
        for size in sizes:
            check_integer(size, "sizes")
        width = _SMOOTHNESS if smoothness is None else smoothness
        x = _on_grid(field_type.shape(batch, *sizes), width, generator)
    elif isinstance(space, Fibres | HomogeneousSpace):
        _refuse(field_type, **given)
        x = torch.randn(field_type.shape(batch), generator=generator, dtype=torch.float64)
    elif isinstance(space, Sphere):
        _refuse(field_type, sizes=sizes, smoothness=smoothness)
        x = _on_sphere(field_type, batch, band, generator)
    else:
        raise ValueError(
            "field_type: expected fields over a Line, Plane, Volume, Sphere, Points, Point or "
            f"HomogeneousSpace, got {field_type!r}"
        )
    return x.to(dtype)


def _refuse(field_type: FieldType, **arguments: object) -> None:
    for name, value in arguments.items():
        if value is not None:
            raise ValueError(
                f"{name}: has no meaning for {field_type!r}, expected None, got {value!r}"
            )


def _on_grid(shape: tuple[int, ...], smoothness: float, generator: Generator | None) -> Tensor:
    """White noise on a larger grid, convolved along every axis with a Gaussian of norm 1."""
    check_number(smoothness, "smoothness", 0)
    radius = math.ceil(4 * smoothness)
    larger = [size + 2 * radius for size in shape[2:]]
    size = math.prod((*shape[:2], *larger))
    check_memory(size, "batch", f"{size} random numbers, for {larger} points with the border")
    x = torch.randn(*shape[:2], *larger, generator=generator, dtype=torch.float64)
    if radius == 0:
        return x
    steps = torch.arange(-radius, radius + 1, dtype=torch.float64)
    weights = torch.exp(-((steps / smoothness) ** 2) / 2)
    weights = weights / weights.norm()  # then the variance stays 1
    for axis in range(2, len(shape)):
        x = x.unfold(axis, 2 * radius + 1, 1) @ weights
    return x


def _on_sphere(
    field_type: FieldType, batch: int, band: int | None, generator: Generator | None
) -> Tensor:
    """Normal coefficients, scaled so that every copy of every block has unit variance."""
    sphere = sphere_of(field_type, "field_type")
    band = sphere.band if band is None else band
    if not 0 < band <= sphere.band:
        raise ValueError(f"band: expected 1 to {sphere.band} (the sphere's band), got {band}")
    size = math.prod(field_type.shape(batch))
    check_memory(size, "batch", f"{size} samples")
    orders = block_orders(field_type, band)
    lowest = max(min(n) for n in orders)
    if band <= lowest:
        raise ValueError(
            f"band: expected more than {lowest}, the lowest degree of a field in {field_type!r}, "
            f"got {band}"
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
                generator=generator,
                dtype=torch.float64,
            )
            / math.sqrt((2 * l + 1) * e)
            for (mul, _), n, e in zip(field_type.blocks, orders, energy, strict=True)
        ]
        degrees.append(torch.cat(parts, 1).flatten())
    to_field = field_synthesis(field_type, band, torch.float64, torch.device("cpu"))
    return to_field(torch.cat(degrees), batch)
