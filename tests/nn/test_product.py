"""Learned products of two fields."""

import math

import e3nn.o3
import pytest
import torch

from equinet import Plane, Point
from equinet.field import act, random_field
from equinet.nn import Product
from equinet.testing.counts import all_maps, independent
from tests.laws.cases import quaternion_group
from tests.tolerances import SINGLE, STATISTICAL, SYMMETRY, assert_close

F64 = torch.float64
# Group, dimension, left, right, output, with equal channels on the left and in the output.
CASES = [
    ("SO(2)", 2, "2x0 + 2x1", "1x1 + 2x2", "2x1 + 2x3"),
    ("O(2)", 2, "2x0e + 2x1", "1x1", "2x0o + 2x1"),
    ("C4", 2, "2x1 + 2x2", "3x1", "2x0 + 2x2 + 2x1"),
    ("D4", 2, "2x1 + 2x0o", "1x regular", "2x0e + 2x1"),
    ("SO(3)", 3, "3x0 + 3x1", "2x1 + 1x2", "3x1 + 3x2"),
    ("O(3)", 3, "2x0e + 2x1o", "1x0e + 1x1o + 1x2e", "2x0e + 2x1e + 2x1o"),
    ("T", 3, "1x E + 1x T", "1x T", "1x E + 1x T"),
    ("O", 3, "2x T1 + 2x E", "1x vector", "2x T2 + 2x A1"),
    ("Q8", 4, "1x vector", "1x vector + 1x A1", "1x vector + 1x A1"),
]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
pytestmark = pytest.mark.filterwarnings("ignore:Product. dead paths")


def _make(case, paths="full", generator=None):
    name, n, *texts = case
    point = Point(quaternion_group() if name == "Q8" else name, n)
    return Product(*map(point.fields, texts), paths, generator=generator)


@every_case
@pytest.mark.parametrize("paths", ["full", "channelwise"])
def test_equivariance_and_the_kernel(case, paths, generator):
    """z_o = sum_ij T_oij x_i y_j commutes with the group."""
    module = _make(case, paths, generator).double()
    x = torch.randn(4, module.in_type.channels, generator=generator, dtype=F64)
    y = torch.randn(4, module.right_type.channels, generator=generator, dtype=F64)
    z = module(x, y)
    assert_close(z, torch.einsum("oij,bi,bj->bo", module.dense(), x, y), SYMMETRY)
    g = module.in_type.space.group.sample(4, generator=generator)
    left, right = act(module.in_type, g, x), act(module.right_type, g, y)
    assert_close(module(left, right), act(module.out_type, g, z), SYMMETRY)
    assert (module(left, y) - module(left, right)).abs().max() > 1e-3  # negative control


@every_case
def test_every_bilinear_map_is_reached(case):
    """As many independent weights as characters count maps, none without effect."""
    module = _make(case)
    weights, free = independent(module)
    assert weights == free == all_maps(module) == module.weight.numel()


@every_case
def test_channels_do_not_mix(case, generator):
    """The copies of other channels on the left do not matter."""
    module = _make(case, "channelwise", generator).double()
    _, free = independent(module)
    assert free == module.weight.numel() <= all_maps(module)
    copies = module.left.irreps[0][0]
    x = torch.randn(3, module.in_type.channels, generator=generator, dtype=F64)
    y = torch.randn(3, module.right_type.channels, generator=generator, dtype=F64)
    fibre = module.in_type.fibre
    grouped = [part.clone() for part in module.left(x.mT)]
    for part in grouped:
        part[1:] = 0
    flat = torch.cat([part.flatten(0, 1) for part in grouped])
    flat = flat if fibre.permutation is None else flat[fibre.permutation]
    alone = fibre.change_basis(flat, 0).mT
    z = [part[0] for part in _parts(module, module(x, y))]
    only = [part for part in _parts(module, module(alone, y))]
    for a, b in zip(z, only, strict=True):
        assert_close(b[0], a, SYMMETRY)
        assert copies == 1 or b[1:].abs().max() < SYMMETRY


def _parts(module, z):
    """All copies of each irrep of the output."""
    return type(module.left)(module.out_type).double()(z.mT)


