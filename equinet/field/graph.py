"""A neighbour list with all that belongs to it, as one value."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from equinet.numerics.arguments import check_integer, is_row
from equinet.numerics.deprecation import warn_renamed
from equinet.numerics.values import came, check_floating, check_numbers, check_real, check_together


@dataclass(frozen=True, eq=False)
class Graph:
    r"""Points, which of them are neighbours, and how space repeats.

    .. math:: r_e = x_{j(e)} - x_{i(e)} + s_e\, C

    is the vector of the edge e to its neighbour j, where the integers s say in which cell it is.
    A graph does not hold positions: they, and the cell, may change while the edges stay, and
    derivatives by both go through ``vectors``. It can be pickled, is equal to itself only, as a
    tensor is, and ``edges, shifts = graph`` takes it apart.

    Attributes:
        edges: int64 ``(2, count)``, rows j, the neighbour, and i; in any order.
        points: their number.
        cells: the integers s, int64 ``(count, n)``; None without a cell.
        cell: C, whose rows are the vectors after which space repeats, ``(n, n)``, or one for each
            cloud, ``(clouds, n, n)``.
        pbc: for each axis of the cell whether space repeats along it, bool ``(n,)`` or
            ``(clouds, n)``, as ``cell``; by default all do.
        clouds: the number of clouds.
        cloud: that of each point, int64 ``(points,)``; None for a single one.
        order: where the edges stand that are sorted by j and, in the second row, by i, int64
            ``(2, count)``; see ``ordered``.
        sources: the number of the points j where they are others than the points i, such as the
            atoms of a cell with ghosts around it, or a finer level; None where they are the same.
    Raises:
        TypeError: if the edges are no tensor, or the cell is not real.
        ValueError: if a shape does not fit, a number is out of range, an edge leads from one cloud
            to another, or ``cells`` come without ``cell``.

    Example:
        >>> graph = Graph(torch.tensor([[1, 0], [0, 1]]), points=2)
        >>> graph.vectors(torch.tensor([[0.0], [3.0]])).tolist()
        [[3.0], [-3.0]]
    """

    edges: Tensor
    points: int
    cells: Tensor | None = None
    cell: Tensor | None = None
    pbc: Tensor | None = None
    clouds: int = 1  # above cloud, and cells above cell: torch.export replaces by prefix
    cloud: Tensor | None = None
    order: Tensor | None = None
    sources: int | None = None

    def __post_init__(self) -> None:
        check_integer(self.points, "points", least=0)
        check_integer(self.clouds, "clouds", least=0)
        if not isinstance(self.edges, Tensor):
            raise TypeError(f"edges: expected a tensor, got {came(self.edges)}")
        what = "the numbers of neighbour and point"
        if self.sources is None:
            check_numbers("edges", self.edges, what, (2, "count"), self.edges, self.points)
        else:
            check_integer(self.sources, "sources", least=0)
            check_numbers("edges", self.edges, what, (2, "count"), self.edges)
            for row, end, count in zip(self.edges, ("neighbour", "point"), self.ends, strict=True):
                check_numbers("edges", row, f"the number of each {end}", ("count",), row, count)
        if self.cloud is not None:
            what, shape = "the number of the cloud of each point", (self.points,)
            check_numbers("cloud", self.cloud, what, shape, self.edges, self.clouds)
            if self.sources is None:  # the clouds of other sources are not known
                check_together("edges", self.edges, self.cloud, "cloud")
        elif self.clouds != 1:
            raise ValueError(f"cloud: expected those of {self.clouds} clouds, got None")
        if self.order is not None:
            shape, count = tuple(self.edges.shape), self.edges.shape[1]
            check_numbers("order", self.order, "numbers of edges", shape, self.edges, count)
        if (self.cells is None) != (self.cell is None):
            raise ValueError("cells: expected them with cell, and not without, got one of the two")
        if self.cells is not None and self.cell is not None:
            self._check_cell(self.cells, self.cell)
        elif self.pbc is not None:
            raise ValueError("pbc: expected None without cell")

    def _check_cell(self, cells: Tensor, cell: Tensor) -> None:
        single = isinstance(cell, Tensor) and cell.dim() == 2
        n = cell.shape[-1] if isinstance(cell, Tensor) and cell.dim() else 0
        check_real("cell", cell, (n, n) if single else (self.clouds, n, n))
        wanted = (self.edges.shape[1], n)
        if (
            not isinstance(cells, Tensor)
            or cells.layout != torch.strided
            or cells.dtype != torch.int64
            or cells.shape != wanted
        ):
            raise ValueError(f"cells: expected int64 {wanted}, got {_told(cells)}")
        if self.pbc is None:
            every = torch.ones(cell.shape[:-1], dtype=torch.bool, device=cell.device)
            object.__setattr__(self, "pbc", every)
        elif (
            not isinstance(self.pbc, Tensor)
            or self.pbc.dtype != torch.bool
            or self.pbc.shape != cell.shape[:-1]
        ):
            raise ValueError(f"pbc: expected bool {(*cell.shape[:-1],)}, got {_told(self.pbc)}")
        for name, tensor in (("cells", cells), ("cell", cell), ("pbc", self.pbc)):
            if tensor is not None and tensor.device != self.edges.device:
                raise ValueError(
                    f"{name}: expected a tensor on {self.edges.device}, where the edges are, got "
                    f"one on {tensor.device}"
                )

    @property
    def ends(self) -> tuple[int, int]:
        """How many points edges start from, and to how many they lead."""
        return self.points if self.sources is None else self.sources, self.points

    @property
    def shifts(self) -> Tensor | None:
        """The vectors s C ``(count, n)``, added to x_j - x_i; None without a cell."""
        if self.cells is None or self.cell is None:
            return None
        cell = self.cell
        if cell.dim() == 3:
            cell = cell.index_select(0, self.cloud_of_edges())
        # Not a matrix product: autocast would compute it with three digits.
        return (self.cells[:, :, None] * cell).sum(1)

    def cloud_of_edges(self) -> Tensor:
        """The number of the cloud of each edge, int64 ``(count,)``."""
        if self.cloud is None:
            return torch.zeros_like(self.edges[1])
        return self.cloud.index_select(0, self.edges[1])

    def of(self, x: Tensor, end: int = 0) -> tuple[Tensor, Tensor | None]:
        """The edges and shifts, for something that there is of each point.

        Args:
            x: features or positions, ``(points, ...)``.
            end: which points they are where there are two kinds, 0 for those where edges start, 1
                for those where they end.
        Returns:
            ``edges`` and ``shifts``.
        Raises:
            ValueError: if ``x`` is of another number of points.
        """
        if not isinstance(x, Tensor) or not x.dim() or x.shape[0] != self.ends[end]:
            raise ValueError(f"x: expected something of {self.ends[end]} points, got {_told(x)}")
        return self.edges, self.shifts

    def vectors(self, positions: Tensor | tuple[Tensor, Tensor]) -> Tensor:
        """From every point to its neighbours.

        Args:
            positions: ``(points, n)``; of both where the sources are other points, as a pair.
        Returns:
            x_j - x_i + s C, ``(count, n)``.
        Raises:
            TypeError: if the positions are not real.
            ValueError: if they are of another number of points, or of one end alone.
        """
        pair, (source, target), shifts = self.pair(positions), *self
        r = pair[0].index_select(0, source) - pair[1].index_select(0, target)
        return r if shifts is None else r + shifts

    def pair(self, positions: Tensor | tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """The positions where edges start, and those where they end.

        Args:
            positions: ``(points, n)``; of both where the sources are other points, as a pair.
        Returns:
            Both.
        Raises:
            TypeError: if the positions are not real.
            ValueError: if they are of another number of points, or of one end alone.
        """
        pair = positions if isinstance(positions, tuple | list) else (positions, positions)
        if self.sources is not None and pair is not positions:
            got = _told(positions)
            raise ValueError(f"positions: expected a pair, of sources and points, got {got}")
        if len(pair) != 2:
            raise ValueError(f"positions: expected a tensor or two, got {len(pair)}")
        last = () if self.cell is None else self.cell.shape[-1:]
        for one, count in zip(pair, self.ends, strict=True):
            check_floating("positions", one, *last)
            if one.dim() != 2 or one.shape[0] != count:
                raise ValueError(f"positions: expected ({count}, n), got {_told(one)}")
        return pair[0], pair[1]

    def ordered(self) -> Graph:
        """The same graph, with ``order``: both sums, over i and over j, can go along the edges."""
        if self.order is not None:
            return self
        return replace(self, order=torch.argsort(self.edges, dim=1, stable=True))

    def with_cell(self, cell: Tensor) -> Graph:
        """The same neighbours where space repeats after other vectors: a crystal that is strained.

        Args:
            cell: in the place of C, ``(n, n)`` or ``(clouds, n, n)``.
        Returns:
            A graph; derivatives by the cell go through its ``vectors``.
        Raises:
            TypeError: if the cell is not real.
            ValueError: if the graph has none, or its shape is another one.
        """
        if self.pbc is None:
            raise ValueError("cell: expected None for a graph without one")
        n = self.pbc.shape[-1]
        single = isinstance(cell, Tensor) and cell.dim() == 2 == self.pbc.dim() + 1
        check_real("cell", cell, (n, n) if single else (self.clouds, n, n))
        # Of the values as they are: all else was checked when it was made.
        pbc = self.pbc if cell.dim() == 2 else self.pbc.expand(self.clouds, n)
        changed = {"cell": cell, "pbc": pbc}
        return _built((changed.get(f.name, getattr(self, f.name)) for f in fields(self)), None)

    def to(
        self,
        device: torch.device | str | torch.dtype | None = None,
        dtype: torch.dtype | None = None,
    ) -> Graph:
        """The graph there, and with that dtype of the cell.

        Args:
            device: where to, as in ``torch.Tensor.to``; a dtype may stand here too.
            dtype: of the cell.
        Returns:
            A graph.
        """
        if isinstance(device, torch.dtype):
            device, dtype = None, device
        moved: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            moved[field.name] = value.to(device=device) if isinstance(value, Tensor) else value
        if self.cell is not None and dtype is not None:
            moved["cell"] = moved["cell"].to(dtype)
        return Graph(**moved)

    @classmethod
    def batch(cls, graphs: Sequence[Graph]) -> Graph:
        """One graph of many, whose clouds and points stand in a row.

        Args:
            graphs: at least one; those without a cell may stand beside those with one.
        Returns:
            A graph with ``clouds`` of all; ``positions`` and features are what ``torch.cat`` makes.
        Raises:
            TypeError: if they are no graphs.
            ValueError: if there is none.
        """
        if not is_row(graphs) or not all(isinstance(graph, Graph) for graph in graphs):
            raise TypeError(f"graphs: expected a list of them, got {type(graphs).__name__}")
        if not graphs:
            raise ValueError("graphs: expected at least one, got none")
        joined: dict[str, Any] = {
            "edges": torch.stack([_in_a_row(*row) for row in _rows(graphs)]),
            "points": sum(graph.points for graph in graphs),
            "cloud": _in_a_row([graph._cloud() for graph in graphs], [g.clouds for g in graphs]),
            "clouds": sum(graph.clouds for graph in graphs),
        }
        if any(graph.sources is not None for graph in graphs):
            joined["sources"] = sum(graph.ends[0] for graph in graphs)
        orders = [graph.order for graph in graphs if graph.order is not None]
        if len(orders) == len(graphs):
            joined["order"] = _in_a_row(orders, [order.shape[1] for order in orders])
        like = next((graph.cell for graph in graphs if graph.cell is not None), None)
        if like is not None:
            parts = zip(*(graph._cell(like) for graph in graphs), strict=True)
            joined |= dict(zip(("cells", "cell", "pbc"), map(torch.cat, parts), strict=True))
        return cls(**joined)

    def members(self) -> tuple[Tensor, ...]:
        """The numbers of the points of each cloud, in order."""
        return _by_number(self._cloud(), self.clouds)

    def split(self) -> list[Graph]:
        """The clouds, each a graph of its own: what ``batch`` has joined.

        Returns:
            One graph for each of the ``clouds``; its points are the ``members``.
        Raises:
            ValueError: if the edges come from other points.
        """
        if self.sources is not None:
            raise ValueError("sources: expected None, as the clouds of other points are not known")
        number = torch.empty_like(self._cloud())  # of each point within its cloud
        for own in self.members():
            number[own] = torch.arange(len(own), device=number.device)
        graphs = []
        edges = _by_number(self.cloud_of_edges(), self.clouds)
        for k, (points, own) in enumerate(zip(self.members(), edges, strict=True)):
            one: dict[str, Any] = {"edges": number[self.edges[:, own]], "points": len(points)}
            if self.cells is not None and self.cell is not None and self.pbc is not None:
                whole = self.cell.dim() == 2
                one["cells"] = self.cells[own]
                one["cell"] = self.cell if whole else self.cell[k]
                one["pbc"] = self.pbc if whole else self.pbc[k]
            graphs.append(Graph(**one))
        return graphs

    def _cloud(self) -> Tensor:
        return self.edges.new_zeros(self.points) if self.cloud is None else self.cloud

    def _cell(self, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Cells, cell and pbc, one for each cloud; of open space a cell of zeros."""
        n = like.shape[-1]
        if self.cells is None or self.cell is None or self.pbc is None:
            cells = self.edges.new_zeros(self.edges.shape[1], n)
            cell = like.new_zeros(self.clouds, n, n)
            return cells, cell, cell.new_zeros(self.clouds, n, dtype=torch.bool)
        return (
            self.cells,
            self.cell.expand(self.clouds, n, n),
            self.pbc.expand(self.clouds, n),
        )

    def __iter__(self) -> Iterator[Any]:
        yield self.edges
        yield self.shifts

    def __getitem__(self, index: int) -> Tensor | None:
        """The edges and shifts by number, as of the tuple that graphs were."""
        warn_renamed("graph[0], graph[1]", "graph.edges, graph.shifts, or edges, shifts = graph")
        return (self.edges, self.shifts)[index]

    def __repr__(self) -> str:
        parts = [f"points={self.points}", f"edges={self.edges.shape[1]}"]
        if self.sources is not None:
            parts.append(f"sources={self.sources}")
        if self.clouds != 1:
            parts.append(f"clouds={self.clouds}")
        if self.pbc is not None:
            parts.append(f"pbc={self.pbc.tolist() if self.pbc.dim() == 1 else 'by cloud'}")
        return f"Graph({', '.join(parts)})"


