"""Convolutions on points in which every channel is turned by itself."""

import e3nn.o3
import torch
from torch.autograd import gradcheck, gradgradcheck

from equinet import Points, o3
from equinet.harmonics import angular_harmonics
from equinet.nn import DepthwisePointConv, RadialNetwork
from equinet.nn.point_conv import direction_kernels
from equinet.ops import edge_order, edge_sum
from equinet.transforms import radius_graph
from tests.tolerances import assert_close

F64 = torch.float64


def layer_of(text_in, text_out, generator, **options):
    space = Points(o3())
    radial = RadialNetwork(2.5, features=5, generator=generator)
    types = space.fields(text_in), space.fields(text_out)
    options = dict(neighbours=6, generator=generator) | options
    return DepthwisePointConv(*types, radial, **options).double()


def cloud(layer, count, generator):
    """Features, positions and edges."""
    positions = torch.randn(count, layer.n, generator=generator, dtype=F64)
    x = torch.randn(layer.in_type.shape(count), generator=generator, dtype=F64)
    return x, positions, radius_graph(positions, 2.5).edges


def test_equals_the_product_uvu_of_e3nn(generator):
    """Along every path, but for the sign of a kernel, with the same weights."""
    text = "3x0e + 2x1o + 1x2e"
    layer = layer_of(text, text, generator, lmax=2)
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
    layer = layer_of("2x0e + 1x1o", "1x0e + 1x1o", generator)
    x, positions, edges = cloud(layer, 4, generator)

    def energy(positions, weight):
        parameters = {"weight": weight}
        arguments = x, positions, edges
        return torch.func.functional_call(layer, parameters, arguments).square().sum()

    inputs = positions.requires_grad_(), layer.weight.detach().clone().requires_grad_()
    assert gradcheck(energy, inputs)
    assert gradgradcheck(energy, inputs)
