"""How an element turns the fibres: rho(g) on the channels of every point, the same at all of them.

In: field types, group elements and feature maps. Out: turned feature maps.
"""

import math

import torch
from torch import Tensor

from equinet.field.field_type import FieldType
from equinet.numerics.values import is_differentiated
from equinet.ops import full_precision


def turn_fibres(field_type: FieldType, g: Tensor, x: Tensor) -> Tensor:
    r"""The values turned where they are, :math:`x \mapsto \rho(g)\, x`.

    Args:
        field_type: of ``x``, with fibres of finite dimension.
        g: elements of H, ``(n, n)``, or one for each sample, ``(batch, n, n)``.
        x: ``field_type.shape(batch, ...)``.
    Returns:
        As ``x``, which it may be itself where nothing turns.
    """
    if all(rho.is_trivial for _, rho in field_type.blocks):
        return x
    wanted = is_differentiated(g)
    g = (g if g.dim() == 3 else g[None]).to(x.device, torch.float64)
    parts = []
    for (mul, rho), channels in zip(field_type.blocks, field_type.slices, strict=True):
        if rho.is_trivial:
            parts.append(x[:, channels])
            continue
        matrix = rho(g).to(x.dtype)  # (1 or batch, dim, dim)
        if len(matrix) == 1 and not wanted and _permutes(matrix[0]):
            # Of whole channels: along a later axis index_select is several times as slow.
            first = torch.arange(0, mul * rho.dim, rho.dim, device=x.device)
            sources = (first[:, None] + matrix[0].argmax(1)).flatten()
            parts.append(x[:, channels].index_select(1, sources))
            continue
        part = x[:, channels].reshape(len(x), mul, rho.dim, math.prod(x.shape[2:]))
        with full_precision(x):
            part = torch.einsum("zij,zmjp->zmip", matrix, part)
        parts.append(part.reshape(len(x), mul * rho.dim, *x.shape[2:]))
    return torch.cat(parts, 1) if len(parts) > 1 else parts[0]


def _permutes(matrix: Tensor) -> bool:
    """Whether it only exchanges components, as it does in regular and quotient representations."""
    ones = matrix == 1
    return bool((ones | (matrix == 0)).all() & (ones.sum(0) == 1).all() & (ones.sum(1) == 1).all())
