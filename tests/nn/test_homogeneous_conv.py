"""Equivariant linear maps between fields over finite homogeneous spaces."""

import math

import pytest
import torch

from equinet import Line, Plane, Sphere, nn, point_group
from equinet.field import HomogeneousSpace, act, torus
from equinet.group import cyclic, dihedral, trivial_group
from equinet.harmonics import Pixels
from equinet.nn.steerable import Steerable
from equinet.rep import Representation, irreps
from equinet.testing import assert_equivariant, report
from tests.laws.module_case import CENTRE, FACES, SET, VERTICES
from tests.tolerances import ROUNDING, STATISTICAL, SYMMETRY, assert_close

F64 = torch.float64
CUBE = HomogeneousSpace(point_group("O"), point_group("C4"))  # its faces
EDGES = HomogeneousSpace(point_group("O"), point_group("C2"))  # directed pairs of edges
CASES = {
    "scalars on vertices": (VERTICES, VERTICES, "2xA", "1xA"),
    "vectors on vertices": (VERTICES, VERTICES, "1xA + 1xE1", "2xA + 1xE2"),
    "vertices to faces": (VERTICES, FACES, "1x regular", "1xA + 2xE"),
    "faces to vertices": (FACES, VERTICES, "1xE", "1xA + 1xE1"),
    "faces to the centre": (FACES, CENTRE, "1xE + 1xA", "1xA + 1xT1"),
    "a set": (SET, SET, "2x trivial + 1x vector", "1xA1 + 1x vector"),
    "a cube": (CUBE, EDGES, "1xE + 1x regular", "1xA + 1xB"),
}
every_case = pytest.mark.parametrize("name", CASES)


def _layer(name, generator):
    space_in, space_out, text_in, text_out = CASES[name]
    types = space_in.fields(text_in), space_out.fields(text_out)
    layer = nn.HomogeneousConv(*types, generator=generator).double()
    if layer.bias is not None:
        torch.nn.init.normal_(layer.bias, generator=generator)
    return layer, torch.randn(types[0].shape(5), generator=generator, dtype=F64)


def _induced(field_type, g):
    """What g does to all channels and points, a matrix, from the definition of a section."""
    section = field_type.space.section
    (number,) = section.group.index(g[None]).tolist()
    s = section.group.elements[list(section.numbers)]
    moved = section.moved[number]
    values = field_type.rho(s[moved].mT @ g @ s)
    found = torch.zeros(*field_type.shape(1)[1:], *field_type.shape(1)[1:], dtype=F64)
    found[:, moved, :, torch.arange(len(s))] = values
    size = field_type.channels * len(section)
    return found.view(size, size)


# --- the theorem ----------------------------------------------------------------------------------


@every_case
def test_it_is_a_matrix_that_commutes(name, generator):
    layer, x = _layer(name, generator)
    weight = layer.dense().detach()
    assert_close(layer(x).flatten(1), x.flatten(1) @ weight.mT + layer.offset(), ROUNDING)
    for g in layer.in_type.space.group.sample(3, generator=generator):
        into, out = _induced(layer.in_type, g), _induced(layer.out_type, g)
        assert_close(weight @ into, out @ weight, SYMMETRY)
        assert_close(out @ layer.offset(), layer.offset(), SYMMETRY)
    noise = torch.randn(weight.shape, generator=generator, dtype=F64)  # negative control
    g = layer.in_type.space.group.generators[-1]
    commutator = noise @ _induced(layer.in_type, g) - _induced(layer.out_type, g) @ noise
    assert commutator.abs().max() > 0.1


@every_case
def test_all_of_them_and_none_twice(name, generator):
    """As many weights as Hom_G has dimensions, by the characters of both induced actions."""
    layer, _ = _layer(name, generator)
    group = layer.in_type.space.group
    trace = [
        float(_induced(layer.in_type, g).trace() * _induced(layer.out_type, g).trace())
        for g in group.elements
    ]
    assert layer.weight.numel() == round(sum(trace) / group.order)
    matrices = []
    for one in torch.eye(layer.weight.numel(), dtype=F64):
        with torch.no_grad():
            layer.weight.copy_(one)
        matrices.append(layer.dense().detach().flatten())
    assert torch.linalg.matrix_rank(torch.stack(matrices)) == len(matrices)


