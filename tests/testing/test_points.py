"""The check over points and a single point, where every element is exact."""

import pytest
import torch

from equinet import Point, Points, nn
from equinet.nn import PointConv, RadialNetwork
from equinet.testing import assert_equivariant, certificate, equivariance_error, report
from equinet.transforms import radius_graph

CLOUD = Points("O(3)", dim=3)
X, Y = CLOUD.fields("2x0e + 1x1o"), CLOUD.fields("2x0e + 2x1o")


def _point_conv():
    generator = torch.Generator().manual_seed(0)
    radial = RadialNetwork(2.0, 4, generator=generator)
    return PointConv(X, Y, radial, neighbours=4, generator=generator).double()


@pytest.mark.parametrize("group", ["SO(3)", "O(3)", "I", "D4"])
def test_a_linear_map_passes(group):
    fields = Point(group, dim=3).fields("2x trivial + 2x vector")
    linear = nn.Linear(fields, fields, generator=torch.Generator().manual_seed(0)).double()
    assert assert_equivariant(linear).max < 1e-12


def test_a_plain_linear_map_fails():
    fields = Point("SO(3)", dim=3).fields("1x0 + 1x1")
    with pytest.raises(AssertionError, match="Linear is not equivariant"):
        assert_equivariant(torch.nn.Linear(4, 4), fields, fields)


def test_positions_move_with_the_points():
    assert assert_equivariant(_point_conv()).max < 1e-12


@pytest.mark.parametrize("fault", ["turned", "moved", "none"])
def test_a_module_that_sees_the_frame_fails(fault):
    """A coordinate is not invariant under rotations, nor a distance from the origin under
    translations."""

    class Own(torch.nn.Module):
        def forward(self, x, positions):
            centred = positions - positions.mean(0)
            weight = {
                "turned": centred[:, :1],
                "moved": positions.norm(dim=1, keepdim=True),
                "none": centred.norm(dim=1, keepdim=True),
            }[fault]
            return x * weight

    if fault == "none":
        assert assert_equivariant(Own(), X, X).max < 1e-4
    else:
        with pytest.raises(AssertionError, match="Own is not equivariant"):
            assert_equivariant(Own(), X, X)


def test_arguments_of_the_user(generator):
    """Neighbours in another cell: the shifts turn with the positions."""
    positions = torch.rand(5, 3, generator=generator, dtype=torch.float64)
    edges = torch.tensor([[0, 1, 2, 3, 4], [1, 2, 3, 4, 0]])
    shifts = torch.eye(3, dtype=torch.float64)[[0, 1, 2, 0, 1]]
    given = {"positions": positions, "edges": edges, "shifts": shifts}
    conv = _point_conv()
    assert assert_equivariant(conv, arguments=given).max < 1e-12

    class Held(torch.nn.Module):
        """The same with shifts that stay where they are."""

        def __init__(self):
            super().__init__()
            self.conv = conv

        def forward(self, x, positions, edges):
            return self.conv(x, positions, edges, shifts)

    with pytest.raises(AssertionError, match="Held is not equivariant"):
        assert_equivariant(Held(), X, Y, arguments={"positions": positions, "edges": edges})


def test_what_has_no_meaning_is_refused():
    for name, value in {"sizes": (3,), "smoothness": 2.0, "exact": True, "band": 3}.items():
        with pytest.raises(ValueError, match=f"^{name}: has no meaning for Points"):
            equivariance_error(_point_conv(), **{name: value})


def test_generators_of_a_finite_group_are_tried():
    """A module that breaks one reflection of many is found with a single element."""
    fields = Point("D4", dim=2).fields("1x vector")

    class Twisted(torch.nn.Module):
        def forward(self, x):  # commutes with rotations only
            return torch.stack([x[:, 0] - x[:, 1], x[:, 0] + x[:, 1]], 1)

    for seed in range(5):
        with pytest.raises(AssertionError, match="Twisted is not equivariant"):
            assert_equivariant(Twisted(), fields, fields, count=1, seed=seed)


# --- networks of points ---------------------------------------------------------------------------


def _network():
    generator = torch.Generator().manual_seed(0)
    radial = RadialNetwork(2.0, 4, generator=generator)
    depthwise = nn.DepthwisePointConv(Y, Y, radial, neighbours=4, generator=generator)
    return nn.Sequential(_point_conv(), nn.Residual(nn.Sequential(depthwise))).double()


def test_a_row_of_layers_of_points():
    """Positions and a graph are drawn, for the whole and for each layer."""
    net = _network()
    assert assert_equivariant(net).max < 1e-12
    found = report(net)
    kinds = [layer.kind for layer in found.layers]
    assert {"PointConv", "Residual", "DepthwisePointConv"} <= {*kinds}
    assert max(found.error, *(layer.sources.alone for layer in found.layers)) < 1e-12
    assert certificate(net).is_equivariant
    pooled = nn.Sequential(net, nn.SumPool(Y))
    assert assert_equivariant(pooled).max < 1e-12 and report(pooled).error < 1e-12


class Crystal(torch.nn.Module):
    """A network of somebody's: a distance through the walls of the cell, turned or not."""

    def __init__(self, axis=None):
        super().__init__()
        self.axis = axis

    def forward(self, x, positions, graph):
        r = graph.vectors(positions)
        size = r.norm(dim=1) if self.axis is None else r[:, self.axis]
        return x * (1 + torch.zeros_like(x[:, 0]).index_add(0, graph.edges[1], size)[:, None])


def test_the_cell_of_a_graph_moves(generator):
    positions = 2 * torch.rand(4, 3, generator=generator, dtype=torch.float64)
    cell = 2 * torch.eye(3, dtype=torch.float64)
    graph = radius_graph(positions, 1.5, cell=cell)
    given = {"positions": positions, "graph": graph}
    assert assert_equivariant(Crystal(), X, X, arguments=given, tolerance=1e-5).max < 1e-5
    assert assert_equivariant(_network(), arguments=given).max < 1e-12
    with pytest.raises(AssertionError, match="Crystal is not equivariant"):
        assert_equivariant(Crystal(0), X, X, arguments=given)
    assert assert_equivariant(Crystal(), X, X).max < 1e-4  # and one that is drawn
