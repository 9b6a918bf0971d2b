"""Modules whose ``forward`` differentiates, as programs in which derivatives are steps like others.

In: a module called with points and their graph. Out: a ``Program``, or one of ``torch.export``.

``torch.compile`` stops at a derivative, and ``torch.export`` takes what it saves for constants. So
the operations are recorded as they run, those of the derivative too (as NequIP and DeePMD do), and
what is recorded is a graph of functions, which can be compiled, exported and differentiated again.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from equinet.field.graph import Graph
from equinet.numerics.values import came, check_real

if TYPE_CHECKING:
    from torch.export import ExportedProgram

Decompositions = Mapping[Any, Callable[..., Any]]

# Sizes with which steps are recorded, unlike each other and those of layers; zeros of them are made
# and nothing is computed. What is 0 or 1 would stay so.
_SIZES = {"points": 1_009, "edges": 10_007, "clouds": 101}
_PARTS = ("edges", "cells", "cell", "pbc", "cloud", "order")  # of a graph, its tensors
_WITNESS = "clouds"  # an empty tensor, the first axis of which has the number of clouds


class Program(nn.Module):
    """What a module of points does, step by step.

    Args:
        steps: takes tensors in a row and returns a dict of them.
        parts: which parts of a graph are among the tensors, after x and positions.
        kind: the NamedTuple that is returned.
    """

    def __init__(self, steps: fx.GraphModule, parts: tuple[str, ...], kind: type) -> None:
        super().__init__()
        self.steps, self.parts, self.kind = steps, parts, kind

    def forward(self, x: Tensor, positions: Tensor, graph: Graph) -> Any:  # noqa: ANN401
        """What the module returns.

        Args:
            x: as the module takes it.
            positions: ``(points, n)``.
            graph: with the parts that the one had which the steps were recorded with.
        Returns:
            The same NamedTuple.
        Raises:
            TypeError, ValueError: if the graph has other parts, or is of other points.
        """
        check_points(x, positions, graph)
        parts = parts_of(positions, graph)
        if tuple(parts) != self.parts:
            raise ValueError(
                f"graph: expected one with {', '.join(self.parts)}, as the program was made for, "
                f"got one with {', '.join(parts)}"
            )
        found = self.steps(x, positions, *parts.values())
        return self.kind(*(found.get(name) for name in self.kind._fields))


def traced(module: nn.Module, x: Tensor, positions: Tensor, graph: Graph) -> Program:
    """The steps of a module of points.

    Args:
        module: called with the three; returns a NamedTuple of tensors and None.
        x: features or species, ``(points, ...)``.
        positions: ``(points, n)``.
        graph: of these points.
    Returns:
        A module that shares the parameters.
    """
    given = _widened(x, positions, graph)
    steps, kind = _recorded(module, given, graph, {})
    return Program(steps, tuple(given)[2:], kind)


def exported(module: nn.Module, x: Tensor, positions: Tensor, graph: Graph) -> ExportedProgram:
    """The steps of a module of points, in torch's own operators.

    Args:
        module: called with the three; returns a NamedTuple of tensors and None.
        x: features or species, ``(points, ...)``.
        positions: ``(points, n)``.
        graph: of these points.
    Returns:
        A program that takes x, positions and the parts of the graph, and returns a dict.
    """
    given = _widened(x, positions, graph)
    steps, _ = _recorded(module, given, graph, {})
    own = {node.target for node in steps.graph.nodes if _is_own(node.target)}
    if own:
        steps, _ = _recorded(module, given, graph, {one: _reference(one) for one in own})
    is_open = torch.export.Dim.DYNAMIC
    open_axes = tuple(dict.fromkeys(_axes(name, one), is_open) for name, one in given.items())
    return torch.export.export(steps, tuple(given.values()), dynamic_shapes=open_axes)


def check_points(x: Tensor, positions: Tensor, graph: Graph) -> None:
    """Raise unless features and positions are of the points of a graph.

    Args:
        x: features or species.
        positions: ``(points, n)``, finite.
        graph: a ``transforms.Graph``.
    Raises:
        TypeError: for something else than a graph, or positions that are not real.
        ValueError: if they are of other points, or not finite, and for a graph between two sets.
    """
    if not isinstance(graph, Graph):
        raise TypeError(f"graph: expected a transforms.Graph, got {type(graph).__name__}")
    if graph.sources is not None:
        raise ValueError(
            f"graph: expected edges between points of one set, got some from {graph.sources} others"
        )
    if not isinstance(x, Tensor) or not x.dim() or x.shape[0] != graph.points:
        got = tuple(x.shape) if isinstance(x, Tensor) else came(x)
        raise ValueError(f"x: expected something of {graph.points} points, got {got}")
    check_real("positions", positions, (graph.points, "n"))


def parts_of(positions: Tensor, graph: Graph) -> dict[str, Tensor]:
    """The tensors of a graph by name, and of several clouds an empty one that tells their number.

    Args:
        positions: of its points.
        graph: whose parts they are.
    Returns:
        Those that are there.
    """
    parts = {name: getattr(graph, name) for name in _PARTS if getattr(graph, name) is not None}
    if graph.clouds != 1:
        parts[_WITNESS] = positions.new_empty(graph.clouds, 0)
    return parts


def _axes(name: str, tensor: Tensor) -> dict[int, str]:
    """The axes whose sizes are numbers of something."""
    if name in ("cell", "pbc"):
        return {0: "clouds"} if tensor.dim() == (3 if name == "cell" else 2) else {}
    if name in ("edges", "order"):
        return {1: "edges"}
    return {0: {"cells": "edges", _WITNESS: "clouds"}.get(name, "points")}


def _widened(x: Tensor, positions: Tensor, graph: Graph) -> dict[str, Tensor]:
    """Zeros in place of all that depends on the numbers of points, edges and clouds."""
    found = {"x": x, "positions": positions} | parts_of(positions, graph)
    for name, one in found.items():
        sizes = list(one.shape)
        for axis, what in _axes(name, one).items():
            sizes[axis] = _SIZES[what]
        found[name] = one.new_zeros(sizes)
    return found


def _recorded(
    module: nn.Module, given: Mapping[str, Tensor], graph: Graph, table: Decompositions
) -> tuple[fx.GraphModule, type]:
    """What the module does with tensors of these sizes, and the type that it returns."""
    kinds: list[type] = []

    def run(*tensors: Tensor) -> dict[str, Tensor]:
        parts = dict(zip(given, tensors, strict=True))
        x, positions = parts.pop("x"), parts.pop("positions")
        found = module(x, positions, _rebuilt(graph, positions, parts))
        kinds.append(type(found))
        return {name: one for name, one in found._asdict().items() if one is not None}

    record = _tracing().make_fx(
        run,
        dict(table),
        tracing_mode="symbolic",
        _allow_non_fake_inputs=True,  # the parameters, which stay those of the module
        _error_on_data_dependent_ops=True,
    )
    with torch.enable_grad(), _Detached() as detached:
        steps = record(*given.values())
    _check_open(given, steps)
    _join_derivatives(steps, detached.names)
    return steps, kinds[0]


def _rebuilt(graph: Graph, positions: Tensor, parts: dict[str, Tensor]) -> Graph:
    """A graph of these tensors, with the parts in the places of those of another."""
    witness = parts.pop(_WITNESS, None)
    numbers = {"points": positions.shape[0], "clouds": 1 if witness is None else witness.shape[0]}
    values = parts | numbers
    _, spec = pytree.tree_flatten(graph)
    return pytree.tree_unflatten([values.get(field.name) for field in fields(graph)], spec)


def _check_open(given: Mapping[str, Tensor], steps: fx.GraphModule) -> None:
    """Raise unless the steps are the same for every number of points, edges and clouds."""
    inputs = (node for node in steps.graph.nodes if node.op == "placeholder")
    for (name, one), node in zip(given.items(), inputs, strict=True):
        for axis, what in _axes(name, one).items():
            size = node.meta["val"].shape[axis]
            if not isinstance(size, torch.SymInt) or size.node.maybe_as_int() is not None:
                raise ValueError(
                    f"net: expected steps for any number of {what}, got some for {size} of them: "
                    f"take x.shape[0], as len(x) is a number"
                )


def _join_derivatives(steps: fx.GraphModule, kept: set[str]) -> None:
    """Take out the ``detach`` of what autograd saves, at which other derivatives would end."""
    for node in list(steps.graph.nodes):
        if node.target is torch.ops.aten.detach.default and node.name not in kept:
            node.replace_all_uses_with(node.args[0])
            steps.graph.erase_node(node)
    steps.graph.eliminate_dead_code()
    steps.recompile()


class _Detached(TorchFunctionMode):
    """Notes which steps are the ``detach`` of a module; that of autograd does not come by here."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        found = func(*args, **(kwargs or {}))
        mode = _tracing().get_proxy_mode()
        if func in (torch.detach, Tensor.detach) and mode is not None:
            step = _tracing().get_proxy_slot(found, mode.tracer, None)
            if step is not None:
                self.names.add(step.proxy.node.name)
        return found


def _tracing() -> ModuleType:
    """What records, which comes when it is needed: it takes longer than all of this library."""
    return importlib.import_module("torch.fx.experimental.proxy_tensor")


def _is_own(target: object) -> bool:
    return isinstance(target, torch._ops.OpOverload) and target.namespace == "equinet"


def _reference(operator: Any) -> Callable[..., Any]:  # noqa: ANN401 - an OpOverload
    """The plain PyTorch that defines one of our operators, as a device without its own gets it."""
    kernel = torch.library.get_kernel(operator, "PrivateUse1")
    keys = torch._C.DispatchKeySet(torch._C.DispatchKey.PrivateUse1)
    return lambda *args: kernel.call_boxed(keys, *args)
