"""Constants that are in memory once, however many modules have them."""

from collections.abc import Callable, Mapping
from typing import Any, Self

import torch
from torch import Tensor

from equinet.numerics.constants import Constants


class SharedConstants(Constants):
    """A module of ``Constants``, some of which it shares with all modules that ask for the same.

    A subclass defines ``shared(dtype, device)``, which gives the same tensors to all
    (``numerics.cached.shared``), and has at least one floating constant of its own. The buffers lie
    where those tensors lie: after a move to another dtype or device they are asked for anew, and
    neither a pickle nor a copy of a module holds them. Nobody may write to them.
    """

    def shared(self, dtype: torch.dtype, device: torch.device) -> Mapping[str, Tensor]:
        """The shared constants by name.

        Args:
            dtype: of those that are real.
            device: on which they are asked for.
        Returns:
            Tensors that others have too.
        """
        return {}

    def set_constants(self, dtype: torch.dtype | None = None) -> None:
        """Register the constants as buffers in ``dtype``, by default torch's default dtype."""
        super().set_constants(dtype)
        self._take()

    def make_constants(self, like: Tensor) -> None:
        """Make the constants that are on the meta device in the dtype and on the device of one."""
        self._leave()
        super().make_constants(like)
        self._take()

    def _take(self) -> None:
        like = next(value for value in self.buffers(False) if value.is_floating_point())
        # What is held keeps the constants alive; the buffers are other tensors in their memory, as
        # torch lists a tensor that two modules have under one name only.
        self._held = dict(self.shared(like.dtype, like.device))
        for name, value in self._held.items():
            is_fake = type(like) is not Tensor
            own = torch.empty_like(value, device=like.device) if is_fake else value.detach()
            self.register_buffer(name, own, persistent=False)

    def _leave(self) -> None:
        for name in self._held:
            del self._buffers[name]
        self._held = {}

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self._leave()
        super()._apply(fn, recurse)
        self._take()
        return self

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state["_buffers"] = {k: v for k, v in self._buffers.items() if k not in self._held}
        state["_held"] = {}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._take()
