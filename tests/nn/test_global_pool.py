"""Pools over all of space; their invariance on the sphere is in tests/laws."""

import pytest
import torch

from equinet import Plane, Point, Points, Sphere, Volume, symmetric
from equinet.field import HomogeneousSpace, act
from equinet.nn import Sequential
from equinet.nn.fibre_pool import GroupPool
from equinet.nn.global_pool import GlobalAvgPool, GlobalMaxPool, Integrate, SumPool
from tests.laws.direct import grid
from tests.nn.symmetric import F64, GRIDS, PERMUTED, assert_equivariant, field
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

BAND = 4
means = pytest.mark.parametrize("mean", [Integrate, GlobalAvgPool])


# --- the sphere -----------------------------------------------------------------------------------


@means
def test_integrals_over_the_sphere(mean):
    """Means of monomials: x^2 y^2 z^2 has 1/105, x^4 has 1/5, odd ones vanish."""
    x, y, z = grid(BAND, regular=False)[..., 1].unbind(-1)
    monomials = {1 / 105: x**2 * y**2 * z**2, 1 / 5: y**4, 1 / 3: z**2, 0: x * y**2, 1: x**0}
    in_type = Sphere(BAND).fields("5x0")
    pooled = mean(in_type).double()(torch.stack(list(monomials.values()))[None])
    assert_close(pooled, torch.tensor([list(monomials)], dtype=F64), ROUNDING)


@means
def test_integrals_over_so3(mean):
    """int R_ij^2 = 1/3 and int R_ij^2 R_kl^2 = 2/15 for i != k, j != l."""
    R = grid(BAND, regular=True)
    square = R**2
    functions = {
        1 / 3: square[..., 0, 1],
        2 / 15: square[..., 0, 0] * square[..., 1, 2],
        0: R[..., 2, 0],
    }
    pooled = mean(Sphere(BAND).fields("3x regular")).double()(
        torch.stack(list(functions.values()))[None]
    )
    assert_close(pooled, torch.tensor([list(functions)], dtype=F64), ROUNDING)


def test_the_mean_over_the_grid_is_another(generator):
    """Negative control: points crowd at the poles, so weights are needed."""
    y = grid(BAND, regular=False)[..., 1, 1]
    assert abs(float((y**2).mean()) - 1 / 3) > 0.1


@pytest.mark.parametrize("text", ["3x0", "1x0 + 2x0", "3x regular"])
def test_maximum_over_the_sphere(text, generator):
    in_type = Sphere(2).fields(text)
    x = torch.randn(in_type.shape(2), generator=generator)
    assert torch.equal(GlobalMaxPool(in_type)(x), x.flatten(2).max(-1).values)


@pytest.mark.parametrize("kind", [Integrate, GlobalAvgPool, GlobalMaxPool])
def test_types_on_the_sphere(kind):
    module = kind(Sphere(2).fields("3x0"))
    assert module.out_type is None and not module.state_dict()
    assert module.aliases == (kind is GlobalMaxPool)
    for text in ("1x1", "2x0 + 1x3"):
        with pytest.raises(ValueError, match="^in_type: .* needs "):
            kind(Sphere(4).fields(text))


def test_another_space_is_refused():
    with pytest.raises(ValueError, match="^in_type: expected fields over a Sphere, got Plane"):
        Integrate(GRIDS[1])


# --- grids ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_type", GRIDS, ids=repr)
def test_means_over_a_grid(in_type, generator):
    """The mean of vectors is a vector."""
    x = field(in_type, generator=generator) + 1
    module = GlobalAvgPool(in_type)
    assert module.out_type == Point(in_type.space.group).fields(in_type.blocks)
    assert_close(module(x), x.flatten(2).mean(-1), ROUNDING)
    assert_close(module.export()(x), module(x), ROUNDING)
    assert_equivariant(module, x)


@pytest.mark.parametrize("in_type", PERMUTED, ids=repr)
def test_maxima_over_a_grid(in_type, generator):
    x = field(in_type, generator=generator)
    module = GlobalMaxPool(in_type)
    assert torch.equal(module(x), x.flatten(2).amax(-1))
    assert torch.equal(module.export()(x), module(x))
    assert_equivariant(module, x)


def test_plain_vectors_of_scalars(generator):
    """What a classifier takes; functions on the group become scalars first or last."""
    y = Volume("SO(3)").fields("4x0 + 2x trivial")
    assert GlobalAvgPool(y).out_type is None
    net = Sequential(GlobalAvgPool(y), torch.nn.Linear(6, 3)).double()
    assert net(field(y, generator=generator)).shape == (2, 3) and net.out_type is None
    h = Plane("C4").fields("3x regular")
    x = field(h, generator=generator)
    last = GlobalAvgPool(h)
    ends = [Sequential(GroupPool(h, "mean"), GlobalAvgPool(GroupPool(h).out_type))]
    ends.append(Sequential(last, GroupPool(last.out_type, "mean")))
    assert_close(ends[0](x), ends[1](x), ROUNDING)


def test_maxima_of_vectors_are_refused():
    for in_type in (GRIDS[1], Points("SO(3)", dim=3).fields("1x0 + 1x1")):
        with pytest.raises(ValueError, match="^in_type: the maximum needs .*use enn.GlobalAvgPool"):
            GlobalMaxPool(in_type)


# --- points ---------------------------------------------------------------------------------------

