"""Networks of plain torch: what an equivariant module computes, without this library.

In: a module. Out: the equal ``torch.nn.Module``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.proxy import TraceError

from equinet.nn.surroundings import needs
from equinet.ops import relu

_CHECKS = ("check", "check_sizes")  # methods that raise or do nothing


def uncompiled(module: nn.Module) -> nn.Module:
    """The module itself, out of what ``torch.compile`` has made of it."""
    return getattr(module, "_orig_mod", module)


def exported(module: nn.Module, memo: dict[int, Any] | None = None) -> nn.Module:
    """The equal plain module; plain modules are copied, and what is shared stays shared.

    Args:
        module: of this library or of torch.
        memo: what has been exported already, by ``id``, as in ``copy.deepcopy``.
    Returns:
        A module of ``torch.nn``.
    """
    memo = {} if memo is None else memo
    if id(module) not in memo:
        memo[id(module)] = _exported(module, memo)
    return memo[id(module)]


def _exported(module: nn.Module, memo: dict[int, Any]) -> nn.Module:
    if hasattr(module, "takes") and needs(module):  # more than one tensor
        return copy.deepcopy(module, memo)
    if isinstance(module, nn.Sequential):
        plain = nn.Sequential()
        for name, part in module._modules.items():  # named_children has what stands twice once
            plain.add_module(name, None if part is None else exported(part, memo))
        return plain
    if getattr(module, "is_plain", False):
        return graph(module, memo)
    export = getattr(module, "export", None)
    return copy.deepcopy(module, memo) if export is None else export()


def graph(module: nn.Module, memo: dict[int, Any] | None = None) -> nn.Module:
    """What ``forward`` computes of one tensor, without its checks, as plain torch functions.

    Args:
        module: whose ``forward`` takes one tensor.
        memo: as for ``exported``, which makes its parts plain.
    Returns:
        a module in evaluation mode that holds the parts and the numbers which it needs, and that
        can be saved and loaded where this library is not known; a copy of ``module`` if its steps
        depend on the input, as those of a function given to it may.
    """
    memo = {} if memo is None else memo
    twin = copy.copy(module)
    held = [(name, part) for name, part in module._modules.items() if part is not None]
    parts = {name: exported(part, memo) for name, part in held}
    numbers = {
        name: copy.deepcopy(vars(module)[name], memo) for name in ("_parameters", "_buffers")
    }
    vars(twin).update(numbers, _modules=parts)
    vars(twin).update({name: _nothing for name in _CHECKS})
    vars(twin).update({name: torch.relu for name, value in vars(twin).items() if value is relu})
    try:
        traced = _Tracer(getattr(module, "plain_forward", "forward")).trace(twin)
    except (TraceError, TypeError):
        return copy.deepcopy(module).eval()
    steps = fx.Graph()  # of its own, since the one that was traced knows who traced it
    steps.output(steps.graph_copy(traced, {}))
    for node in steps.nodes:
        node.type = None  # an annotation may be a string, which cannot be saved
    return fx.GraphModule(twin, steps, type(module).__name__).eval()


def filled(layer: nn.Module, weight: Tensor, bias: Tensor | None) -> nn.Module:
    """A layer of ``torch.nn`` with other numbers.

    Args:
        layer: made on the meta device, say; changed in place.
        weight: its weight, which is copied.
        bias: likewise; None for a layer without one.
    Returns:
        The layer, in evaluation mode.
    """
    layer.weight = nn.Parameter(weight.detach().clone())
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone())
    return layer.eval()


def wide(x: Tensor) -> Tensor:
    """``x`` in float32, or in its own dtype if that has more digits, as squares need them."""
    if isinstance(x, fx.Proxy):  # of unknown dtype: a product has the wider of both
        return x * x.new_ones(1, dtype=torch.float32)
    return x.to(torch.promote_types(x.dtype, torch.float32))


class _Tracer(fx.Tracer):
    """Takes the parts of a module as they are, and knows how many parts a split has."""

    proxy_buffer_attributes = True

    def __init__(self, method: str) -> None:
        super().__init__()
        self.traced_func_name = method

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True

    def iter(self, obj: fx.Proxy) -> Iterator:
        if obj.node.target == "split":
            sizes: Any = obj.node.args[1]
            return iter([obj[i] for i in range(len(sizes))])  # pyright: ignore[reportIndexIssue]
        return super().iter(obj)


def _nothing(*_: object) -> None:
    """In place of a check."""
