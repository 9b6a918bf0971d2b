"""Learned polynomials of a field."""

import math

import e3nn.o3
import pytest
import torch

from equinet import Plane, Point, Points
from equinet.field import act, random_field
from equinet.nn import SymmetricPower
from equinet.rep import direct_sum, hom, irrep, symmetric_power
from equinet.steerable.polynomials import SymmetricMaps, equivariant_polynomials
from equinet.testing import certificate
from equinet.testing.counts import all_maps, independent
from tests.laws.cases import quaternion_group
from tests.tolerances import ROUNDING, STATISTICAL, SYMMETRY, assert_close

F64 = torch.float64
CASES = [
    ("SO(2)", 2, "2x0 + 2x1", "2x1 + 2x2", 3),
    ("C4", 2, "2x1", "2x0 + 2x2 + 2x1", 4),
    ("D4", 2, "2x1 + 2x0o", "2x0e + 2x1", 3),
    ("SO(3)", 3, "2x0 + 2x1 + 2x2", "2x0 + 2x1", 3),
    ("O(3)", 3, "2x0e + 2x1o", "2x0e + 2x1o + 2x2e", 3),
    ("T", 3, "1x E + 1x T", "1x E + 1x T", 2),
    ("O", 3, "2x T1 + 2x A1", "2x E + 2x T1", 3),
    ("Q8", 4, "1x vector", "1x vector", 3),
]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
pytestmark = pytest.mark.filterwarnings("ignore:SymmetricPower. dead paths")


def _make(case, generator=None, **options):
    name, n, *texts, order = case
    point = Point(quaternion_group() if name == "Q8" else name, n)
    types = map(point.fields, texts)
    return SymmetricPower(*types, order, generator=generator, **options).double()


@every_case
def test_equivariance_and_channels(case, generator):
    module = _make(case, generator)
    x = torch.randn(4, module.in_type.channels, generator=generator, dtype=F64)
    z = module(x)
    g = module.in_type.space.group.sample(4, generator=generator)
    moved = module(act(module.in_type, g, x))
    assert_close(moved, act(module.out_type, g, z), SYMMETRY)
    assert (moved - z).abs().max() > 1e-3  # negative control
    # The first copy of each irrep comes from the first copies alone.
    fields = module.in_type.split(x)
    first = torch.cat([(part * _first(part)).flatten(1) for part in fields], 1)
    for all_of_them, alone in zip(
        module.out_type.split(z), module.out_type.split(module(first)), strict=True
    ):
        assert_close(alone[:, 0], all_of_them[:, 0], SYMMETRY)
        assert (alone[:, 1:] == 0).all()


def _first(part):
    return (torch.arange(part.shape[1]) == 0).to(part)[:, None]


@every_case
def test_every_polynomial_is_reached(case):
    """As many independent weights as characters count, and as the powers' irreps count."""
    module = _make(case)
    weights, free = independent(module)
    assert weights == free == all_maps(module) == module.weight.numel()
    one = direct_sum(*(irrep(psi.group, psi.name) for psi in module.in_type.fibre.counts))
    assert certificate(module).is_universal
    counts = [
        sum(len(hom(symmetric_power(one, nu), irrep(out.group, out.name))) for nu in range(1, 3))
        for out in module.out_type.fibre.counts
    ]
    psis, outs = (tuple(t.fibre.counts) for t in (module.in_type, module.out_type))
    assert [len(p) for p in equivariant_polynomials(psis, outs, 2)] == counts


def test_many_variables():
    """Of 25 variables to the fourth degree there are as many as characters say, in no long time."""
    fields = Point("O(3)", 3).fields
    irreps, outs = fields("1x0e + 1x1o + 1x2e + 1x3o + 1x4e"), fields("1x0e + 1x1o")
    psis = tuple(irreps.fibre.counts)
    for out, polynomials in zip(
        outs.fibre.counts,
        equivariant_polynomials(psis, tuple(outs.fibre.counts), 4),
        strict=True,
    ):
        assert len(polynomials) == SymmetricMaps(psis, (out,), 4).dim


def test_the_span_is_that_of_symmetric_tensors_of_e3nn(generator):
    """All vectors that are cubic in a scalar and a vector."""
    theirs = e3nn.o3.ReducedTensorProducts(
        "ijk=jik=jki", i="1x0e+1x1o", filter_ir_out=[e3nn.o3.Irrep("1o")]
    ).double()
    copies = theirs.irreps_out.dim // 3
    point = Point("O(3)", dim=3)
    module = SymmetricPower(point.fields("1x0e + 1x1o"), point.fields("1x1o"), 3).double()
    x = torch.randn(30, 4, generator=generator, dtype=F64)
    with torch.no_grad():
        expected = theirs(x, x, x).unflatten(1, (copies, 3)).movedim(1, 0).flatten(1)
        values = []
        for weight in torch.eye(module.weight.numel(), dtype=F64):
            module.weight.copy_(weight.view_as(module.weight))
            values.append(module(x).flatten())
    values = torch.stack(values)
    rest = expected - torch.linalg.lstsq(values.mT, expected.mT).solution.mT @ values
    assert rest.abs().max() < 1e-5 * expected.abs().max()  # its constants are of float32
    quadratic = SymmetricPower(module.in_type, module.out_type, 2)
    assert module.weight.numel() == quadratic.weight.numel() + copies
    few = values[: quadratic.weight.numel()]  # negative control
    rest = expected - torch.linalg.lstsq(few.mT, expected.mT).solution.mT @ few
    assert rest.abs().max() > 1e-2


