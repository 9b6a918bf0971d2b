"""Sizes of a grid on which a module keeps the centre."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.nn.centred import Centred, OffCentreWarning
from equinet.nn.surroundings import example_kinds
from equinet.numerics.arguments import check_integer, each, per_axis

_SMALLEST = {1: 33, 2: 17, 3: 11}
_SPAN = 24
_FAR = 65  # steps away from a size at which sizes are looked for


def fitting_sizes(
    module: nn.Module, in_type: FieldType, least: int | None = None
) -> tuple[int, ...]:
    """Equal sizes of the axes that the module accepts, with every stride about the centre.

    Odd sizes are tried before even ones, each from the smallest to the largest. If none keeps the
    centre it is the first one that is accepted.

    Args:
        module: it is not changed.
        in_type: over a grid, or another space with axes of any size.
        least: the smallest size.
    Returns:
        One for each axis.
    Raises:
        Exception: what the module raised, if it accepts none of the sizes.
    """
    axes = len(in_type.open_axes)
    first = _SMALLEST.get(axes, _SMALLEST[3]) if least is None else least
    first += 1 - first % 2
    twin, accepted, failure = copy.deepcopy(module).eval(), None, None
    for size in (*range(first, first + _SPAN, 2), *range(first + 1, first + _SPAN, 2)):
        try:
            wrong = _wrong_layers(twin, in_type, size)
        except (RuntimeError, ValueError) as error:
            failure = error
            continue
        sizes = (size,) * axes
        if not wrong:
            return sizes
        accepted = accepted or sizes
    if accepted is None:
        assert failure is not None
        raise failure
    return accepted


def sizes_of(
    module: nn.Module, in_type: FieldType, sizes: tuple[int, ...] | None
) -> tuple[int, ...] | None:
    """The sizes that are said, or else ones that fit.

    Args:
        module: it is not changed.
        in_type: type of its input.
        sizes: what is said; None leaves it to the module.
    Returns:
        One for each axis of any size; what is said if there is none.
    Raises:
        ValueError: if they are no such sizes.
    """
    if not in_type.open_axes:  # where they have no meaning
        return sizes
    if sizes is None:
        return fitting_sizes(module, in_type)
    return each(sizes, len(in_type.open_axes), "sizes")


def input_sizes(
    module: nn.Module,
    in_type: FieldType | None = None,
    sizes: Iterable[int] = range(16, 65),
    *,
    near: int | None = None,
) -> list[int]:
    """The sizes of a grid, the same along all axes, on which every layer keeps the centre.

    Args:
        module: a network; it is not changed.
        in_type: of its input, over a grid; ``module.in_type`` if None.
        sizes: those that are tried.
        near: try this size and then others instead, by their distance from it, until there is one
            that is not larger and one that is not smaller.
    Returns:
        Those that the network takes without breaking the symmetry of the grid, in order; with
        ``near`` one or two, or fewer where they lie far off.
    Raises:
        ValueError: if there is no type, or it is not over a grid.
        Exception: what the module raised, if no size is left.

    Example:
        >>> from equinet import Plane, nn
        >>> h = Plane("C4").fields("1x regular")
        >>> two = nn.Sequential(nn.Downsample(h, 2), nn.Downsample(h, 2))
        >>> input_sizes(two, sizes=range(10, 20))
        [13, 17]
        >>> input_sizes(two, near=91)
        [89, 93]
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"module: expected a torch.nn.Module, got {type(module).__name__}")
    if not isinstance(sizes, Iterable):
        raise TypeError(f"sizes: expected integers, got {type(sizes).__name__}")
    in_type = getattr(module, "in_type", None) if in_type is None else in_type
    if not isinstance(in_type, FieldType) or in_type.space.grid is None:
        raise ValueError(f"in_type: expected fields over a Line, Plane or Volume, got {in_type!r}")
    if near is not None:
        sizes = _outwards(check_integer(near, "near"))
    twin, found, failure = copy.deepcopy(module).eval(), [], None
    for size in sizes:
        check_integer(size, "sizes")
        if near is not None and any(near <= one <= size or near >= one >= size for one in found):
            continue
        try:
            if not _wrong_layers(twin, in_type, size):
                found.append(size)
        except (RuntimeError, ValueError) as error:  # a size that the network does not take
            failure = error
    if not found and failure is not None:
        raise failure
    return found if near is None else sorted(found)


