r"""Molecules onto spheres about their atoms.

In: atoms. Out: functions on the sphere.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from equinet.field import Space, Sphere
from equinet.field.transform import field_synthesis
from equinet.harmonics import spherical_harmonics
from equinet.numerics.arguments import check_memory, check_number, is_integer, is_row
from equinet.numerics.values import check_numbers, check_real, is_readable
from equinet.ops import full_precision


def potentials(
    positions: Tensor,
    numbers: Tensor,
    kinds: Sequence[int],
    sphere: Sphere,
    radius: float,
    *,
    batch: Tensor | None = None,
) -> Tensor:
    r"""The Coulomb potential of the other atoms on a sphere about each atom, by element.

    .. math::
        U_{iz}(x) = \sum_{j \ne i,\; z_j = z} \frac{z_i z_j}{|p_i + R x - p_j|}
        = \sum_{j \ne i,\; z_j = z} z_i z_j \sum_l \frac{\min(R, d)^l}{\max(R, d)^{l+1}}\,
        P_l(x \cdot u)

    for unit vectors x, with d u = p_j - p_i. Of the sum over l what the sphere can hold, l <
    ``sphere.band``, is taken in closed form, so that a turned molecule has turned potentials
    without an error of the grid: [g U](x) = U(g^-1 x). What is left out is largest where an atom
    lies near the sphere of another one; a radius below half of the smallest distance, so that no
    two spheres meet, has terms that fall off as 2^-l.
    Differentiable in ``positions``.

    Args:
        positions: p, real ``(atoms, 3)``.
        numbers: z of each atom, its place in the periodic table, int64 ``(atoms,)``.
        kinds: the elements that have a channel, such as (1, 6, 7, 8, 16).
        sphere: on which the potentials are sampled.
        radius: R, in the unit of the positions.
        batch: the molecule that each atom belongs to, int64 ``(atoms,)``; None is one molecule.
    Returns:
        ``(atoms, kinds, *axes)``, fields of the type ``sphere.fields(f"{len(kinds)}x trivial")``;
        zero where there is no other atom of the kind.
    Raises:
        TypeError: if a tensor has the wrong kind, or ``sphere`` is none.
        ValueError: if a shape or a number does not fit, and for atoms that are none of ``kinds``.

    References:
        Cohen, Geiger, Köhler and Welling 2018, Spherical CNNs, section 5.4; they sample the first
        form.

    Example:
        >>> water = torch.tensor([[0.0, 0.0, 0.1], [0.0, 0.76, -0.48], [0.0, -0.76, -0.48]])
        >>> potentials(water, torch.tensor([8, 1, 1]), (1, 8), Sphere(6), radius=0.4).shape
        torch.Size([3, 2, 12, 12])
    """
    check_real("positions", positions, ("atoms", 3))
    if not isinstance(sphere, Space) or not sphere.is_band_limited:
        raise TypeError(f"sphere: expected a Sphere, got {type(sphere).__name__}")
    check_number(radius, "radius", above=0)
    kind = _kinds(numbers, kinds, positions)
    if batch is None:
        batch = torch.zeros_like(numbers)
    check_numbers("batch", batch, "the molecule of each atom", positions.shape[:1], positions)

    band, count = sphere.band, len(kinds)
    count_of = torch.bincount(batch.unique(return_inverse=True)[1])
    pairs = int((count_of * (count_of - 1)).sum())
    check_memory(pairs * band**2, "positions", f"{pairs} pairs with {band**2} harmonics")
    here, other = _pairs(batch)
    away = positions[other] - positions[here]
    distance = torch.linalg.vector_norm(away, dim=-1)
    small, large = distance.clamp_max(radius), distance.clamp_min(radius)
    strength = (numbers[here] * numbers[other]).to(positions) / large
    l = torch.arange(band, device=positions.device)
    falling = strength[:, None] * (small / large)[:, None] ** l / (2 * l + 1)
    rows = falling.repeat_interleave(2 * l + 1, 1) * spherical_harmonics(band - 1, away)
    spectrum = rows.new_zeros(len(positions) * count, band**2)
    spectrum = spectrum.index_add(0, here * count + kind[other], rows)
    spectrum = spectrum.view(len(positions), count, band**2).permute(2, 1, 0)
    fields = sphere.fields(f"{count}x trivial")
    to_field = field_synthesis(fields, band, positions.dtype, positions.device)
    with full_precision(positions):
        return to_field(spectrum.flatten(), len(positions))


def _kinds(numbers: Tensor, kinds: Sequence[int], positions: Tensor) -> Tensor:
    """The place of each atom's element in ``kinds``; ValueError for one that has none."""
    if not is_row(kinds):
        raise TypeError(f"kinds: expected numbers of elements, got {type(kinds).__name__}")
    if not kinds or not all(is_integer(z, 1) for z in kinds) or len({*kinds}) < len(kinds):
        raise ValueError(f"kinds: expected different integers >= 1, got {kinds!r}")
    check_numbers("numbers", numbers, "the element of each atom", positions.shape[:1], positions)
    listed = torch.tensor(list(kinds), device=numbers.device)
    same = numbers[:, None] == listed
    if is_readable(numbers) and not bool(same.any(1).all()):
        strange = sorted({*numbers.tolist()} - {*kinds})
        raise ValueError(f"numbers: expected elements of {tuple(kinds)}, got {strange} too")
    return same.long().argmax(1)


def _pairs(batch: Tensor) -> tuple[Tensor, Tensor]:
    """All pairs of different points of one cloud: the numbers of one and of the other."""
    batch = batch.unique(return_inverse=True)[1]
    sizes = torch.bincount(batch)
    order = torch.argsort(batch, stable=True)
    own = sizes[batch]
    here = torch.arange(len(batch), device=batch.device).repeat_interleave(own)
    place = torch.arange(len(here), device=batch.device) - (own.cumsum(0) - own)[here]
    other = order[(sizes.cumsum(0) - sizes)[batch[here]] + place]
    apart = here != other
    return here[apart], other[apart]
