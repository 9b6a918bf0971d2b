"""Where autocast must not act, and tensors in another dtype or on another device."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def full_precision(x: Tensor) -> AbstractContextManager:
    """A context in which matrix products keep the dtype of ``x``, whatever autocast is on."""
    if not is_autocast(x):
        return nullcontext()
    return torch.autocast(x.device.type, enabled=False)


def cast(x: Tensor, dtype: torch.dtype) -> Tensor:
    """``x.to(dtype)``, which is no step of an exported program where nothing is to do."""
    return x if x.dtype == dtype else x.to(dtype)


def placed(x: Tensor, like: Tensor) -> Tensor:
    """``x`` on the device of another tensor, likewise."""
    return x if x.device == like.device else x.to(like.device)


def is_autocast(x: Tensor) -> bool:
    """Whether autocast is on where ``x`` is; on the meta device it never is, and torch asks."""
    return not x.is_meta and torch.is_autocast_enabled(x.device.type)
