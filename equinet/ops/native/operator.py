"""Binds one operator to torch: schema, reference, fake, autograd, and what was compiled for it.

In: plain functions. Out: an ``Operator``. Before: ``library``, ``cuda``. Next: the operators.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from equinet.ops.native import cuda, library

# A fragment, as a namespace has one owner only. Alive as long as this module.
LIBRARY = torch.library.Library("equinet", "FRAGMENT")


class Operator:
    """A torch operator ``equinet::name`` with a reference, and compiled forms where there are any.

    A call goes to the compiled form if there is one for the tensors' device and dtype, else to the
    reference, which is plain PyTorch and differentiable by itself. The reference also serves where
    torch must look inside: under torch.func's transforms, in forward mode, and while exporting, so
    that exported programs consist of torch's own operators.

    Args:
        schema: as torch.library takes it, ``"scale(Tensor x, float factor) -> Tensor"``.
        reference: the specification, in plain PyTorch.
        fake: an empty tensor of the shape, dtype and device of the result.
        check: raises for arguments that the operator does not take; called first, whatever form.
        cpu: calls the compiled form; gets real tensors on the CPU, of any strides.
        gpu: the same on a CUDA device.
    """

    def __init__(
        self,
        schema: str,
        *,
        reference: Callable,
        fake: Callable,
        check: Callable[..., None],
        cpu: Callable | None = None,
        gpu: Callable | None = None,
    ) -> None:
        self.name = schema.split("(")[0]
        self.qualified_name = f"equinet::{self.name}"
        self.reference = _checked(check, reference)
        self.cpu = _checked(check, cpu) if cpu else None
        self.gpu = _checked(check, gpu) if gpu else None
        LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
        LIBRARY.impl(self.name, self.reference, "CompositeExplicitAutograd")
        if self.cpu and library.CPU:
            LIBRARY.impl(self.name, self.cpu, "CPU")
        if self.gpu:
            LIBRARY.impl(self.name, self._or_reference(self.gpu), "CUDA")
        torch.library.register_fake(self.qualified_name, _checked(check, fake), lib=LIBRARY)
        for device in ("cpu", "cuda"):  # the operators are for real constants: no low precision
            torch.library.register_autocast(self.qualified_name, device, torch.float32, lib=LIBRARY)
        self.overload = getattr(torch.ops.equinet, self.name).default

    def differentiate(self, save: Callable, backward: Callable) -> None:
        """Register the derivative, as torch.library.register_autograd takes it.

        ``backward`` must be made of operators that are differentiable themselves.
        """
        torch.library.register_autograd(
            self.qualified_name, backward, setup_context=save, lib=LIBRARY
        )

    def serves(self, x: Tensor) -> bool:
        """Whether a compiled form takes tensors like ``x``, here and now."""
        if x.dtype not in library.TYPES or looked_into():
            return False
        if x.device.type == "cpu":
            return self.cpu is not None and library.available()
        on_gpu = self.gpu is not None and x.device.type == "cuda"
        return on_gpu and cuda.available(x.device.index)

    def __call__(self, *arguments: Any) -> Any:
        x = next(a for a in arguments if isinstance(a, Tensor))
        return self.overload(*arguments) if self.serves(x) else self.reference(*arguments)

    def _or_reference(self, compiled: Callable) -> Callable:
        """The operator itself, called on a GPU for which there is no code, is still there."""

        def on_gpu(*arguments):
            x = next(a for a in arguments if isinstance(a, Tensor))
            able = x.dtype in library.TYPES and cuda.available(x.device.index)
            return (compiled if able else self.reference)(*arguments)

        return on_gpu


def looked_into() -> bool:
    """Whether torch transforms or exports the functions that are being called."""
    transformed = getattr(torch._C, "_are_functorch_transforms_active", lambda: False)
    return torch.compiler.is_exporting() or transformed() or forward_ad._current_level >= 0


def _checked(check: Callable[..., None], function: Callable) -> Callable:
    @wraps(function)
    def checked(*arguments):
        check(*arguments)
        return function(*arguments)

    return checked


def check_tensor(
    operator: str, name: str, x: Tensor, shape: tuple[int | None, ...], like: Tensor | None = None
) -> None:
    """Refuse a tensor of another shape, dtype or device than expected.

    Args:
        operator: its name, for the message.
        name: of the argument.
        x: the argument.
        shape: the size of each axis, None for any.
        like: the argument whose dtype and device ``x`` must share.
    Raises:
        ValueError: for a wrong shape.
        TypeError: for another dtype or device than that of ``like``, or numbers that are not real.
    """
    if x.dim() != len(shape) or any(
        size is not None and size != found for size, found in zip(shape, x.shape, strict=True)
    ):
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{operator}: {name}: expected the shape ({wanted}), got {tuple(x.shape)}")
    if not x.is_floating_point():
        raise TypeError(f"{operator}: {name}: expected real numbers, got {x.dtype}")
    if like is not None and (x.dtype, x.device) != (like.dtype, like.device):
        raise TypeError(
            f"{operator}: {name}: expected {like.dtype} on {like.device}, got {x.dtype} on "
            f"{x.device}"
        )


def check_mask(
    operator: str, name: str, mask: Tensor | None, shape: tuple[int, ...], like: Tensor
) -> None:
    """Refuse a mask, which may be None, of another shape, dtype or device than expected.

    Raises:
        ValueError: for a wrong shape.
        TypeError: if it is not bool, or on another device than ``like``.
    """
    if mask is None:
        return
    if mask.dtype != torch.bool or mask.device != like.device:
        raise TypeError(
            f"{operator}: {name}: expected torch.bool on {like.device}, got {mask.dtype} on "
            f"{mask.device}"
        )
    if tuple(mask.shape) != shape:
        raise ValueError(f"{operator}: {name}: expected the shape {shape}, got {tuple(mask.shape)}")