CLOUDS = Points("SO(3)", dim=3).fields("2x0 + 1x1")
INDEX = torch.tensor([0, 2, 0, 2, 2])


def test_means_over_clouds(generator):
    x = torch.randn(5, 5, generator=generator, dtype=F64)
    module = GlobalAvgPool(CLOUDS)
    expected = torch.stack([x[[0, 2]].mean(0), torch.zeros(5, dtype=F64), x[[1, 3, 4]].mean(0)])
    assert_close(module(x, INDEX), expected, ROUNDING)
    assert_close(module(x, INDEX, 4)[:3], expected, ROUNDING)
    assert (module(x, INDEX, 4)[3] == 0).all()
    assert_close(module(x), x.mean(0, keepdim=True), ROUNDING)
    g = CLOUDS.space.group.sample(generator=generator)
    moved = module(act(CLOUDS, g, x), INDEX)
    assert_close(moved, act(module.out_type, g, expected), SYMMETRY)
    assert torch.autograd.gradcheck(lambda x: module(x, INDEX), (x.requires_grad_(),))


def test_sums(generator):
    """Over clouds, grids and finite spaces; over the sphere they would depend on the grid."""
    x = torch.randn(5, 5, generator=generator, dtype=F64)
    pool = SumPool(CLOUDS)
    expected = torch.stack([x[[0, 2]].sum(0), torch.zeros(5, dtype=F64), x[[1, 3, 4]].sum(0)])
    assert_close(pool(x, INDEX), expected, ROUNDING)
    assert_close(pool(x), x.sum(0, keepdim=True), ROUNDING)
    assert pool.out_type == GlobalAvgPool(CLOUDS).out_type
    for in_type in GRIDS:
        y = field(in_type, generator=generator)
        assert_close(SumPool(in_type)(y), y.flatten(2).sum(-1), SYMMETRY)
        assert_close(SumPool(in_type).export()(y), y.flatten(2).sum(-1), SYMMETRY)
    ring = HomogeneousSpace.of(symmetric(4), torch.eye(4)).fields("2x trivial")
    z = torch.randn(ring.shape(3), generator=generator, dtype=F64)
    assert_close(SumPool(ring).double()(z), z.sum(2), ROUNDING)
    with pytest.raises(ValueError, match="^in_type: expected fields over a space whose points wei"):
        SumPool(Sphere(2).fields("1x0"))


def test_means_of_half_precision_keep_their_digits(generator):
    """Ten thousand ones have mean 1; added in half precision they would stop at 2048."""
    ones = torch.ones(10_000, 5, dtype=torch.float16)
    assert torch.equal(GlobalAvgPool(CLOUDS)(ones), ones[:1])


def test_maxima_over_clouds(generator):
    x = torch.randn(5, 3, generator=generator)
    module = GlobalMaxPool(Points("SO(3)", dim=3).fields("3x0"))
    expected = torch.stack([x[[0, 2]].amax(0), torch.zeros(3), x[[1, 3, 4]].amax(0)])
    assert torch.equal(module(x, INDEX), expected)
    assert torch.equal(module(x), x.amax(0, keepdim=True))
    assert module(x[:0], INDEX[:0]).shape == (0, 3)


def test_bad_clouds(generator):
    module = GlobalAvgPool(CLOUDS)
    x = torch.randn(5, 5, generator=generator)
    for bad in (INDEX[:4], INDEX.int(), INDEX[:, None]):
        with pytest.raises(ValueError, match="^batch: expected the number of the cloud"):
            module(x, bad)
    for bad, count, error in (
        (INDEX - 1, None, "batch: expected the number of the cloud of each point, >= 0, got -1"),
        (INDEX - 1, 3, "batch: .* from 0 to 2, got -1"),
        (torch.tensor([0, 5, 1, 0, 0]), 2, "batch: .* from 0 to 1, got 5"),
        (INDEX, 0, "batch: .* of none, got 2"),
        (INDEX, -1, "count: expected an integer from 0 to .*, got -1"),
        (INDEX.to("meta"), 3, r"batch: .* on cpu, got torch.int64 \(5,\) on meta"),
        (None, 2, "batch: expected the number .*, for 2 clouds, got None"),
    ):
        with pytest.raises(ValueError, match=f"^{error}"):
            module(x, bad, count)
    for bad in (2.0, True, torch.tensor(3)):
        with pytest.raises(ValueError, match="^count: expected an integer from 0 to .*, got"):
            module(x, INDEX, bad)
    with pytest.raises(ValueError, match="^count: has a meaning over Points only"):
        GlobalAvgPool(GRIDS[0])(field(GRIDS[0], dtype=torch.float32), count=2)
    with pytest.raises(ValueError, match="^batch: has a meaning over Points only"):
        GlobalAvgPool(GRIDS[0])(field(GRIDS[0], dtype=torch.float32), INDEX)
    with pytest.raises(ValueError, match="^in_type: there is no space to pool over"):
        GlobalAvgPool(Point("SO(3)", dim=3).fields("1x0"))


@pytest.mark.parametrize("kind", [GlobalAvgPool, GlobalMaxPool])
def test_nothing_and_nan(kind, generator):
    in_type = PERMUTED[1]
    x = field(in_type, generator=generator)
    clean = kind(in_type)(x)
    assert kind(in_type)(x[:0]).shape == (0, in_type.channels)
    x[0, 0, 0, 0] = torch.nan
    y = kind(in_type)(x)
    assert y[0, 0].isnan() and torch.equal(y[1], clean[1])
