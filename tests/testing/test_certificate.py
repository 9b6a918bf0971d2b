"""Whether a layer is equivariant, and universal: three counts that know nothing of each other."""

import functools

import pytest
import torch
from torch.nn.utils import parametrize

from equinet import Line, Plane, Point, Points, Sphere, Volume, nn, point_group, symmetric
from equinet.field import HomogeneousSpace
from equinet.group import axial, direct_product, inversion, so2
from equinet.harmonics import Harmonics, Pixels, filter_grid, gaussian_shells, shell_harmonics
from equinet.steerable import kernel_basis, near_identity, smooth
from equinet.testing import Certificate, certificate
from equinet.testing.counts import all_maps, independent

F64 = torch.float64
C4, D4, SPACE = Plane("C4"), Plane("D4"), Volume("SO(3)")
SET = HomogeneousSpace.of(symmetric(4), torch.eye(4))


def _conv(kind, space, text_in, text_out, size, **options):
    return kind(space.fields(text_in), space.fields(text_out), size, **options)


def _points(lmax=None):
    x = Points("O(3)", dim=3).fields("2x0e + 1x1o")
    radial = nn.RadialNetwork(2.0, features=3)
    return nn.PointConv(x, x, radial, neighbours=4.0, lmax=lmax)


def _sphere(text_in, text_out, filter):
    sphere = Sphere(4)
    return nn.SphereConv(sphere.fields(text_in), sphere.fields(text_out), filter)


def _vertices(text_in, text_out):
    return nn.HomogeneousConv(SET.fields(text_in), SET.fields(text_out))


def _linear(space, text):
    return nn.Linear(space.fields(text), space.fields(text))


