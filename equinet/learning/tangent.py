r"""The tangent kernel of any module, and the module that is linear in its parameters.

Near its parameters w a network moves as its derivative does, and how a step of gradient descent for
x' changes the output at x is

.. math:: \Theta_{ab}(x, x') = \sum_p \frac{\partial f_a(x)}{\partial w_p}
          \frac{\partial f_b(x')}{\partial w_p} = (J J^T)_{xa, x'b}                    \quad (T1)

(Jacot, Gabriel and Hongler, arXiv 1806.07572).
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator
from typing import Literal, overload

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, jvp, vjp, vmap

from equinet.numerics.arguments import is_integer
from equinet.numerics.values import check_floating, is_readable

State = dict[str, Tensor]

_TOGETHER = 64  # samples that are differentiated at one time

# Jacobians in memory at one time, unless ``chunk`` says otherwise.
_BYTES = 2**29


@overload
def tangent_kernel(
    net: nn.Module,
    x: Tensor,
    x2: Tensor | None = None,
    *,
    outputs: Literal["full", "trace"] = "full",
    by_parameter: Literal[False] = False,
    chunk: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Tensor: ...


@overload
def tangent_kernel(
    net: nn.Module,
    x: Tensor,
    x2: Tensor | None = None,
    *,
    outputs: Literal["full", "trace"] = "full",
    by_parameter: Literal[True],
    chunk: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> State: ...


def tangent_kernel(
    net: nn.Module,
    x: Tensor,
    x2: Tensor | None = None,
    *,
    outputs: Literal["full", "trace"] = "full",
    by_parameter: bool = False,
    chunk: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Tensor | State:
    r"""The kernel (T1) between two batches, summed parameter by parameter.

    The Jacobian is never held whole: of at most two times ``chunk`` samples at one time. A batch of
    several chunks costs more time, as the gradients of a chunk are made once for each other chunk.

    Args:
        net: maps ``(n, ...)`` to ``(n, o)`` or ``(n,)``, each sample for itself.
        x: the first batch, ``(n, ...)``.
        x2: the second one, ``(m, ...)``; ``x`` if None.
        outputs: "full" for all pairs of outputs, "trace" for the sum over a = b.
        by_parameter: the share of each parameter, by its name, instead of the sum.
        chunk: samples whose gradients are held; by default as many as fit into 512 MB.
        progress: called with the number of blocks done and of all blocks.
    Returns:
        ``(n, m, o, o)``, or ``(n, m)`` for "trace"; for ``by_parameter`` a dictionary of such.
    Raises:
        TypeError: if ``net`` is no module, or ``x`` no real tensor.
        ValueError: if ``net`` mixes the samples of a batch (a batch norm in training), if an
            argument is out of range, or the shapes of the batches differ.

    Example:
        >>> net = nn.Linear(3, 1, bias=False)  # df/dw = x
        >>> x = torch.eye(3)
        >>> torch.equal(tangent_kernel(net, x, outputs="trace"), torch.eye(3))
        True
    """
    _check(net, x, x2)
    if outputs not in ("full", "trace"):
        raise ValueError(f"outputs: expected 'full' or 'trace', got {outputs!r}")
    own, _, rows_of = jacobian(net)
    if chunk is None:
        count = sum(p.numel() for p in own.values()) * _outputs(net, x)
        chunk = max(1, _BYTES // (2 * x.element_size() * max(1, count)))
    if not is_integer(chunk):
        raise ValueError(f"chunk: expected an integer >= 1 or None, got {chunk!r}")
    rows = x.split(chunk)
    columns = rows if x2 is None else x2.split(chunk)
    total, done, found = len(rows) * len(columns), 0, []
    last: State | None = None  # of the last column, which is the last row too
    for i, left in enumerate(rows):
        kept = x2 is None and last is not None and i == len(rows) - 1
        of_left, line = last if kept and last is not None else rows_of(own, left), []
        last = None
        for j, right in enumerate(columns):
            done += 1
            if x2 is None and j < i:  # the kernel is symmetric
                line.append({name: _turned(block) for name, block in found[j][i].items()})
                continue
            same = x2 is None and i == j
            last = of_left if same else rows_of(own, right)
            line.append(_products(of_left, last, outputs, by_parameter))
            if progress is not None:
                progress(done, total)
        found.append(line)
    names = found[0][0] if found and found[0] else {}
    whole = {
        name: torch.cat([torch.cat([block[name] for block in line], 1) for line in found])
        for name in names
    }
    return whole if by_parameter else whole[""]


def _products(left: State, right: State, outputs: str, by_parameter: bool) -> State:
    """The block of the kernel, of each parameter or under the name "" of all."""
    found: State = {}
    for name, J in left.items():
        n, o = J.shape[:2]
        if outputs == "full":
            block = J.reshape(n * o, -1) @ right[name].reshape(-1, J[0, 0].numel()).T
            block = block.view(n, o, -1, o).transpose(1, 2)
        else:
            block = J.flatten(1) @ right[name].flatten(1).T
        key = name if by_parameter else ""
        found[key] = found[key] + block if key in found else block
    return found


def _turned(block: Tensor) -> Tensor:
    """The same block seen from the other side."""
    return block.permute(1, 0, 3, 2) if block.dim() == 4 else block.T


def tangent_product(net: nn.Module, x: Tensor, v: Tensor, x2: Tensor | None = None) -> Tensor:
    r"""The kernel times a vector, without the kernel: J(x) (J(x')^T v), backwards then forwards.

    Args:
        net: as in ``tangent_kernel``.
        x: ``(n, ...)``.
        v: ``(m, o)`` as the output of ``net`` at ``x2``.
        x2: ``(m, ...)``; ``x`` if None.
    Returns:
        As the output of ``net`` at ``x``, ``(n, o)``.
    Raises:
        ValueError: as in ``tangent_kernel``, and if ``v`` has another shape than the output.
    """
    _check(net, x, x2)
    own, rest = _state(net)
    other = x if x2 is None else x2
    y, pull, *_ = vjp(lambda p: functional_call(net, (p, rest), (other,)), own)
    check_floating("v", v)
    if v.shape != y.shape:
        raise ValueError(
            f"v: expected the shape {tuple(y.shape)} of the output, got {tuple(v.shape)}"
        )
    (direction,) = pull(v)
    return jvp(lambda p: functional_call(net, (p, rest), (x,)), (own,), (direction,))[1]


class Linearized(nn.Module):
    r"""A module that is linear in its parameters, with the derivative of another at its start.

    .. math:: f_{lin}(w, x) = f(w_0, x) + \frac{\partial f}{\partial w}(w_0, x)\, (w - w_0)

    Its tangent kernel is that of ``net`` at w_0 and stays so however long it is trained.

    Args:
        net: the module; it is copied, with its parameters as w_0.
    Shape:
        As ``net``.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        _check_module(net)
        self.net = copy.deepcopy(net).eval()
        self.names = [name for name, _ in self.net.named_parameters()]
        for i, parameter in enumerate(self.net.parameters()):
            self.register_buffer(f"start_{i}", parameter.detach().clone())

    def forward(self, *arguments: Tensor) -> Tensor:
        now, rest = dict(self.net.named_parameters()), dict(self.net.named_buffers())
        start = {name: self.get_buffer(f"start_{i}") for i, name in enumerate(self.names)}
        change = {name: now[name] - start[name] for name in self.names}
        f = functools.partial(self._at, rest, arguments)
        y, dy, *_ = jvp(f, (start,), (change,))
        return y + dy

    def _at(self, rest: State, arguments: tuple[Tensor, ...], weights: State) -> Tensor:
        return functional_call(self.net, (weights, rest), arguments)


# --- of any module --------------------------------------------------------------------------------


def _state(net: nn.Module) -> tuple[State, State]:
    """Parameters that learn, and all else that the module computes with."""
    own = {name: p.detach() for name, p in net.named_parameters() if p.requires_grad}
    fixed = {name: p.detach() for name, p in net.named_parameters() if not p.requires_grad}
    return own, fixed | dict(net.named_buffers())


def jacobian(net: nn.Module) -> tuple[State, State, Callable[[State, Tensor], State]]:
    """Parameters that learn, all else that the module needs, and the function to the derivatives.

    It takes the parameters and samples, and gives d f / d w, ``(n, o, *shape)`` for each parameter.
    """
    own, rest = _state(net)

    def one(parameters: State, sample: Tensor) -> Tensor:
        return functional_call(net, (parameters, rest), (sample[None],))[0].reshape(-1)

    # A few at a time: what is computed on the way may be far larger than the derivatives.
    return own, rest, vmap(jacrev(one), (None, 0), chunk_size=_TOGETHER)


def _outputs(net: nn.Module, x: Tensor) -> int:
    with torch.no_grad():
        return net(x[:1]).numel() if len(x) else 1


def batch_statistics(net: nn.Module) -> Iterator[str]:
    """Names of the modules that mix the samples of a batch as they stand."""
    for name, module in net.named_modules():
        tracked = getattr(module, "running_mean", None) is not None
        mixes = "BatchNorm" in type(module).__name__ and (module.training or not tracked)
        if mixes:
            yield name or type(module).__name__


def check_samples(name: str, x: object) -> None:
    """Raise unless ``x`` is a batch of finite real numbers, ``(n, ...)``."""
    x = check_floating(name, x)
    if x.dim() < 2:
        raise ValueError(f"{name}: expected a batch (n, ...), got {tuple(x.shape)}")
    if is_readable(x) and not x.isfinite().all():
        raise ValueError(f"{name}: expected finite numbers, got {x[~x.isfinite()][0]}")


def check_callable(name: str, function: object) -> None:
    """Raise TypeError unless ``function`` can be called."""
    if not callable(function):
        raise TypeError(f"{name}: expected a function, got {type(function).__name__}")


def _check_module(net: nn.Module) -> None:
    if not isinstance(net, nn.Module):
        raise TypeError(f"net: expected a torch.nn.Module, got {type(net).__name__}")
    mixing = next(batch_statistics(net), None)
    if mixing is not None:
        raise ValueError(
            f"net: expected a module that takes each sample for itself, got {mixing}, which has "
            "the statistics of the batch; call net.eval()"
        )
    if not any(p.requires_grad for p in net.parameters()):
        raise ValueError(f"net: expected a module that learns, got {type(net).__name__}")


def _check(net: nn.Module, x: Tensor, x2: Tensor | None) -> None:
    _check_module(net)
    for name, value in (("x", x), ("x2", x if x2 is None else x2)):
        check_samples(name, value)
        if not len(value):
            raise ValueError(f"{name}: expected at least one sample, got none")
    if x2 is not None and x2.shape[1:] != x.shape[1:]:
        raise ValueError(
            f"x2: expected samples of shape {tuple(x.shape[1:])}, as x, got {tuple(x2.shape[1:])}"
        )
