"""Coarser levels of a cloud, and graphs between them."""

import pytest
import torch

from equinet.numerics import random_rotations
from equinet.transforms import (
    Graph,
    farthest_points,
    neighbour_graph,
    radius_graph,
    to_atoms,
    to_data,
    voxel_points,
)
from tests.over import over
from tests.tolerances import ROUNDING, assert_close
from tests.transforms.neighbour_cases import CASES

F64 = torch.float64
SIZES = torch.tensor([9, 1, 0, 30])


def cloud(count, generator, n=3):
    return torch.randn(count, n, generator=generator, dtype=F64)


# --- farthest points ------------------------------------------------------------------------------


def chosen_by_hand(x, count):
    """One after the other, each with the largest distance to the nearest one before."""
    chosen = [int((x - x.mean(0)).norm(dim=1).argmax())]
    while len(chosen) < min(count, len(x)):
        nearest = torch.cdist(x, x[chosen]).amin(1)
        nearest[chosen] = -1
        chosen.append(int(nearest.argmax()))
    return chosen


@pytest.mark.parametrize("count", [1, 4, 40])
def test_farthest_points_of_each_cloud(count, generator):
    x = cloud(int(SIZES.sum()), generator)
    batch = torch.arange(4).repeat_interleave(SIZES)
    mixed = torch.randperm(len(x), generator=generator)
    found = farthest_points(x[mixed], count, batch[mixed])
    expected = []
    for number in range(4):
        own = (batch[mixed] == number).nonzero()[:, 0]
        if len(own):
            expected += own[chosen_by_hand(x[mixed][own], count)].tolist()
    assert found.tolist() == expected and found.dtype == torch.int64
    assert torch.equal(mixed[found], farthest_points(x, count, batch))  # whatever the order


def test_the_choice_moves_with_the_points(generator):
    x = cloud(50, generator)
    R = random_rotations(generator=generator)
    found = farthest_points(x, ratio=0.3)
    assert len(found) == 15 and torch.equal(found[:5], farthest_points(x, 5))
    assert torch.equal(farthest_points(-x @ R.mT + 3, ratio=0.3), found)
    gaps = torch.cdist(x[found], x[found]).fill_diagonal_(9).amin()
    assert gaps > torch.cdist(x[:15], x[:15]).fill_diagonal_(9).amin()


def test_points_on_top_of_each_other_are_chosen_once():
    assert sorted(farthest_points(torch.zeros(3, 2), 3).tolist()) == [0, 1, 2]
    assert farthest_points(torch.zeros(0, 2), 3).tolist() == []
    assert farthest_points(torch.zeros(0, 2), 3, torch.zeros(0, dtype=torch.int64)).tolist() == []


# --- voxels ---------------------------------------------------------------------------------------


def test_voxels_of_each_cloud(generator):
    x = cloud(int(SIZES.sum()), generator)
    batch = torch.arange(4).repeat_interleave(SIZES)
    means, graph = voxel_points(x, 0.8, batch)
    assert graph.ends == (40, len(means)) and graph.clouds == 4
    source, voxel = graph.edges
    assert source.sort().values.tolist() == list(range(40))
    assert torch.equal(graph.cloud[voxel], batch[source])
    places = (x / 0.8).floor()
    for k in range(len(means)):
        own = source[voxel == k]
        assert (places[own] == places[own[0]]).all()
        assert_close(means[k], x[own].mean(0), ROUNDING)
    keys = {(int(b), *place) for b, place in zip(batch, places.tolist(), strict=True)}
    assert len(keys) == len(means)
    alone = [voxel_points(x[batch == number], 0.8)[0] for number in range(4)]
    assert_close(means, torch.cat(alone), ROUNDING)


def test_means_are_differentiable(generator):
    x = cloud(8, generator).requires_grad_()
    means, graph = voxel_points(x, 1.0)
    means.sum().backward()
    sizes = torch.bincount(graph.edges[1])
    share = torch.empty(8, dtype=torch.int64).scatter(0, graph.edges[0], sizes[graph.edges[1]])
    assert_close(x.grad, (1 / share[:, None]).expand(8, 3), ROUNDING)


# --- graphs ---------------------------------------------------------------------------------------


