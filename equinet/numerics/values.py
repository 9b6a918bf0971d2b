"""Checks of a tensor and, where torch lets one look, of its numbers."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd import forward_ad

from equinet.numerics.pages import explained

_MOST, _WIDE = 1e30, torch.float32


def is_readable(*tensors: Tensor) -> bool:
    """Whether the numbers in the tensors may be looked at.

    Not while torch traces or captures what is called, not of a tensor that one of its transforms
    has wrapped, and not of one without numbers.
    """
    traced = torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    if traced or torch.compiler.is_compiling() or torch.compiler.is_exporting():
        return False
    # torch has no public way to tell a tensor of vmap.
    wrapped = torch._C._functorch.is_functorch_wrapped_tensor  # pyright: ignore
    for x in tensors:
        if type(x) not in (Tensor, torch.nn.Parameter) or x.is_meta or wrapped(x):
            return False
    on_gpu = any(x.is_cuda for x in tensors)
    return not (on_gpu and torch.cuda.is_current_stream_capturing())


def is_differentiated(*tensors: Tensor) -> bool:
    """Whether a derivative by one of them may be asked for, in any mode of torch.

    Where torch does not let one see it, as in a trace or a transform, it may.
    """
    if torch.is_grad_enabled() and any(x.requires_grad for x in tensors):
        return True
    if not is_readable(*tensors):
        return True
    return any(forward_ad.unpack_dual(x).tangent is not None for x in tensors)


def is_missing(x: Tensor) -> Tensor:
    """Where something stands that nobody has measured: NaN, or a number that files write for it.

    Args:
        x: data. healpy writes -1.6e30 for what is missing, netCDF 9.9e36: nothing on the sky or the
            Earth is so large.
    Returns:
        True and False, in the shape of ``x``.
    """
    return x.isnan() | (x.isfinite() & (x.abs().to(torch.promote_types(x.dtype, _WIDE)) >= _MOST))


def came(value: object) -> str:
    """What came in place of a tensor, for an error; of an array also what makes a tensor of it."""
    name = type(value).__name__
    return f"{name}; torch.from_numpy makes a tensor of it" if hasattr(value, "__array__") else name


def check_measured(name: str, x: Tensor, instead: str) -> None:
    """Raise ValueError if a number is not finite, or stands for one that is missing.

    One pass over the data, and on a GPU one wait for its result; left out where it cannot be read.

    Args:
        name: of the argument.
        x: real.
        instead: what to do about it.
    Raises:
        ValueError: with the number of those values.
    """
    if not is_readable(x) or not x.numel():
        return
    low, high = torch.aminmax(x.detach())  # NaN, if one is
    if -_MOST < float(low) and float(high) < _MOST:
        return
    wrong = is_missing(x) | ~x.isfinite()
    raise ValueError(
        explained(
            f"{name}: expected finite numbers, got {int(wrong.sum())} that are not, or that files "
            f"write for what is missing ({float(x.detach()[wrong][0]):g}); {instead}",
            "guide/sphere_data.md#masks-areas-missing-data",
        )
    )


def check_numbers(
    name: str,
    numbers: object,
    what: str,
    shape: Sequence[int | str],
    like: Tensor,
    count: int | None = None,
    padded: str = "",
) -> None:
    """Raise ValueError unless ``numbers`` are int64, of that shape, and in range(count).

    The last is one reduction over the numbers, and on a GPU one wait for its result; it is left
    out where the numbers cannot be read.

    Args:
        name: of the argument.
        numbers: of something.
        what: they are, such as "the number of the cloud of each point".
        shape: a name for an axis of any size.
        like: a tensor on the device where they should be.
        count: how many there are; None if they may be as large as they like.
        padded: what to do where negative numbers stand for nothing.
    Raises:
        ValueError: if they are others.
    """
    if (
        not isinstance(numbers, Tensor)
        or not _fits(numbers, shape)
        or numbers.layout != torch.strided
        or numbers.dtype != torch.int64
        or numbers.device != like.device
    ):
        got = came(numbers)
        if isinstance(numbers, Tensor):
            got = f"{_kind(numbers)} {tuple(numbers.shape)} on {numbers.device}"
        raise ValueError(
            f"{name}: expected {what}, int64 {_sizes(shape)} on {like.device}, got {got}"
        )
    if not is_readable(numbers) or not numbers.numel():
        return
    low, high = torch.stack(torch.aminmax(numbers)).tolist()
    span = ">= 0" if count is None else f"from 0 to {count - 1}" if count else "of none"
    if low < 0:
        raise ValueError(f"{name}: expected {what}, {span}, got {low}{padded}")
    if count is not None and high >= count:
        raise ValueError(f"{name}: expected {what}, {span}, got {high}")


def check_together(name: str, pairs: Tensor, part: Tensor, what: str) -> None:
    """Raise ValueError unless the two of each pair belong to the same part.

    Left out where the numbers cannot be read, as in ``check_numbers``.

    Args:
        name: of the argument.
        pairs: int64 ``(2, count)``.
        part: of each thing that may be one of a pair, int64.
        what: a part is, such as "cloud".
    Raises:
        ValueError: for a pair of two parts, which it names.
    """
    if not is_readable(pairs, part):
        return
    ends = part[pairs]
    apart = ends[0] != ends[1]
    if apart.any():
        number = int(apart.nonzero()[0])
        (j, i), (a, b) = pairs[:, number].tolist(), ends[:, number].tolist()
        raise ValueError(
            f"{name}: expected none from one {what} to another, got ({j}, {i}), number {number}, "
            f"from {what} {a} to {what} {b}"
        )


def check_floating(name: str, x: object, *last: int) -> Tensor:
    """``x``, if it is a dense tensor of real floating numbers ``(..., *last)``.

    Args:
        name: of the argument.
        x: anything.
        last: the sizes of its last axes; none if they are free.
    Returns:
        The tensor itself.
    Raises:
        TypeError: if it is none.
        ValueError: if its last axes are of other sizes.
    """
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.layout != torch.strided:
        got = _kind(x) if isinstance(x, Tensor) else came(x)
        raise TypeError(f"{name}: expected a real floating tensor, got {got}")
    if last and (x.dim() < len(last) or x.shape[-len(last) :] != last):
        sizes = ", ".join(map(str, last))
        raise ValueError(f"{name}: expected the shape (..., {sizes}), got {tuple(x.shape)}")
    return x


def _kind(x: Tensor) -> str:
    """The dtype, or what is odder."""
    return str(x.dtype if x.layout == torch.strided else x.layout)


def check_real(name: str, x: object, shape: Sequence[int | str]) -> None:
    """Raise unless ``x`` holds finite real numbers and has that shape.

    Args:
        name: of the argument.
        x: of numbers.
        shape: a name for an axis of any size.
    Raises:
        TypeError: if ``x`` is not real floating.
        ValueError: if its shape is another one or, where that can be read, a number not finite.
    """
    x = check_floating(name, x)
    if not _fits(x, shape):
        raise ValueError(f"{name}: expected {_sizes(shape)}, got {tuple(x.shape)}")
    if is_readable(x) and not x.isfinite().all():
        where = int(x.isfinite().reshape(len(x), -1).all(1).logical_not().nonzero()[0])
        raise ValueError(f"{name}: expected finite numbers, got {x[where].tolist()} at {where}")


def _fits(x: Tensor, shape: Sequence[int | str]) -> bool:
    return x.dim() == len(shape) and all(
        isinstance(size, str) or size == actual for size, actual in zip(shape, x.shape, strict=True)
    )


def _sizes(shape: Sequence[int | str]) -> str:
    sizes = ", ".join(map(str, shape))
    return f"({sizes},)" if len(shape) == 1 else f"({sizes})"
