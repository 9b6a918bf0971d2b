"""The convolution of networks that are written with e3nn, and the layer that it becomes."""

import math

import e3nn.nn
import e3nn.o3
import pytest
import torch
import torch.nn.functional as F
from e3nn.math import soft_one_hot_linspace

from equinet import Points
from equinet.convert import from_e3nn, from_e3nn_convolution
from equinet.nn import DepthwisePointConv
from equinet.testing import assert_equivariant
from equinet.transforms import Graph, radius_graph
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

pytestmark = pytest.mark.filterwarnings("ignore:.*dead paths")

CUTOFF, POINTS = 2.5, 9


def basis(r):
    """Functions that vanish at the cutoff, as NequIP's envelope makes them."""
    return soft_one_hot_linspace(r, 0.0, CUTOFF, 6, basis="smooth_finite", cutoff=True) * 6**0.5


class Written(torch.nn.Module):
    """The lines that such networks have: tensor product, sum over the edges, linear map.

    Attributes:
        normalization: of the harmonics.
        reverse: whether the vectors of edges lead from the neighbour to the point.
    """

    def __init__(self, x, lmax, out, *, linear=True, biases=False, widths=(6, 8), path="element"):
        super().__init__()
        self.harmonics = e3nn.o3.Irreps.spherical_harmonics(lmax)
        kept, mid, instructions = e3nn.o3.Irreps(out), [], []
        for i, (mul, a) in enumerate(e3nn.o3.Irreps(x)):
            for j, (_, b) in enumerate(self.harmonics):
                for c in a * b:
                    if c in kept:
                        instructions.append((i, j, len(mid), "uvu", True))
                        mid.append((mul, c))
        mid, order, _ = e3nn.o3.Irreps(mid).sort()
        self.product = e3nn.o3.TensorProduct(
            x,
            self.harmonics,
            mid,
            [(i, j, order[k], *rest) for i, j, k, *rest in instructions],
            shared_weights=False,
            path_normalization=path,
        )
        self.network = e3nn.nn.FullyConnectedNet([*widths, self.product.weight_numel], F.silu)
        self.linear = e3nn.o3.Linear(mid.simplify(), out, biases=biases) if linear else None

    def forward(self, x, r, edges, neighbours=1.0, normalization="component"):
        source, target = edges
        y = e3nn.o3.spherical_harmonics(self.harmonics, r, True, normalization)
        messages = self.product(x[source], y, self.network(basis(r.norm(dim=1))))
        sums = torch.zeros(len(x), messages.shape[1]).index_add(0, target, messages)
        sums = sums / math.sqrt(neighbours)
        return sums if self.linear is None else self.linear(sums)


# Irreps in, lmax, irreps out, and options of the network.
CASES = {
    "lmax 1": ("4x0e + 4x1o", 1, "4x0e + 4x1o", {}),
    "lmax 2, both parities": (
        "3x0e + 2x0o + 2x1e + 3x1o + 2x2e",
        2,
        "2x0e + 3x1o + 2x1e + 1x2o",
        {},
    ),
    "lmax 3": ("2x0e + 2x1o + 2x2e + 2x3o", 3, "2x0e + 2x1o + 2x2e + 2x3o", {}),
    "blocks apart": ("2x1o + 3x0e + 1x1o + 2x0e", 2, "2x0e + 1x2e + 1x0e", {"biases": True}),
    "no linear map": ("2x0e + 2x1o", 1, "0e + 1o", {"linear": False}),
    "two hidden layers": ("2x0e + 2x1o", 1, "3x0e", {"widths": (6, 5, 4), "path": "path"}),
    "no hidden layer": ("2x0e + 2x1o", 1, "3x1o", {"widths": (6,)}),
}
every_case = pytest.mark.parametrize("name", CASES)


def _setting(name, default_dtype, dtype=torch.float64):
    default_dtype(dtype)
    torch.manual_seed(0)
    x, lmax, out, options = CASES[name]
    theirs = Written(x, lmax, out, **options)
    if options.get("biases"):
        with torch.no_grad():
            theirs.linear.bias += torch.randn(theirs.linear.bias.shape)
    positions = torch.randn(POINTS, 3)
    graph = radius_graph(positions, CUTOFF)
    return theirs, e3nn.o3.Irreps(x).randn(POINTS, -1), positions, graph


