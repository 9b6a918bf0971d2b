"""Modules whose buffers are constants: computed in float64, cast once, never in a checkpoint."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Self, overload

import torch
from torch import Tensor, nn

from equinet.numerics.cached import on_cpu

#: What a module may hold as a constant: a tensor, or a list with None where there is none.
Constant = Tensor | Sequence[Tensor | None]


class Constants(nn.Module):
    """A module with constant buffers that are exact in whatever dtype the module has.

    A subclass defines ``constants()`` and calls ``self.set_constants()`` at the end of its
    ``__init__``. The buffers are non-persistent, so a ``state_dict`` holds parameters only; and
    when the module is widened (``.double()``) they are computed anew instead of keeping float32
    digits. They are made outside of every mode, such as ``torch.inference_mode()``; and where they
    are left on the meta device by ``load_state_dict(assign=True)``, they join what was assigned.
    What is made as a list under one name is had as a list from ``listed``.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lists: dict[str, list[str | None]] = {}  # names of the buffers in each list
        self.register_load_state_dict_post_hook(_join_assigned)

    def constants(self, dtype: torch.dtype) -> Mapping[str, Constant]:
        """The constants by name, computed in float64; those that are real are then cast.

        Args:
            dtype: what they will be cast to, for a subclass that casts piece by piece to save
                memory.
        Returns:
            Tensors, and lists of tensors in which None stands where there is no constant.
        """
        return {}

    @overload
    def listed(self, name: str) -> list[Tensor]: ...

    @overload
    def listed(self, name: str, *, gaps: Literal[True]) -> list[Tensor | None]: ...

    def listed(self, name: str, *, gaps: bool = False) -> Sequence[Tensor | None]:
        """The constants of a list, as the module has them now.

        Args:
            name: under which ``constants`` gives the list.
            gaps: None stays where ``constants`` has None; else only the tensors are listed.
        Returns:
            The buffers, in order.
        Raises:
            KeyError: if there is no such list.
        """
        keys = self._lists[name]
        return [self.get_buffer(key) if key else None for key in keys if key or gaps]

    def set_constants(self, dtype: torch.dtype | None = None) -> None:
        """Register the constants as buffers in ``dtype``, by default torch's default dtype."""
        dtype = dtype or torch.get_default_dtype()
        probe = torch.empty(0)  # a mode that makes no numbers, such as FakeTensorMode, shows here
        made, self._lists = self._made(dtype, probe.device)
        for name, value in made.items():
            if type(probe) is not Tensor:
                value = torch.empty(value.shape, dtype=value.dtype)
            self.register_buffer(name, value, persistent=False)

    @on_cpu
    def _made(
        self, dtype: torch.dtype, device: torch.device
    ) -> tuple[dict[str, Tensor], dict[str, list[str | None]]]:
        """The constants as numbers, whatever the default device or the mode, and the lists.

        They are copies: a constant may come from a cache, and no two buffers may be one tensor,
        which torch lists under one name only.
        """
        single, lists = _flat(self.constants(dtype))
        return {
            name: value.to(device, dtype if value.is_floating_point() else value.dtype, copy=True)
            for name, value in single.items()
        }, lists

    def make_constants(self, like: Tensor) -> None:
        """Make the constants that are on the meta device in the dtype and on the device of one."""
        missing = [name for name, value in self._buffers.items() if _is_meta(value)]
        if missing:
            made, _ = self._made(like.dtype, like.device)
            self._buffers.update((name, made[name]) for name in missing if name in made)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        old = dict(self._buffers)
        super()._apply(fn, recurse)
        lost = {
            name: new
            for name, new in self._buffers.items()
            if new is not None and name in old and _is_lost(old[name], new)
        }
        if lost:
            first = next((new for new in lost.values() if new.is_floating_point()), None)
            dtype = torch.get_default_dtype() if first is None else first.dtype
            made, _ = self._made(dtype, next(iter(lost.values())).device)
            self._buffers.update((name, made[name]) for name in lost.keys() & made.keys())
        return self


def _flat(
    constants: Mapping[str, Constant],
) -> tuple[dict[str, Tensor], dict[str, list[str | None]]]:
    """Every tensor by a name of its own, and for each list the names of its tensors."""
    single: dict[str, Tensor] = {}
    lists: dict[str, list[str | None]] = {}
    for name, value in constants.items():
        if isinstance(value, Tensor):
            single[name] = value
            continue
        lists[name] = []
        for i, entry in enumerate(value):
            lists[name].append(None if entry is None else f"{name}_{i}")
            if entry is not None:
                single[f"{name}_{i}"] = entry
    return single, lists


def _is_meta(value: Tensor | None) -> bool:
    return value is not None and value.is_meta


def _join_assigned(module: nn.Module, _: object) -> None:
    """Make the constants on the meta device where there are numbers, after they were loaded."""
    own = itertools.chain(module.parameters(), module.buffers())
    loaded = next((t for t in own if t.is_floating_point() and not t.is_meta), None)
    if loaded is not None:
        for part in module.modules():
            if isinstance(part, Constants):
                part.make_constants(loaded)


def _is_lost(old: Tensor | None, new: Tensor) -> bool:
    """Whether a constant has digits, or values, that the move from ``old`` could not give it."""
    if old is None or new.is_meta:
        return False
    if old.is_meta or new.is_inference():
        return True
    if not new.is_floating_point():
        return False
    return torch.finfo(new.dtype).eps < torch.finfo(old.dtype).eps
