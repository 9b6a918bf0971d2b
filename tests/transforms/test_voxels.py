"""Points with values onto a grid: the formula, the mass, the symmetry, the gradient."""

import math

import pytest
import torch

import equinet as eq
from equinet.field import act
from equinet.transforms import voxelize
from tests.tolerances import ROUNDING, SYMMETRY, assert_close

F64 = torch.float64

SPACES = [
    (eq.Line("O(1)", 0.5), (9,)),
    (eq.Plane("C4", (0.5, 0.8)), (7, 6)),
    (eq.Volume("SO(3)", (0.5, 0.8, 1.1)), (5, 6, 4)),
]


def _points(space, count: int, generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Points inside the grid and three channels of values."""
    spread = torch.tensor(space.spacing, dtype=F64)
    points = spread * torch.randn(count, space.n, generator=generator, dtype=F64)
    return points, torch.randn(count, 3, generator=generator, dtype=F64)


def _direct(points, values, space, sizes, sigma) -> torch.Tensor:
    """The formula, point by point, at the positions that the space itself gives."""
    positions = space.positions(*sizes)
    density = torch.zeros(values.shape[1], *sizes, dtype=F64)
    for p, v in zip(points, values, strict=True):
        squares = ((positions - p) ** 2).sum(-1)
        gauss = torch.exp(-squares / (2 * sigma**2)) / (2 * math.pi * sigma**2) ** (space.n / 2)
        density += v.view(-1, *(1,) * space.n) * gauss
    return density


@pytest.mark.parametrize(("space", "sizes"), SPACES, ids=repr)
def test_against_the_formula(space, sizes, generator):
    points, values = _points(space, 7, generator)
    density = voxelize(points, values, space, sizes, 0.7)
    assert_close(density, _direct(points, values, space, sizes, 0.7)[None], ROUNDING)


def test_samples_of_unequal_size_in_any_order(generator):
    space, sizes = SPACES[2]
    points, values = _points(space, 12, generator)
    batch = torch.tensor([3, 0, 0, 3, 1, 0, 3, 3, 1, 0, 0, 3])
    density = voxelize(points, values, space, sizes, 0.7, batch=batch, samples=5)
    for sample in range(5):
        own = batch == sample
        assert_close(
            density[sample], _direct(points[own], values[own], space, sizes, 0.7), ROUNDING
        )
    assert voxelize(points, values, space, sizes, 0.7, batch=batch).shape[0] == 4
    assert not density[2].any() and not density[4].any()
    empty = voxelize(points[:0], values[:0], space, sizes, 0.7)
    assert_close(empty, torch.zeros(1, 3, *sizes, dtype=F64), 0)


def test_the_density_sums_to_the_values(generator):
    """Poisson: the sum over a fine grid is the integral, up to 2 n exp(-2 pi^2 sigma^2)."""
    space = eq.Volume("SO(3)", (0.5, 0.8, 1.0))
    points, values = _points(space, 5, generator)
    cell = math.prod(space.spacing)
    errors = []
    for sigma in (0.6, 0.8, 1.2):
        density = voxelize(points, values, space, (41, 31, 25), sigma)
        errors.append(float((cell * density.sum((2, 3, 4)) - values.sum(0)).abs().max()))
        bound = 2 * math.exp(-2 * math.pi**2 * sigma**2 / max(space.spacing) ** 2)
        assert errors[-1] < 3 * bound * float(values.abs().sum(0).max()) + 1e-11
    assert errors[0] > 1e-4 > errors[1]


@pytest.mark.parametrize(
    ("space", "blocks", "sizes"),
    [
        (eq.Line("O(1)"), "1x trivial + 1x vector", (8,)),
        (eq.Plane("D4"), "1x trivial + 2x vector", (7, 7)),
        (eq.Volume("m-3m"), "1x trivial + 2x vector", (6, 6, 6)),
    ],
    ids=repr,
)
def test_rotated_points_give_the_rotated_density(space, blocks, sizes, generator):
    """For symmetries of the grid ``act`` permutes the array, so it is an independent oracle."""
    fields = space.fields(blocks)
    points, _ = _points(space, 6, generator)
    values = torch.randn(6, fields.channels, generator=generator, dtype=F64)
    density = voxelize(points, values, space, sizes, 0.9)
    for g in space.group.elements:
        rotated = voxelize(points @ g.mT, values @ fields.rho(g).mT, space, sizes, 0.9)
        assert_close(rotated, act(fields, g, density), SYMMETRY)
    # Negative control: the values of a vector have to turn as well.
    g = space.group.elements[-1]
    alone = voxelize(points @ g.mT, values, space, sizes, 0.9)
    assert (alone - act(fields, g, density)).abs().max() > 1e-3


def test_any_rotation_is_exact(generator):
    """The density at R x of the rotated points is that at x: the grid makes no error."""
    space = eq.Volume("SO(3)", 0.7)
    points, values = _points(space, 6, generator)
    R = eq.so3().sample(1, generator=generator)[0]
    sample = voxelize(points @ R.mT, values, space, (1, 1, 1), 0.9)
    assert_close(sample, voxelize(points, values, space, (1, 1, 1), 0.9), ROUNDING)
    shift = torch.randn(3, generator=generator, dtype=F64)
    there = voxelize((points - shift) @ R.mT, values, space, (1, 1, 1), 0.9)
    assert_close(there, voxelize(points - shift, values, space, (1, 1, 1), 0.9), ROUNDING)


def test_gradient(generator):
    space, sizes = SPACES[2]
    points, values = _points(space, 4, generator)
    batch = torch.tensor([1, 0, 1, 1])
    assert torch.autograd.gradcheck(
        lambda p, v: voxelize(p, v, space, sizes, 0.7, batch=batch),
        (points.requires_grad_(), values.requires_grad_()),
    )


def test_float32_stays_float32():
    space, sizes = SPACES[1]
    density = voxelize(torch.zeros(2, 2), torch.ones(2, 1), space, sizes, 0.7)
    assert density.dtype == torch.float32


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"space": eq.so3()}, TypeError, "space: expected a Line, Plane or Volume, got SO3"),
        ({"points": torch.zeros(4, 2)}, ValueError, r"points: expected \(points, 3\)"),
        ({"values": torch.zeros(3, 1)}, ValueError, r"values: expected \(4, channel\)"),
        ({"values": torch.zeros(4, 1, dtype=F64)}, TypeError, "values: expected torch.float32 as"),
        ({"values": torch.zeros(4, 1, device="meta")}, ValueError, "values: .* on cpu, got meta"),
        ({"points": torch.zeros(4, 3).long()}, TypeError, "points: .* got torch.int64"),
        ({"points": torch.full((4, 3), math.nan)}, ValueError, "points: expected finite numbers"),
        ({"sizes": (4, 4)}, ValueError, "sizes: expected 3 integers"),
        ({"sizes": (10_000,) * 3}, ValueError, "sizes: .* at most 1e.10 numbers, got 1e.12 for"),
        ({"sizes": (1, 10**5, 10**5)}, ValueError, "sizes: .* got 4e.10 for"),
        ({"sigma": 0.0}, ValueError, "sigma: expected a number > 0, got 0.0"),
        ({"batch": torch.zeros(3).long()}, ValueError, r"batch: .* int64 \(4,\)"),
        (
            {"batch": torch.tensor([0, 1, 2, 3]), "samples": 3},
            ValueError,
            "batch: .* 0 to 2, got 3",
        ),
        ({"batch": torch.tensor([0, 1, 2, -1])}, ValueError, "batch: .* >= 0, got -1"),
        ({"batch": torch.tensor([0, 1, 2, 10**9])}, ValueError, "sizes: .* got 6.4e.10 for"),
        ({"samples": -1}, ValueError, "samples: expected an integer from 0 to .*, got -1"),
        ({"samples": 2}, ValueError, "samples: expected None or 1 without batch, got 2"),
    ],
)
def test_bad_input(change, error, message):
    good = {
        "points": torch.zeros(4, 3),
        "values": torch.zeros(4, 1),
        "space": eq.Volume("SO(3)"),
        "sizes": (4, 4, 4),
        "sigma": 1.0,
    }
    with pytest.raises(error, match=message):
        voxelize(**(good | change))
