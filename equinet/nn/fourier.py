"""Pointwise functions of band-limited functions on the group."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.group import O3, SO3, Axial, Group, named_group, point_group, so3
from equinet.group.axial_groups import frame
from equinet.group.group import Factor, check_subgroup
from equinet.nn.arguments import check_elementwise
from equinet.nn.layout import laid_out
from equinet.nn.module import EquivariantModule
from equinet.nn.plain import graph
from equinet.numerics import Constant
from equinet.numerics.arguments import check_memory, check_number
from equinet.rep import Representation, fourier_basis, quotient, regular

# Rules for the sphere whose points are orbits of the octahedral group: the largest degree that is
# exact, and the weights of the orbits of the axes, of the edges and of the corners of the cube.
_RULES = {3: (1.0, 0.0, 0.0), 5: (2 / 5, 0.0, 3 / 5), 7: (2 / 7, 16 / 35, 9 / 35)}
_POLAR = ((0.0, 0.0), (0.0, math.pi / 4), (math.pi / 4, math.acos(3**-0.5)))  # alpha, beta of each


class FourierPointwise(EquivariantModule):
    r"""Apply a function to the values of functions on the group that are given by coefficients.

    .. math:: f(g_n) = \sum_j B_{nj} \hat f_j, \qquad
              \hat f_j \mapsto \sum_n w_n B_{nj}\, \sigma(f(g_n))

    B is the Fourier basis on a grid of the group, scaled so that values and coefficients have the
    same root mean square. The quadrature is exact for degrees up to ``oversampling`` * lmax: with
    2 the identity comes back as it is, with p + 1 a polynomial of order p loses only its degrees
    above lmax. Of other functions the grid misses the high degrees, and the equivariance is
    approximate, with an error that falls with ``oversampling``. The default, 4, leaves at most 0.06
    of the output of a ReLU, 0.04 of tanh and 0.02 of GELU, as ``equivariance_error`` measures it
    for one layer on "regular(1)" to "regular(3)" of SO(3), "regular(2)" to "regular(8)" of SO(2)
    and "regular(3)" of O(2), where 2 leaves up to 0.4 and 3 up to 0.14; 6 leaves 0.03. For
    "regular(3)" of SO(3) these are 2048 points in place of 312 (for 2), 864 (for 3) and 4000. The
    grids have the symmetries of the square and, up to degree 7 (a smaller ``oversampling``), of the
    cube, for which it is exact.

    For a finite group all elements are the grid, and nothing is lost. Fields whose components are
    permuted, such as trivial ones, take the function directly.

    Args:
        in_type: fields of "regular(lmax)" of a continuous group, "quotient(H,lmax)" with
            ``subgroup``, or of the irreps of such functions on a finite group.
        function: elementwise, such as ``torch.relu``.
        oversampling: at least 2; the larger, the smaller the error and the larger the grid.
        subgroup: H, or its name, of the quotient fields in ``in_type``.
    Raises:
        TypeError: if ``function`` cannot be called.
        ValueError: for fields that are not functions, or a smaller ``oversampling``.

    Example:
        >>> from equinet.field import Volume
        >>> h = Volume("SO(3)").fields("8x quotient(Cinf,2)")
        >>> FourierPointwise(h, torch.relu, subgroup="Cinf").samples
        [72]
    """

    def __init__(
        self,
        in_type: FieldType,
        function: Callable[[Tensor], Tensor],
        oversampling: float = 4.0,
        subgroup: Group | str | None = None,
    ) -> None:
        super().__init__(in_type, in_type)
        axes = len(in_type.axes) + 1  # the component, and those of space
        for mul in {mul for mul, _ in in_type.blocks}:
            check_elementwise(function, "function", [1] * mul, axes)
        check_number(oversampling, "oversampling", least=2)  # less changes even the identity
        self.function, self.oversampling = function, oversampling
        n = in_type.space.fibre_group.n
        self.subgroup = named_group(subgroup, n) if isinstance(subgroup, str) else subgroup
        if self.subgroup is not None:
            with torch.device("cpu"):
                check_subgroup(self.subgroup, in_type.space.fibre_group)
        self.set_constants()
        infinite = not in_type.space.fibre_group.is_finite and any(self.samples)
        self.aliases = infinite or in_type.space.is_band_limited

    @property
    def samples(self) -> list[int]:
        """Number of points of the grid for each block; 0 where the function acts directly."""
        return [0 if basis is None else len(basis) for basis in self.listed("basis", gaps=True)]

    def constants(self, dtype: torch.dtype) -> dict[str, Constant]:
        bases: list[Tensor | None] = []
        analyses: list[Tensor | None] = []
        for _, rho in self.in_type.blocks:
            if rho.is_sampled or rho.is_permutation:
                bases.append(None)
                analyses.append(None)
                continue
            basis, weights = self._grid(rho)
            scale = math.sqrt(rho.dim)
            bases.append(basis / scale)
            analyses.append((weights[:, None] * basis).mT * scale)
        return {"basis": bases, "analysis": analyses}

    def _grid(self, rho: Representation) -> Factor:
        """B and w for one block."""
        for subgroup in (None, self.subgroup):
            if _is_functions(rho, subgroup):
                degree, n = math.ceil(self.oversampling * rho.degree), rho.group.n
                if not rho.group.is_finite:
                    what = f"{rho!r} on a grid for degree {degree}"
                    check_memory(rho.dim * degree ** (n * (n - 1) // 2), "oversampling", what)
                return sampled_basis(rho, subgroup, degree)
        on = f"functions on the cosets of {self.subgroup}" if self.subgroup else "no subgroup named"
        raise ValueError(
            f"in_type: expected functions on {rho.group}, such as 'regular(2)', or on its cosets, "
            f"such as 'quotient(H,2)' with subgroup=H, got {rho!r} in {self.in_type!r} and {on}; "
            "use enn.Gate or enn.NormActivation for other fields"
        )

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        out, parts = [], self.in_type.split(x)
        bases, analyses = (self.listed(name, gaps=True) for name in ("basis", "analysis"))
        for part, basis, analysis in zip(parts, bases, analyses, strict=True):
            if basis is None or analysis is None:
                part = self.function(part)
            else:
                part = self._mix(analysis, self.function(self._mix(basis, part)))
            out.append(part.flatten(1, 2))
        return laid_out(torch.cat(out, 1), x)

    def _mix(self, matrix: Tensor, x: Tensor) -> Tensor:
        """The matrix on the third axis of ``x``."""
        if not self.in_type.axes:
            return x @ matrix.mT
        return (matrix @ x.flatten(3)).unflatten(3, x.shape[3:])

    def export(self) -> nn.Module:
        """A graph of plain torch functions."""
        return graph(self)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, oversampling={self.oversampling:g}"


def _is_functions(rho: Representation, subgroup: Group | None) -> bool:
    """Whether the components are Fourier coefficients of functions on the group, or its cosets."""
    group = rho.group
    if group.is_finite:
        values = regular(group) if subgroup is None else quotient(group, subgroup)
        return rho.Q is None and rho.irreps == values.irreps
    lmax = rho.degree
    return rho == (regular(group, lmax) if subgroup is None else quotient(group, subgroup, lmax))


def sampled_basis(rho: Representation, subgroup: Group | None, degree: int) -> Factor:
    """The Fourier basis on a grid whose quadrature is exact up to ``degree``.

    Args:
        rho: coefficients of functions on its group, or on the cosets of ``subgroup``.
        subgroup: H, or None.
        degree: of the products of basis functions that are integrated.
    Returns:
        the basis, float64 ``(samples, dim)``, and the weights ``(samples,)``.
    """
    group = rho.group
    elements, weights = _nodes(group, degree)
    if isinstance(subgroup, Axial):
        # Then the last factor of the grid, turns about y, lies in H and gives nothing new.
        elements = elements @ frame((0.0, 1.0, 0.0)) @ frame(subgroup.axis).mT
    lmax = None if group.is_finite else rho.degree
    basis = fourier_basis(group, elements, lmax, subgroup)
    # Points at which all functions agree are one.
    rows, number = ((basis * 1e8).round() + 0.0).unique(dim=0, return_inverse=True)
    first = torch.zeros(len(rows), dtype=torch.long).scatter(0, number, torch.arange(len(basis)))
    return basis[first], torch.zeros_like(rows[:, 0]).index_add(0, number, weights)


def _nodes(group: Group, degree: int) -> Factor:
    """A quadrature exact up to ``degree``; quarter turns permute it, small ones those of a cube."""
    if not isinstance(group, SO3 | O3) or degree > max(_RULES):
        return group.grid(degree - degree % 4 + 3)  # a multiple of four angles
    # A rule on SO(3) is one on the sphere, for where a rotation takes the axis z, times one on the
    # circle, for the turn about it. The points on the sphere are orbits of the cube's rotations, so
    # that these permute the nodes and the layer commutes with them to rounding.
    rule = next(weights for bound, weights in _RULES.items() if bound >= degree)
    count = 4 if sum(map(bool, rule)) == 1 else 12  # turns that leave a point permute these angles
    angles = 2 * math.pi * torch.arange(count, dtype=torch.float64) / count
    zero = torch.zeros_like(angles)
    ring = so3().element(angles, zero, zero)
    cube = point_group("O").components[:, None]
    elements = torch.zeros(0, 3, 3, dtype=torch.float64)
    weights = torch.zeros(0, dtype=torch.float64)
    for (alpha, beta), weight in zip(_POLAR, rule, strict=True):
        if weight:
            orbit = cube @ so3().element(zero + alpha, zero + beta, zero) @ ring
            elements = torch.cat([elements, orbit.flatten(0, 1)])
            each = torch.ones(len(cube) * count, dtype=torch.float64) / (len(cube) * count)
            weights = torch.cat([weights, weight * each])
    parts = group.components[:, None]  # with the inversion, for O(3)
    return (parts @ elements).flatten(0, 1), weights.repeat(len(parts)) / len(parts)
