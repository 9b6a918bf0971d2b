"""Convolutions on points in which every channel is turned by itself."""

import e3nn.o3
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from equinet import Points, o2, o3, octahedral, so2, so3
from equinet.harmonics import angular_harmonics
from equinet.nn import DepthwisePointConv, RadialNetwork
from equinet.nn.point_conv import direction_kernels
from equinet.ops import edge_order, edge_sum
from equinet.transforms import radius_graph
from tests.tolerances import ROUNDING, STATISTICAL, SYMMETRY, assert_close

F64 = torch.float64
CASES = {
    "SO(3)": (so3(), "4x0 + 3x1 + 2x2", "2x0 + 2x1 + 1x3"),
    "O(3)": (o3(), "1x1o + 2x0e + 2x1o + 1x1e", "1x0o + 2x1o + 1x2e"),
    "SO(2)": (so2(), "2x0 + 2x1", "1x0 + 1x2"),
    "O(2)": (o2(), "2x0e + 2x1", "1x0o + 1x0e + 1x1"),
    "O": (octahedral(), "1x T1 + 2x regular", "1x T1 + 1x regular"),
}


def layer_of(case, generator, **options):
    group, text_in, text_out = case
    space = Points(group)
    radial = RadialNetwork(2.5, features=5, generator=generator)
    types = space.fields(text_in), space.fields(text_out)
    options = dict(neighbours=6, generator=generator) | options
    return DepthwisePointConv(*types, radial, **options).double()


def cloud(layer, count, generator):
    """Features, positions and edges."""
    positions = torch.randn(count, layer.n, generator=generator, dtype=F64)
    x = torch.randn(layer.in_type.shape(count), generator=generator, dtype=F64)
    return x, positions, radius_graph(positions, 2.5).edges


@pytest.mark.parametrize("name", CASES)
def test_the_sum_over_neighbours_written_out(name, generator):
    """With the dense filters, edge by edge."""
    layer = layer_of(CASES[name], generator)
    x, positions, edges = cloud(layer, 7, generator)
    vectors = positions[edges[0]] - positions[edges[1]]
    harmonics = torch.cat(angular_harmonics(layer.lmax, vectors), -1)
    filters = layer.dense().unflatten(0, (layer.radial.features, -1))
    radial = layer.radial(vectors.norm(dim=1))
    kernels = torch.einsum("ek,koim,em->eoi", radial, filters, harmonics)
    bias = layer.mix.shift()
    y = torch.zeros(layer.out_type.shape(7), dtype=F64) if bias is None else bias.repeat(7, 1)
    for e in range(edges.shape[1]):
        y[edges[1, e]] += kernels[e] @ x[edges[0, e]]
    assert_close(layer(x, positions, edges), y, SYMMETRY)


def test_equals_the_product_uvu_of_e3nn(generator):
    """Along every path, but for the sign of a kernel, with the same weights."""
    text = "3x0e + 2x1o + 1x2e"
    layer = layer_of((o3(), text, text), generator, lmax=2)
    pairs = direction_kernels(layer.in_type.blocks, layer.out_type.blocks, 2).pairs
    kinds, between, instructions = list(layer.in_type.fibre.counts.items()), [], []
    for psi_out, psi_in in pairs:
        ends = e3nn.o3.Irrep(psi_in.name), e3nn.o3.Irrep(psi_out.name)
        number = next(i for i, (psi, _) in enumerate(kinds) if psi == psi_in)
        for l in range(3):
            if e3nn.o3.Irrep(l, (-1) ** l) in ends[0] * ends[1]:
                instructions.append((number, l, len(between), "uvu", True))
                between.append((kinds[number][1], ends[1]))
    product = e3nn.o3.TensorProduct(
        text,
        e3nn.o3.Irreps.spherical_harmonics(2),
        e3nn.o3.Irreps(between),
        instructions,
        path_normalization="none",
        internal_weights=False,
        shared_weights=False,
    ).double()
    x, positions, edges = cloud(layer, 6, generator)
    vectors = positions[edges[0]] - positions[edges[1]]
    hidden = layer.radial(vectors.norm(dim=1))
    theirs = product(
        x[edges[0]],
        e3nn.o3.spherical_harmonics([0, 1, 2], vectors, True, "component"),
        hidden @ layer.weight,
    )
    count = edges.shape[1]
    order = edge_order(torch.stack([edges[0], torch.arange(count)]), 6, count)
    kernels = torch.cat(angular_harmonics(2, vectors), -1) @ layer.kernels
    ours = edge_sum(layer._paths.plan, x, kernels, hidden, layer.weight, order)
    assert len(between) == len(layer._paths.plan.paths) == 11
    # Ours have the channels of all paths to one irrep side by side.
    sizes = [mul * irrep.dim for mul, irrep in between]
    parts = iter(theirs.split(sizes, 1))
    blocks = ours.split([dim * sum(many) for dim, many in layer._paths.plan.results], 1)
    pairs = [
        (a.flatten(1), next(parts).unflatten(1, (channels, dim)).mT.flatten(1))
        for block, (dim, many) in zip(blocks, layer._paths.plan.results, strict=True)
        for a, channels in zip(block.unflatten(1, (dim, -1)).split(many, 2), many, strict=True)
    ]
    for a, b in pairs:
        assert_close(a, b * (a * b).sum().sign(), 1e-6)  # e3nn's constants are in float32


