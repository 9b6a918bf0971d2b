"""Squeeze and excitation in a plain network, which is one layer here.

In: the operations of a plain network. Out: ``Squeeze`` for each product that is one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from equinet.convert.skeleton import layers as known
from equinet.convert.skeleton.operations import Operand, Operation

_SHAPES = ("flatten", "view", "reshape", "squeeze", "unsqueeze", "getitem", "expand_as", "expand")


@dataclass(frozen=True)
class Squeeze:
    """Channels that are multiplied by gates, which a small network computes from their means.

    Attributes:
        name: what its modules have in common.
        source: number of the step whose result is weighed.
        absorbed: numbers of the steps that it stands for, but for the product.
        layers: the two that learn.
        function: between them.
        gate: behind them.
    """

    name: str
    source: int
    absorbed: frozenset[int]
    layers: tuple[Any, Any]
    function: nn.Module
    gate: nn.Module


def squeezes(
    operations: Sequence[Operation], users: Mapping[int, Sequence[int]]
) -> dict[int, Squeeze]:
    """All of them, by the number of the product.

    Args:
        operations: of the network.
        users: numbers of the steps that take the result of each.
    Returns:
        What each product is.
    """
    found = {}
    for number, operation in enumerate(operations):
        pair = operation.operands
        if operation.kind == "mul" and len(operation.args) == 2 and len(pair) == 2:
            for source, weights in (pair, pair[::-1]):
                one = _squeeze(operations, users, source, weights)
                if one is not None:
                    found[number] = one
    return found


def _squeeze(
    operations: Sequence[Operation], users: Mapping[int, Sequence[int]], source: int, last: int
) -> Squeeze | None:
    """The chain from the product back to the mean of what is weighed, if it is one."""
    absorbed, modules, names, number = set(), [], [], last
    while number != source:
        operation = operations[number]
        if len(users[number]) > 1 or not operation.args:
            return None
        absorbed.add(number)
        if operation.kind not in (*_SHAPES, "mean"):
            module = known.layer(operation)
            if module is None:
                return None
            modules.insert(0, module)
            names.insert(0, operation.name)
        elif operation.kind == "mean":
            modules.insert(0, nn.AdaptiveAvgPool2d(1))
            names.insert(0, "")
        first = operation.args[0]
        if not isinstance(first, Operand):
            return None
        number = first.number
    steps = [module for module in modules if not isinstance(module, (nn.Flatten, nn.Identity))]
    if len(steps) != 5:
        return None
    pool, squeeze, function, excite, gate = steps
    channels = (operations[source].shape or (0, 0))[1]
    sizes = [getattr(pool, "output_size", 0)]
    if (
        not isinstance(pool, known.ADAPTIVE_AVERAGES)
        or any(size not in (1, (1,), (1, 1), (1, 1, 1)) for size in sizes)
        or not all(isinstance(one, known.ACTIVATIONS) for one in (function, gate))
        or _ends(squeeze)[:1] != (channels,)
        or _ends(excite)[1:] != (channels,)
    ):
        return None
    learned = [name for name, module in zip(names, modules, strict=True) if _ends(module)]
    name = os.path.commonprefix(learned).rpartition(".")[0] or learned[0]
    return Squeeze(name, source, frozenset(absorbed), (squeeze, excite), function, gate)


def _ends(module: nn.Module) -> tuple[int, ...]:
    """Channels in and out of a layer that mixes channels alone; else nothing."""
    if isinstance(module, nn.Linear):
        return module.in_features, module.out_features
    if isinstance(module, known.CONVOLUTIONS) and module.groups == 1:
        return module.in_channels, module.out_channels
    return ()
