"""Means of neighbours, and their transposes, from one level of points to another."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from equinet import Points, cyclic, o3, octahedral, so2
from equinet.field import act
from equinet.nn import DepthwisePointConv, PointConv, PointPool, PointUnpool, RadialNetwork
from equinet.transforms import farthest_points, neighbour_graph, voxel_points
from tests.over import over
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64
GROUPS = [
    (o3(), "2x0e + 1x1o + 1x2e"),
    (octahedral(), "1x T1 + 1x regular"),
    (so2(), "1x0 + 2x1"),
    (cyclic(4), "1x regular"),
]
WEIGHTS = [("uniform", None), ("inverse", None), ("uniform", 2.0), ("inverse", 2.0)]
every_group = over("group, text", GROUPS)
every_weight = pytest.mark.parametrize(("weights", "cutoff"), WEIGHTS)


def levels(space, generator, count=12):
    """A cloud, some of its points, and the graph between them."""
    fine = torch.randn(count, space.n, generator=generator, dtype=F64)
    coarse = fine[farthest_points(fine, 4)] + 0.1
    return fine, coarse, neighbour_graph(fine, coarse, 1.7)


def matrix(module, fine, coarse, graph):
    """Of the map on one channel."""
    count = graph.ends[module.end]
    one = Points(module.in_type.space.group).fields("1x trivial")
    module = type(module)(one, module.weights, module.cutoff)
    columns = [module(e[:, None], (fine, coarse), graph)[:, 0] for e in torch.eye(count).double()]
    return torch.stack(columns, 1)


@every_weight
@every_group
def test_equivariance(group, text, weights, cutoff, generator):
    """With the choice of points and the neighbours found anew; and one level for itself."""
    space = Points(group)
    h = space.fields(text)
    for kind in (PointPool, PointUnpool):
        module = kind(h, weights, cutoff)
        fine, coarse, graph = levels(space, generator)
        x = torch.randn(h.shape(graph.ends[module.end]), generator=generator, dtype=F64)
        y = module(x, (fine, coarse), graph)
        for g in space.group.sample(2, generator=generator):
            step = torch.randn(space.n, generator=generator, dtype=F64)
            a, b = (space.move(g, one) + step for one in (fine, coarse))
            assert torch.equal(farthest_points(a, 4), farthest_points(fine, 4))
            moved = module(act(h, g, x), (a, b), neighbour_graph(a, b, 1.7))
            assert_close(moved, act(h, g, y), SYMMETRY)


@every_weight
def test_unpooling_is_the_transpose(weights, cutoff, generator):
    h = Points(o3()).fields("1x0e + 1x1o")
    parts = levels(h.space, generator)
    pool, unpool = PointPool(h, weights, cutoff), PointUnpool(h, weights, cutoff)
    P = matrix(pool, *parts)
    assert P.shape == (4, 12)
    assert_close(matrix(unpool, *parts), P.mT, ROUNDING)
    assert_close(P.sum(1), torch.ones(4), ROUNDING)
    x = torch.randn(h.shape(12), generator=generator, dtype=F64)
    fine, coarse, graph = parts
    assert_close(pool(x, (fine, coarse), graph), P @ x, ROUNDING)
    r = graph.vectors((fine, coarse)).norm(dim=1)
    w = torch.ones_like(r) if weights == "uniform" else 1 / r**2
    if cutoff is not None:
        t = (r / cutoff).clamp(max=1)
        w = w * (1 - 10 * t**3 + 15 * t**4 - 6 * t**5)
    Q = torch.zeros_like(P).index_put((graph.edges[1], graph.edges[0]), w)
    assert_close(P, Q / Q.sum(1, keepdim=True), 1e-6)


def test_interpolation_reproduces_what_is_there(generator):
    """At a coarse point its own value, and a constant everywhere."""
    space = Points(o3())
    h = space.fields("1x0e")
    coarse = torch.randn(6, 3, generator=generator, dtype=F64)
    fine = torch.cat([coarse, torch.randn(5, 3, generator=generator, dtype=F64)])
    graph = neighbour_graph(coarse, fine, count=3)
    values = torch.randn(6, 1, generator=generator, dtype=F64)
    module = PointPool(h, "inverse")
    assert_close(module(values, (coarse, fine), graph)[:6], values, 1e-6)
    ones = torch.ones_like(values)
    assert_close(module(ones, (coarse, fine), graph), torch.ones(11, 1), ROUNDING)


def test_points_on_top_of_each_other(generator):
    """Values and two derivatives are finite, of one, of some and of all neighbours."""
    h = Points(o3()).fields("1x0e + 1x1o")
    target, x = torch.zeros(1, 3), torch.randn(h.shape(3), generator=generator)
    for source in (torch.zeros(3, 3), torch.eye(3)[[0, 0, 1]], torch.eye(3) * torch.arange(3)):
        for weights, cutoff in WEIGHTS[1:]:  # the first does not look at positions
            start = source.clone().requires_grad_()
            edges = torch.tensor([[0, 1, 2], [0, 0, 0]])
            y = PointPool(h, weights, cutoff)(x, (start, target), edges)
            (first,) = torch.autograd.grad(y[0, 0] + y.square().sum(), start, create_graph=True)
            total = first.square().sum() + first.sum()
            (second,) = torch.autograd.grad(total, start)
            assert y.isfinite().all() and first.isfinite().all() and second.isfinite().all()


def test_derivatives(generator):
    h = Points(o3()).fields("1x1o")
    fine, coarse, graph = levels(h.space, generator, 6)
    x = torch.randn(h.shape(6), generator=generator, dtype=F64)

    def pooled(x, fine, coarse):
        return PointPool(h, "inverse", 3.0)(x, (fine, coarse), graph).square().sum()

    inputs = [one.clone().requires_grad_() for one in (x, fine, coarse)]
    assert gradcheck(pooled, inputs) and gradgradcheck(pooled, inputs)


def test_each_cloud_alone(generator):
    """Levels of a batch are those of its clouds."""
    h = Points(o3()).fields("1x0e + 1x1o")
    clouds = [torch.randn(count, 3, generator=generator, dtype=F64) for count in (7, 1, 12)]
    batch = torch.arange(3).repeat_interleave(torch.tensor([7, 1, 12]))
    fields = [torch.randn(h.shape(len(x)), generator=generator, dtype=F64) for x in clouds]

    def down(x, positions, batch):
        chosen = farthest_points(positions, 4, batch)
        coarse = positions[chosen]
        graph = neighbour_graph(
            positions, coarse, 1.5, source_batch=batch, target_batch=batch[chosen]
        )
        return PointPool(h)(x, (positions, coarse), graph)

    whole = down(torch.cat(fields), torch.cat(clouds), batch)
    alone = [
        down(x, positions, torch.zeros(len(x), dtype=torch.int64))
        for x, positions in zip(fields, clouds, strict=True)
    ]
    assert_close(whole, torch.cat(alone), ROUNDING)


@pytest.mark.parametrize("kind", [PointPool, PointUnpool])
def test_positions_of_one_level_alone(kind, generator):
    """As many fine points as the graph has sources: nothing else would tell them apart."""
    h = Points(o3()).fields("2x0e + 1x1o")
    fine, coarse, graph = levels(h.space, generator)
    given = graph.ends[kind.end]
    with pytest.raises(ValueError, match="^positions: expected a pair, of sources and points"):
        kind(h)(torch.ones(h.shape(given), dtype=F64), (fine, coarse)[kind.end], graph)


def test_voxels_have_means(generator):
    h = Points(o3()).fields("1x0e + 1x1o")
    positions = torch.randn(30, 3, generator=generator, dtype=F64)
    x = torch.randn(h.shape(30), generator=generator, dtype=F64)
    means, graph = voxel_points(positions, 1.0)
    y = PointPool(h)(x, (positions, means), graph)
    own = [tuple(place) for place in positions.floor().long().tolist()]
    for k, place in enumerate(sorted(set(own))):
        inside = torch.tensor([other == place for other in own])
        assert_close(y[k], x[inside].mean(0), ROUNDING)
        assert_close(means[k], positions[inside].mean(0), ROUNDING)


@pytest.mark.parametrize("kind", [PointConv, DepthwisePointConv])
def test_convolutions_from_one_level_to_another(kind, generator):
    """Equal to those on the points of both together."""
    h = Points(o3()).fields("2x0e + 1x1o")
    radial = RadialNetwork(1.7, features=4, generator=generator)
    layer = kind(h, h, radial, neighbours=3, generator=generator).double()
    fine, coarse, graph = levels(h.space, generator)
    x = torch.randn(h.shape(12), generator=generator, dtype=F64)
    y = layer(x, (fine, coarse), graph)
    both = torch.cat([fine, coarse])
    edges = graph.edges + torch.tensor([[0], [12]])
    whole = layer(torch.cat([x, x.new_zeros(h.shape(4))]), both, edges)
    assert y.shape == h.shape(4)
    assert_close(y, whole[12:], SYMMETRY)
    for bad, name in (
        ((x, (fine, coarse, fine), graph), "positions"),
        ((x, (coarse, fine), graph.edges), "positions"),
        ((x, (fine, coarse), graph.edges.flip(0)), "edges"),
        ((x[:4], (fine, coarse), graph), "x"),
    ):
        with pytest.raises(ValueError, match=f"^{name}: expected"):
            layer(*bad)


def test_ghost_atoms(generator):
    """Half of the atoms, with the others around them, have what they have in the whole."""
    h = Points(o3()).fields("2x0e + 1x1o")
    radial = RadialNetwork(1.7, features=4, generator=generator)
    layer = DepthwisePointConv(h, h, radial, neighbours=3, generator=generator).double()
    positions = torch.randn(10, 3, generator=generator, dtype=F64)
    x = torch.randn(h.shape(10), generator=generator, dtype=F64)
    pairs = torch.cartesian_prod(torch.arange(10), torch.arange(10))
    edges = pairs[pairs[:, 0] != pairs[:, 1]].mT
    own = edges[:, edges[1] < 5]
    y = layer(x, (positions, positions[:5]), own)
    assert_close(y, layer(x, positions, edges)[:5], SYMMETRY)


@pytest.mark.compile
def test_through_compile(generator):
    """Down along a graph and up along another, with numbers of points that change."""
    h = Points(o3()).fields("2x0e + 1x1o")
    radial = RadialNetwork(1.7, features=4, generator=generator)
    down = DepthwisePointConv(h, h, radial, neighbours=3, generator=generator).double()
    up = PointPool(h, "inverse")

    def net(x, fine, coarse, there, back):
        return up(down(x, (fine, coarse), there), (coarse, fine), back)

    torch.compiler.reset()
    compiled = torch.compile(net, fullgraph=True, dynamic=True, backend="eager")
    for count in (12, 15):
        fine, coarse, there = levels(h.space, generator, count)
        back = neighbour_graph(coarse, fine, count=3)
        x = torch.randn(h.shape(count), generator=generator, dtype=F64)
        arguments = x, fine, coarse, there, back
        assert_close(compiled(*arguments), net(*arguments), ROUNDING)
