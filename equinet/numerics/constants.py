"""Modules whose buffers are constants: computed in float64, cast once, never in a checkpoint.

Before: ``cached``. Next: every module of the library.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Constants(nn.Module):
    """A module with constant buffers that are exact in whatever dtype the module has.

    A subclass defines ``constants()`` and calls ``self.set_constants()`` at the end of its
    ``__init__``. The buffers are non-persistent, so a ``state_dict`` holds parameters only; and
    when the module is widened (``.double()``) they are computed anew instead of keeping float32
    digits.
    """

    def constants(self, dtype: torch.dtype) -> dict[str, Tensor]:
        """The constants by name, computed in float64; those that are real are then cast.

        Args:
            dtype: what they will be cast to, for a subclass that casts piece by piece to save
                memory.
        """
        return {}

    def set_constants(self, dtype: torch.dtype | None = None) -> None:
        """Register the constants as buffers in ``dtype``, by default torch's default dtype."""
        dtype = dtype or torch.get_default_dtype()
        for name, value in self._on_cpu(dtype).items():
            value = value.to(dtype) if value.is_floating_point() else value
            self.register_buffer(name, value.to(torch.get_default_device()), persistent=False)

    def _on_cpu(self, dtype: torch.dtype) -> dict[str, Tensor]:
        """The constants as numbers, even where the default device is meta."""
        with torch.device("cpu"):
            return self.constants(dtype)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True):
        old = dict(self._buffers)
        super()._apply(fn, recurse)
        lost = {
            name: new
            for name, new in self._buffers.items()
            if new is not None and name in old and _is_lost(old[name], new)
        }
        if lost:
            real = [new.dtype for new in lost.values() if new.is_floating_point()]
            exact = self._on_cpu(real[0] if real else torch.get_default_dtype())
            for name in lost.keys() & exact.keys():
                self._buffers[name] = exact[name].to(lost[name])
        return self


def _is_lost(old: Tensor | None, new: Tensor) -> bool:
    """Whether a constant has digits, or values, that the move from ``old`` could not give it."""
    if old is None or new.is_meta:
        return False
    if old.is_meta:
        return True
    if not new.is_floating_point():
        return False
    return torch.finfo(new.dtype).eps < torch.finfo(old.dtype).eps
