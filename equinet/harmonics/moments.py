r"""Sampled harmonics that answer smooth fields as the ones on R^n do.

In: harmonics of one degree at the taps of a filter. Out: the same with the right moments. Before:
``filter_grid``. Next: ``steered``.

A filter sees a smooth field through its moments: by Taylor, :math:`\sum_t K(t)\, f(x + t) = \sum_a
\frac{\partial^a f(x)}{a!} \sum_t K(t)\, t^a`. In R^n those of a harmonic K_m = phi(r) Y_{Jm} of
degree J with the polynomials p of degree at most J are

.. math:: \int K_m(t)\, p(t)\, dt = c\, \delta_{J,l}\, \delta_{m,m'}
          \qquad \text{for } p = |t|^{l + 2k}\, Y_{lm'}(t / |t|),\; l + 2k \le J \quad (Y2)

so that the first answer of K is the derivative c Y_J(grad) f, which turns as it should. The samples
on few taps miss this: a harmonic of degree 4 sums to as much as one of degree 0, and one of degree
2 answers along the axes otherwise than along the diagonals, however smooth the field is.
"""

from __future__ import annotations

import torch
from torch import Tensor

from equinet.harmonics.circular import angular_harmonics

_RANK = 1e-3  # relative; fainter combinations of polynomials would cost more than they mend
_TINY = 1e-300  # against 0 / 0


def match_moments(values: Tensor, degree: int, points: Tensor) -> Tensor:
    r"""The functions next to the given ones that have the moments (Y2).

    .. math:: K \mapsto K + (T - K P) (W P)^+ W, \qquad W(t)^2 = \sum_m K_m(t)^2

    where the columns of P are the polynomials at the taps, K P are the moments and T those of (Y2),
    with the mean of the moments that K has for c. W is the size of the profile, an envelope that
    all rotations leave alone. So whatever maps the taps to each other still steers the functions,
    and those with (Y2) stay as they are.

    Args:
        values: harmonics of one degree times profiles at the taps, ``(count, dim, taps)``.
        degree: J. If the taps cannot tell all polynomials of this degree apart, (Y2) holds for
            those of the largest degree that they can. Combinations that W hardly sees are left, as
            on 9 taps an axis some of degree 7 and more.
        points: the taps, ``(taps, n)``.
    """
    if degree == 0 or not len(values):
        return values
    labels, polynomials = _polynomials(degree, points)
    envelope = values.square().sum(1).sqrt()  # (count, taps)
    envelope = envelope / envelope.amax(1, keepdim=True).clamp(min=_TINY)
    weighted = envelope[..., None] * polynomials
    size = _sizes(labels, weighted)
    moments = values @ polynomials
    wanted = torch.zeros_like(moments)
    own = [i for i, label in enumerate(labels) if label == (degree, 0)]
    if own:
        c = moments[..., own].diagonal(dim1=1, dim2=2).mean(1)
        wanted[..., own] = torch.diag_embed(c[:, None].expand(-1, len(own)))
    back = torch.linalg.pinv(weighted / size, rtol=_RANK)
    return values + (wanted - moments) / size @ back * envelope[:, None]


def _sizes(labels: list[tuple[int, int]], weighted: Tensor) -> Tensor:
    """The norm of the polynomials under the envelope, the same for all of one (l, k)."""
    squares = weighted.square().sum(1, keepdim=True)  # (count, 1, polynomials)
    size = torch.ones_like(squares)
    for label in set(labels):
        same = [i for i, other in enumerate(labels) if other == label]
        size[..., same] = squares[..., same].mean(-1, keepdim=True).sqrt().clamp(min=_TINY)
    return size


def _polynomials(degree: int, points: Tensor) -> tuple[list[tuple[int, int]], Tensor]:
    """|t|^{l + 2k} Y_l as ``(taps, polynomials)`` of size 1, each with its (l, k)."""
    while degree and not _independent(degree, points):
        degree -= 1
    return _table(degree, points)


def _independent(degree: int, points: Tensor) -> bool:
    _, table = _table(degree, points)
    return int(torch.linalg.matrix_rank(table, rtol=1e-6)) == table.shape[1]


def _table(degree: int, points: Tensor) -> tuple[list[tuple[int, int]], Tensor]:
    radius = points.norm(dim=-1, keepdim=True)
    radius = radius / radius.max().clamp(min=_TINY)
    labels, columns = [], []
    for l, harmonics in enumerate(angular_harmonics(degree, points)):
        for k in range((degree - l) // 2 + 1):
            columns.append(radius ** (l + 2 * k) * harmonics)
            labels += [(l, k)] * harmonics.shape[-1]
    return labels, torch.cat(columns, -1)