def _outwards(near: int) -> Iterator[int]:
    """A size and those beside it, by their distance."""
    yield near
    for step in range(1, _FAR):
        if near > step:
            yield near - step
        yield near + step


def _wrong_layers(module: nn.Module, in_type: FieldType, size: int) -> list[str]:
    """The layers that leave the centre for an input of this size along every axis."""
    sizes = (size,) * len(in_type.open_axes)
    try:
        with torch.no_grad(), _watched(module) as wrong:
            types = argument_types(module, in_type)
            x, *others = (
                torch.zeros(fields.shape(1, *sizes)).to(like_of(module))
                for fields in (in_type, *types.values())
            )
            module(x, **dict(zip(types, others, strict=True)), **example_kinds(module, 1))
    except (RuntimeError, ValueError) as error:
        error.add_note(f"sizes: {in_type!r} of sizes {sizes} was tried; say sizes=")
        raise
    return wrong


@contextmanager
def _watched(module: nn.Module) -> Iterator[list[str]]:
    """A list of the layers that leave the centre while the module runs."""
    wrong: list[str] = []

    def watch(layer: nn.Module, inputs: tuple, output: object) -> None:
        if len(inputs) and isinstance(inputs[0], Tensor) and _leaves_centre(layer, inputs[0]):
            wrong.append(type(layer).__name__)

    handles = [layer.register_forward_hook(watch) for layer in module.modules()]
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield wrong
        wrong += [str(w.message) for w in caught if issubclass(w.category, OffCentreWarning)]
    finally:
        for handle in handles:
            handle.remove()


def _leaves_centre(layer: nn.Module, x: Tensor) -> bool:
    """Whether a layer samples a grid of this size off its centre."""
    sizes = x.shape[2:]
    centred = getattr(layer, "centred", None)
    if isinstance(centred, Centred):
        return bool(centred.wrong_axes(sizes))
    if not sizes or not isinstance(layer, _STRIDED):
        return False
    k, s, p, d = (
        _each(getattr(layer, name, 1), len(sizes))
        for name in ("kernel_size", "stride", "padding", "dilation")
    )
    return any((n + 2 * p[i] - d[i] * (k[i] - 1) - 1) % s[i] != 0 for i, n in enumerate(sizes))


_STRIDED = (
    nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.MaxPool1d,
    nn.MaxPool2d, nn.MaxPool3d,
)  # fmt: skip


def _each(value: object, n: int) -> tuple[int, ...]:
    """One number for each axis; a padding by name belongs to stride 1, where nothing matters."""
    return (0,) * n if isinstance(value, str) else per_axis(value, n)


def argument_types(module: nn.Module, in_type: FieldType) -> dict[str, FieldType]:
    """Types of the fields that a module takes besides the first, as it says them.

    Args:
        module: that may have the attribute ``argument_types``.
        in_type: of the first.
    Returns:
        By the names of the arguments of ``forward``.
    Raises:
        TypeError: if it says something else.
        ValueError: if they are over another space.
    """
    said = getattr(module, "argument_types", {})
    if not isinstance(said, Mapping) or not all(isinstance(t, FieldType) for t in said.values()):
        raise TypeError(f"module: expected argument_types with a FieldType by name, got {said!r}")
    for name, fields in said.items():
        if fields.space != in_type.space:
            raise ValueError(
                f"module: expected its argument {name} over {in_type.space}, as the first, got "
                f"{fields!r}"
            )
    return dict(said)


def like_of(module: nn.Module, default: Tensor | None = None) -> Tensor:
    """A tensor with the dtype and on the device of a module.

    Args:
        module: that is asked for its parameters and buffers.
        default: where it has none; a number in float64 if None.
    Returns:
        The first that is floating.
    """
    tensors = [*module.parameters(), *module.buffers()]
    one = torch.zeros((), dtype=torch.float64) if default is None else default
    return next((t for t in tensors if t.is_floating_point()), one)
