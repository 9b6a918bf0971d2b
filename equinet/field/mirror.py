r"""Mirrors of the sphere: what the elements of O(3) that are no rotations do to fields.

In: field types over a sphere and elements. Out: the rotations that are left, and signs of spectra.

The mirror M = diag(-1, 1, 1) takes the longitude alpha to -alpha and leaves the pole alone. To a
field it does

.. math:: [M f](\beta, \alpha) = \rho(M)\, f(\beta, -\alpha), \qquad
          \widehat{Mf}{}^l_{mn} = \epsilon\, \sigma(m)\, \sigma(n)\, \hat f^l_{mn} \quad (O1)

where rho is an irrep of O(2), in which M is the reflection of e_alpha, sigma is 1 for orders >= 0
and -1 for the others, and epsilon is 1 but for the irrep 0o, of which it is -1. Any element g of
determinant -1 is (g M) M, where g M is a rotation.
"""

from __future__ import annotations

import torch
from torch import Tensor

from equinet.field.field_type import FieldType
from equinet.field.transform import block_orders
from equinet.group import O2, o2
from equinet.harmonics.grid import mirror_signs
from equinet.numerics.cached import cached
from equinet.rep import Representation


def block_parities(field_type: FieldType) -> list[int | None]:
    """What M does to each block, epsilon of (O1); None where no mirror acts.

    Args:
        field_type: over a sphere.
    Returns:
        1 or -1 for each block.
    """
    if not isinstance(field_type.space.fibre_group, O2):
        return [None] * len(field_type.blocks)
    return [_parity(rho) for _, rho in field_type.blocks]


@cached(64)
def _parity(rho: Representation) -> int:
    """What M does to the first component of an irrep of O(2)."""
    return round(float(rho(o2().mirror)[0, 0]))


def is_improper(g: Tensor) -> Tensor:
    """Whether the determinants of elements ``(..., 3, 3)`` are negative, ``(...)``."""
    return torch.linalg.det(g.detach().double()) < 0


def as_rotations(g: Tensor) -> Tensor:
    """An element g if it is a rotation, else g M: ``(..., 3, 3)``, differentiable."""
    first = torch.where(is_improper(g), -1.0, 1.0).to(g)
    return torch.cat([g[..., :1] * first[..., None, None], g[..., 1:]], -1)


def mirrored(field_type: FieldType, band: int, g: Tensor, spectrum: Tensor) -> Tensor:
    """Spectra as M leaves them, for samples that an element of determinant -1 is to move.

    Args:
        field_type: of the fields, over a sphere on which O(3) acts.
        band: of the spectrum.
        g: elements, ``(3, 3)`` or one for each sample, ``(batch, 3, 3)``.
        spectrum: ``(rows, batch)``, as ``FieldAnalysis`` has them.
    Returns:
        As ``spectrum``.
    """
    signs = _signs(field_type, band).to(spectrum)[:, None]
    return torch.where(is_improper(g), signs * spectrum, spectrum)


@cached(8)
def _signs(field_type: FieldType, band: int) -> Tensor:
    """The sign (O1) of each row of the spectra."""
    orders, parities = block_orders(field_type, band), block_parities(field_type)
    found = [torch.zeros(0, dtype=torch.float64)]
    for l in range(band):
        columns = [
            parity * mirror_signs(l, n).repeat_interleave(mul)
            for (mul, _), n, parity in zip(field_type.blocks, orders, parities, strict=True)
            if parity is not None
        ]
        rows = mirror_signs(l, tuple(range(l + 1)))
        found.append(torch.outer(rows, torch.cat(columns)).flatten())
    return torch.cat(found)