def _converted(theirs, **options):
    layers = theirs.product, theirs.network, theirs.linear
    return from_e3nn_convolution(*layers, basis=basis, **options)


@every_case
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_outputs_are_equal(name, dtype, default_dtype):
    theirs, x, positions, graph = _setting(name, default_dtype, dtype)
    layer = _converted(theirs, neighbours=5.0)
    assert type(layer) is DepthwisePointConv and layer.weight.dtype == dtype
    assert str(layer.in_type) == str(Points("O(3)", 3).fields(CASES[name][0]))
    expected = theirs(x, graph.vectors(positions), graph.edges, 5.0)
    tolerance = ROUNDING if dtype == torch.float64 else 1e-5
    assert_close(
        layer(x, positions, graph), expected, tolerance * float(expected.detach().abs().max())
    )


@every_case
def test_forces_are_equal(name, default_dtype):
    """And the derivatives of forces, with which potentials are trained."""
    theirs, x, positions, graph = _setting(name, default_dtype)
    layer, found = _converted(theirs), []
    for module in (theirs, layer):
        own = x.clone().requires_grad_(), positions.clone().requires_grad_()
        if module is layer:
            y = layer(*own, graph)
        else:
            y = theirs(own[0], graph.vectors(own[1]), graph.edges)
        forces = torch.autograd.grad(y.sin().sum(), own, create_graph=True)
        second = torch.autograd.grad(sum(f.square().sum() for f in forces), own)
        found.append([*forces, *second])
    for expected, actual in zip(*found, strict=True):
        assert_close(actual, expected, SYMMETRY * max(1.0, float(expected.detach().abs().max())))


def test_a_changed_weight_changes_the_output(default_dtype):
    """The negative control, for each of the weights of the network."""
    theirs, x, positions, graph = _setting("lmax 1", default_dtype)
    expected = theirs(x, graph.vectors(positions), graph.edges)
    for parameter in theirs.parameters():
        with torch.no_grad():
            parameter += 0.5 * torch.rand(parameter.shape)
        changed = _converted(theirs)(x, positions, graph)
        assert_close(changed, theirs(x, graph.vectors(positions), graph.edges), ROUNDING)
        assert (changed - expected).abs().max() > 1e-3
        expected = changed


@pytest.mark.parametrize("normalization", ["component", "norm", "integral"])
@pytest.mark.parametrize("reverse", [False, True])
def test_conventions_of_the_harmonics(normalization, reverse, default_dtype):
    theirs, x, positions, graph = _setting("lmax 2, both parities", default_dtype)
    layer = _converted(theirs, normalization=normalization, reverse=reverse)
    r = (-1 if reverse else 1) * graph.vectors(positions)
    expected = theirs(x, r, graph.edges, normalization=normalization)
    assert_close(
        layer(x, positions, graph), expected, ROUNDING * float(expected.detach().abs().max())
    )
    other = theirs(x, -r, graph.edges, normalization=normalization)
    assert (layer(x, positions, graph) - other).abs().max() > 0.1


def test_the_layer_is_one_of_this_library(default_dtype, generator):
    """Equivariant, and equal on a crystal and on attributes of edges."""
    theirs, x, positions, _ = _setting("lmax 1", default_dtype)
    layer = _converted(theirs)
    assert assert_equivariant(layer).max < SYMMETRY
    crystal = radius_graph(positions, CUTOFF, cell=4 * torch.eye(3))
    assert isinstance(crystal, Graph) and crystal.cells.any()
    expected = theirs(x, crystal.vectors(positions), crystal.edges)
    assert_close(
        layer(x, positions, crystal), expected, ROUNDING * float(expected.detach().abs().max())
    )

    def with_kinds(r, kinds):
        return basis(r) * kinds

    typed = from_e3nn_convolution(
        theirs.product, theirs.network, theirs.linear, basis=with_kinds, space=Points("O(3)", 3)
    )
    ones = torch.ones(crystal.edges.shape[1], 1)
    assert_close(typed(x, positions, crystal, attributes=ones), expected, ROUNDING * 100)


