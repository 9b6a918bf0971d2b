"""Networks on the sphere of the library's own layers, for data such as weather, sky and shapes.

Each takes the types of its input and output and those of its hidden fields, made of irreps: "8x0"
are functions, "4x1" tangent vectors such as winds, "2x2" fields such as a polarisation. A sphere
whose grid holds more than its band, as ``Sphere(32, grid=soft(48))``, keeps the error of the
nonlinearities small.
"""

from torch import Generator, nn

from equinet import FieldType, Sphere
from equinet import nn as enn
from equinet.steerable import SphereFilter, blurred, smooth


def block(
    x: FieldType, h: FieldType, functions: SphereFilter, generator: Generator | None = None
) -> enn.Sequential:
    """A convolution from fields to others, and a nonlinearity."""
    wide = enn.gated(h)
    return enn.Sequential(
        enn.SphereConv(x, wide, functions, bias=False, generator=generator),
        enn.BatchNorm(wide),
        enn.Gate(h),
    )


def residual_block(h: FieldType, generator: Generator | None = None) -> enn.Residual:
    """Two local convolutions beside the identity."""
    last = enn.SphereConv(h, h, blurred(), generator=generator)
    return enn.Residual(enn.Sequential(block(h, h, blurred(), generator), last))


def spin_resnet(
    x: FieldType,
    hidden: list[FieldType],
    classes: int,
    blocks: int = 1,
    generator: Generator | None = None,
) -> enn.Sequential:
    """A residual network: each next sphere has a lower band, and in the end there are classes.

    Args:
        x: of the input.
        hidden: of the fields of each stage.
        classes: how many numbers there are in the end, which no rotation changes.
        blocks: residual blocks of each stage.
        generator: for the initial weights.
    Returns:
        The network.
    """
    layers: list[nn.Module] = []
    for h in hidden:
        layers.append(block(x, h, blurred(), generator))
        layers += [residual_block(h, generator) for _ in range(blocks)]
        x = h
    scalars = x.space.fields(f"{x.copies}x0")
    layers += [block(x, scalars, blurred(), generator), enn.Integrate(scalars)]
    return enn.Sequential(*layers, nn.Linear(x.copies, classes))


def unet(
    x: FieldType,
    hidden: list[FieldType],
    y: FieldType,
    generator: Generator | None = None,
) -> enn.Sequential:
    """A U-Net from fields to fields on one sphere, such as an image and its segments.

    Args:
        x: of the input.
        hidden: of the fields of each level; the first over the sphere of ``x``, the others over
            spheres of lower bands.
        y: of the output.
        generator: for the initial weights.
    Returns:
        The network.
    """
    return enn.Sequential(
        block(x, hidden[0], blurred(), generator),
        *_level(hidden, generator),
        enn.SphereConv(hidden[0], y, blurred(), generator=generator),
    )


def _level(hidden: list[FieldType], generator: Generator | None) -> list[nn.Module]:
    """Layers at one band and, between them, those at the bands below, beside a skip."""
    h, *lower = hidden
    if not lower:
        return [block(h, h, blurred(), generator)]
    sphere = lower[0].space
    assert isinstance(h.space, Sphere) and isinstance(sphere, Sphere)
    below = enn.Sequential(
        block(h, lower[0], blurred(), generator),  # the output has the lower band
        *_level(lower, generator),
        up := enn.Upsample(lower[0], sphere=h.space),
    )
    above = block(h + up.out_type, h, blurred(), generator)
    return [block(h, h, blurred(), generator), enn.Concat(enn.Identity(h), below), above]


def fourier_operator(
    x: FieldType,
    h: FieldType,
    y: FieldType,
    blocks: int = 4,
    generator: Generator | None = None,
) -> enn.Sequential:
    """A spherical Fourier neural operator, from one state of the weather to the next.

    A block convolves with filters that reach over the whole sphere and are smooth in the degree,
    and then has a network of its own at each point, both beside the identity.

    Args:
        x: of the input.
        h: of the hidden fields.
        y: of the output.
        blocks: how many there are.
        generator: for the initial weights.
    Returns:
        The network.

    References:
        Bonev et al. 2023, Spherical Fourier neural operators, arXiv 2306.03838.
    """
    layers = [part for _ in range(blocks) for part in _operator_block(h, generator)]
    first = enn.SphereConv(x, h, blurred(), generator=generator)
    return enn.Sequential(first, *layers, enn.SphereConv(h, y, blurred(), generator=generator))


def _operator_block(h: FieldType, generator: Generator | None) -> list[enn.Residual]:
    wide = h + h
    spectral = enn.Sequential(
        enn.InstanceNorm(h, affine=True),
        enn.SphereConv(h, enn.gated(h), smooth(), generator=generator),
        enn.Gate(h),
    )
    pointwise = enn.Sequential(
        enn.InstanceNorm(h, affine=True),
        enn.Linear(h, enn.gated(wide), generator=generator),
        enn.Gate(wide),
        enn.Linear(wide, h, generator=generator),
    )
    return [enn.Residual(spectral), enn.Residual(pointwise)]
