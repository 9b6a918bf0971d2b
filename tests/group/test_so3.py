"""SO(3) and O(3) as matrices; their laws are in tests/laws, the numerics in tests/numerics."""

import math

import pytest
import torch

from equinet.group import o3, so3
from equinet.numerics import wigner_D
from tests.tolerances import ROUNDING, assert_close


def test_angles_undo_element(generator):
    g = so3().sample(4, 5, generator=generator)
    alpha, beta, gamma = so3().angles(g)
    assert alpha.shape == (4, 5) and (0 <= beta).all() and (beta <= math.pi).all()
    assert_close(so3().element(alpha, beta, gamma), g, ROUNDING)


def test_element_is_y_x_y(generator):
    """The polar axis y goes to (sin b sin a, cos b, sin b cos a)."""
    alpha, beta, gamma = torch.rand(3, 6, generator=generator, dtype=torch.float64)
    g = so3().element(alpha, beta, gamma)
    pole = torch.stack([beta.sin() * alpha.sin(), beta.cos(), beta.sin() * alpha.cos()], -1)
    assert_close(g[..., 1], pole, ROUNDING)
    quarter, zero = (
        torch.tensor(math.pi / 2, dtype=torch.float64),
        torch.zeros((), dtype=torch.float64),
    )
    assert_close(so3().element(quarter, zero, zero)[:, 2], [1.0, 0.0, 0.0], ROUNDING)  # z to x
    assert_close(so3().element(zero, quarter, zero)[:, 1], [0.0, 0.0, 1.0], ROUNDING)  # y to z


def test_the_angle_of_a_random_rotation_has_the_haar_density(generator):
    """P(angle <= t) = (t - sin t) / pi, which small rotations of matrices or angles do not have."""
    g = so3().sample(20_000, generator=generator)
    angle = ((g.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).clamp(-1, 1).acos().sort().values
    expected = (angle - angle.sin()) / math.pi
    found = (torch.arange(len(angle), dtype=torch.float64) + 0.5) / len(angle)
    assert (expected - found).abs().max() < 1.95 / math.sqrt(len(angle))  # Kolmogorov, p = 0.001


def overlaps(degree: int, k: int, l: int) -> torch.Tensor:
    """int D^k D^l on the grid of a degree, ``((2k+1)^2, (2l+1)^2)``."""
    g, weights = so3().grid(degree)
    a, b = wigner_D(k, g).flatten(1), wigner_D(l, g).flatten(1)
    return torch.einsum("g,ga,gb->ab", weights, a, b)


@pytest.mark.parametrize(("k", "l"), [(0, 1), (1, 1), (0, 3), (2, 3), (3, 3), (1, 4)])
def test_the_grid_integrates_products_of_wigner_d(k, l):
    """int D^k_mn D^l_pq = delta_kl delta_mp delta_nq / (2l + 1), exactly from degree k + l on."""
    size = (2 * k + 1) ** 2, (2 * l + 1) ** 2
    expected = torch.eye(*size, dtype=torch.float64) / (2 * l + 1) if k == l else torch.zeros(size)
    for degree in (k + l, k + l + 1):
        assert_close(overlaps(degree, k, l), expected, ROUNDING)
    assert (overlaps(k + l - 1, k, l) - expected).abs().max() > 0.1  # the control


def test_half_of_the_elements_of_o3_are_improper(generator):
    determinant = torch.linalg.det(o3().sample(10_000, generator=generator))
    assert (determinant.abs() - 1).abs().max() < ROUNDING
    assert abs(float(determinant.mean())) < 5 / 100
    assert_close(o3().components, torch.stack([torch.eye(3), -torch.eye(3)]), 0)


def test_names():
    assert str(so3()) == "SO(3)" and str(o3()) == "O(3)"
