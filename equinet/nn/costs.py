"""What the modules of a model do while it runs: products, and memory of outputs.

In: a model that is about to run under a ``Counter``. Out: a ``Trace`` of each module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

aten = torch.ops.aten

# Products that torch's counter leaves out.
_FORMULAS = flop_registry | {
    aten.baddbmm_: flop_registry[aten.baddbmm],
    aten.mv: lambda a, b, **_: 2 * a.numel(),
    aten.addmv: lambda c, a, b, **_: 2 * a.numel(),
    aten.dot: lambda a, b, **_: 2 * a.numel(),
}


@dataclass
class Trace:
    """What a module did while the model ran."""

    output: tuple[int, ...] | None = None
    calls: int = 0
    flops: int = 0
    expansion: int = 0
    activations: int = 0


class Counter(TorchDispatchMode):
    """Counts the products of the layer that is running, and follows what depends on the input."""

    def __init__(self, inputs: dict[int, Any]) -> None:
        super().__init__()
        self.depends = dict(inputs)
        self.running: list[Trace] = []

    def __torch_dispatch__(
        self,
        func: torch._ops.OpOverload,
        types: Sequence[type],
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        depends = any(key in self.depends for key in storages((args, kwargs)))
        if depends:
            self.depends |= storages(out)
        formula = _FORMULAS.get(func._overloadpacket)
        if formula is not None and self.running:
            flops = formula(*args, **kwargs, out_val=out)
            if depends:
                self.running[-1].flops += flops
            else:
                self.running[-1].expansion += flops
        return out


def storages(tree: object) -> dict[int, Any]:
    """Where tensors lie, by a number that is theirs as long as this is kept."""
    found = [leaf.untyped_storage() for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]
    return {storage._cdata: storage for storage in found}


def watch(module: nn.Module, trace: Trace, counter: Counter, seen: dict[int, Any]) -> None:
    """Have a module write down what it does.

    Args:
        module: that is about to run.
        trace: where it writes.
        counter: under which the model runs.
        seen: memory that is counted already.
    """

    def before(*_: object) -> None:
        counter.running.append(trace)

    def after(_: nn.Module, __: object, output: object) -> None:
        counter.running.pop()
        trace.calls += 1
        tensors = [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]
        trace.output = tuple(tensors[0].shape) if tensors else None
        new = {key: s for key, s in storages(tensors).items() if key not in seen}
        trace.activations += sum(storage.nbytes() for storage in new.values())
        seen.update(new)

    module.register_forward_pre_hook(before)
    module.register_forward_hook(after)