def _flat(graph: Graph) -> tuple[list[Any], None]:
    return [getattr(graph, field.name) for field in fields(Graph)], None


def _flat_by_name(graph: Graph) -> tuple[list[tuple[Any, Any]], None]:
    return [(pytree.GetAttrKey(f.name), getattr(graph, f.name)) for f in fields(Graph)], None


def _built(values: Iterable[Any], context: None) -> Graph:
    """A graph of anything: torch puts names of axes and other things where numbers were."""
    graph = object.__new__(Graph)
    for field, value in zip(fields(Graph), values, strict=True):
        object.__setattr__(graph, field.name, value)
    return graph


# Not torch.export.register_dataclass, which calls the constructor, and that refuses such things.
pytree.register_pytree_node(
    Graph,
    _flat,
    _built,
    serialized_type_name="equinet.transforms.Graph",
    flatten_with_keys_fn=_flat_by_name,
)


def _rows(graphs: Sequence[Graph]) -> Iterator[tuple[list[Tensor], list[int]]]:
    """For both ends of the edges, theirs in each graph and how many points there are."""
    for end in (0, 1):
        yield [graph.edges[end] for graph in graphs], [graph.ends[end] for graph in graphs]


def _in_a_row(numbers: list[Tensor], counts: list[int]) -> Tensor:
    """The numbers of things that are so many in each part, for all parts together."""
    before = itertools.accumulate(counts[:-1], initial=0)
    return torch.cat([one + k for one, k in zip(numbers, before, strict=True)], -1)


def _by_number(numbers: Tensor, count: int) -> tuple[Tensor, ...]:
    """Where each number below the count stands, in order."""
    return numbers.argsort(stable=True).split(numbers.bincount(minlength=count).tolist())


def _told(value: object) -> str:
    """Dtype and shape of a tensor, or the type."""
    if isinstance(value, Tensor):
        kind = value.dtype if value.layout == torch.strided else value.layout
        return f"{kind} {tuple(value.shape)}"
    return came(value)
