"""Neighbour lists against brute force."""

import itertools
import math

import pytest
import torch

from equinet.transforms import radius_graph
from tests.tolerances import ROUNDING, assert_close


def _points(count, n, generator):
    return 3 * torch.rand(count, n, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("loop", [False, True])
def test_open(n, loop, generator):
    x = _points(40, n, generator)
    distance = torch.cdist(x, x)
    near = distance <= 0.7
    if not loop:
        near.fill_diagonal_(False)
    edges, shifts = radius_graph(x, 0.7, loop=loop)
    assert shifts is None and edges.dtype == torch.int64
    assert torch.equal(edges.flip(0), near.nonzero().mT)


def test_clouds_do_not_see_each_other(generator):
    x = _points(30, 3, generator)
    batch = torch.randint(3, (30,), generator=generator)
    edges, _ = radius_graph(x, 1.0, batch)
    near = (torch.cdist(x, x) <= 1.0) & (batch[:, None] == batch)
    near.fill_diagonal_(False)
    assert torch.equal(edges.flip(0), near.nonzero().mT)


@pytest.mark.parametrize("radius", [0.4, 1.0, 2.5])
def test_periodic(radius, generator):
    """All images in a skew cell, also with points outside of it and a radius beyond it."""
    cell = torch.tensor([[1.0, 0.0, 0.0], [0.4, 0.9, 0.0], [-0.2, 0.3, 1.2]], dtype=torch.float64)
    x = _points(4, 3, generator) - 1
    edges, shifts = radius_graph(x, radius, cell=cell)
    found = {
        (int(j), int(i), *(shift @ torch.linalg.inv(cell)).round().int().tolist())
        for (j, i), shift in zip(edges.mT, shifts, strict=True)
    }
    steps = range(-8, 9)
    expected = set()
    for step in itertools.product(steps, repeat=3):
        image = torch.tensor(step, dtype=torch.float64) @ cell
        near = (x[None] + image - x[:, None]).norm(dim=-1) <= radius  # (i, j)
        expected |= {(int(j), int(i), *step) for i, j in near.nonzero() if (i != j or any(step))}
    assert found == expected and len(found) == edges.shape[1]
    vectors = x[edges[0]] - x[edges[1]] + shifts
    assert (vectors.norm(dim=1) <= radius + ROUNDING).all()


def test_a_cell_for_each_cloud(generator):
    x = _points(6, 2, generator)
    batch = torch.tensor([0, 0, 0, 1, 1, 1])
    cells = torch.stack([torch.eye(2), 1.5 * torch.eye(2)]).double()
    edges, shifts = radius_graph(x, 1.2, batch, cell=cells)
    first, second = (radius_graph(x[batch == k], 1.2, cell=cells[k]) for k in (0, 1))
    assert torch.equal(edges, torch.cat([first[0], second[0] + 3], 1))
    assert_close(shifts, torch.cat([first[1], second[1]]), ROUNDING)


def test_empty():
    edges, shifts = radius_graph(torch.zeros(0, 3), 1.0, cell=torch.eye(3))
    assert edges.shape == (2, 0) and shifts.shape == (0, 3)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"positions": torch.zeros(4)}, ValueError, r"positions: expected \(points, n\), got \(4,"),
        ({"positions": torch.zeros(4, 2).int()}, TypeError, "positions: .* got torch.int32"),
        ({"positions": [[0.0, 0.0]]}, TypeError, "positions: .* got list"),
        *[
            ({"positions": torch.tensor([[0.0, 1.0]] * 3 + [[0.0, bad]])}, ValueError, message)
            for bad, message in (
                (math.nan, r"positions: expected finite numbers, got \[0.0, nan\] at 3"),
                (math.inf, r"positions: expected finite numbers, got \[0.0, inf\] at 3"),
            )
        ],
        ({"radius": 0.0}, ValueError, "radius: expected a number > 0, got 0.0"),
        ({"radius": True}, ValueError, "radius: expected a number > 0, got True"),
        ({"batch": torch.zeros(2).long()}, ValueError, r"batch: .* int64 \(4,\) on cpu, got"),
        ({"batch": torch.tensor([0, -1, 0, 0])}, ValueError, "batch: .* >= 0, got -1"),
        (
            {"batch": torch.tensor([0, 0, 1, 2]), "cell": torch.eye(2).expand(2, 2, 2)},
            ValueError,
            "batch: expected the number of the cloud of each point, from 0 to 1, got 2",
        ),
        ({"cell": torch.eye(3)}, ValueError, r"cell: expected \(2, 2\), got \(3, 3\)"),
        ({"cell": torch.eye(2)[None, None]}, ValueError, r"cell: expected \(clouds, 2, 2\), got"),
        ({"cell": torch.eye(2).expand(2, 2, 2)}, ValueError, r"cell: expected \(2, 2\) without"),
        ({"cell": torch.diag(torch.tensor([4.0, 0.0]))}, ValueError, "cell: .* that span space"),
        ({"cell": torch.tensor([[1.0, 2.0], [2.0, 4.0]])}, ValueError, "cell: .* that span space"),
        ({"cell": math.nan * torch.eye(2)}, ValueError, "cell: expected finite numbers"),
        ({"cell": 1e-5 * torch.eye(2)}, ValueError, "radius: .* images of points, got 1.6e.11 for"),
        ({"radius": 1e9, "cell": torch.eye(2)}, ValueError, "radius: .* images of points, got"),
    ],
)
def test_bad_input(change, error, message):
    good = {"positions": torch.zeros(4, 2), "radius": 1.0}
    assert radius_graph(**good)[0].shape == (2, 12)
    with pytest.raises(error, match=f"^{message}"):
        radius_graph(**(good | change))


def test_more_pairs_than_fit_into_memory():
    """They are counted before they are made: 20,000 points within one radius, and two halves."""
    x = torch.zeros(20_000, 1)
    with pytest.raises(ValueError, match="^radius: .* at most 1e.08 pairs, got 4e.08 for 1.0;"):
        radius_graph(x, 1.0)
    with pytest.raises(ValueError, match="^radius: .* pairs, got 1.1e.08 for"):
        radius_graph(x[:15_000], 1.0, torch.arange(15_000) % 2)