@every_case
def test_fields_move(name, generator):
    layer, x = _layer(name, generator)
    for g in layer.in_type.space.group.generators:
        moved = act(layer.out_type, g, layer(x))
        assert_close(layer(act(layer.in_type, g, x)), moved, SYMMETRY)


# --- closed forms ---------------------------------------------------------------------------------


def test_sets(generator):
    """Between scalars on a set under all permutations: a f + b mean (DeepSets)."""
    layer = nn.HomogeneousConv(SET.fields("1xA1"), SET.fields("1xA1"), generator=generator)
    matrix = layer.double().dense()
    off = matrix[0, 1]
    expected = (matrix[0, 0] - off) * torch.eye(4, dtype=F64) + off
    assert layer.weight.numel() == 2
    assert_close(matrix, expected, ROUNDING)


def test_circular_convolution(generator):
    """Over C_8 itself, with nothing in the fibre, it is torch's circular convolution."""
    circle = HomogeneousSpace(cyclic(8), trivial_group(2))
    angles = [circle.group.elements[i] @ torch.tensor([1.0, 0.0], dtype=F64) for i in range(8)]
    place = torch.tensor([round(float(torch.atan2(v[1], v[0])) * 4 / torch.pi) % 8 for v in angles])
    x_type, y_type = circle.fields("2x trivial"), circle.fields("3x trivial")
    layer = nn.HomogeneousConv(x_type, y_type, bias=False, generator=generator).double()
    taps = Steerable.dense(layer)[:, :, place.argsort()]  # at turns by 0, 1, ... eighths
    f = torch.randn(4, 2, 8, generator=generator, dtype=F64)  # in the order of the angle
    padded = torch.nn.functional.pad(f, (0, 7), mode="circular")
    y = layer(f[:, :, place])
    assert_close(y, torch.nn.functional.conv1d(padded, taps)[:, :, place], ROUNDING)


def test_one_point_is_linear(generator):
    """Over G/G it is ``Linear``: as many maps, all of which Schur's lemma knows."""
    x, y = CENTRE.fields("2xA + 1xT1 + 1xH"), CENTRE.fields("1xA + 2xT1 + 1xH")
    layer, linear = (kind(x, y, generator=generator) for kind in (nn.HomogeneousConv, nn.Linear))
    assert layer.weight.shape == linear.weight.shape
    basis, other = [], []
    for one in torch.eye(linear.weight.numel()):
        with torch.no_grad():
            layer.weight.copy_(one)
            linear.weight.copy_(one)
            basis.append(layer.dense().flatten())
            other.append(linear.dense().flatten())
    both = torch.stack(basis + other)
    assert torch.linalg.matrix_rank(both, rtol=1e-4) == len(basis)


def test_scalars_on_the_icosahedron_see_distance_only(generator):
    """Kernels between scalars are functions of the orbit of a pair: of their distance."""
    layer = nn.HomogeneousConv(VERTICES.fields("1xA"), VERTICES.fields("1xA"), generator=generator)
    assert layer.weight.numel() == 4  # itself, five near ones, five far ones, the opposite one
    row = layer.double().dense()[0].detach()
    _, counts = row.round(decimals=9).unique(return_counts=True)
    assert sorted(counts.tolist()) == [1, 1, 5, 5]


def _maps(layer, order, *sizes):
    """The linear maps of the layer, a row for each weight; channels are taken in an order."""
    channels, points = len(order), math.prod(sizes)
    inputs = torch.eye(channels * points).view(-1, channels, *sizes)[:, order.argsort()]
    found = []
    for one in torch.eye(layer.weight.numel()).view(-1, *layer.weight.shape):
        with torch.no_grad():
            layer.weight.copy_(one)
            found.append(layer(inputs)[:, order].flatten())
    return torch.stack(found)


def _rank(*maps):
    return torch.linalg.matrix_rank(torch.cat(maps), rtol=1e-4)


@pytest.mark.parametrize("text", ["1x trivial", "1x trivial + 1x 0o", "1x regular"])
def test_the_line_that_wraps_round(text):
    """The pentagon under D_5 has the maps of Conv1d on five points with circular padding."""
    angle = 2 * torch.pi * torch.arange(5, dtype=F64) / 5
    pentagon = HomogeneousSpace.of(dihedral(5), torch.stack([angle.cos(), angle.sin()], 1))
    x, y = pentagon.fields(text), Line("O(1)").fields(text)
    layer = nn.HomogeneousConv(x, x, bias=False)
    options = dict(kernel_size=5, padding=2, padding_mode="circular", functions=Pixels)
    ours, theirs = (
        _maps(module, torch.arange(x.channels), 5)
        for module in (layer, nn.Conv1d(y, y, bias=False, **options))
    )
    assert len(ours) == len(theirs) == _rank(ours, theirs)


