"""Smooth fields are functions: sampled, moved and refined without interpolation."""

import math

import pytest
import torch

from equinet import Line, Plane, Volume, act
from equinet.testing.outcomes import ball
from equinet.testing.smooth import SmoothField, inner_radius
from tests.tolerances import ROUNDING, STATISTICAL, assert_close

TYPES = [
    (Line("O(1)").fields("1x trivial + 1x regular"), (7,)),
    (Plane("D4").fields("1x trivial + 1x vector + 1x regular"), (6, 6)),
    (Plane("SO(2)", spacing=0.5).fields("1x0 + 2x1"), (7, 7)),
    (Volume("SO(3)").fields("1x0 + 1x1 + 1x2"), (5, 5, 5)),
]
every_type = pytest.mark.parametrize(("field_type", "sizes"), TYPES, ids=str)


@every_type
@pytest.mark.parametrize("radius", [None, 2.0])
def test_elements_that_keep_the_grid_move_it_as_act_does(field_type, sizes, radius, generator):
    f = SmoothField.draw(field_type, 2, 2.0, generator, radius)
    n = len(sizes)
    g = (
        -torch.eye(n, dtype=torch.float64)
        if n < 3
        else torch.eye(3, dtype=torch.float64).roll(1, 0)
    )
    assert_close(f.moved(g).sample(sizes), act(field_type, g, f.sample(sizes)), ROUNDING)


@every_type
def test_any_element_moves_values_and_points(field_type, sizes, generator):
    """[g f](x) = rho(g) f(g^-1 x), with the points written out."""
    f = SmoothField.draw(field_type, 2, 2.0, generator)
    (g,) = field_type.space.group.sample(1, generator=generator)
    points = field_type.space.positions(*sizes).flatten(0, -2) @ g  # g^-1 x
    phases = torch.einsum("pi,ki->pk", points, f.waves)
    a, b = f.coefficients.chunk(2, -1)
    values = torch.einsum("bck,pk->bcp", a, phases.cos())
    values += torch.einsum("bck,pk->bcp", b, phases.sin())
    expected = torch.einsum("ij,bjp->bip", field_type.rho(g), values).unflatten(-1, sizes)
    assert_close(f.moved(g).sample(sizes), expected, ROUNDING)


@every_type
def test_refined_is_the_same_picture(field_type, sizes, generator):
    f = SmoothField.draw(field_type, 1, 2.0, generator, radius=2.0)
    fine = f.refined(3).sample([3 * (size - 1) + 1 for size in sizes])
    every_third = (..., *(slice(None, None, 3) for _ in sizes))
    assert_close(fine[every_third], f.sample(sizes), ROUNDING)


def test_an_offset_moves_the_grid_along_its_axes(generator):
    """Along y, which grows against the index, as well."""
    f = SmoothField.draw(Plane("C4", spacing=(1.0, 2.0)).fields("1x trivial"), 1, 2.0, generator)
    wide = f.sample((9, 9))
    assert_close(f.sample((5, 5), (1, -2)), wide[..., 3:8, 0:5], ROUNDING)


def test_covariance_is_that_of_smoothed_noise(generator):
    """Unit variance, and exp(-r^2 / 4 s^2) between points at distance r."""
    s, count = 1.5, 400
    fields = [
        SmoothField.draw(Line("O(1)").fields("1x trivial"), 4, s, generator).sample((4,))
        for _ in range(count)
    ]
    x = torch.cat(fields)[:, 0]
    for r in range(4):
        expected = math.exp(-(r**2) / (4 * s**2))
        assert abs(float((x[:, 0] * x[:, r]).mean()) - expected) < STATISTICAL / math.sqrt(
            4 * count
        )


def test_the_window_ends_at_the_radius(generator):
    plane = Plane("C4").fields("1x trivial")
    f = SmoothField.draw(plane, 1, 2.0, generator, radius=4.0)
    r = plane.space.positions(11, 11).norm(dim=-1)
    x = f.sample((11, 11))
    assert x[..., r >= 4].abs().max() == 0 and (x[..., r < 3.9] != 0).all()
    whole = SmoothField(plane, f.waves, f.coefficients).sample((11, 11))
    assert_close(x[..., r <= 2], whole[..., r <= 2], ROUNDING)


def test_ball():
    plane = Plane("C4", spacing=(1.0, 2.0)).fields("1x trivial")  # x, y
    assert inner_radius(plane, (5, 7)) == 3.0  # y has 5 points at 2, x has 7 at 1
    assert ball(plane, (5, 7)).sum() == sum(
        y * y + x * x <= 9 for y in (-4, -2, 0, 2, 4) for x in range(-3, 4)
    )
    assert ball(plane, (5, 7), margin=1).sum() == 3  # radius 1
    assert ball(plane, (1, 1), margin=5).sum() == 1
