"""SO(3) as matrices; its laws are in tests/laws, its numerics in tests/numerics."""

import math

import torch

from equinet import so3
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


def test_name():
    assert str(so3()) == "SO(3)"