@pytest.mark.parametrize("group", ["C2", "C4", "D2"])
def test_the_plane_that_wraps_round(group):
    """On a torus it has the maps of a group convolution with circular padding."""
    space, plane = torus(3, group), Plane(group)
    x, y = space.fields("1x regular"), plane.fields("1x regular")
    layer = nn.HomogeneousConv(x, x, bias=False)
    options = dict(kernel_size=3, padding=1, padding_mode="circular", functions=Pixels)
    conv = nn.Conv2d(y, y, bias=False, **options)
    # The same elements of the plane, which are numbered in another way.
    order = plane.group.index(space.fibre_group.elements[:, -2:, -2:].contiguous())
    ours = _maps(layer, torch.arange(x.channels), 9)
    theirs = _maps(conv, order, 3, 3)
    assert len(ours) == len(theirs) == _rank(ours, theirs)
    if group == "C4":  # negative control: components that are mixed up
        wrong = _maps(conv, torch.tensor([0, 1, 3, 2]), 3, 3)
        assert _rank(ours, wrong) > len(ours)


# --- what a layer promises ------------------------------------------------------------------------


def test_variance_is_kept(generator):
    """In the mean over fields and weights, for white noise."""
    for space, text in ((VERTICES, "6x regular + 4xE1"), (SET, "20xA1 + 8xE + 6x vector")):
        x = space.fields(text)
        layer = nn.HomogeneousConv(x, x, bias=False, generator=generator)
        y = layer(torch.randn(x.shape(500), generator=generator)).detach()
        assert abs(y.square().mean() - 1) < STATISTICAL * (2 / layer.weight.numel()) ** 0.5


def test_export_is_a_dense_matrix(generator):
    layer, x = _layer("vertices to faces", generator)
    flatten, linear, unflatten = layer.export()
    kinds = [type(part) for part in (flatten, linear, unflatten)]
    assert kinds == [torch.nn.Flatten, torch.nn.Linear, torch.nn.Unflatten]
    assert_close(layer.export()(x), layer(x), ROUNDING)


def test_the_bias_is_a_constant_section(generator):
    """One number for each invariant vector of the fibre; moved by every element to itself."""
    layer, x = _layer("vectors on vertices", generator)
    assert layer.bias.shape == (2,)
    constant = layer(0 * x)
    assert_close(constant[:, :2], layer.bias[:, None].expand(5, 2, 12), ROUNDING)
    assert_close(constant[:, 2:], torch.zeros(5, 2, 12), ROUNDING)


def test_dead_paths():
    """The centre has vectors T1 only where the face has A or E: T1 of I holds A + E of C_3."""
    x, y = CENTRE.fields("1xA + 1xT1"), VERTICES.fields("1xA + 1xE2")
    with pytest.warns(UserWarning, match="HomogeneousConv: dead paths; no kernel ends in E2") as w:
        layer = nn.HomogeneousConv(x, y)
    assert w[0].filename == __file__
    assert layer.dead_paths() == [("A", "E2"), ("T1", "E2")]
    with pytest.raises(ValueError, match="^out_type: there is no equivariant map but zero from"):
        nn.HomogeneousConv(CENTRE.fields("1xT1"), VERTICES.fields("1xE2"))


def test_bad_input():
    x = VERTICES.fields("1xA")
    with pytest.raises(TypeError, match="^out_type: expected a FieldType, got str"):
        nn.HomogeneousConv(x, "1xA")
    for other in (Plane("C4").fields("1x trivial"), Sphere(3).fields("1x0")):
        with pytest.raises(ValueError, match="^in_type: expected fields over a HomogeneousSpace"):
            nn.HomogeneousConv(other, x)
        with pytest.raises(ValueError, match="^out_type: expected fields over a HomogeneousSpace"):
            nn.HomogeneousConv(x, other)
    with pytest.raises(ValueError, match="^out_type: expected fields over a space of I,"):
        nn.HomogeneousConv(x, SET.fields("1xA1"))


# --- other modules over finite spaces -------------------------------------------------------------


