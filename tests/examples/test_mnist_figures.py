"""Pictures show the sphere as the conventions say."""

import numpy as np

from examples.spherical_mnist.figures import EYE, UP, interpolate, sphere_picture


def grid(n: int) -> np.ndarray:
    """Points (n, n, 3) of the SOFT grid."""
    beta = np.pi * (2 * np.arange(n) + 1) / (2 * n)
    alpha = 2 * np.pi * np.arange(n) / n
    b, a = np.meshgrid(beta, alpha, indexing="ij")
    return np.stack([np.sin(b) * np.sin(a), np.cos(b), np.sin(b) * np.cos(a)], axis=-1)


def test_interpolation_is_exact_on_the_grid_and_close_between():
    signal = grid(60) @ np.array([0.3, -0.5, 0.8])
    np.testing.assert_allclose(interpolate(signal, grid(60)), signal, atol=1e-12)
    points = np.random.default_rng(0).normal(size=(500, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    np.testing.assert_allclose(interpolate(signal, points), points @ [0.3, -0.5, 0.8], atol=0.03)


def test_picture_shows_what_faces_the_eye():
    signal = grid(60) @ EYE
    picture = sphere_picture(signal, size=101, back=0)
    assert np.isnan(picture[0, 0])
    assert picture[50, 50] > 0.98
    height = grid(60) @ UP
    picture = sphere_picture(height, size=101, back=0)
    assert picture[5, 50] > 0.8
    assert picture[50, 5] < 0.1
    right = grid(60) @ np.cross(UP, EYE)
    assert sphere_picture(right, size=101, back=0)[50, 95] > 0.8
