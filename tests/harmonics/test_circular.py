"""Circular harmonics, and the angular harmonics of R^1, R^2 and R^3."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from equinet.harmonics import spherical_harmonics
from equinet.harmonics.circular import angular_harmonics, circular_harmonics
from equinet.numerics import random_rotations, wigner_D
from tests.tolerances import CONDITION, ROUNDING, SINGLE, assert_close

F64 = torch.float64


@pytest.fixture
def points(generator):
    return torch.randn(10, 2, dtype=F64, generator=generator)


def closed_form(lmax, points):
    """Cosines and sines of the polar angle."""
    phi = torch.atan2(points[..., 1], points[..., 0])
    rows = [torch.ones_like(phi)]
    for k in range(1, lmax + 1):
        rows += [torch.cos(k * phi), torch.sin(k * phi)]
    return torch.stack(rows, -1)


def turn(angle):
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s], [s, c]], dtype=F64)


def random_points(seed, *shape):
    return torch.randn(*shape, dtype=F64, generator=torch.Generator().manual_seed(seed))


@given(st.integers(0, 40), st.lists(st.integers(0, 3), max_size=3))
def test_closed_form(lmax, shape):
    x = random_points(lmax, *shape, 2)
    y = circular_harmonics(lmax, x)
    assert y.shape == (*shape, 2 * lmax + 1)
    assert_close(y, closed_form(lmax, x), CONDITION)
    radius = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    power = radius ** torch.tensor([(k + 1) // 2 for k in range(2 * lmax + 1)])
    solid = circular_harmonics(lmax, x, normalize=False)
    assert_close(solid / power, y, CONDITION)


def test_solid_harmonics_are_powers(points):
    """Re and Im of (x + i y)^k."""
    z = torch.complex(points[:, 0], points[:, 1])
    y = circular_harmonics(3, points, normalize=False)
    assert_close(y[:, 5], (z**3).real, ROUNDING)
    assert_close(y[:, 6], (z**3).imag, ROUNDING)


@given(st.integers(0, 12), st.floats(-7, 7))
def test_steered(lmax, angle):
    """Y(R x) = D(R) Y(x): the pair of degree k turns by k theta."""
    x = random_points(lmax, 5, 2)
    blocks = [torch.ones(1, 1, dtype=F64)] + [turn(k * angle) for k in range(1, lmax + 1)]
    moved = circular_harmonics(lmax, x @ turn(angle).T)
    assert_close(moved, circular_harmonics(lmax, x) @ torch.block_diag(*blocks).T, CONDITION)


def test_not_steered_by_the_inverse(points):
    moved = circular_harmonics(2, points @ turn(0.4).T)[:, 3:]
    with pytest.raises(AssertionError):
        assert_close(moved, circular_harmonics(2, points)[:, 3:] @ turn(-0.8).T, CONDITION)


def test_reflection(points):
    """diag(1, -1) acts as diag(1, -1) on every pair."""
    moved = circular_harmonics(4, points * torch.tensor([1, -1]))
    assert_close(moved, circular_harmonics(4, points) * torch.tensor([1] + 4 * [1, -1]), ROUNDING)


def test_the_length_does_not_matter(points):
    y = circular_harmonics(4, points)
    for scale in (1e-300, 1e-160, 1e160, 1e300):
        assert_close(circular_harmonics(4, scale * points), y, ROUNDING)


def test_differentiable_twice(points):
    x = points[:4].clone().requires_grad_()
    assert gradcheck(lambda x: circular_harmonics(4, x), x)
    assert gradgradcheck(lambda x: circular_harmonics(3, x), x)
    assert gradcheck(lambda x: circular_harmonics(4, x, normalize=False), x)


@pytest.mark.parametrize("normalize", [True, False])
def test_origin(normalize):
    """Y^0 = 1 and the rest is 0; so is the gradient with normalize, else it is the polynomial's."""
    origin = torch.zeros(2, 2, dtype=F64, requires_grad=True)
    y = circular_harmonics(20, origin, normalize=normalize)
    expected = torch.zeros(2, 41, dtype=F64)
    expected[:, 0] = 1
    assert_close(y, expected, ROUNDING)
    (gradient,) = torch.autograd.grad(y[0, 1:].sum(), origin)
    assert_close(gradient, [[0.0, 0.0] if normalize else [1.0, 1.0], [0.0, 0.0]], ROUNDING)


