"""The graph as a value: it moves, travels, joins and refuses what does not fit."""

import copy
import pickle
from dataclasses import FrozenInstanceError, fields, replace

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from equinet import Points, so3
from equinet.nn import PointConv, RadialNetwork
from equinet.transforms import Graph, radius_graph
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

DOUBLE = torch.float64


def cloud(count=6, generator=None, dtype=DOUBLE):
    generator = generator or torch.Generator().manual_seed(count)
    return 3 * torch.rand(count, 3, generator=generator, dtype=dtype)


def crystal(count=4):
    x = cloud(count)
    return x, radius_graph(x, 2.0, cell=3 * torch.eye(3, dtype=DOUBLE), pbc=(True, True, False))


def alike(first: Graph, second: Graph) -> bool:
    pairs = ((getattr(first, f.name), getattr(second, f.name)) for f in fields(Graph))
    return all(torch.equal(a, b) if isinstance(a, Tensor) else a == b for a, b in pairs)


def test_it_is_frozen_and_travels():
    _, graph = crystal()
    with pytest.raises(FrozenInstanceError):
        graph.points = 3
    for again in (pickle.loads(pickle.dumps(graph)), copy.deepcopy(graph), copy.copy(graph)):
        assert alike(again, graph) and not alike(replace(again, points=9), graph)
    assert repr(graph) == f"Graph(points=4, edges={graph.edges.shape[1]}, pbc=[True, True, False])"


def test_it_moves():
    _, graph = crystal()
    graph = graph.ordered()
    for single in (graph.to(torch.float32), graph.to("cpu", torch.float32)):
        assert single.cell.dtype == single.shifts.dtype == torch.float32
        assert single.edges.dtype == single.cells.dtype == single.order.dtype == torch.int64
    there = graph.to("meta")
    kinds = {name.device.type for name in vars(there).values() if isinstance(name, Tensor)}
    assert kinds == {"meta"} and there.points == 4
    assert alike(graph.to("cpu"), graph)


def test_what_it_was_before():
    """A pair of edges and shifts, taken apart, and for a while by number."""
    _, graph = crystal()
    edges, shifts = graph
    assert edges is graph.edges and torch.equal(shifts, graph.shifts)
    with pytest.warns(DeprecationWarning, match=r"^graph\[0\], .*: deprecated, use graph.edges"):
        assert graph[0] is edges
    edges, shifts = radius_graph(cloud(), 1.0)
    assert shifts is None