def test_powers_of_a_vector(generator):
    """Of one vector the only scalars are |x|^2 and |x|^4, with mean squares 3 5 and 3 5 7 9."""
    point = Point("O(3)", dim=3)
    module = SymmetricPower(point.fields("1x1o"), point.fields("1x0e"), 4).double()
    x = torch.randn(7, 3, generator=generator, dtype=F64)
    s = x.square().sum(1)
    basis = torch.stack([s / math.sqrt(15), s**2 / math.sqrt(945)]) / math.sqrt(2)
    for number, expected in enumerate(basis):
        with torch.no_grad():
            module.weight.zero_()[0, number] = 1
        assert_close(module(x)[:, 0].abs(), expected, ROUNDING)


def test_weights_by_kind(generator):
    """As many modules as there are kinds."""
    points = Points("O(3)", dim=3)
    h = points.fields("3x0e + 3x1o")
    module = SymmetricPower(h, h, 3, kinds=2, generator=generator).double()
    x = torch.randn(h.shape(5), generator=generator, dtype=F64)
    kind = torch.tensor([1, 0, 1, 1, 0])
    y = module(x, kind)
    for k in range(2):
        single = SymmetricPower(h, h, 3).double()
        with torch.no_grad():
            single.weight.copy_(module.weight[k : k + 1])
        assert_close(y[kind == k], single(x)[kind == k], ROUNDING)
        assert (y - single(x))[kind != k].abs().max() > 1e-3
    with pytest.raises(ValueError, match="^kind: expected the kind of each sample, from 0 to 1, g"):
        module(x, kind + 1)
    with pytest.raises(ValueError, match="^kind: expected the kind of each sample, got NoneType"):
        module(x)
    with pytest.raises(ValueError, match="^kind: expected None, without kinds"):
        single(x, kind)


def test_over_a_grid_and_derivatives(generator):
    """Point by point, with the kind of each sample at all of its points."""
    h = Plane("D4").fields("1x0e + 1x1")
    module = SymmetricPower(h, h, 3, kinds=2, generator=generator).double()
    x = random_field(h, 2, sizes=(3, 3), generator=generator, dtype=F64)
    kind = torch.tensor([1, 0])
    z = module(x, kind)
    assert_close(z[:, :, 1:2, 2:], module(x[:, :, 1:2, 2:], kind), ROUNDING)
    assert_close(z[1:], module(x[1:], kind[1:]), ROUNDING)
    small = x[:, :, :1, :1].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: module(x, kind), small)
    assert torch.autograd.gradgradcheck(lambda x: module(x, kind), small)


@every_case
def test_outputs_start_with_mean_square_one(case, generator):
    """Of every field, on average over inputs and initial weights."""
    squares = []
    for _ in range(40):
        module = _make(case, generator)
        x = torch.randn(300, module.in_type.channels, generator=generator, dtype=F64)
        with torch.no_grad():
            parts = module.out_type.split(module(x))
        squares.append(torch.stack([part.square().mean() for part in parts]))
    squares = torch.stack(squares)
    error = squares.std(0) / math.sqrt(len(squares))
    assert ((squares.mean(0) - 1).abs() < STATISTICAL * error).all(), squares.mean(0)
    assert (error < 0.6).all()


def test_bad_input():
    fields = Point("O(3)", dim=3).fields
    x = fields("2x0e + 2x1o")
    with pytest.raises(ValueError, match="^out_type: expected 2 copies of every irrep, .* got 3"):
        SymmetricPower(x, fields("3x0e"), 2)
    with pytest.raises(ValueError, match="^in_type: expected 2 copies of every irrep, .* got 1"):
        SymmetricPower(fields("2x0e + 1x1o"), x, 2)
    with pytest.raises(ValueError, match="^out_type: there is no equivariant polynomial but zero"):
        SymmetricPower(fields("1x1o"), fields("1x0o"), 3)
    with pytest.raises(ValueError, match="^order: expected what fits into 1 GiB"):
        SymmetricPower(fields("1x8e"), fields("1x0e"), 12)
    for text, order in (("1x0e + 1x1o + 1x2e", 8), ("1x0e + 1x1o + 1x2e + 1x3o", 6)):
        y = fields(text)  # few polynomials, of very many products
        with pytest.raises(ValueError, match="^order: expected what fits .* products of degree"):
            SymmetricPower(y, y, order)
    for order in (0, True, 2.0, 13):
        with pytest.raises(ValueError, match="^order: expected an integer"):
            SymmetricPower(x, x, order)
    with pytest.warns(UserWarning, match="dead paths; no polynomial ends in 0o of .*: zero") as got:
        SymmetricPower(x, fields("2x0e + 2x0o"), 2)
    assert got[0].filename == __file__