def test_forces_and_their_gradients(generator):
    """Of an energy, as a potential learns them."""
    layer = layer_of((o3(), "2x0e + 1x1o", "1x0e + 1x1o"), generator)
    x, positions, edges = cloud(layer, 4, generator)

    def energy(positions, weight):
        parameters = {"weight": weight}
        arguments = x, positions, edges
        return torch.func.functional_call(layer, parameters, arguments).square().sum()

    inputs = positions.requires_grad_(), layer.weight.detach().clone().requires_grad_()
    assert gradcheck(energy, inputs)
    assert gradgradcheck(energy, inputs)


def test_variance_is_kept(generator):
    """For directions and features that are random."""
    space = Points(so3())
    types = space.fields("16x0 + 16x1 + 8x2"), space.fields("40x0 + 40x1 + 20x2")

    class One(torch.nn.Module):
        features = 1

        def forward(self, r):
            return torch.ones_like(r)[..., None]

    layer = DepthwisePointConv(*types, One(), neighbours=9, bias=False, generator=generator)
    count = 300
    positions = torch.randn(10 * count, 3, generator=generator)
    points = torch.arange(count)
    edges = torch.stack([count + torch.arange(9 * count), points.repeat_interleave(9)])
    x = torch.randn(types[0].shape(10 * count), generator=generator)
    y = layer(x, positions, edges)[:count].detach()
    for (mul, rho), part in zip(types[1].blocks, types[1].split(y), strict=True):
        error = (2 / (mul * rho.dim)) ** 0.5
        assert abs(part.square().mean() - 1) < 2 * STATISTICAL * error, rho


def test_points_without_neighbours_have_the_bias(generator):
    layer = layer_of(CASES["SO(3)"], generator)
    torch.nn.init.normal_(layer.mix.bias, generator=generator)
    x, positions, _ = cloud(layer, 3, generator)
    y = layer(x, positions, torch.zeros(2, 0, dtype=torch.int64))
    assert_close(y, layer.mix.shift().expand(3, -1), ROUNDING)


def test_bad_input(generator):
    space = Points(so3())
    h, radial = space.fields("2x0 + 1x1"), RadialNetwork(2.0, generator=generator)
    with pytest.raises(ValueError, match="^radial: expected a module with the attribute features"):
        DepthwisePointConv(h, h, torch.nn.Identity(), neighbours=1)
    with pytest.raises(ValueError, match="^lmax: there is no kernel but zero"):
        DepthwisePointConv(space.fields("1x0"), space.fields("1x2"), radial, neighbours=1, lmax=1)
    layer = DepthwisePointConv(h, h, radial, neighbours=1)
    x, positions = torch.zeros(3, 5), torch.zeros(3, 3)
    for edge in (-1, 3):
        with pytest.raises(ValueError, match="^edges: expected the numbers of neighbour and point"):
            layer(x, positions, torch.tensor([[0, edge], [1, 2]]))
    with pytest.raises(ValueError, match=r"^positions: expected \(3, 3\), got \(2, 3\)"):
        layer(x, positions[:2], torch.tensor([[0], [1]]))