def test_the_mean_is_of_what_is_invariant(generator):
    """Of a regular field over all of G, of a vector nothing."""
    x_type = VERTICES.fields("1xA + 2x regular")
    x = torch.randn(x_type.shape(3), generator=generator)
    pool = nn.GlobalAvgPool(x_type)
    expected = torch.cat([x[:, :1].mean(2), x[:, 1:].unflatten(1, (2, 5)).mean((2, 3))], 1)
    assert pool.out_type is None
    assert_close(pool(x), expected, 1e-6)
    largest = torch.cat([x[:, :1].amax(2), x[:, 1:].unflatten(1, (2, 5)).amax((2, 3))], 1)
    assert_close(nn.GlobalMaxPool(x_type)(x), largest, 0)
    assert not nn.GlobalMaxPool(x_type).aliases
    with pytest.raises(ValueError, match="^in_type: over HomogeneousSpace.* an invariant vector"):
        nn.GlobalAvgPool(VERTICES.fields("1xA + 1xE1"))


def test_the_mean_in_a_skew_basis(generator):
    """Where rho is not orthogonal the component along an invariant vector is not a projection."""
    group = SET.fibre_group
    psis = [psi for psi in irreps(group) if psi.name in ("A1", "E")]
    Q = torch.randn(3, 3, generator=generator, dtype=F64)
    x_type = SET.fields([(2, Representation(group, "skew", tuple(psis), Q))])
    pool = nn.GlobalAvgPool(x_type).double()
    x = torch.randn(x_type.shape(3), generator=generator, dtype=F64)
    for g in SET.group.generators:
        assert_close(pool(act(x_type, g, x)), pool(x), SYMMETRY)
    constant = x_type.fibre.invariants[:, 1].expand(1, 4, 6).mT
    assert_close(pool(constant), torch.tensor([[0.0, 1.0]]), ROUNDING)


REFUSED = {
    "Conv2d": lambda x: nn.Conv2d(x, x, 3),
    "ConvTranspose3d": lambda x: nn.ConvTranspose3d(x, x, 3),
    "PointConv": lambda x: nn.PointConv(x, x, nn.RadialNetwork(1.0), neighbours=1.0),
    "SphereConv": lambda x: nn.SphereConv(x, x),
    "AvgPool": lambda x: nn.AvgPool(x, 2),
    "MaxPool": lambda x: nn.MaxPool(x, 2),
    "NormMaxPool": lambda x: nn.NormMaxPool(x, 2),
    "Downsample": lambda x: nn.Downsample(x, 2),
    "Upsample": lambda x: nn.Upsample(x, 2),
    "Integrate": nn.Integrate,
    "Restrict": lambda x: nn.Restrict(x, "C1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_needs_another_space(name):
    with pytest.raises(ValueError, match="^in_type: expected fields over .*, got Homogeneous"):
        REFUSED[name](VERTICES.fields("1x trivial"))


def test_what_would_mend_a_sequence():
    x, h = VERTICES.fields("1xA"), FACES.fields("1xE")
    with pytest.raises(ValueError, match="put enn.HomogeneousConv from .* to .* between them"):
        nn.Sequential(nn.Identity(x), nn.Identity(h))
    with pytest.raises(ValueError, match="let both be spaces of one group, I or S4"):
        nn.Sequential(nn.Identity(x), nn.Identity(SET.fields("1xA1")))


def test_a_network(generator):
    """From vertices to faces and to numbers: what it costs, and that it is equivariant."""
    x, h, f = VERTICES.fields("1xA + 1xE1"), VERTICES.fields("4x regular"), FACES.fields("3xA")
    net = nn.Sequential(
        nn.HomogeneousConv(x, h, generator=generator),
        nn.BatchNorm(h),
        nn.ReLU(h),
        nn.HomogeneousConv(h, f, generator=generator),
        nn.GlobalMaxPool(f),
        torch.nn.Linear(3, 2),
    )
    assert assert_equivariant(net).max < 1e-5
    found = report(net)
    assert [layer.kind for layer in found.layers] == [
        "HomogeneousConv", "BatchNorm", "ReLU", "HomogeneousConv", "GlobalMaxPool",
    ]  # fmt: skip
    costs = nn.summary(net)
    assert costs.layers[0].output == (1, 20, 12)
    assert costs.layers[0].flops == 2 * (20 * 12) * (3 * 12)
    broken = torch.nn.Sequential(net[0], torch.nn.Linear(12, 12))  # negative control
    with pytest.raises(AssertionError, match="is not equivariant"):
        assert_equivariant(broken, x, h)
