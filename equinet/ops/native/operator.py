"""Binds one operator to torch: schema, reference, fake, autograd, and what was compiled for it.

In: plain functions of a tensor and a plan. Out: an ``Operator``.

A *plan* is a frozen value with all that an operator needs besides the tensor it acts on: constants
and sizes. torch knows no such thing, only arguments in a row. So the plan is a ``NamedTuple`` whose
entries are the arguments of the schema in their order, and what lies between the two is here.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor
from torch.autograd import forward_ad

from equinet.ops.native import cuda, first_use, library

P = TypeVar("P", bound=tuple[Any, ...])  # the plan of an operator
Q = TypeVar("Q", bound=tuple[Any, ...])  # the plan of its adjoint
R = TypeVar("R", bound=Tensor | tuple[Tensor, ...])  # what it returns
T = TypeVar("T")
Gradients = tuple[Tensor | None, ...]

# A fragment, as a namespace has one owner only. Alive as long as this module.
LIBRARY = torch.library.Library("equinet", "FRAGMENT")


class _Context(Protocol):
    """What torch hands from a forward pass to the backward pass."""

    saved_tensors: tuple[Tensor, ...]
    needs_input_grad: tuple[bool, ...]
    rest: tuple[Any, ...]

    def save_for_backward(self, *tensors: Tensor) -> None: ...

    def set_materialize_grads(self, value: bool) -> None: ...


class Operator(Generic[P, R]):
    """A torch operator ``equinet::name`` with a reference, and compiled forms where there are any.

    A call goes to the compiled form if there is one for the tensors' device and dtype, else to the
    reference, which is plain PyTorch and differentiable by itself. The reference also serves where
    torch must look inside: under torch.func's transforms, in forward mode, and while exporting, so
    that exported programs consist of torch's own operators. On a GPU it also serves what is beyond
    the limits of the compiled form, and everything if that failed the check of its first use.

    All functions below take a tensor of real numbers and a plan. ``reference``, ``cpu`` and what
    is in ``gpu`` are kept as torch calls them: with the entries of the plan in a row, checked.

    Args:
        schema: as torch.library takes it, ``"scale(Tensor x, float factor) -> Tensor"``; all
            tensors stand before all others.
        plan: makes a plan of the arguments after the first.
        reference: the specification, in plain PyTorch.
        fake: an empty tensor of the shape, dtype and device of the result.
        check: raises for arguments that the operator does not take; called first, whatever form.
        cpu: calls the compiled form; gets real tensors on the CPU, of any strides.
        gpu: the same on a CUDA device.
        fits: whether the GPU form can be launched with these arguments.
        examples: small arguments for all that the compiled forms do, with real tensors in float64,
            by which these are compared with the reference.
        exact: entries of the plan that are in float64 whatever the others are in.
    """

    def __init__(
        self,
        schema: str,
        plan: Callable[..., P],
        *,
        reference: Callable[[Tensor, P], R],
        fake: Callable[[Tensor, P], R],
        check: Callable[[Tensor, P], None],
        examples: Callable[[], Iterable[tuple[Tensor, P]]],
        cpu: Callable[[Tensor, P], R] | None = None,
        gpu: Callable[[Tensor, P], R] | None = None,
        fits: Callable[[Tensor, P], bool] = lambda *_: True,
        exact: Sequence[str] = (),
    ) -> None:
        self.name = schema.split("(")[0]
        self.qualified_name = f"equinet::{self.name}"
        self.plan = plan
        self.tensors = schema.split("->")[0].count("Tensor") - 1  # in a plan
        self.reference = _in_a_row(plan, reference, check)
        self.cpu = _in_a_row(plan, cpu, check) if cpu else None
        self.gpu: first_use.GpuForm[R] | None = None
        self.examples = lambda: [(x, *rest) for x, rest in examples()]
        fields: tuple[str, ...] = getattr(plan, "_fields", ())
        self.exact = tuple(1 + fields.index(name) for name in exact)
        LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
        LIBRARY.impl(self.name, self.reference, "CompositeExplicitAutograd")
        if self.cpu and library.CPU:
            LIBRARY.impl(self.name, self.cpu, "CPU")
        if gpu:
            self.gpu = first_use.GpuForm(
                self.name,
                check=_in_a_row(plan, check),
                reference=self.reference,
                compiled=_in_a_row(plan, gpu),
                fits=_in_a_row(plan, fits),
                examples=self.examples,
            )
            LIBRARY.impl(self.name, self.gpu.serve, "CUDA")
        fake_in_a_row = _in_a_row(plan, fake, check)
        torch.library.register_fake(self.qualified_name, fake_in_a_row, lib=LIBRARY)
        for device in ("cpu", "cuda"):  # the operators are for real constants: no low precision
            torch.library.register_autocast(self.qualified_name, device, torch.float32, lib=LIBRARY)
        self.overload: torch._ops.OpOverload[..., R] = getattr(torch.ops.equinet, self.name).default

    def __call__(self, x: Tensor, plan: P) -> R:
        """The result, by whichever form serves.

        Args:
            x: what the operator acts on.
            plan: all else.
        Returns:
            What the reference returns.
        """
        return self.overload(x, *plan) if self.serves(x) else self.reference(x, *plan)

    def serves(self, x: Tensor) -> bool:
        """Whether a compiled form takes tensors like ``x``, here and now.

        Raises:
            RuntimeError: if there is none and EQUINET_BUILD or EQUINET_CUDA is ``require``.
        """
        if x.dtype not in library.TYPES or looked_into():
            return False
        if x.device.type == "cpu":
            return self.cpu is not None and library.available()
        on_gpu = self.gpu is not None and x.device.type == "cuda"
        return on_gpu and cuda.available(x.device.index)

    # --- the derivative ---------------------------------------------------------------------------

    def adjoint_is(self, other: "Operator[Q, Tensor]", plan: Callable[[Tensor, P, R], Q]) -> None:
        r"""Differentiate this operator, which is linear in its tensor, by its adjoint.

        .. math:: \langle A x, y \rangle = \langle x, A^T y \rangle

        Args:
            other: the adjoint; the operator itself, if its plan says which of the two it is.
            plan: that of the adjoint, from the tensor, the plan and the result of this one. It is
                all that is kept for the backward pass. Of several results, the first has a
                gradient.
        """

        def setup(ctx: _Context, inputs: tuple[Any, ...], output: R) -> None:
            kept = plan(inputs[0], self.plan(*inputs[1:]), output)
            ctx.save_for_backward(*kept[: other.tensors])
            ctx.rest = kept[other.tensors :]

        def backward(ctx: _Context, gradient: Tensor, *_: Tensor) -> Gradients:
            nothing = [None] * (len(ctx.needs_input_grad) - 1)
            if not ctx.needs_input_grad[0]:
                return None, *nothing
            return other(gradient, other.plan(*ctx.saved_tensors, *ctx.rest)), *nothing

        self._register(setup, backward)

    def differentiate(
        self, gradients: Callable[[Sequence[bool], Any, Tensor, P], Gradients]
    ) -> None:
        """Differentiate this operator by hand, where more than its tensor has a gradient.

        Args:
            gradients: called with which arguments need one, the gradient of the result (of several
                results a tuple, with None for those without), the tensor and the plan; returns
                those of the first arguments, the others have none. Made of operators that are
                differentiable themselves.
        """

        def setup(ctx: _Context, inputs: tuple[Any, ...], output: R) -> None:
            ctx.save_for_backward(*inputs[: 1 + self.tensors])
            ctx.rest = inputs[1 + self.tensors :]
            ctx.set_materialize_grads(False)

        def backward(ctx: _Context, first: Tensor | None, *others: Tensor | None) -> Gradients:
            gradient = (first, *others) if others else first
            if first is None and all(other is None for other in others):
                return (None,) * len(ctx.needs_input_grad)
            x, *tensors = ctx.saved_tensors
            plan = self.plan(*tensors, *ctx.rest)
            found = gradients(ctx.needs_input_grad, gradient, x, plan)
            return *found, *[None] * (len(ctx.needs_input_grad) - len(found))

        self._register(setup, backward)

    def _register(
        self,
        setup: Callable[[_Context, tuple[Any, ...], R], None],
        backward: Callable[..., Gradients],
    ) -> None:
        torch.library.register_autograd(
            self.qualified_name, backward, setup_context=setup, lib=LIBRARY
        )


def looked_into() -> bool:
    """Whether torch transforms or exports the functions that are being called."""
    transformed = getattr(torch._C, "_are_functorch_transforms_active", lambda: False)
    return torch.compiler.is_exporting() or transformed() or forward_ad._current_level >= 0


def _in_a_row(
    plan: Callable[..., P],
    form: Callable[[Tensor, P], T],
    check: Callable[[Tensor, P], None] | None = None,
) -> Callable[..., T]:
    """The form as torch calls it."""

    @wraps(form)
    def called(x: Tensor, *rest: object) -> T:
        given = plan(*rest)
        if check is not None:
            check(x, given)
        return form(x, given)

    return called
