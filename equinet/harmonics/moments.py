r"""Sampled harmonics that answer smooth fields as the ones on R^n do.

In: harmonics of one degree at the taps of a filter. Out: the same with the right moments. Before:
``filter_grid``.

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

import bisect

import torch
from torch import Tensor

from equinet.harmonics.circular import angular_harmonics

_RANK = 1e-3  # relative; fainter combinations of polynomials would cost more than they mend
_FAINT = 1e-18  # of an envelope; taps below it would not change a digit
_TINY = 1e-300  # against 0 / 0


def match_moments(values: list[Tensor], profiles: list[Tensor], points: Tensor) -> list[Tensor]:
    r"""The functions next to the given ones that have the moments (Y2).

    .. math:: K \mapsto K + (T - K P) (W P)^+ W, \qquad W(t)^2 = \sum_m K_m(t)^2

    where the columns of P are the polynomials at the taps, K P are the moments and T those of (Y2),
    with the mean of the moments that K has for c. W is the size of the profile, an envelope that
    all rotations leave alone. So whatever maps the taps to each other still steers the functions,
    and those with (Y2) stay as they are.

    If the taps cannot tell all polynomials of the degree of a function apart, (Y2) holds for those
    of the largest degree that they can. Combinations that W hardly sees are left, as on 9 taps an
    axis some of degree 7 and more.

    Args:
        values: for each degree its harmonics times profiles at the taps, ``(count, dim, taps)``.
        profiles: of each degree, ``(count, taps)``.
        points: the taps, ``(taps, n)``.
    Returns:
        As ``values``.
    """
    largest = _largest_degree(len(values) - 1, points)
    labels, polynomials = _table(largest, points)
    orders = torch.tensor([l + 2 * k for l, k in labels])
    off_origin = points.norm(dim=-1) > 0
    # From the degree of the polynomials and an envelope: the same shells come back in all degrees.
    solvers: dict[tuple[int, bytes], tuple[Tensor, Tensor]] = {}
    found = values[:1]
    for degree, (whole, rows) in enumerate(zip(values[1:], profiles[1:], strict=True), 1):
        kept = (orders <= degree).nonzero()[:, 0].tolist()
        own = [i for i, number in enumerate(kept) if labels[number] == (degree, 0)]
        some, matched = polynomials[:, kept], []
        for K, profile in zip(whole, rows, strict=True):
            envelope = profile.abs() * off_origin
            key = min(degree, largest), envelope.numpy().tobytes()
            if key not in solvers:
                solvers[key] = _solver(envelope, [labels[i] for i in kept], some)
            size, back = solvers[key]
            moments = K @ some  # those that K has, and in their place those of (Y2)
            wanted = torch.zeros_like(moments)
            if own:
                wanted[:, own] = moments[:, own].diagonal().mean().expand(len(own)).diag()
            matched.append(K + (wanted - moments) / size @ back)
        found.append(torch.stack(matched) if matched else whole)
    return found


def _solver(
    envelope: Tensor, labels: list[tuple[int, int]], polynomials: Tensor
) -> tuple[Tensor, Tensor]:
    """The sizes of the polynomials under the envelope W, and (W P)^+ W of them at size 1."""
    envelope = envelope / envelope.max().clamp(min=_TINY)
    seen = envelope > _FAINT
    weighted = envelope[seen, None] * polynomials[seen]
    size = _sizes(labels, weighted)
    back = torch.zeros_like(polynomials.mT)
    back[:, seen] = torch.linalg.pinv(weighted / size, rtol=_RANK) * envelope[seen]
    return size, back


def _sizes(labels: list[tuple[int, int]], weighted: Tensor) -> Tensor:
    """The norm of the polynomials under the envelope, the same for all of one (l, k)."""
    squares = weighted.square().sum(0)
    numbers = {label: i for i, label in enumerate(dict.fromkeys(labels))}
    which = torch.tensor([numbers[label] for label in labels])
    total = squares.new_zeros(len(numbers)).index_add(0, which, squares)
    return (total / which.bincount()).sqrt().clamp(min=_TINY)[which]


def _largest_degree(degree: int, points: Tensor) -> int:
    """The largest degree up to this one whose polynomials the taps can tell apart."""
    low, high = 0, 1  # of more polynomials the rank is no better
    while high <= degree and _independent(high, points):
        low, high = high, 2 * high
    between = range(low + 1, min(high, degree + 1))
    return low + bisect.bisect_left(between, True, key=lambda d: not _independent(d, points))


def _independent(degree: int, points: Tensor) -> bool:
    _, table = _table(degree, points)
    if table.shape[1] > table.shape[0]:
        return False
    return int(torch.linalg.matrix_rank(table, rtol=1e-6)) == table.shape[1]


def _table(degree: int, points: Tensor) -> tuple[list[tuple[int, int]], Tensor]:
    """|t|^{l + 2k} Y_l as ``(taps, polynomials)`` of size 1, each with its (l, k)."""
    radius = points.norm(dim=-1, keepdim=True)
    radius = radius / radius.max().clamp(min=_TINY)
    labels, columns = [], []
    for l, harmonics in enumerate(angular_harmonics(degree, points)):
        for k in range((degree - l) // 2 + 1):
            columns.append(radius ** (l + 2 * k) * harmonics)
            labels += [(l, k)] * harmonics.shape[-1]
    return labels, torch.cat(columns, -1)