def test_a_network_moved_layer_by_layer(default_dtype):
    """Energies and forces of convolutions beside products with species, a norm and a readout."""
    default_dtype(torch.float64)
    torch.manual_seed(0)
    h, species = "4x0e + 3x1o", "2x0e"
    theirs = torch.nn.ModuleDict(
        {
            "embed": e3nn.o3.Linear(species, h),
            "norm": e3nn.nn.BatchNorm(h),
            "first": Written(h, 1, h),
            "own": e3nn.o3.FullyConnectedTensorProduct(h, species, h),
            "second": Written(h, 1, h),
            "readout": e3nn.o3.Linear(h, "1x0e", biases=True),
        }
    ).eval()
    ours = {
        name: _converted(layer, neighbours=4.0) if isinstance(layer, Written) else from_e3nn(layer)
        for name, layer in theirs.items()
    }
    positions = torch.randn(POINTS, 3)
    graph = radius_graph(positions, CUTOFF)
    kinds = F.one_hot(torch.arange(POINTS) % 2, 2).to(positions)

    def energy_and_forces(layers, convolve):
        own = positions.clone().requires_grad_()
        x = layers["embed"](kinds)
        for name in ("first", "second"):
            x = convolve(layers[name], layers["norm"](x), own) + layers["own"](x, kinds)
            x = x * x[:, :1].sigmoid()
        energy = layers["readout"](x).sum()
        return energy.detach(), torch.autograd.grad(energy, own)[0]

    def written(layer, x, r):
        return layer(x, graph.vectors(r), graph.edges, 4.0)

    expected = energy_and_forces(theirs, written)
    found = energy_and_forces(ours, lambda layer, x, r: layer(x, r, graph))
    assert expected[1].norm() > 0.1
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b, SYMMETRY)


def _product(x="2x0e + 2x1o", y="0e + 1o", out="2x0e + 2x1o", mode="uvu", skip=0, more=()):
    every = [(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)][skip:]
    instructions = [(*path, mode, True) for path in [*every, *more]]
    return e3nn.o3.TensorProduct(x, y, out, instructions, shared_weights=False)


def _network(product, **options):
    return e3nn.nn.FullyConnectedNet([6, product.weight_numel], F.silu, **options)


@pytest.mark.parametrize(
    ("product", "words"),
    [
        (_product(skip=1), r"^product: expected a path from .* \[0\] and l=0 to 0e too"),
        (_product(mode="uvw"), "^product: expected paths of the mode uvu"),
        (_product(more=[(0, 0, 0)]), "^product: expected one path from each block"),
        (_product(y="0e + 2x1o"), "^product: expected one irrep 1x0e, 1x1o, .* not 1x0e"),
        (
            e3nn.o3.TensorProduct("2x0e", "1x0e+1x1e", "2x0e", [(0, 0, 0, "uvu", True)]),
            "^product: expected one irrep",
        ),
        (e3nn.o3.TensorProduct("2x0e", "0e", "2x0e", []), "^product: expected at least one path"),
    ],
)
def test_what_has_no_equal_is_refused(product, words):
    with pytest.raises(ValueError, match=words):
        from_e3nn_convolution(product, _network(product), basis=basis)


def test_bad_input():
    product, linear = _product(), e3nn.o3.Linear("2x0e + 2x1o", "2x0e")
    network = _network(product)
    good = dict(basis=basis)
    for layers, options, words in [
        ((product, _network(product, out_act=True)), {}, "^network: expected one with 8 outputs"),
        ((product, e3nn.nn.FullyConnectedNet([6, 5])), {}, "^network: expected one with 8 outputs"),
        (
            (product, network, e3nn.o3.Linear("2x0e", "2x0e")),
            {},
            "^linear: expected a map from 2x0e",
        ),
        ((product, network, linear), dict(neighbours=0), "^neighbours: expected"),
        ((product, network, linear), dict(normalization="x"), "^normalization: expected"),
    ]:
        with pytest.raises(ValueError, match=words):
            from_e3nn_convolution(*layers, **good | options)
    for layers, options, words in [
        ((linear, network), {}, "^product: expected a TensorProduct of e3nn, got Linear"),
        ((product, linear), {}, "^network: expected a FullyConnectedNet of e3nn, got Linear"),
        ((product, network, product), {}, "^linear: expected a Linear of e3nn, got TensorProduct"),
        ((product, network), dict(basis=3), "^basis: expected a function, got int"),
        ((product, network), dict(reverse=1), "^reverse: expected True or False"),
    ]:
        with pytest.raises(TypeError, match=words):
            from_e3nn_convolution(*layers, **good | options)