pixels = dict(functions=Pixels)
# Layers with as many maps as there are, and that number.
UNIVERSAL = {
    "p4": (lambda: _conv(nn.Conv2d, C4, "2x regular", "1x regular", 3, **pixels), 2 * 4 * 9),
    "p4m": (lambda: _conv(nn.Conv2d, D4, "1x regular", "1x trivial", 5, **pixels), 25),
    "an even filter": (lambda: _conv(nn.Conv2d, C4, "1x regular", "1x vector", 2, **pixels), 8),
    "the line": (lambda: _conv(nn.Conv1d, Line("O(1)"), "1x trivial", "1x vector", 5, **pixels), 2),
    "groups": (
        lambda: _conv(nn.Conv2d, C4, "2x regular", "2x trivial", 3, groups=2, **pixels),
        2 * 9,
    ),
    "transposed": (lambda: _conv(nn.ConvTranspose2d, C4, "1x regular", "1x1", 3, **pixels), 18),
    "Linear": (lambda: _linear(Point("O(3)", dim=3), "2x0e + 3x1o"), 4 + 9),
    "Linear, complex": (lambda: _linear(C4, "2x1"), 2 * 4),
    "PointConv": (_points, 3 * (4 + 2 + 2 + 2)),
    "zonal": (lambda: _sphere("2x trivial", "1x trivial", smooth(knots=4)), 2 * 4),
    "spin": (lambda: _sphere("1x0 + 1x1", "2x1", smooth(knots=4)), 2 * 3 * (2 + 4)),
    "sets": (lambda: _vertices("2x trivial", "3x trivial"), 2 * 6),
    "vectors on a set": (lambda: _vertices("1xE + 1x vector", "1x vector"), None),
}
# Layers that lack some: weights, free ones, and how many there are.
LACKING = {
    "smooth kernels": (
        lambda: _conv(nn.Conv2d, C4, "1x regular", "1x regular", 3),
        "its functions do not span all kernels on the taps",
    ),
    "scalar kernels": (
        lambda: _conv(
            nn.Conv3d, SPACE, "1x0 + 1x1", "1x0 + 1x1", 5,
            functions=functools.partial(shell_harmonics, lmax=0),
        ),
        "its functions do not span all kernels on the taps",
    ),
    "PointConv of degree 1": (lambda: _points(1), "its harmonics end at too low a degree"),
    "a localised filter": (
        lambda: _sphere("1x trivial", "1x trivial", near_identity(n_beta=2)),
        "its filter does not reach all matrices of all degrees",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNIVERSAL)
def test_universal(name):
    make, dim = UNIVERSAL[name]
    found = certificate(make())
    (layer,) = found.layers
    assert layer.free == layer.dim and found.is_universal and found.is_equivariant
    assert dim is None or layer.dim == dim
    assert found.verdict.startswith("universal: every equivariant linear map")
    assert layer.error < 1e-12 and layer.error == found.error


@pytest.mark.parametrize("name", LACKING)
def test_missing_dimensions(name):
    make, why = LACKING[name]
    found = certificate(make())
    (layer,) = found.layers
    missing = layer.dim - layer.free
    assert missing > 0 and found.is_equivariant and not found.is_universal
    assert found.verdict == (
        f"equivariant, but {missing} of {layer.dim} dimensions are missing: {why}"
    )


# --- layers that were spoilt ----------------------------------------------------------------------


class Tied(torch.nn.Module):
    """The second weight is the first one."""

    def forward(self, weight):
        return torch.cat([weight[:, :1], weight[:, :1], weight[:, 2:]], 1)


class Dropped(torch.nn.Module):
    """The last weight is always zero."""

    def forward(self, weight):
        return torch.cat([weight[:, :-1], 0 * weight[:, -1:]], 1)


class Normed(torch.nn.Module):
    """A vector of weights of length 1: the map from the parameters is not linear."""

    def forward(self, weight):
        return weight / weight.norm()


@pytest.mark.parametrize("change", [Tied, Dropped, Normed])
@pytest.mark.parametrize("name", ["p4", "vectors on a set", "Linear"])
def test_a_weight_that_is_not_free_is_missed(name, change):
    layer = UNIVERSAL[name][0]()
    parametrize.register_parametrization(layer, "weight", change())
    (row,) = certificate(layer).layers
    assert row.free == row.weights - 1 == row.dim - 1 and row.is_equivariant
    assert "1 of " in row.verdict and "do nothing of their own" in row.verdict


class Leaning(nn.Conv2d):
    """A convolution whose filter has grown heavier on one side."""

    def dense(self, weight=None):
        filters = super().dense(weight)
        return filters * torch.linspace(1, 2, filters.shape[-1]).to(filters)


def test_not_equivariant():
    x = C4.fields("1x regular")
    for layer in (Leaning(x, x, 3, functions=Pixels), torch.nn.Conv2d(4, 4, 3)):
        found = certificate(layer, x, x)
        assert found.verdict.startswith("not equivariant: error ")
        assert not found.is_equivariant and not found.is_universal and found.error > 0.01
    (row,) = certificate(torch.nn.Conv2d(4, 4, 3), x, x).layers
    assert row.weights is None and row.free is None and row.dim is None


def test_an_export_is_equivariant():
    """It has no types, so nothing is counted, but it computes the same."""
    layer = UNIVERSAL["p4"][0]()
    found = certificate(layer.export(), layer.in_type, layer.out_type)
    assert found.verdict == "equivariant" and found.layers[0].kind == "Conv2d"


# --- the theory -----------------------------------------------------------------------------------

RICH = [
    (Plane("SO(2)"), "1x0 + 1x1", 3, 8),
    (Plane("O(2)"), "1x0e + 1x0o + 1x1", 3, 8),
    (Plane("C8"), "1x1 + 1x3", 3, 9),
    (SPACE, "1x0 + 1x1", 3, 4),
    (Volume("O(3)"), "1x0o + 1x1o", 3, 4),
    (Volume(point_group("T")), "1x vector", 3, 6),
    (Volume(axial("Cinf")), "1x vector", (2, 2, 1), 5),
    (Volume(axial("Cinfv")), "1x trivial + 1x vector", (2, 2, 1), 5),
    (Volume(axial("Cinfh")), "1x vector", (1, 1, 2), 4),
    (Volume(axial("Dinf")), "1x vector", (3, 3, 1), 5),
    (Volume(axial("Dinfh")), "1x trivial + 1x vector", (3, 3, 1), 5),
    (Volume(axial("Dinfh", (0.0, 1.0, 0.0))), "1x vector", 2, 5),
]


@pytest.mark.parametrize("space, text, size, lmax", RICH, ids=str)
def test_kernels_at_taps_against_a_rich_family(space, text, size, lmax):
    """Harmonics of many degrees and shells span every kernel on few taps."""
    x = space.fields(text)
    kind = nn.Conv2d if space.n == 2 else nn.Conv3d
    layer = kind(x, x, size)
    grid = filter_grid(layer.kernel_size)
    functions = Harmonics(space.group, gaussian_shells(4, lmax=lmax))
    kernels = kernel_basis(x.blocks, x.blocks, functions).at(grid.points)
    assert torch.linalg.matrix_rank(kernels.dense().flatten(1), rtol=1e-7) == all_maps(layer)


def test_a_group_whose_kernels_are_not_counted():
    """No number is claimed for it."""
    x = Volume(direct_product(so2(), inversion(1))).fields("1x trivial")
    found = certificate(nn.Conv3d(x, x, 3))
    assert found.layers[0].dim is None and not found.is_universal
    assert found.verdict == "equivariant; the dimension of all maps of this kind is not known"


def test_large_layers_are_counted_quickly():
    """Blocks between pairs of fields are had together: 16 * 16 pairs, each of 9 * 4."""
    x = C4.fields("16x regular")
    layer = nn.Conv2d(x, x, 3, functions=Pixels)
    assert independent(layer) == (16 * 16 * 36, 16 * 16 * 36) and all_maps(layer) == 16 * 16 * 36


# --- networks -------------------------------------------------------------------------------------


def _network():
    x, h = C4.fields("1x trivial"), C4.fields("2x regular")
    return nn.Sequential(
        nn.Conv2d(x, h, 3, padding=1, functions=Pixels),
        nn.BatchNorm(h),
        nn.ReLU(h),
        nn.Residual(nn.Conv2d(h, h, 3, padding=1)),
        nn.GroupPool(h),
        nn.GlobalAvgPool(nn.GroupPool(h).out_type),
        torch.nn.Linear(2, 5),
    )


def test_a_network():
    net = _network().train()
    found = certificate(net)
    kinds = [layer.kind for layer in found.layers]
    assert kinds == [
        "Conv2d", "BatchNorm", "ReLU", "Conv2d", "Identity", "GroupPool", "GlobalAvgPool", "Linear",
    ]  # fmt: skip
    assert [layer.name for layer in found.layers][3] == "3.body"
    assert found.is_equivariant and not found.is_universal
    assert found.verdict == "equivariant; 1 of 2 layers with kernels are universal"
    assert found.layers[1].verdict == "equivariant"
    assert found.layers[-1].verdict == "acts on invariants, where every map is equivariant"
    assert net.training and next(net.parameters()).dtype == torch.float32


def test_the_layer_that_spoils_a_network():
    """Plain layers between typed ones are measured, and named."""
    x = C4.fields("2x1")
    with pytest.warns(UserWarning, match=r"^module 1 \(ReLU\) of plain torch"):
        net = nn.Sequential(
            nn.Conv2d(x, x, 3, padding=1),
            torch.nn.ReLU(),
            nn.Conv2d(x, x, 3, padding=1),
            torch.nn.Conv2d(4, 4, 3),
            torch.nn.Conv2d(4, 4, 3),
        )
    found = certificate(net)
    passed = [layer.is_equivariant for layer in found.layers]
    assert passed == [True, False, True, None, None]
    assert found.verdict.startswith("not equivariant: error ")
    assert found.layers[3].verdict == "not measured: no types on both sides of it"


def test_a_plain_network():
    """What was exported has no types inside; the whole is measured all the same."""
    net = _network()
    found = certificate(net.export(), net.in_type)
    assert found.verdict == "equivariant" and not found.is_universal
    assert all(layer.weights is None for layer in found.layers)


def test_aliasing_is_said():
    h = Sphere(8).fields("1x trivial")
    assert certificate(nn.Pointwise(h, torch.tanh)).verdict == "equivariant up to aliasing"


def test_the_table():
    found = certificate(_network())
    assert isinstance(found, Certificate)
    lines = str(found).splitlines()
    assert lines[0] == "certificate of Sequential, Plane('C4').fields('1x trivial')"
    assert lines[1].split() == ["layer", "kind", "weights", "free", "of", "error", "verdict"]
    assert lines[3].split()[:5] == ["0", "Conv2d", "18", "18", "18"]
    start, rules = lines[1].index("verdict"), [i for i, line in enumerate(lines) if line[0] == "-"]
    assert rules[0] == 2 and len(rules) == 2 and max(map(len, lines)) <= 100
    verdicts = [*(layer.verdict for layer in found.layers), found.verdict]
    shown = " ".join(line[start:] for line in lines[3:] if line[0] != "-")
    assert shown == " ".join(verdicts)  # whole, if some of them on several lines
    assert lines[rules[1] + 1].split()[:2] == ["all", "Sequential"]


def test_points_take_their_arguments():
    """Positions and edges are drawn, or given for the whole model."""
    positions = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=F64)
    edges = (1 - torch.eye(5)).nonzero().T.contiguous()
    found = certificate(_points(), arguments=dict(positions=positions, edges=edges))
    assert found.is_universal


def test_bad_input():
    with pytest.raises(ValueError, match="^in_type: expected a FieldType, since Conv2d does not"):
        certificate(torch.nn.Conv2d(4, 4, 3))
