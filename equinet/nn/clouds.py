"""What layers over ``Points`` do cloud by cloud."""

from __future__ import annotations

import torch
from torch import Tensor

from equinet.nn.masks import read
from equinet.numerics.arguments import check_integer
from equinet.numerics.values import check_numbers

_MOST = 2**31 - 1  # clouds


def clouds_of(x: Tensor, batch: Tensor | None, count: int | None) -> tuple[Tensor, int]:
    """The number of the cloud of each point, and how many clouds there are.

    Args:
        x: something of the points, ``(points, ...)``.
        batch: the number of the cloud of each point, int64 ``(points,)``; None for a single cloud.
        count: of the clouds, by default the largest number and one.
    Returns:
        Both, filled in.
    Raises:
        ValueError: if a number is negative or not below ``count``, or there are none for several
            clouds.
    """
    if count is not None:
        check_integer(count, "count", least=0, most=_MOST)
    if batch is None:
        if count not in (None, 1):
            raise ValueError(
                f"batch: expected the number of the cloud of each point, for {count} clouds, got "
                "None"
            )
        return torch.zeros(x.shape[0], dtype=torch.int64, device=x.device), 1
    check_numbers("batch", batch, "the number of the cloud of each point", x.shape[:1], x, count)
    if count is None:
        count = int(batch.max()) + 1 if len(batch) else 0
    return batch, count


def cloud_sums(x: Tensor, batch: Tensor, count: int) -> Tensor:
    """The sum over each cloud, in single precision at least, as sums need the digits.

    Args:
        x: ``(points, channels)``.
        batch: the number of the cloud of each point.
        count: of the clouds.
    Returns:
        ``(count, channels)``; zeros for a cloud without points.
    """
    y = x.to(torch.promote_types(x.dtype, torch.float32))
    return y.new_zeros(count, y.shape[1]).index_add(0, batch, y)


def cloud_means(x: Tensor, batch: Tensor, count: int, w: Tensor | None = None) -> Tensor:
    """The mean over each cloud, as ``cloud_sums``.

    Args:
        x: ``(points, channels)``.
        batch: the number of the cloud of each point.
        count: of the clouds.
        w: weights of the points, ``(points, 1)``; None if they are ones.
    Returns:
        ``(count, channels)``; zeros for a cloud without points.
    """
    if w is not None:
        total = cloud_sums(w, batch, count)
        return cloud_sums(read(x, w) * w, batch, count) / total.where(total > 0, 1.0)
    # Not scatter_reduce, of which ONNX takes the last of the values for their mean.
    points = cloud_sums(torch.ones_like(x[:, :1]), batch, count)
    return cloud_sums(x, batch, count) / points.clamp(min=1)
