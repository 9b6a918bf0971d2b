"""What a plain network computes, step by step: a graph with the shapes of one example.

In: a module of ``torch.nn`` and an input. Out: its operations.

``torch.fx`` runs ``forward`` once with proxies. Here a proxy knows its value on the meta device
too, so that shapes are numbers, and conditions on them are no obstacle.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_aggregate
from torch.fx.proxy import Attribute

from equinet.convert.skeleton.layers import KEEPING, KNOWN, no_equal
from equinet.convert.skeleton.operations import DROP_PATHS, PAGE, Operand, Operation
from equinet.nn.summaries import on_meta
from equinet.numerics.pages import explained

_RENAMED = {
    "iadd": "add", "isub": "sub", "imul": "mul", "itruediv": "truediv", "div": "truediv",
    "multiply": "mul", "subtract": "sub", "concat": "cat", "concatenate": "cat", "amax": "max",
    "adaptive_max_pool1d_with_indices": "adaptive_max_pool1d",
    "adaptive_max_pool2d_with_indices": "adaptive_max_pool2d",
    "adaptive_max_pool3d_with_indices": "adaptive_max_pool3d",
    "max_pool1d_with_indices": "max_pool1d", "max_pool2d_with_indices": "max_pool2d",
    "max_pool3d_with_indices": "max_pool3d",
}  # fmt: skip


def traced(model: nn.Module, example: Tensor) -> list[Operation]:
    """The steps of a plain network from its input, the first, to its output, the last.

    Args:
        model: it is not changed.
        example: an input.
    Returns:
        Those that the output depends on, in their order.
    Raises:
        ValueError: if ``torch.fx`` cannot follow ``forward``, or the output is not one tensor.
    """
    twin, tracer = _Whole(on_meta(model)), _Tracer(example.detach().to("meta"))
    try:
        graph = tracer.trace(twin)
    except Exception as error:  # whatever a forward of others raises
        if tracer.unknown is not None:
            raise no_equal(tracer.unknown) from None
        _check_example(model, example)
        raise ValueError(
            explained(
                f"model: expected a forward that torch.fx can follow, got {type(model).__name__}: "
                f"{error}; conditions on values, loops over tensors and functions of other "
                "libraries have to leave forward, or be no part of the model that is handed over",
                PAGE,
            )
        ) from error
    _redirect(graph, twin)
    output = next(node for node in reversed(graph.nodes) if node.op == "output")
    result = output.args[0]
    if not isinstance(result, fx.Node) or not isinstance(tracer.values[result], Tensor):
        raise ValueError(
            "model: expected one tensor as its output, got "
            f"{type(result).__name__}; hand over a module that returns one of them"
        )
    needed = {result}
    for node in reversed(graph.nodes):
        if node in needed:
            needed.update(node.all_input_nodes)
    nodes = [node for node in graph.nodes if node in needed]
    if not nodes or nodes[0].op != "placeholder":
        raise ValueError("model: expected an output that depends on the input, got a constant")
    numbers = {node: i for i, node in enumerate(nodes)}
    return [_operation(node, twin, tracer.values[node], numbers) for node in nodes]


def _check_example(model: nn.Module, x: Tensor) -> None:
    """Raise ValueError if the model does not take the input, traced or not."""
    twin = copy.deepcopy(model).eval()
    try:
        with torch.no_grad():
            twin(x)
    except Exception as error:
        raise ValueError(
            f"example: expected an input that the model takes, got {tuple(x.shape)}: {error}"
        ) from error


class _Whole(nn.Module):
    """A model with one argument, whatever else its own ``forward`` may be given."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> object:
        return self.model(x)


class _Shaped(fx.Proxy):
    """A proxy that knows its value, without numbers."""

    value: Any = None

    @property
    def shape(self) -> torch.Size:
        return self.value.shape

    @property
    def ndim(self) -> int:
        return self.value.ndim

    @property
    def dtype(self) -> torch.dtype:
        return self.value.dtype

    def size(self, dim: int | None = None) -> int | torch.Size:
        return self.value.size() if dim is None else self.value.size(dim)

    def dim(self) -> int:
        return self.value.dim()

    def numel(self) -> int:
        return self.value.numel()

    def __len__(self) -> int:
        return len(self.value)


