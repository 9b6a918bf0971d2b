"""Graphs from and to the values of other libraries, told by their attributes, not imported.

Of ``ase.Atoms`` these are ``positions``, ``numbers``, ``cell`` and ``pbc``; of
``torch_geometric.data.Data`` ``pos``, ``edge_index`` and ``batch``, and for a crystal what MACE
calls ``cell``, ``pbc`` and ``unit_shifts`` s: there x_i - x_j + s C is the vector along an edge
(j, i), which comes from the neighbour, while here it goes to it. What goes out are the arguments
of the two.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equinet.field.graph import Graph
from equinet.numerics.arguments import is_row
from equinet.numerics.values import check_numbers, check_real
from equinet.transforms.neighbour_lists import radius_graph


def from_atoms(
    atoms: Any,  # noqa: ANN401 - one or several of what has these attributes
    radius: float,
    *,
    dtype: torch.dtype | None = None,
) -> tuple[Tensor, Tensor, Graph]:
    """Positions, numbers and neighbours of atoms, or of several clouds of them.

    Args:
        atoms: an ``ase.Atoms``, or a list of them, which become the clouds of one graph.
        radius: the largest distance of neighbours.
        dtype: of the positions; by default torch's.
    Returns:
        Positions ``(points, 3)``, atomic numbers int64 ``(points,)``, and the graph.
    Raises:
        TypeError: if they are no atoms.
        ValueError: for what ``radius_graph`` refuses, and if the list is empty.

    Example:
        >>> from types import SimpleNamespace
        >>> wire = SimpleNamespace(
        ...     positions=[[0.0, 0.0, 0.0]],
        ...     numbers=[6],
        ...     cell=[[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.5]],
        ...     pbc=[False, False, True],
        ... )
        >>> _, numbers, graph = from_atoms(wire, 2.0)
        >>> numbers.tolist(), graph.cells.tolist()
        ([6], [[0, 0, -1], [0, 0, 1]])
    """
    clouds = list(atoms) if is_row(atoms) else [atoms]
    if not clouds:
        raise ValueError("atoms: expected at least one, got none")
    for one in clouds:
        if not all(hasattr(one, name) for name in ("positions", "numbers", "cell", "pbc")):
            raise TypeError(
                "atoms: expected ase.Atoms, with positions, numbers, cell and pbc, got "
                f"{type(one).__name__}"
            )
    dtype = torch.get_default_dtype() if dtype is None else dtype
    positions = [_tensor(one.positions, dtype).reshape(-1, 3) for one in clouds]
    cells = torch.stack([_tensor(one.cell, dtype) for one in clouds])
    pbc = torch.stack([_tensor(one.pbc, torch.bool).expand(3) for one in clouds])
    numbers = torch.cat([_tensor(one.numbers, torch.int64) for one in clouds])
    x = torch.cat(positions)
    if not is_row(atoms):
        cell, axes = (cells[0], pbc[0]) if pbc.any() else (None, None)
        return x, numbers, radius_graph(x, radius, cell=cell, pbc=axes)
    sizes = torch.tensor([len(one) for one in positions])
    batch = torch.arange(len(clouds)).repeat_interleave(sizes)
    return x, numbers, radius_graph(x, radius, batch, cell=cells, pbc=pbc)


def to_atoms(graph: Graph, positions: Tensor, numbers: Tensor) -> list[dict[str, np.ndarray]]:
    """What ``ase.Atoms(**one)`` takes, for each cloud.

    Args:
        graph: of which the cell and the clouds are taken; ASE finds neighbours itself.
        positions: ``(points, 3)``.
        numbers: atomic numbers, int64 ``(points,)``.
    Returns:
        For each cloud its ``positions``, ``numbers``, ``cell`` and ``pbc``; of open space, zeros.
    Raises:
        TypeError: if there is no graph, or the positions are not real.
        ValueError: if they are of other points, or edges start at points of another set.
    """
    _check_graph(graph)
    check_real("positions", positions, (graph.points, 3))
    check_numbers("numbers", numbers, "atomic numbers", (graph.points,), positions)
    clouds = []
    for part, own in zip(graph.split(), graph.members(), strict=True):
        one = {"positions": positions[own], "numbers": numbers[own]}
        one["cell"] = positions.new_zeros(3, 3) if part.cell is None else part.cell
        one["pbc"] = torch.zeros(3, dtype=torch.bool) if part.pbc is None else part.pbc
        clouds.append({name: value.detach().cpu().numpy() for name, value in one.items()})
    return clouds


def from_data(data: Any) -> tuple[Tensor, Graph]:  # noqa: ANN401 - what has these attributes
    """Positions and graph of a ``torch_geometric.data.Data`` or ``Batch`` with edges.

    Args:
        data: with ``pos`` and ``edge_index``, rows neighbour and point; with ``batch`` and
            ``num_graphs`` where it is several; with ``cell``, ``(n, n)`` or one below the other,
            ``unit_shifts`` and, if some axes do not repeat, ``pbc``, of a crystal.
    Returns:
        Positions ``(points, n)`` and the graph, whose edges are in the order of the data.
    Raises:
        TypeError: if it is no such data.
        ValueError: for what ``Graph`` refuses, and for ``unit_shifts`` without ``cell``.
    """
    positions, edges = getattr(data, "pos", None), getattr(data, "edge_index", None)
    if not isinstance(positions, Tensor) or not isinstance(edges, Tensor):
        raise TypeError(
            f"data: expected torch_geometric's, with pos and edge_index, got {type(data).__name__}"
        )
    check_real("data.pos", positions, ("points", "n"))
    cloud = getattr(data, "batch", None)
    clouds = 1 if cloud is None else data.num_graphs
    cell, pbc, shifts = (getattr(data, name, None) for name in ("cell", "pbc", "unit_shifts"))
    if cell is None:
        if shifts is not None:
            raise ValueError("data.cell: expected it with data.unit_shifts, got None")
        return positions, Graph(edges, len(positions), clouds=clouds, cloud=cloud)
    n = positions.shape[1]
    axes = (n,) if cloud is None else (clouds, n)
    return positions, Graph(
        edges,
        len(positions),
        cells=None if shifts is None else -shifts.round().to(torch.int64),
        cell=_shaped("cell", cell, (*axes, n)),
        pbc=None if pbc is None else _shaped("pbc", pbc, axes),
        clouds=clouds,
        cloud=cloud,
    )


def to_data(graph: Graph, positions: Tensor) -> dict[str, Tensor]:
    """What ``torch_geometric.data.Data(**data)`` takes.

    Args:
        graph: of one cloud, so that torch_geometric can batch it; ``split`` gives those of many.
        positions: ``(points, n)``.
    Returns:
        ``pos`` and ``edge_index``; of a crystal also ``cell`` ``(1, n, n)``, ``pbc`` ``(1, n)`` and
        ``unit_shifts`` ``(count, n)``.
    Raises:
        TypeError: if there is no graph, or the positions are not real.
        ValueError: if they are of other points, the graph is of many clouds, or edges start at
            points of another set.
    """
    _check_graph(graph)
    check_real("positions", positions, (graph.points, "n"))
    if graph.clouds != 1:
        raise ValueError(f"graph: expected one cloud, got {graph.clouds}; see graph.split()")
    data = {"pos": positions, "edge_index": graph.edges}
    if graph.cells is not None and graph.cell is not None and graph.pbc is not None:
        n = graph.cell.shape[-1]
        data |= {"cell": graph.cell.reshape(1, n, n), "pbc": graph.pbc.reshape(1, n)}
        data["unit_shifts"] = -graph.cells
    return data


def _tensor(value: Any, dtype: torch.dtype) -> Tensor:  # noqa: ANN401 - arrays, or ASE's cell
    return torch.tensor(np.asarray(value)).to(dtype)


def _shaped(name: str, value: Tensor, shape: tuple[int, ...]) -> Tensor:
    """What torch_geometric has put below each other, for each cloud."""
    if value.numel() != math.prod(shape):
        raise ValueError(f"data.{name}: expected {shape}, got {tuple(value.shape)}")
    return value.reshape(shape)


def _check_graph(graph: object) -> None:
    if not isinstance(graph, Graph):
        raise TypeError(f"graph: expected a transforms.Graph, got {type(graph).__name__}")
    if graph.sources is not None:
        raise ValueError(f"graph: expected edges between the points of one set, got {graph!r}")
