r"""Fourier series along rings with different numbers of longitudes.

In: a signal at all points, or the amplitudes of its waves on each ring. Out: the other.

.. math:: Y_k = \mathrm{Re} \sum_{0 \le m < b} X_m\, e^{i m \alpha_k}, \qquad
          \alpha_k = \alpha_0 + 2 \pi k / n

A ring of n points cannot tell m from m + n. The values are those of the function all the same:
waves that look alike are added up, none is dropped; and the transpose gives to all of them what it
finds for one. Near a pole, where rings are short, amplitudes of large m are small, and what is
mistaken there is too.

There is one fast Fourier transform for each length of ring.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from equinet.harmonics.rings import Rings
from equinet.numerics.cached import cached


class RingPlan(NamedTuple):
    """Rings of one length side by side.

    Attributes:
        lengths: (points of a ring, number of such rings).
        rings: the rings in that order.
        points: the points in that order.
        back: the ring, and the point, in the order of the signal.
    """

    lengths: tuple[tuple[int, int], ...]
    rings: Tensor
    points: Tensor
    back: tuple[Tensor, Tensor]


@cached(16)
def ring_plan(rings: Rings) -> RingPlan:
    """The plan of a sampling.

    Args:
        rings: of the sphere.
    Returns:
        Where each ring stands.
    """
    counts = torch.tensor(rings.counts)
    order = counts.argsort(stable=True)
    lengths, many = counts.unique(return_counts=True)
    ring_of = torch.arange(len(counts)).repeat_interleave(counts)
    points = order.argsort()[ring_of].argsort(stable=True)
    pairs = tuple(zip(lengths.tolist(), many.tolist(), strict=True))
    return RingPlan(pairs, order, points, (order.argsort(), points.argsort()))


@cached(16)
def ring_phases(rings: Rings, band: int) -> Tensor:
    r"""The phases :math:`e^{i m \alpha_0}` of each ring, in the order of the plan.

    Args:
        rings: of the sphere.
        band: orders m < band.
    Returns:
        float64 ``(rings, band, 2)``, the real and the imaginary part.
    """
    starts = torch.tensor(rings.starts, dtype=torch.float64)[ring_plan(rings).rings]
    angle = starts[:, None] * torch.arange(band, dtype=torch.float64)
    return torch.stack([angle.cos(), angle.sin()], -1)


def ring_signal(waves: Tensor, phases: Tensor, rings: Rings) -> Tensor:
    """The signal of waves on each ring.

    Args:
        waves: real, ``(batch, channel, rings, band, 2)``.
        phases: of ``ring_phases``, in the dtype of the waves.
        rings: of the sphere.
    Returns:
        ``(batch, channel, *rings.shape)``.
    """
    plan = ring_plan(rings)
    order, back = plan.rings.to(waves.device), plan.back[1].to(waves.device)
    x = torch.view_as_complex(waves.index_select(2, order).contiguous())
    parts = (x * torch.view_as_complex(phases)).split([many for _, many in plan.lengths], 2)
    found = [_signal(part, count) for part, (count, _) in zip(parts, plan.lengths, strict=True)]
    return (
        torch.cat([x.flatten(2) for x in found], -1)
        .index_select(-1, back)
        .unflatten(-1, rings.shape)
    )


def ring_waves(signal: Tensor, phases: Tensor, rings: Rings) -> Tensor:
    """The transpose of ``ring_signal``.

    Args:
        signal: real, ``(batch, channel, *rings.shape)``.
        phases: of ``ring_phases``, in the dtype of the signal.
        rings: of the sphere.
    Returns:
        ``(batch, channel, rings, band, 2)``.
    """
    plan, band = ring_plan(rings), phases.shape[1]
    order, back = plan.points.to(signal.device), plan.back[0].to(signal.device)
    x = signal.flatten(2).index_select(-1, order)
    parts = x.split([count * many for count, many in plan.lengths], -1)
    found = [
        _waves(part.unflatten(-1, (many, count)), band)
        for part, (count, many) in zip(parts, plan.lengths, strict=True)
    ]
    waves = torch.cat(found, 2) * torch.view_as_complex(phases).conj()
    return torch.view_as_real(waves.index_select(2, back))


def _signal(waves: Tensor, count: int) -> Tensor:
    """On rings of one length from longitude 0 on, ``(..., band)`` to ``(..., count)``."""
    band = waves.shape[-1]
    if count >= 2 * band - 1:  # a real inverse FFT counts every m > 0 twice
        halves = torch.where(torch.arange(band, device=waves.device) > 0, 0.5, 1.0)
        return torch.fft.irfft(waves * halves.to(waves.real.dtype), n=count, norm="forward")
    folds = -(band // -count)
    filled = torch.nn.functional.pad(waves, (0, folds * count - band))
    return torch.fft.ifft(filled.unflatten(-1, (folds, count)).sum(-2), norm="forward").real


def _waves(signal: Tensor, band: int) -> Tensor:
    """The transpose."""
    count = signal.shape[-1]
    if count >= 2 * band - 1:
        return torch.fft.rfft(signal)[..., :band]
    folds = -(band // -count)
    return torch.fft.fft(signal).repeat(*[1] * (signal.dim() - 1), folds)[..., :band]
