"""The first use of an operator on a GPU: its compiled form is compared with its reference.

In: a compiled form, a reference and examples. Out: what is wrong. Before: ``cuda``. Next:
``operator``.

The kernels have run in an emulation only. So the first call on a GPU, in each precision, runs the
examples of the operator, which takes milliseconds, and where the numbers are wrong, or nothing can
be launched, the reference serves from then on.
"""

from collections.abc import Callable, Iterable
from importlib import metadata
from typing import Any

import torch
from torch import Tensor

from equinet.ops.native import cuda

TOLERANCES = {torch.float32: 1e-5, torch.float64: 1e-12}  # of the largest entry


def problem(
    compiled: Callable,
    reference: Callable,
    examples: Callable[[], Iterable[tuple[Any, ...]]],
    device: torch.device,
    dtype: torch.dtype,
) -> str:
    """What is wrong with a compiled form, "" if nothing.

    Args:
        compiled: the form for the GPU.
        reference: called on the CPU, in float64.
        examples: gives arguments, with real tensors on the CPU in float64.
        device: the GPU.
        dtype: of the real tensors there.
    """
    with torch.device("cpu"), torch.no_grad():  # whatever device is the default
        for number, arguments in enumerate(examples(), 1):
            expected = reference(*arguments)
            try:
                wrong = error_of(compiled(*moved(arguments, device, dtype)), expected)
            except torch.OutOfMemoryError:
                raise  # which says nothing of the operator
            except RuntimeError as error:
                return f"example {number} in {dtype} failed: {error}"
            if not wrong <= TOLERANCES[dtype]:  # not a number is wrong
                return f"example {number} in {dtype} is wrong by {wrong:.1e} of its largest entry"
    return ""


def moved(arguments: Iterable[Any], device: torch.device | str, dtype: torch.dtype) -> list[Any]:
    """Arguments of an operator on a device, the real tensors in another precision."""
    return [
        a.to(device, dtype if a.is_floating_point() else a.dtype) if isinstance(a, Tensor) else a
        for a in arguments
    ]


def error_of(found: Tensor | tuple[Tensor, ...], expected: Tensor | tuple[Tensor, ...]) -> float:
    """The largest error of a result, relative to its largest entry; of a mask 1 if any is wrong."""
    if isinstance(expected, tuple):
        errors = [error_of(f, e) for f, e in zip(found, expected, strict=True)]
        return float(torch.tensor(errors).max())  # which keeps what is not a number
    if not isinstance(found, Tensor) or found.shape != expected.shape:
        return torch.inf
    if not expected.numel():
        return 0.0
    scale = float(expected.double().abs().max()) or 1.0
    return float((found.cpu().double() - expected.double()).abs().max()) / scale


def report(name: str, device: torch.device, wrong: str) -> str:
    """The warning that an operator is not used."""
    return (
        f"equinet::{name} failed the check of its first use, and plain PyTorch, which is right but "
        f"slower, serves in its place: {wrong}. {cuda.described(device.index)}, torch "
        f"{torch.__version__}, equinet {_version()}. Please report this at the project's issue "
        f"tracker, with the output of `python -m equinet`."
    )


def _version() -> str:
    try:
        return metadata.version("equinet")
    except metadata.PackageNotFoundError:
        return "that is not installed"
