r"""What every equivariant module is: a ``torch.nn.Module`` that knows its types.

In: field types. Out: the noun Module.
"""

import copy
import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from equinet.field import FieldType
from equinet.nn.meaning import described, from_tensor, to_tensor
from equinet.numerics import Constants
from equinet.numerics.arguments import check_generator
from equinet.numerics.pages import explained
from equinet.ops.precision import is_autocast

if TYPE_CHECKING:  # Python 3.13 has the default itself; when it runs, none is needed
    from typing_extensions import TypeVar

    Out = TypeVar("Out", bound=FieldType | None, default=FieldType)
else:
    from typing import TypeVar

    Out = TypeVar("Out")


class EquivariantModule(Constants, Generic[Out]):
    r"""A map Phi between feature maps with Phi(g f) = g Phi(f) for all g in G.

    ``forward`` takes and returns plain tensors; the types say what they mean.

    The ``state_dict`` of a module with learned numbers of its own has one entry more, the bytes of
    ``meaning()``, so that a checkpoint of another symmetry is refused although its tensors have the
    same shapes. A ``state_dict`` without this entry, of an older version or with the keys that end
    in ``_extra_state`` taken out, cannot be compared and is loaded as it is.

    Args:
        in_type: type of the input.
        out_type: type of the output, or None.
    Raises:
        TypeError: if one is no ``FieldType``.

    Attributes:
        in_type: type of the input.
        out_type: type of the output, or None for plain vectors that G leaves unchanged.
        aliases: whether the output has degrees that the grid cannot hold, so that the equation
            holds up to that error only.
        is_vouched: whether checks take the symmetry of the module from its own types alone, and not
            from what is inside.
    """

    in_type: FieldType
    out_type: Out
    aliases = False
    is_vouched = False

    def __init__(self, in_type: FieldType, out_type: Out) -> None:
        super().__init__()
        for name, value in (("in_type", in_type), ("out_type", out_type)):
            if not isinstance(value, FieldType) and not (name == "out_type" and value is None):
                raise TypeError(f"{name}: expected a FieldType, got {type(value).__name__}")
        self.in_type, self.out_type = in_type, out_type

    @property
    def argument_types(self) -> dict[str, FieldType]:
        """Types of what ``forward`` takes besides ``x`` that are fields too, by name; here none.

        Checks draw such fields and move them with ``x``. A module of yours, of any class, may have
        an attribute of this name.
        """
        return {}

    def check(self, x: Tensor) -> None:
        """Raise unless ``x`` is a batch of fields of ``in_type``, where and as the module is.

        Raises:
            TypeError: if ``x`` is not real floating, or of another dtype than the module (under
                autocast torch casts both).
            ValueError: if its shape is another one, or it is on another device.
        """
        self.in_type.check(x)
        own = next((t for t in _tensors(self) if t.is_floating_point()), None)
        if own is None:
            if not x.is_meta and any(t.is_meta for t in _tensors(self)):
                self._made_like(x)
            return
        if own.is_meta and not x.is_meta:
            own = self._made_like(x)
        if own.device != x.device:
            raise ValueError(
                f"x: expected a tensor on {own.device}, where this {type(self).__name__} is, got "
                f"one on {x.device}"
            )
        if own.dtype != x.dtype and not is_autocast(x):
            raise TypeError(
                explained(
                    f"x: expected {own.dtype} as this {type(self).__name__}, got {x.dtype}; use "
                    f"module.to(x.dtype) or x.to({own.dtype})",
                    "guide/pitfalls.md#dtype",
                )
            )

    def _made_like(self, x: Tensor) -> Tensor:
        """Make what is on the meta device, of a module that has constants only."""
        parameter = next(self.parameters(), None)
        if parameter is not None or torch.compiler.is_compiling():
            raise ValueError(
                f"x: expected a tensor on meta, where this {type(self).__name__} is, got one on "
                f"{x.device}; first call to_empty(device=...), then load_state_dict"
            )
        for part in self.modules():
            if isinstance(part, Constants):
                part.make_constants(x)
        return x

    def meaning(self) -> str:
        """What the learned numbers mean: of which maps between which fields they are coordinates.

        Two modules have the same word if weights of one are right for the other; what does not
        change the meaning of a weight (a padding, a stride, a label) is not in it. What older
        versions did not say stands behind a semicolon, and their states are loaded without it.
        """
        types = [self.in_type] if self.out_type is None else [self.in_type, self.out_type]
        return " -> ".join(dict.fromkeys(described(fields) for fields in types))

    def get_extra_state(self) -> Tensor | None:
        """The bytes of ``meaning()``; None if nothing is learned here."""
        return to_tensor(self.meaning()) if _learns(self) else None

    def set_extra_state(self, state: object) -> None:
        """Nothing to set: a wrong meaning is an error of ``load_state_dict``."""

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if destination[prefix + "_extra_state"] is None:
            del destination[prefix + "_extra_state"]

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
        key = prefix + "_extra_state"
        if key in missing_keys:
            missing_keys.remove(key)
        state = state_dict.get(key)
        if state is None or getattr(state, "is_meta", False) or not _learns(self):
            return
        given, own = from_tensor(state), self.meaning()
        if given != own and given != own.partition(";")[0]:
            text = (
                f"{prefix}weight: expected numbers that belong to {own!r}, as in this "
                f"{type(self).__name__} of {self.in_type!r}, got some that belong to {given!r}"
            )
            page = "guide/pitfalls.md#a-checkpoint-of-another-symmetry"
            error_msgs.append(explained(text, page))

    def place(self, device: torch.device | str | int | None, dtype: torch.dtype | None) -> None:
        """Move a module that is just made, for the arguments of its constructor.

        Args:
            device: where its tensors go; None leaves them.
            dtype: of its floating tensors; None leaves it.
        Raises:
            TypeError: if ``dtype`` is not a real floating type, or ``device`` is none.
        """
        check_place(device, dtype)
        if device is not None or dtype is not None:
            self.to(device=device, dtype=dtype)

    def export(self) -> nn.Module:
        """The equal module of plain ``torch.nn``, as it computes in evaluation mode.

        Filters are baked into ``torch.nn`` convolutions; what is no class of ``torch.nn`` but a few
        of its functions becomes a graph of these, see ``plain``. Others give a copy of themselves.
        """
        return copy.deepcopy(self).eval()

    def extra_repr(self) -> str:
        if self.out_type is None or self.out_type == self.in_type:
            return repr(self.in_type)
        return f"{self.in_type!r} -> {self.out_type!r}"


