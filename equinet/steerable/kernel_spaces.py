r"""How many equivariant kernels of a kind there are, from characters alone.

In: two fibres and where the kernels live. Out: the dimension of the space of all of them, found
without a basis, so that a basis can be judged by it.

By Schur's lemma everything is a count of intertwiners, which is a mean over the group,

.. math:: \dim \mathrm{Hom}_H(\psi_{in}, \psi_{out})
          = \int_H \chi_{in}(h)\, \chi_{out}(h)\, dh \quad (K7)
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from equinet.group import O2, O3, SO2, SO3, Axial, FiniteGroup, Group
from equinet.harmonics import FilterGrid, harmonics_representation
from equinet.numerics.cached import on_cpu
from equinet.rep import Block, Fibre, Irrep, Representation

_NEAR = 1e-6  # units of the grid

Count = Callable[[Irrep, Irrep], int]  # of the kernels from one irrep to another


class KernelSpace(Protocol):
    """All equivariant kernels that a layer could have."""

    @property
    def dim(self) -> int | None:
        """How many of them are independent; None if that is not known."""
        ...


@dataclass(frozen=True)
class _FibreKernels:
    """All equivariant kernels between two fibres, which fall apart into pairs of irreps.

    Attributes:
        fibre_in: where the kernels map from.
        fibre_out: where they map to.
        filters: the number of filters, each of which may be any kernel.
    """

    fibre_in: Fibre
    fibre_out: Fibre
    filters: int = field(default=1, kw_only=True)

    @property
    def group(self) -> Group:
        """H."""
        return self.fibre_in.group

    @property
    @on_cpu
    def dim(self) -> int | None:
        """The number of independent kernels; None if it is not known."""
        count = self._count()
        if count is None:
            return None
        return self.filters * sum(
            many_in * many_out * count(psi_in, psi_out)
            for psi_in, many_in in self.fibre_in.counts.items()
            for psi_out, many_out in self.fibre_out.counts.items()
        )

    def _count(self) -> Count | None:
        """The number of kernels between two irreps; without more, of matrices (K7)."""
        return lambda psi_in, psi_out: _hom(
            psi_in, psi_out, *self.group.grid(psi_in.degree + psi_out.degree)
        )


@dataclass(frozen=True)
class Intertwiners(_FibreKernels):
    """All matrices W with W rho_in(h) = rho_out(h) W."""


@dataclass(frozen=True)
class DirectionKernels(_FibreKernels):
    """All kernels that are functions of the direction.

    Attributes:
        lmax: the largest degree of these functions, for a group without all rotations; with them no
            degree above the sum of those of the irreps can couple.
    """

    lmax: int

    def _count(self) -> Count:
        return functools.partial(_in_all_directions, self.group, self.lmax)


@dataclass(frozen=True)
class TapKernels(_FibreKernels):
    """All kernels with K(h x) = rho_out(h) K(x) rho_in(h)^-1 on R^n, at the taps of a filter.

    Attributes:
        grid: the taps.
    """

    grid: FilterGrid

    def _count(self) -> Count | None:
        return _at_taps(self.group, self.grid.points, _NEAR * self.grid.unit)


@dataclass(frozen=True)
class SphereKernels:
    """All equivariant linear maps between fields on the sphere.

    Attributes:
        blocks_in: of the fields that go in.
        blocks_out: of those that come out.
        band: the degrees l < band are mapped.
        filters: how many of them stand below each other, for other fields.
    """

    blocks_in: tuple[Block, ...]
    blocks_out: tuple[Block, ...]
    band: int
    filters: int = 1

    @property
    @on_cpu
    def dim(self) -> int:
        """The number of independent maps, degree by degree."""
        parities = (1, -1) if isinstance(self.blocks_in[0][1].group, O2) else (1,)
        return self.filters * sum(
            mul_out * _multiplicity(l, parity, out) * mul_in * _multiplicity(l, parity, into)
            for l in range(self.band)
            for parity in parities
            for mul_out, out in self.blocks_out
            for mul_in, into in self.blocks_in
        )


def _hom(psi_in: Irrep, psi_out: Irrep, g: Tensor, weights: Tensor) -> int:
    """Dim Hom of a group, the mean of the product of the characters."""
    return round(float(weights @ (psi_in.character(g) * psi_out.character(g))))


def _in_all_directions(group: Group, lmax: int, psi_in: Irrep, psi_out: Irrep) -> int:
    """The kernels that are functions of the direction, degree by degree.

    No degree above the sum of those of the irreps can couple, if the group has all rotations.
    """
    both = psi_in.degree + psi_out.degree
    largest = both if isinstance(group, SO2 | O2 | SO3 | O3) else lmax
    total = 0
    for J in range(min(largest, 1) + 1 if group.n == 1 else largest + 1):
        g, weights = group.grid(both + J)
        turned = harmonics_representation(group, J).character(g)
        total += _hom(psi_in, psi_out, g, weights * turned)
    return total


def _at_taps(group: Group, points: Tensor, near: float) -> Count | None:
    r"""The kernels K(h x) = rho_out(h) K(x) rho_in(h)^-1 on some points.

    On one orbit K(x) at one of its points is any intertwiner of the stabiliser, Hom_{H_x}.
    """
    if isinstance(group, FiniteGroup):
        images = torch.einsum("hij,pj->phi", group.elements, points)
        alike = (images[:, :, None] - points).abs().amax(-1).amin(1) < near  # (taps, taps)
        first = alike.int().argmax(1).unique()
        fixed = (images[first] - points[first][:, None]).abs().amax(-1) < near
        elements = [(g := group.elements[mask], g.new_ones(len(g)) / len(g)) for mask in fixed]
        return lambda psi_in, psi_out: sum(_hom(psi_in, psi_out, *pair) for pair in elements)
    if not isinstance(group, SO2 | O2 | SO3 | O3 | Axial):
        return None
    axis = torch.tensor(group.axis, dtype=torch.float64) if isinstance(group, Axial) else None
    height = points.new_zeros(len(points)) if axis is None else points @ axis
    if axis is not None and (axis @ group.components.mT @ axis < 0).any():
        height = height.abs()
    places = (torch.stack([points.norm(dim=1), height], 1) / near / 10).round()
    _, orbit = places.unique(dim=0, return_inverse=True)
    ones = [points[orbit == i][0] for i in range(int(orbit.max()) + 1)]
    return lambda psi_in, psi_out: sum(
        _hom(psi_in, psi_out, *_fixing(group, x, axis, psi_in.degree + psi_out.degree))
        for x in ones
    )


def _fixing(group: Group, x: Tensor, axis: Tensor | None, degree: int) -> tuple[Tensor, Tensor]:
    """Elements of a continuous group that fix a point, enough for means of functions to a degree.

    These are turns about x and mirrors through x; if the group has some but not all of them they
    are the half turn, and the mirrors that hold or are normal to its axis.
    """
    if not x.norm() > 0:
        return group.grid(degree)
    one = torch.eye(group.n, dtype=torch.float64)
    u = x / x.norm()
    if group.n == 2:  # no turn of the plane fixes a point but the centre
        normal = torch.stack([-u[1], u[0]])
        found = torch.stack([one, one - 2 * normal.outer(normal)])
    else:
        other = one[u.abs().argmin()] if axis is None else axis
        across = torch.linalg.cross(u, other)
        if not across.norm() > 1e-6:  # on the axis all mirrors are alike
            across = torch.linalg.cross(u, one[u.abs().argmin()])
        across = across / across.norm()
        # More turns than the degree, so that means are exact; and an even number, so that the half
        # turn is one of them, and the mirrors, of which the first holds x and the axis, have the
        # one normal to the axis of a group, if x is. A group with no others has these.
        count = 4 * (degree // 4 + 1)
        angles = 2 * math.pi * torch.arange(count, dtype=torch.float64) / count
        cross = torch.linalg.cross(u.expand(3, 3), one, dim=1).mT  # v -> u x v
        c, s = angles.cos()[:, None, None], angles.sin()[:, None, None]
        turns = c * one + s * cross + (1 - c) * u.outer(u)
        # Normals by half the angles: the mirrors of a polygon with as many corners.
        half = angles[:, None] / 2
        normals = half.cos() * across + half.sin() * (cross @ across)
        found = torch.cat([turns, one - 2 * normals[:, :, None] * normals[:, None, :]])
    found = found[group.mask(found)]
    return found, found.new_ones(len(found)) / len(found)


def _multiplicity(l: int, parity: int, rho: Representation) -> int:
    """How often an irrep of degree l occurs in the fields over the sphere.

    By Frobenius reciprocity. Where mirrors act there are two of each degree: those of functions,
    where the character of the mirrors that keep a point is 1, and of pseudoscalars, where it is -1.
    """
    if rho.is_sampled:
        return 2 * l + 1
    g, weights = rho.group.grid(l + rho.degree)
    angle = torch.atan2(g[:, 1, 0], g[:, 0, 0])
    orders = torch.arange(1, l + 1, dtype=torch.float64)
    chi = 1 + 2 * torch.cos(orders[:, None] * angle).sum(0)
    chi = torch.where(torch.linalg.det(g) > 0, chi, float(parity))
    return round(float(weights @ (chi * rho.character(g))))