def test_shifts_are_differentiable_and_full_in_autocast():
    """By the cell: the stress of a crystal is such a derivative."""
    x, graph = crystal()
    cell = graph.cell.clone().requires_grad_()
    lengths = replace(graph, cell=cell).vectors(x.requires_grad_()).pow(2).sum()
    by_cell, by_x = torch.autograd.grad(lengths, (cell, x))
    r = graph.vectors(x).detach()
    assert_close(by_cell, 2 * graph.cells.to(DOUBLE).mT @ r, ROUNDING)
    ends = x.new_zeros(4, 3).index_add(0, graph.edges[0], 2 * r)
    assert_close(by_x, ends.index_add(0, graph.edges[1], -2 * r), ROUNDING)
    single = graph.to(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(single.shifts, graph.shifts.float())


def test_another_cell():
    """As ``replace``, of one cell and of many; and a cell of each cloud in place of one for all."""
    x, graph = crystal()
    cell = 1.1 * graph.cell
    assert alike(graph.with_cell(cell), replace(graph, cell=cell))
    batch, both = Graph.batch([graph, graph]), torch.cat([x, x])
    wide = batch.with_cell(1.1 * batch.cell)
    assert_close(wide.vectors(both), graph.with_cell(cell).vectors(x).repeat(2, 1), ROUNDING)
    shared = replace(batch, cell=graph.cell, pbc=graph.pbc)
    assert alike(shared.with_cell(batch.cell), batch)
    for wrong, message in (
        (cell[:2], r"cell: expected \(3, 3\), got \(2, 3\)"),
        (cell[None, None], r"cell: expected \(1, 3, 3\), got \(1, 1, 3, 3\)"),
        (torch.nan * cell, "cell: expected finite numbers"),
    ):
        with pytest.raises(ValueError, match=f"^{message}"):
            graph.with_cell(wrong)
    with pytest.raises(ValueError, match="^cell: expected None for a graph without one"):
        radius_graph(x, 1.0).with_cell(cell)


def test_order_sorts_by_neighbour_and_by_point(generator):
    _, graph = crystal(9)
    mixed = torch.randperm(graph.edges.shape[1], generator=generator)
    graph = replace(graph, edges=graph.edges[:, mixed], cells=graph.cells[mixed]).ordered()
    for row in (0, 1):
        rows = graph.edges[row, graph.order[row]]
        assert torch.equal(rows, graph.edges[row].sort().values)
        assert torch.equal(graph.order[row].sort().values, torch.arange(len(rows)))
    assert graph.ordered() is graph
    joined = Graph.batch([graph, graph])
    assert alike(joined, replace(joined, order=None).ordered())


def test_batch_and_split(generator):
    """Molecules and crystals in a row; a batch of batches is a batch."""
    x, graph = crystal()
    parts = [radius_graph(cloud(5), 1.5), graph, radius_graph(cloud(0), 1.0), graph]
    batch = Graph.batch(parts)
    assert (batch.points, batch.clouds) == (13, 4)
    assert batch.cloud.bincount(minlength=4).tolist() == [5, 4, 0, 4]
    assert batch.pbc.tolist() == [
        [False] * 3,
        [True, True, False],
        [False] * 3,
        [True, True, False],
    ]
    positions = torch.cat([cloud(5), x, x])
    expected = torch.cat([parts[0].vectors(cloud(5)), graph.vectors(x), graph.vectors(x)])
    assert_close(batch.vectors(positions), expected, ROUNDING)
    for part, one in zip(batch.split(), parts, strict=True):
        assert torch.equal(part.edges, one.edges) and part.points == one.points
        assert one.cells is None or torch.equal(part.cells, one.cells)
    twice = Graph.batch([Graph.batch(parts[:2]), Graph.batch(parts[2:])])
    assert alike(twice, batch)
    molecules = Graph.batch([parts[0], parts[2]])
    assert molecules.cell is None and molecules.shifts is None


def test_it_is_what_radius_graph_finds_at_once():
    sizes = [5, 70, 3]
    clouds = [cloud(count) for count in sizes]
    batch = torch.arange(3).repeat_interleave(torch.tensor(sizes))
    whole = radius_graph(torch.cat(clouds), 1.0, batch)
    assert alike(whole, Graph.batch([radius_graph(x, 1.0) for x in clouds]))


def collate(samples):
    positions, graphs = zip(*samples, strict=True)
    return torch.cat(positions), Graph.batch(graphs)


def test_in_a_data_loader():
    data = [(cloud(count), radius_graph(cloud(count), 1.5)) for count in range(2, 8)]
    for positions, graph in DataLoader(data, batch_size=3, collate_fn=collate):
        assert graph.clouds == 3 and graph.points == len(positions)
        assert (graph.vectors(positions).norm(dim=1) <= 1.5).all()


class Lengths(torch.nn.Module):
    def forward(self, x: Tensor, graph: Graph) -> Tensor:
        lengths = graph.vectors(x).norm(dim=1)
        return x.new_zeros(graph.points).index_add(0, graph.edges[1], lengths)


@pytest.mark.compile
def test_through_compile_and_export():
    x, graph = crystal()
    batch, positions = Graph.batch([graph, graph]), torch.cat([x, x])
    compiled = torch.compile(Lengths(), fullgraph=True, dynamic=True, backend="aot_eager")
    for arguments in ((x, graph), (positions, batch), (cloud(7), radius_graph(cloud(7), 2.0))):
        assert_close(compiled(*arguments), Lengths()(*arguments), ROUNDING)
    program = torch.export.export(Lengths(), (positions, batch)).module()
    assert_close(program(positions, batch), Lengths()(positions, batch), ROUNDING)


def test_a_convolution_takes_it(generator):
    kind = Points(so3()).fields("2x0 + 1x1")
    radial = RadialNetwork(2.0, features=3, generator=generator)
    layer = PointConv(kind, kind, radial, neighbours=6, generator=generator).double()
    positions, graph = crystal()
    x = torch.randn(kind.shape(4), generator=generator, dtype=DOUBLE)
    y = layer(x, positions, graph)
    assert torch.equal(y, layer(x, positions, *graph))
    batch = Graph.batch([graph, graph])
    joined = layer(torch.cat([x, x]), torch.cat([positions, positions]), batch)
    assert_close(joined, torch.cat([y, y]), SYMMETRY)
    with pytest.raises(ValueError, match=r"^x: expected something of 8 points, got .* \(4, 5\)"):
        layer(x, positions, batch)
    empty = radius_graph(cloud(0), 1.0)
    assert layer(x[:0], cloud(0), empty).shape == (0, 5)
    for wrong in (None, [[0], [1]], 3):
        with pytest.raises(ValueError, match="^edges: expected the numbers of neighbour"):
            layer(x, positions, wrong)


class Strained(torch.nn.Module):
    """Lengths as a function of a strain of the crystal, whose derivative is the stress."""

    def forward(self, x: Tensor, graph: Graph, strain: Tensor) -> Tensor:
        stretch = torch.eye(3, dtype=x.dtype) + strain
        return replace(graph, cell=graph.cell @ stretch).vectors(x @ stretch).norm(dim=1).sum()


@pytest.mark.compile
def test_a_strain_of_the_cell_through_compile():
    x, graph = crystal()
    zero = torch.zeros(3, 3, dtype=DOUBLE)
    compiled = torch.compile(Strained(), fullgraph=True, dynamic=True, backend="aot_eager")
    by_strain = [
        torch.autograd.grad(module(x, graph, strain), strain)[0]
        for module in (compiled, Strained())
        for strain in (zero.clone().requires_grad_(),)
    ]
    assert_close(by_strain[0], by_strain[1], ROUNDING)
    r = graph.vectors(x)
    expected = torch.einsum("ei,ej->ij", r / r.norm(dim=1, keepdim=True), r)
    assert_close(by_strain[1], expected, SYMMETRY)


@pytest.mark.compile
def test_a_convolution_takes_it_through_compile(generator):
    kind = Points(so3()).fields("2x0 + 1x1")
    radial = RadialNetwork(2.0, features=3, generator=generator)
    layer = PointConv(kind, kind, radial, neighbours=6, generator=generator).double()
    compiled = torch.compile(layer, fullgraph=True, dynamic=True, backend="aot_eager")
    positions, graph = crystal()
    x = torch.randn(kind.shape(4), generator=generator, dtype=DOUBLE)
    assert_close(compiled(x, positions, graph), layer(x, positions, graph), ROUNDING)


EDGES = torch.tensor([[1, 0, 2], [0, 1, 1]])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"edges": EDGES.tolist()}, TypeError, "edges: expected a tensor, got list"),
        ({"edges": EDGES.int()}, ValueError, r"edges: .* int64 \(2, count\) on cpu, got"),
        ({"edges": EDGES.mT}, ValueError, r"edges: .* int64 \(2, count\) on cpu, got"),
        ({"edges": EDGES - 1}, ValueError, "edges: .* from 0 to 2, got -1"),
        ({"points": 2}, ValueError, "edges: .* from 0 to 1, got 2"),
        ({"points": 0}, ValueError, "edges: .* of none, got 2"),
        ({"points": -1}, ValueError, "points: expected an integer >= 0, got -1"),
        ({"points": 2.5}, ValueError, "points: expected an integer >= 0, got 2.5"),
        ({"cells": None}, ValueError, "cells: expected them with cell, and not without"),
        ({"cell": None, "pbc": None}, ValueError, "cells: expected them with cell, and not"),
        (
            {"cells": EDGES.mT},
            ValueError,
            r"cells: expected int64 \(3, 3\), got .* \(3, 2",
        ),
        ({"cells": torch.zeros(3, 3)}, ValueError, "cells: expected int64 .* got torch.float32"),
        ({"cell": torch.eye(3).long()}, TypeError, "cell: expected a real floating tensor, got"),
        ({"cell": torch.eye(3)[:2]}, ValueError, r"cell: expected \(3, 3\), got \(2, 3\)"),
        ({"cell": torch.nan * torch.eye(3)}, ValueError, "cell: expected finite numbers, got"),
        ({"cell": torch.eye(3).to("meta")}, ValueError, "cell: expected a tensor on cpu, where"),
        ({"pbc": torch.ones(3)}, ValueError, r"pbc: expected bool \(3,\), got torch.float32"),
        ({"pbc": (True,) * 3}, ValueError, r"pbc: expected bool \(3,\), got tuple"),
        ({"cloud": torch.zeros(2).long()}, ValueError, r"cloud: .* int64 \(3,\) on cpu, got"),
        ({"cloud": torch.tensor([0, 1, 2]), "clouds": 2}, ValueError, "cloud: .* from 0 to 1, got"),
        ({"clouds": 2}, ValueError, "cloud: expected those of 2 clouds, got None"),
        ({"order": EDGES + 3}, ValueError, "order: expected numbers of edges, from 0 to 2, got 5"),
    ],
)
def test_bad_input(change, error, message):
    good = {
        "edges": EDGES,
        "points": 3,
        "cells": torch.zeros(3, 3).long(),
        "cell": torch.eye(3),
        "pbc": torch.tensor([True, False, True]),
    }
    assert Graph(**good).shifts.shape == (3, 3)
    with pytest.raises(error, match=f"^{message}"):
        Graph(**(good | change))


