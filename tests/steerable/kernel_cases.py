"""The cases of the kernel tests: groups of every family, representations and radial profiles.

And the two oracles that know no irrep: the matrices of the harmonics from their values, and the
quadrature of class functions.
"""

import math

import torch
from hypothesis import strategies as st
from torch import Tensor

from equinet.group import (
    O2,
    O3,
    SO2,
    SO3,
    Axial,
    Group,
    axial,
    cyclic,
    dihedral,
    direct_product,
    icosahedral,
    inversion,
    o2,
    o3,
    octahedral,
    point_group,
    so2,
    so3,
    subgroup_classes,
    symmetric,
    tetrahedral,
    trivial_group,
)
from equinet.harmonics import (
    Angular,
    Bessel,
    BSpline,
    FilterGrid,
    GaussianShells,
    Harmonics,
    Radial,
    Zernike,
    angular_harmonics,
    filter_grid,
)
from equinet.numerics import angles_to_matrix
from equinet.rep import (
    Representation,
    direct_sum,
    irreps,
    quotient,
    regular,
    trivial,
    vector,
)
from equinet.steerable import KernelBasis, SampledKernels, kernel_basis

F64 = torch.float64
Block = tuple[int, Representation]
GENERIC = angles_to_matrix(*torch.tensor([0.3, 1.1, -0.7], dtype=F64))
LINE = [trivial_group(1), inversion(1)]
PLANE = [
    so2(),
    o2(),
    *[cyclic(n) for n in (1, 2, 3, 4, 5, 8)],
    *[dihedral(n) for n in (1, 2, 3, 4, 6)],
    dihedral(4).conjugate(so2().element(torch.tensor(0.4, dtype=F64))).renamed("D4 turned"),
    symmetric(2),
]
SPACE = [
    so3(),
    o3(),
    *[axial(kind) for kind in ("Cinf", "Cinfv", "Cinfh", "Dinf", "Dinfh")],
    axial("Dinfh", (1.0, 1.0, 0.3)),
    axial("Cinfh", (1.0, -2.0, 0.5)),
    direct_product(so2(), inversion(1)),
    trivial_group(3),
    inversion(3),
    *[point_group(name) for name in ("Cs", "C4", "S4", "C3h", "D3", "D4h")],
    point_group("C3", (1.0, 1.0, 1.0)).renamed("C3 about (1, 1, 1)"),
    tetrahedral(),
    octahedral(),
    icosahedral(),
    *[point_group(name) for name in ("Td", "Th", "Oh", "Ih")],
    octahedral().conjugate(GENERIC).renamed("O turned"),
    symmetric(3),
]
GROUPS: list[Group] = [*LINE, *PLANE, *SPACE]


def name(group: Group) -> str:
    """A name that tells the cases apart."""
    axis = f" {group.axis}" if isinstance(group, Axial) else ""
    return f"{group.name} in O({group.n}){axis}"


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random(*size: int, seed: int = 0) -> Tensor:
    return torch.randn(size, generator=seeded(seed), dtype=F64)


def scattered(group: Group, count: int, seed: int = 0) -> Tensor:
    """Points at radii from 0.3 to 2.3, on both sides of every shell and cut-off."""
    direction = random(count, group.n, seed=seed)
    radius = torch.linspace(0.3, 2.3, count, dtype=F64)[:, None]
    return radius * direction / direction.norm(dim=1, keepdim=True)


# Structure that hypothesis draws.


@st.composite
def radials(draw: st.DrawFn, n: int, lmax: int = 3) -> Radial:
    """A radial family with few functions, so that kernels stay small."""
    cutoff = draw(st.sampled_from(["conservative", "compromise", "sfcnn"]))
    return draw(
        st.sampled_from(
            [
                GaussianShells((0.0, 1.0, 2.0), 0.6, cutoff, lmax),
                GaussianShells((0.5, 1.5), 0.4, cutoff, lmax),
                Bessel(2.0, n, min(lmax, 2), max_count=2),
                Zernike(2.5, lmax, n),
                BSpline(2.5, 3, min(lmax, 2)),
                Angular(lmax),
            ]
        )
    )


def representations(group: Group, lmax: int = 2, largest: int = 8) -> list[Representation]:
    """Irreps, sums with a change of basis, regular and quotient representations."""
    found = [Representation(group, psi.name, (psi,)) for psi in irreps(group, lmax)]
    found += [trivial(group), vector(group), direct_sum(vector(group), found[-1], trivial(group))]
    if group.is_finite:
        found += [regular(group)]
        if group.order <= 24:  # type: ignore[attr-defined]
            found += [quotient(group, part) for part in subgroup_classes(group)]  # type: ignore[arg-type]
    elif not math.isinf(lmax):
        found += [regular(group, 1)]
    return [rho for rho in found if rho.dim <= largest]


