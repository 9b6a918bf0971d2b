"""Modules whose buffers are constants: computed in float64, cast once, never in a checkpoint.

Before: nothing. Next: every module of the library.
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
        for name, value in self.constants(dtype).items():
            value = value.to(dtype) if value.is_floating_point() else value
            self.register_buffer(name, value, persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True):
        old = {name: buffer.dtype for name, buffer in self._buffers.items() if buffer is not None}
        super()._apply(fn, recurse)
        new = {name: buffer for name, buffer in self._buffers.items() if buffer is not None}
        widened = [
            name
            for name, buffer in new.items()
            if buffer.is_floating_point() and buffer.dtype.itemsize > old[name].itemsize
        ]
        if widened and not any(new[name].is_meta for name in widened):
            exact = self.constants(new[widened[0]].dtype)
            for name in widened:
                if name in exact:
                    self._buffers[name] = exact[name].to(new[name])
        return self
