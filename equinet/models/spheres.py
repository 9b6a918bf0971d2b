"""Networks over the sphere.

Types are made of irreps: "8x0" are functions, "4x1" tangent vectors such as winds, "2x2" fields
such as a polarisation; "8x regular" are functions on all rotations. A sphere whose grid holds more
than its band, as ``Sphere(32, grid=soft(48))``, keeps the error of the nonlinearities small.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Generator, nn, relu

from equinet import nn as enn
from equinet.field import FieldType
from equinet.field.sphere import sphere_of
from equinet.models.blocks import (
    MOST,
    Function,
    Norm,
    Step,
    Style,
    check_hidden,
    check_norm,
    ladder,
    typed,
)
from equinet.numerics.arguments import check_integer
from equinet.steerable import SphereFilter, blurred, smooth


def spherical_resnet(
    in_type: FieldType,
    hidden: Sequence[str | FieldType],
    classes: int,
    *,
    blocks: int = 1,
    functions: SphereFilter | None = None,
    norm: Norm = enn.BatchNorm,
    function: Function = relu,
    generator: Generator | None = None,
) -> enn.Sequential:
    r"""A residual network over the sphere, from fields to numbers that no rotation changes.

    .. math:: x \to h_1 \to h_1 + \Phi(h_1) \to h_2 \to \dots \to h_k \to \text{scalars} \to
              \text{their means} \to \text{classes}

    A level is a convolution with a norm and a nonlinearity, which leads to the band of the level,
    and residual blocks behind it. The nonlinearity is a ``Gate`` for irreps and ``function`` for
    functions on all rotations.

    Args:
        in_type: of the input.
        hidden: fields of each level: types over spheres of their own, or names such as
            ``["8x0 + 4x1", "16x0 + 8x1"]`` for the bands b, b/2, b/4, ... of the input.
        classes: how many numbers there are in the end.
        blocks: residual blocks of each level.
        functions: what filters are made of, such as ``steerable.blurred()``, the default,
            ``smooth()`` or, for regular fields, ``near_identity()``.
        norm: makes a norm from a type.
        function: of single values.
        generator: for the initial weights.
    Shape:
        ``in_type.shape(batch)`` to ``(batch, classes)``.
    Raises:
        TypeError: if ``hidden`` is no row of types.
        ValueError: for fields over another space, for names where the grid of a lower band is not
            known, and for a number out of range.

    References:
        Esteves, Makadia and Daniilidis 2020, Spin-weighted spherical CNNs, arXiv 2006.10731.

    Example:
        >>> import torch
        >>> from equinet.field import Sphere
        >>> x = Sphere(8).fields("1x0 + 1x1")
        >>> net = spherical_resnet(x, ["4x0 + 2x1", "8x0 + 4x1 + 2x2"], classes=5)
        >>> net(torch.zeros(x.shape(2))).shape
        torch.Size([2, 5])
    """
    check_integer(classes, "classes")
    check_integer(blocks, "blocks", 0, MOST)
    style = _style(in_type, functions, norm, function, generator)
    layers: list[nn.Module] = []
    here = in_type
    for h in _levels(in_type, hidden):
        layers += [style.block(here, h), *(style.residual(h) for _ in range(blocks))]
        here = h
    return enn.Sequential(*layers, *style.head(here, classes))


def spherical_unet(
    in_type: FieldType,
    hidden: Sequence[str | FieldType],
    out_type: FieldType | str,
    *,
    blocks: int = 1,
    functions: SphereFilter | None = None,
    norm: Norm = enn.BatchNorm,
    function: Function = relu,
    generator: Generator | None = None,
) -> enn.Sequential:
    """A U-Net over the sphere, from fields to fields, such as an image and its segments.

    A convolution leads down to the band of the next level and ``enn.Upsample`` back, both through
    spectra and so without aliasing. What a level had on the way down is beside what comes up.

    Args:
        in_type: of the input.
        hidden: fields of each level, from fine to coarse, as in ``spherical_resnet``; the first
            over the sphere of the input.
        out_type: of the output over the same sphere, or its name.
        blocks: convolutions of each level on the way down.
        functions: what filters are made of; ``steerable.blurred()`` by default.
        norm: makes a norm from a type.
        function: of single values.
        generator: for the initial weights.
    Shape:
        ``in_type.shape(batch)`` to ``out_type.shape(batch)``.
    Raises:
        TypeError, ValueError: as ``spherical_resnet``.

    Example:
        >>> import torch
        >>> from equinet.field import Sphere
        >>> x = Sphere(8).fields("3x0")
        >>> net = spherical_unet(x, ["4x0 + 2x1", "4x0 + 2x1"], "2x0")
        >>> net(torch.zeros(x.shape(1))).shape
        torch.Size([1, 2, 16, 16])
    """
    check_integer(blocks, "blocks", 0, MOST)
    style = _style(in_type, functions, norm, function, generator)
    types = _levels(in_type, hidden)
    typed(in_type.space, types[0])
    steps = [
        Step(lambda h, low: [style.block(h, low)], partial(enn.Upsample, sphere=sphere_of(h)))
        for h in types[:-1]
    ]
    y = typed(in_type.space, out_type, "out_type")
    return enn.Sequential(
        style.block(in_type, types[0]),
        *ladder(style, types, steps, blocks),
        style.last(types[0], y),
    )


def spherical_operator(
    in_type: FieldType,
    hidden: str | FieldType,
    out_type: FieldType | str,
    *,
    blocks: int = 4,
    function: Function = relu,
    generator: Generator | None = None,
) -> enn.Sequential:
    """A spherical Fourier neural operator, such as from one state of the weather to the next.

    A block convolves with filters that reach over the whole sphere and are smooth in the degree,
    and then has a network of its own at each point, both beside the identity.

    Args:
        in_type: of the input.
        hidden: of the fields between, over the same sphere.
        out_type: of the output, likewise.
        blocks: how many there are.
        function: of single values.
        generator: for the initial weights.
    Shape:
        ``in_type.shape(batch)`` to ``out_type.shape(batch)``.
    Raises:
        ValueError: for fields over another space, and for a number out of range.

    References:
        Bonev et al. 2023, Spherical Fourier neural operators, arXiv 2306.03838.

    Example:
        >>> import torch
        >>> from equinet.field import Sphere
        >>> x = Sphere(8).fields("2x0 + 1x1")
        >>> net = spherical_operator(x, "8x0 + 4x1", x, blocks=1)
        >>> net(torch.zeros(x.shape(1))).shape == x.shape(1)
        True
    """
    check_integer(blocks, "blocks", 0, MOST)
    sphere = sphere_of(in_type)
    h, y = typed(sphere, hidden), typed(sphere, out_type, "out_type")
    wide = h + h

    def norm(fields: FieldType) -> nn.Module:
        return enn.InstanceNorm(fields, affine=True)

    def beside(body: list[nn.Module]) -> enn.Residual:
        return enn.Residual(enn.Sequential(norm(h), *body))

    convolution = partial(enn.SphereConv, generator=generator)
    spectral = Style(partial(convolution, functions=smooth()), enn.Identity, function)
    pointwise = Style(partial(enn.Linear, generator=generator), enn.Identity, function)
    layers: list[nn.Module] = []
    for _ in range(blocks):
        layers.append(beside([spectral.block(h, h)]))
        layers.append(beside([pointwise.block(h, wide), enn.Linear(wide, h, generator=generator)]))
    return enn.Sequential(
        convolution(in_type, h, functions=blurred()),
        *layers,
        convolution(h, y, functions=blurred()),
    )


def _levels(in_type: FieldType, hidden: Sequence[str | FieldType]) -> list[FieldType]:
    """The types of all levels; names are over spheres of half the band each."""
    sphere = sphere_of(in_type)
    found: list[FieldType] = []
    for level, fields in enumerate(check_hidden(hidden)):
        if isinstance(fields, FieldType):
            sphere_of(fields, "hidden")
            found.append(fields)
            continue
        band = sphere.band >> level
        if level and (band == 0 or sphere.rings.soft_band is None):
            raise ValueError(
                f"hidden: expected a field type for level {level}, as {sphere} does not say the "
                f"sphere below it, such as Sphere({max(band, 1)}, grid=gauss({max(band, 1)}))"
                f".fields({fields!r}), got the name {fields!r}"
            )
        found.append((sphere.at(band) if level else sphere).fields(fields))
    return found


def _style(
    in_type: FieldType,
    functions: SphereFilter | None,
    norm: Norm,
    function: Function,
    generator: Generator | None,
) -> Style:
    sphere_of(in_type)
    check_norm(norm)
    functions = blurred() if functions is None else functions
    layer = partial(enn.SphereConv, functions=functions, bias=False, generator=generator)
    return Style(layer, norm, function, generator)
