"""Convolutions on points."""

import pytest
import torch

from equinet import Points, o2, o3, octahedral, so2, so3
from equinet.field import act
from equinet.group import inversion
from equinet.harmonics import Angular, Harmonics, angular_harmonics
from equinet.nn import PointConv, RadialNetwork
from equinet.nn.point_conv import harmonic_norms
from equinet.steerable import kernel_basis
from equinet.transforms import radius_graph
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

CASES = {
    "SO(3)": (so3(), "4x0 + 3x1 + 2x2", "2x0 + 2x1 + 1x3"),
    "O(3)": (o3(), "2x0e + 2x1o + 1x1e", "1x0o + 2x1o + 1x2e"),
    "SO(2)": (so2(), "2x0 + 2x1", "1x0 + 1x2"),
    "O(2)": (o2(), "2x0e + 2x1", "1x0o + 1x0e + 1x1"),
    "O": (octahedral(), "2x regular", "1x T1 + 1x regular"),
    "O(1)": (inversion(1), "2x trivial + 1x 0o", "1x trivial + 2x 0o"),
}


def _cloud(space, count, generator, spread=2.0):
    return spread * torch.randn(count, space.n, generator=generator, dtype=torch.float64)


def _layer(group, text_in, text_out, generator):
    space = Points(group)
    radial = RadialNetwork(2.5, features=5, generator=generator)
    types = space.fields(text_in), space.fields(text_out)
    layer = PointConv(*types, radial, neighbours=6, generator=generator).double()
    if layer.bias is not None:
        torch.nn.init.normal_(layer.bias, generator=generator)
    return layer


@pytest.mark.parametrize("name", CASES)
def test_equivariance(name, generator):
    """Positions and features move together; a translation changes nothing."""
    layer = _layer(*CASES[name], generator)
    space = layer.in_type.space
    positions = _cloud(space, 20, generator)
    edges, _ = radius_graph(positions, 2.5)
    x = torch.randn(layer.in_type.shape(20), generator=generator, dtype=torch.float64)
    y = layer(x, positions, edges)
    for g in space.group.sample(3, generator=generator):
        moved = space.move(g, positions) + torch.randn(
            space.n, generator=generator, dtype=torch.float64
        )
        again, _ = radius_graph(moved, 2.5)
        assert torch.equal(again, edges)
        assert_close(
            layer(act(layer.in_type, g, x), moved, edges), act(layer.out_type, g, y), SYMMETRY
        )
    if space.n > 1:  # negative control: positions alone
        moved = space.move(space.group.sample(generator=generator), positions)
        assert (layer(x, moved, edges) - y).abs().max() > 1e-3


@pytest.mark.parametrize("name", ["SO(3)", "O(2)", "O"])
def test_kernels_are_those_of_the_basis(name, generator):
    """(V4): without radial functions they lie in the span of KernelBasis, and have as many
    weights."""
    layer = _layer(*CASES[name], generator)
    space, blocks = layer.in_type.space, (layer.in_type.blocks, layer.out_type.blocks)
    basis = kernel_basis(*blocks, Harmonics(space.group, Angular(layer.lmax)))
    vectors = _cloud(space, 30, generator)
    norms = harmonic_norms(layer.lmax, layer.n)
    harmonics = torch.cat(angular_harmonics(layer.lmax, vectors), -1) * norms
    filters = layer.dense().unflatten(0, (layer.radial.features, -1))
    span = basis.at(vectors).dense().flatten(1).mT
    plain = torch.einsum("oim,em->oie", filters[0], harmonics).flatten()[:, None]
    assert_close(span @ torch.linalg.lstsq(span, plain).solution, plain, SYMMETRY)
    assert layer.weight.shape[1] == basis.dim


def test_shifts_are_added(generator):
    """A crystal: images of the points give the same as the points of a larger cell."""
    layer = _layer(*CASES["SO(3)"], generator)
    cell = 2 * torch.eye(3, dtype=torch.float64)
    positions = 2 * torch.rand(3, 3, generator=generator, dtype=torch.float64)
    x = torch.randn(layer.in_type.shape(3), generator=generator, dtype=torch.float64)
    edges, shifts = radius_graph(positions, 2.5, cell=cell)
    larger = cell.clone()
    larger[0, 0] = 4
    twice = torch.cat([positions, positions + torch.tensor([2.0, 0, 0], dtype=torch.float64)])
    more, far = radius_graph(twice, 2.5, cell=larger)
    y = layer(x, positions, edges, shifts)
    assert_close(layer(torch.cat([x, x]), twice, more, far), torch.cat([y, y]), SYMMETRY)


