"""The order of the coefficients in a spectrum."""

import pytest
import torch

from equinet.harmonics.grid import (
    degree_columns,
    gamma_waves,
    signed_orders,
    spectrum_index,
    spectrum_size,
)
from tests.tolerances import ROUNDING, assert_close


@pytest.mark.parametrize("band", [1, 2, 5])
def test_functions_on_so3(band):
    """Coefficient (l, m, n) stands at l(4l^2 - 1)/3 + (2l + 1)(m + l) + (n + l)."""
    orders = tuple(range(band))
    index = spectrum_index(band, orders)
    assert len(index) == spectrum_size(band, orders) == band * (4 * band**2 - 1) // 3
    l, m, n = index.unbind(1)
    place = l * (4 * l**2 - 1) // 3 + (2 * l + 1) * (m + l) + (n + l)
    assert torch.equal(place, torch.arange(len(index)))
    assert (m.abs() <= l).all() and (n.abs() <= l).all()


@pytest.mark.parametrize("band", [1, 2, 5])
def test_functions_on_the_sphere(band):
    """Coefficient (l, m) stands at l^2 + m + l."""
    l, m, n = spectrum_index(band, (0,)).unbind(1)
    assert len(l) == spectrum_size(band, (0,)) == band**2
    assert torch.equal(l**2 + m + l, torch.arange(band**2)) and not n.any()


@pytest.mark.parametrize(("band", "order"), [(4, 1), (4, 3), (3, 3), (2, 5)])
def test_fields_of_an_irrep(band, order):
    """Orders n = -s, s and degrees l >= s: 2 (band^2 - s^2) coefficients, none if s >= band."""
    index = spectrum_index(band, (order,))
    assert index.shape == (spectrum_size(band, (order,)), 3)
    assert len(index) == 2 * max(band**2 - order**2, 0)
    assert (index[:, 0] >= order).all()
    assert torch.equal(index[:, 2], torch.tensor([-order, order]).repeat(len(index) // 2))


def test_columns_of_a_degree():
    for l in range(5):
        signed = signed_orders(l, (0, 2, 3))
        assert len(signed) == degree_columns(l, (0, 2, 3))
        assert signed == sorted(signed) and max(signed) <= l
    assert signed_orders(2, (0, 2, 3)) == [-2, 0, 2]


def test_waves_in_gamma():
    """1, cos(gamma), sin(gamma), cos(2 gamma), ... on the grid, orthogonal there."""
    waves = gamma_waves(4, 8)
    gamma = 2 * torch.pi * torch.arange(8, dtype=torch.float64) / 8
    assert_close(waves[:, 3], (2 * gamma).cos(), ROUNDING)
    assert_close(waves[:, 6], (3 * gamma).sin(), ROUNDING)
    norm = torch.tensor([8.0] + 6 * [4.0], dtype=torch.float64)
    assert_close(waves.T @ waves, norm.diag(), ROUNDING)
