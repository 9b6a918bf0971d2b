"""Dropout of whole fields."""

import pytest
import torch

from equinet import Line, Plane, Point, Points, Sphere, Volume
from equinet.nn.dropout import Dropout, DropPath, FieldDropout
from tests.nn.symmetric import TYPES, assert_equivariant, field
from tests.tolerances import ROUNDING, STATISTICAL, assert_close

every_type = pytest.mark.parametrize("in_type", TYPES, ids=repr)


@every_type
def test_a_field_is_kept_whole_or_dropped(in_type, generator):
    x = field(in_type, batch=8, generator=generator)
    torch.manual_seed(0)
    y = FieldDropout(in_type, 0.4).train()(x)
    factors = set()
    for before, after in zip(in_type.split(x), in_type.split(y), strict=True):
        ratio = (after / before).flatten(2)
        assert_close(ratio, ratio[..., :1].expand_as(ratio), ROUNDING)
        factors |= {round(float(r), 9) for r in ratio.flatten()}
    assert factors == {0.0, round(1 / 0.6, 9)}


@every_type
def test_it_commutes_with_the_group_for_one_draw(in_type, generator):
    module = FieldDropout(in_type, 0.4).train()
    module.register_forward_pre_hook(lambda *_: torch.manual_seed(3) and None)
    assert_equivariant(module, field(in_type, batch=4, generator=generator), generator)


def test_torchs_dropout_does_not(generator):
    """Negative control: a component of a vector may be lost."""
    module = torch.nn.Dropout2d(0.4).train()
    module.in_type = module.out_type = in_type = Plane("C4").fields("3x vector")
    module.register_forward_pre_hook(lambda *_: torch.manual_seed(3) and None)
    with pytest.raises(AssertionError):
        assert_equivariant(module, field(in_type, batch=4, generator=generator))


@pytest.mark.parametrize(
    ("space", "torchs"),
    [
        (Line("O(1)"), torch.nn.Dropout1d),
        (Plane("C4"), torch.nn.Dropout2d),
        (Volume("O"), torch.nn.Dropout3d),
        (Point("SO(3)", dim=3), torch.nn.Dropout),
        (Points("SO(3)", dim=3), torch.nn.Dropout),
    ],
    ids=str,
)
def test_on_scalars_it_is_torchs(space, torchs, generator):
    """With the same seed, the same draws."""
    in_type = space.fields("5x trivial")
    x = field(in_type, generator=generator)
    for p in (0.0, 0.3, 1.0):
        torch.manual_seed(1)
        ours = FieldDropout(in_type, p).train()(x)
        torch.manual_seed(1)
        assert_close(ours, torchs(p).train()(x), ROUNDING)
        given = x.clone()
        torch.manual_seed(1)
        assert FieldDropout(in_type, p, inplace=True).train()(given) is given
        assert torch.equal(given, ours)
    assert "inplace=True" in repr(FieldDropout(in_type, inplace=True))


def test_the_expectation_is_the_input():
    in_type = Point("SO(3)", dim=3).fields("50x1")
    x = torch.ones(in_type.shape(200))
    torch.manual_seed(0)
    kept = FieldDropout(in_type, 0.3).train()(x)[:, ::3]
    deviation = (0.3 / 0.7 / kept.numel()) ** 0.5
    assert abs(float(kept.mean()) - 1) < STATISTICAL * deviation


@every_type
def test_evaluation_is_the_identity(in_type, generator):
    x = field(in_type, generator=generator)
    module = FieldDropout(in_type)
    assert torch.equal(module.eval()(x), x)
    assert isinstance(module.export(), torch.nn.Identity)
    assert not module.state_dict()


def test_functions_on_the_sphere(generator):
    in_type = Sphere(2).fields("4x regular")
    y = FieldDropout(in_type).train()(torch.ones(in_type.shape(3)))
    assert (y.flatten(2).std(-1) == 0).all()
    assert FieldDropout(in_type)(y[:0]).shape == (0, *y.shape[1:])


