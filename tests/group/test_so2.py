"""SO(2) as matrices; its laws are in tests/laws."""

import math

import torch

from equinet import so2
from tests.tolerances import ROUNDING, assert_close


def test_quarter_turn_is_counter_clockwise():
    g = so2().element(torch.tensor(math.pi / 2, dtype=torch.float64))
    e_x = torch.tensor([1.0, 0.0], dtype=torch.float64)
    assert_close(g @ e_x, [0.0, 1.0], ROUNDING)


def test_angle_undoes_element():
    angle = torch.linspace(-3.1, math.pi, 50, dtype=torch.float64).view(5, 10)
    assert so2().element(angle).shape == (5, 10, 2, 2)
    assert_close(so2().angle(so2().element(angle)), angle, ROUNDING)


def test_angles_add(generator):
    g, h = so2().sample(2, 30, generator=generator)
    total = so2().angle(g) + so2().angle(h)
    assert_close(so2().angle(g @ h).cos(), total.cos(), ROUNDING)
    assert_close(so2().angle(g @ h).sin(), total.sin(), ROUNDING)


def test_name():
    assert str(so2()) == "SO(2)"