def test_dtype_and_nan(points):
    single = circular_harmonics(16, points.float())
    assert single.dtype == torch.float32
    assert_close(single, circular_harmonics(16, points), SINGLE)
    points[3, 1] = math.nan
    y = circular_harmonics(2, points)
    assert y[3, 1:].isnan().all() and y.isnan().any(-1).sum() == 1


@given(st.integers(1, 3), st.integers(0, 8))
def test_angular_harmonics(n, lmax):
    """A list by degree, squares sum to 1; at the origin nothing but degree 0."""
    x = random_points(lmax, 2, 6, n)
    x[0, 0] = 0
    found = angular_harmonics(lmax, x)
    dims = {1: [1, 1], 2: [1] + lmax * [2], 3: [2 * l + 1 for l in range(lmax + 1)]}[n]
    assert [y.shape for y in found] == [(2, 6, dim) for dim in dims[: lmax + 1]]
    for degree, y in enumerate(found):
        square = torch.ones(2, 6, dtype=F64)
        square[0, 0] = degree == 0
        assert_close(y.square().sum(-1), square, CONDITION)


def test_angular_harmonics_by_dimension(points):
    x = random_points(0, 5, 3)
    assert_close(torch.cat(angular_harmonics(4, x), -1), spherical_harmonics(4, x), 0)
    assert_close(torch.cat(angular_harmonics(4, points), -1), circular_harmonics(4, points), 0)
    line = torch.tensor([[-2.0], [-1e-300], [0.0], [3.0]], dtype=F64)
    even, odd = angular_harmonics(9, line)
    assert_close(even, torch.ones(4, 1), 0)
    assert_close(odd, torch.sign(line), 0)


@given(st.integers(1, 6))
def test_angular_harmonics_are_steered_in_space(degree):
    r = random_rotations(generator=torch.Generator().manual_seed(degree))
    x = random_points(degree, 5, 3)
    moved, y = (angular_harmonics(degree, p)[degree] for p in (x @ r.T, x))
    assert_close(moved, y @ wigner_D(degree, r).T, CONDITION)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_angular_harmonics_are_differentiable(n):
    x = random_points(n, 4, n).requires_grad_()
    assert gradcheck(lambda x: tuple(angular_harmonics(3, x)[1:]), x)
    assert gradgradcheck(lambda x: tuple(angular_harmonics(3, x)[1:]), x)
    origin = torch.zeros(1, n, dtype=F64, requires_grad=True)
    total = sum(y.sum() for y in angular_harmonics(3, origin))
    (gradient,) = torch.autograd.grad(total, origin)
    assert_close(gradient, torch.zeros(1, n), 0)


@pytest.mark.parametrize(
    ("function", "lmax", "points", "message"),
    [
        (circular_harmonics, 2, torch.zeros(4, 3), r"points: .*\(\.\.\., 2\), got .*\(4, 3\)"),
        (circular_harmonics, 2, torch.zeros(()), r"points: .*\(\.\.\., 2\), got .*\(\)"),
        (circular_harmonics, 2, torch.zeros(2).long(), r"points: .* real .*, got torch.int64"),
        (circular_harmonics, -1, torch.zeros(2), r"lmax: expected an integer >= 0, got -1"),
        (angular_harmonics, 2, torch.zeros(4), r"points: .* n = 1, 2 or 3, got .*\(4,\)"),
        (angular_harmonics, 2, torch.zeros(0), r"points: .* n = 1, 2 or 3, got .*\(0,\)"),
        (angular_harmonics, 2, torch.zeros(3) + 0j, r"points: .* real .*, got torch.complex64"),
        (angular_harmonics, 1.0, torch.zeros(2), r"lmax: expected an integer >= 0, got 1.0"),
    ],
)
def test_bad_input(function, lmax, points, message):
    with pytest.raises((TypeError, ValueError), match=message):
        function(lmax, points)
