"""Binds one operator to torch: schema, reference, fake, autograd, and what was compiled for it.

In: plain functions. Out: an ``Operator``.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from equinet.ops.native import cuda, first_use, library

# A fragment, as a namespace has one owner only. Alive as long as this module.
LIBRARY = torch.library.Library("equinet", "FRAGMENT")


class Operator:
    """A torch operator ``equinet::name`` with a reference, and compiled forms where there are any.

    A call goes to the compiled form if there is one for the tensors' device and dtype, else to the
    reference, which is plain PyTorch and differentiable by itself. The reference also serves where
    torch must look inside: under torch.func's transforms, in forward mode, and while exporting, so
    that exported programs consist of torch's own operators. On a GPU it also serves what is beyond
    the limits of the compiled form, and everything if that failed the check of its first use.

    Args:
        schema: as torch.library takes it, ``"scale(Tensor x, float factor) -> Tensor"``; a tensor
            of real numbers stands first.
        reference: the specification, in plain PyTorch.
        fake: an empty tensor of the shape, dtype and device of the result.
        check: raises for arguments that the operator does not take; called first, whatever form.
        cpu: calls the compiled form; gets real tensors on the CPU, of any strides.
        gpu: the same on a CUDA device.
        fits: whether the GPU form can be launched with these arguments.
        examples: small arguments for all that the GPU form does, with real tensors in float64.
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
        fits: Callable[..., bool] = lambda *_: True,
        examples: Callable[[], Iterable[tuple[Any, ...]]] = tuple,
    ) -> None:
        self.name = schema.split("(")[0]
        self.qualified_name = f"equinet::{self.name}"
        self.reference = _checked(check, reference)
        self.cpu = _checked(check, cpu) if cpu else None
        self.gpu: first_use.GpuForm | None = None
        LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
        LIBRARY.impl(self.name, self.reference, "CompositeExplicitAutograd")
        if self.cpu and library.CPU:
            LIBRARY.impl(self.name, self.cpu, "CPU")
        if gpu:
            self.gpu = first_use.GpuForm(self.name, check, self.reference, gpu, fits, examples)
            LIBRARY.impl(self.name, self.gpu.serve, "CUDA")
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
        served = isinstance(arguments[0], Tensor) and self.serves(arguments[0])
        return self.overload(*arguments) if served else self.reference(*arguments)


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


def check_tensors(operator: str, **tensors: Any) -> None:
    """Refuse what is no tensor, by the name under which it is given."""
    for name, x in tensors.items():
        if not isinstance(x, Tensor):
            raise TypeError(f"{operator}: {name}: expected a tensor, got {type(x).__name__}")


def check_counts(operator: str, name: str, counts: Sequence[int], least: int = 0) -> None:
    """Refuse numbers below the least that they can be.

    Raises:
        ValueError: if there are none, or one is too small.
        TypeError: if it is no sequence of integers.
    """
    if not isinstance(counts, (list, tuple)):
        raise TypeError(f"{operator}: {name}: expected integers, got {type(counts).__name__}")
    for count in counts:
        if isinstance(count, bool) or not isinstance(count, (int, torch.SymInt)):
            raise TypeError(f"{operator}: {name}: expected integers, got {count!r}")
    if not counts or any(count < least for count in counts):
        raise ValueError(
            f"{operator}: {name}: expected integers, {least} or more, got {list(counts)}"
        )


def check_indices(operator: str, name: str, x: Tensor, count: int | None, like: Tensor) -> None:
    """Refuse what is not a list of ``count`` integers on the device of ``like``.

    Raises:
        ValueError: for another shape.
        TypeError: for another dtype or device.
    """
    check_tensors(operator, **{name: x})
    if x.dtype != torch.int64 or x.device != like.device:
        raise TypeError(
            f"{operator}: {name}: expected torch.int64 on {like.device}, got {x.dtype} on "
            f"{x.device}"
        )
    if x.dim() != 1 or (count is not None and len(x) != count):
        wanted = "any" if count is None else count
        raise ValueError(f"{operator}: {name}: expected the shape ({wanted}), got {tuple(x.shape)}")


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
        TypeError: for another dtype or device than that of ``like``, numbers that are not real, or
            what is no dense tensor.
    """
    check_tensors(operator, **{name: x})
    if x.layout != torch.strided:
        raise TypeError(f"{operator}: {name}: expected a dense tensor, got {x.layout}")
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
    check_tensors(operator, **{name: mask})
    if mask.layout != torch.strided:
        raise TypeError(f"{operator}: {name}: expected a dense tensor, got {mask.layout}")
    if mask.dtype != torch.bool or mask.device != like.device:
        raise TypeError(
            f"{operator}: {name}: expected torch.bool on {like.device}, got {mask.dtype} on "
            f"{mask.device}"
        )
    if tuple(mask.shape) != shape:
        raise ValueError(f"{operator}: {name}: expected the shape {shape}, got {tuple(mask.shape)}")


# --- for the examples -----------------------------------------------------------------------------


def integers(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """From -2 to 2, in float64: sums of their products are exact."""
    drawn = torch.randint(-2, 3, tuple(shape), generator=generator, device="cpu")
    return drawn.to(torch.float64)