def is_source(module: object) -> bool:
    """Whether a module makes fields of what is none: it knows the type of its output only."""
    types = [getattr(module, name, None) for name in ("in_type", "out_type")]
    return types[0] is None and isinstance(types[1], FieldType)


def check_place(device: torch.device | str | int | None, dtype: object) -> None:
    """Check the arguments that say where a module is to be, and in which dtype.

    Args:
        device: a device of torch, or None.
        dtype: a real floating dtype of torch, or None.
    Raises:
        ValueError: if ``device`` is anything else.
        TypeError: if ``dtype`` is anything else.
    """
    try:
        torch.device("cpu" if device is None else device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"device: expected one of torch, such as 'cpu' or 'cuda:0', got {device!r}"
        ) from error
    if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise TypeError(f"dtype: expected a real floating dtype, got {dtype!r}")


def randn(*size: int, generator: torch.Generator | None) -> Tensor:
    """Normal numbers, drawn where the generator is."""
    return torch.randn(*size, generator=generator, device=_device_of(generator))


def rand(*size: int, generator: torch.Generator | None) -> Tensor:
    """Uniform numbers in [0, 1), drawn where the generator is."""
    return torch.rand(*size, generator=generator, device=_device_of(generator))


def _device_of(generator: torch.Generator | None) -> torch.device | None:
    check_generator(generator)
    return None if generator is None else generator.device


def _learns(module: nn.Module) -> bool:
    """Whether there are learned numbers of its own: parameters, statistics, or lists of them."""
    lists = [part for part in module.children() if isinstance(part, nn.ParameterList)]
    statistics = module._buffers.keys() - module._non_persistent_buffers_set
    return (
        any(True for owner in [module, *lists] for _ in owner.parameters(recurse=False))
        or any(module._buffers[name] is not None for name in statistics)
        or parametrize.is_parametrized(module)
    )


def _tensors(module: nn.Module) -> Iterator[Tensor]:
    return itertools.chain(module.parameters(), module.buffers())
