"""Where autocast must not act."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def full_precision(x: Tensor) -> AbstractContextManager:
    """A context in which matrix products keep the dtype of ``x``, whatever autocast is on."""
    if not is_autocast(x):
        return nullcontext()
    return torch.autocast(x.device.type, enabled=False)


def is_autocast(x: Tensor) -> bool:
    """Whether autocast is on where ``x`` is; on the meta device it never is, and torch asks."""
    return not x.is_meta and torch.is_autocast_enabled(x.device.type)
