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

from collections import Counter

import torch
from torch import Tensor

from equinet.harmonics.rings import Rings
from equinet.ops.s2_reference import fourier, signal_of

Lengths = tuple[tuple[int, int], ...]


def ring_lengths(rings: Rings) -> Lengths:
    """The lengths of rings, ascending.

    Args:
        rings: of the sphere.
    Returns:
        (points of a ring, number of such rings).
    """
    return tuple(sorted(Counter(rings.counts).items()))


def ring_constants(rings: Rings, band: int) -> dict[str, Tensor]:
    r"""What the two maps need, in which rings of one length are side by side.

    Args:
        rings: of the sphere.
        band: orders m < band.
    Returns:
        phases: of each ring, :math:`e^{i m \alpha_0}`, float64 ``(rings, band, 2)``;
        rings_by_length, points_by_length: what stands where in that order;
        rings_back, points_back: the inverse permutations.
    """
    counts = torch.tensor(rings.counts)
    order = counts.argsort(stable=True)
    of_point = torch.arange(len(counts)).repeat_interleave(counts)
    points = order.argsort()[of_point].argsort(stable=True)
    starts = torch.tensor(rings.starts, dtype=torch.float64)[order]
    angle = starts[:, None] * torch.arange(band, dtype=torch.float64)
    return {
        "phases": torch.stack([angle.cos(), angle.sin()], -1),
        "rings_by_length": order,
        "points_by_length": points,
        "rings_back": order.argsort(),
        "points_back": points.argsort(),
    }


def ring_signal(
    waves: Tensor, phases: Tensor, lengths: Lengths, rings_by_length: Tensor, points_back: Tensor
) -> Tensor:
    """The signal of waves on each ring.

    Args:
        waves: real, ``(batch, channel, rings, band, 2)``.
        phases: of ``ring_constants``, in the dtype of the waves.
        lengths: of the rings.
        rings_by_length: of ``ring_constants``.
        points_back: of ``ring_constants``.
    Returns:
        ``(batch, channel, points)``.
    """
    x = torch.view_as_complex(waves.index_select(2, rings_by_length))
    parts = (x * torch.view_as_complex(phases)).split([many for _, many in lengths], 2)
    found = [
        _signal(part, count).flatten(2) for part, (count, _) in zip(parts, lengths, strict=True)
    ]
    return torch.cat(found, -1).index_select(-1, points_back)


def ring_waves(
    signal: Tensor, phases: Tensor, lengths: Lengths, points_by_length: Tensor, rings_back: Tensor
) -> Tensor:
    """The transpose of ``ring_signal``.

    Args:
        signal: real, ``(batch, channel, points)``.
        phases: of ``ring_constants``, in the dtype of the signal.
        lengths: of the rings.
        points_by_length: of ``ring_constants``.
        rings_back: of ``ring_constants``.
    Returns:
        ``(batch, channel, rings, band, 2)``.
    """
    x = signal.index_select(-1, points_by_length)
    parts = x.split([count * many for count, many in lengths], -1)
    found = [
        _waves(part.unflatten(-1, (many, count)), phases.shape[1])
        for part, (count, many) in zip(parts, lengths, strict=True)
    ]
    waves = torch.cat(found, 2) * torch.view_as_complex(phases).conj()
    return torch.view_as_real(waves).index_select(2, rings_back)


def _signal(waves: Tensor, count: int) -> Tensor:
    """On rings of one length from longitude 0 on, ``(..., band)`` to ``(..., count)``."""
    band = waves.shape[-1]
    if count >= 2 * band - 1:  # a real inverse FFT counts every m > 0 twice
        halves = torch.where(torch.arange(band, device=waves.device) > 0, 0.5, 1.0)
        return signal_of(waves * halves.to(waves.real.dtype), count)
    folds = -(band // -count)
    filled = torch.nn.functional.pad(waves, (0, folds * count - band))
    folded = filled.unflatten(-1, (folds, count)).sum(-2)
    if folded.numel():  # torch refuses empty tensors
        folded = torch.fft.ifft(folded, norm="forward")
    return folded.real


def _waves(signal: Tensor, band: int) -> Tensor:
    """The transpose."""
    count = signal.shape[-1]
    if count >= 2 * band - 1:
        return fourier(signal)[..., :band]
    folds = -(band // -count)
    found = torch.fft.fft(signal) if signal.numel() else torch.complex(signal, signal)
    return found.repeat(*[1] * (signal.dim() - 1), folds)[..., :band]
