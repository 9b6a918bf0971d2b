"""The first use of an operator on a GPU: its compiled form is compared with its reference.

In: a compiled form, a reference and examples. Out: a ``GpuForm``.

The kernels have run in an emulation only. So the first call on a GPU, in each precision, runs the
examples of the operator, which takes milliseconds, and where the numbers are wrong, or nothing can
be launched, the reference serves from then on.
"""

import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from equinet.ops.native import cuda, library

TOLERANCES = {torch.float32: 1e-5, torch.float64: 1e-12}  # of the largest entry


R = TypeVar("R", bound=Tensor | tuple[Tensor, ...])


class GpuForm(Generic[R]):
    """An operator on a GPU: its compiled form where that can serve and is right, or the reference.

    Args:
        name: of the operator.
        check: raises for arguments that the operator does not take.
        reference: the specification, in plain PyTorch.
        compiled: gets real tensors on a GPU, of any strides.
        fits: whether that can be launched with these arguments.
        examples: small arguments for all that it does, with real tensors on the CPU in float64.

    Attributes:
        verdicts: for each GPU and precision what the check found, "" if nothing.
    """

    def __init__(
        self,
        name: str,
        check: Callable[..., None],
        reference: Callable[..., R],
        compiled: Callable[..., R],
        fits: Callable[..., bool],
        examples: Callable[[], Iterable[tuple[Any, ...]]],
    ) -> None:
        self.name, self.check, self.reference = name, check, reference
        self.compiled, self.fits, self.examples = compiled, fits, examples
        self.verdicts: dict[tuple[torch.device, torch.dtype], str] = {}
        self._checking = threading.Lock()

    def serve(self, x: Tensor, *rest: object) -> R:
        """The operator, by whichever form serves.

        Args:
            x: what it acts on.
            rest: the other arguments.
        Returns:
            What the reference returns.
        """
        self.check(x, *rest)
        able = x.dtype in library.TYPES and cuda.available(x.device.index)
        if able and self.fits(x, *rest) and not self.problem(x.device, x.dtype):
            return self.compiled(x, *rest)
        return self.reference(x, *rest)

    def problem(self, device: torch.device, dtype: torch.dtype) -> str:
        """What is wrong with the compiled form; found out when first asked.

        Args:
            device: the GPU.
            dtype: the precision.
        Returns:
            What the comparison said, "" if nothing is wrong.
        Raises:
            RuntimeError: if that would be while a CUDA graph is recorded.
        """
        key = device, dtype
        if key in self.verdicts:
            return self.verdicts[key]
        cuda.refuse_capture("checked")
        with self._checking:
            if key in self.verdicts:  # another thread was faster
                return self.verdicts[key]
            wrong = self.verdicts[key] = compared(
                self.compiled, self.reference, self.examples, device, dtype
            )
        if wrong:
            warnings.warn(report(self.name, device, wrong), RuntimeWarning, stacklevel=2)
        return wrong


def compared(
    compiled: Callable[..., Any],
    reference: Callable[..., Any],
    examples: Callable[[], Iterable[tuple[Any, ...]]],
    device: torch.device,
    dtype: torch.dtype,
    exact: Sequence[int] = (),
) -> str:
    """What is wrong with a compiled form of an operator, as far as its examples tell.

    Args:
        compiled: the form, called with arguments on the device.
        reference: the specification, called with the arguments on the CPU in float64.
        examples: makes the arguments.
        device: where the form computes.
        dtype: in which precision.
        exact: places of arguments that are in float64 all the same.
    Returns:
        Which example fails, and how; "" if none does.
    """
    with torch.device("cpu"), torch.no_grad():  # whatever device is the default
        for number, arguments in enumerate(examples(), 1):
            expected = reference(*arguments)
            try:
                wrong = error_of(compiled(*moved(arguments, device, dtype, exact)), expected)
            except torch.OutOfMemoryError:
                raise  # which says nothing of the operator
            except RuntimeError as error:
                return f"example {number} in {dtype} failed: {error}"
            if not wrong <= TOLERANCES[dtype]:  # not a number is wrong
                return f"example {number} in {dtype} is wrong by {wrong:.1e} of its largest entry"
    return ""


def moved(
    arguments: Iterable[Any],
    device: torch.device | str,
    dtype: torch.dtype,
    exact: Sequence[int] = (),
) -> list[Any]:
    """Arguments of an operator on a device, the real tensors in another precision.

    Args:
        arguments: tensors and others.
        device: where the tensors shall be.
        dtype: of those that are real.
        exact: places of those that keep theirs.
    Returns:
        The arguments.
    """

    def one(place: int, a: Any) -> Any:  # noqa: ANN401 - tensors and others
        if not isinstance(a, Tensor):
            return a
        keeps = place in exact or not a.is_floating_point()
        return a.to(device, a.dtype if keeps else dtype)

    return [one(place, a) for place, a in enumerate(arguments)]


def error_of(found: Tensor | tuple[Tensor, ...], expected: Tensor | tuple[Tensor, ...]) -> float:
    """The largest error of a result, relative to its largest entry; of a mask 1 if any is wrong.

    Args:
        found: the result, or several.
        expected: what it should be.
    Returns:
        A number, infinite if the shapes differ, NaN if an entry is.
    """
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
    """The warning that an operator is not used.

    Args:
        name: of the operator.
        device: the GPU.
        wrong: what the comparison said.
    Returns:
        A text that asks for a report.
    """
    return (
        f"equinet::{name} failed the check of its first use, and plain PyTorch, which is right but "
        f"slower, serves in its place: {wrong}. {cuda.described(device.index)}, torch "
        f"{torch.__version__}, equinet {_version()}. Please report this at the project's issue "
        f"tracker, with the output of `python -m equinet`."
    )


def _version() -> str:
    try:
        return metadata.version("equinet-torch")
    except metadata.PackageNotFoundError:
        return "that is not installed"
