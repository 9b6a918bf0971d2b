"""Attention of points to their neighbours."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from equinet import Points, cyclic, o3, octahedral, so2, so3
from equinet.field import act
from equinet.harmonics import angular_harmonics
from equinet.nn import (
    FieldDropout,
    GroupNorm,
    InstanceNorm,
    Linear,
    PointAttention,
    PointPool,
    RadialNetwork,
    Sequential,
    SumPool,
)
from equinet.testing import certificate
from equinet.transforms import Graph, neighbour_graph, radius_graph
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64
CUTOFF = 2.5
CASES = {
    "O(3)": (o3(), "1x1o + 2x0e + 2x1o + 1x1e", "1x0o + 2x1o + 1x2e"),
    "SO(3)": (so3(), "4x0 + 3x1 + 2x2", "2x0 + 2x1 + 1x3"),
    "O": (octahedral(), "1x T1 + 2x regular", "1x T1 + 1x regular"),
    "SO(2)": (so2(), "2x0 + 2x1", "1x0 + 1x2"),
    "C4": (cyclic(4), "2x regular + 1x trivial", "1x regular + 1x vector"),
}
every_group = pytest.mark.parametrize("name", CASES)


def layer_of(name, generator, **options):
    group, *texts = CASES[name]
    types = [Points(group).fields(text) for text in texts]
    radial = RadialNetwork(CUTOFF, features=5, generator=generator)
    options = dict(neighbours=4, heads=3, generator=generator) | options
    layer = PointAttention(*types, radial, **options).double()
    torch.nn.init.normal_(layer.sink, generator=generator)
    return layer


def cloud(layer, count, generator, spread=1.0):
    """Features, positions and edges."""
    n = layer.values.n
    positions = spread * torch.randn(count, n, generator=generator, dtype=F64)
    x = torch.randn(layer.in_type.shape(count), generator=generator, dtype=F64)
    return x, positions, radius_graph(positions, CUTOFF)


@every_group
def test_equivariance(name, generator):
    """Of positions and features together, and of their order; a translation changes nothing."""
    layer = layer_of(name, generator)
    x, positions, graph = cloud(layer, 9, generator)
    space, y = layer.in_type.space, layer(x, positions, graph)
    assert y.abs().max() > 0.1
    for g in space.group.sample(2, generator=generator):
        moved = space.move(g, positions) + torch.randn(space.n, generator=generator, dtype=F64)
        turned = layer(act(layer.in_type, g, x), moved, radius_graph(moved, CUTOFF))
        assert_close(turned, act(layer.out_type, g, y), SYMMETRY)
    order = torch.randperm(9, generator=generator)
    again = layer(x[order], positions[order], radius_graph(positions[order], CUTOFF))
    assert_close(again, y[order], SYMMETRY)
    moved = space.move(space.group.sample(generator=generator), positions)
    assert (layer(x, moved, graph) - y).abs().max() > 1e-3  # negative control: positions alone


@every_group
def test_the_formula_edge_by_edge(name, generator):
    """(V10) with the dense kernels of both layers."""
    layer = layer_of(name, generator)
    x, positions, (edges, _) = cloud(layer, 5, generator)
    heads, y = layer.heads, torch.zeros(layer.out_type.shape(5), dtype=F64)
    queries, keys = layer.query(x), layer.key(x)
    parts = layer.turn, layer.values
    dense = {part: part.dense().unflatten(0, (part.radial.features, -1)) for part in parts}

    def kernel(part, r):
        harmonics = torch.cat(angular_harmonics(part.lmax, r), -1)
        return torch.einsum("koim,m->koi", dense[part], harmonics)

    def by_head(a, b):
        parts = zip(layer.key_type.split(a[None]), layer.key_type.split(b[None]), strict=True)
        products = [(p * q)[0].reshape(heads, -1).sum(1) for p, q in parts]
        return sum(products) / (layer.key_type.channels / heads) ** 0.5

    bias = layer.values.mix.shift()
    for i in range(5):
        found, weights, total = [], [], layer.sink.exp()
        for j in edges[0, edges[1] == i].tolist():
            r = positions[j] - positions[i]
            phi = layer.radial(r.norm())
            score = by_head(
                queries[i], torch.einsum("k,koi,i->o", phi, kernel(layer.turn, r), keys[j])
            )
            weights.append(layer.radial.window(r.norm()) * score.exp())
            total = total + weights[-1]
            filters = kernel(layer.values, r).unflatten(0, (heads, -1))
            found.append(torch.einsum("k,hkoi,i->ho", phi, filters, x[j]))
        for weight, message in zip(weights, found, strict=True):
            y[i] += (weight / total)[:, None].mul(message).sum(0)
        if bias is not None:
            y[i] += bias.flatten()
    assert_close(layer(x, positions, edges), y, SYMMETRY)


@pytest.mark.parametrize("count", [1, 3])
def test_a_neighbour_leaves_smoothly(count, generator):
    """Value, gradient and second derivative by a neighbour vanish at the cutoff, also of one that
    was alone; without the envelope in the softmax a neighbour that comes would dim the others."""
    layer = layer_of("O(3)", generator)
    x, positions, _ = cloud(layer, count + 1, generator, spread=0.3)
    edges = torch.tensor([range(1, count + 1), [0] * count])
    direction = torch.tensor([0.6, 0.0, 0.8], dtype=F64)

    def at(distance):
        moved = torch.cat([positions[:-1], (positions[0] + distance * direction)[None]])
        return layer(x, moved, edges)[0].square().sum()

    without = layer(x, positions, edges[:, :-1])[0].square().sum()
    for eps in (1e-4, 1e-5):
        r = torch.tensor(CUTOFF - eps, dtype=F64).requires_grad_()
        y = at(r)
        (slope,) = torch.autograd.grad(y, r, create_graph=True)
        (bend,) = torch.autograd.grad(slope, r)
        assert abs(y - without) < 1e3 * eps**3 + ROUNDING
        assert abs(slope) < 1e4 * eps**2 and abs(bend) < 1e5 * eps
    assert at(torch.tensor(CUTOFF, dtype=F64)) == at(torch.tensor(2 * CUTOFF, dtype=F64))
    assert_close(at(torch.tensor(CUTOFF, dtype=F64)), without, ROUNDING)
    assert abs(at(torch.tensor(0.8 * CUTOFF, dtype=F64)) - without) > 1e-6


def test_forces_and_their_gradients(generator):
    h = Points(o3()).fields("1x0e + 1x1o")
    radial = RadialNetwork(CUTOFF, features=3, generator=generator)
    options = dict(neighbours=4, heads=2, key_copies=1, generator=generator)
    layer = PointAttention(h, h, radial, **options).double()
    x, positions, (edges, _) = cloud(layer, 3, generator)

    def energy(positions, x, sink):
        arguments = x, positions, edges
        return torch.func.functional_call(layer, {"sink": sink}, arguments).square().sum()

    inputs = [one.detach().clone().requires_grad_() for one in (positions, x, layer.sink)]
    assert gradcheck(energy, inputs)
    assert gradgradcheck(energy, inputs)


def test_large_scores_are_finite(generator):
    """The largest is subtracted: then one neighbour has all the weight."""
    layer = layer_of("SO(3)", generator)
    x, positions, graph = cloud(layer, 6, generator, spread=0.5)
    with torch.no_grad():
        layer.query.weight *= 1e4
    y = layer(x, positions, graph)
    y.square().sum().backward()
    assert y.isfinite().all()
    assert all(p.grad.isfinite().all() for p in layer.parameters())


def test_points_without_neighbours_have_the_bias(generator):
    layer = layer_of("SO(3)", generator)
    torch.nn.init.normal_(layer.values.mix.bias, generator=generator)
    x, positions, _ = cloud(layer, 3, generator)
    y = layer(x, positions, torch.zeros(2, 0, dtype=torch.int64))
    assert_close(y, layer.values.mix.shift().expand(3, -1), ROUNDING)


def test_from_one_set_of_points_to_another(generator):
    """Equal to the layer on both together, of which the targets send nothing."""
    layer = layer_of("O(3)", generator)
    x, sources, _ = cloud(layer, 7, generator)
    queries, targets, _ = cloud(layer, 3, generator)
    graph = neighbour_graph(sources, targets, CUTOFF)
    y = layer(x, (sources, targets), graph, targets=queries)
    edges = graph.edges + torch.tensor([[0], [7]])
    whole = layer(torch.cat([x, queries]), torch.cat([sources, targets]), edges)
    assert y.shape == layer.out_type.shape(3)
    assert_close(y, whole[7:], SYMMETRY)
    with pytest.raises(ValueError, match="^targets: expected the fields of the 3 points"):
        layer(x, (sources, targets), graph)
    with pytest.raises(ValueError, match="^targets: expected the fields of the 7 points.* None"):
        layer(x, (sources, sources + 1), graph.edges)


def test_variance_is_kept_where_weights_are_even(generator):
    """Of neighbours at random directions, but for the sink and the radial functions."""
    types = [Points(so3()).fields(text) for text in ("16x0 + 16x1", "40x0 + 40x1")]
    radial = RadialNetwork(CUTOFF, features=16, generator=generator)
    layer = PointAttention(*types, radial, neighbours=16, generator=generator)
    torch.nn.init.zeros_(layer.query.weight)
    count, r = 100, torch.tensor([0.5])
    directions = torch.nn.functional.normalize(torch.randn(16 * count, 3, generator=generator))
    positions = torch.cat([torch.zeros(count, 3), r * directions])
    edges = torch.stack([count + torch.arange(16 * count), torch.arange(16 * count) // 16])
    x = torch.randn(types[0].shape(17 * count), generator=generator)
    u = radial.window(r)
    expected = (16 * u / (1 + 16 * u)) ** 2 * radial(r).square().mean()
    found = layer(x, positions, edges)[:count].square().mean()
    assert abs(found / expected - 1) < 0.2


def test_bad_input(generator):
    h = Points(so3()).fields("2x0 + 1x1")
    radial = RadialNetwork(2.0, generator=generator)

    class Bare(torch.nn.Module):
        features = 3

    with pytest.raises(ValueError, match="^radial: expected a module with the method window"):
        PointAttention(h, h, Bare(), neighbours=3)
    for name in ("heads", "key_copies"):
        with pytest.raises(ValueError, match=f"^{name}: expected an integer >= 1, got 0"):
            PointAttention(h, h, radial, neighbours=3, **{name: 0})
    with pytest.raises(ValueError, match="^heads: expected what fits into"):
        PointAttention(h, h, radial, neighbours=3, heads=10**9)
    layer = PointAttention(h, h, radial, neighbours=1)
    x, positions, edges = torch.zeros(3, 5), torch.zeros(3, 3), torch.tensor([[0], [1]])
    with pytest.raises(ValueError, match=r"^x: expected \(batch, channel\) = "):
        layer(x[:, :4], positions, edges)
    with pytest.raises(ValueError, match="^targets: expected"):
        layer(x, positions, edges, targets=x[:2])


def test_in_a_row(generator):
    """With norms, dropout and pools, each of which has its clouds from the graph."""
    space = Points(o3())
    h, out = space.fields("4x0e + 2x1o"), space.fields("1x0e")
    net = Sequential(
        PointAttention(h, h, RadialNetwork(2.0), neighbours=5, heads=2, generator=generator),
        InstanceNorm(h),
        GroupNorm(h, 2),
        FieldDropout(h, 0.1),
        PointPool(h, cutoff=2.0),
        Linear(h, out, generator=generator),
        SumPool(out),
    )
    net = net.double().eval()
    clouds = [torch.rand(count, 3, generator=generator, dtype=F64) for count in (7, 9)]
    graphs = [radius_graph(x, 2.0) for x in clouds]
    fields = [torch.randn(h.shape(len(x)), generator=generator, dtype=F64) for x in clouds]
    whole = net(torch.cat(fields), torch.cat(clouds), Graph.batch(graphs))
    parts = zip(fields, clouds, graphs, strict=True)
    assert_close(whole, torch.cat([net(*one) for one in parts]), SYMMETRY)
    kinds = [row.kind for row in certificate(net).layers]
    assert kinds[0] == "PointAttention" and len(kinds) == 7
