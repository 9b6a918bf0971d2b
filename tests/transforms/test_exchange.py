"""Atoms of ASE and data of PyTorch Geometric: stand-ins, and the real ones where installed."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from equinet.transforms import Graph, from_atoms, from_data, radius_graph, to_atoms, to_data
from tests.tolerances import ROUNDING, assert_close

SLAB = {
    "positions": np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 0.5], [2.5, 0.5, 9.0]]),
    "numbers": np.array([8, 1, 1]),
    "cell": np.array([[3.0, 0, 0], [0.5, 3.0, 0], [0, 0, 0]]),
    "pbc": np.array([True, True, False]),
}
MOLECULE = {
    "positions": np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.1]]),
    "numbers": np.array([6, 8]),
    "cell": np.zeros((3, 3)),
    "pbc": np.zeros(3, bool),
}


def kinds(module, name):
    """The stand-in and, where it is installed, the real class."""
    return pytest.param(SimpleNamespace, id="stand-in"), pytest.param((module, name), id=name)


def made(kind):
    if kind is SimpleNamespace:
        return kind
    module, name = kind
    return getattr(pytest.importorskip(module), name)


@pytest.mark.parametrize("kind", kinds("ase", "Atoms"))
def test_atoms_there_and_back(kind):
    make = made(kind)
    slab, molecule = make(**SLAB), make(**MOLECULE)
    x, numbers, graph = from_atoms(slab, 3.0, dtype=torch.float64)
    cell, pbc = torch.tensor(SLAB["cell"]), (True, True, False)
    alone = radius_graph(torch.tensor(SLAB["positions"]), 3.0, cell=cell, pbc=pbc)
    assert torch.equal(graph.edges, alone.edges) and torch.equal(graph.cells, alone.cells)
    assert numbers.tolist() == [8, 1, 1] and x.dtype == torch.float64
    x, numbers, graph = from_atoms([slab, molecule, slab], 3.0, dtype=torch.float64)
    assert graph.clouds == 3 and numbers.tolist() == [8, 1, 1, 6, 8, 8, 1, 1]
    assert torch.equal(graph.split()[2].edges, alone.edges)
    back = to_atoms(graph, x, numbers)
    for one, given in zip(back, (SLAB, MOLECULE, SLAB), strict=True):
        assert all(np.array_equal(one[name], given[name]) for name in given)
        make(**one)
    x, _, graph = from_atoms(molecule, 3.0)
    assert graph.cell is None and x.dtype == torch.get_default_dtype()
    assert graph.edges.tolist() == [[1, 0], [0, 1]]
    assert not to_atoms(graph, x, torch.tensor([6, 8]))[0]["pbc"].any()


@pytest.mark.parametrize("kind", kinds("torch_geometric.data", "Data"))
def test_data_there_and_back(kind):
    make = made(kind)
    x, _, graph = from_atoms(SimpleNamespace(**SLAB), 3.0, dtype=torch.float64)
    data = make(**to_data(graph, x))
    again, back = from_data(data)
    assert torch.equal(again, x) and torch.equal(back.edges, graph.edges)
    assert torch.equal(back.vectors(x), graph.vectors(x)) and torch.equal(back.pbc, graph.pbc)
    j, i = data.edge_index  # the vector along an edge, as MACE and NequIP compute it
    along = data.pos[i] - data.pos[j] + data.unit_shifts.to(x.dtype) @ data.cell[0]
    assert_close(along, -graph.vectors(x), ROUNDING)
    open_x, _, open_graph = from_atoms(SimpleNamespace(**MOLECULE), 3.0)
    _, back = from_data(make(**to_data(open_graph, open_x)))
    assert back.cell is None and torch.equal(back.edges, open_graph.edges)


def test_batch_of_data():
    geometric = pytest.importorskip("torch_geometric.data")
    x, _, graph = from_atoms(SimpleNamespace(**SLAB), 3.0)
    data = geometric.Data(**to_data(graph, x))
    positions, batch = from_data(geometric.Batch.from_data_list([data, data]))
    joined = Graph.batch([graph, graph])
    assert torch.equal(batch.edges, joined.edges) and torch.equal(batch.cloud, joined.cloud)
    assert torch.equal(batch.vectors(positions), joined.vectors(positions))


def test_bad_input():
    x, numbers, graph = from_atoms([SimpleNamespace(**SLAB)] * 2, 3.0)
    with pytest.raises(TypeError, match="^atoms: expected ase.Atoms, with positions, .* got int"):
        from_atoms([3], 1.0)
    with pytest.raises(ValueError, match="^atoms: expected at least one, got none"):
        from_atoms([], 1.0)
    with pytest.raises(ValueError, match="^radius: expected a number > 0, got -1.0"):
        from_atoms(SimpleNamespace(**SLAB), -1.0)
    spoilt = SLAB | {"cell": np.zeros((3, 3))}
    with pytest.raises(ValueError, match="^cell: expected vectors that span space along every"):
        from_atoms(SimpleNamespace(**spoilt), 1.0)
    with pytest.raises(ValueError, match=r"^positions: expected \(6, 3\), got \(5, 3\)"):
        to_atoms(graph, x[:5], numbers)
    with pytest.raises(ValueError, match=r"^numbers: expected atomic numbers, int64 \(6,\)"):
        to_atoms(graph, x, numbers[:5])
    with pytest.raises(ValueError, match=r"^graph: expected one cloud, got 2; see graph.split"):
        to_data(graph, x)
    with pytest.raises(TypeError, match="^data: expected torch_geometric's, with pos and edge_i"):
        from_data(SimpleNamespace(pos=x))
    lacking = SimpleNamespace(pos=x, edge_index=graph.edges, cell=torch.eye(3))
    with pytest.raises(ValueError, match="^cells: expected them with cell, and not without"):
        from_data(lacking)
    with pytest.raises(ValueError, match=r"^data.cell: expected \(3, 3\), got \(2, 3, 3\)"):
        from_data(SimpleNamespace(**(vars(lacking) | {"cell": torch.eye(3).repeat(2, 1, 1)})))
    shifted = vars(lacking) | {"cell": None, "unit_shifts": torch.ones(graph.edges.shape[1], 3)}
    with pytest.raises(ValueError, match="^data.cell: expected it with data.unit_shifts, got None"):
        from_data(SimpleNamespace(**shifted))
    for convert in (lambda wrong: to_data(wrong, x), lambda wrong: to_atoms(wrong, x, numbers)):
        with pytest.raises(TypeError, match="^graph: expected a transforms.Graph, got tuple"):
            convert(tuple(graph))
