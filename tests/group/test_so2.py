"""SO(2) and O(2) as matrices; their laws are in tests/laws."""

import math

import pytest
import torch

from equinet.group import o2, so2
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


@pytest.mark.parametrize("degree", [0, 1, 4, 7])
def test_frequencies_that_the_grid_integrates(degree):
    """The mean of exp(i k angle) is 0 for 0 < k <= degree, and wrongly 1 for the next."""
    g, weights = so2().grid(degree)
    k = torch.arange(degree + 2, dtype=torch.float64)
    mean = (weights * torch.exp(1j * k[:, None] * so2().angle(g))).sum(-1)
    expected = torch.zeros(degree + 2, dtype=torch.complex128)
    expected[0] = expected[-1] = 1
    assert_close(mean, expected, ROUNDING)


def test_half_of_the_elements_of_o2_are_reflections(generator):
    determinant = torch.linalg.det(o2().sample(10_000, generator=generator))
    assert (determinant.abs() - 1).abs().max() < ROUNDING
    assert abs(float(determinant.mean())) < 5 / 100


def test_the_mirror_of_o2_reflects_y():
    e = torch.tensor([2.0, 3.0], dtype=torch.float64)
    assert_close(o2().mirror @ e, [2.0, -3.0], 0)
    assert_close(torch.linalg.det(o2().components), [1.0, -1.0], 0)
    assert torch.equal(so2().components, torch.eye(2, dtype=torch.float64)[None])


def test_names():
    assert str(so2()) == "SO(2)" and str(o2()) == "O(2)"
