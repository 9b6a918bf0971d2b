"""What the layers on points share."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from equinet import Points, o3
from equinet.harmonics import angular_harmonics
from equinet.nn import DepthwisePointConv, PointConv, RadialNetwork
from equinet.nn.edge_paths import EdgeHarmonics
from equinet.ops import edge_order
from equinet.transforms import radius_graph
from tests.tolerances import ROUNDING, assert_close

F64 = torch.float64


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("lmax", [0, 1, 3, 8])
def test_harmonics_by_recursion(n, lmax, generator):
    """At all distances, and at the origin."""
    r = 3 * torch.randn(20, n, dtype=F64, generator=generator)
    r[0], r[1] = 0, 1e-200 * r[1]
    length, harmonics = EdgeHarmonics(lmax, n).double()(r)
    assert_close(harmonics.mT, torch.cat(angular_harmonics(lmax, r), -1), ROUNDING)
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


@pytest.mark.parametrize("layer", [PointConv, DepthwisePointConv])
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
