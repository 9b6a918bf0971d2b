r"""How many maps a layer has, and how many there are.

In: a layer with equivariant kernels. Out: the rank of the map from its weights to its kernel, from
the layer; and the dimension of the space of all kernels, from characters alone.
"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from equinet.group import O2, O3, SO2, SO3, Axial, FiniteGroup, Group
from equinet.harmonics.grid import degree_columns
from equinet.harmonics.steered import harmonics_representation
from equinet.nn import HomogeneousConv, Linear, PointConv, SphereConv
from equinet.nn.conv import Convolution, part
from equinet.nn.steerable import Steerable
from equinet.rep import Irrep, Representation, fibre
from equinet.rep.fibres import Block
from equinet.steerable import HomogeneousKernels

_RANK = 1e-9  # singular values below this part of the largest are zero
_MOST = 2**27  # numbers of a Jacobian that is still decomposed
_CHUNK = 64  # tangents at once
_NEAR = 1e-6  # units of the grid

Layer = Steerable | SphereConv


# --- how many weights act independently -----------------------------------------------------------


class _Kernel(nn.Module):
    """All numbers of a layer's kernel in a row, as a function of its parameters."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self) -> Tensor:
        return torch.cat([matrix.flatten() for matrix in self.matrices()])

    def matrices(self) -> list[Tensor]:
        """``(rows, columns, ...)`` each."""
        return self.layer.expand() if isinstance(self.layer, SphereConv) else [self.layer.filters()]

    def fields(self) -> Tensor:
        """The fields (out, in) that each number is between, int64 ``(numbers, 2)``."""
        found = []
        for i, matrix in enumerate(self.matrices()):
            rows, columns = self._labels(i, matrix)
            pair = torch.stack(torch.broadcast_tensors(rows[:, None], columns), -1)
            found.append(pair.flatten(0, 1).repeat_interleave(math.prod(matrix.shape[2:]), 0))
        return torch.cat(found)

    def _labels(self, i: int, matrix: Tensor) -> tuple[Tensor, Tensor]:
        if not isinstance(self.layer, SphereConv):
            blocks_in, blocks_out = _blocks(self.layer)
            rows, columns = _copies(blocks_out), _copies(blocks_in)
            count = len(matrix) // len(rows)  # of filters below each other
            shift = torch.arange(count)[:, None] * (int(rows.max()) + 1)
            return (rows + shift).flatten(), columns
        sides = []
        for field_type, orders in (
            (self.layer.out_type, self.layer.orders_out),
            (self.layer.in_type, self.layer.orders_in),
        ):
            labels, first = [], 0
            for (mul, _), n in zip(field_type.blocks, orders, strict=True):
                labels.append(first + torch.arange(mul).repeat(degree_columns(i, n)))
                first += mul
            sides.append(torch.cat(labels))
        return sides[0], sides[1]


def _copies(blocks: tuple[Block, ...]) -> Tensor:
    """The number of the field of each channel."""
    sizes = torch.tensor([rho.dim for mul, rho in blocks for _ in range(mul)])
    return torch.arange(len(sizes)).repeat_interleave(sizes)


def _blocks(layer: Steerable) -> tuple[tuple[Block, ...], tuple[Block, ...]]:
    """The blocks that one filter of the layer is between."""
    groups = layer.groups if isinstance(layer, Convolution) else 1
    return part(layer.in_type.blocks, groups, ""), part(layer.out_type.blocks, groups, "")


def independent(layer: Layer) -> tuple[int, int | None]:
    """How many parameters make the kernel, and the rank of the map (E3); None if it is too large.

    Where each parameter acts between two fields only, as in all layers of this library, the
    Jacobian falls into as many blocks, and one tangent has a column of each of them.
    """
    kernel = _Kernel(copy.deepcopy(layer).cpu().double())
    fields, y = kernel.fields(), kernel()
    of_out, of_in = (_weights_of(kernel, y, fields[:, side]) for side in (0, 1))
    weights, width = of_out.shape[1], len(of_in)
    where = of_out.int().argmax(0) * width + of_in.int().argmax(0)
    cells = fields[:, 0] * width + fields[:, 1]
    if max(of_out.sum(0).max(), of_in.sum(0).max()) > 1:  # some act in several places
        where, cells = torch.zeros_like(where), torch.zeros_like(cells)
    alive = of_out.any(0).nonzero()[:, 0]
    members = [alive[where[alive] == cell] for cell in where[alive].unique()]
    most = max(map(len, members), default=0)
    if not most or most * len(y) > _MOST:
        return weights, None if most else 0
    tangents = y.new_zeros(most, weights)
    for columns in members:
        tangents[range(len(columns)), columns] = 1
    jacobian = _slopes(kernel, tangents)
    return weights, sum(_rank(jacobian[: len(m)][:, cells == where[m[0]]]) for m in members)


