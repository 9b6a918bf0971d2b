"""What operators ask of their arguments, whatever road a call takes.

In: an argument and its name. Out: nothing, or an error that says what was expected.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from equinet.numerics.values import came


def check_tensors(operator: str, **tensors: object) -> None:
    """Refuse what is no tensor.

    Args:
        operator: its name, for the message.
        tensors: the arguments by their names.
    Raises:
        TypeError: with the name of the first that is none.
    """
    for name, x in tensors.items():
        _check_is_tensor(operator, name, x)


def _check_is_tensor(operator: str, name: str, x: object) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(f"{operator}: {name}: expected a tensor, got {came(x)}")


def check_counts(operator: str, name: str, counts: Sequence[int], least: int = 0) -> None:
    """Refuse numbers below the least that they can be.

    Args:
        operator: its name, for the message.
        name: of the argument.
        counts: the argument.
        least: the smallest number that is allowed.
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
    """Refuse what is not a list of so many integers on the device of another tensor.

    Args:
        operator: its name, for the message.
        name: of the argument.
        x: the argument.
        count: how many there must be; None for any.
        like: the tensor whose device ``x`` must share.
    Raises:
        ValueError: for another shape.
        TypeError: for another dtype or device.
    """
    check_integers(operator, name, x, (count,), like)


def check_integers(
    operator: str, name: str, x: Tensor, shape: tuple[int | None, ...], like: Tensor
) -> None:
    """Refuse what is no table of integers on the device of another tensor.

    Args:
        operator: its name, for the message.
        name: of the argument.
        x: the argument.
        shape: the size of each axis, None for any.
        like: the tensor whose device ``x`` must share.
    Raises:
        ValueError: for another shape.
        TypeError: for another dtype or device, or what is no dense tensor.
    """
    _check_is_dense(operator, name, x)
    if x.dtype != torch.int64 or x.device != like.device:
        raise TypeError(
            f"{operator}: {name}: expected torch.int64 on {like.device}, got {x.dtype} on "
            f"{x.device}"
        )
    _check_shape(operator, name, x, shape)


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
    _check_is_dense(operator, name, x)
    _check_shape(operator, name, x, shape)
    if not x.is_floating_point():
        raise TypeError(f"{operator}: {name}: expected real numbers, got {x.dtype}")
    if like is not None and (x.dtype, x.device) != (like.dtype, like.device):
        raise TypeError(
            f"{operator}: {name}: expected {like.dtype} on {like.device}, got {x.dtype} on "
            f"{x.device}"
        )


def _check_is_dense(operator: str, name: str, x: Tensor) -> None:
    _check_is_tensor(operator, name, x)
    if x.layout != torch.strided:
        raise TypeError(f"{operator}: {name}: expected a dense tensor, got {x.layout}")


def _check_shape(operator: str, name: str, x: Tensor, shape: tuple[int | None, ...]) -> None:
    if x.shape != shape and not _has_shape(x, shape):  # mostly the first says it, which is fast
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{operator}: {name}: expected the shape ({wanted}), got {tuple(x.shape)}")


def _has_shape(x: Tensor, shape: tuple[int | None, ...]) -> bool:
    """Whether ``x`` has this shape, None for any size."""
    return x.dim() == len(shape) and all(
        size is None or size == found for size, found in zip(shape, x.shape, strict=True)
    )


def check_mask(
    operator: str, name: str, mask: Tensor | None, shape: tuple[int, ...], like: Tensor
) -> None:
    """Refuse a mask, which may be None, of another shape, dtype or device than expected.

    Args:
        operator: its name, for the message.
        name: of the argument.
        mask: the argument.
        shape: that it must have.
        like: the tensor whose device it must share.
    Raises:
        ValueError: for a wrong shape.
        TypeError: if it is not bool, or on another device than ``like``.
    """
    if mask is None:
        return
    _check_is_dense(operator, name, mask)
    if mask.dtype != torch.bool or mask.device != like.device:
        raise TypeError(
            f"{operator}: {name}: expected torch.bool on {like.device}, got {mask.dtype} on "
            f"{mask.device}"
        )
    if tuple(mask.shape) != shape:
        raise ValueError(f"{operator}: {name}: expected the shape {shape}, got {tuple(mask.shape)}")


def check_tables(operator: str, tables: object, kind: type[tuple[object, ...]]) -> None:
    """Refuse what are no tables of the kind that a transform takes.

    Args:
        operator: its name, for the message.
        tables: what was given.
        kind: their class.
    Raises:
        TypeError: if they are of another.
    """
    if not isinstance(tables, kind):
        raise TypeError(
            f"{operator}: tables: expected {kind.__name__}, got {type(tables).__name__}"
        )


def split_columns(operator: str, spectrum: Tensor, channels: int) -> int:
    """The number of samples in the columns of a spectrum, channel by channel.

    Args:
        operator: its name, for the message.
        spectrum: ``(rows, channel * batch)``.
        channels: number of channels.
    Returns:
        The batch.
    Raises:
        ValueError: if the columns are none of so many channels.
        TypeError: if ``channels`` is no integer.
    """
    check_counts(operator, "channels", [channels], 1)
    if spectrum.dim() != 2 or spectrum.shape[1] % channels:
        raise ValueError(
            f"{operator}: spectrum: expected (rows, {channels} channels x batch), got "
            f"{tuple(spectrum.shape)}"
        )
    return spectrum.shape[1] // channels
