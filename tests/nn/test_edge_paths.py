"""What the layers on points share, and laws of both convolutions."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from equinet import Points, o2, o3, octahedral, so2, so3
from equinet.group import inversion
from equinet.harmonics import angular_harmonics
from equinet.nn import DepthwisePointConv, PointAttention, PointConv, RadialNetwork
from equinet.nn.edge_paths import EdgeHarmonics
from equinet.nn.point_conv import harmonic_norms
from equinet.ops import edge_order
from equinet.transforms import neighbour_graph, radius_graph
from tests.tolerances import ROUNDING, STATISTICAL, SYMMETRY, assert_close

F64 = torch.float64


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("lmax", [0, 1, 3, 8])
def test_harmonics_by_recursion(n, lmax, generator):
    """At all distances, and at the origin."""
    r = 3 * torch.randn(20, n, dtype=F64, generator=generator)
    r[0], r[1] = 0, 1e-200 * r[1]
    length, harmonics = EdgeHarmonics(lmax, n).double()(r)
    assert_close(harmonics, torch.cat(angular_harmonics(lmax, r), -1), ROUNDING)
    assert_close(length, torch.linalg.vector_norm(r, dim=1), ROUNDING)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_their_derivatives(n, generator):
    """Zero at the origin."""
    module = EdgeHarmonics(3, n).double()
    r = torch.randn(4, n, dtype=F64, generator=generator).requires_grad_()
    assert gradcheck(module, r) and gradgradcheck(module, r)
    zero = torch.zeros(1, n, dtype=F64, requires_grad=True)
    length, harmonics = module(zero)
    (length.sum() + harmonics.sum()).backward()
    assert not zero.grad.any()


LAYERS = [PointConv, DepthwisePointConv]
every_layer = pytest.mark.parametrize("layer", LAYERS)
CASES = {
    "SO(3)": (so3(), "4x0 + 3x1 + 2x2", "2x0 + 2x1 + 1x3"),
    "O(3)": (o3(), "1x1o + 2x0e + 2x1o + 1x1e", "1x0o + 2x1o + 1x2e"),
    "SO(2)": (so2(), "2x0 + 2x1", "1x0 + 1x2"),
    "O(2)": (o2(), "2x0e + 2x1", "1x0o + 1x0e + 1x1"),
    "O": (octahedral(), "1x T1 + 2x regular", "1x T1 + 1x regular"),
    "O(1)": (inversion(1), "2x trivial + 1x 0o", "1x trivial + 2x 0o"),
}


def conv_of(layer, name, generator):
    """With a bias that is not 0."""
    group, *texts = CASES[name]
    radial = RadialNetwork(2.5, features=5, generator=generator)
    types = map(Points(group).fields, texts)
    conv = layer(*types, radial, neighbours=6, generator=generator).double()
    bias = (conv if layer is PointConv else conv.mix).bias
    if bias is not None:
        torch.nn.init.normal_(bias, generator=generator)
    return conv


def cloud(conv, count, generator):
    """Features, positions and edges, some of them loops."""
    positions = torch.randn(count, conv.n, generator=generator, dtype=F64)
    x = torch.randn(conv.in_type.shape(count), generator=generator, dtype=F64)
    return x, positions, radius_graph(positions, 2.5, loop=True).edges


@every_layer
@pytest.mark.parametrize("name", CASES)
def test_the_sum_over_neighbours_written_out(layer, name, generator):
    """With the dense filters, edge by edge."""
    conv = conv_of(layer, name, generator)
    x, positions, edges = cloud(conv, 7, generator)
    vectors = positions[edges[0]] - positions[edges[1]]
    harmonics = torch.cat(angular_harmonics(conv.lmax, vectors), -1)
    if layer is PointConv:  # whose dense filters are in harmonics of second moment 1
        harmonics = harmonics * harmonic_norms(conv.lmax, conv.n)
    filters = conv.dense().unflatten(0, (conv.radial.features, -1))
    radial = conv.radial(vectors.norm(dim=1))
    kernels = torch.einsum("ek,koim,em->eoi", radial, filters, harmonics)
    bias = conv.shift()
    y = torch.zeros(conv.out_type.shape(7), dtype=F64) if bias is None else bias.repeat(7, 1)
    for e in range(edges.shape[1]):
        y[edges[1, e]] += kernels[e] @ x[edges[0, e]]
    assert_close(conv(x, positions, edges), y, SYMMETRY)


@every_layer
def test_points_without_neighbours_have_the_bias(layer, generator):
    conv = conv_of(layer, "SO(3)", generator)
    x, positions, _ = cloud(conv, 3, generator)
    y = conv(x, positions, torch.zeros(2, 0, dtype=torch.int64))
    assert_close(y, conv.shift().expand(3, -1), ROUNDING)


class One(torch.nn.Module):
    """The same at all distances."""

    features = 1

    def forward(self, r):
        return torch.ones_like(r)[..., None]


@every_layer
def test_variance_is_kept(layer, generator):
    """For directions and features that are random."""
    space = Points(so3())
    types = space.fields("16x0 + 16x1 + 8x2"), space.fields("40x0 + 40x1 + 20x2")
    conv = layer(*types, One(), neighbours=9, bias=False, generator=generator)
    count = 300
    positions = torch.randn(10 * count, 3, generator=generator)
    points = torch.arange(count)
    edges = torch.stack([count + torch.arange(9 * count), points.repeat_interleave(9)])
    x = torch.randn(types[0].shape(10 * count), generator=generator)
    y = conv(x, positions, edges)[:count].detach()
    for (mul, rho), part in zip(types[1].blocks, types[1].split(y), strict=True):
        error = (2 / (mul * rho.dim)) ** 0.5
        assert abs(part.square().mean() - 1) < 2 * STATISTICAL * error, rho


@every_layer
def test_wrong_arguments(layer, generator):
    space = Points(so3())
    h, radial = space.fields("2x0 + 1x1"), RadialNetwork(2.0, generator=generator)
    with pytest.raises(ValueError, match="^radial: expected a module with the attribute features"):
        layer(h, h, torch.nn.Identity(), neighbours=1)
    with pytest.raises(ValueError, match="^neighbours: expected"):
        layer(h, h, radial, neighbours=0)
    with pytest.raises(ValueError, match="^lmax: there is no kernel but zero"):
        layer(space.fields("1x0"), space.fields("1x2"), radial, neighbours=1, lmax=1)


@every_layer
def test_a_sorted_graph_is_not_sorted_again(layer, generator, monkeypatch):
    """The same result from edges, from a graph and from one with its order."""
    fields = Points(o3()).fields("2x0e + 1x1o")
    radial = RadialNetwork(2.5, features=4, generator=generator)
    conv = layer(fields, fields, radial, neighbours=5, generator=generator).double()
    positions = torch.randn(9, 3, dtype=F64, generator=generator)
    graph = radius_graph(positions, 2.5)
    x = torch.randn(fields.shape(9), dtype=F64, generator=generator)
    expected, ordered = conv(x, positions, graph.edges), graph.ordered()
    assert torch.equal(conv(x, positions, graph), expected)
    monkeypatch.setattr(torch.Tensor, "argsort", None)
    assert torch.equal(conv(x, positions, ordered), expected)
    with pytest.raises(TypeError):  # without its order it would be sorted
        conv(x, positions, graph)


def test_an_order_that_is_known(generator):
    edges = torch.tensor([[1, 0, 1, 0, 3], [2, 2, 0, 2, 0]])
    found = edge_order(edges, 4, 3)
    for a, b in zip(found, edge_order(edges, 4, 3, found.order), strict=True):
        assert torch.equal(a, b)
    with pytest.raises(ValueError, match="^edge_order: order: expected the shape"):
        edge_order(edges, 4, 3, found.order[:, 1:])
    with pytest.raises(TypeError, match="^edge_order: order: expected torch.int64"):
        edge_order(edges, 4, 3, found.order.int())


@pytest.mark.parametrize("layer", [*LAYERS, PointAttention])
def test_what_would_be_read_wrongly(layer, generator):
    """Positions of one end alone, where the numbers of points fit, and shifts beside a graph."""
    radial = RadialNetwork(2.5, features=5, generator=generator)
    h = Points(so3()).fields("1x0 + 1x1")
    conv = layer(h, h, radial, neighbours=6, generator=generator).double()
    x = torch.randn(9, 4, dtype=F64, generator=generator)
    points = torch.randn(9, 3, dtype=F64, generator=generator)
    between = neighbour_graph(points + 0.1, points, 2.0)
    others = {"targets": x} if layer is PointAttention else {}
    assert conv(x, (points + 0.1, points), between, **others).shape == x.shape
    with pytest.raises(ValueError, match="^positions: expected a pair, of sources and points"):
        conv(x, points, between, **others)
    graph = radius_graph(points, 2.0)
    with pytest.raises(ValueError, match="^shifts: expected none beside a graph"):
        conv(x, points, graph, torch.zeros(graph.edges.shape[1], 3, dtype=F64))