def _used(kernel: _Kernel, y: Tensor) -> dict[str, Tensor]:
    """The parameters that the kernel is made of."""
    named = dict(kernel.named_parameters())
    slopes = torch.autograd.grad(
        y.sum(), list(named.values()), retain_graph=True, allow_unused=True
    )
    return {n: p for (n, p), s in zip(named.items(), slopes, strict=True) if s is not None}


def _weights_of(kernel: _Kernel, y: Tensor, fields: Tensor) -> Tensor:
    """Which weights act on the numbers of each field, bool ``(fields, weights)``.

    A random functional of these numbers depends on each of them.
    """
    generator = torch.Generator().manual_seed(0)
    functional = torch.randn(len(y), generator=generator, dtype=y.dtype)
    used = list(_used(kernel, y).values())
    rows = []
    for field in range(int(fields.max()) + 1):
        of_field = (functional * (fields == field) * y).sum()
        slopes = torch.autograd.grad(of_field, used, retain_graph=True)
        rows.append(torch.cat([slope.flatten() != 0 for slope in slopes]))
    return torch.stack(rows)


def _slopes(kernel: _Kernel, tangents: Tensor) -> Tensor:
    """The derivatives of the kernel along some directions ``(count, weights)``.

    The transpose of the transpose of the Jacobian: torch's forward mode would warn.
    """
    used = {name: p.detach() for name, p in _used(kernel, kernel()).items()}
    sizes = [p.numel() for p in used.values()]
    at = functools.partial(torch.func.functional_call, kernel, args=())
    y, pull = torch.func.vjp(at, used)[:2]
    push = torch.func.vjp(lambda of: pull(of)[0], torch.zeros_like(y))[1]

    def slope(tangent: Tensor) -> Tensor:
        parts = zip(used.items(), tangent.split(sizes), strict=True)
        return push({name: part.view_as(p) for (name, p), part in parts})[0]

    return torch.func.vmap(slope, chunk_size=_CHUNK)(tangents)


def _rank(matrix: Tensor) -> int:
    """The rank, from as many random sums of the columns as it can be, and some more."""
    generator = torch.Generator().manual_seed(0)
    shape = matrix.shape[1], len(matrix) + 8
    if shape[1] < shape[0]:
        sums = torch.randn(shape, generator=generator, dtype=matrix.dtype)
        matrix = matrix @ sums
    values = torch.linalg.svdvals(matrix)
    return int((values > _RANK * values.max()).sum()) if values.max() > 0 else 0


# --- what the theory says -------------------------------------------------------------------------


def all_maps(layer: Layer) -> int | None:
    """The dimension of the space of all maps, from characters; None if it is not known."""
    if isinstance(layer, SphereConv):
        return sum(
            _multiplicity(l, out) * mul_out * _multiplicity(l, into) * mul_in
            for l in range(layer.band)
            for mul_out, out in layer.out_type.blocks
            for mul_in, into in layer.in_type.blocks
        )
    count = _pair_dim(layer)
    if count is None:
        return None
    filters = len(layer.weight)
    into, out = (fibre(blocks).counts for blocks in _blocks(layer))
    return filters * sum(
        into[psi_in] * out[psi_out] * count(psi_in, psi_out) for psi_in in into for psi_out in out
    )


Count = Callable[[Irrep, Irrep], int]


def _pair_dim(layer: Steerable) -> Count | None:
    """The number of kernels between two irreps."""
    group = layer.in_type.space.fibre_group
    if isinstance(layer, HomogeneousConv):
        into: Any = layer.in_type.space
        out: Any = layer.out_type.space
        return lambda psi_in, psi_out: (
            HomogeneousKernels(into.section, out.section, psi_in, psi_out).dim
        )
    if isinstance(layer, Linear):
        return lambda psi_in, psi_out: _hom(
            psi_in, psi_out, *group.grid(psi_in.degree + psi_out.degree)
        )
    if isinstance(layer, PointConv):
        return functools.partial(_in_all_directions, group, layer.lmax)
    if isinstance(layer, Convolution):
        return _at_taps(group, layer.taps.points, _NEAR * layer.taps.unit)
    return None


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
    if group.n == 2:
        normal = torch.stack([-u[1], u[0]])
        found = torch.stack([one, one - 2 * normal.outer(normal)])
    else:
        other = one[u.abs().argmin()] if axis is None else axis
        across = torch.linalg.cross(u, other)
        if not across.norm() > 1e-6:  # on the axis all mirrors are alike
            across = torch.linalg.cross(u, one[u.abs().argmin()])
        across = across / across.norm()
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


def _multiplicity(l: int, rho: Representation) -> int:
    """How often the degree l occurs in the fields over the sphere, by Frobenius reciprocity."""
    if rho.is_regular:
        return 2 * l + 1
    g, weights = rho.group.grid(l + rho.degree)
    angle = torch.atan2(g[:, 1, 0], g[:, 0, 0])
    orders = torch.arange(1, l + 1, dtype=torch.float64)
    chi = 1 + 2 * torch.cos(orders[:, None] * angle).sum(0)
    return round(float(weights @ (chi * rho.character(g))))
