"""What a module may ask of the functions and numbers that it is given."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.numerics.arguments import is_number
from equinet.numerics.values import came, check_numbers

Function = Callable[[Tensor], Tensor]

_LEVELS = (-4.2, -0.9, 0.0, 0.3, 1.7, 11.0)  # the values on which a function is tried
_SAMPLES, _POINTS = 5, 2  # how many samples, and how many points along each axis, it sees


def check_callable(function: object, name: str) -> None:
    """Raise TypeError unless ``function`` can be called with a tensor."""
    if isinstance(function, type):
        raise TypeError(
            f"{name}: expected a function, got the class {function.__name__}; make a module of it, "
            f"{function.__name__}()"
        )
    if not callable(function):
        raise TypeError(f"{name}: expected a function, such as torch.tanh, got {function!r}")


def check_elementwise(function: Function, name: str, fields: Sequence[int], axes: int) -> None:
    """Raise unless a function acts on each value alone, and alike on the components of a field.

    It is tried on a few numbers. A module is tried with other numbers for what it learns, since
    those with which it begins may be alike.

    Args:
        function: what the user gives.
        name: of the argument.
        fields: the number of components of each field, which make up the axis of channels.
        axes: how many axes come after it.
    Raises:
        TypeError: if it is no function, or does not return a real floating tensor.
        ValueError: if it fails, changes the shape or its input, mixes values, is random, or tells
            samples, points or components apart.
    """
    check_callable(function, name)
    sizes = torch.tensor(fields, device="cpu")
    shape = (_SAMPLES, int(sizes.sum()), *[_POINTS] * axes)
    with torch.device(_device()), torch.no_grad():
        levels = torch.tensor(_LEVELS)
        flat = torch.stack([_tried(function, name, level.expand(shape)) for level in levels])
        pick = torch.randint(
            len(levels), shape, generator=torch.Generator(_device()).manual_seed(0)
        )
        mixed = _tried(function, name, levels[pick])
    first = (sizes.cumsum(0) - sizes).repeat_interleave(sizes).to(flat.device)  # of each field
    origin = flat[(slice(None), slice(1), ..., *[slice(1)] * axes)]  # one sample, one point
    places = not _same(flat, origin.expand_as(flat))
    if places or not _same(mixed, flat.gather(0, pick[None])[0]):
        raise ValueError(
            f"{name}: expected a function of each value alone, such as torch.tanh, got "
            f"{function!r}, which is random, looks at other values, or tells places apart"
        )
    if not _same(origin, origin.index_select(2, first)):
        raise ValueError(
            f"{name}: the group permutes the components of a field, so they need one function, got "
            f"{function!r}, which has numbers of its own for each channel"
        )


def is_odd(function: Function, channels: int, axes: int) -> bool:
    """Whether f(-x) = -f(x) on a few numbers, of a function that is elementwise."""
    with torch.device(_device()), torch.no_grad():
        shape = (len(_LEVELS), channels, *[_POINTS] * axes)
        x = torch.tensor(_LEVELS).view(-1, *[1] * (axes + 1)).expand(shape)
        return _same(_tried(function, "function", x), -_tried(function, "function", -x))


def check_share(value: object, name: str, what: str) -> float:
    """The value as a float; ValueError unless it is ``what``, a number, from 0 to 1."""
    if not is_number(value) or not 0 <= value <= 1:
        raise ValueError(f"{name}: expected {what} from 0 to 1, got {value!r}")
    return float(value)


def check_keywords(arguments: object) -> None:
    """Raise TypeError unless these are more arguments of a module by name, or None."""
    if arguments is not None and not isinstance(arguments, Mapping):
        raise TypeError(f"arguments: expected values by name, got {type(arguments).__name__}")


def check_clouds(in_type: FieldType, x: Tensor, batch: object, count: int | None = None) -> None:
    """Raise ValueError unless ``batch`` is None or, over ``Points``, a number for each point."""
    if not in_type.space.in_clouds:
        for name, value in (("batch", batch), ("count", count)):
            if value is not None:
                raise ValueError(
                    f"{name}: has a meaning over Points only, expected None for {in_type!r}"
                )
    if batch is None:
        return
    check_numbers("batch", batch, "the number of the cloud of each point", x.shape[:1], x, count)


def check_kind(x: Tensor, kind: object, kinds: int | None) -> None:
    """Raise ValueError unless ``kind`` is a number below ``kinds`` for each sample, or both None.

    Args:
        x: the samples.
        kind: of each, or None.
        kinds: how many there are, or None.
    Raises:
        ValueError: if one is None and the other is not, and for other numbers.
    """
    if (kinds is None) != (kind is None):
        wanted = "None, without kinds" if kinds is None else "the kind of each sample"
        raise ValueError(f"kind: expected {wanted}, got {came(kind)}")
    if kind is not None:
        check_numbers("kind", kind, "the kind of each sample", x.shape[:1], x, kinds)


def _device() -> torch.device:
    """Where new tensors are made, if they have values there."""
    device = torch.get_default_device()
    return torch.device("cpu") if device.type == "meta" else device


def _tried(function: Function, name: str, x: Tensor) -> Tensor:
    """The values of a function at ``x``; raises as ``check_elementwise`` says."""
    given = x.clone()
    try:
        y = _with_other_numbers(function)(given)
    except Exception as error:
        raise ValueError(
            f"{name}: expected an elementwise function, such as torch.tanh, got {function!r}, "
            f"which fails on {x.dtype} of shape {tuple(x.shape)}: {error}"
        ) from error
    if not isinstance(y, Tensor) or not y.is_floating_point():
        kind = y.dtype if isinstance(y, Tensor) else came(y)
        raise TypeError(f"{name}: expected a function to real numbers, got {function!r}, to {kind}")
    if y.shape != x.shape:
        raise ValueError(
            f"{name}: expected a function that keeps the shape, got {function!r}, which makes "
            f"{tuple(y.shape)} of {tuple(x.shape)}"
        )
    if not torch.equal(given, x):
        raise ValueError(
            f"{name}: expected a function that leaves its input as it is, got {function!r}; say "
            "inplace=False, or leave the _ at the end of its name away"
        )
    return y.to(x)


def _with_other_numbers(function: Function) -> Function:
    """A module whose parameters all differ, and where numbers are; a plain function is itself."""
    if not isinstance(function, nn.Module):
        return function
    numbers = {
        key: torch.linspace(0.1, 0.4, value.numel()).view(value.shape)
        for key, value in function.named_parameters()
    }
    for key, value in function.named_buffers():
        numbers[key] = torch.zeros(value.shape, dtype=value.dtype)
        if not value.is_meta:
            numbers[key].copy_(value)
    if not numbers:
        return function
    return lambda x: torch.func.functional_call(function, numbers, (x,))


def _same(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True)