def test_attributes_of_edges_reach_the_radial_network(generator):
    """An attribute that is one on some edges only weighs those otherwise."""
    space = Points(so3())
    h = space.fields("2x0 + 1x1")
    radial = RadialNetwork(2.5, features=5, attributes=1, generator=generator)
    layer = PointConv(h, h, radial, neighbours=6, generator=generator).double()
    positions = _cloud(space, 6, generator, spread=0.5)
    edges, shifts = radius_graph(positions, 2.5)
    x = torch.randn(h.shape(6), generator=generator, dtype=torch.float64)
    first = (edges[1] == 0).double()[:, None]
    y = layer(x, positions, edges, attributes=first)
    other = layer(x, positions, edges, shifts, attributes=torch.zeros_like(first))
    assert (y[0] - other[0]).abs().max() > 1e-3
    assert_close(y[1:], other[1:], ROUNDING)
    for wrong in (None, first[1:], first[:, 0]):
        with pytest.raises(ValueError, match="^attributes: expected"):
            layer(x, positions, edges, attributes=wrong)


def test_bad_input(generator):
    space = Points(so3())
    h = space.fields("2x0 + 1x1")
    radial = RadialNetwork(2.0, generator=generator)
    layer = PointConv(h, h, radial, neighbours=1)
    x, positions = torch.zeros(3, 5), torch.zeros(3, 3)
    edges = torch.zeros(2, 4, dtype=torch.int64)
    for bad, name in (
        ((x, positions[:2], edges), "positions"),
        ((x, positions, edges.int()), "edges"),
        ((x, positions, edges, torch.zeros(3, 3)), "shifts"),
        ((x[:, :4], positions, edges), "x"),
        ((x, positions, edges.to("meta")), "edges"),
        ((x, positions, edges[0]), "edges"),
        ((x, positions, None), "edges"),
        ((x, positions.to("meta"), edges), "positions"),
        ((x, positions, edges, torch.zeros(4, 3, device="meta")), "shifts"),
    ):
        with pytest.raises(ValueError, match=f"^{name}: expected"):
            layer(*bad)
    for bad, name in (
        ((x, positions.double(), edges), "positions: expected torch.float32 .*float64; use pos"),
        ((x, positions.long(), edges), "positions: expected a real floating tensor, got"),
        ((x, positions, edges, torch.zeros(4, 3).double()), "shifts: expected torch.float32"),
    ):
        with pytest.raises(TypeError, match=f"^{name}"):
            layer(*bad)


def test_an_edge_to_no_point(generator):
    """A list padded with -1, taken as numbers from the end, would give other sums."""
    layer = _layer(*CASES["SO(3)"], generator)
    positions = _cloud(layer.in_type.space, 4, generator, spread=0.5)
    x = torch.randn(layer.in_type.shape(4), generator=generator, dtype=torch.float64)
    edges = torch.tensor([[1, 2, -1], [0, 0, 0]])
    with pytest.raises(
        ValueError,
        match="^edges: expected the numbers of neighbour and point, from 0 to 3, got -1; of a ",
    ):
        layer(x, positions, edges)
    for bad in ([[0], [9]], [[9], [0]]):
        with pytest.raises(ValueError, match="^edges: .* from 0 to 3, got 9$"):
            layer(x, positions, torch.tensor(bad))
    kept = edges[:, (edges >= 0).all(0)]
    y = layer(x, positions, kept)
    assert (y - layer(x, positions, edges % 4)).abs().max() > 1e-3
    # Where numbers cannot be read the call is let through; NaN reaches its neighbours alone.
    assert_close(torch.func.vmap(layer, (0, None, None))(x[None], positions, kept)[0], y, SYMMETRY)
    positions[2] = torch.nan
    lost = layer(x, positions, kept).isnan().any(1)
    assert lost.tolist() == [True, False, False, False]


def test_derivatives_at_the_origin(generator):
    layer = _layer(*CASES["SO(3)"], generator)
    x = torch.randn(layer.in_type.shape(3), generator=generator, dtype=torch.float64)
    positions = torch.zeros(3, 3, dtype=torch.float64).requires_grad_()
    edges = torch.tensor([[0, 1], [1, 2]])
    layer(x, positions, edges).square().sum().backward()
    assert positions.grad.isfinite().all()