class _Tracer(fx.Tracer):
    """Runs each step on the meta device as it writes it down."""

    proxy_buffer_attributes = True

    def __init__(self, example: Tensor) -> None:
        super().__init__()
        self.example = example
        self.values: dict[fx.Node, Any] = {}
        self.unknown: Operation | None = None  # a module that has no equal
        self._runs = False  # whether a step runs, whose own steps are not written down

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        is_known = type(m).__name__ in DROP_PATHS
        return is_known or super().is_leaf_module(m, module_qualified_name)

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Shaped(node, self)

    def create_proxy(self, kind: str, target: Any, *args: Any, **kwargs: Any) -> fx.Proxy:  # noqa: ANN401 - as fx says
        proxy = super().create_proxy(kind, target, *args, **kwargs)
        given, named = map_aggregate(args[:2], _value)  # pyright: ignore[reportGeneralTypeIssues]
        self._runs = True
        try:
            value = self._run(kind, target, given, named)
        finally:
            self._runs = False
        proxy.value = self.values[proxy.node] = value  # pyright: ignore[reportAttributeAccessIssue]
        return proxy

    def _run(self, kind: str, target: Any, args: Any, kwargs: Any) -> object:  # noqa: ANN401
        if kind == "placeholder":
            return self.example
        if kind == "call_module":
            module = self.root.get_submodule(target)
            if type(module) not in KNOWN and type(module).__name__ not in DROP_PATHS:
                self.unknown = Operation(target.removeprefix("model."), module, (), {}, None)
                raise TypeError(f"{target} has no equal")
            if isinstance(module, KEEPING) and args:
                return args[0]  # of which the shape is all that matters
            return module.forward(*args, **kwargs)
        if kind == "call_function":
            return target(*args, **kwargs)
        if kind == "call_method":
            first, *others = args
            return getattr(first, target)(*others, **kwargs)
        if kind == "get_attr":
            tensors = {**dict(self.root.named_parameters()), **dict(self.root.named_buffers())}
            return tensors.get(target, getattr(self.root, target, None))
        return None  # the output

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> object:  # noqa: ANN401
        if self._runs:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: object, parameter_proxy_cache: dict[str, Any]) -> object:
        if self._runs:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)

    def iter(self, obj: fx.Proxy) -> Iterator[Any]:
        value = getattr(obj, "value", None)
        if isinstance(value, tuple | list):
            return iter([obj[i] for i in range(len(value))])  # pyright: ignore[reportIndexIssue]
        return super().iter(obj)


def _redirect(graph: fx.Graph, twin: nn.Module) -> None:
    """Let what comes after a step that writes over its input take the result."""
    order = {node: i for i, node in enumerate(graph.nodes)}
    for node in order:
        if node.args and isinstance(node.args[0], fx.Node) and _writes_over(node, twin):
            later = {user for user in node.args[0].users if order[user] > order[node]}
            node.args[0].replace_all_uses_with(node, later.__contains__)


def _writes_over(node: fx.Node, twin: nn.Module) -> bool:
    """Whether a step changes its first argument."""
    if node.op == "call_module":
        return bool(getattr(twin.get_submodule(str(node.target)), "inplace", False))
    name = str(getattr(node.target, "__name__", node.target))
    is_operator = name in ("iadd", "isub", "imul", "itruediv")
    return is_operator or bool(node.kwargs.get("inplace")) or name.rstrip("_") + "_" == name


def _value(arg: Any) -> Any:  # noqa: ANN401
    """What a proxy stands for."""
    if isinstance(arg, Attribute):
        return getattr(_value(arg.root), arg.attr)
    return arg.value if isinstance(arg, _Shaped) else arg


def _operation(
    node: fx.Node, twin: nn.Module, value: object, numbers: dict[fx.Node, int]
) -> Operation:
    shape = tuple(value.shape) if isinstance(value, Tensor) else None

    def operand(arg: Any) -> Any:  # noqa: ANN401
        return Operand(numbers[arg]) if isinstance(arg, fx.Node) else arg

    args, kwargs = map_aggregate((node.args, node.kwargs), operand)  # pyright: ignore[reportGeneralTypeIssues]
    name = str(node.target).removeprefix("model.")
    if node.op == "call_module":
        module = twin.get_submodule(str(node.target))
        return Operation("" if name == "model" else name, module, args, dict(kwargs), shape)
    if node.op in ("call_function", "call_method"):
        name = getattr(node.target, "__name__", name).strip("_")
        name = _RENAMED.get(name, name)
    return Operation(name, name, args, dict(kwargs), shape, node.op == "get_attr")