@st.composite
def fibres(draw: st.DrawFn, group: Group, most: int = 2, largest: int = 8) -> list[Block]:
    """One to ``most`` blocks, of one or two copies each."""
    options = representations(group, largest=largest)
    blocks = []
    for _ in range(draw(st.integers(1, most))):
        blocks.append((draw(st.integers(1, 2)), options[draw(st.integers(0, len(options) - 1))]))
    return blocks


def block_dim(blocks: list[Block]) -> int:
    return sum(mul * rho.dim for mul, rho in blocks)


@st.composite
def bases(draw, most: int = 2, largest: int = 6) -> KernelBasis:
    group = draw(st.sampled_from(GROUPS), label="group")
    blocks_in = draw(fibres(group, most, largest), label="in")
    blocks_out = draw(fibres(group, most, largest), label="out")
    radial = draw(radials(group.n), label="radial")
    return kernel_basis(blocks_in, blocks_out, Harmonics(group, radial))


def weights_of(kernels: SampledKernels, seed: int = 0) -> list[Tensor]:
    return [random(*shape, seed=seed + i) for i, shape in enumerate(kernels.weight_shapes.values())]


def residual(basis: KernelBasis, h: Tensor, points: Tensor) -> float:
    """The largest entry of K(h x) - rho_out(h) K(x) rho_in(h)^-1 for random weights."""
    before, after = basis.at(points), basis.at(points @ h.mT)
    assert before.weight_shapes == after.weight_shapes
    weights = weights_of(before)
    inverse = torch.linalg.inv(basis.fibre_in(h))
    moved = torch.einsum("oa,abp,bi->oip", basis.fibre_out(h), before.expand(weights), inverse)
    return float((after.expand(weights) - moved).abs().max())


# Oracles.


def harmonics_matrix(degree: int, h: Tensor) -> Tensor:
    """D with Y(h x) = D Y(x), from values of the harmonics at random points."""
    points = random(60, len(h), seed=7)
    before, after = (angular_harmonics(degree, x)[degree] for x in (points, points @ h.mT))
    return torch.linalg.lstsq(before, after).solution.mT


def harmonics_character(degree: int, h: Tensor) -> Tensor:
    """Trace of that matrix in closed form, for h of shape ``(..., n, n)``."""
    n, det = h.shape[-1], torch.linalg.det(h).round()
    trace = h.diagonal(dim1=-2, dim2=-1).sum(-1)
    if n == 1:
        return trace**degree
    if n == 2:
        if degree == 0:
            return torch.ones_like(trace)
        angle = torch.atan2(h[..., 1, 0], h[..., 0, 0])
        return torch.where(det > 0, 2 * (degree * angle).cos(), torch.zeros_like(trace))
    cosine = ((trace * det - 1) / 2).clamp(-1, 1)
    angle = cosine.acos()
    value = 1 + 2 * sum(((m * angle).cos() for m in range(1, degree + 1)), torch.zeros_like(angle))
    return value * det**degree


def class_quadrature(group: Group, degree: int) -> tuple[Tensor, Tensor]:
    """Elements and weights that integrate class functions with frequencies up to ``degree``."""
    if group.is_finite:
        elements = group.components
        return elements, torch.full((len(elements),), 1 / len(elements), dtype=F64)
    count = 2 * degree + 6
    angle = 2 * math.pi * torch.arange(count, dtype=F64) / count
    weights = torch.full((count,), 1 / count, dtype=F64)
    turns = so2().element(angle)
    if isinstance(group, SO2 | O2):
        elements = turns
    elif isinstance(group, SO3 | O3):
        # Every rotation is conjugate to one about z; Weyl's weight of the angle is 1 - cos.
        elements, weights = (
            torch.nn.functional.pad(turns, (0, 1, 0, 1)),
            weights * (1 - angle.cos()),
        )
        elements[:, 2, 2] = 1
    elif isinstance(group, Axial):
        elements = torch.stack([_about(group.axis, float(a)) for a in angle])
    else:  # a direct product of SO(2) and a finite group
        elements = torch.nn.functional.pad(turns, (0, 1, 0, 1))
        elements[:, 2, 2] = 1
    parts = group.components
    elements = (parts[:, None] @ elements).flatten(0, 1)
    return elements, weights.repeat(len(parts)) / len(parts)


