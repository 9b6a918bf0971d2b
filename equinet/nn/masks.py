r"""Weights of the points in an expectation: masks, areas, missing data.

.. math:: E f = \sum_x q_x w_x f(x) \Big/ \sum_x q_x w_x \quad (N2)

with the weights q of the space and w given with the fields; over a group of samples the sums are
over their points too. Where w = 0 nothing is read, not even NaN; where w = 0 everywhere, E f = 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from equinet.field import FieldType
from equinet.numerics.values import came, is_readable


def point_weights(in_type: FieldType, x: Tensor, weights: Tensor | None) -> Tensor | None:
    """W of (N2), with the axes of the fields; None for None.

    Args:
        in_type: of the fields.
        x: the fields.
        weights: real numbers >= 0 or True and False, for the points ``(*sizes)`` or for those of
            each sample, ``(batch, *sizes)``; on the sphere of a regular field without gamma.
    Returns:
        ``(batch or 1, 1, *sizes)``, in single precision at least.
    Raises:
        TypeError: if ``weights`` is no real tensor.
        ValueError: if its shape is another one, or a number is negative, infinite or NaN.
    """
    if weights is None:
        return None
    if not isinstance(weights, Tensor) or weights.is_complex():
        kind = weights.dtype if isinstance(weights, Tensor) else came(weights)
        raise TypeError(f"weights: expected a real tensor or one of True and False, got {kind}")
    sizes = x.shape[2:-1] if in_type.is_sampled else x.shape[2:]
    if weights.shape != sizes and weights.shape != (x.shape[0], *sizes):
        raise ValueError(
            f"weights: expected {tuple(sizes)} or {(x.shape[0], *sizes)}, got "
            f"{tuple(weights.shape)}"
        )
    if weights.is_meta and not x.is_meta:
        raise ValueError(f"weights: expected numbers on {x.device}, as x, got a tensor on meta")
    w = weights.to(x.device, torch.promote_types(x.dtype, torch.float32))
    if is_readable(w) and not ((w >= 0).all() and w.sum().isfinite()):
        raise ValueError(
            f"weights: expected finite numbers >= 0 with a sum in {w.dtype}, got others"
        )
    w = (w if w.dim() > len(sizes) else w[None])[:, None]
    return w[..., None] if in_type.is_sampled else w


def read(x: Tensor, w: Tensor | None, other: float = 0.0) -> Tensor:
    """The values where w is not 0, else another one, with derivatives that know nothing of those.

    Args:
        x: the values.
        w: of the points, with the axes of ``x``; None for 1 everywhere.
        other: what is read where w is 0.
    Returns:
        In the shape of ``x``.
    """
    return x if w is None else x.where(w > 0, x.new_full((), other))


def mean_over(x: Tensor, w: Tensor, dims: list[int]) -> Tensor:
    """(N2) over some axes, which are kept; w has them too and sums what it is multiplied with.

    Args:
        x: the values, 0 where w is.
        w: of all points, with the weights of the space.
        dims: the axes.
    Returns:
        The mean.
    """
    w = w.expand(-1 if 0 not in dims else len(x), -1, *x.shape[2:])
    total = w.sum(dims, keepdim=True)
    return (x * w).sum(dims, keepdim=True) / total.where(total > 0, torch.ones_like(total))


def measures(w: Tensor, q: Tensor) -> Tensor:
    """Q w, the weight of every point.

    Args:
        w: of the points, ``(batch or 1, 1, *sizes)``.
        q: of the space, along its first axis.
    Returns:
        In the shape of ``w``.
    """
    return w * q.to(w.dtype).view(-1, *[1] * (w.dim() - 3)) if w.dim() > 2 else w


def moments_over(x: Tensor, w: Tensor, q: Tensor, over_batch: bool) -> tuple[Tensor, Tensor]:
    """Mean and variance of every channel over space, as ``mean_over``.

    Args:
        x: the values, 0 where w is.
        w: of the points.
        q: of the space, along its first axis.
        over_batch: and over the samples.
    Returns:
        ``(batch or 1, channel)`` each.
    """
    dims = [0] * over_batch + list(range(2, x.dim()))
    w = measures(w, q)
    mean = mean_over(x, w, dims)
    return mean.flatten(1), mean_over((x - mean).square(), w, dims).flatten(1)
