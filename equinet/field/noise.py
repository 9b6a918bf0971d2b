"""Random fields over every space.

In: field types. Out: ``random_field``.
"""

import torch
from torch import Generator, Tensor

from equinet.field.field_type import FieldType, check_type
from equinet.field.space import Noise
from equinet.numerics.arguments import check_integer


def noise_options(field_type: FieldType) -> tuple[str, ...]:
    """Which of band, sizes and smoothness ``random_field`` takes for such fields."""
    return (*field_type.space.noise_options, *(["sizes"] if field_type.open_axes else []))


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
        sizes: of the axes that the space leaves open, as a grid does, which must be said.
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
    dtype = dtype or torch.get_default_dtype()
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise TypeError(f"dtype: expected a real floating type, got {dtype}")
    asked = Noise(generator, band, sizes, smoothness)
    space, options = field_type.space, noise_options(field_type)
    for name, value in {"band": band, "sizes": sizes, "smoothness": smoothness}.items():
        if value is not None and name not in options:
            raise ValueError(
                f"{name}: has no meaning for {field_type!r}, expected None, got {value!r}"
            )
    return space.noise(field_type, batch, asked).to(dtype)
