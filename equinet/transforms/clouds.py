"""Rows of tensors, cloud by cloud."""

from __future__ import annotations

import torch
from torch import Tensor


def padded(rows: Tensor, batch: Tensor, count: int) -> Tensor:
    """The rows of each cloud beside each other, zeros behind.

    Args:
        rows: ``(points, columns)``.
        batch: the number of the cloud of each point, int64 ``(points,)``.
        count: of the clouds.
    Returns:
        ``(count, most, columns)``, in the order of the rows; ``most`` points has the largest cloud.
    """
    sizes = torch.bincount(batch, minlength=count)
    order = torch.argsort(batch, stable=True)
    first = (sizes.cumsum(0) - sizes)[batch[order]]
    place = torch.arange(len(batch), device=batch.device) - first
    most = int(sizes.max()) if count else 0
    found = rows.new_zeros(count, most, rows.shape[1])
    return found.index_put((batch[order], place), rows[order])
