"""What modules over points take besides the fields, and how those that hold others hand it on.

A network of points is called as ``net(x, positions, graph)``. Each layer gets, by the names of the
arguments of its ``forward``, what it takes of it: ``positions``, ``graph`` or ``edges``, and of a
graph ``batch``, the cloud of each point, and ``count``, how many there are.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.field.graph import Graph
from equinet.numerics.values import came

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_OF_POINTS = frozenset({"positions", "graph", "edges", "batch", "count"})


def takes(module: nn.Module) -> tuple[str, ...]:
    """The arguments that a module takes after the fields, by name.

    Args:
        module: with an attribute ``takes`` that says it, or with a ``forward`` that does.
    Returns:
        The names; none for a layer over another space than points, which nothing surrounds.
    """
    known = getattr(module, "takes", None)
    if known is not None:
        return known
    in_type = getattr(module, "in_type", None)
    if isinstance(in_type, FieldType) and not in_type.space.in_clouds:
        return ()
    return tuple(p.name for p in _after_fields(module))


def takes_of(parts: Iterable[nn.Module | None]) -> tuple[str, ...]:
    """What a module takes that hands it on to its parts.

    Args:
        parts: the modules in it; None for none.
    Returns:
        "positions" and "graph" if one of them takes something of these, and other names.
    """
    names = {name for part in parts if part is not None for name in takes(part)}
    of_points = ("positions", "graph") if names & _OF_POINTS else ()
    return (*of_points, *sorted(names - _OF_POINTS))


def needs(module: nn.Module) -> bool:
    """Whether a module, or one that it holds, cannot be called with the fields alone."""
    if getattr(module, "takes", None) is not None:
        return any(map(needs, module.children()))
    return any(p.default is p.empty for p in _after_fields(module))


def surroundings(
    positions: Tensor | None, graph: Graph | Tensor | None, others: Mapping[str, Any]
) -> dict[str, Any]:
    """All that layers may take of what a network of points was called with, by name.

    Args:
        positions: of the points, or None.
        graph: a ``transforms.Graph``, its edges alone, or None.
        others: more arguments by name, such as ``kind``.
    Returns:
        What ``handed`` chooses from.
    Raises:
        TypeError: if ``graph`` is neither a graph nor edges.
        ValueError: if edges are of another shape.
    """
    if isinstance(graph, Tensor):
        if graph.layout != torch.strided or graph.dtype != torch.int64:
            got = graph.dtype if graph.layout == torch.strided else graph.layout
            raise TypeError(f"graph: expected a transforms.Graph or its edges, int64, got {got}")
        if graph.dim() != 2 or len(graph) != 2:
            raise ValueError(
                f"graph: expected a transforms.Graph or its edges, (2, count), got "
                f"{tuple(graph.shape)}"
            )
    elif graph is not None and not isinstance(graph, Graph):
        raise TypeError(f"graph: expected a transforms.Graph or its edges, got {came(graph)}")
    found = {"positions": positions, "graph": graph, "edges": graph}
    found = {name: value for name, value in found.items() if value is not None}
    if isinstance(graph, Graph):
        found |= {"batch": graph.cloud, "count": graph.clouds}
    return found | dict(others)


def handed(names: tuple[str, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given of these names."""
    return {name: given[name] for name in names if name in given}


def first_name(module: nn.Module) -> str:
    """The name of the first argument of ``forward``, what goes in; empty if it has none."""
    return next(iter(inspect.signature(module.forward).parameters), "")


def example_kinds(module: nn.Module, count: int) -> dict[str, Tensor]:
    """The kind of each of some samples, for layers with weights for each kind.

    Args:
        module: that is asked, by the attribute ``kinds`` of what is inside.
        count: of the samples.
    Returns:
        ``kind``, int64 ``(count,)``, if it takes that.
    """
    names = {*takes(module), *(p.name for p in _after_fields(module))}
    found = [getattr(part, "kinds", None) for part in module.modules()]
    kinds = min((number for number in found if isinstance(number, int)), default=0)
    return {"kind": torch.arange(count) % kinds} if kinds and "kind" in names else {}


def example(module: nn.Module, positions: Tensor) -> dict[str, Any]:
    """What a module takes besides the fields, for points that are all neighbours of each other.

    Args:
        module: that is asked.
        positions: ``(points, n)``, which it gets if it takes them.
    Returns:
        Its arguments by name: positions, and edges or a graph.
    """
    count = len(positions)
    numbers = torch.arange(count, device=positions.device)
    target, source = torch.meshgrid(numbers, numbers, indexing="ij")
    edges = torch.stack([source.flatten(), target.flatten()])
    edges = edges[:, : count * (count - 1)] if edges.is_meta else edges[:, edges[0] != edges[1]]
    given = {"positions": positions, "edges": edges, "graph": Graph(edges, count)}
    return handed(takes(module), given)


def other_fields(module: nn.Module, shape: Sequence[int]) -> dict[str, Tensor]:
    """The fields that a module takes besides the first, without numbers, on the meta device.

    Args:
        module: whose attribute ``argument_types`` says their types, if it has any.
        shape: of the first.
    Returns:
        By the names of the arguments.
    """
    types = getattr(module, "argument_types", {})
    return {
        name: torch.empty(shape[0], fields.channels, *shape[2:], device="meta")
        for name, fields in types.items()
    }


def _after_fields(module: nn.Module) -> list[inspect.Parameter]:
    """The arguments of ``forward`` after the first that have a name."""
    try:
        parameters = list(inspect.signature(module.forward).parameters.values())
    except ValueError:  # one of TorchScript, which takes what it takes
        return []
    return [p for p in parameters[1:] if p.kind in _NAMED]