@pytest.mark.parametrize("p", [-0.1, 1.5, None, True, float("nan"), "0.5", 1j])
def test_bad_probability(p):
    for kind in (FieldDropout, DropPath):
        with pytest.raises(ValueError, match="^p: expected a probability from 0 to 1, got"):
            kind(TYPES[0], p)


def test_dropout_is_another_name():
    assert Dropout is FieldDropout


# --- whole samples --------------------------------------------------------------------------------


@every_type
def test_a_sample_is_kept_whole_or_dropped(in_type, generator):
    x = field(in_type, batch=16, generator=generator)
    torch.manual_seed(0)
    module = DropPath(in_type, 0.4).train()
    clouds = (torch.arange(16),) if isinstance(in_type.space, Points) else ()
    ratio = (module(x, *clouds) / x).flatten(1)
    assert_close(ratio, ratio[:, :1].expand_as(ratio), ROUNDING)
    assert {round(float(r), 9) for r in ratio[:, 0]} == {0.0, round(1 / 0.6, 9)}
    assert torch.equal(module.eval()(x), x) and isinstance(module.export(), torch.nn.Identity)
    for p in (0.0, 1.0):
        assert torch.equal(DropPath(in_type, p)(x), (1 - p) * x)


def test_the_points_of_a_cloud_are_one_sample(generator):
    """Whatever their numbers are; without numbers all are one cloud."""
    in_type = Points("O(3)", dim=3).fields("1x0e + 1x1o")
    x = torch.ones(in_type.shape(300))
    batch = torch.randint(0, 40, (300,), generator=generator) * 1000
    torch.manual_seed(0)
    y = DropPath(in_type, 0.5)(x, batch)[:, 0]
    for number in batch.unique():
        assert len(y[batch == number].unique()) == 1
    assert y.unique().tolist() == [0, 2]
    assert len(DropPath(in_type, 0.5)(x).unique()) == 1


def test_clouds_are_refused_elsewhere():
    module = DropPath(Plane("C4").fields("1x trivial"), 0.5)
    with pytest.raises(ValueError, match="^batch: has a meaning over Points only, expected None"):
        module(torch.zeros(2, 1, 3, 3), torch.zeros(2, dtype=torch.int64))
    module = DropPath(Points("C4", dim=2).fields("1x trivial"), 0.5)
    for wrong in (torch.zeros(3, dtype=torch.int64), torch.zeros(2), [0, 1], 3):
        with pytest.raises(ValueError, match=r"^batch: expected .* int64 \(2,\) on cpu, got"):
            module.eval()(torch.zeros(2, 1), wrong)


def test_the_points_of_a_cloud_share_what_is_dropped(generator):
    in_type = Points("O(3)", dim=3).fields("20x0e + 10x1o")
    x, batch = torch.ones(in_type.shape(60)), torch.arange(60) % 4
    module = FieldDropout(in_type, 0.5).train()
    torch.manual_seed(0)
    y = module(x, batch, 4)
    for number in range(4):
        own = y[batch == number]
        assert torch.equal(own, own[:1].expand_as(own))
    assert not torch.equal(y[0], y[1])
    for part in in_type.split(y):
        assert torch.equal(part, part[..., :1].expand_as(part))
    torch.manual_seed(0)
    assert torch.equal(module(x, batch), y)
    torch.manual_seed(0)
    assert torch.equal(module(x[:4])[batch], y)  # one draw for each, as of so many points
    assert torch.equal(module.eval()(x, batch), x)
    one = module.train()(x, None, 1)
    assert torch.equal(one, one[:1].expand_as(one)) and not torch.equal(module(x)[0], module(x)[1])
    for wrong in (torch.zeros(3, dtype=torch.int64), -torch.ones(60, dtype=torch.int64)):
        with pytest.raises(ValueError, match="^batch: expected"):
            module.eval()(x, wrong)
