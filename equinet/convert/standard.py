r"""Fields in the bases of this library.

Types that are read from elsewhere have the matrices that they have there. Here are the same fields
in bases with names, and the matrix that leads to them,

.. math:: f' = M f, \qquad \rho'(g) = M \rho(g) M^{-1}
"""

from __future__ import annotations

import torch
from torch import Tensor

from equinet.field import FieldType
from equinet.field.field_type import check_type
from equinet.group import FiniteGroup, cosets, subgroup
from equinet.numerics.cached import on_cpu
from equinet.rep import Representation, quotient, regular


@on_cpu
def standard_basis(fields: FieldType) -> tuple[FieldType, Tensor]:
    """The same fields in the bases of this library, and the matrix that leads to them.

    Fields whose components the group permutes, all among each other, become functions on the group
    or on its cosets, in the order of these here: M is a permutation, and functions of each value
    mean what they meant. All others become their irreps.

    Args:
        fields: whose blocks are of finite dimension.
    Returns:
        The type, block by block, and M, float64 ``(channels, channels)``.
    Raises:
        TypeError: if ``fields`` is no field type.
        ValueError: if they are sampled on a continuous group.

    Example:
        >>> from equinet import Plane
        >>> from equinet.rep import direct_sum, irrep, regular
        >>> plane = Plane("C4")
        >>> both = direct_sum(regular(plane.group), irrep(plane.group, 1))
        >>> found, M = standard_basis(plane.fields([(2, both)]))
        >>> found, M.shape
        (Plane('C4').fields('2x <0 + 1 + 2 + 1>'), torch.Size([12, 12]))
    """
    check_type(fields, "fields")
    if fields.is_sampled:
        raise ValueError(
            f"fields: expected fields of finite dimension, got {fields!r}, which are sampled "
            "functions on the group and have one basis"
        )
    found, matrices = [], []
    for mul, rho in fields.blocks:
        psi, matrix = _standard(rho)
        found.append((mul, psi))
        matrices += [matrix] * mul
    return fields.space.fields(found), torch.block_diag(*matrices)


def _standard(rho: Representation) -> tuple[Representation, Tensor]:
    psis = rho.constituents
    is_one_orbit = rho.is_permutation and sum(psi.is_trivial for psi in psis) == 1
    if is_one_orbit and isinstance(rho.group, FiniteGroup) and rho.dim > 1:
        return _functions(rho, rho.group)
    name = psis[0].name if len(psis) == 1 else " + ".join(psi.name for psi in psis)
    if rho.is_trivial and rho.dim == 1:
        name = "trivial"
    inverse = rho.inverse_Q
    matrix = torch.eye(rho.dim, dtype=torch.float64) if inverse is None else inverse.clone()
    return Representation(rho.group, name, psis), matrix


def _functions(rho: Representation, group: FiniteGroup) -> tuple[Representation, Tensor]:
    """Functions on the cosets of the elements that leave the first component in its place."""
    values = rho(group.elements)
    fixing = group.elements[values[:, 0, 0] > 0.5]
    if len(fixing) == 1:
        found, r = regular(group), group.elements
    else:
        stabiliser = subgroup(group, fixing)
        found, r = quotient(group, stabiliser), cosets(group, stabiliser).representatives
    return found, rho(r)[:, :, 0].contiguous()  # row x has its 1 where r_x takes the component 0