def _about(axis: tuple[float, float, float], angle: float) -> Tensor:
    """Rotation about an axis, by the exponential of its cross product matrix."""
    x, y, z = axis
    cross = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=F64)
    return torch.linalg.matrix_exp(angle * cross)


def null_space(equations: Tensor) -> Tensor:
    """An orthonormal basis of the vectors that a stack of square matrices takes to zero, as rows.

    Of its singular values those of a group are 0 or of order one, so their squares will do.
    """
    values, vectors = torch.linalg.eigh(torch.einsum("hji,hjk->ik", equations, equations))
    return vectors[:, values < 1e-6].mT


def constraint(functions: Tensor, rho_out: Tensor, rho_in: Tensor) -> Tensor:
    """The matrices whose null space holds the coefficients X of equivariant kernels X f.

    With f(h x) = D f(x) the constraint says X D = rho_out X rho_in^-1, for X of shape
    (out, in, functions) and for a stack of elements h.
    """
    equations = []
    for D, out, inner in zip(functions, rho_out, rho_in, strict=True):
        inverse = torch.linalg.inv(inner)
        one_out, one_in, one = (torch.eye(len(m), dtype=F64) for m in (out, inner, D))
        left = torch.kron(torch.kron(one_out, one_in), D.mT.contiguous())
        right = torch.kron(torch.kron(out, inverse.mT.contiguous()), one)
        equations.append(left - right)
    return torch.stack(equations)


def generating(group: Group) -> Tensor:
    """Elements that generate the group, almost surely if it is continuous."""
    if group.is_finite:
        return group.generators
    return torch.cat([group.components[1:], group.sample(3, generator=seeded(3))])


def rank(rows: Tensor) -> int:
    """Number of independent rows; they are scaled to norm 1 first."""
    rows = rows / rows.norm(dim=1, keepdim=True)
    return int((torch.linalg.svdvals(rows) > 1e-8).sum())


# Groups with grids that they map to themselves.

GRIDS = [
    (inversion(1), filter_grid((4,), dilation=2)),
    (trivial_group(2), filter_grid((2, 3))),
    (cyclic(4), filter_grid(3, 2)),
    (cyclic(4), filter_grid(4, 2)),
    (dihedral(4), filter_grid(5, 2, dilation=2)),
    (dihedral(4), filter_grid(2, 2, spacing=0.3)),
    (cyclic(2), filter_grid((3, 5))),
    (dihedral(2), filter_grid((2, 3), spacing=(1.0, 2.5))),
    (dihedral(2), filter_grid((3, 3), dilation=(1, 2))),
    (cyclic(6), filter_grid(5, lattice="hexagonal")),
    (dihedral(6), filter_grid(3, lattice="hexagonal", spacing=2.0)),
    (dihedral(3), filter_grid(5, lattice="hexagonal", dilation=2)),
    (symmetric(2), filter_grid(3, 2)),
    (inversion(3), filter_grid((2, 3, 4))),
    (point_group("S4"), filter_grid((3, 3, 2), spacing=(1.0, 1.0, 2.5))),
    (point_group("D4"), filter_grid((4, 4, 3), spacing=(0.5, 0.5, 2.0))),
    (point_group("D4h"), filter_grid(3, 3, spacing=(1.0, 1.0, 3.0))),
    (point_group("D2h"), filter_grid((1, 2, 3), spacing=(1.0, 2.0, 3.0))),
    (point_group("C3", (1.0, 1.0, 1.0)), filter_grid(3, 3)),
    (tetrahedral(), filter_grid(2, 3)),
    (octahedral(), filter_grid(3, 3)),
    (point_group("Td"), filter_grid(2, 3, dilation=3)),
    (point_group("Th"), filter_grid(3, 3)),
    (point_group("Oh"), filter_grid(3, 3)),
    (symmetric(3), filter_grid(3, 3)),
]


def grid_name(case: object) -> str:
    if isinstance(case, FilterGrid):
        return f"{case.size} {case.spacing} {case.lattice}"
    return name(case) if isinstance(case, Group) else str(case)


def tap_permutation(grid: FilterGrid, h: Tensor) -> list[int]:
    """The number of the tap at h x for each tap x, found by its rounded coordinates."""
    unit = min(grid.spacing)
    places = [tuple(round(c / unit, 4) + 0.0 for c in x) for x in grid.points.tolist()]
    moved = [tuple(round(c / unit, 4) + 0.0 for c in x) for x in (grid.points @ h.mT).tolist()]
    number = {place: i for i, place in enumerate(places)}
    return [number[place] for place in moved]
