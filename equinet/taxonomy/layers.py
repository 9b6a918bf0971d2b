"""One layer of each kind.

All are called with the refinement of the grid and the generator of the weights last; what comes
before makes a row of it. Fields are written as "1x regular -> 2x regular".
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Generator

from equinet.field import FieldType, HomogeneousSpace, Plane, Point, Points, Sphere, Volume, torus
from equinet.group import (
    FiniteGroup,
    Group,
    find_subgroup,
    icosahedral,
    octahedral,
    point_group,
    symmetric,
)
from equinet.harmonics import Bessel, FilterGrid, Harmonics, Pixels
from equinet.nn import (
    Conv2d,
    Conv3d,
    EquivariantModule,
    HomogeneousConv,
    PointConv,
    RadialNetwork,
    Sequential,
    SphereConv,
    TensorProduct,
    VectorFieldPool,
)
from equinet.steerable import near_identity, smooth

_BAND = 4
_HEXAGON = 4
_CONVOLUTIONS: dict[type[Plane | Volume], type[Conv2d | Conv3d]] = {Plane: Conv2d, Volume: Conv3d}

Layer = EquivariantModule | Sequential
Spaces = Plane | Volume | Points | Sphere | Point | HomogeneousSpace


def types(space: Spaces, fields: str) -> tuple[FieldType, FieldType]:
    """The types of input and output."""
    start, stop = fields.split(" -> ")
    return space.fields(start), space.fields(stop)


def lattice(
    kind: type[Plane | Volume], group: str, fields: str, refinement: int, generator: Generator
) -> Conv2d | Conv3d:
    """All kernels on 3 x 3 or 3 x 3 x 3 pixels: nothing here knows more than the lattice."""
    x, y = types(kind(group), fields)
    return _CONVOLUTIONS[kind](x, y, 3, padding="same", functions=Pixels, generator=generator)


def continuum(
    kind: type[Plane | Volume],
    group: str,
    fields: str,
    radius: float,
    refinement: int,
    generator: Generator,
) -> Conv2d | Conv3d:
    """A filter on R^n of this radius, sampled on a grid whose steps are 1 / refinement.

    Bessel functions are smooth at the origin and vanish at the radius, so that samples say more and
    more of the filter.
    """
    x, y = types(kind(group, spacing=1 / refinement), fields)
    size = 2 * math.ceil(radius * refinement) - 1
    functions = functools.partial(_bessel, radius)
    return _CONVOLUTIONS[kind](x, y, size, padding="same", functions=functions, generator=generator)


def _bessel(radius: float, group: Group, grid: FilterGrid) -> Harmonics:
    return Harmonics(group, Bessel(radius, group.n))


def vectors(group: str, radius: float, refinement: int, generator: Generator) -> Layer:
    """Vectors become functions of the orientation, and these the vector to their maximum."""
    convolution = continuum(Plane, group, "1x vector -> 1x regular", radius, refinement, generator)
    return Sequential(convolution, VectorFieldPool(convolution.out_type))


def points(group: str, fields: str, refinement: int, generator: Generator) -> Layer:
    """A convolution over all pairs of points, with learned functions of the distance."""
    x, y = types(Points(group, dim=3), fields)
    radial = RadialNetwork(4.0, features=4, hidden=(8,), num_basis=4, generator=generator)
    return PointConv(x, y, radial, neighbours=7.0, generator=generator)


def localised(fields: str, refinement: int, generator: Generator) -> Layer:
    """A correlation on the sphere with a filter of a few points about the pole."""
    x, y = types(Sphere(_BAND), fields)
    return SphereConv(x, y, near_identity(), generator=generator)


def spectral(fields: str, refinement: int, generator: Generator) -> Layer:
    """All correlations on the sphere, with free matrices at every degree."""
    x, y = types(Sphere(_BAND), fields)
    return SphereConv(x, y, smooth(knots=_BAND, max_order=_BAND), generator=generator)


def products(fields: str, refinement: int, generator: Generator) -> Layer:
    """Products of the degrees of a spectrum, by Clebsch-Gordan coefficients."""
    x, y = types(Point("SO(3)", dim=3), fields)
    return TensorProduct(x, y, generator=generator)


def hexagonal(group: str, fields: str, refinement: int, generator: Generator) -> Layer:
    """All maps on a periodic triangular lattice."""
    x, y = types(torus(_HEXAGON, group), fields)
    return HomogeneousConv(x, y, generator=generator)


def sets(n: int, fields: str, refinement: int, generator: Generator) -> Layer:
    """All maps between fields over a set of n things, which S_n permutes."""
    x, y = types(HomogeneousSpace.of(symmetric(n), torch.eye(n)), fields)
    return HomogeneousConv(x, y, generator=generator)


def faces_to_corners(fields: str, refinement: int, generator: Generator) -> Layer:
    """All maps from fields over the faces of a cube to fields over its corners."""
    start, stop = fields.split(" -> ")
    faces, corners = (_polyhedron(octahedral(), stabiliser) for stabiliser in ("C4", "C3"))
    return HomogeneousConv(faces.fields(start), corners.fields(stop), generator=generator)


def corners(fields: str, refinement: int, generator: Generator) -> Layer:
    """All maps between fields over the twelve corners of an icosahedron."""
    x, y = types(_polyhedron(icosahedral(), "C5"), fields)
    return HomogeneousConv(x, y, generator=generator)


def _polyhedron(group: FiniteGroup, stabiliser: str) -> HomogeneousSpace:
    """The points of a polyhedron that such a subgroup leaves in place."""
    like = point_group(stabiliser)
    assert isinstance(like, FiniteGroup)
    return HomogeneousSpace(group, find_subgroup(group, like))
