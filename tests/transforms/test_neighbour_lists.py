"""Neighbour lists against brute force."""

import math

import numpy
import pytest
import torch

from equinet.ops.native import library
from equinet.ops.pair_search import search_pairs
from equinet.transforms import knn_graph, radius_graph
from equinet.transforms.near_pairs import Cloud
from tests.over import over
from tests.tolerances import ROUNDING, SYMMETRY, assert_close
from tests.transforms.neighbour_cases import CASES, SKEW, neighbours


@pytest.fixture(params=["compiled", "plain"])
def search(request, monkeypatch):
    """What finds the pairs: each of the two."""
    if request.param == "plain":
        monkeypatch.setattr(library, "available", lambda: False)
    elif not library.available():
        pytest.skip("needs compiled operators")


def _points(count, n, generator):
    return 3 * torch.rand(count, n, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("loop", [False, True])
def test_open(n, loop, generator):
    x = _points(40, n, generator)
    distance = torch.cdist(x, x)
    near = distance <= 0.7
    if not loop:
        near.fill_diagonal_(False)
    edges, shifts = radius_graph(x, 0.7, loop=loop)
    assert shifts is None and edges.dtype == torch.int64
    assert torch.equal(edges.flip(0), near.nonzero().mT)


def test_many_neighbours(search, generator):
    """Some hundred of each point, in any number of boxes."""
    x = _points(900, 3, generator)
    for radius in (0.2, 1.5, 6.0):
        distance = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
        near = (distance <= radius).fill_diagonal_(False)
        assert torch.equal(radius_graph(x, radius).edges.flip(0), near.nonzero().mT)


def test_clouds_do_not_see_each_other(generator):
    x = _points(30, 3, generator)
    batch = torch.randint(3, (30,), generator=generator)
    edges, _ = radius_graph(x, 1.0, batch)
    near = (torch.cdist(x, x) <= 1.0) & (batch[:, None] == batch)
    near.fill_diagonal_(False)
    assert torch.equal(edges.flip(0), near.nonzero().mT)


def told(graph):
    """(i, j, *s) of all edges, in their order."""
    i, j = graph.edges.flip(0)
    cells = torch.zeros(len(i), 0).long() if graph.cells is None else graph.cells
    return [tuple(edge) for edge in torch.cat([i[:, None], j[:, None], cells], 1).tolist()]


def padded(case, graph):
    """The same, with cells of zeros in open space."""
    return [(*edge, *[0] * (2 + len(case.pbc) - len(edge))) for edge in told(graph)]


@over("case", CASES)
def test_against_all_images(case, search, generator):
    x = case.points(generator)
    graph = radius_graph(x, case.radius, **case.options())
    assert padded(case, graph) == neighbours(case, x) != []
    with_self = radius_graph(x, case.radius, loop=True, **case.options())
    assert padded(case, with_self) == neighbours(case, x, loop=True)
    assert (graph.vectors(x).norm(dim=1) <= case.radius + ROUNDING).all()


@pytest.mark.skipif(not library.available(), reason="needs compiled operators")
@over("case", CASES)
def test_both_searches_give_the_same(case, monkeypatch, generator):
    """Also at the radius itself, where atoms of a crystal like to be, and seen from far away."""
    lattice = torch.cartesian_prod(*[torch.arange(3.0, dtype=torch.float64)] * len(case.pbc))
    lattice = lattice.reshape(-1, len(case.pbc))
    far = 0.1 * lattice + 1000 / 3
    for x, radius in ((case.points(generator), case.radius), (far, 0.1), (far, 0.2), (far, 0.3)):
        first = radius_graph(x, radius, **case.options())
        with monkeypatch.context() as patched:
            patched.setattr(library, "available", lambda: False)
            second = radius_graph(x, radius, **case.options())
        assert told(first) == told(second)


@over("case", CASES)
def test_boxes_without_compiled_code(case, monkeypatch, generator):
    """The reference of what is compiled, and SciPy's trees."""
    monkeypatch.setattr(library, "available", lambda: False)
    x, options = case.points(generator), case.options()
    cell = options.get("cell", torch.zeros(2 * x.shape[1:]))
    cloud = Cloud(x.numpy(), case.radius, cell.double().numpy(), numpy.array(case.pbc))
    wraps = torch.from_numpy(cloud.wraps).long()
    edges, cells = search_pairs(cloud.search, torch.from_numpy(cloud.steps), wraps)
    by_trees = cloud.pairs(loop=False)
    assert len(cells) and torch.equal(edges, torch.from_numpy(by_trees.edges))
    assert torch.equal(cells, torch.from_numpy(by_trees.cells))


@over("case", CASES)
def test_the_nearest(case, generator):
    """They are a radius graph, of a radius of its own for each point."""
    x = case.points(generator)
    count = 4 if case.cell else 12
    if case.name == "at the radius":
        count = 6  # of seven or more, some are equally far
    graph = knn_graph(x, count, **case.options())
    lengths = graph.vectors(x).norm(dim=1)
    within = radius_graph(x, float(lengths.max()) + ROUNDING, **case.options())
    assert graph.edges[1].bincount().tolist() == [count] * len(x)
    assert set(told(graph)) <= set(told(within)) and told(graph) == sorted(told(graph))
    for i in range(len(x)):
        far = lengths[graph.edges[1] == i].max() - ROUNDING
        all_lengths = within.vectors(x).norm(dim=1)[within.edges[1] == i]
        assert (all_lengths < far).sum() < count


def test_fewer_neighbours_than_asked_for():
    x = torch.tensor([[0.0], [1.0], [3.0]])
    assert knn_graph(x, 5).edges.tolist() == [[1, 2, 0, 2, 0, 1], [0, 0, 1, 1, 2, 2]]
    graph = knn_graph(x, 1, torch.tensor([1, 0, 1]))
    assert graph.edges.tolist() == [[2, 0], [0, 2]] and graph.clouds == 2
    together = knn_graph(torch.zeros(4, 2), 2)
    assert (together.edges[0] != together.edges[1]).all() and together.edges.shape == (2, 8)
    assert knn_graph(torch.zeros(0, 3), 2).edges.shape == (2, 0)


@over("case", CASES)
def test_permutation_wrapping_and_supercell(case, generator):
    x = case.points(generator)
    graph = radius_graph(x, case.radius, **case.options())
    order = torch.randperm(len(x), generator=generator)
    again = radius_graph(x[order], case.radius, **case.options())
    names = order.tolist()
    renamed = [(names[i], names[j], *s) for i, j, *s in told(again)]
    assert sorted(renamed) == told(graph)
    if case.cell is None or not any(case.pbc):
        return
    cell, axis = case.options()["cell"], case.pbc.index(True)
    wrapped = x + torch.randint(-3, 4, (len(x), 1), generator=generator) * cell[axis]
    lengths = graph.vectors(x).norm(dim=1).sort().values
    moved = radius_graph(wrapped, case.radius, **case.options())
    assert_close(moved.vectors(wrapped).norm(dim=1).sort().values, lengths, SYMMETRY)
    larger = cell.clone()
    larger[axis] *= 2
    twice = torch.cat([x, x + cell[axis]])
    super_graph = radius_graph(twice, case.radius, cell=larger, pbc=case.pbc)
    doubled = super_graph.vectors(twice).norm(dim=1).sort().values
    assert_close(doubled, lengths.repeat_interleave(2), SYMMETRY)


def test_many_clouds_at_once(search, generator):
    """Small, large, open, periodic and empty ones, their points in any order."""
    pbc = torch.tensor([[False] * 3, [True] * 3, [False] * 3, [True, False, True], [False] * 3])
    cells = torch.tensor(SKEW, dtype=torch.float64).repeat(5, 1, 1)
    cells[0] = 0
    sizes = torch.tensor([7, 4, 0, 5, 90])
    batch = torch.arange(5).repeat_interleave(sizes)
    batch = batch[torch.randperm(len(batch), generator=generator)]
    x = _points(len(batch), 3, generator)
    graph = radius_graph(x, 1.4, batch, cell=cells, pbc=pbc)
    assert graph.clouds == 5 and told(graph) == sorted(told(graph))
    for k, part in enumerate(graph.split()):
        alone = radius_graph(x[batch == k], 1.4, cell=cells[k], pbc=tuple(pbc[k].tolist()))
        assert told(part) == told(alone) and part.points == sizes[k]
        assert torch.equal(part.shifts, alone.shifts)
    whole = radius_graph(x, 1.4, batch)  # and without any cell
    near = (torch.cdist(x, x) <= 1.4) & (batch[:, None] == batch)
    assert torch.equal(whole.edges.flip(0), near.fill_diagonal_(False).nonzero().mT)


def test_more_small_clouds_than_are_tried_at_a_time(generator):
    batch = torch.arange(60).repeat_interleave(50)
    x = _points(len(batch), 3, generator)
    graph = radius_graph(x, 1.0, batch)
    one = radius_graph(x[1000:1050], 1.0)
    inside = graph.edges[:, (graph.edges >= 1000).all(0) & (graph.edges < 1050).all(0)]
    assert torch.equal(inside - 1000, one.edges)


def test_atoms_on_top_of_each_other(search):
    """They are neighbours, as others are; a point is its own neighbour only where it is asked."""
    x = torch.ones(3, 3, dtype=torch.float64)
    for options in ({}, {"cell": 5 * torch.eye(3).double()}):
        graph = radius_graph(x, 1.0, **options)
        assert graph.edges.tolist() == [[1, 2, 0, 2, 0, 1], [0, 0, 1, 1, 2, 2]]
        assert radius_graph(x, 1.0, loop=True, **options).edges.shape == (2, 9)


def test_against_ase(search, generator):
    """Its neighbour list, where it is installed."""
    neighborlist = pytest.importorskip("ase.neighborlist")
    for case in CASES:
        if case.cell is None or len(case.pbc) < 3:
            continue
        x = case.points(generator)
        graph = radius_graph(x, case.radius, **case.options())
        whole = torch.tensor(case.cell, dtype=torch.float64)
        if case.cell[0] == case.cell[1]:  # which ASE refuses; that axis does not repeat
            whole[1] = torch.tensor([0.0, 1.0, 0.0])
        i, j, s = neighborlist.primitive_neighbor_list(
            "ijS", case.pbc, whole.numpy(), x.numpy(), case.radius + 1e-9, self_interaction=False
        )
        found = zip(i.tolist(), j.tolist(), *s.T.tolist(), strict=True)
        assert sorted(found) == told(graph), case


def test_a_cell_for_each_cloud(generator):
    x = _points(6, 2, generator)
    batch = torch.tensor([0, 0, 0, 1, 1, 1])
    cells = torch.stack([torch.eye(2), 1.5 * torch.eye(2)]).double()
    edges, shifts = radius_graph(x, 1.2, batch, cell=cells)
    first, second = (radius_graph(x[batch == k], 1.2, cell=cells[k]) for k in (0, 1))
    assert torch.equal(edges, torch.cat([first.edges, second.edges + 3], 1))
    assert_close(shifts, torch.cat([first.shifts, second.shifts]), ROUNDING)


def test_modes_of_torch_do_not_matter(generator):
    batch = torch.tensor([0] * 70 + [1] * 9)
    x, cell = _points(79, 3, generator), 4 * torch.eye(3, dtype=torch.float64)
    for options in ({}, {"cell": cell}):
        expected = radius_graph(x, 1.0, batch, **options)
        for mode in (torch.device("meta"), torch.inference_mode()):
            with mode:
                found = radius_graph(x, 1.0, batch, **options)
            assert told(found) == told(expected) != []


def test_empty():
    edges, shifts = radius_graph(torch.zeros(0, 3), 1.0, cell=torch.eye(3))
    assert edges.shape == (2, 0) and shifts.shape == (0, 3)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"positions": torch.zeros(4)}, ValueError, r"positions: expected \(points, n\), got \(4,"),
        ({"positions": torch.zeros(4, 2).int()}, TypeError, "positions: .* got torch.int32"),
        ({"positions": [[0.0, 0.0]]}, TypeError, "positions: .* got list"),
        *[
            ({"positions": torch.tensor([[0.0, 1.0]] * 3 + [[0.0, bad]])}, ValueError, message)
            for bad, message in (
                (math.nan, r"positions: expected finite numbers, got \[0.0, nan\] at 3"),
                (math.inf, r"positions: expected finite numbers, got \[0.0, inf\] at 3"),
            )
        ],
        ({"radius": 0.0}, ValueError, "radius: expected a number > 0, got 0.0"),
        ({"radius": True}, ValueError, "radius: expected a number > 0, got True"),
        ({"batch": torch.zeros(2).long()}, ValueError, r"batch: .* int64 \(4,\) on cpu, got"),
        ({"batch": torch.tensor([0, -1, 0, 0])}, ValueError, "batch: .* >= 0, got -1"),
        (
            {"batch": torch.tensor([0, 0, 1, 2]), "cell": torch.eye(2).expand(2, 2, 2)},
            ValueError,
            "batch: expected the number of the cloud of each point, from 0 to 1, got 2",
        ),
        ({"cell": torch.eye(3)}, ValueError, r"cell: expected \(2, 2\), got \(3, 3\)"),
        ({"cell": torch.eye(2)[None, None]}, ValueError, r"cell: expected \(clouds, 2, 2\), got"),
        ({"cell": torch.eye(2).expand(2, 2, 2)}, ValueError, r"cell: expected \(2, 2\) without"),
        ({"cell": torch.diag(torch.tensor([4.0, 0.0]))}, ValueError, "cell: .* that span space"),
        ({"cell": torch.tensor([[1.0, 2.0], [2.0, 4.0]])}, ValueError, "cell: .* that span space"),
        ({"cell": math.nan * torch.eye(2)}, ValueError, "cell: expected finite numbers"),
        ({"pbc": (True, False)}, ValueError, "pbc: expected None or False without cell, got"),
        ({"pbc": (True,), "cell": torch.eye(2)}, ValueError, "pbc: .* of the 2 axes, or bool"),
        ({"pbc": (1, 0), "cell": torch.eye(2)}, ValueError, "pbc: expected True or False, one"),
        ({"pbc": "xy", "cell": torch.eye(2)}, ValueError, "pbc: expected True or False, one"),
        (
            {"cell": torch.tensor([[4.0, 0.0], [0.0, 0.0]]), "pbc": (True, True)},
            ValueError,
            r"cell: .* that span space along every axis that repeats, .* pbc which axes do",
        ),
        ({"cell": 1e-5 * torch.eye(2)}, ValueError, "radius: .* images of points, got 1.6e.11 for"),
        ({"radius": 1e9, "cell": torch.eye(2)}, ValueError, "radius: .* images of points, got"),
    ],
)
def test_bad_input(change, error, message):
    good = {"positions": torch.zeros(4, 2), "radius": 1.0}
    assert radius_graph(**good).edges.shape == (2, 12)
    with pytest.raises(error, match=f"^{message}"):
        radius_graph(**(good | change))