@over("case", CASES)
def test_neighbours_among_other_points(case, generator):
    """Those of both together, of which the ones are kept that go across."""
    sources = case.points(generator)[:40]
    targets = case.points(generator)[:30]
    found = neighbour_graph(sources, targets, case.radius, **case.options())
    assert found.ends == (len(sources), len(targets))
    r = found.vectors((sources, targets))
    assert (r.norm(dim=1) <= case.radius * (1 + ROUNDING)).all()
    whole = radius_graph(torch.cat([sources, targets]), case.radius, **case.options())
    across = (whole.edges[0] < len(sources)) & (whole.edges[1] >= len(sources))
    assert across.sum() == found.edges.shape[1] > 0
    first = whole.edges[:, across] - torch.tensor([[0], [len(sources)]])
    assert torch.equal(found.edges, first)
    if found.cells is not None:
        assert torch.equal(found.cells, whole.cells[across])
    assert found.edges[1].diff().ge(0).all()


@pytest.mark.parametrize("options", [dict(radius=1.5), dict(count=3)], ids=str)
def test_graphs_of_each_cloud(options, generator):
    """Also of clouds that lack points on one of the levels."""
    many, few = torch.tensor([9, 2, 0, 30]), torch.tensor([4, 0, 3, 8])
    x, y = cloud(41, generator), cloud(15, generator)
    of_x, of_y = (torch.arange(4).repeat_interleave(sizes) for sizes in (many, few))
    graph = neighbour_graph(x, y, **options, source_batch=of_x, target_batch=of_y)
    assert graph.clouds == 4 and torch.equal(of_x[graph.edges[0]], of_y[graph.edges[1]])
    parts = [
        neighbour_graph(x[of_x == number], y[of_y == number], **options) for number in range(4)
    ]
    joined = Graph.batch(parts)
    assert torch.equal(joined.edges, graph.edges)
    assert (joined.ends, joined.clouds) == (graph.ends, 4)
    assert torch.equal(joined.cloud, graph.cloud)
    with pytest.raises(ValueError, match="^sources: expected None"):
        joined.split()
    for hand_over in (lambda: to_data(joined, y), lambda: to_atoms(joined, y, of_y)):
        with pytest.raises(ValueError, match="^graph: expected edges between the points of one"):
            hand_over()


def test_the_nearest(generator):
    x, y = cloud(20, generator), cloud(6, generator)
    graph = neighbour_graph(x, y, count=4)
    nearest = torch.cdist(y, x).argsort(1)[:, :4].sort(1).values
    assert torch.equal(graph.edges[0].view(6, 4), nearest)
    assert torch.equal(graph.edges[1].view(6, 4)[:, 0], torch.arange(6))
    assert neighbour_graph(x[:2], y, count=4).edges.shape == (2, 12)


# --- bad input ------------------------------------------------------------------------------------


def test_bad_input(generator):
    x, y = cloud(5, generator), cloud(3, generator)
    none = torch.zeros(5, dtype=torch.int64)
    for call, name in (
        (lambda: farthest_points(x), "count"),
        (lambda: farthest_points(x, 2, ratio=0.5), "count"),
        (lambda: farthest_points(x, ratio=1.5), "ratio"),
        (lambda: farthest_points(x, 0), "count"),
        (lambda: farthest_points(x, 2, none[:3]), "batch"),
        (lambda: voxel_points(x, 0.0), "size"),
        (lambda: voxel_points(1e30 * x, 1e-3), "size"),
        (lambda: voxel_points(x, 1.0, none - 1), "batch"),
        (lambda: neighbour_graph(x, y), "radius"),
        (lambda: neighbour_graph(x, y, 1.0, count=2), "radius"),
        (lambda: neighbour_graph(x, y[:, :2], 1.0), "targets"),
        (lambda: neighbour_graph(x, y, 1.0, source_batch=none), "target_batch"),
        (lambda: neighbour_graph(x, y, 1.0, source_batch=none, target_batch=none), "target_batch"),
        (lambda: neighbour_graph(x, y, count=2, cell=torch.eye(3)), "cell"),
        (lambda: Graph(torch.tensor([[5], [0]]), 3, sources=5), "edges"),
        (lambda: Graph(torch.tensor([[0], [3]]), 3, sources=5), "edges"),
        (lambda: Graph(torch.tensor([[0], [2]]), 3, sources=5).vectors(y), "positions"),
    ):
        with pytest.raises(ValueError, match=f"^{name}: expected"):
            call()
    with pytest.raises(TypeError, match="^targets: expected torch.float64 as the sources, got"):
        neighbour_graph(x, y.float(), 1.0)
