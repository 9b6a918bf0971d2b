"""Rotation matrices, their angles Y(alpha) X(beta) Y(gamma), and Haar measure."""

import math
from functools import partial

import pytest
import torch
from torch.autograd import gradcheck

from equinet.numerics import (
    angles_to_matrix,
    matrix_to_angles,
    points_to_angles,
    random_rotations,
    wigner_D,
)
from tests.tolerances import ROUNDING, STATISTICAL, assert_close

F64 = torch.float64
EYE = torch.eye(3, dtype=F64)


def random_angles(count, generator):
    """alpha and gamma in (-pi, pi), beta in (0, pi)."""
    low = torch.tensor([-math.pi, 0, -math.pi], dtype=F64)[:, None]
    return low + (math.pi - low) * torch.rand(3, count, dtype=F64, generator=generator)


def test_turns_counter_clockwise_about_y_x_y():
    """A quarter turn about y takes z to x, one about x takes y to z."""
    zero, quarter = torch.tensor([0, math.pi / 2], dtype=F64)
    x, y, z = EYE
    assert_close(angles_to_matrix(quarter, zero, zero) @ z, x, ROUNDING)
    assert_close(angles_to_matrix(zero, quarter, zero) @ y, z, ROUNDING)
    assert_close(angles_to_matrix(zero, zero, quarter) @ z, x, ROUNDING)


def test_a_rotation_is_the_product_of_its_parts(generator):
    """R = Y(alpha) X(beta) Y(gamma), and not in the opposite order."""
    angles = random_angles(20, generator)
    zero = torch.zeros(20, dtype=F64)
    y1, x, y2 = (
        angles_to_matrix(*parts)
        for parts in ((angles[0], zero, zero), (zero, angles[1], zero), (zero, zero, angles[2]))
    )
    r = angles_to_matrix(*angles)
    assert_close(r, y1 @ x @ y2, ROUNDING)
    with pytest.raises(AssertionError):
        assert_close(r, y2 @ x @ y1, ROUNDING)


def test_angles_to_matrix_and_back(generator):
    angles = random_angles(200, generator)
    assert_close(torch.stack(matrix_to_angles(angles_to_matrix(*angles))), angles, ROUNDING)


def test_matrix_to_angles_and_back(generator):
    """Also where beta is 0 or pi, exactly or nearly; there alpha = 0."""
    south = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=F64))
    small = angles_to_matrix(*torch.tensor([0.4, 1e-9, 1.1], dtype=F64))
    turn = angles_to_matrix(*torch.tensor([0.0, 0.0, 2.0], dtype=F64))
    special = torch.stack([EYE, turn, south, south @ turn, small, south @ small])
    r = torch.cat([random_rotations(200, generator=generator), special])
    alpha, beta, gamma = matrix_to_angles(r)
    assert_close(angles_to_matrix(alpha, beta, gamma), r, ROUNDING)
    assert ((beta >= 0) & (beta <= math.pi)).all()
    assert_close(alpha[200:204], torch.zeros(4, dtype=F64), ROUNDING)


def test_points_and_their_angles(generator):
    """(alpha, beta) of the point (sin b sin a, cos b, sin b cos a) at any distance."""
    alpha, beta, _ = random_angles(50, generator)
    points = torch.stack([beta.sin() * alpha.sin(), beta.cos(), beta.sin() * alpha.cos()], -1)
    found = points_to_angles(3 * points)
    assert_close(torch.stack(found), torch.stack([alpha, beta]), ROUNDING)
    assert_close(angles_to_matrix(alpha, beta, alpha)[..., 1], points, ROUNDING)
    poles = torch.tensor([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]], dtype=F64)
    assert_close(torch.stack(points_to_angles(poles)), [[0, 0], [0, math.pi]], ROUNDING)


def test_differentiable(generator):
    angles = random_angles(3, generator).requires_grad_()
    assert gradcheck(lambda x: angles_to_matrix(*x), angles)
    assert gradcheck(lambda x: matrix_to_angles(angles_to_matrix(*x)), angles)
    points = torch.randn(3, 3, dtype=F64, generator=generator, requires_grad=True)
    assert gradcheck(points_to_angles, points)


def test_broadcasting_shape_and_dtype():
    alpha, beta = torch.zeros(4, 1), torch.zeros(3)
    assert angles_to_matrix(alpha, beta, torch.zeros(())).shape == (4, 3, 3, 3)
    assert angles_to_matrix(alpha, beta, beta).dtype == torch.float32
    assert random_rotations().shape == (3, 3)
    assert random_rotations(0, 2).shape == (0, 2, 3, 3)
    assert random_rotations(2).dtype == F64


def assert_haar(rotations):
    """The first moments of D^l vanish for l = 1, 2, and E[R_ij R_kl] = delta_ik delta_jl / 3."""
    count = len(rotations)
    flat = rotations.flatten(1)
    second = torch.einsum("za,zb->zab", flat, flat) - torch.eye(9, dtype=F64) / 3
    for moment in (flat, wigner_D(2, rotations).flatten(1), second.flatten(1)):
        error = moment.mean(0).abs() / (moment.std(0) / math.sqrt(count))
        assert error.max() < STATISTICAL


def test_random_rotations_are_rotations_drawn_from_haar_measure(generator):
    r = random_rotations(20_000, generator=generator)
    assert_close(r @ r.mT, EYE.expand_as(r), ROUNDING)
    assert_close(torch.linalg.det(r), torch.ones(len(r), dtype=F64), ROUNDING)
    assert_haar(r)
    assert_haar(angles_to_matrix(*torch.tensor([0.3, 1.0, -2.0], dtype=F64)) @ r)


def test_uniform_angles_are_not_haar_measure(generator):
    with pytest.raises(AssertionError):
        assert_haar(angles_to_matrix(*random_angles(20_000, generator)))


def test_random_rotations_are_drawn_by_the_generator():
    draw = partial(random_rotations, 3)
    first, again, other = (draw(generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
