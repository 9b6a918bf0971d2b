"""Points at any positions and the point, as spaces; how features and positions move."""

import math
import pickle

import pytest
import torch

from equinet import so2, so3
from equinet.field import Point, Points, act, random_field
from equinet.group import named_group, symmetric
from tests.tolerances import ROUNDING, assert_close

both = pytest.mark.parametrize("kind", [Point, Points])


@both
def test_a_value(kind):
    space = kind("O(3)", dim=3)
    assert space == kind(named_group("O(3)", 3)) == kind(space.group, 3) != kind(so3())
    assert eval(repr(space), {kind.__name__: kind}) == space
    again = pickle.loads(pickle.dumps(space))
    assert again == space and hash(again) == hash(space)
    assert space.fibre_group == space.group and space.n == 3
    assert Point(so3()) != Points(so3())
    with pytest.raises(AttributeError):
        space.group = so3()


@both
def test_bad_arguments(kind):
    with pytest.raises(ValueError, match=r"^dim: expected the dimension .* 'SO\(3\)' acts"):
        kind("SO(3)")
    for dim in (0, -1, 2.0, True, "3"):
        with pytest.raises(ValueError, match="^dim: expected an integer >= 1, got "):
            kind(so3(), dim)
    with pytest.raises(ValueError, match="^group: .* needs a group of 2 x 2 matrices"):
        kind(so3(), 2)
    with pytest.raises((ValueError, TypeError), match="^(group|dim): "):
        kind(5)
    with pytest.raises(TypeError, match="^group: expected a Group or its name, got int"):
        kind(5, 3)
    with pytest.raises(ValueError, match="^group: .*'nonsense'"):
        kind("nonsense", 3)
    with pytest.raises(ValueError, match="^blocks: .*finite dimension, got .*band-limited"):
        kind(so3()).fields("1x regular")


@both
def test_features_are_multiplied_by_rho(kind, generator):
    field_type = kind(so3()).fields("2x1 + 3x0 + 1x2")
    x = random_field(field_type, 4, generator=generator, dtype=torch.float64)
    g = so3().sample(4, generator=generator)
    assert x.shape == field_type.shape(4) == (4, 14)
    assert_close(act(field_type, g[0], x), x @ field_type.rho(g[0]).mT, ROUNDING)
    apart = torch.stack([field_type.rho(h) @ y for h, y in zip(g, x, strict=True)])
    assert_close(act(field_type, g, x), apart, ROUNDING)
    assert (act(field_type, g[0].mT, x) - act(field_type, g[0], x)).abs().max() > 0.1
    assert act(field_type, g, x.float()).dtype == torch.float32
    assert act(field_type, g[0], x[:0]).shape == (0, 14)


def test_gradients(generator):
    field_type = Point(so2()).fields("1x1 + 1x0 + 1x2")
    x = random_field(field_type, 3, generator=generator, dtype=torch.float64).requires_grad_()
    angle = torch.rand(3, generator=generator, dtype=torch.float64, requires_grad=True)
    move = lambda a, x: act(field_type, so2().element(a), x)  # noqa: E731
    assert torch.autograd.gradcheck(move, (angle, x))
    assert torch.autograd.gradcheck(move, (angle[0], x))


def test_positions_move_as_vectors(generator):
    """Features of the vector representation, and positions, are moved alike."""
    space = Points(so3())
    positions = torch.randn(5, 3, generator=generator, dtype=torch.float64)
    g = so3().sample(5, generator=generator)
    assert_close(space.move(g[0], positions), positions @ g[0].mT, ROUNDING)
    for h in (g[0], g):
        assert_close(
            space.move(h, positions), act(space.fields("1x vector"), h, positions), ROUNDING
        )
    assert space.move(g, positions.float()).dtype == torch.float32


def test_positions_that_do_not_fit():
    space, one = Points(so3()), torch.eye(3)
    for shape in ((5, 2), (3,), (2, 5, 3)):
        with pytest.raises(ValueError, match=r"^positions: expected \(points, 3\), got "):
            space.move(one, torch.zeros(shape))
    for bad in (torch.zeros(5, 3).long(), [[0.0, 0.0, 0.0]]):
        with pytest.raises(TypeError, match="^positions: expected a real floating tensor, got "):
            space.move(one, bad)  # integers would round the rotation
    with pytest.raises(ValueError, match=r"^positions: expected finite .*, got \[nan, .* at 2"):
        space.move(one, torch.tensor([[0.0], [1.0], [math.nan]]).expand(3, 3))
    wrong = -one, 2 * one, one * math.nan, torch.eye(2)
    for g in (*wrong, one.expand(4, 3, 3), one.expand(1, 5, 3, 3)):
        with pytest.raises(ValueError, match="^g: expected "):
            space.move(g, torch.zeros(5, 3))
        with pytest.raises(ValueError, match="^g: expected "):
            act(space.fields("1x0"), g, torch.zeros(5, 1))


def test_permutations_permute(generator):
    """Vectors of S_4 are lists of four numbers; the group moves entry i to g(i)."""
    space = Point(symmetric(4))
    field_type = space.fields("2x vector + 1x trivial")
    x = torch.randn(3, 9, generator=generator)
    g = space.group.sample(generator=generator)
    to = g.argmax(0)  # column i has its one at g(i)
    moved = act(field_type, g, x)
    for start in (0, 4):
        assert_close(moved[:, start + to], x[:, start : start + 4], 1e-6)  # float32
    assert torch.equal(moved[:, 8], x[:, 8])