@pytest.mark.parametrize("texts", [("3x0e+2x1o", "2x0e+1x1o+1x2e", "2x0e+3x1o+1x2e+2x1e")])
def test_the_fully_connected_product_of_e3nn(texts, generator):
    fields = Point("O(3)", dim=3).fields
    module = Product(*map(fields, texts), generator=generator).double()
    theirs = e3nn.o3.FullyConnectedTensorProduct(*texts, internal_weights=False).double()
    assert module.weight.numel() == theirs.weight_numel
    x = torch.randn(5, 9, generator=generator, dtype=F64)
    y = torch.randn(5, 10, generator=generator, dtype=F64)
    assert_close(module(x, y), theirs(x, y, module.weight), SINGLE)  # of its constants


def test_the_channelwise_product_of_e3nn(generator):
    """Its paths, which it leaves side by side, are summed here."""
    texts = "3x0e+3x1o", "2x0e+1x1o", "3x0e+3x1o"
    fields = Point("O(3)", dim=3).fields
    module = Product(*map(fields, texts), "channelwise", generator=generator).double()
    instructions = [(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)]
    theirs = e3nn.o3.TensorProduct(
        *texts, [(*path, "uvu", True) for path in instructions], internal_weights=False
    ).double()
    assert module.weight.numel() == theirs.weight_numel
    x = torch.randn(5, 12, generator=generator, dtype=F64)
    y = torch.randn(5, 5, generator=generator, dtype=F64)
    assert_close(module(x, y), theirs(x, y, module.weight), SINGLE)  # of its constants


@every_case
@pytest.mark.parametrize("paths", ["full", "channelwise"])
def test_outputs_start_with_mean_square_one(case, paths, generator):
    squares = []
    for _ in range(20):
        module = _make(case, paths, generator)
        x = torch.randn(200, module.in_type.channels, generator=generator)
        y = torch.randn(200, module.right_type.channels, generator=generator)
        with torch.no_grad():
            z = _parts(module.double(), module(x.double(), y.double()))
        squares.append(torch.stack([part.square().mean() for part in z]))
    squares = torch.stack(squares)
    error = squares.std(0) / math.sqrt(len(squares))
    assert ((squares.mean(0) - 1).abs() < STATISTICAL * error).all(), squares.mean(0)
    assert (error < 0.5).all()


def test_over_a_grid_and_derivatives(generator):
    plane = Plane("D4")
    x_type, y_type = plane.fields("1x0e + 1x1"), plane.fields("1x1")
    module = Product(x_type, y_type, x_type, generator=generator).double()
    x, y = (random_field(t, 2, sizes=(3, 3), dtype=F64) for t in (x_type, y_type))
    z = module(x, y)
    assert_close(z[:, :, 1, 2], module(x[:, :, 1:2, 2:], y[:, :, 1:2, 2:])[:, :, 0, 0], SYMMETRY)
    small = x[:1, :, :1, :1].clone().requires_grad_(), y[:1, :, :1, :1].clone().requires_grad_()
    assert torch.autograd.gradcheck(module, small) and torch.autograd.gradgradcheck(module, small)


def test_bad_input():
    fields, plane = Point("SO(3)", dim=3).fields, Plane("C4").fields("1x1")
    x = fields("2x1")
    with pytest.raises(ValueError, match="^right_type: expected fields over Point"):
        Product(x, plane, x)
    with pytest.raises(TypeError, match="^right_type: expected a FieldType, got str"):
        Product(x, "1x1", x)  # pyright: ignore
    with pytest.raises(ValueError, match="^out_type: there is no equivariant map but zero from"):
        Product(fields("1x0"), fields("1x0"), x)
    with pytest.raises(ValueError, match="^out_type: expected 2 copies of every irrep, .* got 3"):
        Product(x, x, fields("3x1"), "channelwise")
    with pytest.raises(ValueError, match="^paths: expected 'full' or 'channelwise', got 'uvu'"):
        Product(x, x, x, "uvu")
    with pytest.warns(UserWarning, match="dead paths; no product takes 5 of .*: ignored") as got:
        Product(x, fields("1x1 + 1x5"), x)
    assert got[0].filename == __file__
    module = Product(x, x, x)
    for y, kind, words in (
        (torch.ones(3, 6), ValueError, "as many samples and points as x"),
        (torch.ones(2, 3), ValueError, r"\(batch, channel\) = \(batch, 6\)"),
        (torch.ones(2, 6).double(), TypeError, "torch.float32 as x, got torch.float64"),
    ):
        with pytest.raises(kind, match=f"^y: expected {words}"):
            module(torch.ones(2, 6), y)