def test_other_bad_input():
    x, graph = crystal()
    with pytest.raises(ValueError, match=r"^positions: expected \(4, n\), got .* \(3, 3\)"):
        graph.vectors(x[:3])
    between = replace(graph, sources=len(x))
    with pytest.raises(ValueError, match="^positions: expected a pair, of sources and points"):
        between.vectors(x)
    with pytest.raises(ValueError, match="^positions: expected a tensor or two, got 3"):
        between.vectors((x, x, x))
    assert torch.equal(between.vectors((x, x)), graph.vectors(x))
    with pytest.raises(ValueError, match=r"^positions: expected the shape \(..., 3\), got"):
        graph.vectors(x[:, :2])
    with pytest.raises(ValueError, match="^pbc: expected None without cell"):
        Graph(EDGES, 3, pbc=torch.tensor([True]))
    with pytest.raises(ValueError, match="^graphs: expected at least one, got none"):
        Graph.batch([])
    for wrong in (graph, [graph, x], None):
        with pytest.raises(TypeError, match="^graphs: expected a list of them, got"):
            Graph.batch(wrong)
    edges, cloud = torch.tensor([[0, 2], [1, 1]]), torch.tensor([0, 0, 1])
    with pytest.raises(
        ValueError,
        match=r"^edges: expected none from one cloud to another, got \(2, 1\), number 1,",
    ):
        Graph(edges, 3, clouds=2, cloud=cloud)
    pooled = Graph(edges, 3, clouds=2, cloud=cloud, sources=3)  # of other points nothing is known
    assert [own.tolist() for own in pooled.members()] == [[0, 1], [2]]