def test_more_pairs_than_fit_into_memory():
    """They are counted before they are made: 20,000 points within one radius, and two halves."""
    x = torch.zeros(20_000, 1)
    with pytest.raises(ValueError, match="^radius: .* at most 1e.08 pairs, got 4e.08 for 1.0;"):
        radius_graph(x, 1.0)
    with pytest.raises(ValueError, match="^radius: .* pairs, got 1.1e.08 for"):
        radius_graph(x[:15_000], 1.0, torch.arange(15_000) % 2)


def test_the_nearest_with_bad_input():
    x = torch.rand(20_000, 1, generator=torch.Generator().manual_seed(0))
    for count, message in ((0, "count: .* from 1 to 10,000, got 0"), (2.0, "count: .* got 2.0")):
        with pytest.raises(ValueError, match=f"^{message}"):
            knn_graph(x, count)
    with pytest.raises(ValueError, match="^count: .* 1e.08 pairs, got 9000 for each of 20000 poi"):
        knn_graph(x, 9000)


def test_far_apart_and_far_away(search, generator):
    """Points that are spread over 10^9 radii, and those that have left their cell long ago."""
    spread = 1e9 * torch.randn(100, 3, generator=generator, dtype=torch.float64)
    assert radius_graph(spread, 1.0).edges.shape == (2, 0)
    pair = torch.cat([spread, spread + 0.5])
    assert radius_graph(pair, 1.0).edges.shape == (2, 200)
    cell = torch.tensor(SKEW, dtype=torch.float64)
    x = _points(5, 3, generator)
    steps = torch.randint(-1000, 1000, (5, 3), generator=generator)
    near, far = (radius_graph(y, 2.0, cell=cell) for y in (x, x + steps.double() @ cell))
    j, i = near.edges
    assert torch.equal(far.edges, near.edges)
    assert torch.equal(far.cells, near.cells + steps[i] - steps[j])
