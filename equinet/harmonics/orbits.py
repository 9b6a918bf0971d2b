r"""All functions on the orbits of the taps of a filter.

On an orbit H x_0, with stabiliser S = {h : h x_0 = x_0}, the functions that transform by an irrep
are the matrix entries

.. math:: f_v(r x_0) = \sqrt{d}\, \psi(r) v, \qquad \psi(s) v = v \quad \forall s \in S \quad (P1)

for orthonormal v. A kernel (K4) is known on an orbit if it is known at x_0, where it is any map
that commutes with S; so the kernels made of these functions are all kernels on the taps, each once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from equinet.group import O2, O3, SO2, SO3, Axial, FiniteGroup, Group, axial, subgroup
from equinet.group.finite import finite_group
from equinet.group.group import check_group
from equinet.harmonics.filter_grids import FilterGrid, check_grid
from equinet.numerics.arguments import check_integer
from equinet.numerics.cached import cached
from equinet.rep import Irrep, irreps
from equinet.rep.functions import invariant_vectors

_NEAR = 1e-6  # units of the grid


@dataclass(frozen=True)
class Orbits:
    """All functions on the orbits of the taps of a filter, 0 elsewhere.

    ``functions=Orbits`` gives a convolution all equivariant filters on its taps, for any finite
    group, also one that takes taps to places without one. A continuous group needs the largest
    degree of the functions; kernels between irreps of degrees j and k are made of those up to
    j + k: ``functions=functools.partial(Orbits, lmax=4)``.

    Attributes:
        group: H, finite, or a continuous one of the plane or of space.
        grid: the taps.
        lmax: the largest degree of the irreps by which they transform; 0 for a finite group.

    Example:
        >>> from equinet.group import cyclic
        >>> from equinet.harmonics import filter_grid
        >>> sum(Orbits(cyclic(8), filter_grid(3, 2)).counts.values())
        11
    """

    group: Group
    grid: FilterGrid
    lmax: int = 0

    def __post_init__(self) -> None:
        check_group(self.group)
        check_grid(self.grid)
        check_integer(self.lmax, "lmax", 0)
        if not isinstance(self.group, FiniteGroup | SO2 | O2 | SO3 | O3 | Axial):
            raise TypeError(
                "group: expected a finite group, or a continuous one of the plane or of space, got "
                f"{self.group}"
            )
        if self.group.n != self.grid.n:
            raise ValueError(
                f"grid: expected one of {self.group.n} dimensions for {self.group}, got "
                f"{self.grid.n}"
            )

    @property
    def counts(self) -> dict[Irrep, int]:
        """How many vectors of functions transform by each irrep."""
        counts = {
            psi: sum(len(invariant_vectors(psi, orbit.stabiliser)) for orbit in _orbits(self))
            for psi in self._irreps
        }
        return {psi: count for psi, count in counts.items() if count}

    @property
    def _irreps(self) -> tuple[Irrep, ...]:
        return irreps(self.group, None if self.group.is_finite else self.lmax)

    def __call__(self, points: Tensor) -> dict[Irrep, Tensor]:
        """Values at ``points`` ``(..., n)``; they are 0 where no orbit of a tap passes."""
        flat = points.detach().reshape(-1, self.group.n).double()
        found: dict[Irrep, list[Tensor]] = {}
        for orbit in _orbits(self):
            on, r = _reached(self.group, orbit.start, flat, _NEAR * self.grid.unit)
            for psi in self._irreps:
                vectors = invariant_vectors(psi, orbit.stabiliser)
                if len(vectors):
                    rows = flat.new_zeros(len(vectors), psi.dim, len(flat))
                    values = torch.einsum("pij,vj->vip", psi.of_checked(r), vectors)
                    rows[..., on] = math.sqrt(psi.dim / orbit.size) * values
                    found.setdefault(psi, []).append(rows)
        whole = {psi: torch.cat(found[psi]).to(points) for psi in self._irreps if psi in found}
        return {
            psi: values.view(*values.shape[:2], *points.shape[:-1]) for psi, values in whole.items()
        }

    def on(self, grid: FilterGrid) -> dict[Irrep, Tensor]:
        """Their values at the taps of a filter."""
        return self(grid.points)


@dataclass(frozen=True, eq=False)
class _Orbit:
    """The orbit of a point.

    Attributes:
        start: x_0.
        stabiliser: S.
        size: how many taps are on it.
    """

    start: Tensor
    stabiliser: Group
    size: int


@cached(64)
def _orbits(functions: Orbits) -> tuple[_Orbit, ...]:
    """The orbits of the taps, from the centre outwards."""
    group, grid = functions.group, functions.grid
    points, near = grid.points, _NEAR * grid.unit
    left = torch.ones(len(points), dtype=torch.bool)
    found = []
    radius = points.norm(dim=-1) / grid.unit
    for first in radius.round(decimals=6).argsort(stable=True).tolist():
        if left[first]:
            start = points[first]
            if not isinstance(group, FiniteGroup):
                start = _start(_leading(group, start[None]), start[None])[0]
            on, _ = _reached(group, start, points, near)
            left &= ~on
            found.append(_Orbit(start, _stabiliser(group, start, near), int(on.sum())))
    return tuple(found)


def _reached(group: Group, start: Tensor, points: Tensor, near: float) -> tuple[Tensor, Tensor]:
    """Which points are on the orbit of one, and for those an r that leads there from it."""
    if isinstance(group, FiniteGroup):
        same = torch.cdist(group.elements @ start, points) < near  # (order, points)
        on = same.any(0)
        return on, group.elements[same[:, on].to(torch.int8).argmax(0)]
    leading = _leading(group, points)
    on = (_start(leading, points) - start).norm(dim=-1) < near
    return on, leading[on]


def _start(leading: Tensor, points: Tensor) -> Tensor:
    """Where elements lead to points from."""
    return torch.einsum("pij,pi->pj", leading, points)


def _leading(group: Group, x: Tensor) -> Tensor:
    """For each point ``(points, n)`` an element of a continuous group that leads there.

    It leads from the point of the orbit that has angle 0, and in space from the pole, or, if the
    group leaves an axis in place, from the upper half where it has both.
    """
    if group.n == 2:
        return _turn(x)
    if not isinstance(group, Axial):
        about = torch.nn.functional.pad(_turn(x[:, :2]), (0, 1, 0, 1))
        about[:, 2, 2] = 1
        tilt = torch.eye(3, dtype=x.dtype).repeat(len(x), 1, 1)
        tilt[:, ::2, ::2] = _turn(torch.stack([x[:, 2], -x[:, :2].norm(dim=1)], 1))
        return about @ tilt
    over = group.components  # of them one that makes heights positive
    down = group.parts(over)[1] < 0
    flip = over[int(down.int().argmax())]
    turned = ((x @ group.frame)[:, 2] < -_NEAR) & down.any()
    first = torch.where(turned[:, None, None], flip, group.identity())
    inner = _start(first, x) @ group.frame
    return first @ group.element(_turn(inner[:, :2]), torch.ones(len(x), dtype=x.dtype))


def _turn(x: Tensor) -> Tensor:
    """The rotations of the plane from the first axis to points ``(points, 2)``."""
    angle = torch.atan2(x[:, 1], x[:, 0])
    c, s = angle.cos(), angle.sin()
    return torch.stack([c, -s, s, c], -1).unflatten(-1, (2, 2))


def _stabiliser(group: Group, x: Tensor, near: float) -> Group:
    """The elements that leave a point alone, which for a continuous group is at angle 0."""
    if isinstance(group, FiniteGroup):
        fixed = (group.elements @ x - x).abs().amax(-1) < near
        return subgroup(group, group.elements[fixed])
    if x.norm() < near:
        return group
    if isinstance(group, SO3 | O3):
        return axial("Cinf" if isinstance(group, SO3) else "Cinfv", (0.0, 0.0, 1.0))
    frame = group.frame if isinstance(group, Axial) else torch.eye(2, dtype=x.dtype)
    if isinstance(group, Axial) and (frame.mT @ x)[:2].norm() < near:
        return axial("Cinfv" if group.kind in ("Cinfv", "Dinfh") else "Cinf", group.axis)
    sign = torch.tensor([1.0, -1.0], dtype=x.dtype)
    signs = torch.cartesian_prod(*[sign[:1], sign, sign][: group.n])
    elements = frame @ torch.diag_embed(signs) @ frame.mT
    kept = group.mask(elements) & ((elements @ x - x).norm(dim=-1) < near)
    return finite_group(elements[kept], "S")
